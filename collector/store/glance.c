#include "glance.h"

#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "glance_near.h"
#include "newest.h"
#include "process_numbers.h"

static const int64_t near_ms = 15 * 60000LL;     /* by the collector's clock */
static const int64_t silent_ms = 96 * 3600000LL; /* more than three of the longest intervals */

/* ---- who was seen just now ------------------------------------------------------------------ */

/* A service none of whose processes was seen. */
static const char silent_sql[] =
    "SELECT service_id, id, deployment_id, started_ms, clock_behind_ms, ended_ms "
    "FROM heapfleet.instance WHERE service_id = ANY ($1) AND ended_ms IS NOT NULL";

static enum status read_process(const uint8_t *process, size_t size, struct instance_row *ret,
                                struct why *why)
{
    struct process_numbers numbers = {{0}};
    enum status status = process_numbers_unpack(process, size, &numbers, why);
    ret->objects = numbers.of[PROCESS_OBJECTS];
    ret->bytes = numbers.of[PROCESS_BYTES];
    return status;
}

static void read_silent(const struct pg_rows *rows, struct process_glance *ret)
{
    for (int row = 0; row < rows->count; row++)
        ret[row] = (struct process_glance){
            .service_id = pg_i64(rows, row, 0),
            .instance = {.id = pg_i64(rows, row, 1),
                         .deployment_id = pg_i64(rows, row, 2),
                         .started_ms = pg_i64(rows, row, 3),
                         .clock_behind_ms = pg_i64(rows, row, 4),
                         .ended_ms = pg_i64(rows, row, 5)},
        };
}

static int by_key(const void *left, const void *right)
{
    const struct process_glance *a = left, *b = right;
    return glance_compare(a->service_id, a->instance.id, b->service_id, b->instance.id);
}

/* What was seen of processes goes to those of the list that are known, ascending; the others, which
 * ended, are put behind it with a deployment of 0. */
static enum status put_near(const struct glance_near *near, struct process_glance *list,
                            size_t count, size_t *ret_count, struct why *why)
{
    size_t at = 0, end = count;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < near->seen_count && status == STATUS_OK; i++) {
        const struct sighting *seen = &near->seen[i];
        const struct process_glance key = {seen->service_id, {.id = seen->instance_id}};
        while (at < count && by_key(&list[at], &key) < 0)
            at++;
        struct process_glance *glance = &list[at];
        if (at == count || by_key(glance, &key) != 0) {
            glance = &list[end++];
            *glance = key;
        }
        struct instance_row *instance = &glance->instance;
        instance->last_seen_ms = seen->time_ms;
        if (seen->before_ms != 0)
            instance->interval_ms = seen->time_ms - seen->before_ms;
        status = read_process(seen->process, seen->process_size, instance, why);
    }
    *ret_count = end;
    return status;
}

static enum status make_list(const struct glance_near *near, const struct pg_rows *silent,
                             struct arena *arena, struct process_glance **ret, size_t *ret_count,
                             struct why *why)
{
    size_t known = near->open_count + (size_t)silent->count;
    struct process_glance *list =
        arena_alloc(arena, (known + near->seen_count + 1) * sizeof(*list));
    if (list == NULL)
        return store_too_large(why);
    if (near->open_count > 0)
        memcpy(list, near->open, near->open_count * sizeof(*list));
    read_silent(silent, list + near->open_count);
    qsort(list, known, sizeof(*list), by_key);
    *ret = list;
    enum status status = put_near(near, list, known, ret_count, why);
    qsort(list, *ret_count, sizeof(*list), by_key);
    return status;
}

