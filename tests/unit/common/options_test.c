#include "options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One target of every kind, parsed afresh for each row. */
struct targets {
    int verbose, help;
    const char *collector;
    uint64_t limit, memory;
    int64_t interval_ms;
    struct option_list attributes;
    const char *operands[3];
    int operand_count, rest;
    struct why why;
};

enum { WORDS_MAX = 80 };

static enum status parse_words(struct targets *t, int argc, char **argv)
{
    *t = (struct targets){.collector = "default", .limit = 20};
    const struct option options[] = {
        {"verbose", 'v', OPTION_FLAG, &t->verbose, NULL, "say more", NULL},
        {"help", 0, OPTION_FLAG, &t->help, NULL, "this text", NULL},
        {"collector", 'c', OPTION_TEXT, &t->collector, "HOST:PORT", "whom to ask", NULL},
        {"limit", 'n', OPTION_U64, &t->limit, "N", "rows", NULL},
        {"interval", 'i', OPTION_DURATION, &t->interval_ms, "TIME", "between two", NULL},
        {"spool-size", 0, OPTION_BYTES, &t->memory, "SIZE", "at most", NULL},
        {"attr", 'a', OPTION_LIST, &t->attributes, "K=V", "more", NULL},
        {0},
    };
    return options_parse(options, argc, argv, t->operands, 3, &t->operand_count, &t->rest, &t->why);
}

/* "a b c" as argv, the program's name included. */
static enum status parse(struct targets *t, const char *line)
{
    static char copy[1024];
    static char *argv[WORDS_MAX];
    int argc = 0;
    assert_true(strlen(line) < sizeof(copy));
    memcpy(copy, line, strlen(line) + 1);
    char *rest = NULL;
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    return parse_words(t, argc, argv);
}

static void every_form(void **state)
{
    (void)state;
    struct targets t;
    assert_int_equal(parse(&t, "prog one -v --collector=[::1]:4777 two --limit 7 -i 250ms "
                               "--spool-size 2M -a x=1 --attr y=2 three -- --limit -q"),
                     STATUS_OK);
    assert_int_equal(t.verbose, 1);
    assert_string_equal(t.collector, "[::1]:4777");
    assert_int_equal(t.limit, 7);
    assert_int_equal(t.interval_ms, 250);
    assert_int_equal(t.memory, 2097152);
    assert_int_equal(t.attributes.count, 2);
    assert_string_equal(t.attributes.items[1], "y=2");
    assert_int_equal(t.operand_count, 3);
    assert_string_equal(t.operands[2], "three");
    assert_int_equal(t.rest, 17);
}

static void small_print(void **state)
{
    (void)state;
    struct targets t;
    assert_int_equal(parse(&t, "prog"), STATUS_OK);
    assert_string_equal(t.collector, "default");
    assert_int_equal(t.rest, 1);
    assert_int_equal(parse(&t, "prog -n5 -cunix:/s"), STATUS_OK);
    assert_int_equal(t.limit, 5);
    assert_string_equal(t.collector, "unix:/s");
    assert_int_equal(parse(&t, "prog - --limit 1 --limit 2"), STATUS_OK);
    assert_string_equal(t.operands[0], "-");
    assert_int_equal(t.limit, 2); /* the last one */
    assert_int_equal(parse(&t, "prog --verbose=no --collector="), STATUS_OK);
    assert_int_equal(t.verbose, 0);
    assert_string_equal(t.collector, "");
    assert_int_equal(parse(&t, "prog --collector --limit"), STATUS_OK); /* a value is any word */
    assert_string_equal(t.collector, "--limit");
}

