#include "fleet_sweep.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "findings.h"
#include "service_sweep.h"
#include "sweep_claims.h"
#include "verdict_row.h"

static const size_t claims_bytes_max = (size_t)16 << 20;
static const size_t state_bytes_max = (size_t)512 << 20;
static const size_t rows_bytes_max = (size_t)64 << 20;

struct swept {
    struct service_sweep *service;
    int64_t saved_ms; /* when its state was written down */
    int unsaid;       /* judged, and not yet written into findings */
    int is_silent;    /* not seen for long, and nothing of it is watched any more */
};

struct sweep {
    struct sweep_config config;
    struct swept *services; /* ascending by id */
    size_t count;
};

struct sweep *sweep_new(const struct sweep_config *config)
{
    struct sweep *sweep = calloc(1, sizeof(*sweep));
    ASSERT(sweep != NULL);
    sweep->config = *config;
    return sweep;
}

static void forget_all(struct sweep *sweep)
{
    for (size_t i = 0; i < sweep->count; i++)
        service_sweep_free(sweep->services[i].service);
    free(sweep->services);
    sweep->services = NULL;
    sweep->count = 0;
}

void sweep_free(struct sweep *sweep)
{
    if (sweep == NULL)
        return;
    forget_all(sweep);
    free(sweep);
}

/* ---- whose services -------------------------------------------------------------------------- */

static enum status take_service(struct sweep *sweep, struct db *db, int64_t service_id,
                                int64_t now_ms, struct swept *ret, struct why *why)
{
    struct arena arena;
    const uint8_t *state = NULL;
    size_t size = 0;
    arena_init(&arena, state_bytes_max);
    enum status status = sweep_state_read(db, service_id, &arena, &state, &size, why);
    if (status == STATUS_OK)
        *ret = (struct swept){
            service_sweep_new(&sweep->config.detect, service_id, SWEEP_AHEAD_BYTES, state, size),
            now_ms, 0, 0};
    arena_done(&arena);
    return status;
}

/* Keep those that are still ours, take up those that are new, drop the others. */
static enum status take_services(struct sweep *sweep, struct db *db, const int64_t *ids,
                                 size_t count, int64_t now_ms, struct why *why)
{
    struct swept *services = calloc(count + 1, sizeof(*services));
    ASSERT(services != NULL);
    enum status status = STATUS_OK;
    size_t old = 0;
    size_t taken = 0;
    for (; taken < count && status == STATUS_OK; taken++) {
        while (old < sweep->count && service_sweep_id(sweep->services[old].service) < ids[taken])
            service_sweep_free(sweep->services[old++].service);
        if (old < sweep->count && service_sweep_id(sweep->services[old].service) == ids[taken])
            services[taken] = sweep->services[old++];
        else
            status = take_service(sweep, db, ids[taken], now_ms, &services[taken], why);
    }
    while (old < sweep->count)
        service_sweep_free(sweep->services[old++].service);
    free(sweep->services);
    sweep->services = services;
    sweep->count = status == STATUS_OK ? taken : taken - 1;
    return status;
}

static enum status renew_claims(struct sweep *sweep, struct db *db, int64_t now_ms, struct why *why)
{
    struct arena arena;
    int64_t *ids = NULL;
    size_t count = 0;
    arena_init(&arena, claims_bytes_max);
    enum status status = sweep_claims_renew(db, sweep->config.collector_id, sweep->config.lease_ms,
                                            &arena, &ids, &count, why);
    if (status == STATUS_OK)
        status = take_services(sweep, db, ids, count, now_ms, why);
    arena_done(&arena);
    return status;
}

/* ---- one service ----------------------------------------------------------------------------- */

/* What the verdicts say of a service, as the database takes it. */
struct said {
    struct finding_row *rows;
    struct finding_end *ends;
    size_t row_count, end_count;
};

static int is_ended(const struct said *said, const char *type)
{
    for (size_t i = 0; i < said->end_count; i++)
        if (strcmp(said->ends[i].type, type) == 0)
            return 1;
    return 0;
}

/* What was said before its owner was seen. */
static void end_companions(const struct verdict *verdict, struct arena *arena, struct said *ret)
{
    struct buf reason = BUF_INIT;
    buf_printf(&reason, "it grows with %s", verdict->type);
    const char *text = arena_strndup(arena, buf_text(&reason), reason.size);
    ASSERT(text != NULL);
    buf_done(&reason);
    for (uint32_t i = 0; i < verdict->companion_count; i++)
        if (!is_ended(ret, verdict->companions[i]))
            ret->ends[ret->end_count++] = (struct finding_end){verdict->companions[i], text, ""};
}

