#include "memory_return.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { BLOCKS = 200000, BLOCK_BYTES = 1000, MEGABYTE = 1 << 20 };

static long resident_mb(void)
{
    long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld", &size, &resident), 2); // NOLINT(cert-err34-c)
    fclose(file);
    return resident * getpagesize() / MEGABYTE;
}

/* The last block keeps the heap from shrinking by itself. */
static void what_was_freed_goes_back(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* another allocator, which is not ours to trim */
#endif
    static char *blocks[BLOCKS];
    struct memory_return memory = {0};
    long before = resident_mb();
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(BLOCK_BYTES);
        assert_non_null(blocks[i]);
        memset(blocks[i], 1, BLOCK_BYTES);
    }
    memory_return_tick(&memory, 1);
    assert_true(resident_mb() >= before + 150); /* nothing is free */
    for (size_t i = 0; i + 1 < BLOCKS; i++)
        free(blocks[i]);
    assert_true(resident_mb() >= before + 150);
    memory_return_tick(&memory, 2); /* too soon */
    assert_true(resident_mb() >= before + 150);
    memory_return_tick(&memory, memory.next_ms);
    assert_true(resident_mb() < before + 80);
    free(blocks[BLOCKS - 1]);
}

static void looks_every_few_seconds(void **state)
{
    (void)state;
    struct memory_return memory = {0};
    memory_return_tick(&memory, 1000);
    int64_t pause_ms = memory.next_ms - 1000;
    assert_true(pause_ms >= 1000 && pause_ms <= 60000);
    memory_return_tick(&memory, 1001);
    assert_int_equal(memory.next_ms, 1000 + pause_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_freed_goes_back),
        cmocka_unit_test(looks_every_few_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
