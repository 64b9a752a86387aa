/*
 * The live detector over a file: lines of CSV in, verdicts out, time as the lines have it.
 *
 *     time,service,version,instance,type,count,bytes
 *     1760000000,checkout,v12,pod-a/7,app.cart.Item,10423,833840
 *     1760000000,checkout,v12,pod-a/7,@cpu_ms,93000,0
 *     1760086400,checkout,v12,pod-a/7,@end,1,0
 *
 * One line a (snapshot, type), times ascending, in seconds (milliseconds if they have 12 digits or
 * more). The heading, a mark of UTF-8, blank lines, carriage returns and quotes (RFC 4180) are as
 * one likes. Lines of one snapshot should follow each other. What a type of ours means:
 *
 *     @cpu_ms     count: CPU milliseconds of the process since its start; falls: another process
 *     @end        the life ends; count 1: killed for memory
 *     @rss        count: resident bytes of the process; bytes: those that are not Python objects
 *     @container  count: memory of the container; bytes: its limit, 0 for none
 *     @free_pools count: bytes of those that are free within Python's own pools
 *     @free_malloc count: bytes of those in free blocks of malloc
 *
 * An eighth field, in any line of a snapshot, best in that of @container, names the container of
 * the process: who names the same one shares its limit. Without it each has a container of its own.
 *
 *     1760000000,checkout,v12,pod-a/7,@container,730000000,1073741824,pod-a
 *
 * Others that begin with @ are passed by. A line whose time lies before what its life has seen is
 * left out, as the live detector does with a clock that went back. Counts and bytes that are
 * negative or beyond 2^60 are damaged numbers and taken for missing. A type without a line in a
 * snapshot has not been seen in it. Anything else ends the replay, with the number of the line.
 *
 * Memory is bounded: REPLAY_SERVICES_MAX services, and the limits of detector.h for each.
 */
#ifndef COLLECTOR_DETECT_REPLAY_REPLAYER_H
#define COLLECTOR_DETECT_REPLAY_REPLAYER_H

#include <stddef.h>
#include <stdint.h>

#include "detector.h"

enum {
    REPLAY_SERVICES_MAX = 4096,
    REPLAY_LINE_MAX = 64 * 1024,
};

struct replay_config {
    struct detect_config detect;
    int every_tier; /* tell of what is not settled, too */
    void *user;
    /* A verdict that is new, in the order of detection; `verdict` is valid during the call. */
    void (*tell)(void *user, const char *service, const struct verdict *verdict);
};

struct replay;

struct replay *replay_new(const struct replay_config *config);
void replay_free(struct replay *replay);

/* More of the file, cut anywhere; `data` is changed. INVALID and LIMIT: "line N: reason". */
enum status replay_feed(struct replay *replay, char *data, size_t size, struct why *why) MUST_CHECK;

/* The file has ended, maybe without a last line feed. */
enum status replay_finish(struct replay *replay, struct why *why) MUST_CHECK;

uint64_t replay_lines(const struct replay *replay);

/* Lines of a time more than a bin (a 360th of the horizon) before that of a line of the same
 * service before them: the file is not sorted, and what is said of it is not true. */
uint64_t replay_lines_behind(const struct replay *replay);

#endif