static void say(int64_t service_id, const struct verdict *verdicts, uint32_t count,
                struct arena *arena, struct said *ret)
{
    const size_t ends_max = ((size_t)count + 1) * VERDICT_COMPANIONS_MAX;
    *ret = (struct said){
        .rows = arena_must(arena, (count + 1) * sizeof(*ret->rows)),
        .ends = arena_must(arena, ends_max * sizeof(*ret->ends)),
    };
    for (uint32_t i = 0; i < count; i++)
        if (verdicts[i].tier == VERDICT_RESOLVED)
            ret->ends[ret->end_count++] =
                (struct finding_end){verdicts[i].type, verdicts[i].reason, verdicts[i].fixed_in};
    for (uint32_t i = 0; i < count; i++) {
        if (verdicts[i].tier == VERDICT_RESOLVED)
            continue;
        verdict_row_fill(service_id, &verdicts[i], arena, &ret->rows[ret->row_count++]);
        end_companions(&verdicts[i], arena, ret);
    }
}

static enum status write_findings(struct db *db, struct service_sweep *service, int64_t now_ms,
                                  struct why *why)
{
    struct arena arena;
    struct said said;
    uint32_t count;
    int64_t service_id = service_sweep_id(service);
    const struct verdict *verdicts = detector_verdicts(service_sweep_detector(service), &count);
    arena_init(&arena, rows_bytes_max);
    say(service_id, verdicts, count, &arena, &said);
    enum status status = findings_replace(db, service_id, said.rows, said.row_count, said.ends,
                                          said.end_count, now_ms, why);
    arena_done(&arena);
    return status;
}

static enum status save(struct sweep *sweep, struct db *db, struct swept *swept, int64_t now_ms,
                        struct why *why)
{
    struct buf state = BUF_INIT;
    service_sweep_save(swept->service, &state);
    enum status status =
        sweep_state_write(db, sweep->config.collector_id, service_sweep_id(swept->service),
                          state.data, state.size, why);
    buf_done(&state);
    if (status == STATUS_OK)
        swept->saved_ms = now_ms;
    return status;
}

/*
 * Nothing grows in a service that is gone, so nothing of it is watched; what is suspect or
 * confirmed stays until it is seen again. Once for a silence, also after a restart.
 */
static enum status end_watches(struct sweep *sweep, struct db *db, struct swept *swept,
                               int64_t now_ms, struct why *why)
{
    int64_t next_ms = detector_next_pass(service_sweep_detector(swept->service));
    int silent = next_ms == INT64_MAX || now_ms - next_ms > sweep->config.detect.horizon_ms;
    enum status status = STATUS_OK;
    if (silent && !swept->is_silent)
        status = findings_end_watches(db, service_sweep_id(swept->service), now_ms, why);
    if (status == STATUS_OK)
        swept->is_silent = silent;
    return status;
}

static enum status sweep_one(struct sweep *sweep, struct db *db, struct swept *swept,
                             int64_t now_ms, struct why *why)
{
    int passed = 0;
    int64_t save_every_ms = sweep->config.detect.horizon_ms / 15;
    enum status status =
        sweep_claim_hold(db, sweep->config.collector_id, service_sweep_id(swept->service),
                         sweep->config.lease_ms, why);
    if (status == STATUS_OK)
        status = service_sweep_read(swept->service, db, now_ms, &passed, why);
    swept->unsaid |= passed;
    if (status == STATUS_OK && !passed)
        status = end_watches(sweep, db, swept, now_ms, why);
    if (status != STATUS_OK || !swept->unsaid)
        return status;
    status = write_findings(db, swept->service, now_ms, why);
    if (status == STATUS_OK)
        swept->unsaid = 0;
    if (status == STATUS_OK && now_ms - swept->saved_ms >= save_every_ms)
        status = save(sweep, db, swept, now_ms, why);
    return status;
}

/* Two in a row say that it is the database that is away, not a service that takes too long. */
enum { AWAY_MAX = 2 };

enum status sweep_run(struct sweep *sweep, struct db *db, int64_t now_ms, struct why *why)
{
    enum status failed = STATUS_OK;
    int away = 0;
    enum status status = renew_claims(sweep, db, now_ms, why);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < sweep->count && away < AWAY_MAX; i++) {
        struct why reason = {""};
        status = sweep_one(sweep, db, &sweep->services[i], now_ms, &reason);
        away = status == STATUS_UNAVAILABLE ? away + 1 : 0;
        if (status == STATUS_OK || status == STATUS_GONE || failed != STATUS_OK)
            continue;
        failed = status;
        why_set(why, "service %lld: %s", (long long)service_sweep_id(sweep->services[i].service),
                reason.text);
    }
    return failed;
}

/* A state that cannot be written is made anew by who judges the service next. */
enum status sweep_end(struct sweep *sweep, struct db *db, struct why *why)
{
    enum status failed = STATUS_OK;
    for (size_t i = 0; failed != STATUS_UNAVAILABLE && i < sweep->count; i++) {
        struct why reason = {""};
        enum status status = save(sweep, db, &sweep->services[i], 0, &reason);
        if (status == STATUS_OK || status == STATUS_GONE)
            continue;
        failed = status;
        *why = reason;
    }
    if (failed != STATUS_UNAVAILABLE) {
        struct why reason = {""};
        enum status status = sweep_claims_release(db, sweep->config.collector_id, &reason);
        if (status != STATUS_OK) {
            failed = status;
            *why = reason;
        }
    }
    forget_all(sweep);
    return failed;
}
