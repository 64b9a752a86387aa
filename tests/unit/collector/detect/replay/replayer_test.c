/* Files as people write them, and what becomes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "buf.h"
#include "replayer.h"
#include "verdict_json.h"

enum { HORIZON_S = 3600, STEP_S = 20 };

struct file {
    struct buf text;
    struct buf told;
    struct why why;
    uint64_t lines, behind;
    size_t piece; /* that is fed at a time; 0: 1000 bytes */
};

static void tell(void *user, const char *service, const struct verdict *verdict)
{
    verdict_json_append(user, service, verdict);
}

static enum status run(struct file *file)
{
    const struct replay_config config = {
        .detect = {.horizon_ms = (int64_t)HORIZON_S * 1000}, .user = &file->told, .tell = tell};
    struct replay *replay = replay_new(&config);
    enum status status = STATUS_OK;
    size_t piece = file->piece != 0 ? file->piece : 1000;
    for (size_t at = 0; status == STATUS_OK && at < file->text.size; at += piece) {
        size_t size = file->text.size - at < piece ? file->text.size - at : piece;
        status = replay_feed(replay, (char *)file->text.data + at, size, &file->why);
    }
    if (status == STATUS_OK)
        status = replay_finish(replay, &file->why);
    file->lines = replay_lines(replay);
    file->behind = replay_lines_behind(replay);
    replay_free(replay);
    return status;
}

static void done(struct file *file)
{
    buf_done(&file->text);
    buf_done(&file->told);
}

/* Three containers for 1.5 horizons. `quote` stands around texts, `end` behind lines. */
static void write_leak(struct file *file, const char *quote, const char *end)
{
    for (int t = 0; t < HORIZON_S * 3 / 2; t += STEP_S)
        for (int pod = 0; pod < 3; pod++) {
            buf_printf(&file->text, "%d,shop,v1,pod-%d,@cpu_ms,%d,0%s", 1760000000 + t, pod,
                       1000 + t * 100, end);
            buf_printf(&file->text, "%d,shop,v1,pod-%d,@unknown,1,2%s", 1760000000 + t, pod, end);
            buf_printf(&file->text, "%d,%sshop%s,v1,%spod-%d%s,%sshop.Cart%s,%d,%d%s",
                       1760000000 + t, quote, quote, quote, pod, quote, quote, quote, 500 + t,
                       50000 + 100 * t, end);
            buf_printf(&file->text, "%d,shop,v1,pod-%d,dict,%d,%d%s", 1760000000 + t, pod, 9000 + t,
                       900000 + 100 * t, end);
        }
}

static void assert_found_cart(struct file *file)
{
    assert_int_equal(run(file), STATUS_OK);
    buf_append_byte(&file->told, 0);
    const char *told = (const char *)file->told.data;
    assert_non_null(strstr(told, "\"type\":\"shop.Cart\""));
    assert_non_null(strstr(told, "\"severity\":\"confirmed\""));
    assert_non_null(strstr(told, "\"introduced_in\":\"v1\""));
    assert_non_null(strstr(told, "\"companions\":[\"dict\"]"));
    assert_ptr_equal(strchr(told, '\n') + 1, told + file->told.size - 1); /* one line */
}

static void test_a_leak_is_told_once(void **state)
{
    (void)state;
    struct file file = {.lines = 0};
    buf_append_text(&file.text, "time,service,version,instance,type,count,bytes\n");
    write_leak(&file, "", "\n");
    assert_found_cart(&file);
    done(&file);
}

static void test_quotes_and_carriage_returns_are_taken(void **state)
{
    (void)state;
    struct file file = {.lines = 0};
    write_leak(&file, "\"", "\r\n\r\n");
    file.text.size -= 4; /* no line feed at the end */
    assert_found_cart(&file);
    done(&file);
}

/* The leak in containers of 50 MB that have 4 MB left; `names` tells which. */
static long long until_limit_ms(const char *const names[3], const char *quote)
{
    struct file file = {.lines = 0};
    for (int t = 0; t < HORIZON_S * 3 / 2; t += STEP_S)
        for (int pod = 0; pod < 3; pod++)
            buf_printf(&file.text,
                       "%d,shop,v1,%spod-%d%s,shop.Cart,%d,%d\n"
                       "%d,shop,v1,%spod-%d%s,@container,46000000,50000000%s\n",
                       1760000000 + t, quote, pod, quote, 500 + t, 50000 + 100 * t, 1760000000 + t,
                       quote, pod, quote, names[pod]);
    assert_int_equal(run(&file), STATUS_OK);
    buf_append_byte(&file.told, 0);
    const char *at = strstr((const char *)file.told.data, "\"until_limit_ms\":");
    assert_non_null(at);
    long long until = strtoll(strchr(at, ':') + 1, NULL, 10);
    done(&file);
    return until;
}

static void assert_about(long long value, long long expected)
{
    assert_true(value > expected * 9 / 10 && value < expected * 11 / 10);
}

/* 100 bytes a second each; those that name a container fill it together. */
static void test_a_container_can_be_named(void **state)
{
    (void)state;
    static const char *const unnamed[] = {"", ",", ",\"\""};
    static const char *const own[] = {",a", ",b", ",c"};
    static const char *const two[] = {",box", ",other", ",box"};
    static const char *const all[] = {",box", ",\"box\"", ",box\r"};
    assert_about(until_limit_ms(unnamed, ""), 40000000);
    assert_about(until_limit_ms(own, ""), 40000000);
    assert_about(until_limit_ms(two, ""), 20000000);
    assert_about(until_limit_ms(two, "\""), 20000000);
    assert_about(until_limit_ms(all, ""), 13333333);
}

