#include "arena.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { LARGE_BYTES = 5000000 };

static void pieces_are_aligned_and_apart(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, LARGE_BYTES);
    for (int round = 0; round < 3; round++) {
        unsigned char *pieces[300];
        for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
            size_t size = i * 7 % 400;
            pieces[i] = arena_must(&arena, size);
            assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
            memset(pieces[i], (int)(i % 251), size);
        }
        for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
            for (size_t k = 0; k < i * 7 % 400; k++)
                assert_int_equal(pieces[i][k], i % 251);
        }
        arena_reset(&arena);
        assert_int_equal(arena.used_bytes, 0);
    }
    arena_done(&arena);
}

static void the_cap_is_exact(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 64);
    assert_non_null(arena_alloc(&arena, 33)); /* padded to 48 */
    assert_null(arena_alloc(&arena, 17));
    assert_non_null(arena_alloc(&arena, 16));
    assert_null(arena_alloc(&arena, 1));
    assert_null(arena_alloc(&arena, 0));
    arena_reset(&arena);
    assert_non_null(arena_alloc(&arena, 64));
    arena_done(&arena);
}

static void sizes_from_outside_do_not_wrap(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    assert_non_null(arena_alloc(&arena, 1));
    for (size_t less = 0; less < 64; less++) {
        assert_null(arena_alloc(&arena, SIZE_MAX - less));
        assert_null(arena_strndup(&arena, "", SIZE_MAX - less));
    }
    arena_done(&arena);
}

static void large_pieces(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, (size_t)2 * LARGE_BYTES);
    char *small = arena_must(&arena, 10);
    memset(small, 'a', 10);
    char *large = arena_must(&arena, LARGE_BYTES);
    memset(large, 'b', LARGE_BYTES);
    assert_memory_equal(small, "aaaaaaaaaa", 10);
    arena_reset(&arena);
    assert_non_null(arena_alloc(&arena, 10));
    arena_done(&arena);
    arena_done(NULL);
}

static void texts(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1024);
    assert_string_equal(arena_strndup(&arena, "shopping", 4), "shop");
    assert_string_equal(arena_strndup(&arena, "", 0), "");
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_and_apart),
        cmocka_unit_test(the_cap_is_exact),
        cmocka_unit_test(sizes_from_outside_do_not_wrap),
        cmocka_unit_test(large_pieces),
        cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
