#include "segment.h"

#include <string.h>
#include <zlib.h>

#define MAGIC "HEAPSPL1"
enum { MAGIC_BYTES = 8 };

static uint32_t crc_of(uint32_t begin, const uint8_t *data, size_t size)
{
    return (uint32_t)crc32_z(begin, data, size);
}

static void put_number(uint8_t *at, uint64_t number, size_t size)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(number >> (8 * i));
}

static uint64_t get_number(const uint8_t *at, size_t size)
{
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++)
        number |= (uint64_t)at[i] << (8 * i);
    return number;
}

void segment_put_header(struct segment_header *header, struct buf *ret)
{
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    memcpy(bytes, MAGIC, MAGIC_BYTES);
    memcpy(bytes + 8, header->run, SEGMENT_RUN_BYTES);
    put_number(bytes + 24, header->number, 4);
    header->crc = crc_of(0, bytes, 28);
    put_number(bytes + 28, header->crc, 4);
    buf_append(ret, bytes, sizeof(bytes));
}

void segment_put_frame(const struct segment_header *header, const struct segment_frame *frame,
                       struct buf *ret)
{
    ASSERT(frame->size <= SEGMENT_DATA_BYTES_MAX);
    uint8_t head[SEGMENT_HEAD_BYTES];
    put_number(head, frame->size, 4);
    put_number(head + 4, frame->process, 4);
    put_number(head + 8, frame->sequence, 8);
    put_number(head + 16, crc_of(0, frame->data, frame->size), 4);
    put_number(head + 20, crc_of(header->crc, head, 20), 4);
    buf_append(ret, head, sizeof(head));
    buf_append(ret, frame->data, frame->size);
}

enum status segment_read_header(const uint8_t *bytes, size_t size, struct segment_header *ret,
                                struct why *why)
{
    if (size < MAGIC_BYTES || memcmp(bytes, MAGIC, MAGIC_BYTES) != 0)
        return why_fail(why, STATUS_NOT_FOUND, "it is not a segment of a spool");
    if (size < SEGMENT_HEADER_BYTES || get_number(bytes + 28, 4) != crc_of(0, bytes, 28))
        return why_fail(why, STATUS_INVALID, "its header is damaged");
    memcpy(ret->run, bytes + 8, SEGMENT_RUN_BYTES);
    ret->number = (uint32_t)get_number(bytes + 24, 4);
    ret->crc = (uint32_t)get_number(bytes + 28, 4);
    return STATUS_OK;
}

int segment_next(const struct segment_header *header, const uint8_t *bytes, size_t size,
                 size_t *offset, struct segment_frame *ret)
{
    size_t left = size - *offset;
    const uint8_t *head = bytes + *offset;
    if (left < SEGMENT_HEAD_BYTES || get_number(head + 20, 4) != crc_of(header->crc, head, 20))
        return 0;
    uint32_t data_size = (uint32_t)get_number(head, 4);
    const uint8_t *data = head + SEGMENT_HEAD_BYTES;
    int is_torn = data_size > left - SEGMENT_HEAD_BYTES;
    int is_sound = !is_torn && crc_of(0, data, data_size) == get_number(head + 16, 4);
    *ret = (struct segment_frame){
        .process = (uint32_t)get_number(head + 4, 4),
        .sequence = get_number(head + 8, 8),
        .data = is_sound ? data : NULL,
        .size = data_size,
    };
    *offset = is_torn ? size : *offset + SEGMENT_HEAD_BYTES + data_size;
    return 1;
}
