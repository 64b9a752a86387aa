/*
 * The tables: types, versions, lives, and who must go when they are full. What can be forgotten
 * with the least loss goes first: an ended life of the version that has the most of them; a
 * version that never lived long.
 */
#include "detector_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attributes.h"
#include "utf8.h"

static const size_t type_bytes_max = (size_t)8 << 20;
static const char *const own_types[TYPES_OWN] = {
    [TYPE_PROCESS_MEMORY] = "(process memory)",
    [TYPE_NATIVE_MEMORY] = "(native memory)",
    [TYPE_FREE_HEAP] = "(free heap space)",
};

int detector_is_own_name(const char *name)
{
    for (size_t i = 0; i < TYPES_OWN; i++)
        if (strcmp(name, own_types[i]) == 0)
            return 1;
    return 0;
}

struct detector *detector_new(const struct detect_config *config)
{
    ASSERT(config->horizon_ms >= DETECT_HORIZON_MIN_MS);
    struct detector *detector = calloc(1, sizeof(*detector));
    ASSERT(detector != NULL);
    detector->config = *config;
    detector->bin_ms = (double)config->horizon_ms / LIFE_BINS_PER_HORIZON;
    detector->series_room = DETECT_SERIES_MAX;
    detector->candidates = calloc(CANDIDATES_MAX, sizeof(*detector->candidates));
    detector->held = calloc(CANDIDATES_MAX, sizeof(*detector->held));
    detector->verdicts = calloc(VERDICTS_MAX, sizeof(*detector->verdicts));
    ASSERT(detector->candidates != NULL && detector->held != NULL && detector->verdicts != NULL);
    name_table_init(&detector->types, DETECT_TYPES_MAX, type_bytes_max);
    detector->rooms = rooms_new();
    judge_init(&detector->judge, detector->bin_ms);
    for (size_t i = 0; i < TYPES_OWN; i++)
        ASSERT(detector_type(detector, own_types[i], strlen(own_types[i])) == (int)i);
    return detector;
}

void detector_free(struct detector *detector)
{
    if (detector == NULL)
        return;
    for (uint32_t i = 0; i < detector->life_count; i++)
        life_free(&detector->lives[i]);
    judge_done(&detector->judge);
    name_table_done(&detector->types);
    free(detector->tracks);
    free(detector->candidates);
    free(detector->held);
    free(detector->rooms);
    free(detector->verdicts);
    free(detector);
}

int detector_type(struct detector *detector, const char *name, size_t size)
{
    int type = name_table_add(&detector->types, name, size);
    if (detector->types.room > detector->track_room) {
        uint32_t before = detector->track_room;
        detector->track_room = detector->types.room;
        detector->tracks =
            realloc(detector->tracks, detector->track_room * sizeof(*detector->tracks));
        ASSERT(detector->tracks != NULL);
        memset(detector->tracks + before, 0,
               (detector->track_room - before) * sizeof(*detector->tracks));
    }
    return type;
}

/* Two sums of 64 bits. */
struct detect_key detect_key_of(const char *name, size_t size)
{
    struct detect_key key;
    uint64_t sums[2] = {0xcbf29ce484222325U, 0x9e3779b97f4a7c15U};
    for (size_t i = 0; i < size; i++) {
        sums[0] = (sums[0] ^ (uint8_t)name[i]) * 0x100000001b3U;
        sums[1] = (sums[1] + (uint8_t)name[i]) * 0xff51afd7ed558ccdU;
        sums[1] ^= sums[1] >> 32;
    }
    memcpy(key.bytes, sums, sizeof(key.bytes));
    key.bytes[15] |= 1;
    return key;
}

/* ---- lives ----------------------------------------------------------------------------------- */

/* It has ended, or nobody has seen it for half a horizon. While there is no room for anybody, only
 * the passes know the time. */
static int is_silent(const struct detector *detector, const struct life *life)
{
    int64_t now_ms =
        detector->now_ms > detector->last_pass_ms ? detector->now_ms : detector->last_pass_ms;
    return life->ended || now_ms - life->last_ms > detector->config.horizon_ms / 2;
}

static void drop_life(struct detector *detector, struct life *life)
{
    detector->series_room += life_series_count(life);
    detector->versions[life->version].lives--;
    life_free(life);
    *life = (struct life){0};
}

/* A silent one, of the version with the lowest number: a look at each life alone, since in a crowd
 * every snapshot of one that has no room asks for this. */
static struct life *any_silent_life(struct detector *detector)
{
    struct life *found = NULL;
    for (uint32_t i = 0; i < detector->life_count; i++) {
        struct life *life = &detector->lives[i];
        if (life->used && is_silent(detector, life) &&
            (found == NULL || life->version < found->version ||
             (life->version == found->version && life->last_ms < found->last_ms)))
            found = life;
    }
    return found;
}

