/*
 * Which parts of a process's private memory are present, as ascending ranges: what a census reads,
 * and the only places where it follows a pointer, so that it never makes a page present.
 *
 * Bounded: a process with more fragments than fit is taken in windows, one after the other; outside
 * the window present_map_has asks the kernel.
 */
#ifndef AGENT_REMOTE_PRESENT_MAP_H
#define AGENT_REMOTE_PRESENT_MAP_H

#include "remote.h"

enum { PRESENT_RANGES_MAX = 32768 };

struct present_range {
    addr_t start, end; /* end is exclusive */
    uint32_t region;   /* index into the regions */
};

struct present_map {
    struct remote *remote;                /* the caller's */
    const struct remote_regions *regions; /* the caller's */
    struct present_range *ranges;
    size_t count, capacity;
    addr_t from, to; /* the window: all that is present in from..to is in `ranges` */
};

/* An empty map; present_map_done frees. */
void present_map_init(struct present_map *map, struct remote *remote,
                      const struct remote_regions *regions);
void present_map_done(struct present_map *map);

/* The window that starts at `from` (0: the first). 0 when nothing is left there. */
int present_map_fill(struct present_map *map, addr_t from) MUST_CHECK;

/* A map of these parts of the regions alone, as one window; of all that is elsewhere the kernel is
 * asked. 0 when nothing is present there. */
int present_map_fill_parts(struct present_map *map, const struct remote_regions *parts) MUST_CHECK;

/* 1 if all of at..at+size is present. */
int present_map_has(const struct present_map *map, addr_t at, size_t size) MUST_CHECK;

/* The same, faster where many are asked for near each other: *hint is the caller's between the
 * calls, 0 at first. */
int present_map_has_near(const struct present_map *map, addr_t at, size_t size,
                         size_t *hint) MUST_CHECK;

/* How many bytes of start..end are present, in this window. */
uint64_t present_map_bytes(const struct present_map *map, addr_t start, addr_t end) MUST_CHECK;

/* The first stretch of start..end, in this region, that is present now, whatever the map says; 0:
 * nothing is. */
int present_map_now(const struct present_map *map, uint32_t region, addr_t start, addr_t end,
                    struct remote_range *ret) MUST_CHECK;

/* 1 if all of at..at+size is present, in private memory or, in one range, elsewhere: constant data
 * of programs is not in the map. */
int present_map_may_read(const struct present_map *map, addr_t at, size_t size) MUST_CHECK;

/* All of it, if it is present, or constant data that can be read from its file. */
int present_map_read(const struct present_map *map, addr_t at, void *to, size_t size) MUST_CHECK;

#endif
