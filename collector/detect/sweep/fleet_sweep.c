#include "fleet_sweep.h"

#include <math.h>

#include "arena.h"
#include "buf.h"
#include "findings.h"
#include "json.h"
#include "service_reader.h"

/* Lists of processes and their type tables, and the floors, which are the most of it. */
static const size_t service_bytes_max = (size_t)SWEEP_FLOOR_BYTES_MAX + ((size_t)256 << 20);
static const size_t detect_bytes_max = (size_t)1 << 30;
static const size_t service_list_bytes_max = (size_t)64 << 20;
static const double ms_per_hour = 3600e3;

/*
 * The shortest time until a running process of the leaking version is at its container's limit, if
 * all that grows there is the leak. 0: no limit is known.
 */
static int64_t until_limit_ms(const struct service_view *view, const struct detect_finding *finding)
{
    double shortest = INFINITY;
    if (!(finding->bytes_per_hour > 0))
        return 0;
    for (uint32_t i = 0; i < view->service.life_count; i++) {
        const struct detect_life *life = &view->service.lives[i];
        const struct life_memory *memory = &view->memory[i];
        if (life->version != finding->version || life->ended || memory->limit_bytes == 0)
            continue;
        double room = (double)memory->limit_bytes - (double)memory->usage_bytes;
        shortest = fmin(shortest, fmax(room, 0) / finding->bytes_per_hour * ms_per_hour);
    }
    if (!isfinite(shortest) || shortest >= (double)INT64_MAX / 2)
        return 0;
    return shortest < 1 ? 1 : (int64_t)shortest;
}

static const char *companions_json(const struct detect_service *service,
                                   const struct detect_finding *finding, struct arena *arena)
{
    struct buf json = BUF_INIT;
    buf_append_byte(&json, '[');
    for (uint32_t i = 0; i < finding->companion_count; i++) {
        const char *name = service->types[finding->companions[i]];
        if (i > 0)
            buf_append_byte(&json, ',');
        json_append_string(&json, name, strlen(name));
    }
    buf_append_byte(&json, ']');
    const char *text = arena_strndup(arena, buf_text(&json), json.size);
    ASSERT(text != NULL);
    buf_done(&json);
    return text;
}

static void write_row(int64_t service_id, const struct service_view *view,
                      const struct detect_finding *finding, struct arena *arena,
                      struct finding_row *ret)
{
    const struct detect_service *service = &view->service;
    *ret = (struct finding_row){
        .service_id = service_id,
        .type = service->types[finding->type],
        .severity = "confirmed",
        .introduced_in = finding->has_introduced ? service->versions[finding->introduced_in] : "",
        .count_per_hour = finding->count_per_hour,
        .bytes_per_hour = finding->bytes_per_hour,
        .confidence = finding->confidence,
        .until_limit_ms = until_limit_ms(view, finding),
        .instances = finding->lives,
        .companions_json = companions_json(service, finding, arena),
    };
}

static enum status judge_service(struct db *db, const struct detect_config *config,
                                 int64_t service_id, const struct service_view *view,
                                 int64_t now_ms, struct why *why)
{
    struct arena arena;
    struct detect_findings findings;
    arena_init(&arena, detect_bytes_max);
    detect_service_leaks(config, &view->service, &arena, &findings);
    struct finding_row *rows = arena_must(&arena, findings.count * sizeof(*rows));
    for (uint32_t i = 0; i < findings.count; i++)
        write_row(service_id, view, &findings.items[i], &arena, &rows[i]);
    enum status status =
        findings_replace(db, service_id, rows, findings.count, NULL, 0, now_ms, why);
    arena_done(&arena);
    return status;
}

static enum status sweep_service(struct db *db, const struct detect_config *config,
                                 const struct service_row *service, int64_t now_ms, struct why *why)
{
    struct arena arena;
    struct service_view view;
    arena_init(&arena, service_bytes_max);
    enum status status = service_read(db, config, service->id, now_ms, &arena, &view, why);
    if (status == STATUS_OK && view.service.life_count > 0)
        status = judge_service(db, config, service->id, &view, now_ms, why);
    arena_done(&arena);
    if (status != STATUS_OK)
        why_prefix(why, "service \"%s\"", service->name);
    return status;
}

enum status sweep_run(struct db *db, const struct detect_config *config, int64_t now_ms,
                      struct why *why)
{
    struct arena arena;
    struct service_row *services;
    size_t count;
    int left_out = 0;
    arena_init(&arena, service_list_bytes_max);
    enum status status = service_list(db, &arena, &services, &count, why);
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        status = sweep_service(db, config, &services[i], now_ms, why);
        if (status != STATUS_LIMIT)
            continue;
        left_out = 1;
        status = STATUS_OK;
    }
    arena_done(&arena);
    return status == STATUS_OK && left_out ? STATUS_LIMIT : status;
}