static void sentences(void **state)
{
    (void)state;
    static const struct {
        const char *line, *sentence;
    } rows[] = {
        {"p --intervall 5s", "unknown option '--intervall': did you mean '--interval'?"},
        {"p --intevral=5s", "unknown option '--intevral': did you mean '--interval'?"},
        {"p --zebra", "unknown option '--zebra': --help lists the options"},
        {"p -z", "unknown option '-z': --help lists the options"},
        {"p ---", "unknown option '---': --help lists the options"},
        {"p -vx", "'-vx' cannot be read: -v takes no value"},
        {"p --interval", "--interval needs a value: TIME"},
        {"p -i", "-i needs a value: TIME"},
        {"p --interval soon",
         "--interval cannot be 'soon': it takes a time such as 250ms, 5s, 1.5m, 6h or 30d"},
        {"p -n -1", "-n cannot be '-1': it takes a whole number"},
        {"p --spool-size=1x",
         "--spool-size cannot be '1x': it takes a size such as 4096, 64k, 12M or 1.5G"},
        {"p --verbose=maybe",
         "--verbose cannot be 'maybe': it takes 1, true, yes, on, 0, false, no or off"},
        {"p a b c d", "unexpected argument 'd'"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct targets t;
        assert_int_equal(parse(&t, rows[i].line), STATUS_USAGE);
        assert_string_equal(t.why.text, rows[i].sentence);
        assert_int_equal(t.operand_count, 0);
        assert_int_equal(t.rest, 0);
    }
}

static void a_list_has_an_end(void **state)
{
    (void)state;
    char *argv[1 + 2 * (OPTION_LIST_MAX + 1)] = {"p"};
    for (int i = 0; i <= OPTION_LIST_MAX; i++) {
        argv[1 + 2 * i] = "-a";
        argv[2 + 2 * i] = "k=v";
    }
    struct targets t;
    assert_int_equal(parse_words(&t, 1 + 2 * OPTION_LIST_MAX, argv), STATUS_OK);
    assert_int_equal(t.attributes.count, OPTION_LIST_MAX);
    assert_int_equal(parse_words(&t, 3 + 2 * OPTION_LIST_MAX, argv), STATUS_USAGE);
    assert_string_equal(t.why.text, "-a is given too often: at most 64 times");
}

static void environment_comes_second(void **state)
{
    (void)state;
    struct targets t;
    assert_int_equal(setenv("HEAPFLEET_SPOOL_SIZE", "3M", 1), 0);
    assert_int_equal(setenv("HEAPFLEET_LIMIT", "9", 1), 0);
    assert_int_equal(setenv("HEAPFLEET_COLLECTOR", "", 1), 0); /* as if it were not there */
    assert_int_equal(setenv("HEAPFLEET_VERBOSE", "true", 1), 0);
    assert_int_equal(setenv("HEAPFLEET_ATTR", "k=v,w", 1), 0);
    assert_int_equal(setenv("HEAPFLEET_HELP", "1", 1), 0); /* not for help and version */
    assert_int_equal(parse(&t, "p --limit 2"), STATUS_OK);
    assert_int_equal(t.limit, 2);
    assert_int_equal(t.memory, 3145728);
    assert_string_equal(t.collector, "default");
    assert_int_equal(t.verbose, 1);
    assert_int_equal(t.attributes.count, 1);
    assert_string_equal(t.attributes.items[0], "k=v,w");
    assert_int_equal(t.help, 0);
    assert_int_equal(parse(&t, "p --verbose=0 --limit 2"), STATUS_OK);
    assert_int_equal(t.verbose, 0);
    assert_int_equal(setenv("HEAPFLEET_LIMIT", "many", 1), 0);
    assert_int_equal(parse(&t, "p"), STATUS_USAGE);
    assert_string_equal(t.why.text, "HEAPFLEET_LIMIT cannot be 'many': it takes a whole number");
    assert_int_equal(parse(&t, "p -n 2"), STATUS_OK); /* what is not used is not looked at */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form),
        cmocka_unit_test(small_print),
        cmocka_unit_test(sentences),
        cmocka_unit_test(a_list_has_an_end),
        cmocka_unit_test(environment_comes_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
