#include "partitions.h"

enum status partitions_make(struct db *db, const char *level, const int64_t *times_ms, size_t count,
                            struct why *why)
{
    struct buf times = BUF_INIT;
    pg_array_begin(&times, PG_I64, count);
    for (size_t i = 0; i < count; i++)
        pg_array_i64(&times, times_ms[i]);
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_text(&params, level);
    pg_param_array(&params, PG_I64, &times);
    enum status status =
        pg_run(db->pg,
               "SELECT heapfleet.make_partition($1, at) FROM (SELECT min(at) AS at "
               "FROM unnest($2) AS at GROUP BY heapfleet.partition_name($1, at) "
               "ORDER BY 1) p",
               &params, NULL, why);
    buf_done(&times);
    return status;
}
