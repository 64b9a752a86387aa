#include "canary.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "detector.h"
#include "report.h"

enum {
    PASSES_A_HORIZON = 15, /* the detector's */
    HORIZONS_X10 = 12,     /* what is judged is 1.2 horizons long: three passes are beyond one */
};

/* Where the axis of uptime begins: any time will do that is not 0. */
static const int64_t origin_ms = (int64_t)1 << 40;

struct canary_life {
    const struct instance_row *instance;
    int number;                  /* the detector's */
    int *types;                  /* index of the process -> number of the detector */
    struct detect_value *values; /* [instance->type_count], of the snapshot at hand */
};

struct canary {
    struct db *db;
    const struct canary_request *request;
    struct arena *arena;
    struct detector *detector;
    struct canary_life lives[2][CANARY_LIVES_MAX]; /* baseline, candidate */
    size_t counts[2];
    int64_t judged_ms;
};

/* ---- which lives, how long ------------------------------------------------------------------ */

static int longest_first(const void *left, const void *right)
{
    int64_t a = instance_uptime_ms(((const struct canary_life *)left)->instance);
    int64_t b = instance_uptime_ms(((const struct canary_life *)right)->instance);
    return (a < b) - (a > b);
}

/* The longest lives of a version; `ret_uptime_ms` is what half of all of them have reached. */
static enum status choose_lives(struct canary *canary, int side, int64_t *ret_uptime_ms,
                                struct why *why)
{
    const struct canary_request *request = canary->request;
    const struct deployment_row *deployment = side == 0 ? request->baseline : request->candidate;
    struct canary_life *all =
        arena_alloc(canary->arena, (request->instance_count + 1) * sizeof(*all));
    size_t count = 0;
    if (all == NULL)
        return why_fail(why, STATUS_LIMIT, "the service has too many processes");
    for (size_t i = 0; i < request->instance_count; i++) {
        const struct instance_row *instance = &request->instances[i];
        if (instance->deployment_id == deployment->id && instance_uptime_ms(instance) > 0)
            all[count++] = (struct canary_life){.instance = instance};
    }
    *ret_uptime_ms = 0;
    if (count == 0)
        return STATUS_OK;
    qsort(all, count, sizeof(*all), longest_first);
    *ret_uptime_ms = instance_uptime_ms(all[count / 2].instance);
    canary->counts[side] = count < CANARY_LIVES_MAX ? count : CANARY_LIVES_MAX;
    memcpy(canary->lives[side], all, canary->counts[side] * sizeof(*all));
    return STATUS_OK;
}

/* ---- feeding the detector ------------------------------------------------------------------- */

/* When a life of this side begins on the axis: the old version ends where the new one begins. */
static int64_t start_of(const struct canary *canary, int side)
{
    return origin_ms + side * (canary->judged_ms + 1);
}

static enum status number_types(struct canary *canary, struct canary_life *life, struct why *why)
{
    const struct instance_row *instance = life->instance;
    const char **names = NULL;
    enum status status = type_names(canary->db, instance->type_ids, instance->type_count,
                                    canary->arena, &names, why);
    if (status != STATUS_OK)
        return status;
    life->types = arena_alloc(canary->arena, (instance->type_count + 1) * sizeof(*life->types));
    life->values = arena_alloc(canary->arena, (instance->type_count + 1) * sizeof(*life->values));
    if (life->types == NULL || life->values == NULL)
        return why_fail(why, STATUS_LIMIT, "the service has too many types");
    for (uint32_t i = 0; i < instance->type_count; i++)
        life->types[i] = detector_type(canary->detector, names[i], strlen(names[i]));
    return STATUS_OK;
}

static enum status open_life(struct canary *canary, int side, struct canary_life *life,
                             struct why *why)
{
    const struct canary_request *request = canary->request;
    const char *version = side == 0 ? request->baseline->version : request->candidate->version;
    struct detect_key key;
    _Static_assert(sizeof(key.bytes) == ID_BYTES, "a life is named by its uuid");
    memcpy(key.bytes, life->instance->uuid, sizeof(key.bytes));
    life->number =
        detector_life(canary->detector, &key, version, strlen(version), start_of(canary, side));
    return number_types(canary, life, why);
}

