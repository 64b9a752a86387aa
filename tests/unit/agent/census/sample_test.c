#include "sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { UNITS = 2000, TRIALS = 200 };

/* A heap that changes slowly from one end to the other, with noise, and a few full places. */
struct heap {
    uint64_t objects[UNITS], bytes[UNITS], present[UNITS];
    uint64_t all_objects, all_bytes, all_present;
};

static uint64_t next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

static void fill(struct heap *heap, uint64_t seed)
{
    *heap = (struct heap){0};
    for (uint64_t i = 0; i < UNITS; i++) {
        heap->present[i] = SAMPLE_UNIT_BYTES / 4 * (1 + next(&seed) % 4);
        heap->objects[i] = heap->present[i] / 1024 * (10 + i / 100) / 10 + next(&seed) % 60;
        heap->bytes[i] = heap->objects[i] * (40 + next(&seed) % 50);
        heap->all_objects += heap->objects[i];
        heap->all_bytes += heap->bytes[i];
        heap->all_present += heap->present[i];
    }
}

static addr_t address(size_t unit)
{
    return UINT64_C(0x7f0000000000) + unit * (uint64_t)SAMPLE_UNIT_BYTES;
}

/* Estimates in line 3; returns the units that were read. */
static size_t estimate(struct sample *sample, const struct heap *heap)
{
    size_t read = 0;
    for (size_t from = 0; from < UNITS;) {
        addr_t at[SAMPLE_UNITS_MAX];
        size_t count = 0, picks[SAMPLE_PICKS];
        uint64_t stratum = sample_stratum(sample, address(from));
        while (from + count < UNITS && sample_stratum(sample, address(from + count)) == stratum) {
            at[count] = address(from + count);
            count++;
        }
        assert_true(count <= SAMPLE_UNITS_MAX);
        unsigned picked = sample_pick(sample, at, count, picks);
        assert_int_equal(picked, count < SAMPLE_PICKS ? count : SAMPLE_PICKS);
        for (unsigned i = 0; i < picked; i++, read++) {
            size_t unit = from + picks[i];
            assert_true(i == 0 || picks[i] > picks[i - 1]);
            sample_unit(sample);
            sample_add(sample, 3, heap->objects[unit], heap->bytes[unit]);
        }
        sample_end_stratum(sample, count);
        from += count;
    }
    return read;
}

/* Nineteen of twenty truths lie within the stated error; and it is no wider than it must be. */
static void states_its_error(void **state)
{
    (void)state;
    static struct heap heap;
    unsigned inside[2] = {0};
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        struct sample sample;
        fill(&heap, trial % 4);
        sample_init(&sample, heap.all_present, heap.all_present / 10, trial * 7919);
        (void)estimate(&sample, &heap);
        struct sample_estimate found = sample_line(&sample, 3);
        const uint64_t truth[2] = {heap.all_objects, heap.all_bytes};
        for (int k = 0; k < 2; k++) {
            uint64_t off =
                found.value[k] > truth[k] ? found.value[k] - truth[k] : truth[k] - found.value[k];
            inside[k] += off <= found.error[k];
            assert_true(off <= 3 * found.error[k]);
            assert_true(found.error[k] < truth[k] / 8);
        }
        sample_done(&sample);
    }
    for (int k = 0; k < 2; k++)
        assert_in_range(inside[k], TRIALS * 90 / 100, TRIALS * 99 / 100);
}

static void reads_as_much_as_is_wanted(void **state)
{
    (void)state;
    static struct heap heap;
    fill(&heap, 1);
    for (unsigned part = 2; part < 200; part += 7) {
        struct sample sample;
        sample_init(&sample, heap.all_present, heap.all_present / part, 1);
        size_t read = estimate(&sample, &heap), most = SAMPLE_UNITS_MAX / SAMPLE_PICKS;
        size_t wanted = UNITS / (part < most ? part : most);
        assert_in_range(read, wanted / 2, wanted + 4);
        sample_done(&sample);
    }
}

/* The same units each time, others for another process. */
static void reads_the_same_again(void **state)
{
    (void)state;
    addr_t at[100];
    size_t one[SAMPLE_PICKS], two[SAMPLE_PICKS];
    struct sample sample;
    unsigned differ = 0;
    for (size_t i = 0; i < 100; i++)
        at[i] = address(i);
    for (uint64_t seed = 0; seed < 50; seed++) {
        sample_init(&sample, 1000, 20, seed);
        assert_int_equal(sample_pick(&sample, at, 100, one), SAMPLE_PICKS);
        assert_int_equal(sample_pick(&sample, at, 100, two), SAMPLE_PICKS);
        assert_memory_equal(one, two, sizeof(one));
        /* one more unit in front, and only it can push another out */
        assert_int_equal(sample_pick(&sample, at + 1, 99, two), SAMPLE_PICKS);
        assert_true(one[0] == 0 || one[0] == two[0] + 1);
        sample_init(&sample, 1000, 20, seed + 50);
        assert_int_equal(sample_pick(&sample, at, 100, two), SAMPLE_PICKS);
        differ += memcmp(one, two, sizeof(one)) != 0;
    }
    assert_true(differ > 45);
}

static void a_whole_stratum_is_exact(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample, 1000, 999, 1);
    sample_unit(&sample);
    sample_add(&sample, 0, 17, 1700);
    sample_end_stratum(&sample, 1);
    sample_unit(&sample);
    sample_add(&sample, 0, 3, 300);
    sample_unit(&sample);
    sample_add(&sample, 5, 1, 8);
    sample_end_stratum(&sample, 2);
    struct sample_estimate found = sample_line(&sample, 0);
    assert_int_equal(found.value[0], 20);
    assert_int_equal(found.value[1], 2000);
    assert_int_equal(found.error[0], 0);
    assert_int_equal(sample_line(&sample, 5).value[1], 8);
    assert_int_equal(sample_line(&sample, 77).value[0], 0);
    sample_done(&sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_its_error),
        cmocka_unit_test(reads_as_much_as_is_wanted),
        cmocka_unit_test(reads_the_same_again),
        cmocka_unit_test(a_whole_stratum_is_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
