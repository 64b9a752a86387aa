#include "fleet_sweep.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "clock.h"
#include "findings.h"
#include "pg.h"
#include "service_sweep.h"
#include "sweep_claims.h"
#include "sweep_state.h"
#include "verdict_row.h"

static const size_t claims_bytes_max = (size_t)16 << 20;
/* More than a detector can come to (detector.h). */
static const size_t state_bytes_max = (size_t)512 << 20;
static const size_t rows_bytes_max = (size_t)64 << 20;

enum {
    SAVES_PER_HORIZON = 15,
    KEEPS_A_LEASE = 4, /* how often claims are renewed while a service takes long */
    /* The claim of a service that does take long outlasts any statement of its reading. */
    SLOW_LEASE_MS = PG_STATEMENT_MS + 10 * 1000,
};

struct swept {
    struct service_sweep *service;
    struct sweep_claim claim;
    int64_t saved_ms; /* when its state was written down */
    int is_silent;    /* not seen for long, and nothing of it is watched any more */
};

struct sweep {
    struct sweep_config config;
    struct swept *services; /* ascending by id */
    size_t count;
    int64_t stuck_id; /* the service where the last round ended before its time; 0: none */
    uint64_t lost;
    atomic_int is_ending;
};

struct sweep *sweep_new(const struct sweep_config *config)
{
    struct sweep *sweep = calloc(1, sizeof(*sweep));
    ASSERT(sweep != NULL);
    sweep->config = *config;
    return sweep;
}

static void forget(struct swept *swept)
{
    service_sweep_free(swept->service);
    swept->service = NULL;
}

