/*
 * The detector on simulated services. Without an argument a few seeds, as a test; with a number,
 * that many seeds a scenario and a table:   build/debug/tests/detect_fleet_test 50
 *
 * The seeds that thresholds were chosen on (below 1000) are not those of the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arena.h"
#include "attributes.h"
#include "fleet_sim.h"
#include "parse.h"

static const struct sim_scenario scenarios[] = {
    {.name = "plain"},
    {.name = "warm-up to a plateau",
     .fill = SIM_FILL_EXPONENTIAL,
     .fill_hours = {0.5, 3},
     .fill_amount = {0.3, 2}},
    {.name = "cache fills exponentially",
     .fill = SIM_FILL_EXPONENTIAL,
     .fill_hours = {2, 6},
     .fill_amount = {0.5, 4}},
    {.name = "cache fills in a line",
     .fill = SIM_FILL_LINEAR,
     .fill_hours = {5, 20},
     .fill_amount = {0.5, 4}},
    {.name = "day wave", .day_wave = {0.3, 0.6}, .follow = 0.8},
    {.name = "week wave", .day_wave = {0.2, 0.4}, .week_wave = 0.15, .follow = 0.6},
    {.name = "long sawtooth", .saw_hours = {2, 9}, .saw_amount = 0.4},
    {.name = "step of configuration", .step_hours = 60, .step_amount = 0.5},
    {.name = "restarts",
     .restart_hours = 45,
     .fill = SIM_FILL_EXPONENTIAL,
     .fill_hours = {1, 3},
     .fill_amount = {0.3, 1}},
    {.name = "level shift by version", .deploy_hours = 60, .level_shift = 0.3},
    {.name = "new cache in v2",
     .deploy_hours = 90,
     .fill = SIM_FILL_EXPONENTIAL,
     .fill_hours = {2, 6},
     .fill_amount = {0.5, 3},
     .fill_from = 1},
    {.name = "daily deployments on a wave",
     .deploy_hours = 24,
     .day_wave = {0.2, 0.5},
     .follow = 0.7},
    {.name = "slow rolling deployment",
     .deploy_hours = 80,
     .deploy_stagger_hours = 4,
     .fill = SIM_FILL_EXPONENTIAL,
     .fill_hours = {1, 4},
     .fill_amount = {0.3, 1}},
    {.name = "slow wander", .wander = 0.03},
    {.name = "one heavy container", .heavy_container = 1, .day_wave = {0.1, 0.3}, .follow = 0.5},

    {.name = "fast leak", .leaks = 1, .leak_per_hour = {0.05, 0.2}},
    {.name = "slow leak", .leaks = 1, .leak_per_hour = {0.004, 0.008}},
    {.name = "leak in steps", .leaks = 1, .leak_per_hour = {0.01, 0.05}, .leak_step_hours = 4},
    {.name = "leak in some containers",
     .leaks = 1,
     .leak_per_hour = {0.01, 0.05},
     .leak_in = {1, 3}},
    {.name = "leak by load",
     .leaks = 1,
     .leak_per_hour = {0.01, 0.05},
     .leak_by_load = 1,
     .day_wave = {0.2, 0.5},
     .follow = 0.2},
    {.name = "leak beside a cache",
     .leaks = 1,
     .leak_per_hour = {0.01, 0.05},
     .fill = SIM_FILL_EXPONENTIAL,
     .fill_hours = {2, 6},
     .fill_amount = {0.5, 3},
     .fill_elsewhere = 1},
    {.name = "leak behind a warm-up",
     .leaks = 1,
     .leak_per_hour = {0.01, 0.05},
     .fill = SIM_FILL_EXPONENTIAL,
     .fill_hours = {0.5, 2},
     .fill_amount = {0.1, 0.5}},
    {.name = "introduced in v2",
     .leaks = 1,
     .leak_per_hour = {0.01, 0.1},
     .deploy_hours = 90,
     .leak_from = 1},
    {.name = "introduced in v2, fixed in v4",
     .leaks = 1,
     .leak_per_hour = {0.01, 0.1},
     .deploy_hours = 60,
     .leak_from = 1,
     .leak_until = 3},
    {.name = "comes and goes with v2",
     .leaks = 1,
     .leak_per_hour = {0.01, 0.1},
     .deploy_hours = 60,
     .leak_from = 1,
     .comes_and_goes = 1},
    {.name = "leak with restarts", .leaks = 1, .leak_per_hour = {0.02, 0.1}, .restart_hours = 60},
    {.name = "leak in a wandering fleet",
     .leaks = 1,
     .leak_per_hour = {0.01, 0.05},
     .wander = 0.02},
};

struct tally {
    uint32_t services, found, false_types, healthy_flagged, dated, misdated, left_open, entangled;
    double delay_hours;
};

static const struct detect_config config = {.horizon_ms = SIM_HORIZON_MS};
/* Every two hours as in life; the test makes longer steps, to be quick under a sanitizer. */
static uint32_t pass_bins = 3;

/* ---- one simulated service, looked at every two hours ------------------------------------------
 */

struct course {
    int found, dated_right, dated_at_all, open_at_end;
    uint32_t found_at;
    uint32_t false_types; /* a bit each */
};

static void note_finding(const struct sim_service *sim, const struct detect_finding *finding,
                         uint32_t now, struct course *course)
{
    const struct sim_scenario *scenario = sim->scenario;
    if (finding->type != 0 || !scenario->leaks || now <= sim->leak_start) {
        course->false_types |= 1u << finding->type;
        return;
    }
    course->open_at_end = 1;
    if (course->found)
        return;
    course->found = 1;
    course->found_at = now;
    course->dated_at_all = scenario->deploy_hours > 0;
    course->dated_right =
        scenario->leak_from == 0
            ? !finding->has_introduced
            : finding->has_introduced && finding->introduced_in == scenario->leak_from;
}

