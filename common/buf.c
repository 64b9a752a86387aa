#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 64 };

void buf_done(struct buf *buf)
{
    if (buf == NULL)
        return;
    free(buf->data);
    *buf = BUF_INIT;
}

void buf_clear(struct buf *buf)
{
    buf->size = 0;
}

void buf_reserve(struct buf *buf, size_t extra)
{
    if (buf->capacity - buf->size >= extra)
        return;
    ASSERT(extra <= SIZE_MAX / 4 && buf->size <= SIZE_MAX / 4);
    size_t capacity = buf->capacity > 0 ? buf->capacity : FIRST_BYTES;
    while (capacity - buf->size < extra)
        capacity *= 2;
    uint8_t *data = realloc(buf->data, capacity);
    ASSERT(data != NULL);
    buf->data = data;
    buf->capacity = capacity;
}

void buf_append(struct buf *buf, const void *data, size_t size)
{
    if (size == 0)
        return;
    buf_reserve(buf, size);
    memcpy(buf->data + buf->size, data, size);
    buf->size += size;
}

void buf_append_text(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

void buf_append_byte(struct buf *buf, uint8_t byte)
{
    buf_append(buf, &byte, 1);
}

/* Into the room that there is; a second time when it was too small. */
PRINTF(2, 0)
static void append_formatted(struct buf *buf, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    buf_reserve(buf, FIRST_BYTES);
    size_t room = buf->capacity - buf->size;
    int size = vsnprintf((char *)buf->data + buf->size, room, format, args);
    ASSERT(size >= 0);
    if ((size_t)size >= room) {
        buf_reserve(buf, (size_t)size + 1);
        (void)vsnprintf((char *)buf->data + buf->size, (size_t)size + 1, format, again);
    }
    va_end(again);
    buf->size += (size_t)size;
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    append_formatted(buf, format, args);
    va_end(args);
}

const char *buf_text(struct buf *buf)
{
    buf_reserve(buf, 1);
    buf->data[buf->size] = 0;
    return (const char *)buf->data;
}

uint8_t *buf_detach(struct buf *buf, size_t *ret_size)
{
    uint8_t *data = buf->data;
    *ret_size = buf->size;
    *buf = BUF_INIT;
    return data;
}
