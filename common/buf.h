/*
 * A growing array of bytes. The struct is the caller's; `data` belongs to the buf until
 * `buf_done` or `buf_detach`. Growth doubles; running out of memory aborts, so a size that comes
 * from outside must be checked against a limit before it is appended.
 */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "attributes.h"

struct buf {
    uint8_t *data; /* NULL while capacity is 0 */
    size_t size;
    size_t capacity;
};

#define BUF_INIT ((struct buf){0})

void buf_done(struct buf *buf);                  /* frees; the buf is empty and usable again */
void buf_clear(struct buf *buf);                 /* size 0, memory kept */
void buf_reserve(struct buf *buf, size_t extra); /* room for `extra` more bytes */
void buf_append(struct buf *buf, const void *data, size_t size);
void buf_append_text(struct buf *buf, const char *text); /* without the final zero */
void buf_append_byte(struct buf *buf, uint8_t byte);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF(2, 3);

/* A zero behind the last byte, not counted in size; returns data as text. Valid until changed. */
const char *buf_text(struct buf *buf);

/* You now own the storage (free()); the buf is empty. NULL when it never held anything. */
uint8_t *buf_detach(struct buf *buf, size_t *ret_size);

#endif
