/*
 * Lines of a snapshot begin alike: as long as the bytes up to the fourth comma are those of the
 * line before, only type, count and bytes are looked at. What they say is gathered and given to the
 * detector when a line begins differently.
 */
#include "replayer.h"

#include <stdlib.h>
#include <string.h>

#include "attributes.h"
#include "csv_line.h"
#include "name_table.h"

enum {
    FIELDS = 7,
    FIELDS_MAX = 8, /* with the container */
    HEAD_FIELDS = 4,
    PREFIX_MAX = 4096,
    VALUES_MAX = DETECT_TYPES_MAX,
};

static const int64_t bins_per_horizon = 360;
static const int64_t seconds_max = 100000000000; /* above it, a time is in milliseconds */

struct replay {
    struct replay_config config;
    struct name_table services;
    struct detector **detectors; /* [services.count_max] */
    int64_t *told_ms;            /* newest pass that was told of */
    int64_t *newest_ms;          /* newest snapshot */
    uint64_t lines, behind;      /* behind: left out, since their life is ahead of them */
    char *rest;                  /* of a line that is not complete: REPLAY_LINE_MAX */
    size_t rest_size;
    /* the snapshot that is being gathered */
    char prefix[PREFIX_MAX];
    size_t prefix_size; /* 0: none */
    uint64_t prefix_lines;
    int service;
    int64_t time_ms;
    struct detect_key key;
    char version[256];
    size_t version_size;
    struct detect_process process;
    int has_end, oom_killed;
    struct detect_value *values; /* [VALUES_MAX] */
    size_t value_count;
};

struct replay *replay_new(const struct replay_config *config)
{
    struct replay *replay = calloc(1, sizeof(*replay));
    ASSERT(replay != NULL);
    replay->config = *config;
    name_table_init(&replay->services, REPLAY_SERVICES_MAX, (size_t)16 << 20);
    replay->detectors = calloc(REPLAY_SERVICES_MAX, sizeof(struct detector *));
    replay->told_ms = calloc(REPLAY_SERVICES_MAX, sizeof(*replay->told_ms));
    replay->newest_ms = calloc(REPLAY_SERVICES_MAX, sizeof(*replay->newest_ms));
    replay->rest = malloc(REPLAY_LINE_MAX);
    replay->values = malloc(VALUES_MAX * sizeof(*replay->values));
    ASSERT(replay->detectors != NULL && replay->told_ms != NULL && replay->newest_ms != NULL &&
           replay->rest != NULL && replay->values != NULL);
    return replay;
}

void replay_free(struct replay *replay)
{
    if (replay == NULL)
        return;
    for (uint32_t i = 0; i < replay->services.count; i++)
        detector_free(replay->detectors[i]);
    name_table_done(&replay->services);
    free(replay->detectors);
    free(replay->told_ms);
    free(replay->newest_ms);
    free(replay->rest);
    free(replay->values);
    free(replay);
}

uint64_t replay_lines(const struct replay *replay)
{
    return replay->lines;
}

uint64_t replay_lines_behind(const struct replay *replay)
{
    return replay->behind;
}

/* ---- verdicts -------------------------------------------------------------------------------- */

static int is_news(const struct replay *replay, const struct verdict *verdict)
{
    if (verdict->since_ms <= replay->told_ms[replay->service])
        return 0;
    return replay->config.every_tier || verdict_is_settled(verdict);
}

/* In the order of detection: the news are few, the passes they come from fewer. */
static void tell(struct replay *replay)
{
    uint32_t count;
    struct detector *detector = replay->detectors[replay->service];
    const struct verdict *verdicts = detector_verdicts(detector, &count);
    const char *service = replay->services.names[replay->service];
    for (;;) {
        int64_t next_ms = INT64_MAX;
        for (uint32_t i = 0; i < count; i++)
            if (is_news(replay, &verdicts[i]) && verdicts[i].since_ms < next_ms)
                next_ms = verdicts[i].since_ms;
        if (next_ms == INT64_MAX)
            return;
        for (uint32_t i = 0; i < count; i++)
            if (is_news(replay, &verdicts[i]) && verdicts[i].since_ms == next_ms)
                replay->config.tell(replay->config.user, service, &verdicts[i]);
        replay->told_ms[replay->service] = next_ms;
    }
}

/* ---- snapshots ------------------------------------------------------------------------------- */

static int life_of(struct replay *replay, struct detector *detector)
{
    int life = detector_life(detector, &replay->key, replay->version, replay->version_size, 0);
    if (life < 0 || replay->process.cpu_ms == 0 ||
        replay->process.cpu_ms >= detector_cpu_ms(detector, life))
        return life;
    detector_end(detector, life, replay->time_ms, 0); /* the same name for another process */
    return detector_life(detector, &replay->key, replay->version, replay->version_size, 0);
}

