/* USES sweep store */
/*
 * More processes than the detector has room for, and far more than it would look at: most are not
 * read, what leaks is found all the same, and nothing else is said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "service_sweep.h"
#include "sweep_scene.h"

enum { OLD = 1100, NEW = 150, NEW_BIN = 40, NEW_BINS = 60, END_BIN = NEW_BIN + NEW_BINS };

/* Once for each snapshot that is read ahead, once for each that is fed, once a turn. */
static enum status count_pieces(void *user, struct why *why)
{
    (void)why;
    ++*(uint64_t *)user;
    return STATUS_OK;
}

static uint64_t read_until(struct service_sweep *service, uint32_t bin)
{
    uint64_t pieces = 0;
    int passed;
    const struct sweep_keeper keeper = {count_pieces, &pieces};
    OK(service_sweep_read(service, store.db, day_ms + (int64_t)bin * BIN_MS, &keeper, &passed,
                          &why));
    return pieces;
}

static void assert_one_leak(struct service_sweep *service)
{
    uint32_t count = 0;
    const struct verdict *verdicts = detector_verdicts(service_sweep_detector(service), &count);
    assert_int_equal(count, 1);
    assert_string_equal(verdicts[0].type, "shop.Cart");
    assert_int_equal(verdicts[0].tier, VERDICT_CONFIRMED);
    assert_string_equal(verdicts[0].introduced_in, "v2");
}

static void test_a_crowd_is_judged_by_some_of_it(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < OLD; i++)
        add_process("crowd", "v1", 0, END_BIN, 0);
    for (uint32_t i = 0; i < NEW; i++)
        add_process("crowd", "v2", NEW_BIN, NEW_BINS, 10);
    struct service_sweep *late = service_sweep_new(&config.detect, 1, SWEEP_AHEAD_BYTES, NULL, 0);
    struct service_sweep *live = service_sweep_new(&config.detect, 1, SWEEP_AHEAD_BYTES, NULL, 0);
    (void)read_until(late, END_BIN);
    assert_one_leak(late);
    for (uint32_t bin = 2; bin <= END_BIN; bin += 2) {
        /* each of all has two that are new, and some are shown twice */
        uint64_t pieces = read_until(live, bin);
        assert_true(bin <= 2 || pieces < (uint64_t)2 * OLD);
    }
    assert_one_leak(live);
    service_sweep_free(late);
    service_sweep_free(live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_crowd_is_judged_by_some_of_it),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
