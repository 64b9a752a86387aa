/*
 * The census of one CPython process: its memory in, type -> count and bytes out.
 *
 * The target is only read (process_vm_readv): never stopped, signalled, written to, and no page of
 * it is made present. What it shows is outside input: nothing in it can crash, hang or grow us.
 *
 * One census at a time per struct; runs on the scan worker's thread. The type table lives as long
 * as the struct and only grows, so that indices can go on the wire as they are
 * (codec/snapshot_codec.h).
 */
#ifndef AGENT_CENSUS_CENSUS_H
#define AGENT_CENSUS_CENSUS_H

#include <stdint.h>

#include "python_process.h"
#include "remote.h"
#include "snapshot_codec.h"
#include "status.h"
#include "why.h"

enum { CENSUS_SAMPLE_BYTES_MIN = 16 << 20 };

struct census;

struct census_result {
    int64_t time_ms;  /* wall clock at its start */
    uint64_t objects; /* sums of `values` */
    uint64_t bytes;
    struct heap_values values; /* values.types == number of names known */
    int64_t elapsed_ns;
    int64_t cpu_ns;
    uint64_t read_bytes;      /* of the target's memory */
    uint64_t rss_anon_bytes;  /* /proc/PID/status */
    uint64_t pool_bytes;      /* of CPython's own allocator that are present .. */
    uint64_t pool_free_bytes; /* .. and of these, in blocks that hold nothing */
    uint64_t
        malloc_free_bytes; /* present, in free blocks of the C library's malloc (malloc_walk.h) */
    uint32_t coverage;     /* share of the heap that was read, in 1/10000 */
    uint32_t types_folded; /* types beyond the table's bound, counted in "(other)" */

    /* Of a sample (sample.h): by how much an estimate may be wrong. Otherwise `errors` is empty. */
    int is_sample;
    struct heap_values errors; /* of each of `values` */
    struct type_value total_error;
};

/*
 * Ready to count `process` (copied). STATUS_UNSUPPORTED when its layout is not known for sure,
 * DENIED when its memory may not be read, GONE when it has ended; `why` says what to do.
 */
enum status census_new(const struct python_process *process, struct census **ret,
                       struct why *why) MUST_CHECK;

/* The same of memory that was opened otherwise, an image say; `remote` is the census's from now on,
 * also on failure. `process` must still say who lives at its pid. */
enum status census_new_over(struct remote *remote, const struct python_process *process,
                            struct census **ret, struct why *why) MUST_CHECK;
void census_free(struct census *census);

/* Heaps with more anonymous memory than this are sampled, so that about as much is read of them; 0,
 * as at the start: never. Takes effect with the next census. */
void census_sample_above(struct census *census, uint64_t bytes);

/*
 * Count for about `cpu_ns` of CPU time: begin, or go on with the census that is under way.
 * *ret_more is 1 while it is, and then nothing else of `ret` is filled. Slices of one census are
 * meant to follow each other within seconds; what the process does in between is seen in part.
 * Statuses are those of census_run; with any but OK no census is under way any more.
 */
enum status census_slice(struct census *census, int64_t cpu_ns, struct census_result *ret,
                         int *ret_more, struct why *why) MUST_CHECK;

/*
 * Count, all at once. `ret` is (re)filled; the caller has initialised it to zero once and ends it
 * with census_result_done. STATUS_GONE when the process ended or became another meanwhile;
 * UNAVAILABLE when all of its memory is swapped out; PARTIAL when some of it could not be read (the
 * result is filled, coverage says how much).
 */
enum status census_run(struct census *census, struct census_result *ret,
                       struct why *why) MUST_CHECK;
/* Of the anonymous memory, what is not Python objects: at least what is known to be free. (The
 * sizes of objects count memory that they own and never touched, too.) */
uint64_t census_not_objects_bytes(const struct census_result *result) MUST_CHECK;
void census_result_done(struct census_result *result);

/* Number of names, and the name of index i: as Python shows it ("str", "collections.OrderedDict",
 * "__main__.User"), valid UTF-8, at most SNAPSHOT_NAME_BYTES_MAX bytes. Valid until census_free. */
uint32_t census_type_count(const struct census *census);
const char *census_type_name(const struct census *census, uint32_t index);

#endif
