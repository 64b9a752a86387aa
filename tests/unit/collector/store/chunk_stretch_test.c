/* USES store */
/*
 * Property: two numbers come out of a stretch as they went in, whatever they did; and what they did
 * in a regular way takes the bits that it must.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "chunk_stretch.h"

enum { SNAPSHOTS = 240, ROUNDS = 400 };

struct history {
    struct type_value values[SNAPSHOTS];
};

static uint64_t draw(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed * 0x2545f4914f6cdd1du >> 8;
}

/* ---- histories: how one value becomes the next ---------------------------------------------- */

typedef void step_fn(uint64_t *seed, struct type_value *value);

static void stays(uint64_t *seed, struct type_value *value)
{
    (void)seed;
    (void)value;
}

static void wanders(uint64_t *seed, struct type_value *value)
{
    uint64_t by = draw(seed) % 81 - 40;
    value->count += by;
    value->bytes += by * 48;
}

static void wanders_and_jumps(uint64_t *seed, struct type_value *value)
{
    wanders(seed, value);
    if (draw(seed) % 100 == 0)
        value->count += draw(seed) % 1000000;
}

static void varies_in_size(uint64_t *seed, struct type_value *value)
{
    wanders(seed, value);
    value->bytes += 8 * (draw(seed) % 65 - 32);
}

static void changes_seldom(uint64_t *seed, struct type_value *value)
{
    if (draw(seed) % 10 == 0)
        wanders(seed, value);
}

static void ticks(uint64_t *seed, struct type_value *value)
{
    value->count++;
    value->bytes += 60000 + draw(seed) % 41 - 20;
}

static void moves_by_pages(uint64_t *seed, struct type_value *value)
{
    value->count += 4096 * (draw(seed) % 61 - 30);
    value->bytes += 4096 * (draw(seed) % 61 - 30);
}

static void comes_and_goes(uint64_t *seed, struct type_value *value)
{
    if (draw(seed) % 3 == 0)
        *value = value->count > 0 ? (struct type_value){0, 0} : (struct type_value){7, 700};
}

static void is_anything(uint64_t *seed, struct type_value *value)
{
    if (draw(seed) % 2 == 0)
        value->count = draw(seed) << (draw(seed) % 64);
    if (draw(seed) % 2 == 0)
        value->bytes = draw(seed) << (draw(seed) % 64);
}

static void falls(uint64_t *seed, struct type_value *value)
{
    value->count -= 1 + draw(seed) % 3;
}

static const struct {
    const char *name;
    step_fn *step;
    size_t bytes_most; /* of a stretch */
} kinds[] = {
    {"stays", stays, 8},
    {"wanders", wanders, 240 * 7 / 8 + 12},
    {"wanders and jumps", wanders_and_jumps, 240 * 8 / 8 + 80},
    {"varies in size", varies_in_size, 240 * 14 / 8 + 14},
    {"changes seldom", changes_seldom, 80},
    {"ticks", ticks, 240 * 6 / 8 + 20},
    {"moves by pages", moves_by_pages, 240 * 12 / 8 + 20},
    {"comes and goes", comes_and_goes, 240},
    {"is anything", is_anything, 240 * 22},
    {"falls", falls, 240 * 2 / 8 + 20},
};

/* ---- writing and reading -------------------------------------------------------------------- */

static struct buf write(struct stretch_writer *writer, const struct history *history)
{
    struct buf changes = BUF_INIT, ret = BUF_INIT;
    uint32_t changed_at = 0;
    for (uint32_t i = 1; i < SNAPSHOTS; i++) {
        struct type_value old = history->values[i - 1], now = history->values[i];
        if (old.count == now.count && old.bytes == now.bytes)
            continue;
        stretch_put_loose(&changes, i - changed_at - 1, old, now);
        changed_at = i;
    }
    stretch_write(writer, history->values[0], &changes, &ret);
    buf_done(&changes);
    return ret;
}

/* 1: it is the history. */
static int is_read(const uint8_t *data, size_t size, const struct history *history)
{
    struct stretch stretch;
    struct type_value value;
    uint32_t next = 0;
    if (!stretch_open(&stretch, data, size, &value) || !stretch_look(&stretch, 0, &next))
        return 0;
    for (uint32_t i = 0; i < SNAPSHOTS; i++) {
        if (i == next && (!stretch_apply(&stretch, &value) || !stretch_look(&stretch, i, &next)))
            return 0;
        if (value.count != history->values[i].count || value.bytes != history->values[i].bytes)
            return 0;
    }
    return next == UINT32_MAX;
}

static struct history make_history(uint64_t *seed, step_fn *step)
{
    struct history history;
    struct type_value value = {draw(seed) % 100000 + 20000, 0};
    value.bytes = value.count * 48;
    if (draw(seed) % 4 == 0)
        value = (struct type_value){0, 0};
    for (uint32_t i = 0; i < SNAPSHOTS; i++) {
        history.values[i] = value;
        step(seed, &value);
    }
    return history;
}

