/*
 * The types of one process, as two peers number them.
 *
 * The database keeps one list for the life of the process, which only grows. An agent numbers the
 * types in the order in which it met them, and a restarted agent meets them in another order. So
 * each name that the agent defines is looked up in the stored list: usually it stands at the same
 * place, and snapshots can be stored as they came; else `places` tells where each of the agent's
 * types belongs, and bodies are written anew.
 *
 * Names are remembered as 64-bit hashes: a process may have thousands, and there are thousands of
 * processes.
 */
#ifndef COLLECTOR_INGEST_TYPE_NUMBERING_H
#define COLLECTOR_INGEST_TYPE_NUMBERING_H

#include <stdint.h>

#include "snapshot_codec.h"
#include "status.h"
#include "why.h"

struct type_slot {
    uint64_t hash;
    uint32_t index; /* in the stored list */
};

struct type_numbering {
    struct type_slot *slots; /* ascending by hash */
    uint32_t slot_count;
    uint32_t stored;  /* length of the stored list, as far as known */
    uint32_t defined; /* types that the agent has defined */
    uint32_t *places; /* [defined] -> stored index; NULL: the same */
    uint8_t *taken;   /* [stored], with `places`: some agent's type has this place */
};

#define TYPE_NUMBERING_INIT ((struct type_numbering){.slots = NULL})

void type_numbering_done(struct type_numbering *table);

/* The stored list as it is in the database. Once, into an empty table. */
void type_numbering_load(struct type_numbering *table, const char *const *names, uint32_t count);

/*
 * Those of `names` that the stored list lacks, as far as known here, into `ret` (room for `count`):
 * the database must be asked to add them. INVALID: a new name twice.
 */
enum status type_numbering_unknown(const struct type_numbering *numbering, const char *const *names,
                                   uint32_t count, const char **ret, uint32_t *ret_count,
                                   struct why *why) MUST_CHECK;

/* The database's answer: names[i] stands at places[i]. */
void type_numbering_learn(struct type_numbering *numbering, const char *const *names,
                          const uint32_t *places, uint32_t count);

/*
 * The agent's types first_index, first_index + 1, ... are called `names`, of which none is unknown.
 *
 * INVALID: a hole, a name that disagrees with an earlier definition, a name twice. LIMIT: too many
 * types. After a failure the numbering is of no more use.
 */
enum status type_numbering_define(struct type_numbering *numbering, uint32_t first_index,
                                  const char *const *names, uint32_t count,
                                  struct why *why) MUST_CHECK;

/* From the agent's numbering to the stored one, and back; `from` and `ret` differ. */
void type_numbering_to_stored(const struct type_numbering *table, const struct heap_values *from,
                              struct heap_values *ret);
/* Trailing zeros are left out, since the agent may not have known these types yet. */
void type_numbering_to_agent(const struct type_numbering *table, const struct heap_values *from,
                             struct heap_values *ret);

#endif
