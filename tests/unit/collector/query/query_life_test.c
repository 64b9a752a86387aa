#include "query_life.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fake_glance.h"

static const int64_t minute_ms = 60000;
static const int64_t start_ms = 1795338000000;

static struct arena arena;
static struct query query;

static int fresh(void **state)
{
    (void)state;
    arena_done(&arena);
    arena_init(&arena, 1 << 20);
    fake_reset();
    int service = fake_service("shop", "", "");
    int deployment = fake_deployment(service, "v1");
    (void)fake_instance(deployment, start_ms, "dict", "app.Order", NULL);
    query = (struct query){.arena = &arena, .now_ms = start_ms};
    return 0;
}

/* Minute after minute: `counts` of the second type, each object 100 bytes; the first stays at 50.
 */
static void minutes(int from, int to, uint64_t (*count_at)(int minute))
{
    for (int i = from; i < to; i++) {
        uint64_t count = count_at(i);
        struct type_value values[] = {{50, 5000}, {count, 100 * count}};
        fake_snapshot(0, start_ms + i * minute_ms, 2, values);
    }
}

static enum status take_life(void *user, size_t index, struct life *life, struct why *why)
{
    struct life *taken = user;
    (void)why;
    taken[index] = *life;
    *life = (struct life){0};
    return STATUS_OK;
}

static struct life read_life(int64_t until_ms)
{
    struct life life = {0};
    struct why why = {0};
    const struct life_wanted wanted = {&fake.instances[0], until_ms};
    if (life_read_all(&query, 1, &wanted, 1, take_life, &life, &why) != STATUS_OK)
        fail_msg("%s", why.text);
    return life;
}

/* The growth of the second type per hour, over the whole life. */
static double growth(void)
{
    struct life life = read_life(INT64_MAX);
    double per_hour = life_count_per_hour(&life, 1);
    if (life.hours > 0) {
        assert_true(life_count_per_hour(&life, 0) == 0);
        assert_true(fabs(life_bytes_per_hour(&life, 1) - 100 * per_hour) < 0.1);
        assert_true(fabs(life_total_bytes_per_hour(&life) - 100 * per_hour) < 0.1);
        assert_true(life_count_per_hour(&life, 7) == 0);
    }
    life_done(&life);
    return per_hour;
}

static uint64_t ten_a_minute(int minute)
{
    return 1000 + 10 * (uint64_t)minute;
}

static uint64_t steady(int minute)
{
    (void)minute;
    return 1000;
}

/* Up to 900 come and go between what is retained. */
static uint64_t sawtooth_on_a_slope(int minute)
{
    return 1000 + 10 * (uint64_t)minute + 100 * (uint64_t)(minute % 10);
}

static uint64_t filled_in_the_first_tenth(int minute)
{
    return minute < 12 ? 1000 * (uint64_t)minute : 12000;
}

static uint64_t torn_at_times(int minute)
{
    return minute % 17 == 0 ? 3 : ten_a_minute(minute);
}

static void slopes(void **state)
{
    static const struct {
        uint64_t (*count_at)(int minute);
        double least, most;
    } rows[] = {
        {ten_a_minute, 599.9, 600.1},    {steady, 0, 0},
        {sawtooth_on_a_slope, 550, 650}, {filled_in_the_first_tenth, 0, 0},
        {torn_at_times, 550, 650},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        (void)fresh(state);
        minutes(0, 120, rows[i].count_at);
        double per_hour = growth();
        if (per_hour < rows[i].least || per_hour > rows[i].most)
            fail_msg("row %zu: %g", i, per_hour);
    }
}

static void short_lives(void **state)
{
    struct life life = read_life(INT64_MAX);
    assert_int_equal(life.first_ms, 0); /* no snapshot at all */
    assert_int_equal(life.newest.types, 0);
    assert_true(isnan(growth()));
    life_done(&life);
    for (int count = 1; count < 25; count++) {
        (void)fresh(state);
        minutes(0, count, ten_a_minute);
        life = read_life(INT64_MAX);
        assert_int_equal(life.first_ms, start_ms);
        assert_int_equal(life.newest.values[1].count, ten_a_minute(count - 1));
        assert_true((life.hours > 0) == (count >= 10));
        life_done(&life);
        double per_hour = growth();
        assert_true(count < 10 ? isnan(per_hour) : per_hour > 500 && per_hour < 700);
    }
}

/* A type that comes up late has grown from nothing. */
static void new_types(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        struct type_value values[] = {{50, 5000}, {100, 10000}};
        fake_snapshot(0, start_ms + i * minute_ms, i < 50 ? 1 : 2, values);
    }
    struct life life = read_life(INT64_MAX);
    double hours = 99 * 0.8 / 60;
    assert_true(life_count_per_hour(&life, 1) > 99 / hours * 0.9);
    assert_true(life_count_per_hour(&life, 1) < 101 / hours * 1.1);
    life_done(&life);
}

