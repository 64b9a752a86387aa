/*
 * The detector wants to be fed in the order of time, to a grain of its passes, so that it says the
 * same as on the day before, in another collector, or over a file. What is new is therefore fed in
 * turns that end where a pass is due:
 *
 *     |....... pass ....... pass ....... pass ... newest snapshot
 *      all processes, pass, all processes, pass, all processes
 *
 * It lies in the database process by process, though. All turns are read at once, and what is ahead
 * of its turn waits (backlog.h); where there is no more room for it, history is read once more, and
 * from then on not much further than there is room for.
 *
 * A process that was away and sends what it kept is late for passes that have been: its snapshots
 * still count from then on.
 */
#include "service_sweep.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "backlog.h"
#include "choice.h"
#include "follower.h"
#include "history_ranges.h"
#include "type_entry_map.h"

enum {
    PROCESSES_READ = 2 * DETECT_LIVES_MAX, /* about so many at once, see choice.h */
    PROCESSES_LISTED = 4 * PROCESSES_READ, /* of those that there were */
    SPAN_OF_A_CROWD = 12,                  /* turns, where there are more than the detector keeps */
    RECENT_PER_HORIZON = 15,               /* who was seen since may live */
};

static const size_t lists_bytes_max = (size_t)256 << 20;
static const uint32_t state_magic = 0x48465305; /* changes with what is saved here */

NO_PADDING_BEGIN
struct state_head {
    uint32_t magic, follower_count;
    uint64_t sum; /* of what follows: the rest, the followers, the detector's state and its head */
    uint64_t unsaid;
    int64_t made_ms;
};
NO_PADDING_END

struct service_sweep {
    int64_t service_id;
    struct detect_config config;
    size_t ahead_bytes;
    uint64_t reads;
    int unsaid;      /* it was judged, and nobody has been told */
    int64_t made_ms; /* when it was made without a state; 0: it has not read yet */
    struct detector *detector;
    struct followers followers;
    struct type_entry_map map; /* to the detector's */
    struct detect_value *values;
    uint32_t value_room;
};

/* What one sweep works with. */
struct reading {
    struct service_sweep *service;
    struct db *db;
    const struct sweep_keeper *keeper;
    struct arena arena;
    struct deployment_row *deployments;
    size_t deployment_count;
    struct instance_row *instances;
    size_t instance_count;
    struct history_range *ranges;
    uint32_t *range_instances; /* index of each range's instance */
    struct follower **range_followers;
    int **maps; /* [instance_count]: type index to the detector's type; NULL: not needed yet */
    struct choice *choices;
    int64_t newest_ms, turn_end_ms;
    int64_t step_ms;      /* between turns */
    int64_t span;         /* turns that are read at once, behind the one that is due */
    struct backlog ahead; /* of the ranges above */
    int64_t ahead_ms;     /* it has all that was read before this */
    struct why *why;
};

/* ---- types ----------------------------------------------------------------------------------- */

static enum status learn_types(struct reading *reading, const struct instance_row *instance)
{
    struct service_sweep *service = reading->service;
    int32_t *unknown = arena_alloc(&reading->arena, (instance->type_count + 1) * sizeof(*unknown));
    const char **names;
    size_t count = 0;
    if (unknown == NULL)
        return why_fail(reading->why, STATUS_LIMIT, "the service has too many types to be judged");
    for (uint32_t i = 0; i < instance->type_count; i++)
        if (!type_entry_map_has(&service->map, instance->type_ids[i]))
            unknown[count++] = instance->type_ids[i];
    enum status status =
        type_names(reading->db, unknown, count, &reading->arena, &names, reading->why);
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        type_entry_map_put(&service->map, unknown[i],
                           detector_type(service->detector, names[i], strlen(names[i])));
    return status;
}

