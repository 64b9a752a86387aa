/*
 * An agent's day in small: three processes whose heaps follow a formula, so that what arrives can
 * be compared with what must have been. A timer makes one fact a tick.
 *
 * Included by one test program each.
 */
#ifndef TESTS_SUPPORT_AGENT_DAY_H
#define TESTS_SUPPORT_AGENT_DAY_H

#include <unistd.h>

#include "fake_collector.h"
#include "uplink.h"

enum { DAY_PROCESSES = 3, DAY_SNAPSHOTS = 12, TYPES_FIRST = 4 };

struct day {
    struct loop *loop;
    struct uplink *uplink;
    struct loop_timer *timer;
    struct fake_collector fake;
    int snapshots; /* of each process */
    int made;      /* ticks so far */
    int64_t flush_ms;
    size_t spool_bytes;
    int starts_alone; /* the collector is started by hand */
    call_fn *tick;
    const char *before; /* addresses that are tried before the collector's; "" */
    const char *spool_dir;
    uint64_t spool_disk_bytes;
    uint32_t base; /* the processes' numbers are above it */
    int64_t now_ms;
    size_t restored, given_up;
    int spool_troubles;
    int connected, disconnected, refused, lost, done;
    char reason[WHY_CAPACITY];
    size_t pending; /* at the end */
};

static inline uint32_t types_of(int k)
{
    return (uint32_t)(TYPES_FIRST + k / 3);
}

static inline void heap_of(uint32_t process, int k, struct heap_values *ret)
{
    heap_values_resize(ret, types_of(k));
    for (uint32_t i = 0; i < ret->types; i++) {
        ret->values[i].count = (uint64_t)process * 1000 + (uint64_t)k * (i % 3) * 17 + 5;
        ret->values[i].bytes = ret->values[i].count * 56 + (i == 1 ? (uint64_t)(k * k) * 999 : 0);
    }
}

static inline void start_process(struct day *day, uint32_t process)
{
    struct identity identity = {.attribute_count = 1};
    for (int i = 0; i < IDENTITY_FIELDS; i++)
        identity.field[i] = "shop";
    identity.attributes[0] = (struct identity_attribute){"team", "a"};
    const struct uplink_process started = {.process = day->base + process,
                                           .instance_id = {(uint8_t)process},
                                           .identity = &identity,
                                           .pid = 100 + process,
                                           .runtime_version = "3.11.2",
                                           .started_ms = 1};
    assert_int_equal(uplink_process_started(day->uplink, &started), STATUS_OK);
}

static inline void snapshot_process(struct day *day, uint32_t process, int k)
{
    struct heap_values heap = HEAP_VALUES_INIT;
    heap_of(process, k, &heap);
    uint32_t number = day->base + process;
    for (uint32_t i = uplink_types_defined(day->uplink, number); i < heap.types; i++) {
        char name[32];
        snprintf(name, sizeof(name), "shop.Type%u", i);
        uplink_define_type(day->uplink, number, name);
    }
    const struct uplink_snapshot snapshot = {
        .process = number, .time_ms = 1 + k, .values = &heap, .coverage = 10000};
    uplink_snapshot(day->uplink, &snapshot);
    heap_values_done(&heap);
}

static inline void on_done(void *arg)
{
    struct day *day = arg;
    day->done++;
    loop_stop(day->loop);
}

static inline void on_tick(void *arg)
{
    struct day *day = arg;
    int k = day->made++;
    if (k == 0)
        start_process(day, 1);
    if (k == 2) {
        start_process(day, 2);
        start_process(day, 3);
    }
    if (k == day->snapshots) {
        uplink_process_ended(day->uplink, day->base + 2, 1 + k, END_OOM_KILLED);
        loop_timer_stop(day->timer);
        uplink_stop(day->uplink, day->flush_ms, on_done, day);
        return;
    }
    for (uint32_t process = 1; process <= (k < 2 ? 1 : DAY_PROCESSES); process++)
        snapshot_process(day, process, k);
}

static inline void on_connected(void *user, const char *version)
{
    struct day *day = user;
    assert_non_null(version);
    day->connected++;
}

static inline void on_disconnected(void *user, const char *reason, int64_t retry_ms)
{
    struct day *day = user;
    assert_true(retry_ms >= 0);
    day->disconnected++;
    snprintf(day->reason, sizeof(day->reason), "%s", reason);
}

