/*
 * By the key of hot rows, from each process that has not ended to whoever has rows next below it,
 * and from the end of the key:
 *
 *      b   c       f   g     (end)        b, f, g have not ended; c, g, h have rows
 *      -   c  <-- f    .        h         from f to c, from the end to h
 *          c           g <----- h         h ended: from there on, as far as f
 *      -   <-- c                          c ended: as far as b
 *
 * So who ended and has rows, which few do, is found as well, and nobody is missed. Partitions of
 * times to come are nearly always empty, and looked at once and not for each process.
 */
#include "glance_near.h"

#include <stdlib.h>

#include "partitions.h"

enum { ROWS_OPEN, ROWS_AHEAD, ROWS_OTHERS };

static const char open_sql[] =
    "SELECT o.service_id, o.id, o.deployment_id, o.started_ms, o.clock_behind_ms, s.service_id, "
    "    s.instance_id, s.sequence, s.time_ms, s.process "
    "FROM (SELECT service_id, id, deployment_id, started_ms, clock_behind_ms "
    "    FROM heapfleet.instance WHERE ended_ms IS NULL UNION ALL SELECT 9223372036854775807, "
    "    9223372036854775807, NULL, NULL, NULL) o "
    "LEFT JOIN LATERAL (SELECT d.service_id, d.instance_id, d.sequence, d.time_ms, d.process "
    "    FROM heapfleet.snap_delta d WHERE d.time_ms >= $1 AND d.time_ms < $2 "
    "    AND (d.service_id, d.instance_id) < (o.service_id, o.id) "
    "    ORDER BY d.service_id DESC, d.instance_id DESC, d.sequence DESC LIMIT 2) s ON true";

/* From each of ($1, $2) down to ($3, $4), which belongs to it: of each process that has rows its
 * newest one, and that before it. */
static const char walk_sql[] =
    "WITH RECURSIVE walk AS (SELECT u.service_id, u.id, u.low_service_id, u.low_id, "
    "        NULL::bigint AS sequence, NULL::bigint AS time_ms, NULL::bytea AS process, "
    "        NULL::bigint AS before, NULL::bigint AS before_ms "
    "    FROM unnest($1, $2, $3, $4) u(service_id, id, low_service_id, low_id) UNION ALL "
    "    SELECT s.service_id, s.instance_id, a.low_service_id, a.low_id, s.sequence, s.time_ms, "
    "        s.process, s.before, s.before_ms FROM walk a CROSS JOIN LATERAL ("
    "        SELECT n.*, CASE WHEN lead(n.service_id) OVER w = n.service_id "
    "                AND lead(n.instance_id) OVER w = n.instance_id "
    "                THEN lead(n.sequence) OVER w END AS before, "
    "            CASE WHEN lead(n.service_id) OVER w = n.service_id "
    "                AND lead(n.instance_id) OVER w = n.instance_id "
    "                THEN lead(n.time_ms) OVER w END AS before_ms "
    "        FROM (SELECT d.service_id, d.instance_id, d.sequence, d.time_ms, d.process "
    "            FROM heapfleet.snap_delta d WHERE d.time_ms >= $5 AND d.time_ms < $6 "
    "            AND (d.service_id, d.instance_id) < (a.service_id, a.id) "
    "            AND (d.service_id, d.instance_id) >= (a.low_service_id, a.low_id) "
    "            ORDER BY d.service_id DESC, d.instance_id DESC, d.sequence DESC LIMIT 2) n "
    "        WINDOW w AS (ORDER BY n.service_id DESC, n.instance_id DESC, n.sequence DESC) "
    "        LIMIT 1) s WHERE (a.service_id, a.id) > (a.low_service_id, a.low_id)) "
    "SELECT service_id, id, sequence, time_ms, process, before, before_ms FROM walk "
    "WHERE sequence IS NOT NULL";

/* ---- what is read --------------------------------------------------------------------------- */

struct key {
    int64_t service_id, instance_id;
};