struct canary_walk {
    struct canary *canary;
    const struct canary_life *life;
    int64_t shift_ms;
};

static enum status feed_snapshot(void *user, const struct history_snapshot *snapshot)
{
    const struct canary_walk *walk = user;
    const struct canary_life *life = walk->life;
    const struct detect_process process = {
        .cpu_ms = snapshot->cpu_ms,
        .rss_bytes = snapshot->rss_anon_bytes,
        .container_usage_bytes = snapshot->container_usage_bytes,
        .container_limit_bytes = snapshot->container_limit_bytes,
    };
    size_t count = 0;
    for (uint32_t i = 0; i < snapshot->values->types && i < life->instance->type_count; i++) {
        if (life->types[i] == DETECT_NONE)
            continue;
        life->values[count++] = (struct detect_value){.type = life->types[i],
                                                      .count = snapshot->values->values[i].count,
                                                      .bytes = snapshot->values->values[i].bytes};
    }
    detector_snapshot(walk->canary->detector, life->number, snapshot->time_ms + walk->shift_ms,
                      &process, life->values, count);
    return STATUS_OK;
}

/* What a side showed at these uptimes. */
static enum status feed(struct canary *canary, int side, int64_t from_ms, int64_t to_ms,
                        struct why *why)
{
    for (size_t i = 0; i < canary->counts[side]; i++) {
        struct canary_life *life = &canary->lives[side][i];
        int64_t started_ms = life->instance->started_ms;
        struct canary_walk walk = {canary, life, start_of(canary, side) - started_ms};
        if (life->number == DETECT_NONE || instance_uptime_ms(life->instance) < from_ms)
            continue;
        enum status status =
            history_walk(canary->db, canary->request->service_id, life->instance->id,
                         started_ms + from_ms, started_ms + to_ms, feed_snapshot, &walk, why);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* One version after the other, a pass of the detector at a time. */
static enum status feed_side(struct canary *canary, int side, int64_t step_ms, struct why *why)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < canary->counts[side]; i++)
        status = open_life(canary, side, &canary->lives[side][i], why);
    for (int64_t from_ms = 0; status == STATUS_OK && from_ms <= canary->judged_ms;
         from_ms += step_ms) {
        int64_t to_ms = from_ms + step_ms - 1;
        if (to_ms > canary->judged_ms)
            to_ms = canary->judged_ms;
        status = feed(canary, side, from_ms, to_ms, why);
        (void)detector_advance(canary->detector, start_of(canary, side) + to_ms);
    }
    for (size_t i = 0; side == 0 && i < canary->counts[side]; i++) {
        if (canary->lives[side][i].number != DETECT_NONE)
            detector_end(canary->detector, canary->lives[side][i].number, start_of(canary, 1), 0);
    }
    return status;
}

/* ---- the answer ----------------------------------------------------------------------------- */

static int is_new_leak(const struct canary *canary, const struct verdict *verdict)
{
    const char *candidate = canary->request->candidate->version;
    return verdict->tier == VERDICT_CONFIRMED && strcmp(verdict->still_in, candidate) == 0 &&
           strcmp(verdict->introduced_in, candidate) == 0;
}

static const char *keep(struct canary *canary, const char *text)
{
    const char *copy = arena_strndup(canary->arena, text, strlen(text));
    return copy != NULL ? copy : "";
}

static enum status take_leaks(struct canary *canary, struct canary_answer *ret, struct why *why)
{
    uint32_t count = 0;
    const struct verdict *verdicts = detector_verdicts(canary->detector, &count);
    ret->leaks = arena_alloc(canary->arena, (count + 1) * sizeof(*ret->leaks));
    if (ret->leaks == NULL)
        return why_fail(why, STATUS_LIMIT, "the answer needs too much memory");
    for (uint32_t i = 0; i < count; i++) {
        if (!is_new_leak(canary, &verdicts[i]))
            continue;
        ret->leaks[ret->leak_count++] = (struct canary_leak){
            .type = keep(canary, verdicts[i].type),
            .count_per_hour = verdicts[i].count_per_hour,
            .bytes_per_hour = verdicts[i].bytes_per_hour,
            .reason = keep(canary, verdicts[i].reason),
        };
    }
    ret->outcome = ret->leak_count > 0 ? CANARY_LEAK : CANARY_CLEAN;
    return STATUS_OK;
}