static void until_a_moment(void **state)
{
    (void)state;
    minutes(0, 60, ten_a_minute);
    minutes(60, 120, steady);
    struct life life = read_life(start_ms + 59 * minute_ms + 30000);
    assert_int_equal(life.newest_ms, start_ms + 59 * minute_ms);
    assert_int_equal(life.newest.values[1].count, ten_a_minute(59));
    assert_true(life_count_per_hour(&life, 1) > 590 && life_count_per_hour(&life, 1) < 610);
    life_done(&life);
    life = read_life(start_ms - 1); /* watched only later */
    assert_int_equal(life.first_ms, 0);
    assert_int_equal(life.newest_ms, 0);
    life_done(&life);
}

static void gaps(void **state)
{
    (void)state;
    minutes(0, 3, ten_a_minute);
    minutes(50, 52, ten_a_minute);
    minutes(110, 120, ten_a_minute);
    double per_hour = growth(); /* a floor lies low in its window, so windows of two sizes differ */
    assert_true(per_hour > 540 && per_hour < 610);
    struct life life = read_life(start_ms + 100 * minute_ms); /* in the second gap */
    assert_int_equal(life.newest_ms, start_ms + 51 * minute_ms);
    assert_true(life_count_per_hour(&life, 1) > 590 && life_count_per_hour(&life, 1) < 610);
    life_done(&life);
}

/* A long life costs its windows, not its length. */
static void only_the_windows_are_read(void **state)
{
    (void)state;
    minutes(0, 4000, ten_a_minute);
    fake.walked = 0;
    double per_hour = growth();
    assert_true(per_hour > 599 && per_hour < 601);
    assert_in_range(fake.walked, 100, 300);
}

enum { MANY = 40 }; /* more than are read at once */

struct seen_lives {
    size_t count, stop_at;
};

static enum status see_many(void *user, size_t index, struct life *life, struct why *why)
{
    struct seen_lives *seen = user;
    assert_int_equal(index, seen->count);
    assert_int_equal(life->first_ms, start_ms + (int64_t)index);
    assert_int_equal(life->newest.values[1].count, 1000 * index + 19);
    assert_true(fabs(life_count_per_hour(life, 1) - 60) < 1e-6);
    seen->count++;
    return index == seen->stop_at ? why_fail(why, STATUS_LIMIT, "enough") : STATUS_OK;
}

static void many_lives_come_in_their_order(void **state)
{
    (void)state;
    struct life_wanted wanted[MANY];
    for (int i = 0; i < MANY; i++) {
        int at = i == 0 ? 0 : fake_instance(0, start_ms + i, "dict", "app.Order", NULL);
        for (int minute = 0; minute < 20; minute++) {
            struct type_value values[] = {{1, 1}, {(uint64_t)(1000 * i + minute), 1}};
            fake_snapshot(at, start_ms + i + minute * minute_ms, 2, values);
        }
    }
    for (int i = 0; i < MANY; i++)
        wanted[i] = (struct life_wanted){&fake.instances[i], INT64_MAX};
    struct seen_lives seen = {0, SIZE_MAX};
    struct why why = {0};
    assert_int_equal(life_read_all(&query, 1, wanted, MANY, see_many, &seen, &why), STATUS_OK);
    assert_int_equal(seen.count, MANY);
    seen = (struct seen_lives){0, 5};
    assert_int_equal(life_read_all(&query, 1, wanted, MANY, see_many, &seen, &why), STATUS_LIMIT);
    assert_int_equal(seen.count, 6);
}

static void every_read_may_fail(void **state)
{
    for (int n = 1;; n++) {
        (void)fresh(state);
        minutes(0, 30, ten_a_minute);
        fake.reads_until_failure = n;
        struct life life = {0};
        const struct life_wanted wanted = {&fake.instances[0], INT64_MAX};
        enum status status = life_read_all(&query, 1, &wanted, 1, take_life, &life, NULL);
        life_done(&life);
        if (fake.reads_until_failure > 0) { /* it did not come to that */
            assert_int_equal(status, STATUS_OK);
            assert_true(n > 3);
            return;
        }
        assert_int_equal(status, STATUS_UNAVAILABLE);
    }
}

static int finish(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(slopes, fresh),
        cmocka_unit_test_setup(short_lives, fresh),
        cmocka_unit_test_setup(new_types, fresh),
        cmocka_unit_test_setup(until_a_moment, fresh),
        cmocka_unit_test_setup(gaps, fresh),
        cmocka_unit_test_setup(only_the_windows_are_read, fresh),
        cmocka_unit_test_setup(many_lives_come_in_their_order, fresh),
        cmocka_unit_test_setup(every_read_may_fail, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, finish);
}