/* A hot row. */
struct sight {
    struct key key;
    int64_t sequence, time_ms;
    const uint8_t *process; /* NULL: it is the one before a newest */
    size_t process_size;
};

struct sights {
    struct sight *list;
    size_t count;
};

int glance_compare(int64_t service_id, int64_t instance_id, int64_t other_service_id,
                   int64_t other_instance_id)
{
    if (service_id != other_service_id)
        return service_id < other_service_id ? -1 : 1;
    return (instance_id > other_instance_id) - (instance_id < other_instance_id);
}

static int compare_keys(const void *left, const void *right)
{
    const struct key *a = left, *b = right;
    return glance_compare(a->service_id, a->instance_id, b->service_id, b->instance_id);
}

/* The newest of a process first, by sequence, since a clock may be set back. */
static int compare_sights(const void *left, const void *right)
{
    const struct sight *a = left, *b = right;
    int keys = compare_keys(&a->key, &b->key);
    if (keys != 0 || a->sequence != b->sequence)
        return keys != 0 ? keys : (a->sequence < b->sequence ? 1 : -1);
    return (a->time_ms < b->time_ms) - (a->time_ms > b->time_ms);
}

static int compare_open(const void *left, const void *right)
{
    const struct process_glance *a = left, *b = right;
    return glance_compare(a->service_id, a->instance.id, b->service_id, b->instance.id);
}

/* A row from whose column `first` on a hot row stands: service, process, sequence, time, numbers.
 */
static void add_sight(struct sights *sights, const struct pg_rows *rows, int row, int first)
{
    struct sight sight = {.key = {pg_i64(rows, row, first), pg_i64(rows, row, first + 1)},
                          .sequence = pg_i64(rows, row, first + 2),
                          .time_ms = pg_i64(rows, row, first + 3)};
    sight.process = pg_bytes(rows, row, first + 4, &sight.process_size);
    sights->list[sights->count++] = sight;
}

/* Who has not ended, and the rows next below each, of which there may be two. */
static void take_open(struct glance_near *near, struct sights *sights)
{
    const struct pg_rows *rows = &near->rows[ROWS_OPEN];
    size_t count = 0;
    for (int row = 0; row < rows->count; row++) {
        if (!pg_is_null(rows, row, 5))
            add_sight(sights, rows, row, 5);
        if (pg_is_null(rows, row, 2)) /* the end of the key */
            continue;
        near->open[count++] = (struct process_glance){
            .service_id = pg_i64(rows, row, 0),
            .instance = {.id = pg_i64(rows, row, 1),
                         .deployment_id = pg_i64(rows, row, 2),
                         .started_ms = pg_i64(rows, row, 3),
                         .clock_behind_ms = pg_i64(rows, row, 4)},
        };
    }
    if (count > 0)
        qsort(near->open, count, sizeof(*near->open), compare_open);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || compare_open(&near->open[i - 1], &near->open[i]) != 0)
            near->open[near->open_count++] = near->open[i];
    }
}

static void take_walk(const struct pg_rows *rows, struct sights *sights)
{
    for (int row = 0; row < rows->count; row++) {
        add_sight(sights, rows, row, 0);
        if (pg_is_null(rows, row, 5))
            continue;
        struct sight before = {.key = sights->list[sights->count - 1].key,
                               .sequence = pg_i64(rows, row, 5),
                               .time_ms = pg_i64(rows, row, 6)};
        sights->list[sights->count++] = before;
    }
}

/* ---- who else ------------------------------------------------------------------------------- */

/* Stretches of the key, each from a process, which is not in it, down to one that is. */
struct stretches {
    struct buf from_services, from_ids, low_services, low_ids;
};

static struct stretches stretches_begin(size_t count)
{
    struct stretches ret = {BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT};
    pg_array_begin(&ret.from_services, PG_I64, count);
    pg_array_begin(&ret.from_ids, PG_I64, count);
    pg_array_begin(&ret.low_services, PG_I64, count);
    pg_array_begin(&ret.low_ids, PG_I64, count);
    return ret;
}

