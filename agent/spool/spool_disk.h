/*
 * The files of a spool: FOLDER/lock, held by the agent that uses the folder, and the segments
 * FOLDER/XXXXXXXX.spool in the order of their numbers. Anything else that lies there is not ours
 * and is left alone.
 *
 *     oldest                                   current
 *     [ facts 0: removed ] [ facts 12 ] ... [ facts 7 | written to ]
 *
 * A segment is removed when it holds no fact any more. Each stands for itself: it begins with what
 * a later run must know of a process (its context) before the first fact of that process.
 *
 * Written with write() and not flushed to the disk: a killed agent loses nothing, a machine that
 * loses its power what the kernel had not written yet. One thread.
 */
#ifndef AGENT_SPOOL_SPOOL_DISK_H
#define AGENT_SPOOL_SPOOL_DISK_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "segment.h"
#include "status.h"
#include "why.h"

enum {
    DISK_SEGMENTS_MAX = 1024,
    DISK_SEGMENT_BYTES_MAX = 64 << 20, /* a larger file is not ours */
};
#define DISK_LIMIT_BYTES_MIN ((uint64_t)4096)

struct spool_disk;

/* Where the frame of a fact lies. */
struct disk_place {
    uint32_t segment;
    uint32_t offset;
};

/*
 * Makes the folder if its parent exists. `run` is copied. CONFLICT: another agent uses it;
 * UNAVAILABLE: it cannot be used, and why.
 */
enum status spool_disk_open(const char *folder, uint64_t limit_bytes,
                            const uint8_t run[SEGMENT_RUN_BYTES], struct spool_disk **ret,
                            struct why *why) MUST_CHECK;
/* Removes segments without facts and unlocks; what holds facts stays for a later run. */
void spool_disk_close(struct spool_disk *disk);

/*
 * The segments found, oldest first, for as long as none was forgotten or written. `ret_bytes` is
 * replaced. Fails when the file cannot be read or is no segment (NOT_FOUND), or its header is
 * damaged (INVALID); the caller then disowns it, or lets it be removed.
 */
size_t spool_disk_segments(const struct spool_disk *disk);
enum status spool_disk_load(struct spool_disk *disk, size_t i, struct segment_header *ret,
                            struct buf *ret_bytes, struct why *why) MUST_CHECK;
/* Segment i holds so many facts now; -1: it is not ours to remove. */
void spool_disk_adopt(struct spool_disk *disk, size_t i, int64_t facts);
/* The end of the look around: what holds no facts is removed, what is not ours forgotten. */
void spool_disk_settle(struct spool_disk *disk);

/*
 * The number of the segment that the next fact goes to, or 0 for a while after a failure. Stays the
 * same until a segment is full or a write has failed.
 */
uint32_t spool_disk_prepare(struct spool_disk *disk);
/* What must stand in that segment before the next fact. */
void spool_disk_note(struct spool_disk *disk, uint32_t process, const void *data, size_t size);
/* 1: the oldest segment has to go before what was noted and `size` bytes more fit. */
int spool_disk_is_full(const struct spool_disk *disk, size_t size);
/* The noted and a fact, in one write. On failure nothing of it is there, the segment is closed, and
 * the next one is tried some time later. */
enum status spool_disk_write(struct spool_disk *disk, const struct segment_frame *fact,
                             struct disk_place *ret, struct why *why) MUST_CHECK;

/* A fact again; `ret->data` is valid until the next call. 0: it cannot be read, or is damaged. */
int spool_disk_read(struct spool_disk *disk, const struct disk_place *place, uint32_t size,
                    struct segment_frame *ret) MUST_CHECK;
/* One fact of it is needed no more. */
void spool_disk_forget(struct spool_disk *disk, uint32_t segment);
/* The oldest segment, 0 if there is none but the one that is written to. */
uint32_t spool_disk_oldest(const struct spool_disk *disk);
uint64_t spool_disk_bytes(const struct spool_disk *disk);

#endif