static void forget_all(struct sweep *sweep)
{
    for (size_t i = 0; i < sweep->count; i++)
        forget(&sweep->services[i]);
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

void sweep_interrupt(struct sweep *sweep)
{
    atomic_store(&sweep->is_ending, 1);
}

uint64_t sweep_lost(const struct sweep *sweep)
{
    return sweep->lost;
}

/* ---- whose services -------------------------------------------------------------------------- */

/* Keep those that nobody else had meanwhile, and drop the others; what is new is taken up at its
 * turn. */
static void take_claims(struct sweep *sweep, const struct sweep_claim *claims, size_t count)
{
    struct swept *services = calloc(count + 1, sizeof(*services));
    ASSERT(services != NULL);
    size_t old = 0;
    for (size_t i = 0; i < count; i++) {
        while (old < sweep->count && sweep->services[old].claim.service_id < claims[i].service_id)
            forget(&sweep->services[old++]);
        int is_known =
            old < sweep->count && sweep->services[old].claim.service_id == claims[i].service_id;
        if (is_known && sweep->services[old].claim.epoch == claims[i].epoch)
            services[i] = sweep->services[old++];
        else
            services[i] = (struct swept){.claim = claims[i]};
    }
    while (old < sweep->count)
        forget(&sweep->services[old++]);
    free(sweep->services);
    sweep->services = services;
    sweep->count = count;
}

static enum status renew_claims(struct sweep *sweep, struct db *db, struct why *why)
{
    struct arena arena;
    struct sweep_claim *claims = NULL;
    size_t count = 0;
    arena_init(&arena, claims_bytes_max);
    enum status status = sweep_claims_renew(db, sweep->config.collector_id, sweep->config.lease_ms,
                                            &arena, &claims, &count, why);
    if (status == STATUS_OK)
        take_claims(sweep, claims, count);
    arena_done(&arena);
    return status;
}

static enum status hold(struct sweep *sweep, struct db *db, const struct swept *swept,
                        int64_t lease_ms, struct why *why)
{
    return sweep_claim_hold(db, sweep->config.collector_id, &swept->claim, lease_ms, why);
}

/* Go on where whoever had it before has left off. */
static enum status take_up(struct sweep *sweep, struct db *db, struct swept *swept, int64_t now_ms,
                           struct why *why)
{
    struct buf state = BUF_INIT;
    if (swept->service != NULL)
        return STATUS_OK;
    enum status status =
        sweep_state_read(db, swept->claim.service_id, state_bytes_max, &state, why);
    if (status == STATUS_LIMIT) { /* none of ours */
        buf_done(&state);
        status = STATUS_OK;
    }
    if (status == STATUS_OK) {
        swept->service = service_sweep_new(&sweep->config.detect, swept->claim.service_id,
                                           SWEEP_AHEAD_BYTES, state.data, state.size);
        swept->saved_ms = now_ms;
    }
    buf_done(&state);
    return status;
}

/* ---- one service ----------------------------------------------------------------------------- */

/* What the verdicts say of a service, as it is put together for the database. */
struct saying {
    struct finding_row *rows;
    struct finding_end *ends;
    size_t row_count, end_count;
};

static int is_ended(const struct saying *saying, const char *type)
{
    for (size_t i = 0; i < saying->end_count; i++)
        if (strcmp(saying->ends[i].type, type) == 0)
            return 1;
    return 0;
}

/* What was said before its owner was seen. */
static void end_companions(const struct verdict *verdict, struct arena *arena, struct saying *ret)
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
                struct arena *arena, struct saying *ret)
{
    const size_t ends_max = ((size_t)count + 1) * VERDICT_COMPANIONS_MAX;
    *ret = (struct saying){
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

/*
 * In the transaction of sweep_write_begin. A detector whose state was lost has read the newest
 * horizons only, and may need more of a leak than that: it is believed that something has ended
 * when it has seen as much again.
 */
static enum status write_findings(const struct sweep *sweep, struct db *db,
                                  struct service_sweep *service, int64_t now_ms, struct why *why)
{
    struct arena arena;
    struct saying saying;
    uint32_t count;
    int64_t service_id = service_sweep_id(service);
    int64_t made_ms = service_sweep_made_ms(service);
    int is_young = now_ms - made_ms < SWEEP_HORIZONS * sweep->config.detect.horizon_ms;
    const struct verdict *verdicts = detector_verdicts(service_sweep_detector(service), &count);
    arena_init(&arena, rows_bytes_max);
    say(service_id, verdicts, count, &arena, &saying);
    const struct findings_said said = {saying.rows, saying.row_count, saying.ends, saying.end_count,
                                       is_young ? made_ms : 0};
    enum status status = findings_replace(db, service_id, &said, now_ms, why);
    arena_done(&arena);
    return status;
}

static enum status write_state(struct db *db, const struct service_sweep *service, struct why *why)
{
    struct buf state = BUF_INIT;
    service_sweep_save(service, &state);
    enum status status =
        sweep_state_write(db, service_sweep_id(service), state.data, state.size, why);
    buf_done(&state);
    return status;
}

/* What is to be written of a service, together or not at all. */
enum { FINDINGS = 1, STATE = 2, NO_WATCHES = 4 };

static enum status write_down(struct sweep *sweep, struct db *db, struct swept *swept,
                              unsigned what, int64_t now_ms, struct why *why)
{
    const int unsaid = service_sweep_is_unsaid(swept->service);
    enum status status = sweep_write_begin(db, sweep->config.collector_id, &swept->claim,
                                           sweep->config.lease_ms, why);
    if (status == STATUS_OK && (what & NO_WATCHES) != 0)
        status = findings_end_watches(db, swept->claim.service_id, now_ms, why);
    if (status == STATUS_OK && (what & FINDINGS) != 0)
        status = write_findings(sweep, db, swept->service, now_ms, why);
    service_sweep_set_unsaid(swept->service, unsaid && (what & FINDINGS) == 0);
    if (status == STATUS_OK && (what & STATE) != 0)
        status = write_state(db, swept->service, why);
    if (status == STATUS_OK)
        status = sweep_write_commit(db, why);
    sweep_write_end(db);
    if (status != STATUS_OK)
        service_sweep_set_unsaid(swept->service, unsaid);
    else if ((what & STATE) != 0)
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
        status = write_down(sweep, db, swept, NO_WATCHES, now_ms, why);
    if (status == STATUS_OK)
        swept->is_silent = silent;
    return status;
}

/* A service that is being read, and when its claim was renewed last. */
struct turn {
    struct sweep *sweep;
    struct db *db;
    const struct swept *swept;
    int64_t kept_ms; /* clock_mono_ms() */
};

/* While it takes long: else another collector would begin what we are about to finish. */
static enum status keep_claims(void *user, struct why *why)
{
    struct turn *turn = user;
    const struct sweep_config *config = &turn->sweep->config;
    int64_t now_ms = clock_mono_ms();
    if (atomic_load(&turn->sweep->is_ending))
        return why_fail(why, STATUS_UNAVAILABLE, "the collector ends");
    if (now_ms - turn->kept_ms < config->lease_ms / KEEPS_A_LEASE)
        return STATUS_OK;
    int64_t lease_ms = config->lease_ms > SLOW_LEASE_MS ? config->lease_ms : SLOW_LEASE_MS;
    enum status status = sweep_claims_keep(turn->db, config->collector_id, config->lease_ms, why);
    if (status == STATUS_OK)
        status = hold(turn->sweep, turn->db, turn->swept, lease_ms, why);
    turn->kept_ms = now_ms;
    return status;
}

/* Also when the clock has been set back. */
static int is_save_due(const struct sweep *sweep, const struct swept *swept, int64_t now_ms)
{
    return now_ms < swept->saved_ms ||
           now_ms - swept->saved_ms >= sweep->config.detect.horizon_ms / SAVES_PER_HORIZON;
}

static enum status sweep_one(struct sweep *sweep, struct db *db, struct swept *swept,
                             int64_t now_ms, struct why *why)
{
    int passed = 0;
    struct turn turn = {sweep, db, swept, clock_mono_ms()};
    const struct sweep_keeper keeper = {keep_claims, &turn};
    enum status status = hold(sweep, db, swept, sweep->config.lease_ms, why);
    if (status == STATUS_OK)
        status = take_up(sweep, db, swept, now_ms, why);
    if (status == STATUS_OK)
        status = service_sweep_read(swept->service, db, now_ms, &keeper, &passed, why);
    if (status == STATUS_OK && service_sweep_is_unsaid(swept->service)) {
        unsigned state = !passed || is_save_due(sweep, swept, now_ms) ? STATE : 0;
        status = write_down(sweep, db, swept, FINDINGS | state, now_ms, why);
    }
    if (passed)
        swept->is_silent = 0;
    else if (status == STATUS_OK)
        status = end_watches(sweep, db, swept, now_ms, why);
    return status;
}

/* ---- rounds ---------------------------------------------------------------------------------- */

/* Two in a row say that it is the database that is away, not a service that takes too long. */
enum { AWAY_MAX = 2 };

/* What we made of it is thrown away: whoever has it now says it, and more. */
static void lose(struct sweep *sweep, struct swept *swept)
{
    forget(swept);
    sweep->lost++;
}

/* Behind where the last round got stuck: what takes too long in each round keeps up itself alone.
 */
static size_t first_of_round(const struct sweep *sweep)
{
    size_t first = 0;
    while (first < sweep->count && sweep->services[first].claim.service_id <= sweep->stuck_id)
        first++;
    return first < sweep->count ? first : 0;
}

enum status sweep_run(struct sweep *sweep, struct db *db, int64_t now_ms, struct why *why)
{
    enum status failed = STATUS_OK;
    int away = 0;
    enum status status = renew_claims(sweep, db, why);
    if (status != STATUS_OK)
        return status;
    size_t first = first_of_round(sweep);
    sweep->stuck_id = 0;
    for (size_t i = 0; i < sweep->count && away < AWAY_MAX && !atomic_load(&sweep->is_ending);
         i++) {
        struct why reason = {""};
        struct swept *swept = &sweep->services[(first + i) % sweep->count];
        status = sweep_one(sweep, db, swept, now_ms, &reason);
        away = status == STATUS_UNAVAILABLE ? away + 1 : 0;
        if (away == AWAY_MAX)
            sweep->stuck_id = swept->claim.service_id;
        if (status == STATUS_GONE)
            lose(sweep, swept);
        if (status == STATUS_OK || status == STATUS_GONE || failed != STATUS_OK)
            continue;
        failed = status;
        why_set(why, "service %lld: %s", (long long)swept->claim.service_id, reason.text);
    }
    return failed;
}

/* A state that cannot be written is made anew by who judges the service next. */
enum status sweep_end(struct sweep *sweep, struct db *db, struct why *why)
{
    enum status failed = STATUS_OK;
    for (size_t i = 0; failed != STATUS_UNAVAILABLE && i < sweep->count; i++) {
        struct why reason = {""};
        struct swept *swept = &sweep->services[i];
        if (swept->service == NULL)
            continue;
        enum status status = write_down(sweep, db, swept, STATE, 0, &reason);
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
