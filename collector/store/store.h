/*
 * The database as the rest of the collector sees it: blocking calls on a connection that belongs to
 * one thread at a time. Only this module includes libpq.
 *
 * Failures: UNAVAILABLE means the server cannot be reached or cut us off; nothing is known to be
 * stored, the connection is re-opened by the next call, and the same call may be repeated. FAILED
 * means that it will not work without a person (rights, a hand-edited schema).
 */
#ifndef COLLECTOR_STORE_STORE_H
#define COLLECTOR_STORE_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "snapshot_codec.h"
#include "status.h"
#include "why.h"

struct db;

/* Remembers `dsn` (libpq connection string or URI; "" takes PG* variables) and connects. */
enum status db_open(const char *dsn, struct db **ret, struct why *why) MUST_CHECK;
void db_close(struct db *db);
enum status db_ping(struct db *db, struct why *why) MUST_CHECK;
/* Does the server take writes? A standby does not. */
enum status db_takes_writes(struct db *db, int *ret, struct why *why) MUST_CHECK;

/*
 * While asking ahead is on, functions that read fail as UNAVAILABLE, and what they would have asked
 * first is on its way: called again, they need not wait for it. So a question that knows what it
 * will read waits once. What was not read in the end is forgotten then.
 */
void db_ask_ahead(struct db *db, int is_on);
void db_forget_ahead(struct db *db);
/* So that what was asked last can be worked on while the database looks for what is asked next. */
void db_flush_ahead(struct db *db);

/* Milliseconds since 1970, by the database's clock: the one that all collectors share. */
enum status db_clock(struct db *db, int64_t *ret_ms, struct why *why) MUST_CHECK;

/* Which schema there is, and which one this program works on. */
struct schema_state {
    int found; /* 0: none */
    int known;
};

/* FAILED when the database is newer than this program. */
enum status schema_look(struct db *db, struct schema_state *ret, struct why *why) MUST_CHECK;
/* Apply the migrations that are missing, under an advisory lock: whoever comes second waits. FAILED
 * when the database is newer than this program. */
enum status migrate_up(struct db *db, struct why *why) MUST_CHECK;

enum { ID_BYTES = 16 };

/* ---- writing -------------------------------------------------------------------------------- */

/* Who a process is; texts are UTF-8, never NULL, "" when unknown. */
struct process_identity {
    uint8_t instance_uuid[ID_BYTES];
    uint8_t agent_id[ID_BYTES]; /* the run of the agent that announces it */
    const char *service, *service_namespace, *environment, *version;
    const char *host, *pod, *container_id, *image, *runtime, *runtime_version;
    uint32_t pid;
    int64_t started_ms;
    int64_t clock_behind_ms;     /* the clock that its times come from, behind ours */
    const char *attributes_json; /* an object */
};

/* Where a process stands in the database. Owned by the caller, ended with instance_state_done. */
struct instance_state {
    int64_t service_id;
    int64_t instance_id;
    uint64_t last_sequence; /* of its newest snapshot; 0: none */
    uint64_t agent_from;    /* what is above, up to last_sequence, came from the same agent run */
    struct heap_values values; /* decoded at last_sequence; undefined if the chain is broken */
    int chain_broken;          /* 1: `values` cannot be had, a keyframe is needed */
    uint32_t chain_length;     /* snapshots since the keyframe that the chain begins with */
    uint32_t type_count;       /* names known of it */
    char **type_names;         /* [type_count] */
};

/* Find or create the service, deployment and instance, and load its chain's end. Repeatable. */
enum status instance_open(struct db *db, const struct process_identity *identity,
                          struct instance_state *ret, struct why *why) MUST_CHECK;
void instance_state_done(struct instance_state *state);

/* The same for many, those that begin in a few statements; a process may be there twice. Each has
 * an outcome of its own, and is no worse off than alone. */
struct instance_opening {
    const struct process_identity *identity;
    struct instance_state state; /* the caller's when status is OK */
    enum status status;
    struct why why;
};
void instance_open_all(struct db *db, struct instance_opening *openings, size_t count);

/*
 * Append to the process's type table those of the `names` (no two the same) that it lacks, and tell
 * where each of them stands in it. Durable when it returns; repeatable; any number of collectors
 * may do it at once for one process. LIMIT: the table would exceed SNAPSHOT_TYPES_MAX.
 */
enum status instance_types_add(struct db *db, int64_t service_id, int64_t instance_id,
                               const char *const *names, uint32_t count, uint32_t *ret_places,
                               struct why *why) MUST_CHECK;