static enum status make_map(struct reading *reading, uint32_t index)
{
    const struct instance_row *instance = &reading->instances[index];
    struct service_sweep *service = reading->service;
    if (reading->maps[index] != NULL)
        return STATUS_OK;
    enum status status = learn_types(reading, instance);
    if (status != STATUS_OK)
        return status;
    int *types = arena_alloc(&reading->arena, (instance->type_count + 1) * sizeof(*types));
    if (types == NULL)
        return why_fail(reading->why, STATUS_LIMIT, "the service has too many types to be judged");
    for (uint32_t i = 0; i < instance->type_count; i++)
        types[i] = type_entry_map_get(&service->map, instance->type_ids[i]);
    reading->maps[index] = types;
    if (instance->type_count > service->value_room) {
        service->value_room = instance->type_count;
        service->values = realloc(service->values, service->value_room * sizeof(*service->values));
        ASSERT(service->values != NULL);
    }
    return STATUS_OK;
}

/* ---- snapshots ------------------------------------------------------------------------------- */

static struct detect_key key_of(const struct instance_row *instance)
{
    struct detect_key key;
    _Static_assert(sizeof(key.bytes) == ID_BYTES, "a life is an instance");
    memcpy(key.bytes, instance->uuid, sizeof(key.bytes));
    return key;
}

static const char *version_of(const struct reading *reading, const struct instance_row *instance)
{
    for (size_t i = 0; i < reading->deployment_count; i++)
        if (reading->deployments[i].id == instance->deployment_id)
            return reading->deployments[i].version;
    return "";
}

static enum status keep(struct reading *reading)
{
    return reading->keeper->keep(reading->keeper->user, reading->why);
}

static enum status feed(void *user, size_t range, const struct history_snapshot *snapshot)
{
    struct reading *reading = user;
    struct service_sweep *service = reading->service;
    const uint32_t index = reading->range_instances[range];
    const struct instance_row *instance = &reading->instances[index];
    const struct heap_values *heap = snapshot->values;
    enum status status = keep(reading);
    if (status == STATUS_OK)
        status = make_map(reading, index);
    if (status != STATUS_OK)
        return status;
    struct follower *follower = reading->range_followers[range];
    if (snapshot->time_ms > follower->read_ms) /* a clock may be set back */
        follower->read_ms = snapshot->time_ms;
    const struct detect_key key = key_of(instance);
    const char *version = version_of(reading, instance);
    int life =
        detector_life(service->detector, &key, version, strlen(version), instance->started_ms);
    if (life == DETECT_NONE)
        return STATUS_OK;
    const struct detect_process process = {
        .cpu_ms = snapshot->cpu_ms,
        .rss_bytes = snapshot->rss_anon_bytes,
        .not_objects_bytes = snapshot->not_objects_bytes,
        .free_pool_bytes = snapshot->pool_free_bytes,
        .free_malloc_bytes = snapshot->malloc_free_bytes,
        .container_usage_bytes = snapshot->container_usage_bytes,
        .container_limit_bytes = snapshot->container_limit_bytes,
        .container = follower->container,
    };
    uint32_t count = heap->types < instance->type_count ? heap->types : instance->type_count;
    for (uint32_t i = 0; i < count; i++)
        service->values[i] = (struct detect_value){reading->maps[index][i], heap->values[i].count,
                                                   heap->values[i].bytes};
    detector_snapshot(service->detector, life, snapshot->time_ms, &process, service->values, count);
    return STATUS_OK;
}

/* ---- processes ------------------------------------------------------------------------------- */

/* Who was not listed for want of room was passed by so far, as by keep_chosen. */
static int64_t unlisted_until_ms(const struct reading *reading, int64_t oldest_ms)
{
    const struct service_sweep *service = reading->service;
    int64_t next_ms = detector_next_pass(service->detector);
    if (reading->instance_count < PROCESSES_LISTED || next_ms == INT64_MAX)
        return oldest_ms;
    int64_t passed_ms = next_ms - service->config.horizon_ms / DETECT_PASSES_PER_HORIZON - 1;
    return passed_ms > oldest_ms ? passed_ms : oldest_ms;
}

