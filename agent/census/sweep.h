/*
 * The census itself: one linear pass over what is present of a process's private memory.
 *
 * Every live CPython object begins with a positive count of references and a pointer to its type,
 * so an address is taken for an object when the first word is such a count and the second the
 * address of a known type. Where a pool of CPython's allocator is recognised, only the begins of
 * its blocks are looked at. Elsewhere the pass jumps behind each object, so that what lies inside
 * it (the items of a tuple of classes, say) is not taken for objects.
 */
#ifndef AGENT_CENSUS_SWEEP_H
#define AGENT_CENSUS_SWEEP_H

#include "far_read.h"
#include "late_size.h"
#include "malloc_walk.h"
#include "present_map.h"
#include "type_table.h"

#define COUNT_MAX UINT32_MAX /* of references: more is a pointer, or flags */

enum {
    SWEEP_CHUNK_BYTES = 1 << 20, /* read at once: a pymalloc arena, and it stays in the L2 cache */
    SWEEP_LEAD_BYTES = 64,       /* in front of the chunk: GC heads and pre-headers */
    SWEEP_POOLS = 16384,         /* places of a pool's size that are known at once */
    SWEEP_LOW_RANGES = 8,
    SWEEP_MAPS_ASKS = 4,     /* in one census */
    SWEEP_AHEAD_BYTES = 320, /* behind a header, that measuring an object may look at */
};

/* A region that was begun with below where it began. */
struct sweep_lower {
    uint32_t region;
    addr_t begin;
};

struct sweep {
    struct type_table *types;          /* the caller's */
    const struct present_map *present; /* the caller's */
    struct late_sizes *late;           /* the caller's */
    const struct cpython_layout *layout;
    struct remote_range low[SWEEP_LOW_RANGES]; /* mappings whose addresses look like counts */
    size_t low_count;
    uint64_t limit_bytes; /* no object is larger than all of the process's memory */

    size_t range;   /* of the present map, that the next chunk is of .. */
    addr_t at;      /* .. where it begins; 0: with the range .. */
    size_t kept;    /* .. and how many bytes of it are known already */
    int is_map_old; /* pages may have gone since the present map was made: look before reading */

    int is_static, is_file, is_stack;     /* the range at hand is a module's data or .bss; data */
    int without_pools;                    /* blocks do not begin with objects */
    int has_odd_counts;                   /* counts are looked at twice here .. */
    uint64_t quick_below;                 /* .. but for those below this */
    addr_t behind;                        /* nothing below is looked at any more */
    uint64_t read_bytes, lost_bytes;      /* of the plan: lost could not be read */
    uint64_t gone_bytes;                  /* of the plan: vanished before they were read */
    uint64_t values_bytes;                /* of attribute values outside dicts */
    uint64_t pool_bytes, pool_free_bytes; /* of CPython's own allocator */
    struct malloc_walk malloc;            /* and of malloc */
    uint32_t region;                      /* that was entered last */
    uint32_t maps_asks, lower_count;      /* since its begin */
    struct sweep_lower lower[SWEEP_MAPS_ASKS];
    addr_t chunk_at;           /* address of `chunk[0]` */
    size_t chunk_size;         /* bytes of it that are valid */
    unsigned pool_shift;       /* log2 of the bytes of a pool */
    size_t asked_to;           /* types of candidates below were asked about */
    struct far_reader *asked;  /* for types that are not known yet */
    addr_t pools[SWEEP_POOLS]; /* by address, + 1 where a pool is and so no type can be */
    uint8_t *lead;             /* SWEEP_LEAD_BYTES, followed by the chunk */
    uint8_t *chunk;
};

void sweep_init(struct sweep *sweep, struct type_table *types, const struct present_map *present,
                struct late_sizes *late);
void sweep_done(struct sweep *sweep);

/* One chunk, from where the step before ended. 0: all of the present window is done. Sizes that lie
 * elsewhere may still wait in `late`. */
int sweep_step(struct sweep *sweep) MUST_CHECK;

/* A new window of the present map. */
void sweep_restart(struct sweep *sweep);

/* Let the regions reach down to where they were begun with, so that nobody looks there again. */
void sweep_extend_regions(const struct sweep *sweep, struct remote_regions *regions);

/* The regions and the present map are others now, and nothing in them was looked at yet. */
void sweep_restart_elsewhere(struct sweep *sweep);

/* What begins in from..to, at most SWEEP_CHUNK_BYTES of one range of the present map, by itself. */
void sweep_piece(struct sweep *sweep, size_t range_index, addr_t from, addr_t to);

#endif
