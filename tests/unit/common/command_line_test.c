#include "command_line.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "buf.h"
#include "file.h"

/* A command with a setting of every kind, and what it printed. */
struct scene {
    int insecure;
    const char *listen, *certificate, *token;
    uint64_t limit;
    int64_t every_ms;
    struct option_list attributes;
    struct option table[8];
    struct command_line line;
    char folder[64], config[96], secret[96];
    struct buf out, err;
    const char *note; /* NULL: the command has none, of the token */
};

static const char *const reloadable[] = {"limit", NULL};
static const struct option_alias aliases[] = {{"certificate", "OTHER_CERTIFICATE"}, {0}};

static void make_line(struct scene *s)
{
    const struct option table[] = {
        {"listen", 'l', OPTION_TEXT, &s->listen, "HOST:PORT", "where", NULL},
        {"limit", 0, OPTION_U64, &s->limit, "N", "rows", "20"},
        {"every", 0, OPTION_DURATION, &s->every_ms, "TIME", "between two", "5s"},
        {"insecure", 0, OPTION_FLAG, &s->insecure, NULL, "open", NULL},
        {"certificate", 0, OPTION_FILE, &s->certificate, "FILE", "whom to trust", NULL},
        {"token", 0, OPTION_SECRET, &s->token, "TEXT", "who we are", NULL},
        {"attr", 'a', OPTION_LIST, &s->attributes, "K=V", "more", NULL},
        {0},
    };
    _Static_assert(sizeof(table) == sizeof(s->table), "room for the table");
    memcpy(s->table, table, sizeof(table));
    s->attributes.count = 0;
    s->insecure = 0;
    s->listen = "127.0.0.1:1";
    s->limit = 20;
    s->every_ms = 5000;
    s->line = (struct command_line){.name = "prog go",
                                    .help = "usage: prog go\n",
                                    .options = s->table,
                                    .has_config = 1,
                                    .aliases = aliases,
                                    .reloadable = reloadable};
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    (void)snprintf(s->folder, sizeof(s->folder), "%s/command_line.XXXXXX", BINARY_ROOT);
    if (mkdtemp(s->folder) == NULL)
        return -1;
    (void)snprintf(s->config, sizeof(s->config), "%s/c", s->folder);
    (void)snprintf(s->secret, sizeof(s->secret), "%s/s", s->folder);
    make_line(s);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const variables[] = {"HEAPFLEET_LIMIT",      "HEAPFLEET_TOKEN",
                                            "HEAPFLEET_TOKEN_FILE", "HEAPFLEET_CERTIFICATE_FILE",
                                            "OTHER_CERTIFICATE",    "HEAPFLEET_CONFIG",
                                            "HEAPFLEET_EVERY"};
    for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
        unsetenv(variables[i]);
    struct scene *s = *state;
    command_line_done(&s->line);
    buf_done(&s->out);
    buf_done(&s->err);
    unlink(s->config);
    unlink(s->secret);
    rmdir(s->folder);
    free(s);
    return 0;
}

/* ---- running it with its output caught ------------------------------------------------------ */

static int redirect(int fd, const char *path)
{
    int kept = dup(fd);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(kept >= 0 && file >= 0 && dup2(file, fd) == fd);
    close(file);
    return kept;
}

static void restore(int fd, int kept, const char *path, struct buf *ret)
{
    assert_int_equal(dup2(kept, fd), fd);
    close(kept);
    buf_clear(ret);
    (void)!file_read(path, 1 << 20, ret, NULL); /* empty: nothing was printed */
    (void)buf_text(ret);
    unlink(path);
}

