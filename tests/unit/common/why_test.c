#include "why.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "utf8.h"

static void set_and_prefix(void **state)
{
    (void)state;
    struct why why = {"old"};
    assert_int_equal(why_fail(&why, STATUS_GONE, "pid %d has ended", 7), STATUS_GONE);
    assert_string_equal(why.text, "pid 7 has ended");
    why_prefix(&why, "census of %s", "shop");
    assert_string_equal(why.text, "census of shop: pid 7 has ended");
    why_set(&why, "%s; try again", why.text);
    assert_string_equal(why.text, "census of shop: pid 7 has ended; try again");
}

static void nobody_listens(void **state)
{
    (void)state;
    why_set(NULL, "x");
    why_prefix(NULL, "x");
    assert_int_equal(why_fail(NULL, STATUS_LIMIT, "x"), STATUS_LIMIT);
}

static void one_line_that_drives_no_terminal(void **state)
{
    (void)state;
    struct why why;
    why_set(&why, "a\nb\033[31mc\x7f"
                  "caf\xc3\xa9 \xc2\x9b"
                  "1m \xff");
    assert_string_equal(why.text, "a?b?[31mc?caf\xc3\xa9 ??1m ?");
}

static void what_does_not_fit_is_cut(void **state)
{
    (void)state;
    char text[2 * WHY_CAPACITY];
    for (size_t start = 0; start < 2; start++) {
        /* é over and over, so that one of the two cuts falls inside it */
        for (size_t i = 0; i + 1 < sizeof(text); i++)
            text[i] = (i + start) % 2 == 0 ? '\xc3' : '\xa9';
        if (start == 1)
            text[0] = 'x';
        text[sizeof(text) - 1] = '\0';
        struct why why;
        why_set(&why, "%s", text);
        assert_int_equal(strlen(why.text), WHY_CAPACITY - 1);
        assert_true(utf8_valid(why.text, strlen(why.text)));
        why_prefix(&why, "abc");
        assert_int_equal(strlen(why.text), WHY_CAPACITY - 1);
        assert_true(utf8_valid(why.text, strlen(why.text)));
        why_prefix(&why, "%s", text);
        assert_int_equal(strlen(why.text), WHY_CAPACITY - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_and_prefix),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(one_line_that_drives_no_terminal),
        cmocka_unit_test(what_does_not_fit_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
