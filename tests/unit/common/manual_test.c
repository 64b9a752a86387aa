#include "manual.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "attributes.h"

static const struct option options[] = {
    {"output", 'o', OPTION_TEXT, NULL, "FORMAT", "table, json or csv", "table"},
    {"token", 0, OPTION_SECRET, NULL, "TEXT", "of the collector", NULL},
    {0},
};

static const struct manual_command commands[] = {
    {"top", "SERVICE", "what fills it", "", options},
    {"top more", "SERVICE", "more of it", "", options},
    {"list", "", "all of them", "", options},
};

/* Names that a shell would run, expand or split if they got the chance. */
static const struct manual manual = {
    .program = "thing",
    .version = "thing 1",
    .summary = "a thing",
    .environment = "",
    .exit_status = "",
    .commands = commands,
    .count = ARRAY_SIZE(commands),
    .operand = "SERVICE",
    .operand_command = "printf '%s\\n' shop shipping '$(echo ran >&2)' '`echo ran >&2`' '~' "
                       "'*' 'a b' '${HOME}'",
};

/* What bash offers behind these words, one a line; and what its own words are, if any: nothing may
 * run. */
static void completes(const char *words, const char *expected)
{
    char script[] = "/tmp/heapfleet-manual-XXXXXX";
    char command[1024], offered[4096];
    struct buf text = BUF_INIT;
    struct why why = {""};
    int fd = mkstemp(script);
    assert_true(fd >= 0);
    assert_int_equal(manual_completion(&manual, "bash", &text, &why), STATUS_OK);
    assert_int_equal(write(fd, text.data, text.size), text.size);
    (void)close(fd);
    buf_done(&text);
    (void)snprintf(command, sizeof(command),
                   "bash -c 'source %s; COMP_WORDS=(thing %s); "
                   "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _thing; "
                   "printf \"%%s\\n\" \"${COMPREPLY[@]}\"' 2>&1",
                   script, words);
    FILE *shell = popen(command, "re");
    assert_non_null(shell);
    offered[fread(offered, 1, sizeof(offered) - 1, shell)] = '\0';
    assert_int_equal(pclose(shell), 0);
    (void)unlink(script);
    assert_string_equal(offered, expected);
}

static void bash_completes_names_as_they_are(void **state)
{
    (void)state;
    completes("top sh", "shop\nshipping\n");
    completes("top \"a\"", "a\\ b\n");
    completes("top more \"\"", "shop\nshipping\n\\$\\(echo\\ ran\\ \\>\\&2\\)\n"
                               "\\`echo\\ ran\\ \\>\\&2\\`\n\\~\n\\*\na\\ b\n\\$\\{HOME\\}\n");
}

static void bash_completes_our_own_words(void **state)
{
    (void)state;
    completes("\"\"", "top\nlist\n");
    completes("top m", "more\n");
    completes("top -", "--output\n-o\n--token\n");
    completes("top -o \"\"", "table\njson\ncsv\n");
    completes("top --token s", "\n");
    completes("list s", "\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bash_completes_names_as_they_are),
        cmocka_unit_test(bash_completes_our_own_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