static inline void on_refused(void *user, uint64_t sequence, uint32_t process, const char *reason)
{
    struct day *day = user;
    assert_true(sequence > 0 && process > 0);
    assert_string_equal(reason, "not today");
    day->refused++;
}

static inline void on_lost(void *user, uint32_t process)
{
    struct day *day = user;
    assert_in_range(process, 1, day->base + DAY_PROCESSES);
    day->lost++;
}

static inline void on_spool_restored(void *user, const struct spool_restored *restored, size_t runs)
{
    struct day *day = user;
    assert_true(runs > 0 || restored->facts == 0);
    day->restored = restored->facts;
}

static inline void on_spool_changed(void *user, const char *reason)
{
    struct day *day = user;
    day->spool_troubles += reason != NULL;
}

static inline void on_given_up(void *user, size_t facts, const char *reason)
{
    struct day *day = user;
    assert_non_null(reason);
    day->given_up += facts;
}

static const struct uplink_events day_events = {.connected = on_connected,
                                                .disconnected = on_disconnected,
                                                .refused = on_refused,
                                                .lost = on_lost,
                                                .spool_restored = on_spool_restored,
                                                .spool_changed = on_spool_changed,
                                                .given_up = on_given_up};

static inline struct day *day_new(void)
{
    struct day *day = calloc(1, sizeof(*day));
    day->snapshots = DAY_SNAPSHOTS;
    day->flush_ms = 20000;
    day->spool_bytes = 1 << 20;
    day->spool_disk_bytes = 1 << 20;
    day->now_ms = 1700000000000;
    day->before = "";
    day->loop = loop_new();
    return day;
}

static inline void day_run(struct day *day)
{
    if (!day->starts_alone)
        fake_collector_start(&day->fake);
    char target[128];
    snprintf(target, sizeof(target), "%s127.0.0.1:%d", day->before,
             day->fake.port == 0 ? 1 : day->fake.port);
    const struct uplink_options options = {.channel = {.target = target},
                                           .host = "here",
                                           .spool_bytes = day->spool_bytes,
                                           .spool_dir = day->spool_dir,
                                           .spool_disk_bytes = day->spool_disk_bytes,
                                           .now_ms = day->now_ms,
                                           .retry_ms = 20};
    assert_int_equal(uplink_new(day->loop, &options, &day_events, day, &day->uplink, NULL),
                     STATUS_OK);
    day->base = uplink_last_process(day->uplink);
    day->timer = loop_timer_new(day->loop, day->tick == NULL ? on_tick : day->tick, day);
    uplink_start(day->uplink);
    loop_timer_start(day->timer, 0, 1);
    loop_run(day->loop);
    day->pending = uplink_pending(day->uplink);
    loop_timer_free(day->timer);
    uplink_free(day->uplink);
    loop_free(day->loop);
    if (day->fake.server != NULL)
        fake_collector_stop(&day->fake);
    assert_int_equal(day->done, 1);
}

static inline int stored(const struct day *day, uint32_t process, int k)
{
    struct heap_values heap = HEAP_VALUES_INIT;
    heap_of(process, k, &heap);
    uint64_t fingerprint = fake_fingerprint(&heap);
    heap_values_done(&heap);
    for (int i = 0; i < day->fake.fact_count; i++) {
        const struct fake_fact *fact = &day->fake.facts[i];
        if (fact->process == day->base + process && !fact->ended && fact->time_ms == 1 + k)
            return fact->fingerprint == fingerprint;
    }
    return 0;
}

static inline void assert_all_stored(const struct day *day)
{
    assert_int_equal(day->pending, 0);
    if (day->fake.error[0] != '\0')
        fail_msg("%s", day->fake.error);
    for (uint32_t process = 1; process <= DAY_PROCESSES; process++) {
        for (int k = process == 1 ? 0 : 2; k < day->snapshots; k++) {
            if (!stored(day, process, k))
                fail_msg("snapshot %d of process %u is not stored", k, process);
        }
    }
    const struct fake_fact *last = &day->fake.facts[day->fake.fact_count - 1];
    assert_int_equal(last->process, day->base + 2);
    assert_int_equal(last->ended, 1 + (int)END_OOM_KILLED);
    assert_int_equal(day->fake.fact_count, 1 + day->snapshots + 2 * (day->snapshots - 2));
}

#endif
