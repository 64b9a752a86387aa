/*
 * A process's type table in the database. The row's lock makes collectors take turns, and each sees
 * what the one before appended.
 *
 * As a rule nobody else writes the table, and none of the types is in it: then one statement
 * appends them all, to the tables of many processes, and their places follow from its length.
 * A process that it leaves out has a statement of its own, which appends what is missing and
 * returns the whole table. Citus does not take the statement for many, because their rows are on
 * several nodes: there, each process has one.
 */
#include <stdlib.h>

#include "db.h"

enum {
    GROUP_MAX = 512, /* processes of a statement */
    GROUP_NAMES_MAX = 32 * 1024,
};

/* Rows are locked in the order of their keys, so that collectors do not wait for each other. */
static const char append_sql[] =
    "WITH asked AS MATERIALIZED (SELECT i.service_id, i.id, u.place, $3[u.first:u.last] AS ids "
    "    FROM unnest($1, $2, $4, $5) WITH ORDINALITY AS u(service_id, id, first, last, place) "
    "    JOIN heapfleet.instance i ON i.service_id = u.service_id AND i.id = u.id "
    "    ORDER BY i.service_id, i.id FOR NO KEY UPDATE OF i) "
    "UPDATE heapfleet.instance i SET type_ids = i.type_ids || a.ids FROM asked a "
    "WHERE i.service_id = a.service_id AND i.id = a.id "
    "AND cardinality(i.type_ids) + cardinality(a.ids) <= $6 AND NOT i.type_ids && a.ids "
    "RETURNING a.place, cardinality(i.type_ids)";

/* The same for one, which is planned in half the time. */
static const char append_one_sql[] =
    "UPDATE heapfleet.instance SET type_ids = type_ids || $3 "
    "WHERE service_id = $1 AND id = $2 AND cardinality(type_ids) + cardinality($3) <= $4 "
    "AND NOT type_ids && $3 RETURNING 1::bigint, cardinality(type_ids)";

static const char add_sql[] =
    "UPDATE heapfleet.instance i SET type_ids = i.type_ids || ARRAY("
    "    SELECT u.id FROM unnest($3) WITH ORDINALITY u(id, place) "
    "    WHERE NOT EXISTS (SELECT FROM unnest(i.type_ids) AS t(id) WHERE t.id = u.id) "
    "    ORDER BY u.place) "
    "WHERE i.service_id = $1 AND i.id = $2 AND cardinality(i.type_ids) + cardinality($3) <= $4 "
    "RETURNING i.type_ids";

/* ---- places ---------------------------------------------------------------------------------- */

struct placed_id {
    int32_t id;
    uint32_t place;
};

static int compare_ids(const void *a, const void *b)
{
    const struct placed_id *left = a, *right = b;
    if (left->id != right->id)
        return left->id < right->id ? -1 : 1;
    return (left->place > right->place) - (left->place < right->place);
}

/* Where each of `ids` stands in `table`. */
static enum status find_places(const int32_t *table, size_t table_count, const int32_t *ids,
                               uint32_t count, uint32_t *ret_places, struct why *why)
{
    struct placed_id *sorted = malloc((table_count + 1) * sizeof(*sorted));
    ASSERT(sorted != NULL);
    for (size_t i = 0; i < table_count; i++)
        sorted[i] = (struct placed_id){table[i], (uint32_t)i};
    qsort(sorted, table_count, sizeof(*sorted), compare_ids);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        size_t low = 0, high = table_count;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (sorted[middle].id < ids[i])
                low = middle + 1;
            else
                high = middle;
        }
        if (low < table_count && sorted[low].id == ids[i])
            ret_places[i] = sorted[low].place;
        else
            status = why_fail(why, STATUS_FAILED, "the database did not keep a type");
    }
    free(sorted);
    return status;
}

static enum status take_answer(const struct pg_rows *rows, const int32_t *ids, uint32_t count,
                               uint32_t *ret_places, struct why *why)
{
    if (rows->count == 0)
        return why_fail(why, STATUS_LIMIT,
                        "the process has more than %d types, or was removed from the database",
                        SNAPSHOT_TYPES_MAX);
    struct arena arena;
    arena_init(&arena, SNAPSHOT_TYPES_MAX * sizeof(int32_t) + 64);
    int32_t *table = NULL;
    size_t table_count = 0;
    enum status status =
        pg_i32_array(rows, 0, 0, SNAPSHOT_TYPES_MAX, &arena, &table, &table_count, why);
    if (status == STATUS_OK)
        status = find_places(table, table_count, ids, count, ret_places, why);
    arena_done(&arena);
    return status;
}

