/*
 * A segment of the spool on disk, as bytes. Pure: the files are the business of spool_disk.h.
 *
 *     header   magic(8) run(16) number(4) crc(4)                        of the 28 bytes before
 *     frame*   size(4) process(4) sequence(8) data crc(4) head crc(4)   of the 20 bytes before,
 *              data                                                     begun with the header's crc
 *
 * Numbers are little endian; the checksum is zlib's CRC-32. A head is checked apart from its data:
 * damaged or torn data costs that one frame, and it is known which; a damaged head costs the rest
 * of the segment, since nothing tells where the next frame would begin.
 */
#ifndef AGENT_SPOOL_SEGMENT_H
#define AGENT_SPOOL_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "status.h"
#include "why.h"

enum {
    SEGMENT_RUN_BYTES = 16,
    SEGMENT_HEADER_BYTES = 32,
    SEGMENT_HEAD_BYTES = 24,
    SEGMENT_DATA_BYTES_MAX = 1024 * 1024, /* of one frame */
};

struct segment_header {
    uint8_t run[SEGMENT_RUN_BYTES]; /* who wrote it: the id of an agent run */
    uint32_t number;
    uint32_t crc; /* set when written or read; every head of the segment depends on it */
};

struct segment_frame {
    uint32_t process;
    uint64_t sequence;   /* 0: not a fact, but what must be known to send those that follow */
    const uint8_t *data; /* NULL: damaged, or cut off by the end */
    uint32_t size;
};

/* Append the bytes of a header, and set its crc. */
void segment_put_header(struct segment_header *header, struct buf *ret);
/* Append a frame; `size` is at most SEGMENT_DATA_BYTES_MAX (asserted). */
void segment_put_frame(const struct segment_header *header, const struct segment_frame *frame,
                       struct buf *ret);

/* NOT_FOUND: this is no segment at all. INVALID: it is one, with a damaged header. */
enum status segment_read_header(const uint8_t *bytes, size_t size, struct segment_header *ret,
                                struct why *why) MUST_CHECK;

/*
 * The frame at `*offset` of `bytes`, which becomes the offset behind it. 0: no frame can be read
 * there; `*offset` is `size` then, unless the rest is damaged. `ret->data` points into `bytes`.
 */
int segment_next(const struct segment_header *header, const uint8_t *bytes, size_t size,
                 size_t *offset, struct segment_frame *ret) MUST_CHECK;

#endif