/* Each process is asked once which container it lives in. */
static enum status place_new(struct reading *reading)
{
    struct service_sweep *service = reading->service;
    int64_t *ids = arena_alloc(&reading->arena, (service->followers.count + 1) * sizeof(*ids));
    struct instance_about *about;
    size_t count = 0;
    if (ids == NULL)
        return why_fail(reading->why, STATUS_LIMIT, "the service has too many processes");
    for (uint32_t i = 0; i < service->followers.count; i++)
        if (!follower_is_placed(&service->followers.list[i]))
            ids[count++] = service->followers.list[i].instance_id;
    if (count == 0)
        return STATUS_OK;
    enum status status = instance_about_read(reading->db, service->service_id, ids, count,
                                             &reading->arena, &about, reading->why);
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        follower_place(followers_find(&service->followers, ids[i]), &about[i]);
    return status;
}

static enum status list_instances(struct reading *reading, int64_t oldest_ms, int64_t now_ms)
{
    struct service_sweep *service = reading->service;
    int64_t *kept = arena_alloc(&reading->arena, (service->followers.count + 1) * sizeof(*kept));
    struct judged_filter filter = {
        .from_ms = oldest_ms,
        .living_from_ms = now_ms - service->config.horizon_ms / RECENT_PER_HORIZON,
        .kept_ids = kept,
        .max = PROCESSES_LISTED,
    };
    if (kept == NULL)
        return why_fail(reading->why, STATUS_LIMIT, "the service has too many processes");
    for (uint32_t i = 0; i < service->followers.count; i++)
        if (service->followers.list[i].kept)
            kept[filter.kept_count++] = service->followers.list[i].instance_id;
    return instance_list_judged(reading->db, service->service_id, &filter, &reading->arena,
                                &reading->instances, &reading->instance_count, reading->why);
}

static enum status list_processes(struct reading *reading, int64_t oldest_ms, int64_t now_ms)
{
    struct service_sweep *service = reading->service;
    enum status status =
        deployment_names(reading->db, service->service_id, &reading->arena, &reading->deployments,
                         &reading->deployment_count, reading->why);
    if (status == STATUS_OK)
        status = list_instances(reading, oldest_ms, now_ms);
    if (status != STATUS_OK)
        return status;
    size_t count = reading->instance_count + 1;
    reading->ranges = arena_alloc(&reading->arena, count * sizeof(*reading->ranges));
    reading->range_instances = arena_alloc(&reading->arena, count * sizeof(uint32_t));
    reading->range_followers = arena_alloc(&reading->arena, count * sizeof(struct follower *));
    reading->choices = arena_alloc(&reading->arena, count * sizeof(*reading->choices));
    reading->maps = arena_alloc(&reading->arena, count * sizeof(int *));
    if (reading->ranges == NULL || reading->range_instances == NULL ||
        reading->range_followers == NULL || reading->choices == NULL || reading->maps == NULL)
        return why_fail(reading->why, STATUS_LIMIT, "the service has too many processes");
    for (size_t i = 0; i < count; i++)
        reading->maps[i] = NULL;
    followers_match(&service->followers, reading->instances, reading->instance_count,
                    unlisted_until_ms(reading, oldest_ms));
    return place_new(reading);
}

/* ---- turns ----------------------------------------------------------------------------------- */

/* Feed it, or keep it for its turn. A process has none before its start. */
static enum status feed_or_keep(void *user, size_t range, const struct history_snapshot *snapshot)
{
    struct reading *reading = user;
    int64_t turn_ms = reading->instances[reading->range_instances[range]].started_ms;
    turn_ms = snapshot->time_ms > turn_ms ? snapshot->time_ms : turn_ms;
    if (turn_ms < reading->turn_end_ms)
        return feed(user, range, snapshot);
    backlog_add(&reading->ahead, turn_ms, range, snapshot);
    return keep(reading);
}

