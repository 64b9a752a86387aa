#include "spool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct losses {
    uint64_t last;
    int count;
};

static void lost(void *user, const struct spool_fact *fact)
{
    struct losses *losses = user;
    assert_true(fact->sequence > losses->last); /* oldest first */
    uint64_t written = 0;
    if (fact->size >= sizeof(written)) {
        memcpy(&written, fact->data, sizeof(written));
        assert_int_equal(written, fact->sequence); /* still readable */
    }
    losses->last = fact->sequence;
    losses->count++;
}

static void append(struct spool *spool, uint64_t sequence, size_t size)
{
    static uint8_t bytes[4096];
    memcpy(bytes, &sequence, sizeof(sequence));
    spool_append(spool, sequence, (uint32_t)(sequence % 7), bytes, size);
}

static void gives_back_in_order(void **state)
{
    (void)state;
    struct losses losses = {0};
    struct spool *spool = spool_new(1 << 20, lost, &losses);
    for (uint64_t i = 1; i <= 1000; i++)
        append(spool, i * 3, 8 + i % 50);
    assert_int_equal(spool_count(spool), 1000);
    uint64_t after = 0;
    struct spool_fact fact;
    for (uint64_t i = 1; i <= 1000; i++) {
        assert_true(spool_next(spool, after, &fact));
        assert_int_equal(fact.sequence, i * 3);
        assert_int_equal(fact.process, i * 3 % 7);
        assert_int_equal(fact.size, 8 + i % 50);
        after = fact.sequence;
    }
    assert_false(spool_next(spool, after, &fact));
    assert_true(spool_next(spool, 4, &fact)); /* between two */
    assert_int_equal(fact.sequence, 6);
    assert_int_equal(losses.count, 0);
    spool_free(spool);
}

static void forgets_what_is_acknowledged(void **state)
{
    (void)state;
    struct losses losses = {0};
    struct spool *spool = spool_new(1 << 20, lost, &losses);
    for (uint64_t i = 1; i <= 100; i++)
        append(spool, i * 10, 20);
    spool_drop_through(spool, 5);
    assert_int_equal(spool_count(spool), 100);
    spool_drop_through(spool, 505);
    assert_int_equal(spool_count(spool), 50);
    struct spool_fact fact;
    assert_true(spool_next(spool, 0, &fact));
    assert_int_equal(fact.sequence, 510);
    spool_drop_through(spool, UINT64_MAX);
    assert_int_equal(spool_count(spool), 0);
    assert_int_equal(spool_bytes(spool), 0);
    assert_int_equal(losses.count, 0);
    append(spool, 2000, 20);
    assert_true(spool_next(spool, 0, &fact));
    spool_free(spool);
}

/* A queue that is filled and emptied for long wraps around and never exceeds its bound. */
static void stays_within_its_bound(void **state)
{
    (void)state;
    enum { LIMIT = 5000 };
    struct losses losses = {0};
    struct spool *spool = spool_new(LIMIT, lost, &losses);
    uint64_t dropped_through = 0;
    for (uint64_t i = 1; i <= 5000; i++) {
        append(spool, i, 8 + i * 37 % 300);
        assert_true(spool_bytes(spool) <= LIMIT);
        if (i % 97 == 0) {
            dropped_through = i - 3;
            spool_drop_through(spool, dropped_through);
        }
        struct spool_fact fact;
        assert_true(spool_next(spool, 0, &fact));
        assert_true(fact.sequence > losses.last && fact.sequence > dropped_through);
        uint64_t written = 0;
        memcpy(&written, fact.data, sizeof(written));
        assert_int_equal(written, fact.sequence);
    }
    assert_true(losses.count > 1000);
    spool_free(spool);
}

static void a_fact_larger_than_the_bound_is_lost(void **state)
{
    (void)state;
    struct losses losses = {0};
    struct spool *spool = spool_new(1000, lost, &losses);
    append(spool, 1, 100);
    append(spool, 2, 3000);
    assert_int_equal(losses.count, 2); /* in order: what was before it goes first */
    assert_int_equal(spool_count(spool), 0);
    append(spool, 3, 100);
    assert_int_equal(spool_count(spool), 1);
    spool_free(spool);
    spool_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_back_in_order),
        cmocka_unit_test(forgets_what_is_acknowledged),
        cmocka_unit_test(stays_within_its_bound),
        cmocka_unit_test(a_fact_larger_than_the_bound_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