/* ---- one process ---------------------------------------------------------------------------- */

/* One of the statements that are about one process. */
static enum status run_one(struct db *db, const char *sql, const struct types_addition *addition,
                           const int32_t *ids, struct pg_rows *ret, struct why *why)
{
    struct buf array = BUF_INIT;
    pg_array_begin(&array, PG_I32, addition->count);
    for (uint32_t i = 0; i < addition->count; i++)
        pg_array_i32(&array, ids[i]);
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, addition->service_id);
    pg_param_i64(&params, addition->instance_id);
    pg_param_array(&params, PG_I32, &array);
    pg_param_i32(&params, SNAPSHOT_TYPES_MAX);
    enum status status = pg_run(db->pg, sql, &params, ret, why);
    buf_done(&array);
    return status;
}

static enum status add_ids(struct db *db, const struct types_addition *addition, const int32_t *ids,
                           struct why *why)
{
    struct pg_rows rows;
    enum status status = run_one(db, add_sql, addition, ids, &rows, why);
    if (status != STATUS_OK)
        return status;
    status = take_answer(&rows, ids, addition->count, addition->places, why);
    pg_rows_done(&rows);
    return status;
}

/* ---- many ----------------------------------------------------------------------------------- */

/* Processes that are asked for together: one statement's. */
struct group {
    struct types_addition *additions;
    size_t count;
    const char **names; /* [name_count] of all of them, one behind the other */
    int32_t *ids;       /* [name_count] */
    size_t name_count;
};

/* As many of the additions as one statement takes, at least one. */
static struct group group_of(struct types_addition *additions, size_t count, size_t most)
{
    struct group group = {.additions = additions};
    while (
        group.count < count && group.count < most &&
        (group.count == 0 || group.name_count + additions[group.count].count <= GROUP_NAMES_MAX)) {
        ASSERT(additions[group.count].count <= SNAPSHOT_TYPES_MAX);
        group.name_count += additions[group.count++].count;
    }
    group.names = malloc((group.name_count + 1) * sizeof(*group.names));
    group.ids = malloc((group.name_count + 1) * sizeof(*group.ids));
    ASSERT(group.names != NULL && group.ids != NULL);
    size_t at = 0;
    for (size_t i = 0; i < group.count; i++) {
        for (uint32_t n = 0; n < additions[i].count; n++)
            group.names[at++] = additions[i].names[n];
    }
    return group;
}

static enum status run_append(struct db *db, const struct group *group, struct pg_rows *ret,
                              struct why *why)
{
    if (group->count == 1)
        return run_one(db, append_one_sql, group->additions, group->ids, ret, why);
    struct buf service = BUF_INIT, instance = BUF_INIT, ids = BUF_INIT;
    struct buf first = BUF_INIT, last = BUF_INIT;
    pg_array_begin(&service, PG_I64, group->count);
    pg_array_begin(&instance, PG_I64, group->count);
    pg_array_begin(&first, PG_I32, group->count);
    pg_array_begin(&last, PG_I32, group->count);
    int32_t end = 0;
    for (size_t i = 0; i < group->count; i++) {
        pg_array_i64(&service, group->additions[i].service_id);
        pg_array_i64(&instance, group->additions[i].instance_id);
        pg_array_i32(&first, end + 1);
        pg_array_i32(&last, end += (int32_t)group->additions[i].count);
    }
    pg_array_begin(&ids, PG_I32, group->name_count);
    for (size_t i = 0; i < group->name_count; i++)
        pg_array_i32(&ids, group->ids[i]);
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_array(&params, PG_I64, &service);
    pg_param_array(&params, PG_I64, &instance);
    pg_param_array(&params, PG_I32, &ids);
    pg_param_array(&params, PG_I32, &first);
    pg_param_array(&params, PG_I32, &last);
    pg_param_i32(&params, SNAPSHOT_TYPES_MAX);
    enum status status = pg_run(db->pg, append_sql, &params, ret, why);
    buf_done(&service);
    buf_done(&instance);
    buf_done(&ids);
    buf_done(&first);
    buf_done(&last);
    return status;
}