/* Those that have anything unread before `end_ms`, in the order of the list. */
static uint32_t list_unread(struct reading *reading, int64_t end_ms)
{
    struct service_sweep *service = reading->service;
    uint32_t count = 0;
    for (size_t i = 0; i < reading->instance_count; i++) {
        const struct instance_row *instance = &reading->instances[i];
        struct follower *follower = followers_find(&service->followers, instance->id);
        if (instance->last_seen_ms <= follower->read_ms || instance->started_ms >= end_ms ||
            follower->read_ms + 1 >= end_ms)
            continue;
        const struct detect_key key = key_of(instance);
        reading->range_instances[count] = (uint32_t)i;
        reading->range_followers[count] = follower;
        reading->choices[count] = (struct choice){
            instance->deployment_id, detector_find_life(service->detector, &key) != DETECT_NONE, 0};
        reading->ranges[count++] =
            (struct history_range){instance->id, follower->read_ms + 1, end_ms - 1};
    }
    return count;
}

/* Who is not chosen is passed by, as the detector would: its time comes when there is room. */
static uint32_t keep_chosen(struct reading *reading, uint32_t count, int64_t end_ms)
{
    uint32_t kept = 0;
    choice_make(reading->choices, count, PROCESSES_READ);
    for (uint32_t i = 0; i < count; i++) {
        if (!reading->choices[i].is_chosen) {
            reading->range_followers[i]->read_ms = end_ms - 1;
            continue;
        }
        reading->range_instances[kept] = reading->range_instances[i];
        reading->range_followers[kept] = reading->range_followers[i];
        reading->ranges[kept++] = reading->ranges[i];
    }
    return kept;
}

/* Of those that are about to be read, which lack them. */
static enum status read_types(struct reading *reading, uint32_t count)
{
    struct instance_row **rows =
        arena_alloc(&reading->arena, (count + 1) * sizeof(struct instance_row *));
    size_t unknown = 0;
    if (rows == NULL)
        return why_fail(reading->why, STATUS_LIMIT, "the service has too many processes");
    for (uint32_t i = 0; i < count; i++) {
        struct instance_row *instance = &reading->instances[reading->range_instances[i]];
        if (instance->type_count == 0)
            rows[unknown++] = instance;
    }
    return instance_list_types(reading->db, reading->service->service_id, rows, unknown,
                               &reading->arena, reading->why);
}

/* What was dropped is read again, so no more is read than twice what there was room for. */
static void learn_span(struct reading *reading, int64_t end_ms)
{
    int64_t kept = (reading->ahead_ms - reading->turn_end_ms) / reading->step_ms;
    if (reading->ahead_ms >= end_ms)
        reading->span *= 2;
    else
        reading->span = kept > 0 ? 2 * kept : 1;
    if (reading->span > BACKLOG_CUTS_MAX)
        reading->span = BACKLOG_CUTS_MAX;
}

/* This turn and, as far as there is room, what is ahead of it. */
static enum status read_on(struct reading *reading)
{
    struct service_sweep *service = reading->service;
    int64_t end_ms = reading->turn_end_ms + reading->span * reading->step_ms;
    if (end_ms > reading->newest_ms)
        end_ms = reading->newest_ms + 1;
    uint32_t count = keep_chosen(reading, list_unread(reading, end_ms), end_ms);
    backlog_begin(&reading->ahead, reading->turn_end_ms, reading->step_ms, end_ms);
    service->reads += count > 0;
    enum status status = read_types(reading, count);
    if (status == STATUS_OK)
        status = history_walk_ranges(reading->db, service->service_id, reading->ranges, count,
                                     feed_or_keep, reading, reading->why);
    reading->ahead_ms = backlog_end_ms(&reading->ahead);
    learn_span(reading, end_ms);
    return status;
}