static void stretches_add(struct stretches *stretches, struct key from, struct key low)
{
    pg_array_i64(&stretches->from_services, from.service_id);
    pg_array_i64(&stretches->from_ids, from.instance_id);
    pg_array_i64(&stretches->low_services, low.service_id);
    pg_array_i64(&stretches->low_ids, low.instance_id);
}

static void stretches_done(struct stretches *stretches)
{
    buf_done(&stretches->from_services);
    buf_done(&stretches->from_ids);
    buf_done(&stretches->low_services);
    buf_done(&stretches->low_ids);
}

/* Consumes the stretches. */
static enum status walk(struct db *db, struct stretches *stretches, int64_t from_ms, int64_t to_ms,
                        struct pg_rows *ret, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_array(&params, PG_I64, &stretches->from_services);
    pg_param_array(&params, PG_I64, &stretches->from_ids);
    pg_param_array(&params, PG_I64, &stretches->low_services);
    pg_param_array(&params, PG_I64, &stretches->low_ids);
    pg_param_i64(&params, from_ms);
    pg_param_i64(&params, to_ms);
    enum status status = pg_run(db->pg, walk_sql, &params, ret, why);
    stretches_done(stretches);
    return status;
}

static const struct key key_begin = {INT64_MIN, INT64_MIN}, key_end = {INT64_MAX, INT64_MAX};

static enum status walk_ahead(struct db *db, int64_t from_ms, struct pg_rows *ret, struct why *why)
{
    struct stretches all = stretches_begin(1);
    stretches_add(&all, key_end, key_begin);
    return walk(db, &all, from_ms, INT64_MAX, ret, why);
}

static int is_open(const struct glance_near *near, struct key key)
{
    const struct process_glance wanted = {key.service_id, {.id = key.instance_id}};
    return near->open_count > 0 && bsearch(&wanted, near->open, near->open_count,
                                           sizeof(*near->open), compare_open) != NULL;
}

/* Of those that are known, by key: from each that ended down to the one before it. */
static size_t find_ended(const struct glance_near *near, const struct key *known, size_t count,
                         struct key *ret_from, struct key *ret_low)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        if ((i > 0 && compare_keys(&known[i - 1], &known[i]) == 0) || is_open(near, known[i]))
            continue;
        ret_from[found] = known[i];
        ret_low[found++] = i > 0 ? known[i - 1] : key_begin;
    }
    return found;
}

static enum status walk_from_ended(struct db *db, struct glance_near *near,
                                   const struct sights *sights, int64_t from_ms, int64_t to_ms,
                                   struct why *why)
{
    size_t count = near->open_count + sights->count, found = 0;
    struct key *known = malloc((3 * count + 1) * sizeof(*known));
    ASSERT(known != NULL);
    struct key *from = known + count, *low = from + count;
    for (size_t i = 0; i < near->open_count; i++)
        known[i] = (struct key){near->open[i].service_id, near->open[i].instance.id};
    for (size_t i = 0; i < sights->count; i++)
        known[near->open_count + i] = sights->list[i].key;
    if (count > 0) {
        qsort(known, count, sizeof(*known), compare_keys);
        found = find_ended(near, known, count, from, low);
    }
    struct stretches stretches = stretches_begin(found);
    for (size_t i = 0; i < found; i++)
        stretches_add(&stretches, from[i], low[i]);
    free(known);
    if (found == 0) {
        stretches_done(&stretches);
        return STATUS_OK;
    }
    return walk(db, &stretches, from_ms, to_ms, &near->rows[ROWS_OTHERS], why);
}

/* ---- all of it ------------------------------------------------------------------------------ */

/* One row of the list may be there twice. */
static size_t pass_same(const struct sights *sights, size_t at)
{
    size_t next = at + 1;
    while (next < sights->count && compare_sights(&sights->list[at], &sights->list[next]) == 0)
        next++;
    return next;
}