static int has_service(const struct glance_near *near, int64_t service_id)
{
    size_t low = 0, high = near->seen_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (near->seen[middle].service_id < service_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < near->seen_count && near->seen[low].service_id == service_id;
}

static enum status find_silent(struct db *db, const struct glance_near *near,
                               const struct service_row *services, size_t count,
                               struct pg_rows *ret, struct why *why)
{
    struct buf ids = BUF_INIT;
    size_t found = 0;
    int64_t *silent = malloc((count + 1) * sizeof(*silent));
    ASSERT(silent != NULL);
    for (size_t i = 0; i < count; i++) {
        if (!has_service(near, services[i].id))
            silent[found++] = services[i].id;
    }
    pg_array_begin(&ids, PG_I64, found);
    for (size_t i = 0; i < found; i++)
        pg_array_i64(&ids, silent[i]);
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_array(&params, PG_I64, &ids);
    enum status status = STATUS_OK;
    if (found > 0)
        status = pg_run(db->pg, silent_sql, &params, ret, why);
    buf_done(&ids);
    free(silent);
    return status;
}

static enum status find_near(struct db *db, int64_t now_ms, const struct service_row *services,
                             size_t service_count, struct arena *arena, struct process_glance **ret,
                             size_t *ret_count, struct why *why)
{
    struct glance_near near;
    struct pg_rows silent = {0};
    enum status status = glance_near_read(db, now_ms - near_ms, now_ms, &near, why);
    if (status == STATUS_OK)
        status = find_silent(db, &near, services, service_count, &silent, why);
    if (status == STATUS_OK)
        status = make_list(&near, &silent, arena, ret, ret_count, why);
    glance_near_done(&near);
    pg_rows_done(&silent);
    return status;
}

/* ---- who was not ---------------------------------------------------------------------------- */

/* Hot rows of a process that was compacted long ago are not looked for. */
static const char thorough_sql[] =
    "SELECT u.place::integer - 1, " ENDED_MS ", n.time_ms, n.interval_ms, n.process, "
    "i.deployment_id, i.started_ms, i.clock_behind_ms "
    "FROM unnest($1, $2) WITH ORDINALITY u(service_id, id, place) "
    "JOIN heapfleet.instance i ON i.service_id = u.service_id AND i.id = u.id "
    "LEFT JOIN heapfleet.instance_last k ON k.service_id = i.service_id AND k.instance_id = "
    "i.id " NEWEST_SNAPSHOT("i.service_id", "i.id",
                            "AND (k.time_ms IS NULL OR k.time_ms + i.clock_behind_ms >= $3)");

static enum status look_up(struct db *db, int64_t now_ms, struct process_glance *list,
                           const size_t *places, size_t count, struct why *why)
{
    struct buf services = BUF_INIT, ids = BUF_INIT;
    pg_array_begin(&services, PG_I64, count);
    pg_array_begin(&ids, PG_I64, count);
    for (size_t i = 0; i < count; i++) {
        pg_array_i64(&services, list[places[i]].service_id);
        pg_array_i64(&ids, list[places[i]].instance.id);
    }
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_array(&params, PG_I64, &services);
    pg_param_array(&params, PG_I64, &ids);
    pg_param_i64(&params, now_ms - silent_ms);
    struct pg_rows rows;
    enum status status = pg_run(db->pg, thorough_sql, &params, &rows, why);
    buf_done(&services);
    buf_done(&ids);
    if (status != STATUS_OK)
        return status;
    for (int row = 0; row < rows.count && status == STATUS_OK; row++) {
        size_t place = (size_t)pg_i64(&rows, row, 0);
        ASSERT(place < count);
        struct instance_row *instance = &list[places[place]].instance;
        instance->ended_ms = pg_i64(&rows, row, 1);
        instance->last_seen_ms = pg_i64(&rows, row, 2);
        instance->interval_ms = pg_i64(&rows, row, 3);
        instance->deployment_id = pg_i64(&rows, row, 5);
        instance->started_ms = pg_i64(&rows, row, 6);
        instance->clock_behind_ms = pg_i64(&rows, row, 7);
        size_t size;
        const uint8_t *process = pg_bytes(&rows, row, 4, &size);
        if (!pg_is_null(&rows, row, 4))
            status = read_process(process, size, instance, why);
    }
    pg_rows_done(&rows);
    return status;
}

/* What was seen twice just now, and did not end, is known. An end stands unless somebody saw the
 * process since; but where nobody of the service was seen, it is asked when that was. */
static int is_settled(const struct process_glance *glance, int is_service_seen)
{
    const struct instance_row *instance = &glance->instance;
    if (instance->last_seen_ms != 0)
        return instance->interval_ms != 0 && instance->deployment_id != 0;
    return instance->ended_ms != 0 && is_service_seen;
}

static enum status find_others(struct db *db, int64_t now_ms, struct arena *arena,
                               struct process_glance *list, size_t count, struct why *why)
{
    size_t *places = arena_alloc(arena, (count + 1) * sizeof(*places));
    size_t found = 0;
    if (places == NULL)
        return store_too_large(why);
    for (size_t begin = 0, end; begin < count; begin = end) {
        int is_seen = 0;
        for (end = begin; end < count && list[end].service_id == list[begin].service_id; end++)
            is_seen |= list[end].instance.last_seen_ms != 0;
        for (size_t i = begin; i < end; i++) {
            if (!is_settled(&list[i], is_seen))
                places[found++] = i;
        }
    }
    return found > 0 ? look_up(db, now_ms, list, places, found, why) : STATUS_OK;
}

/* ---- a service after the other -------------------------------------------------------------- */

static int by_id(const void *left, const void *right)
{
    const struct service_row *a = left;
    const struct service_row *b = right;
    return (a->id > b->id) - (a->id < b->id);
}

enum status glance_by_service(struct db *db, struct arena *arena, struct process_glance **ret,
                              size_t *ret_count, struct why *why)
{
    struct service_row *services = NULL;
    size_t service_count = 0, count = 0;
    enum status status = service_list(db, arena, &services, &service_count, why);
    if (status != STATUS_OK)
        return status;
    if (service_count > 0)
        qsort(services, service_count, sizeof(*services), by_id);
    struct instance_row **lists = arena_alloc(arena, (service_count + 1) * sizeof(void *));
    size_t *counts = arena_alloc(arena, (service_count + 1) * sizeof(*counts));
    if (lists == NULL || counts == NULL)
        return store_too_large(why);
    for (size_t i = 0; i < service_count && status == STATUS_OK; i++) {
        status = instance_list(db, services[i].id, 0, arena, &lists[i], &counts[i], why);
        count += status == STATUS_OK ? counts[i] : 0;
    }
    if (status != STATUS_OK)
        return status;
    struct process_glance *list = arena_alloc(arena, (count + 1) * sizeof(*list));
    if (list == NULL)
        return store_too_large(why);
    *ret = list;
    *ret_count = count;
    for (size_t i = 0; i < service_count; i++) {
        for (size_t k = 0; k < counts[i]; k++)
            *list++ = (struct process_glance){services[i].id, lists[i][k]};
    }
    return STATUS_OK;
}

enum status glance_processes(struct db *db, int64_t now_ms, const struct service_row *services,
                             size_t service_count, struct arena *arena, struct process_glance **ret,
                             size_t *ret_count, struct why *why)
{
    struct process_glance *list = NULL;
    size_t count = 0;
    enum status status = find_near(db, now_ms, services, service_count, arena, &list, &count, why);
    if (status == STATUS_FAILED)
        return glance_by_service(db, arena, ret, ret_count, why);
    if (status == STATUS_OK)
        status = find_others(db, now_ms, arena, list, count, why);
    if (status != STATUS_OK)
        return status;
    *ret = list;
    *ret_count = count;
    return STATUS_OK;
}

/* ---- versions and findings ------------------------------------------------------------------ */

static const char versions_sql[] =
    "SELECT d.service_id, d.id, d.version, p.first_ms, p.instances FROM heapfleet.deployment d "
    "LEFT JOIN (SELECT i.service_id, i.deployment_id, min(i.started_ms) AS first_ms, "
    "    count(*) AS instances FROM heapfleet.instance i GROUP BY 1, 2) p "
    "ON p.service_id = d.service_id AND p.deployment_id = d.id ORDER BY 1, 2";

enum status glance_versions(struct db *db, struct arena *arena, struct version_glance **ret,
                            size_t *ret_count, struct why *why)
{
    struct pg_rows rows;
    enum status status = pg_run(db->pg, versions_sql, NULL, &rows, why);
    if (status != STATUS_OK)
        return status;
    struct version_glance *list = arena_alloc(arena, ((size_t)rows.count + 1) * sizeof(*list));
    if (list == NULL)
        status = store_too_large(why);
    for (int i = 0; list != NULL && i < rows.count && status == STATUS_OK; i++) {
        list[i] = (struct version_glance){pg_i64(&rows, i, 0), pg_i64(&rows, i, 1),
                                          store_copy_text(&rows, i, 2, arena), pg_i64(&rows, i, 3),
                                          (uint32_t)pg_i64(&rows, i, 4)};
        if (list[i].version == NULL)
            status = store_too_large(why);
    }
    if (status == STATUS_OK) {
        *ret = list;
        *ret_count = (size_t)rows.count;
    }
    pg_rows_done(&rows);
    return status;
}

enum status glance_findings(struct db *db, struct arena *arena, struct finding_glance **ret,
                            size_t *ret_count, struct why *why)
{
    struct pg_rows rows;
    enum status status = pg_run(db->pg,
                                "SELECT service_id, count(*) FROM heapfleet.finding "
                                "WHERE closed_ms IS NULL AND severity <> 'watch' "
                                "GROUP BY 1 ORDER BY 1",
                                NULL, &rows, why);
    if (status != STATUS_OK)
        return status;
    struct finding_glance *list = arena_alloc(arena, ((size_t)rows.count + 1) * sizeof(*list));
    if (list == NULL)
        status = store_too_large(why);
    for (int i = 0; list != NULL && i < rows.count && status == STATUS_OK; i++)
        list[i] = (struct finding_glance){pg_i64(&rows, i, 0), (uint32_t)pg_i64(&rows, i, 1)};
    if (status == STATUS_OK) {
        *ret = list;
        *ret_count = (size_t)rows.count;
    }
    pg_rows_done(&rows);
    return status;
}

/* ---- asking ahead --------------------------------------------------------------------------- */

void glance_ask(struct db *db, int64_t now_ms)
{
    struct service_row *services;
    struct version_glance *versions;
    struct finding_glance *findings;
    size_t count;
    db_ask_ahead(db, 1);
    enum status status = service_list(db, NULL, &services, &count, NULL);
    status |= glance_versions(db, NULL, &versions, &count, NULL);
    glance_near_ask(db, now_ms - near_ms, now_ms);
    status |= glance_findings(db, NULL, &findings, &count, NULL);
    db_ask_ahead(db, 0);
    ASSERT(status != STATUS_OK);
}
