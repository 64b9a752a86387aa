#include "memory_facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "attributes.h"

static void reads_the_proportional_set_size(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {
        {"55d0-7ffd ---p 00000000 00:00 0  [rollup]\nRss:  9 kB\nPss:   1234 kB\nPss_Dirty: 7 kB\n",
         UINT64_C(1234) * 1024},
        {"x\nPss_Anon: 5 kB\n", 0},
        {"Pss: 5 kB", 0}, /* the first line is the mapping's */
        {"x\nPss:", 0},
        {"x\nPss: kB", 0},
        {"", 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(memory_facts_parse_pss(cases[i].text, strlen(cases[i].text)),
                         cases[i].bytes);
    /* more digits than a number has */
    assert_true(memory_facts_parse_pss("\nPss: 99999999999999999999999999", 31) > 0);
}

static void reads_its_own(void **state)
{
    struct proc_fs fs;
    struct memory_facts facts;
    (void)state;
    assert_int_equal(proc_fs_open("/proc", &fs, NULL), STATUS_OK);
    assert_int_equal(memory_facts_read(&fs, getpid(), &facts), STATUS_OK);
    assert_true(facts.rss_anon_bytes > 0);
    assert_true(facts.pss_bytes == 0 || facts.pss_bytes >= facts.rss_anon_bytes / 2);
    assert_int_equal(memory_facts_read(&fs, 4194303, &facts), STATUS_GONE);
    proc_fs_close(&fs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_proportional_set_size),
        cmocka_unit_test(reads_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
