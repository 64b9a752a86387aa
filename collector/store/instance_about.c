#include "instance_about.h"

#include "db.h"

enum { TEXTS = 5, PID_COLUMN = TEXTS };

static const char about_sql[] =
    "SELECT coalesce(i.host, ''), coalesce(i.pod, ''), coalesce(i.container_id, ''), "
    "coalesce(i.runtime_version, ''), coalesce(i.end_reason, ''), coalesce(i.pid, 0) "
    "FROM unnest($2) WITH ORDINALITY u(id, place) "
    "LEFT JOIN heapfleet.instance i ON i.service_id = $1 AND i.id = u.id ORDER BY u.place";

static enum status read_rows(const struct pg_rows *rows, size_t count, struct arena *arena,
                             struct instance_about **ret, struct why *why)
{
    ASSERT((size_t)rows->count == count);
    struct instance_about *list = arena_alloc(arena, (count + 1) * sizeof(*list));
    if (list == NULL)
        return store_too_large(why);
    for (size_t i = 0; i < count; i++) {
        const char *texts[TEXTS];
        for (int column = 0; column < TEXTS; column++) {
            texts[column] = store_copy_text(rows, (int)i, column, arena);
            if (texts[column] == NULL)
                return store_too_large(why);
        }
        list[i] = (struct instance_about){
            .host = texts[0],
            .pod = texts[1],
            .container_id = texts[2],
            .runtime_version = texts[3],
            .end_reason = texts[4],
            .pid = (uint32_t)pg_i64(rows, (int)i, PID_COLUMN),
        };
    }
    *ret = list;
    return STATUS_OK;
}

enum status instance_about_read(struct db *db, int64_t service_id, const int64_t *ids, size_t count,
                                struct arena *arena, struct instance_about **ret, struct why *why)
{
    struct buf array = BUF_INIT;
    pg_array_begin(&array, PG_I64, count);
    for (size_t i = 0; i < count; i++)
        pg_array_i64(&array, ids[i]);
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    pg_param_array(&params, PG_I64, &array);
    struct pg_rows rows;
    enum status status = pg_run(db->pg, about_sql, &params, &rows, why);
    buf_done(&array);
    if (status != STATUS_OK)
        return status;
    status = read_rows(&rows, count, arena, ret, why);
    pg_rows_done(&rows);
    return status;
}