static void tell_ends(struct reading *reading, int64_t end_ms)
{
    struct service_sweep *service = reading->service;
    for (size_t i = 0; i < reading->instance_count; i++) {
        const struct instance_row *instance = &reading->instances[i];
        struct follower *follower = followers_find(&service->followers, instance->id);
        if (follower->ended || instance->ended_ms == 0 || instance->ended_ms >= end_ms)
            continue;
        const struct detect_key key = key_of(instance);
        int life = detector_find_life(service->detector, &key);
        follower->ended = 1;
        if (life != DETECT_NONE)
            detector_end(service->detector, life, instance->ended_ms, instance->oom_killed);
    }
}

/* Everything before `end_ms` that has not been fed. */
static enum status feed_turn(struct reading *reading, int64_t end_ms)
{
    reading->turn_end_ms = end_ms;
    enum status status = end_ms <= reading->ahead_ms
                             ? backlog_take(&reading->ahead, end_ms, feed, reading)
                             : read_on(reading);
    if (status == STATUS_OK)
        tell_ends(reading, end_ms <= reading->newest_ms ? end_ms : reading->newest_ms + 1);
    return status;
}

/* When the first snapshot to read can have been taken; INT64_MAX: there is none. */
static int64_t first_unread_ms(const struct reading *reading, int64_t *ret_newest_ms)
{
    int64_t first_ms = INT64_MAX;
    *ret_newest_ms = 0;
    for (size_t i = 0; i < reading->instance_count; i++) {
        const struct instance_row *instance = &reading->instances[i];
        const struct follower *follower =
            followers_find(&reading->service->followers, instance->id);
        int64_t from_ms =
            follower->read_ms > instance->started_ms ? follower->read_ms : instance->started_ms;
        if (instance->last_seen_ms > follower->read_ms && from_ms < first_ms)
            first_ms = from_ms;
        if (instance->last_seen_ms > *ret_newest_ms)
            *ret_newest_ms = instance->last_seen_ms;
    }
    return first_ms;
}

/* A turn ends when a pass is due, so that each sees what was there by then, however late it is. */
static enum status read_all(struct reading *reading, int64_t now_ms, int *ret_passed)
{
    struct detector *detector = reading->service->detector;
    int64_t step = reading->service->config.horizon_ms / DETECT_PASSES_PER_HORIZON;
    int64_t newest_ms;
    reading->step_ms = step;
    reading->span = reading->instance_count > DETECT_LIVES_MAX ? SPAN_OF_A_CROWD : BACKLOG_CUTS_MAX;
    int64_t first_ms = first_unread_ms(reading, &newest_ms);
    newest_ms = newest_ms < now_ms ? newest_ms : now_ms;
    reading->newest_ms = newest_ms;
    enum status status = STATUS_OK;
    int64_t end_ms = first_ms == INT64_MAX ? newest_ms + 1 : (first_ms / step + 1) * step;
    while (status == STATUS_OK) {
        status = feed_turn(reading, end_ms);
        if (end_ms > newest_ms)
            break;
        if (status == STATUS_OK && detector_advance(detector, end_ms) != 0)
            *ret_passed = 1;
        if (status == STATUS_OK)
            status = keep(reading);
        end_ms += step;
    }
    return status;
}

/* Those are listed the next time, whoever else there is. */
static void note_kept(struct reading *reading)
{
    for (size_t i = 0; i < reading->instance_count; i++) {
        const struct detect_key key = key_of(&reading->instances[i]);
        struct follower *follower =
            followers_find(&reading->service->followers, reading->instances[i].id);
        if (follower != NULL)
            follower->kept = detector_find_life(reading->service->detector, &key) != DETECT_NONE;
    }
}

