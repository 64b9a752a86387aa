/* What postgres and initdb really wrote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "embedded_words.h"
#include "status.h"

#define AT "2026-11-30 00:37:21.060 UTC [10280] "

static void the_reason_is_found_among_other_words(void **state)
{
    (void)state;
    static const struct {
        const char *log, *words;
    } rows[] = {
        {AT
         "LOG:  redo starts at 0/2FFFF20\n" AT
         "FATAL:  could not write to file \"pg_wal/xlogtemp.10280\": No space left on device\n" AT
         "CONTEXT:  WAL redo at 0/2FFFF20\n" AT
         "FATAL:  the database system is not yet accepting connections\n" AT
         "DETAIL:  Consistent recovery state has not been yet reached.\n" AT
         "LOG:  startup process (PID 10280) exited with exit code 1\n",
         "could not write to file 'pg_wal/xlogtemp.10280': No space left on device"},
        {AT "FATAL:  the database system is starting up\n" AT
            "PANIC:  could not locate a valid checkpoint record\n",
         "could not locate a valid checkpoint record"},
        {AT "FATAL:  lock file \"postmaster.pid\" already exists\n" AT
            "HINT:  Is another postmaster (PID 7) running in data directory \"/d\"?\n",
         "lock file 'postmaster.pid' already exists; Is another postmaster (PID 7) running in data "
         "directory '/d'?"},
        {AT "FATAL:  database files are incompatible with server\n" AT
            "DETAIL:  The data directory was initialized by PostgreSQL version 13, which is not "
            "compatible with this version 15.20.\n",
         "database files are incompatible with server; The data directory was initialized by "
         "PostgreSQL version 13, which is not compatible with this version 15.20."},
        {AT "FATAL:  first\n" AT "LOG:  between\n" AT "HINT:  of something else\n", "first"},
        {AT "FATAL:  two lines\n\tthe second\n" AT "DETAIL:  more\n" AT "HINT:  do this",
         "two lines; more; do this"},
        {"initdb: error: could not create directory \"/d/pg_wal\": No space left on device\n"
         "initdb: removing contents of data directory \"/d\"\n",
         "initdb: error: could not create directory '/d/pg_wal': No space left on device;initdb: "
         "removing contents of data directory '/d'"},
        {"", ""},
        {"\n\n", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char words[300];
        embedded_words(rows[i].log, words, sizeof(words));
        assert_string_equal(words, rows[i].words);
    }
}

static void what_is_too_long_ends_and_does_not_begin_within_a_line(void **state)
{
    (void)state;
    char words[20];
    embedded_words("the first line\nthe second\nthe last\n", words, sizeof(words));
    assert_string_equal(words, "the second;the last");
    embedded_words("one line that is longer than all the room", words, sizeof(words));
    assert_string_equal(words, "one line that is lo");
    embedded_words(AT "PANIC:  one that is longer than all the room", words, sizeof(words));
    assert_string_equal(words, "one that is longer ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reason_is_found_among_other_words),
        cmocka_unit_test(what_is_too_long_ends_and_does_not_begin_within_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
