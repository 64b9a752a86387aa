/*
 * A process's type table in the database. The row's lock makes collectors take turns, and each sees
 * what the one before appended.
 *
 * As a rule nobody else writes the table, and none of the types is in it: then a short statement
 * appends them all, and their places follow from its length. Otherwise a long one appends what is
 * missing and returns the whole table.
 */
#include <stdlib.h>

#include "db.h"

static const char append_sql[] =
    "UPDATE heapfleet.instance SET type_ids = type_ids || $3 "
    "WHERE service_id = $1 AND id = $2 AND cardinality(type_ids) + cardinality($3) <= $4 "
    "AND NOT type_ids && $3 RETURNING cardinality(type_ids)";

static const char add_sql[] =
    "UPDATE heapfleet.instance i SET type_ids = i.type_ids || ARRAY("
    "    SELECT u.id FROM unnest($3) WITH ORDINALITY u(id, place) "
    "    WHERE NOT EXISTS (SELECT FROM unnest(i.type_ids) AS t(id) WHERE t.id = u.id) "
    "    ORDER BY u.place) "
    "WHERE i.service_id = $1 AND i.id = $2 AND cardinality(i.type_ids) + cardinality($3) <= $4 "
    "RETURNING i.type_ids";

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

/* All of them behind what is there. */
static enum status take_length(const struct pg_rows *rows, uint32_t count, uint32_t *ret_places,
                               struct why *why)
{
    int64_t length = pg_i64(rows, 0, 0);
    if (length < count || length > SNAPSHOT_TYPES_MAX)
        return why_fail(why, STATUS_FAILED, "the database did not keep a type");
    for (uint32_t i = 0; i < count; i++)
        ret_places[i] = (uint32_t)length - count + i;
    return STATUS_OK;
}

static enum status add_ids(struct db *db, int64_t service_id, int64_t instance_id,
                           const int32_t *ids, uint32_t count, uint32_t *ret_places,
                           struct why *why)
{
    struct buf array = BUF_INIT;
    pg_array_begin(&array, PG_I32, count);
    for (uint32_t i = 0; i < count; i++)
        pg_array_i32(&array, ids[i]);
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    pg_param_i64(&params, instance_id);
    pg_param_array(&params, PG_I32, &array);
    pg_param_i32(&params, SNAPSHOT_TYPES_MAX);
    struct pg_rows rows;
    enum status status = pg_run(db->pg, append_sql, &params, &rows, why);
    if (status == STATUS_OK && rows.count > 0) {
        status = take_length(&rows, count, ret_places, why);
        pg_rows_done(&rows);
    } else if (status == STATUS_OK) {
        pg_rows_done(&rows);
        status = pg_run(db->pg, add_sql, &params, &rows, why);
        if (status == STATUS_OK) {
            status = take_answer(&rows, ids, count, ret_places, why);
            pg_rows_done(&rows);
        }
    }
    buf_done(&array);
    return status;
}

enum status instance_types_add(struct db *db, int64_t service_id, int64_t instance_id,
                               const char *const *names, uint32_t count, uint32_t *ret_places,
                               struct why *why)
{
    ASSERT(count <= SNAPSHOT_TYPES_MAX);
    int32_t *ids = malloc((count + 1) * sizeof(*ids));
    ASSERT(ids != NULL);
    enum status status = type_ids_ensure(db, names, count, ids, why);
    if (status == STATUS_OK)
        status = add_ids(db, service_id, instance_id, ids, count, ret_places, why);
    free(ids);
    return status == STATUS_CONFLICT ? STATUS_FAILED : status;
}
