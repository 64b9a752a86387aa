#include "malloc_walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "attributes.h"

enum { HEAP_BYTES = 8 * REMOTE_PAGE_BYTES };
#define BASE UINT64_C(0x5555000000)
#define THREAD_BASE UINT64_C(0x7f0004000000)

struct scene {
    uint8_t bytes[HEAP_BYTES];
    struct present_range range;
    struct remote_regions regions;
    struct present_map present;
    struct malloc_walk walk;
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    scene->range = (struct present_range){BASE, BASE + HEAP_BYTES, 0};
    scene->present = (struct present_map){
        .regions = &scene->regions, .ranges = &scene->range, .count = 1, .to = UINT64_MAX};
    scene->walk.present = &scene->present;
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

/* A block at `at`; returns where the next one begins. */
static size_t put(struct scene *scene, size_t at, uint64_t size, int previous_in_use)
{
    uint64_t word = size | (unsigned)previous_in_use;
    memcpy(scene->bytes + at + 8, &word, sizeof(word));
    return at + size;
}

/* Blocks from `from` on: used, free of 64, used, free of 5000 and a bit, used, and the top. Returns
 * what is free. */
static uint64_t put_heap(struct scene *scene, size_t from)
{
    size_t at = put(scene, from, 656, 1);
    at = put(scene, at, 64, 1);
    at = put(scene, at, 32, 0);
    at = put(scene, at, 5008, 1);
    at = put(scene, at, 4096, 0);
    (void)put(scene, at, HEAP_BYTES - at, 1);
    return 64 - 16 + 5008 - 16 + HEAP_BYTES - at - 16;
}

static void walk(struct scene *scene, addr_t base, uint32_t flags, size_t step)
{
    const struct remote_region region = {base, base + HEAP_BYTES, flags};
    scene->range = (struct present_range){base, base + HEAP_BYTES, 0};
    scene->walk.free_bytes = 0;
    malloc_walk_begin(&scene->walk, &region, scene->bytes, step);
    for (size_t at = 0; at < HEAP_BYTES; at += step)
        malloc_walk_feed(&scene->walk, base + at, scene->bytes + at, step);
}

static void counts_free_blocks_of_the_heap(void **state)
{
    struct scene *scene = *state;
    uint64_t expected = put_heap(scene, 0);
    for (size_t step = REMOTE_PAGE_BYTES; step <= HEAP_BYTES; step *= 2) {
        walk(scene, BASE, REMOTE_BRK, step);
        assert_int_equal(scene->walk.free_bytes, expected);
    }
    walk(scene, BASE, 0, HEAP_BYTES); /* not a heap */
    assert_int_equal(scene->walk.free_bytes, 0);
}

static void counts_free_blocks_of_a_threads_heap(void **state)
{
    struct scene *scene = *state;
    const size_t infos[] = {32, 48};
    for (size_t i = 0; i < ARRAY_SIZE(infos); i++) {
        uint64_t arena = THREAD_BASE + infos[i], used = HEAP_BYTES;
        memset(scene->bytes, 0, sizeof(scene->bytes));
        memcpy(scene->bytes, &arena, 8);
        memcpy(scene->bytes + 16, &used, 8);
        uint64_t expected = put_heap(scene, (infos[i] + 2200 + 15) & ~(size_t)15);
        walk(scene, THREAD_BASE, 0, REMOTE_PAGE_BYTES);
        assert_int_equal(scene->walk.free_bytes, expected);
        walk(scene, THREAD_BASE + REMOTE_PAGE_BYTES, 0, REMOTE_PAGE_BYTES);
        assert_int_equal(scene->walk.free_bytes, 0);
    }
}

static void counts_only_what_is_present(void **state)
{
    struct scene *scene = *state;
    (void)put(scene, 0, 32, 1);
    (void)put(scene, 32, HEAP_BYTES - 32, 1);
    walk(scene, BASE, REMOTE_BRK, HEAP_BYTES);
    assert_int_equal(scene->walk.free_bytes, HEAP_BYTES - 48);
    const struct remote_region region = {BASE, BASE + HEAP_BYTES, REMOTE_BRK};
    scene->walk.free_bytes = 0;
    scene->range.end = BASE + REMOTE_PAGE_BYTES;
    malloc_walk_begin(&scene->walk, &region, scene->bytes, REMOTE_PAGE_BYTES);
    malloc_walk_feed(&scene->walk, BASE, scene->bytes, REMOTE_PAGE_BYTES);
    assert_int_equal(scene->walk.free_bytes, REMOTE_PAGE_BYTES - 48);
}

/* Whatever a word says: an end, no loop, and not more than there is. */
static void survives_any_word(void **state)
{
    struct scene *scene = *state;
    const uint64_t words[] = {0,
                              1,
                              8,
                              16,
                              17,
                              24,
                              31,
                              4096 | 15,
                              UINT64_MAX,
                              HEAP_BYTES,
                              HEAP_BYTES + 16,
                              UINT64_C(1) << 63};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        for (size_t at = 8; at < 800; at += 8) {
            (void)put_heap(scene, 0);
            memcpy(scene->bytes + at, &words[i], 8);
            walk(scene, BASE, REMOTE_BRK, REMOTE_PAGE_BYTES);
            assert_true(scene->walk.free_bytes <= HEAP_BYTES);
        }
        memset(scene->bytes, 0, sizeof(scene->bytes));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(counts_free_blocks_of_the_heap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counts_free_blocks_of_a_threads_heap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counts_only_what_is_present, set_up, tear_down),
        cmocka_unit_test_setup_teardown(survives_any_word, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