/* Lives may differ by the little that their clocks do; a file that is not sorted, by much. */
static void count_order(struct replay *replay, int is_taken)
{
    int64_t *newest_ms = &replay->newest_ms[replay->service];
    int64_t bin_ms = replay->config.detect.horizon_ms / bins_per_horizon;
    if (replay->time_ms < *newest_ms - bin_ms)
        replay->behind += replay->prefix_lines;
    else if (is_taken && replay->time_ms > *newest_ms)
        *newest_ms = replay->time_ms;
}

static void flush(struct replay *replay)
{
    if (replay->prefix_size == 0)
        return;
    struct detector *detector = replay->detectors[replay->service];
    int did = detector_advance(detector, replay->time_ms);
    if ((did & DETECT_CHANGED) != 0 || (did != 0 && replay->config.every_tier))
        tell(replay);
    int has_values = replay->value_count > 0 || replay->process.cpu_ms > 0 ||
                     replay->process.rss_bytes > 0 || replay->process.container_usage_bytes > 0;
    if (has_values) {
        int life = life_of(replay, detector);
        int taken =
            life >= 0 && detector_snapshot(detector, life, replay->time_ms, &replay->process,
                                           replay->values, replay->value_count);
        count_order(replay, taken);
    }
    int life = replay->has_end ? detector_find_life(detector, &replay->key) : DETECT_NONE;
    if (life >= 0)
        detector_end(detector, life, replay->time_ms, replay->oom_killed);
    replay->value_count = 0;
    replay->prefix_size = 0;
    replay->prefix_lines = 0;
    replay->process = (struct detect_process){0};
    replay->has_end = replay->oom_killed = 0;
}

static enum status begin_snapshot(struct replay *replay, const struct csv_field *fields,
                                  struct why *why)
{
    int64_t time;
    enum status status = csv_number(&fields[0], "time", &time, why);
    if (status != STATUS_OK)
        return status;
    int service = name_table_add(&replay->services, fields[1].text, fields[1].size);
    if (service < 0)
        return why_fail(why, STATUS_LIMIT, "there are more than %d services", REPLAY_SERVICES_MAX);
    if (replay->detectors[service] == NULL)
        replay->detectors[service] = detector_new(&replay->config.detect);
    replay->service = service;
    replay->time_ms = time > seconds_max || time < -seconds_max ? time : time * 1000;
    replay->version_size =
        fields[2].size < sizeof(replay->version) ? fields[2].size : sizeof(replay->version);
    memcpy(replay->version, fields[2].text, replay->version_size);
    replay->key = detect_key_of(fields[3].text, fields[3].size);
    return STATUS_OK;
}

static void add_own(struct replay *replay, const struct csv_field *type, uint64_t count,
                    uint64_t bytes)
{
    static const struct {
        const char *name;
        size_t size;
        int is_end;
        size_t at_count, at_bytes; /* in struct detect_process; SIZE_MAX: nowhere */
    } owns[] = {
        {"@cpu_ms", 7, 0, offsetof(struct detect_process, cpu_ms), SIZE_MAX},
        {"@end", 4, 1, SIZE_MAX, SIZE_MAX},
        {"@rss", 4, 0, offsetof(struct detect_process, rss_bytes),
         offsetof(struct detect_process, not_objects_bytes)},
        {"@container", 10, 0, offsetof(struct detect_process, container_usage_bytes),
         offsetof(struct detect_process, container_limit_bytes)},
        {"@free_pools", 11, 0, offsetof(struct detect_process, free_pool_bytes), SIZE_MAX},
        {"@free_malloc", 12, 0, offsetof(struct detect_process, free_malloc_bytes), SIZE_MAX},
    };
    for (size_t i = 0; i < ARRAY_SIZE(owns); i++) {
        if (type->size != owns[i].size || memcmp(type->text, owns[i].name, type->size) != 0)
            continue;
        replay->has_end |= owns[i].is_end;
        replay->oom_killed |= owns[i].is_end && count == 1;
        if (owns[i].at_count != SIZE_MAX)
            memcpy((char *)&replay->process + owns[i].at_count, &count, sizeof(count));
        if (owns[i].at_bytes != SIZE_MAX)
            memcpy((char *)&replay->process + owns[i].at_bytes, &bytes, sizeof(bytes));
    }
}

static uint64_t amount(int64_t number)
{
    return number < 0 ? UINT64_MAX : (uint64_t)number; /* UINT64_MAX: damaged */
}

