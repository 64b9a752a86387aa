/* USES sweep store */
/* A sweep that is far behind reads history once, and says what it would have said in time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "service_sweep.h"
#include "sweep_scene.h"

enum { BEHIND = 1000, BEHIND_BINS = 150 };

static enum status keep_on(void *user, struct why *why)
{
    (void)user;
    (void)why;
    return STATUS_OK;
}

static const struct sweep_keeper nobody = {keep_on, NULL};

/* A service's verdicts when it is swept every `every` bins. Returns how often history was read. */
static uint64_t judge_behind(int64_t service_id, uint32_t every, size_t ahead_bytes,
                             struct verdict *ret, uint32_t *ret_count)
{
    struct service_sweep *service =
        service_sweep_new(&config.detect, service_id, ahead_bytes, NULL, 0);
    uint32_t count;
    for (uint32_t bin = BEHIND + every; bin <= BEHIND + BEHIND_BINS; bin += every) {
        int passed;
        OK(service_sweep_read(service, store.db, day_ms + (int64_t)bin * BIN_MS, &nobody, &passed,
                              &why));
    }
    const struct verdict *verdicts = detector_verdicts(service_sweep_detector(service), &count);
    *ret_count = count;
    for (uint32_t i = 0; i < count; i++) { /* but for texts, which end with the detector */
        ret[i] = verdicts[i];
        ret[i].type = ret[i].introduced_in = NULL;
    }
    uint64_t reads = service_sweep_reads(service);
    service_sweep_free(service);
    return reads;
}

static void test_far_behind_it_says_the_same_and_reads_once(void **state)
{
    (void)state;
    enum { VERDICTS_MAX = 64 };
    static const size_t bounds[] = {1 << 20, 20000, 0};
    struct verdict live[VERDICTS_MAX];
    struct verdict late[VERDICTS_MAX];
    struct arena arena;
    uint32_t count;
    arena_init(&arena, 4 << 20);
    for (int i = 0; i < 3; i++) {
        add_process("behind", "v1", BEHIND + (uint32_t)i, 50, 0);
        add_process("behind", "v2", BEHIND + 50, 100, i == 0 ? 0 : 10);
    }
    sweep_at(BEHIND + BEHIND_BINS);
    int64_t service_id = finding_of(&arena, "behind")->service_id;
    (void)judge_behind(service_id, 1, SWEEP_AHEAD_BYTES, live, &count);
    uint64_t reads_before = 0;
    assert_true(count > 0 && live[0].tier == VERDICT_CONFIRMED);
    for (size_t i = 0; i < ARRAY_SIZE(bounds); i++) {
        uint32_t late_count;
        uint64_t reads = judge_behind(service_id, BEHIND_BINS, bounds[i], late, &late_count);
        assert_int_equal(late_count, count);
        for (uint32_t k = 0; k < count; k++) {
            assert_int_equal(late[k].tier, live[k].tier);
            assert_int_equal(late[k].since_ms, live[k].since_ms);
            assert_memory_equal(&late[k].evidence, &live[k].evidence, sizeof(live[k].evidence));
        }
        assert_true(i > 0 || reads == 1);
        assert_true(reads > reads_before); /* the less room, the more often */
        reads_before = reads;
    }
    arena_done(&arena);
}

static enum status keep_until(void *user, struct why *why)
{
    int *left = user;
    return --*left > 0 ? STATUS_OK : why_fail(why, STATUS_GONE, "enough");
}

/* Whose claim is lost in the middle reads no further: it is asked at every snapshot, and in each
 * turn. */
static void test_a_reading_can_be_ended_anywhere(void **state)
{
    (void)state;
    const int64_t end_ms = day_ms + (int64_t)(BEHIND + BEHIND_BINS) * BIN_MS;
    struct arena arena;
    arena_init(&arena, 4 << 20);
    int64_t service_id = finding_of(&arena, "behind")->service_id;
    for (int asked = 1;; asked *= 3) {
        int left = asked;
        struct why why = {""};
        int passed;
        const struct sweep_keeper keeper = {keep_until, &left};
        struct service_sweep *service =
            service_sweep_new(&config.detect, service_id, SWEEP_AHEAD_BYTES, NULL, 0);
        enum status status = service_sweep_read(service, store.db, end_ms, &keeper, &passed, &why);
        service_sweep_free(service);
        if (status == STATUS_OK) {
            assert_true(asked > 3 * (50 + 100)); /* snapshots */
            break;
        }
        assert_int_equal(status, STATUS_GONE);
        assert_int_equal(left, 0);
    }
    arena_done(&arena);
}

/* Whatever a bit of it says otherwise than when it was saved, it is not believed. */
static void test_a_damaged_state_is_made_anew(void **state)
{
    (void)state;
    struct buf saved = BUF_INIT;
    int passed;
    struct arena arena;
    arena_init(&arena, 4 << 20);
    add_process("damaged", "v1", BEHIND, 50, 10);
    sweep_at(BEHIND + 50);
    int64_t service_id = finding_of(&arena, "damaged")->service_id;
    struct service_sweep *service =
        service_sweep_new(&config.detect, service_id, SWEEP_AHEAD_BYTES, NULL, 0);
    OK(service_sweep_read(service, store.db, day_ms + (int64_t)(BEHIND + 50) * BIN_MS, &nobody,
                          &passed, &why));
    service_sweep_save(service, &saved);
    service_sweep_free(service);
    for (size_t i = 0; i < saved.size; i += i < 256 ? 1 : saved.size / 100 + 1) {
        saved.data[i] ^= 4;
        service = service_sweep_new(&config.detect, service_id, 0, saved.data, saved.size);
        if (detector_next_pass(service_sweep_detector(service)) != INT64_MAX)
            fail_msg("byte %zu of %zu", i, saved.size);
        service_sweep_free(service);
        saved.data[i] ^= 4;
    }
    service = service_sweep_new(&config.detect, service_id, 0, saved.data, saved.size);
    assert_true(detector_next_pass(service_sweep_detector(service)) != INT64_MAX);
    service_sweep_free(service);
    buf_done(&saved);
    arena_done(&arena);
}

/* Read as it comes, nothing that is due waits for what is not there yet. */
static void test_a_pass_that_is_due_is_not_put_off(void **state)
{
    (void)state;
    int passed;
    struct arena arena;
    arena_init(&arena, 4 << 20);
    add_process("punctual", "v1", BEHIND, 50, 10);
    sweep_at(BEHIND + 50);
    struct service_sweep *service = service_sweep_new(
        &config.detect, finding_of(&arena, "punctual")->service_id, SWEEP_AHEAD_BYTES, NULL, 0);
    for (uint32_t bin = 1; bin < 50; bin++) {
        int64_t now_ms = day_ms + (int64_t)(BEHIND + bin) * BIN_MS;
        OK(service_sweep_read(service, store.db, now_ms, &nobody, &passed, &why));
        assert_true(detector_next_pass(service_sweep_detector(service)) > now_ms);
    }
    service_sweep_free(service);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_far_behind_it_says_the_same_and_reads_once),
        cmocka_unit_test(test_a_reading_can_be_ended_anywhere),
        cmocka_unit_test(test_a_damaged_state_is_made_anew),
        cmocka_unit_test(test_a_pass_that_is_due_is_not_put_off),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