/* The one that was seen last the longest ago, among the silent or the living ones of a version. */
static struct life *oldest_life(struct detector *detector, uint32_t version, int silent)
{
    struct life *oldest = NULL;
    for (uint32_t i = 0; i < detector->life_count; i++) {
        struct life *life = &detector->lives[i];
        if (life->used && life->version == version && is_silent(detector, life) == silent &&
            (oldest == NULL || life->last_ms < oldest->last_ms))
            oldest = life;
    }
    return oldest;
}

static uint32_t largest_version(const struct detector *detector)
{
    uint32_t largest = 0;
    for (uint32_t i = 1; i < DETECT_VERSIONS_MAX; i++)
        if (detector->versions[i].lives > detector->versions[largest].lives)
            largest = i;
    return largest;
}

/* Make room for a life of `version`; NULL if all others are worth more. */
static struct life *free_life(struct detector *detector, uint32_t version)
{
    enum { unfair = 8 }; /* a version gives up living ones to one that has so many fewer */
    for (uint32_t i = 0; i < detector->life_count; i++)
        if (!detector->lives[i].used)
            return &detector->lives[i];
    if (detector->life_count < DETECT_LIVES_MAX)
        return &detector->lives[detector->life_count++];
    uint32_t largest = largest_version(detector);
    struct life *life = oldest_life(detector, largest, 1);
    if (life == NULL)
        life = any_silent_life(detector);
    if (life == NULL &&
        detector->versions[version].lives + unfair < detector->versions[largest].lives)
        life = oldest_life(detector, largest, 0);
    if (life != NULL)
        drop_life(detector, life);
    return life;
}

/* ---- versions -------------------------------------------------------------------------------- */

static int version_is_silent(const struct detector *detector, uint32_t version)
{
    for (uint32_t i = 0; i < detector->life_count; i++) {
        const struct life *life = &detector->lives[i];
        if (life->used && life->version == version && !is_silent(detector, life))
            return 0;
    }
    return 1;
}

static int version_lived_long(const struct detector *detector, uint32_t version)
{
    for (uint32_t i = 0; i < detector->life_count; i++)
        if (detector->lives[i].used && detector->lives[i].version == version &&
            life_uptime(&detector->lives[i]) >= LIFE_BINS_PER_HORIZON / MAJOR_PASSES_PER_HORIZON)
            return 1;
    return 0;
}

static int forget_version(struct detector *detector)
{
    int worst = -1;
    int worst_lived = 0;
    for (uint32_t i = 0; i < DETECT_VERSIONS_MAX; i++) {
        if (!version_is_silent(detector, i))
            continue;
        int lived = version_lived_long(detector, i);
        if (worst < 0 || lived < worst_lived ||
            (lived == worst_lived &&
             detector->versions[i].order < detector->versions[worst].order)) {
            worst = (int)i;
            worst_lived = lived;
        }
    }
    for (uint32_t i = 0; worst >= 0 && i < detector->life_count; i++)
        if (detector->lives[i].used && detector->lives[i].version == (uint32_t)worst)
            drop_life(detector, &detector->lives[i]);
    if (worst >= 0)
        detector->versions[worst] = (struct version){.order = 0};
    return worst;
}

static int find_version(struct detector *detector, const char *name, size_t size)
{
    int room = -1;
    size = utf8_cut(name, size, VERSION_NAME_BYTES - 1);
    for (int i = 0; i < DETECT_VERSIONS_MAX; i++) {
        const struct version *version = &detector->versions[i];
        if (version->order == 0)
            room = room < 0 ? i : room;
        else if (strncmp(version->name, name, size) == 0 && version->name[size] == '\0')
            return i;
    }
    if (room < 0)
        room = forget_version(detector);
    if (room < 0)
        return DETECT_NONE;
    struct version *version = &detector->versions[room];
    *version = (struct version){.order = ++detector->version_order};
    memcpy(version->name, name, size);
    return room;
}

/* ---- feeding --------------------------------------------------------------------------------- */

int detector_life(struct detector *detector, const struct detect_key *key, const char *version,
                  size_t version_size, int64_t started_ms)
{
    int number = find_version(detector, version, version_size);
    for (uint32_t i = 0; i < detector->life_count; i++) {
        struct life *life = &detector->lives[i];
        if (!life->used || memcmp(&life->key, key, sizeof(*key)) != 0)
            continue;
        if (!life->ended && (int)life->version == number)
            return (int)i;
        life->ended = 1; /* the same name for another process */
        life->key = (struct detect_key){{0}};
    }
    struct life *life = number < 0 ? NULL : free_life(detector, (uint32_t)number);
    if (life == NULL)
        return DETECT_NONE;
    life_init(life, key, (uint32_t)number, started_ms);
    detector->versions[number].lives++;
    return (int)(life - detector->lives);
}