/* The same for many processes in a few statements; a process may be there twice. Each has an
 * outcome of its own, and is no worse off than alone. */
struct types_addition {
    int64_t service_id, instance_id;
    const char *const *names;
    uint32_t count;
    uint32_t *places; /* [count] */
    enum status status;
    struct why why;
};
void instance_types_add_all(struct db *db, struct types_addition *additions, size_t count);

/* A sequence number up to which all of an agent run is committed, maybe not the highest; 0: none is
 * known. */
enum status agent_high_water(struct db *db, const uint8_t agent_id[ID_BYTES], uint64_t *ret,
                             struct why *why) MUST_CHECK;
/* Of `count` agent runs, which may be there twice. */
enum status agent_high_waters(struct db *db, const uint8_t (*agent_ids)[ID_BYTES], size_t count,
                              uint64_t *ret, struct why *why) MUST_CHECK;

struct snapshot_row {
    int64_t service_id, instance_id;
    uint64_t sequence, base_sequence; /* base 0: keyframe */
    int64_t time_ms;
    uint32_t types;
    uint64_t objects, bytes; /* totals, decoded */
    uint64_t rss_anon_bytes, swap_bytes, container_usage_bytes, container_limit_bytes;
    uint64_t cpu_ms, not_objects_bytes;
    uint64_t pool_bytes, pool_free_bytes, malloc_free_bytes, pss_bytes;
    uint32_t coverage, dropped;
    const uint8_t *body; /* copied */
    size_t body_size;
};

/* What will be committed together. Filled by one thread, then handed to the writer's. */
struct write_batch;

struct write_batch *write_batch_new(void);
void write_batch_free(struct write_batch *batch);
size_t write_batch_bytes(const struct write_batch *batch); /* memory held */
size_t write_batch_snapshots(const struct write_batch *batch);
int write_batch_is_empty(const struct write_batch *batch); /* high waters aside */
void write_batch_snapshot(struct write_batch *batch, const struct snapshot_row *row);
void write_batch_end(struct write_batch *batch, int64_t service_id, int64_t instance_id,
                     int64_t time_ms, const char *reason);
/* Everything of this agent run up to `sequence` is in this batch or an earlier one. */
void write_batch_high_water(struct write_batch *batch, const uint8_t agent_id[ID_BYTES],
                            uint64_t sequence);

/*
 * One transaction. OK: all of it is durable, and a row that was there before is there once; but for
 * rows whose values PostgreSQL does not take, and changes that build on them: these are refused,
 * and the others went in by parts. On UNAVAILABLE the same batch may be tried again, also when the
 * outcome of the COMMIT is unknown.
 */
enum status write_batch_commit(struct db *db, struct write_batch *batch,
                               struct why *why) MUST_CHECK;

struct refused_row {
    int64_t instance_id;
    uint64_t sequence;
    struct why why;
};

/* After a commit that was OK: services that somebody had forgotten by then. What the batch holds of
 * them belongs to nobody: it must not be acknowledged, but announced and sent again. */
size_t write_batch_forgotten(const struct write_batch *batch);
int64_t write_batch_forgotten_service(const struct write_batch *batch, size_t i);

/* After a commit that was OK. */
size_t write_batch_refused(const struct write_batch *batch);
struct refused_row write_batch_refused_row(const struct write_batch *batch, size_t i);
/* The batch may hold changes of a row that was refused with an earlier one: refuse them too. */
void write_batch_break(struct write_batch *batch, int64_t instance_id);

/* ---- reading -------------------------------------------------------------------------------- */

struct service_row {
    int64_t id;
    const char *name, *service_namespace, *environment;
};
struct deployment_row {
    int64_t id;
    const char *version;
    int64_t first_seen_ms; /* 0: no process, or not asked for */
};
struct instance_row {
    int64_t id, deployment_id;
    uint8_t uuid[ID_BYTES];
    int64_t started_ms, ended_ms; /* 0: not ended */
    int oom_killed;
    int64_t last_seen_ms;    /* newest snapshot, by its agent's clock; 0: none */
    int64_t clock_behind_ms; /* that clock, behind ours */
    int64_t interval_ms;     /* between its two newest snapshots; 0: unknown */
    uint64_t objects, bytes; /* of the newest snapshot */
    uint32_t type_count;
    const int32_t *type_ids; /* [type_count], index -> global type id */
    uint32_t type_index;     /* of the type that was asked for; UINT32_MAX: it has none of it */
};