/* All of its types are behind what was there. */
static void take_length(struct types_addition *addition, int64_t length)
{
    if (length < addition->count || length > SNAPSHOT_TYPES_MAX)
        return;
    for (uint32_t i = 0; i < addition->count; i++)
        addition->places[i] = (uint32_t)(length - addition->count) + i;
    addition->status = STATUS_OK;
}

/* Those that are not answered keep NOT_FOUND. */
static enum status append(struct db *db, const struct group *group, struct why *why)
{
    for (size_t i = 0; i < group->count; i++)
        group->additions[i].status = STATUS_NOT_FOUND;
    enum status status = type_ids_ensure(db, group->names, group->name_count, group->ids, why);
    if (status != STATUS_OK)
        return status;
    struct pg_rows rows;
    status = run_append(db, group, &rows, why);
    if (status == STATUS_FAILED && group->count > 1)
        db->one_by_one = 1;
    if (status != STATUS_OK)
        return status;
    for (int i = 0; i < rows.count; i++) {
        int64_t place = pg_i64(&rows, i, 0);
        ASSERT(place >= 1 && (size_t)place <= group->count);
        take_length(&group->additions[place - 1], pg_i64(&rows, i, 1));
    }
    pg_rows_done(&rows);
    return STATUS_OK;
}

static void give_all(const struct group *group, enum status status, const struct why *why)
{
    for (size_t i = 0; i < group->count; i++) {
        group->additions[i].status = status;
        group->additions[i].why = *why;
    }
}

/* One name that is not taken, or one process that has to wait, must not be the others' fault. */
static void add_alone(struct db *db, struct types_addition *addition, struct why *why)
{
    struct group group = group_of(addition, 1, 1);
    addition->status = type_ids_ensure(db, group.names, group.name_count, group.ids, why);
    if (addition->status == STATUS_OK)
        addition->status = add_ids(db, addition, group.ids, why);
    if (addition->status == STATUS_CONFLICT)
        addition->status = STATUS_FAILED;
    addition->why = *why;
    free(group.names);
    free(group.ids);
}

/* UNAVAILABLE: no use to go on. */
static enum status add_group(struct db *db, const struct group *group, struct why *why)
{
    enum status status = append(db, group, why);
    if (status == STATUS_UNAVAILABLE)
        give_all(group, status, why);
    for (size_t i = 0; i < group->count && status != STATUS_UNAVAILABLE; i++) {
        struct types_addition *addition = &group->additions[i];
        if (addition->status == STATUS_OK)
            continue;
        add_alone(db, addition, why);
        status = addition->status == STATUS_UNAVAILABLE ? STATUS_UNAVAILABLE : STATUS_OK;
        for (size_t n = i; status == STATUS_UNAVAILABLE && n < group->count; n++) {
            if (group->additions[n].status == STATUS_NOT_FOUND) {
                group->additions[n].status = status;
                group->additions[n].why = *why;
            }
        }
    }
    return status;
}

void instance_types_add_all(struct db *db, struct types_addition *additions, size_t count)
{
    struct why why = {""};
    enum status status = STATUS_OK;
    for (size_t done = 0; done < count;) {
        struct group group =
            group_of(additions + done, count - done, db->one_by_one ? 1 : GROUP_MAX);
        if (status == STATUS_UNAVAILABLE)
            give_all(&group, status, &why);
        else
            status = add_group(db, &group, &why);
        done += group.count;
        free(group.names);
        free(group.ids);
    }
}

enum status instance_types_add(struct db *db, int64_t service_id, int64_t instance_id,
                               const char *const *names, uint32_t count, uint32_t *ret_places,
                               struct why *why)
{
    struct types_addition addition = {.service_id = service_id,
                                      .instance_id = instance_id,
                                      .names = names,
                                      .count = count,
                                      .places = ret_places};
    instance_types_add_all(db, &addition, 1);
    if (addition.status != STATUS_OK)
        why_set(why, "%s", addition.why.text);
    return addition.status;
}