static void test_what_is_wrong_is_named_by_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *reason;
    } rows[] = {
        {"1,a,v,i,dict,1", "line 1: 6 fields, expected 7 or 8"},
        {"1,a,v,i,dict,1,2\n1,a,v,i,dict,1,2,3,4\n", "line 2: 9 fields, expected 7 or 8"},
        {"1,a,v,i,dict,1,2,3,4\n", "line 1: 9 fields, expected 7 or 8"},
        {"time,service\n1,a,v,i,dict,x,2", "line 2: count is not a number: \"x\""},
        {"1,a,v,i,dict,1,\n", "line 1: bytes is not a number: \"\""},
        {"yesterday,a,v,i,dict,1,1\n", "line 1: time is not a number: \"yesterday\""},
        {"1,a,v,i,\"dict,1,1\n", "line 1: a quote that is not closed, or followed by more"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct file file = {.lines = 0};
        buf_append_text(&file.text, rows[i].text);
        assert_int_equal(run(&file), STATUS_INVALID);
        assert_string_equal(file.why.text, rows[i].reason);
        done(&file);
    }
}

/* Wherever the pieces of the file are cut: the line is the second. */
static void test_a_line_that_is_too_long(void **state)
{
    (void)state;
    static const size_t pieces[] = {1000, REPLAY_LINE_MAX, 2 * REPLAY_LINE_MAX};
    for (size_t k = 0; k < sizeof(pieces) / sizeof(pieces[0]); k++) {
        struct file file = {.piece = pieces[k]};
        buf_append_text(&file.text, "1,a,v,i,dict,1,2\n");
        for (int i = 0; i <= REPLAY_LINE_MAX; i++)
            buf_append_byte(&file.text, 'x');
        buf_append_byte(&file.text, '\n');
        assert_int_equal(run(&file), STATUS_LIMIT);
        assert_string_equal(file.why.text, "line 2: longer than 65536 bytes");
        done(&file);
    }
}

static void test_a_mark_of_utf_8_is_passed_by(void **state)
{
    (void)state;
    struct file file = {.lines = 0};
    buf_append_text(&file.text, "\xef\xbb\xbf");
    write_leak(&file, "", "\n");
    assert_found_cart(&file);
    done(&file);
    buf_append_text(&file.text, "\xef\xbb\xbf"
                                "time,service,version,instance,type,count,bytes\n");
    write_leak(&file, "\"", "\n");
    assert_found_cart(&file);
    done(&file);
}

static void test_damaged_numbers_and_clocks_are_borne(void **state)
{
    (void)state;
    struct file file = {.lines = 0};
    for (int t = 0; t < HORIZON_S * 2; t += STEP_S) {
        const char *count = t % 400 == 0   ? "9223372036854775808"
                            : t % 500 == 0 ? "-7"
                            : t % 700 == 0 ? "99999999999999999999999999"
                                           : "1000";
        int time = t % 300 == 0 ? 1760000000 - t : 1760000000 + t;
        buf_printf(&file.text, "%d,shop,v1,pod,dict,%s,%s\n", time, count, count);
        buf_printf(&file.text, "%d,shop,v1,pod,dict,%s,%s\n", time, count, count);
    }
    buf_append_text(&file.text, "9223372036854775807,shop,v1,pod,dict,5,5\n");
    buf_append_text(&file.text, "-5,shop,v1,pod,@end,1,0\n");
    assert_int_equal(run(&file), STATUS_OK);
    assert_int_equal(file.told.size, 0);
    done(&file);
}

static void write_at(struct file *file, int time)
{
    buf_printf(&file->text, "%d,shop,v1,pod,@cpu_ms,%d,0\n", time, time % 1000000);
    buf_printf(&file->text, "%d,shop,v1,pod,dict,5,500\n", time);
}

static void test_lines_that_are_behind_their_time_are_counted(void **state)
{
    (void)state;
    struct file file = {.lines = 0};
    for (int t = 0; t < HORIZON_S; t += STEP_S)
        write_at(&file, 1760000000 + t);
    assert_int_equal(run(&file), STATUS_OK);
    assert_int_equal(file.behind, 0);
    done(&file);
    file = (struct file){.lines = 0};
    for (int t = HORIZON_S; t > 0; t -= STEP_S)
        write_at(&file, 1760000000 + t);
    assert_int_equal(run(&file), STATUS_OK);
    assert_int_equal(file.behind, 2 * (HORIZON_S / STEP_S - 1));
    done(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_that_are_behind_their_time_are_counted),
        cmocka_unit_test(test_a_leak_is_told_once),
        cmocka_unit_test(test_quotes_and_carriage_returns_are_taken),
        cmocka_unit_test(test_a_container_can_be_named),
        cmocka_unit_test(test_what_is_wrong_is_named_by_its_line),
        cmocka_unit_test(test_a_line_that_is_too_long),
        cmocka_unit_test(test_a_mark_of_utf_8_is_passed_by),
        cmocka_unit_test(test_damaged_numbers_and_clocks_are_borne),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
