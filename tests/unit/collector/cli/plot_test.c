#include "plot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "utf8.h"

static const int64_t start_ms = 1795338761000; /* 2026-11-22 09:12:41 UTC */

static void a_line_that_rises(void **state)
{
    (void)state;
    const struct plot_point points[] = {{start_ms, 0}, {start_ms + 60000, 1000000}};
    const struct plot_mark marks[] = {{start_ms - 1, "v1"}, {start_ms + 30000, "v2"}};
    struct plot plot = {points, 2, 60000, REPORT_BYTES, marks, 2, 35, 0};
    struct buf text = BUF_INIT;
    plot_draw(&plot, &text);
    assert_string_equal(buf_text(&text), "   1.0 MB ┤                    ⢀⡠⠊\n"
                                         "          │                  ⢀⠔⠁\n"
                                         "          │                ⡠⠔⠁\n"
                                         "          │              ⡠⠊\n"
                                         "          │           ⢀⠔⠉\n"
                                         " 500.0 kB ┤         ⣀⠔⠁\n"
                                         "          │       ⡠⠊\n"
                                         "          │    ⢀⠔⠊\n"
                                         "          │  ⢀⠔⠁\n"
                                         "      0 B ┤⡠⠊⠁\n"
                                         "          └┬──────────┬──────────┬\n"
                                         "           09:12:41       09:13:41\n"
                                         "                      ▲v2\n");
    buf_done(&text);
}

static void no_label_stands_twice(void **state)
{
    (void)state;
    const struct plot_point points[] = {{start_ms, 2634000}, {start_ms + 60000, 2744000}};
    struct plot plot = {points, 2, 60000, REPORT_BYTES, NULL, 0, 60, 0};
    struct buf text = BUF_INIT;
    plot_draw(&plot, &text);
    const char *first = strstr(buf_text(&text), "2.7 MB ┤");
    assert_non_null(first);
    assert_null(strstr(first + 1, "2.7 MB ┤"));
    assert_non_null(strstr(first, "2.6 MB ┤"));
    buf_done(&text);
}

static void a_version_does_not_drive_the_terminal(void **state)
{
    (void)state;
    const struct plot_point points[] = {{start_ms, 1}, {start_ms + 60000, 2}};
    const struct plot_mark marks[] = {{start_ms + 20000, "v\033[2J\302\233m"}};
    struct plot plot = {points, 2, 60000, REPORT_PLAIN, marks, 1, 60, 0};
    struct buf text = BUF_INIT;
    plot_draw(&plot, &text);
    assert_non_null(strstr(buf_text(&text), "▲v?[2J??m\n"));
    assert_null(strchr(buf_text(&text), '\033'));
    buf_done(&text);
}

/* What must hold for any points and any width. */
static void check_shape(const struct plot *plot)
{
    struct buf text = BUF_INIT;
    plot_draw(plot, &text);
    assert_true(utf8_valid((const char *)text.data, text.size));
    int lines = 0;
    char *rest = NULL;
    char *copy = strdup(buf_text(&text));
    for (char *line = strtok_r(copy, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        lines++;
        size_t width = utf8_columns(line, strlen(line));
        assert_true(width <= (size_t)(plot->columns > 50 ? plot->columns : 50));
    }
    assert_in_range(lines, 12, 13);
    free(copy);
    buf_done(&text);
}

static void any_shape(void **state)
{
    (void)state;
    uint64_t seed = 42;
    for (int round = 0; round < 300; round++) {
        struct plot_point points[64];
        size_t count = 1 + (size_t)round % 64;
        int64_t time_ms = start_ms;
        for (size_t i = 0; i < count; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            time_ms += (int64_t)(seed >> 33) % (round % 5 == 0 ? 1 : 100000000);
            double value = (double)(seed >> (round % 60));
            points[i] = (struct plot_point){time_ms, round % 7 == 0 ? 5 : value};
        }
        const struct plot_mark marks[] = {
            {start_ms, "1.0"}, {points[count / 2].time_ms, "日本"}, {time_ms, "long-version-name"}};
        struct plot plot = {points, count, 50000000,    round % 2 ? REPORT_PLAIN : REPORT_BYTES,
                            marks,  3,     round % 200, 0};
        check_shape(&plot);
    }
}

static void a_gap_is_not_bridged(void **state)
{
    (void)state;
    struct plot_point points[] = {{0, 1}, {1000, 1}, {50000, 1}, {51000, 1}};
    struct plot plot = {points, 4, 2000, REPORT_PLAIN, NULL, 0, 40, 0};
    struct buf text = BUF_INIT;
    plot_draw(&plot, &text);
    size_t dots = 0;
    for (size_t i = 0; i + 1 < text.size; i++)
        dots += text.data[i] == 0xE2 && (text.data[i + 1] & 0xFC) == 0xA0;
    assert_in_range(dots, 2, 4);
    buf_done(&text);
}

/* One percent of noise on a level must not fill the plot. */
static void noise_is_not_a_trend(void **state)
{
    (void)state;
    struct plot_point points[] = {{0, 1000}, {1000, 1004}, {2000, 998}, {3000, 1001}};
    struct plot plot = {points, 4, 2000, REPORT_PLAIN, NULL, 0, 60, 0};
    struct buf text = BUF_INIT;
    plot_draw(&plot, &text);
    assert_non_null(strstr(buf_text(&text), "1,026"));
    assert_non_null(strstr(buf_text(&text), "976"));
    buf_done(&text);
}

static void colours(void **state)
{
    (void)state;
    struct plot_point points[] = {{0, 1}};
    struct plot plot = {points, 1, 2000, REPORT_PLAIN, NULL, 0, 60, 1};
    struct buf text = BUF_INIT;
    plot_draw(&plot, &text);
    assert_non_null(strstr(buf_text(&text), "\033[36m"));
    buf_clear(&text);
    plot.colours = 0;
    plot_draw(&plot, &text);
    assert_null(strchr(buf_text(&text), '\033'));
    buf_done(&text);
}

int main(void)
{
    (void)setenv("TZ", "UTC", 1);
    tzset();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_that_rises),
        cmocka_unit_test(no_label_stands_twice),
        cmocka_unit_test(a_version_does_not_drive_the_terminal),
        cmocka_unit_test(any_shape),
        cmocka_unit_test(a_gap_is_not_bridged),
        cmocka_unit_test(noise_is_not_a_trend),
        cmocka_unit_test(colours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
