#include "process_numbers.h"

#include "varint.h"

void process_numbers_pack(const struct process_numbers *numbers, struct buf *ret)
{
    buf_reserve(ret, (size_t)PROCESS_NUMBERS * VARINT_BYTES_MAX);
    for (int i = 0; i < PROCESS_NUMBERS; i++)
        ret->size += varint_write(ret->data + ret->size, numbers->of[i]);
}

enum status process_numbers_unpack(const uint8_t *data, size_t size, struct process_numbers *ret,
                                   struct why *why)
{
    struct process_numbers numbers = {{0}};
    const uint8_t *at = data, *end = data + size;
    for (int i = 0; i < PROCESS_NUMBERS && at != NULL && (i < PROCESS_NUMBERS_ONCE || at < end);
         i++)
        at = varint_read(at, end, &numbers.of[i]);
    if (at != end)
        return why_fail(why, STATUS_INVALID, "the numbers of a snapshot cannot be decoded");
    *ret = numbers;
    return STATUS_OK;
}
