/* Of many processes, who is read: the known ones, and of each version some. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "choice.h"

enum { MANY = 10000, MAX = 1000 };

static struct choice choices[MANY];

static size_t chosen_of(int64_t version, int is_known)
{
    size_t count = 0;
    for (size_t i = 0; i < MANY; i++)
        count += choices[i].is_chosen && choices[i].version == version &&
                 choices[i].is_known == is_known;
    return count;
}

static void few_are_all_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < MAX; i++)
        choices[i] = (struct choice){1, 0, 0};
    choice_make(choices, 0, MAX);
    choice_make(choices, MAX, MAX);
    for (size_t i = 0; i < MAX; i++)
        assert_true(choices[i].is_chosen);
}

static void versions_share_what_is_left(void **state)
{
    (void)state;
    /* 250 known ones somewhere among 9,000 of the old version, and a new one at the end */
    for (size_t i = 0; i < MANY; i++)
        choices[i] = (struct choice){i < 9000 ? 7 : 3, i >= 4000 && i < 4250, 0};
    choice_make(choices, MANY, MAX);
    assert_int_equal(chosen_of(7, 1), 250);
    assert_int_equal(chosen_of(7, 0), 375);
    assert_int_equal(chosen_of(3, 0), 375);
    assert_true(choices[0].is_chosen && choices[374].is_chosen && !choices[375].is_chosen);
    assert_true(choices[9000].is_chosen && !choices[9999].is_chosen);
}

static void every_version_has_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < MANY; i++)
        choices[i] = (struct choice){(int64_t)(i * 7919 % 5000), 0, 0};
    choice_make(choices, MANY, MAX);
    for (int64_t version = 0; version < 5000; version += 499)
        assert_int_equal(chosen_of(version, 0), 1);
}

static void the_known_are_read_however_many(void **state)
{
    (void)state;
    for (size_t i = 0; i < MANY; i++)
        choices[i] = (struct choice){1, i < 5000, 1};
    choice_make(choices, MANY, MAX);
    assert_int_equal(chosen_of(1, 1), 5000);
    assert_int_equal(chosen_of(1, 0), 1);
    for (size_t i = 0; i < MANY; i++)
        choices[i].is_known = 1;
    choice_make(choices, MANY, MAX);
    assert_int_equal(chosen_of(1, 1), MANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_are_all_read),
        cmocka_unit_test(versions_share_what_is_left),
        cmocka_unit_test(every_version_has_one),
        cmocka_unit_test(the_known_are_read_however_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