static void a_stretch_is_what_it_was_made_of(void **state)
{
    (void)state;
    struct stretch_writer *writer = stretch_writer_new();
    uint64_t seed = 0x9e3779b97f4a7c15u;
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
            struct history history = make_history(&seed, kinds[i].step);
            struct buf stretch = write(writer, &history);
            assert_true(is_read(stretch.data, stretch.size, &history));
            if (stretch.size > kinds[i].bytes_most)
                fail_msg("what %s takes %zu bytes", kinds[i].name, stretch.size);
            buf_done(&stretch);
        }
    }
    stretch_writer_free(writer);
}

/* Kinds follow one another, so that every choice meets what it was not made for. */
static void a_history_may_change_its_ways(void **state)
{
    (void)state;
    struct stretch_writer *writer = stretch_writer_new();
    uint64_t seed = 42;
    for (int round = 0; round < ROUNDS * 5; round++) {
        struct history history;
        struct type_value value = {0, 0};
        step_fn *step = stays;
        for (uint32_t i = 0; i < SNAPSHOTS; i++) {
            history.values[i] = value;
            if (draw(&seed) % 50 == 0)
                step = kinds[draw(&seed) % ARRAY_SIZE(kinds)].step;
            step(&seed, &value);
        }
        struct buf stretch = write(writer, &history);
        assert_true(is_read(stretch.data, stretch.size, &history));
        buf_done(&stretch);
    }
    stretch_writer_free(writer);
}

static void nothing_throughout_takes_nothing(void **state)
{
    (void)state;
    struct stretch_writer *writer = stretch_writer_new();
    struct history history = {{{0, 0}}};
    struct buf stretch = write(writer, &history);
    assert_int_equal(stretch.size, 0);
    assert_true(is_read(NULL, 0, &history));
    buf_done(&stretch);
    stretch_writer_free(writer);
}

/* ---- what is not one ------------------------------------------------------------------------ */

static int is_readable(const uint8_t *data, size_t size)
{
    struct stretch stretch;
    struct type_value value;
    uint32_t next = 0, now = 0;
    if (!stretch_open(&stretch, data, size, &value) || !stretch_look(&stretch, 0, &next))
        return 0;
    while (next != UINT32_MAX) {
        now = next;
        if (!stretch_apply(&stretch, &value) || !stretch_look(&stretch, now, &next))
            return 0;
    }
    return 1;
}

static void what_is_not_one_is_refused(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[12];
        size_t size;
        int is_one;
    } cases[] = {
        {{5, 2}, 2, 1},                                  /* 5 objects of 1 byte */
        {{5}, 1, 0},                                     /* no unit */
        {{5, 3}, 2, 0},                                  /* no residual */
        {{5, 3, 0x80}, 3, 0},                            /* half of one */
        {{5, 2, 0}, 3, 1},                               /* no loose changes */
        {{5, 2, 1}, 3, 0},                               /* neither loose nor packed */
        {{5, 2, 0x7f}, 3, 0},                            /* nor this */
        {{5, 2, 0, 0, 2}, 5, 1},                         /* one more */
        {{5, 2, 0, 0}, 4, 0},                            /* of what? */
        {{5, 2, 0x80, 2, 0, 1, 0x80}, 7, 1},             /* packed: one more */
        {{5, 2, 0x80, 2, 0, 1}, 6, 0},                   /* no fields */
        {{5, 2, 0x80, 2, 0}, 5, 0},                      /* no number of changes */
        {{5, 2, 0x80, 32, 0, 1, 0, 0, 0, 0}, 10, 0},     /* too wide */
        {{5, 2, 0x80, 0, 32, 1, 0, 0, 0, 0}, 10, 0},     /* too wide */
        {{5, 2, 0x80, 2, 0, 1, 0xc0}, 7, 0},             /* no escape */
        {{5, 2, 0x80, 2, 0, 1, 0xc0, 9}, 8, 1},          /* an escape */
        {{5, 2, 0x80, 2, 0, 1, 0x80, 9}, 8, 0},          /* an escape of nobody */
        {{5, 2, 0xc0, 0, 0, 5}, 6, 0},                   /* no base */
        {{5, 2, 0xc0, 0, 0, 5, 2}, 7, 1},                /* five times one more */
        {{5, 2, 0xf0, 1, 1, 1, 2, 3}, 8, 0},             /* no second step, no fields */
        {{5, 2, 0xf0, 1, 1, 1, 2, 3, 4, 0}, 10, 1},      /* all there is */
        {{5, 2, 0xc0, 0, 0, 0x81, 0x80, 0x10, 2}, 9, 0}, /* more changes than snapshots */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t *exact = malloc(cases[i].size); /* a sanitizer sees what is read behind it */
        assert_non_null(exact);
        memcpy(exact, cases[i].bytes, cases[i].size);
        if (is_readable(exact, cases[i].size) != cases[i].is_one)
            fail_msg("case %zu", i);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stretch_is_what_it_was_made_of),
        cmocka_unit_test(a_history_may_change_its_ways),
        cmocka_unit_test(nothing_throughout_takes_nothing),
        cmocka_unit_test(what_is_not_one_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