int detector_find_life(const struct detector *detector, const struct detect_key *key)
{
    for (uint32_t i = 0; i < detector->life_count; i++)
        if (detector->lives[i].used && !detector->lives[i].ended &&
            memcmp(&detector->lives[i].key, key, sizeof(*key)) == 0)
            return (int)i;
    return DETECT_NONE;
}

uint64_t detector_cpu_ms(const struct detector *detector, int life)
{
    return detector->lives[life].cpu_ms;
}

static uint64_t less(uint64_t from, uint64_t part)
{
    return from > part ? from - part : 0;
}

static void own_bytes(const struct detect_process *process, uint64_t ret[TYPES_OWN])
{
    uint64_t unused = process->free_pool_bytes + process->free_malloc_bytes;
    ret[TYPE_PROCESS_MEMORY] =
        process->rss_bytes > 0 ? process->rss_bytes : process->container_usage_bytes;
    ret[TYPE_NATIVE_MEMORY] = less(process->not_objects_bytes, unused);
    ret[TYPE_FREE_HEAP] = unused;
}

uint64_t detector_own_bytes(const char *name, const struct detect_process *process)
{
    uint64_t bytes[TYPES_OWN];
    own_bytes(process, bytes);
    for (int i = 0; i < TYPES_OWN; i++) {
        if (strcmp(name, own_types[i]) == 0)
            return bytes[i];
    }
    return 0;
}

static void add_own_types(struct detector *detector, struct life *life,
                          const struct detect_process *process)
{
    uint64_t bytes[TYPES_OWN];
    struct detect_value own[TYPES_OWN];
    own_bytes(process, bytes);
    for (int i = 0; i < TYPES_OWN; i++)
        own[i] = (struct detect_value){i, bytes[i] >> 10, bytes[i]};
    if (bytes[TYPE_PROCESS_MEMORY] > 0)
        life_values(life, own, TYPES_OWN, &detector->series_room);
}

int detector_snapshot(struct detector *detector, int number, int64_t time_ms,
                      const struct detect_process *process, const struct detect_value *values,
                      size_t count)
{
    ASSERT(number >= 0 && (uint32_t)number < detector->life_count);
    struct life *life = &detector->lives[number];
    ASSERT(life->used);
    if (!life_snapshot(life, detector->bin_ms, time_ms, process))
        return 0;
    struct version *version = &detector->versions[life->version];
    if (life->started_ms > version->newest_start_ms)
        version->newest_start_ms = life->started_ms;
    add_own_types(detector, life, process);
    life_values(life, values, count, &detector->series_room);
    if (time_ms > detector->now_ms)
        detector->now_ms = time_ms;
    if (detector->last_pass_ms == 0)
        detector->last_pass_ms = time_ms;
    return 1;
}

void detector_end(struct detector *detector, int number, int64_t time_ms, int oom_killed)
{
    ASSERT(number >= 0 && (uint32_t)number < detector->life_count);
    struct life *life = &detector->lives[number];
    life->ended = 1;
    life->ended_ms = time_ms;
    life->oom_killed = oom_killed;
}

/* ---- passes ---------------------------------------------------------------------------------- */

static int64_t pass_step(const struct detector *detector)
{
    return detector->config.horizon_ms / DETECT_PASSES_PER_HORIZON;
}

int64_t detector_next_pass(const struct detector *detector)
{
    int64_t step = pass_step(detector);
    return detector->last_pass_ms == 0 ? INT64_MAX : (detector->last_pass_ms / step + 1) * step;
}

int detector_advance(struct detector *detector, int64_t now_ms)
{
    int64_t step = pass_step(detector);
    int did = 0;
    if (detector->last_pass_ms == 0 || now_ms <= detector->last_pass_ms)
        return 0;
    if (now_ms > detector->now_ms + detector->config.horizon_ms)
        now_ms = detector->now_ms + detector->config.horizon_ms;
    if (now_ms - detector->last_pass_ms > detector->config.horizon_ms)
        detector->last_pass_ms = (now_ms / step - 1) * step;
    while (now_ms >= detector_next_pass(detector)) {
        int64_t before_ms = detector->last_pass_ms;
        detector->last_pass_ms = detector_next_pass(detector);
        did |= DETECT_PASSED | (detector_pass(detector, before_ms) ? DETECT_CHANGED : 0);
    }
    return did;
}

struct detect_size detector_size(const struct detector *detector)
{
    struct detect_size size = {.bytes = sizeof(*detector) + detector->types.texts.used_bytes};
    for (uint32_t i = 0; i < detector->life_count; i++) {
        uint64_t series = life_series_count(&detector->lives[i]);
        size.series += series;
        size.bytes += series / LIFE_CHUNK * sizeof(struct life_chunk);
    }
    return size;
}
