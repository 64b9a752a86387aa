#include "budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "attributes.h"

#define SECOND ((int64_t)1000)
#define HOUR (3600 * SECOND)

/* Censuses of `cost_ms` as often as the budget lets them, at most every `interval_ms`. */
static double used_in_a_day(double share, double cost_ms, int64_t interval_ms)
{
    struct budget budget;
    int64_t now = 5 * HOUR;
    budget_init(&budget, share, now);
    double used = 0;
    for (int64_t end = now + 24 * HOUR; now < end;) {
        int64_t wait = budget_wait_ms(&budget, now);
        if (wait == 0) {
            budget_spend(&budget, cost_ms, now);
            used += cost_ms;
            wait = interval_ms;
        }
        now += wait;
    }
    return used / (24.0 * (double)HOUR);
}

static void the_share_is_kept_over_a_day(void **state)
{
    (void)state;
    for (int cost_ms = 1; cost_ms < 20000; cost_ms *= 3) {
        double used = used_in_a_day(0.005, cost_ms, SECOND);
        assert_true(used <= 0.005 * 1.05 + cost_ms / (24.0 * (double)HOUR));
    }
}

static void a_cheap_census_is_never_held_up(void **state)
{
    (void)state;
    double wanted = 4.0 / (double)SECOND;
    assert_true(used_in_a_day(0.005, 4, SECOND) > wanted * 0.999);
}

static void a_long_rest_saves_no_more_than_the_window(void **state)
{
    (void)state;
    struct budget budget;
    budget_init(&budget, 0.01, 0);
    assert_int_equal(budget_wait_ms(&budget, 100 * HOUR), 0);
    budget_spend(&budget, 0.01 * BUDGET_WINDOW_MS + 1, 100 * HOUR);
    assert_in_range(budget_wait_ms(&budget, 100 * HOUR), 100, 101);
    assert_in_range(budget_wait_ms(&budget, 100 * HOUR + 99), 1, 2);
    assert_int_equal(budget_wait_ms(&budget, 100 * HOUR + 101), 0);
}

static void a_clock_that_steps_back_is_ignored(void **state)
{
    (void)state;
    struct budget budget;
    budget_init(&budget, 0.5, 1000);
    budget_spend(&budget, 0.5 * BUDGET_WINDOW_MS + 10, 500);
    int64_t wait = budget_wait_ms(&budget, 400);
    assert_in_range(wait, 1, 1000);
}

static void reads_shares(void **state)
{
    (void)state;
    double share = 0;
    struct why why;
    assert_int_equal(budget_parse_share("0.5%", &share, &why), STATUS_OK);
    assert_true(share > 0.00499 && share < 0.00501);
    assert_int_equal(budget_parse_share("100%", &share, &why), STATUS_OK);
    static const char *const bad[] = {"",     "%",    "5",      "0%",
                                      "101%", "-1%",  "1e1%",   "5%%",
                                      "0x5%", "nan%", "1.2.3%", "1111111111111111111111%"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(budget_parse_share(bad[i], &share, &why), STATUS_USAGE);
        assert_true(share > 0.99);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_share_is_kept_over_a_day),
        cmocka_unit_test(a_cheap_census_is_never_held_up),
        cmocka_unit_test(a_long_rest_saves_no_more_than_the_window),
        cmocka_unit_test(a_clock_that_steps_back_is_ignored),
        cmocka_unit_test(reads_shares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