static void append_duration(struct buf *ret, int64_t ms)
{
    report_format_number(ret, (double)ms, REPORT_DURATION);
}

static void explain(struct canary *canary, struct canary_answer *answer)
{
    const struct canary_request *request = canary->request;
    struct buf text = BUF_INIT;
    if (answer->leak_count > 0) {
        buf_printf(&text, "%s leaks %s: ", request->candidate->version, answer->leaks[0].type);
        report_format_number(&text, answer->leaks[0].count_per_hour, REPORT_RATE);
        buf_append_text(&text, ", ");
        report_format_number(&text, answer->leaks[0].bytes_per_hour, REPORT_BYTE_RATE);
        buf_printf(&text, " a process, which %s does not at the same uptime",
                   request->baseline->version);
        if (answer->leak_count > 1)
            buf_printf(&text, "; and %zu more", answer->leak_count - 1);
    } else {
        buf_printf(&text, "nothing grows in %s that does not in %s: %zu and %zu processes after ",
                   request->candidate->version, request->baseline->version, canary->counts[1],
                   canary->counts[0]);
        append_duration(&text, canary->judged_ms);
    }
    answer->reason = keep(canary, buf_text(&text));
    buf_done(&text);
}

static void explain_too_early(struct canary *canary, const struct deployment_row *deployment,
                              int64_t uptime_ms, struct canary_answer *answer)
{
    struct buf text = BUF_INIT;
    buf_printf(&text, "half of the processes of %s must have run for ", deployment->version);
    append_duration(&text, canary->request->min_uptime_ms);
    if (uptime_ms > 0) {
        buf_append_text(&text, ": they have run for ");
        append_duration(&text, uptime_ms);
    } else {
        buf_append_text(&text, ": none has sent two snapshots yet");
    }
    answer->outcome = CANARY_TOO_EARLY;
    answer->reason = keep(canary, buf_text(&text));
    buf_done(&text);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static enum status judge(struct canary *canary, struct canary_answer *answer, struct why *why)
{
    const struct detect_config config = {.horizon_ms = canary->judged_ms * 10 / HORIZONS_X10};
    canary->detector = detector_new(&config);
    enum status status = feed_side(canary, 0, config.horizon_ms / PASSES_A_HORIZON, why);
    if (status == STATUS_OK)
        status = feed_side(canary, 1, config.horizon_ms / PASSES_A_HORIZON, why);
    if (status == STATUS_OK)
        status = take_leaks(canary, answer, why);
    detector_free(canary->detector);
    if (status == STATUS_OK)
        explain(canary, answer);
    return status;
}

enum status canary_judge(struct db *db, const struct canary_request *request, struct arena *arena,
                         struct canary_answer *ret, struct why *why)
{
    struct canary canary = {.db = db, .request = request, .arena = arena};
    int64_t uptimes[2] = {0, 0};
    *ret = (struct canary_answer){.reason = ""};
    if (request->baseline->id == request->candidate->id)
        return why_fail(why, STATUS_INVALID, "a version cannot be compared with itself");
    if (request->min_uptime_ms < CANARY_MIN_UPTIME_MS)
        return why_fail(why, STATUS_INVALID, "an uptime of less than %d s tells nothing",
                        CANARY_MIN_UPTIME_MS / 1000);
    for (int side = 0; side < 2; side++) {
        enum status status = choose_lives(&canary, side, &uptimes[side], why);
        if (status != STATUS_OK)
            return status;
        if (uptimes[side] < request->min_uptime_ms) {
            explain_too_early(&canary, side == 0 ? request->baseline : request->candidate,
                              uptimes[side], ret);
            return STATUS_OK;
        }
    }
    canary.judged_ms = uptimes[0] < uptimes[1] ? uptimes[0] : uptimes[1];
    ret->uptime_ms = canary.judged_ms;
    return judge(&canary, ret, why);
}
