#include "log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* What the lines of `emit` look like on standard error. */
static const char *captured(void (*emit)(void))
{
    static char text[8192];
    (void)fflush(stderr);
    FILE *file = tmpfile();
    assert_non_null(file);
    int saved = dup(STDERR_FILENO);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    emit();
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
    rewind(file);
    size_t size = fread(text, 1, sizeof(text) - 1, file);
    text[size] = '\0';
    (void)fclose(file);
    return text;
}

static void emit_text(void)
{
    log_setup(LOG_INFO, LOG_TEXT);
    log_event(LOG_DEBUG, "not.shown", NULL);
    log_event(LOG_WARN, "peer.refused", "why=\"%s\"", "a\nb\033");
}

static void emit_json(void)
{
    log_setup(LOG_ERROR, LOG_JSON);
    log_event(LOG_WARN, "not.shown", NULL);
    log_event(LOG_ERROR, "peer.refused", "why=\"%s\"", "x");
    log_setup(LOG_INFO, LOG_TEXT);
}

static void lines(void **state)
{
    (void)state;
    const char *text = captured(emit_text);
    assert_string_equal(strchr(text, ' '), " warn  peer.refused why=\"a?b?\"\n");
    const char *json = captured(emit_json);
    assert_memory_equal(json, "{\"time\":\"", 9);
    assert_string_equal(strstr(json, ",\"level\""),
                        ",\"level\":\"error\",\"event\":\"peer.refused\","
                        "\"detail\":\"why=\\\"x\\\"\"}\n");
}

static void emit_forged(void)
{
    static const char forged[] = "x\" pid=1 ok=\"yes\\";
    log_event(LOG_ERROR, "all",
              "a=\"%s\" b=%s c=\"%.2s; %s|\" d=%d e=%5.2f f=%lld g=%zu h=%08lx i=%c j=%% "
              "k=\"%.*s\" l=%*d m=%u n=%hhx",
              forged, "word", "\"ab", "q", -3, 1.005, -5000000000LL, (size_t)7, 0xbeefUL, 'z', 2,
              "\\\\\\", 4, 12, 4000000000U, (unsigned char)0xff);
}

/* What comes from outside cannot look like another pair. */
static void values_stay_in_their_quotes(void **state)
{
    (void)state;
    const char *text = captured(emit_forged);
    assert_string_equal(strstr(text, "all"),
                        "all a=\"x\\\" pid=1 ok=\\\"yes\\\\\" b=word c=\"\\\"a; q|\" d=-3 "
                        "e= 1.00 f=-5000000000 g=7 h=0000beef i=z j=% k=\"\\\\\\\\\" l=  12 "
                        "m=4000000000 n=ff\n");
}

static void escaped_texts_are_cut_whole(void **state)
{
    (void)state;
    char text[8];
    log_escape("a\"b\\c", text, sizeof(text));
    assert_string_equal(text, "a\\\"b\\\\c");
    log_escape("abcdef\"", text, sizeof(text));
    assert_string_equal(text, "abcdef");
    log_escape("", text, sizeof(text));
    assert_string_equal(text, "");
}

static void emit_long(void)
{
    char text[4000];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    log_event(LOG_ERROR, "long", "%s", text);
}

static void long_lines_are_cut(void **state)
{
    (void)state;
    const char *text = captured(emit_long);
    assert_in_range(strlen(text), 1000, 1200);
    assert_int_equal(text[strlen(text) - 1], '\n');
}

static void level_words(void **state)
{
    (void)state;
    enum log_level level = LOG_DEBUG;
    assert_int_equal(log_level_parse("error", &level), 0);
    assert_int_equal(level, LOG_ERROR);
    assert_int_equal(log_level_parse("loud", &level), -1);
    assert_int_equal(level, LOG_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(values_stay_in_their_quotes),
        cmocka_unit_test(escaped_texts_are_cut_whole),
        cmocka_unit_test(long_lines_are_cut),
        cmocka_unit_test(level_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