static int run(struct scene *s, int count, const char *const *words, enum status verdict)
{
    char out[96], err[96];
    (void)snprintf(out, sizeof(out), "%s/out", s->folder);
    (void)snprintf(err, sizeof(err), "%s/err", s->folder);
    (void)fflush(stdout);
    int out_kept = redirect(1, out), err_kept = redirect(2, err);
    command_line_done(&s->line);
    make_line(s);
    struct why why = {"as the command says"};
    int code = command_line_read(&s->line, count, (char **)words);
    if (code < 0 && s->note != NULL)
        command_line_note(&s->line, "token", s->note);
    if (code < 0)
        code = command_line_settle(&s->line, verdict, &why);
    (void)fflush(stdout);
    restore(1, out_kept, out, &s->out);
    restore(2, err_kept, err, &s->err);
    return code;
}

#define RUN(s, verdict, ...)                                                                       \
    run(s, (int)ARRAY_SIZE(((const char *const[]){"go", __VA_ARGS__})),                            \
        (const char *const[]){"go", __VA_ARGS__}, verdict)

static const char *out(struct scene *s)
{
    return buf_text(&s->out);
}

static const char *err(struct scene *s)
{
    return buf_text(&s->err);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void the_order_of_the_sources(void **state)
{
    struct scene *s = *state;
    write_file(s->config, "limit = 3\nlisten = file:3\nattr = a\nattr = b\n");
    assert_int_equal(RUN(s, STATUS_OK, "--config", s->config), -1);
    assert_int_equal(s->limit, 3);
    assert_int_equal(s->attributes.count, 2);
    assert_true(command_line_is_set(&s->line, "limit"));
    assert_false(command_line_is_set(&s->line, "every"));
    char place[128];
    (void)snprintf(place, sizeof(place), "%s:1: limit", s->config);
    assert_string_equal(command_line_place(&s->line, "limit"), place);
    assert_string_equal(command_line_place(&s->line, "every"), "--every");

    assert_int_equal(setenv("HEAPFLEET_LIMIT", "4", 1), 0);
    assert_int_equal(RUN(s, STATUS_OK, "--config", s->config), -1);
    assert_int_equal(s->limit, 4);
    assert_string_equal(command_line_place(&s->line, "limit"), "HEAPFLEET_LIMIT");

    assert_int_equal(RUN(s, STATUS_OK, "--config", s->config, "--limit=5", "-l", "flag:1"), -1);
    assert_int_equal(s->limit, 5);
    assert_string_equal(s->listen, "flag:1");
    assert_string_equal(command_line_place(&s->line, "listen"), "-l");

    assert_int_equal(setenv("HEAPFLEET_CONFIG", s->config, 1), 0);
    assert_int_equal(RUN(s, STATUS_OK, "--limit=5"), -1);
    assert_string_equal(s->listen, "file:3");
}

static void what_is_wrong_names_its_place(void **state)
{
    struct scene *s = *state;
    static const struct {
        const char *text, *sentence;
    } rows[] = {
        {"\nlimit = many\n", ":2: limit cannot be 'many': it takes a whole number\n"},
        {"limti = 3\n", ":1: unknown option 'limti': did you mean 'limit'?\n"},
        {"limit = 1\nlimit = 2\n", ":2: limit is set a second time\n"},
        {"help = yes\n", ":1: help cannot be set in a file\n"},
        {"check = yes\n", ":1: check cannot be set in a file\n"},
        {"config = /x\n", ":1: config cannot be set in a file\n"},
        {"limit\n", ":1: the line is not \"name = value\"\n"},
        {"limit-file = /x\n", ":1: unknown option 'limit-file': --help lists the options\n"},
        {"token-file = /none\n", ":1: token-file: cannot open /none: No such file or directory\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        write_file(s->config, rows[i].text);
        assert_true(RUN(s, STATUS_OK, "--config", s->config) > 0);
        char sentence[256];
        (void)snprintf(sentence, sizeof(sentence), "prog go: %s%s", s->config, rows[i].sentence);
        assert_string_equal(err(s), sentence);
    }
    write_file(s->config, "limit = many\n"); /* what is not used is not looked at */
    assert_int_equal(RUN(s, STATUS_OK, "--config", s->config, "--limit", "1"), -1);
    assert_int_equal(RUN(s, STATUS_OK, "--config=/none"), 2);
    assert_string_equal(err(s),
                        "prog go: --config: cannot open /none: No such file or directory\n");
}

static void secrets_come_from_files(void **state)
{
    struct scene *s = *state;
    write_file(s->secret, "se cret\r\n\n");
    assert_int_equal(RUN(s, STATUS_OK, "--token-file", s->secret), -1);
    assert_string_equal(s->token, "se cret");
    assert_int_equal(setenv("HEAPFLEET_TOKEN_FILE", s->secret, 1), 0);
    assert_int_equal(RUN(s, STATUS_OK, "--limit=1"), -1);
    assert_string_equal(s->token, "se cret");
    assert_int_equal(RUN(s, STATUS_OK, "--token", "other", "--print-config"), 0);
    assert_string_equal(s->token, "other");
    assert_null(strstr(out(s), "other"));
    assert_non_null(strstr(out(s), "# token is hidden "));
    assert_int_equal(setenv("HEAPFLEET_TOKEN", "x", 1), 0);
    assert_int_equal(RUN(s, STATUS_OK, "--limit=1"), 2);
    assert_string_equal(err(s), "prog go: HEAPFLEET_TOKEN and HEAPFLEET_TOKEN_FILE are both set: "
                                "one of them is enough\n");
}

static void files_have_other_names(void **state)
{
    struct scene *s = *state;
    assert_int_equal(setenv("OTHER_CERTIFICATE", "/c", 1), 0);
    assert_int_equal(RUN(s, STATUS_OK, "--limit=1"), -1);
    assert_string_equal(s->certificate, "/c");
    assert_string_equal(command_line_place(&s->line, "certificate"), "OTHER_CERTIFICATE");
    assert_int_equal(setenv("HEAPFLEET_CERTIFICATE_FILE", "/b", 1), 0);
    assert_int_equal(RUN(s, STATUS_OK, "--limit=1"), -1);
    assert_string_equal(s->certificate, "/b");
    assert_int_equal(RUN(s, STATUS_OK, "--certificate-file=/a"), -1);
    assert_string_equal(s->certificate, "/a");
}

static void check_opens_the_files(void **state)
{
    struct scene *s = *state;
    assert_int_equal(RUN(s, STATUS_OK, "--check"), 0);
    assert_string_equal(out(s), "prog go: the settings are fine\n");
    assert_int_equal(RUN(s, STATUS_OK, "--check", "--certificate=/none"), 2);
    assert_string_equal(err(s),
                        "prog go: --certificate: cannot open /none: No such file or directory\n");
    assert_int_equal(RUN(s, STATUS_USAGE, "--check"), 2);
    assert_string_equal(err(s), "prog go: as the command says\n");
    assert_int_equal(RUN(s, STATUS_USAGE, "--limit=1"), 2);
}

/* What it prints can be its configuration. */
static void printed_settings_can_be_read(void **state)
{
    struct scene *s = *state;
    assert_int_equal(RUN(s, STATUS_OK, "--print-config", "--limit=7", "-a", " x # y", "-a", "z",
                         "--insecure", "-l", "[::1]:3"),
                     0);
    assert_non_null(strstr(out(s), "limit = 7 "));
    assert_non_null(strstr(out(s), " # --limit\n"));
    assert_non_null(strstr(out(s), "every = 5s "));
    assert_non_null(strstr(out(s), " # default\n"));
    assert_non_null(strstr(out(s), "# certificate is not set\n"));
    write_file(s->config, out(s));
    struct buf first = BUF_INIT;
    buf_append_text(&first, out(s));
    assert_int_equal(RUN(s, STATUS_OK, "--config", s->config), -1);
    assert_int_equal(s->limit, 7);
    assert_int_equal(s->insecure, 1);
    assert_int_equal(s->attributes.count, 2);
    assert_string_equal(s->attributes.items[0], " x # y");
    assert_string_equal(s->listen, "[::1]:3");
    buf_done(&first);
}

/* Two that exclude each other: a flag is stronger than a variable, and that than the file. */
static void the_stronger_place_wins(void **state)
{
    struct scene *s = *state;
    write_file(s->config, "limit = 3\nevery = 9s\n");
    assert_int_equal(setenv("HEAPFLEET_EVERY", "2s", 1), 0);
    assert_int_equal(RUN(s, STATUS_OK, "--config", s->config), -1);
    assert_int_equal(command_line_prefers(&s->line, "every", "limit"), 1);
    assert_int_equal(command_line_prefers(&s->line, "limit", "every"), -1);
    assert_int_equal(RUN(s, STATUS_OK, "--limit=4", "--every=1s"), -1);
    assert_int_equal(command_line_prefers(&s->line, "limit", "every"), 0);
    assert_int_equal(command_line_prefers(&s->line, "listen", "limit"), -1);
}

static void a_note_stands_for_the_value(void **state)
{
    struct scene *s = *state;
    s->note = "is not used: OTHER has it";
    assert_int_equal(RUN(s, STATUS_OK, "--print-config", "--token", "t", "--limit=7"), 0);
    assert_non_null(strstr(out(s), "# token is not used: OTHER has it\n"));
    assert_non_null(strstr(out(s), "limit = 7 "));
}

static void help_and_wrong_words(void **state)
{
    struct scene *s = *state;
    assert_int_equal(RUN(s, STATUS_OK, "--help"), 0);
    assert_int_equal(strncmp(out(s), "usage: prog go\n\n", 16), 0);
    assert_non_null(strstr(out(s), "--print-config"));
    assert_int_equal(RUN(s, STATUS_OK, "--lmit=3"), 2);
    assert_string_equal(err(s), "prog go: unknown option '--lmit': did you mean '--limit'?\n");
    assert_int_equal(RUN(s, STATUS_OK, "--", "more"), 2);
    assert_string_equal(err(s), "prog go: unexpected argument 'more'\n");
}

/* ---- reading again -------------------------------------------------------------------------- */

static void note(void *arg, const char *option, int is_reloadable)
{
    buf_printf(arg, "%s:%d;", option, is_reloadable);
}

static void reading_again_tells_what_differs(void **state)
{
    struct scene *s = *state;
    write_file(s->config, "limit = 3\nevery = 1s\nattr = a\n");
    assert_int_equal(RUN(s, STATUS_OK, "--config", s->config, "-l", "x:1"), -1);
    write_file(s->config, "limit = 4\nevery = 2s\nattr = b\nlisten = y:2\ninsecure = yes\n");

    struct scene fresh = {0};
    struct why why = {""};
    struct buf changes = BUF_INIT;
    make_line(&fresh);
    assert_int_equal(command_line_read_again(&s->line, &fresh.line, &why), STATUS_OK);
    command_line_compare(&s->line, &fresh.line, note, &changes);
    assert_string_equal(buf_text(&changes), "limit:1;every:0;insecure:0;attr:0;");
    assert_int_equal(fresh.limit, 4);
    assert_int_equal(s->limit, 3);
    command_line_done(&fresh.line);

    write_file(s->config, "limit = none\n");
    struct scene bad = {0};
    make_line(&bad);
    assert_int_equal(command_line_read_again(&s->line, &bad.line, &why), STATUS_USAGE);
    assert_non_null(strstr(why.text, ":1: limit cannot be 'none'"));
    command_line_done(&bad.line);
    buf_done(&changes);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_order_of_the_sources), TEST(what_is_wrong_names_its_place),
        TEST(secrets_come_from_files),  TEST(files_have_other_names),
        TEST(check_opens_the_files),    TEST(printed_settings_can_be_read),
        TEST(the_stronger_place_wins),  TEST(a_note_stands_for_the_value),
        TEST(help_and_wrong_words),     TEST(reading_again_tells_what_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
