/* From ids of types, as the database has them, to numbers of the detector's; in the caller's
 * memory. */
#ifndef COLLECTOR_DETECT_SWEEP_TYPE_ENTRY_MAP_H
#define COLLECTOR_DETECT_SWEEP_TYPE_ENTRY_MAP_H

#include <stdint.h>

/* All zero: empty. */
struct type_entry_map {
    int32_t *ids; /* 0: free */
    int *types;
    uint32_t count, capacity; /* a power of two */
};

void type_entry_map_done(struct type_entry_map *map);
void type_entry_map_put(struct type_entry_map *map, int32_t id, int type); /* `id` is not 0 */
int type_entry_map_has(const struct type_entry_map *map, int32_t id);
int type_entry_map_get(const struct type_entry_map *map, int32_t id); /* of one that it has */

#endif