static enum status add_value(struct replay *replay, const struct csv_field *fields, struct why *why)
{
    int64_t count;
    int64_t bytes;
    enum status status = csv_number(&fields[1], "count", &count, why);
    if (status == STATUS_OK)
        status = csv_number(&fields[2], "bytes", &bytes, why);
    if (status != STATUS_OK)
        return status;
    if (fields[3].size > 0)
        replay->process.container = detect_key_of(fields[3].text, fields[3].size);
    if (fields[0].size > 0 && fields[0].text[0] == '@') {
        add_own(replay, &fields[0], count < 0 ? 0 : (uint64_t)count,
                bytes < 0 ? 0 : (uint64_t)bytes);
        return STATUS_OK;
    }
    int type = detector_type(replay->detectors[replay->service], fields[0].text, fields[0].size);
    if (type >= 0 && replay->value_count < VALUES_MAX)
        replay->values[replay->value_count++] =
            (struct detect_value){type, amount(count), amount(bytes)};
    return STATUS_OK;
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* Some programs put it before a file in UTF-8. */
static size_t mark_size(const struct replay *replay, const char *line, size_t size)
{
    static const char mark[] = "\xef\xbb\xbf";
    size_t mark_bytes = sizeof(mark) - 1;
    return replay->lines == 1 && size >= mark_bytes && memcmp(line, mark, mark_bytes) == 0
               ? mark_bytes
               : 0;
}

static int is_heading(const struct replay *replay, const char *line, size_t size)
{
    static const char heading[] = "time,";
    static const char quoted[] = "\"time\"";
    if (replay->lines != 1)
        return 0;
    return (size >= sizeof(heading) - 1 && memcmp(line, heading, sizeof(heading) - 1) == 0) ||
           (size >= sizeof(quoted) - 1 && memcmp(line, quoted, sizeof(quoted) - 1) == 0);
}

/* Where the fields of the snapshot end: behind the fourth comma. 0: quotes, or too few. */
static size_t prefix_of(const char *line, size_t size)
{
    size_t commas = 0;
    for (size_t i = 0; i < size && i < PREFIX_MAX; i++) {
        if (line[i] == '"')
            return 0;
        commas += line[i] == ',';
        if (commas == HEAD_FIELDS)
            return i + 1;
    }
    return 0;
}

static enum status take_line(struct replay *replay, char *line, size_t size, struct why *why)
{
    static const struct csv_shape whole = {FIELDS, FIELDS_MAX, 0};
    static const struct csv_shape tail = {FIELDS, FIELDS_MAX, HEAD_FIELDS};
    struct csv_field fields[FIELDS_MAX];
    size_t mark = mark_size(replay, line, size);
    line += mark;
    size -= mark;
    if (size == 0 || (size == 1 && line[0] == '\r') || is_heading(replay, line, size))
        return STATUS_OK;
    if (replay->prefix_size > 0 && size > replay->prefix_size &&
        memcmp(line, replay->prefix, replay->prefix_size) == 0) {
        size_t head = replay->prefix_size;
        replay->prefix_lines++;
        enum status status = csv_line_split(line + head, size - head, &tail, fields, why);
        return status == STATUS_OK ? add_value(replay, fields, why) : status;
    }
    flush(replay);
    size_t prefix_size = prefix_of(line, size);
    memcpy(replay->prefix, line, prefix_size);
    enum status status = csv_line_split(line, size, &whole, fields, why);
    if (status == STATUS_OK)
        status = begin_snapshot(replay, fields, why);
    if (status == STATUS_OK)
        status = add_value(replay, fields + HEAD_FIELDS, why);
    if (status != STATUS_OK)
        return status;
    replay->prefix_size = prefix_size;
    replay->prefix_lines = 1;
    if (prefix_size == 0) { /* a quoted one stands for itself */
        replay->prefix_size = 1;
        flush(replay);
    }
    return STATUS_OK;
}

static enum status run_line(struct replay *replay, char *line, size_t size, struct why *why)
{
    replay->lines++;
    enum status status = size > REPLAY_LINE_MAX
                             ? why_fail(why, STATUS_LIMIT, "longer than %d bytes", REPLAY_LINE_MAX)
                             : take_line(replay, line, size, why);
    if (status != STATUS_OK)
        why_prefix(why, "line %llu", (unsigned long long)replay->lines);
    return status;
}

/* What is left of the data before and this piece make a line. */
static enum status join(struct replay *replay, const char *piece, size_t size, struct why *why)
{
    if (size > REPLAY_LINE_MAX - replay->rest_size)
        return run_line(replay, NULL, (size_t)REPLAY_LINE_MAX + 1, why);
    if (size > 0)
        memcpy(replay->rest + replay->rest_size, piece, size);
    replay->rest_size += size;
    return STATUS_OK;
}

enum status replay_feed(struct replay *replay, char *data, size_t size, struct why *why)
{
    char *end = data + size;
    while (data < end) {
        char *feed = memchr(data, '\n', (size_t)(end - data));
        enum status status = STATUS_OK;
        size_t length = (size_t)((feed != NULL ? feed : end) - data);
        if (feed == NULL || replay->rest_size > 0)
            status = join(replay, data, length, why);
        if (status == STATUS_OK && feed != NULL) {
            int joined = replay->rest_size > 0;
            size_t whole = joined ? replay->rest_size : length;
            replay->rest_size = 0;
            status = run_line(replay, joined ? replay->rest : data, whole, why);
        }
        if (status != STATUS_OK || feed == NULL)
            return status;
        data = feed + 1;
    }
    return STATUS_OK;
}

enum status replay_finish(struct replay *replay, struct why *why)
{
    enum status status = STATUS_OK;
    if (replay->rest_size > 0)
        status = run_line(replay, replay->rest, replay->rest_size, why);
    replay->rest_size = 0;
    flush(replay);
    return status;
}