enum status service_sweep_read(struct service_sweep *service, struct db *db, int64_t now_ms,
                               const struct sweep_keeper *keeper, int *ret_passed, struct why *why)
{
    struct reading reading = {
        .service = service, .db = db, .keeper = keeper, .why = why, .ahead_ms = INT64_MIN};
    int64_t oldest_ms = now_ms - SWEEP_HORIZONS * service->config.horizon_ms;
    *ret_passed = 0;
    if (service->made_ms == 0)
        service->made_ms = now_ms;
    arena_init(&reading.arena, lists_bytes_max);
    backlog_init(&reading.ahead, service->ahead_bytes);
    enum status status = list_processes(&reading, oldest_ms > 0 ? oldest_ms : 0, now_ms);
    if (status == STATUS_OK)
        status = read_all(&reading, now_ms, ret_passed);
    service->unsaid |= *ret_passed;
    note_kept(&reading);
    backlog_done(&reading.ahead);
    arena_done(&reading.arena);
    return status;
}

/* ---- life ------------------------------------------------------------------------------------ */

static uint64_t sum_of(const uint8_t *state, size_t size)
{
    const size_t from = offsetof(struct state_head, unsaid);
    return detector_state_sum(state + from, size - from);
}

static int load(struct service_sweep *service, const uint8_t *state, size_t size)
{
    struct state_head head;
    struct why why = {""};
    if (size < sizeof(head))
        return 0;
    memcpy(&head, state, sizeof(head));
    const uint8_t *rest = state + sizeof(head);
    size_t left = size - sizeof(head);
    size_t followers = (size_t)head.follower_count * sizeof(struct follower);
    if (head.magic != state_magic || followers > left || head.sum != sum_of(state, size) ||
        detector_load(&service->config, rest + followers, left - followers, &service->detector,
                      &why) != STATUS_OK)
        return 0;
    service->followers.list = malloc(followers + 1);
    ASSERT(service->followers.list != NULL);
    memcpy(service->followers.list, rest, followers);
    service->followers.count = service->followers.room = head.follower_count;
    service->unsaid = head.unsaid != 0;
    service->made_ms = head.made_ms;
    return 1;
}

struct service_sweep *service_sweep_new(const struct detect_config *config, int64_t service_id,
                                        size_t ahead_bytes, const uint8_t *state, size_t size)
{
    struct service_sweep *service = calloc(1, sizeof(*service));
    ASSERT(service != NULL);
    service->service_id = service_id;
    service->config = *config;
    service->ahead_bytes = ahead_bytes;
    if (size == 0 || !load(service, state, size))
        service->detector = detector_new(config);
    return service;
}

void service_sweep_free(struct service_sweep *service)
{
    if (service == NULL)
        return;
    detector_free(service->detector);
    free(service->followers.list);
    type_entry_map_done(&service->map);
    free(service->values);
    free(service);
}

int64_t service_sweep_id(const struct service_sweep *service)
{
    return service->service_id;
}

struct detector *service_sweep_detector(struct service_sweep *service)
{
    return service->detector;
}

int service_sweep_is_unsaid(const struct service_sweep *service)
{
    return service->unsaid;
}

void service_sweep_set_unsaid(struct service_sweep *service, int unsaid)
{
    service->unsaid = unsaid;
}

int64_t service_sweep_made_ms(const struct service_sweep *service)
{
    return service->made_ms;
}

uint64_t service_sweep_reads(const struct service_sweep *service)
{
    return service->reads;
}

void service_sweep_save(const struct service_sweep *service, struct buf *ret)
{
    struct state_head head = {.magic = state_magic,
                              .follower_count = service->followers.count,
                              .unsaid = service->unsaid != 0,
                              .made_ms = service->made_ms};
    size_t head_at = ret->size;
    buf_append(ret, &head, sizeof(head));
    buf_append(ret, service->followers.list, service->followers.count * sizeof(struct follower));
    detector_save(service->detector, ret);
    head.sum = sum_of(ret->data + head_at, ret->size - head_at);
    memcpy(ret->data + head_at, &head, sizeof(head));
}