static void make_seen(struct glance_near *near, const struct sights *sights, int64_t from_ms)
{
    for (size_t i = 0, next; i < sights->count; i = next) {
        const struct sight *newest = &sights->list[i];
        size_t before = pass_same(sights, i);
        next = before;
        while (next < sights->count && compare_keys(&newest->key, &sights->list[next].key) == 0)
            next++;
        if (newest->time_ms < from_ms)
            continue;
        struct sighting *seen = &near->seen[near->seen_count++];
        *seen = (struct sighting){.service_id = newest->key.service_id,
                                  .instance_id = newest->key.instance_id,
                                  .time_ms = newest->time_ms,
                                  .process = newest->process,
                                  .process_size = newest->process_size};
        if (before < next && sights->list[before].time_ms >= from_ms)
            seen->before_ms = sights->list[before].time_ms;
    }
}

static enum status see_all(struct db *db, struct glance_near *near, struct sights *sights,
                           int64_t from_ms, int64_t slot_ms, int64_t ahead_ms, struct why *why)
{
    take_open(near, sights);
    enum status status = walk_from_ended(db, near, sights, slot_ms, ahead_ms, why);
    if (status != STATUS_OK)
        return status;
    size_t most = sights->count + 2 * (size_t)near->rows[ROWS_AHEAD].count +
                  2 * (size_t)near->rows[ROWS_OTHERS].count + 1;
    sights->list = realloc(sights->list, most * sizeof(*sights->list));
    near->seen = calloc(most, sizeof(*near->seen));
    ASSERT(sights->list != NULL && near->seen != NULL);
    take_walk(&near->rows[ROWS_AHEAD], sights);
    take_walk(&near->rows[ROWS_OTHERS], sights);
    if (sights->count > 0)
        qsort(sights->list, sights->count, sizeof(*sights->list), compare_sights);
    make_seen(near, sights, from_ms);
    return STATUS_OK;
}

static int64_t slot_of(int64_t time_ms)
{
    return time_ms - time_ms % MS_PER_SLOT;
}

static enum status read_open(struct db *db, int64_t slot_ms, int64_t ahead_ms, struct pg_rows *ret,
                             struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, slot_ms);
    pg_param_i64(&params, ahead_ms);
    return pg_run(db->pg, open_sql, &params, ret, why);
}

void glance_near_ask(struct db *db, int64_t from_ms, int64_t now_ms)
{
    struct pg_rows none;
    int64_t ahead_ms = slot_of(now_ms) + MS_PER_SLOT;
    enum status open = read_open(db, slot_of(from_ms), ahead_ms, &none, NULL);
    enum status ahead = walk_ahead(db, ahead_ms, &none, NULL);
    ASSERT(open != STATUS_OK && ahead != STATUS_OK);
}

enum status glance_near_read(struct db *db, int64_t from_ms, int64_t now_ms,
                             struct glance_near *ret, struct why *why)
{
    int64_t slot_ms = slot_of(from_ms), ahead_ms = slot_of(now_ms) + MS_PER_SLOT;
    *ret = (struct glance_near){0};
    enum status status = read_open(db, slot_ms, ahead_ms, &ret->rows[ROWS_OPEN], why);
    if (status == STATUS_OK)
        status = walk_ahead(db, ahead_ms, &ret->rows[ROWS_AHEAD], why);
    if (status != STATUS_OK)
        return status;
    size_t most = (size_t)ret->rows[ROWS_OPEN].count + 1;
    struct sights sights = {calloc(most, sizeof(*sights.list)), 0};
    ret->open = calloc(most, sizeof(*ret->open));
    ASSERT(sights.list != NULL && ret->open != NULL);
    status = see_all(db, ret, &sights, from_ms, slot_ms, ahead_ms, why);
    free(sights.list);
    return status;
}

void glance_near_done(struct glance_near *near)
{
    for (size_t i = 0; i < ARRAY_SIZE(near->rows); i++)
        pg_rows_done(&near->rows[i]);
    free(near->open);
    free(near->seen);
    *near = (struct glance_near){0};
}