/* From its start to its newest snapshot. */
static inline int64_t instance_uptime_ms(const struct instance_row *instance)
{
    return instance->last_seen_ms - instance->started_ms;
}

/* Lists live in the caller's arena. Services by name; deployments oldest first; instances by start.
 */
enum status service_list(struct db *db, struct arena *arena, struct service_row **ret,
                         size_t *ret_count, struct why *why) MUST_CHECK;
enum status deployment_versions(struct db *db, int64_t service_id, struct arena *arena,
                                struct deployment_row **ret, size_t *ret_count,
                                struct why *why) MUST_CHECK;
/* Ids and versions alone: of any number of processes none is looked at. */
enum status deployment_names(struct db *db, int64_t service_id, struct arena *arena,
                             struct deployment_row **ret, size_t *ret_count,
                             struct why *why) MUST_CHECK;
/* Of one service; `from_ms` leaves out those that ended or were last seen before it (0: all). */
enum status instance_list(struct db *db, int64_t service_id, int64_t from_ms, struct arena *arena,
                          struct instance_row **ret, size_t *ret_count, struct why *why) MUST_CHECK;

/* Which processes of a service; all zero: all. */
struct instance_filter {
    int64_t seen_from_ms;          /* 0: or those whose newest snapshot is not older */
    const int64_t *deployment_ids; /* of these deployments */
    size_t deployment_count;       /* 0: of all */
    int32_t of_type; /* not 0: only type_index of this type is read of their types, or nothing */
    int64_t
        of_type_from_ms; /* not 0: and of those that were seen since; the others have none of it */
};

enum { INSTANCE_NO_TYPES = -1 }; /* as of_type */

enum status instance_list_some(struct db *db, int64_t service_id,
                               const struct instance_filter *filter, struct arena *arena,
                               struct instance_row **ret, size_t *ret_count,
                               struct why *why) MUST_CHECK;

/* Which processes of a service a sweep looks at. */
struct judged_filter {
    int64_t from_ms;         /* as instance_list's */
    int64_t living_from_ms;  /* one that has not ended lives if it was seen since */
    const int64_t *kept_ids; /* they come before any other */
    size_t kept_count;
    uint32_t max; /* how many are listed */
};

/*
 * Those to judge, by start, without type ids, however many there ever were: those that are kept,
 * then those that live, oldest first, then the others, seen last first; of each version as many as
 * of any other. They are looked for among what is hot, what is kept, and the 16,384 newest.
 */
enum status instance_list_judged(struct db *db, int64_t service_id,
                                 const struct judged_filter *filter, struct arena *arena,
                                 struct instance_row **ret, size_t *ret_count,
                                 struct why *why) MUST_CHECK;

/* Fill in the type ids of some processes of a list. */
enum status instance_list_types(struct db *db, int64_t service_id, struct instance_row *const *rows,
                                size_t count, struct arena *arena, struct why *why) MUST_CHECK;

/* Global type ids. `type_id_find`: NOT_FOUND if no process ever had that name. */
enum status type_id_find(struct db *db, const char *name, int32_t *ret, struct why *why) MUST_CHECK;
/* The names of `count` ids, in the arena, same order; "?" for an unknown id. */
enum status type_names(struct db *db, const int32_t *ids, size_t count, struct arena *arena,
                       const char ***ret, struct why *why) MUST_CHECK;

struct history_snapshot {
    uint64_t sequence;
    int64_t time_ms;
    const struct heap_values *values; /* valid during the visit */
    uint64_t objects, bytes, rss_anon_bytes, container_usage_bytes, container_limit_bytes, cpu_ms;
    uint64_t swap_bytes, not_objects_bytes;
    uint64_t pool_bytes, pool_free_bytes, malloc_free_bytes, pss_bytes; /* 0 in rows of before */
    uint32_t coverage, dropped;
};

/* Anything but OK ends the walk and is returned. */
typedef enum status history_visit_fn(void *user, const struct history_snapshot *snapshot);

/*
 * Every snapshot of one instance with from_ms <= time <= to_ms, decoded, ascending by sequence.
 * A stretch whose keyframe is missing is skipped.
 */
enum status history_walk(struct db *db, int64_t service_id, int64_t instance_id, int64_t from_ms,
                         int64_t to_ms, history_visit_fn *visit, void *user,
                         struct why *why) MUST_CHECK;

#endif
