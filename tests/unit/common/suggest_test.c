#include "suggest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "attributes.h"

static void distances(void **state)
{
    (void)state;
    static const struct {
        const char *word, *name;
        int distance;
    } rows[] = {
        {"top", "top", 0},
        {"tpo", "top", 1},            /* swapped */
        {"intervall", "interval", 1}, /* one too many */
        {"collectr", "collector", 1},
        {"lek", "leaks", 2},
        {"his", "history", 7}, /* the start of a name: near, but the last choice */
        {"x", "y", SUGGEST_FAR},
        {"dogs", "history", SUGGEST_FAR},
        {"", "top", SUGGEST_FAR},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "top",
         SUGGEST_FAR},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(suggest_distance(rows[i].word, rows[i].name), rows[i].distance);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(distances)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