static struct course watch(const struct sim_scenario *scenario, uint64_t seed)
{
    struct course course = {0};
    struct arena arena;
    struct sim_service *sim = sim_service_new(scenario, seed);
    arena_init(&arena, 256u << 20);
    for (uint32_t now = pass_bins; now <= SIM_BINS; now += pass_bins) {
        struct detect_findings findings;
        struct detect_service service = sim_service_at(sim, now, &arena);
        detect_service_leaks(&config, &service, &arena, &findings);
        course.open_at_end = 0;
        for (uint32_t i = 0; i < findings.count; i++)
            note_finding(sim, &findings.items[i], now, &course);
        arena_reset(&arena);
    }
    if (course.found)
        course.found_at -= sim->leak_start;
    arena_done(&arena);
    sim_service_free(sim);
    return course;
}

static void tally_course(const struct sim_scenario *scenario, const struct course *course,
                         struct tally *tally)
{
    tally->services++;
    tally->found += (uint32_t)course->found;
    tally->false_types += (uint32_t)__builtin_popcount(course->false_types);
    tally->healthy_flagged += !scenario->leaks && course->false_types != 0;
    tally->dated += (uint32_t)(course->dated_at_all && course->dated_right);
    tally->misdated += (uint32_t)(course->dated_at_all && !course->dated_right);
    tally->left_open += (uint32_t)(scenario->leak_until > 0 && course->open_at_end);
    if (course->found)
        tally->delay_hours += course->found_at / SIM_BINS_PER_HOUR;
}

static struct tally run_scenario(const struct sim_scenario *scenario, uint64_t first_seed,
                                 uint64_t seeds)
{
    struct tally tally = {0};
    for (uint64_t seed = first_seed; seed < first_seed + seeds; seed++) {
        struct course course = watch(scenario, seed);
        tally_course(scenario, &course, &tally);
    }
    return tally;
}

static void add_tally(struct tally *sum, const struct tally *one)
{
    sum->services += one->services;
    sum->found += one->found;
    sum->false_types += one->false_types;
    sum->healthy_flagged += one->healthy_flagged;
    sum->dated += one->dated;
    sum->misdated += one->misdated;
    sum->left_open += one->left_open;
    sum->delay_hours += one->delay_hours;
}

/* ---- the test ----------------------------------------------------------------------------------
 */

static void test_healthy_services_are_left_alone(void **state)
{
    (void)state;
    uint32_t services = 0;
    uint32_t flagged = 0;
    for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
        if (scenarios[i].leaks)
            continue;
        struct tally tally = run_scenario(&scenarios[i], 1000, 3);
        if (tally.healthy_flagged > 0)
            print_message("flagged: %s\n", scenarios[i].name);
        flagged += tally.healthy_flagged;
        services += tally.services;
    }
    assert_true(services > 40);
    assert_true(flagged * 25 <= services);
}

static void test_leaks_are_found_by_name_and_version(void **state)
{
    (void)state;
    struct tally sum = {0};
    for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
        if (!scenarios[i].leaks)
            continue;
        struct tally tally = run_scenario(&scenarios[i], 1000, 3);
        add_tally(&sum, &tally);
    }
    assert_true(sum.found * 100 >= sum.services * 90);
    assert_true(sum.false_types * 100 <= sum.services * 5);
    assert_true(sum.dated * 100 >= (sum.dated + sum.misdated) * 90);
    assert_int_equal(sum.left_open, 0);
}

/* ---- the table ---------------------------------------------------------------------------------
 */

static void print_tally(const char *name, const struct tally *tally)
{
    printf("%-32s %5u %6u %6u %8u %6u/%u %6u %8.1f\n", name, tally->services, tally->found,
           tally->false_types, tally->healthy_flagged, tally->dated, tally->dated + tally->misdated,
           tally->left_open, tally->found ? tally->delay_hours / tally->found : 0);
}

static int print_table(uint64_t first_seed, uint64_t seeds)
{
    struct tally leaky = {0};
    struct tally healthy = {0};
    printf("%-32s %5s %6s %6s %8s %8s %6s %8s\n", "scenario", "n", "found", "false", "flagged",
           "dated", "open", "delay h");
    for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
        struct tally tally = run_scenario(&scenarios[i], first_seed, seeds);
        print_tally(scenarios[i].name, &tally);
        add_tally(scenarios[i].leaks ? &leaky : &healthy, &tally);
    }
    print_tally("all leaks", &leaky);
    print_tally("all healthy", &healthy);
    double flags = leaky.found + leaky.false_types + healthy.false_types;
    printf("precision %.3f  recall %.3f  healthy services flagged %.1f %%\n", leaky.found / flags,
           (double)leaky.found / leaky.services,
           100.0 * healthy.healthy_flagged / healthy.services);
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t seeds;
    uint64_t first_seed = 1000;
    if (argc > 1 && parse_u64(argv[1], 1, 100000, &seeds) == STATUS_OK) {
        if (argc > 2 && parse_u64(argv[2], 0, 1000000, &first_seed) != STATUS_OK)
            return 2;
        return print_table(first_seed, seeds);
    }
    pass_bins = 24;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_healthy_services_are_left_alone),
        cmocka_unit_test(test_leaks_are_found_by_name_and_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
