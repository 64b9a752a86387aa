#include "plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "utf8.h"

enum {
    ROWS = 10,
    DOTS_X = 2, /* a braille character */
    DOTS_Y = 4,
    WIDTH_MIN = 20,
    WIDTH_MAX = 120,
    LABEL_GAP = 2, /* " ┤" */
    TIME_BYTES = 32,
    LABELS_MAX = 3,
};

struct canvas {
    const struct plot *plot;
    int width; /* characters */
    double low, high;
    int64_t from_ms, to_ms;
    uint8_t *cells; /* [ROWS * width], the dots of each */
    int label_width;
};

/* ---- dots ----------------------------------------------------------------------------------- */

static void set_dot(struct canvas *canvas, int x, int y)
{
    /* the order in which Unicode numbers the dots of a braille character, from U+2800 on */
    static const uint8_t bits[DOTS_Y][DOTS_X] = {
        {0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    ASSERT(x >= 0 && x < canvas->width * DOTS_X && y >= 0 && y < ROWS * DOTS_Y);
    canvas->cells[y / DOTS_Y * canvas->width + x / DOTS_X] |= bits[y % DOTS_Y][x % DOTS_X];
}

static int dot_x(const struct canvas *canvas, int64_t time_ms)
{
    if (canvas->to_ms == canvas->from_ms)
        return canvas->width * DOTS_X - 1;
    double share = (double)(time_ms - canvas->from_ms) / (double)(canvas->to_ms - canvas->from_ms);
    return (int)lround(share * (canvas->width * DOTS_X - 1));
}

/* From the top. */
static int dot_y(const struct canvas *canvas, double value)
{
    double share = (value - canvas->low) / (canvas->high - canvas->low);
    return (int)lround((1 - share) * (ROWS * DOTS_Y - 1));
}

/* Bresenham's line. */
static void set_line(struct canvas *canvas, int x, int y, int to_x, int to_y)
{
    int width = abs(to_x - x);
    int height = -abs(to_y - y);
    int step_x = x < to_x ? 1 : -1;
    int step_y = y < to_y ? 1 : -1;
    int error = width + height;
    for (;;) {
        set_dot(canvas, x, y);
        if (x == to_x && y == to_y)
            return;
        int twice = 2 * error;
        if (twice >= height) {
            error += height;
            x += step_x;
        }
        if (twice <= width) {
            error += width;
            y += step_y;
        }
    }
}

static void set_curve(struct canvas *canvas)
{
    const struct plot *plot = canvas->plot;
    for (size_t i = 0; i < plot->count; i++) {
        const struct plot_point *point = &plot->points[i];
        int x = dot_x(canvas, point->time_ms);
        int y = dot_y(canvas, point->value);
        if (i > 0 && point->time_ms - point[-1].time_ms <= plot->gap_ms)
            set_line(canvas, dot_x(canvas, point[-1].time_ms), dot_y(canvas, point[-1].value), x,
                     y);
        else
            set_dot(canvas, x, y);
    }
}

/* ---- text ----------------------------------------------------------------------------------- */

static void append_label(const struct canvas *canvas, const char *text, const char *axis,
                         struct buf *ret)
{
    int blanks = canvas->label_width - (int)utf8_columns(text, strlen(text));
    buf_printf(ret, "%*s%s %s", blanks, "", text, axis);
}

static void trim_blanks(struct buf *ret)
{
    while (ret->size > 0 && ret->data[ret->size - 1] == ' ')
        ret->size--;
}

/* None in the middle that reads as one of the others: the same number twice is no scale. */
static void format_label(const struct canvas *canvas, const double values[LABELS_MAX], int i,
                         struct buf *ret)
{
    report_format_number(ret, values[i], canvas->plot->unit);
    for (int other = 0; other < LABELS_MAX && i == LABELS_MAX / 2; other++) {
        struct buf text = BUF_INIT;
        report_format_number(&text, values[other], canvas->plot->unit);
        if (other != i && strcmp(buf_text(&text), buf_text(ret)) == 0)
            buf_clear(ret);
        buf_done(&text);
    }
}

static void append_rows(const struct canvas *canvas, struct buf *ret)
{
    const double values[] = {canvas->high, (canvas->high + canvas->low) / 2, canvas->low};
    static const int label_rows[] = {0, ROWS / 2, ROWS - 1};
    for (int row = 0; row < ROWS; row++) {
        struct buf label = BUF_INIT;
        for (int i = 0; i < LABELS_MAX; i++) {
            if (label_rows[i] == row)
                format_label(canvas, values, i, &label);
        }
        append_label(canvas, buf_text(&label), label.size > 0 ? "┤" : "│", ret);
        buf_done(&label);
        buf_append_text(ret, canvas->plot->colours ? "\033[36m" : "");
        for (int i = 0; i < canvas->width; i++) {
            uint8_t dots = canvas->cells[row * canvas->width + i];
            const uint8_t braille[] = {0xE2, (uint8_t)(0xA0 | dots >> 6),
                                       (uint8_t)(0x80 | (dots & 0x3F))};
            if (dots == 0)
                buf_append_byte(ret, ' ');
            else
                buf_append(ret, braille, sizeof(braille));
        }
        trim_blanks(ret);
        buf_append_text(ret, canvas->plot->colours ? "\033[0m\n" : "\n");
    }
}

/* A line of text into which words are put at columns. */
struct line {
    char *text;
    int width;
    int free_from; /* column behind the last word */
};

static struct line line_new(int width)
{
    struct line line = {malloc((size_t)width + 1), width, 0};
    ASSERT(line.text != NULL);
    memset(line.text, ' ', (size_t)width);
    line.text[width] = '\0';
    return line;
}

/* Left out when it would touch the word before it or leave the line. */
static void line_put(struct line *line, int at, const char *word)
{
    int size = (int)strlen(word);
    if (at < 0 || at + size > line->width || (line->free_from > 0 && at <= line->free_from))
        return;
    memcpy(line->text + at, word, (size_t)size);
    line->free_from = at + size;
}

/* The part of "11-22 09:20:46" that tells the ends of the axis apart. */
static void format_time(const struct canvas *canvas, int64_t time_ms, char *ret)
{
    static const struct {
        int64_t span_ms;
        int from, size;
    } parts[] = {{21600000, 6, 8}, {86400000, 6, 5}, {INT64_MAX, 0, 11}};
    size_t part = 0;
    while (parts[part].span_ms < canvas->to_ms - canvas->from_ms)
        part++;
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm local = {0};
    char whole[TIME_BYTES] = "";
    (void)localtime_r(&seconds, &local);
    (void)strftime(whole, sizeof(whole), "%m-%d %H:%M:%S", &local);
    (void)snprintf(ret, TIME_BYTES, "%.*s", parts[part].size, whole + parts[part].from);
}

static void append_axis(const struct canvas *canvas, struct buf *ret)
{
    int last = canvas->width - 1;
    append_label(canvas, "", "└", ret);
    for (int i = 0; i < canvas->width; i++)
        buf_append_text(ret, i == 0 || i == last / 2 || i == last ? "┬" : "─");
    buf_append_byte(ret, '\n');
    char text[TIME_BYTES];
    struct line line = line_new(canvas->width);
    format_time(canvas, canvas->from_ms, text);
    line_put(&line, 0, text);
    char end[TIME_BYTES];
    format_time(canvas, canvas->to_ms, end);
    format_time(canvas, canvas->from_ms + (canvas->to_ms - canvas->from_ms) / 2, text);
    int middle = last / 2 - (int)strlen(text) / 2;
    if (middle + (int)strlen(text) < canvas->width - (int)strlen(end))
        line_put(&line, middle, text);
    line_put(&line, canvas->width - (int)strlen(end), end);
    append_label(canvas, "", " ", ret);
    buf_printf(ret, "%s\n", line.text);
    free(line.text);
}

/* Arrows with what began there: "▲v1      ▲v2". A label that has no room is left out. */
static void append_marks(const struct canvas *canvas, struct buf *ret)
{
    struct buf text = BUF_INIT;
    int column = 0;
    for (size_t i = 0; i < canvas->plot->mark_count; i++) {
        const struct plot_mark *mark = &canvas->plot->marks[i];
        int width = 1 + (int)utf8_columns(mark->label, strlen(mark->label));
        if (mark->time_ms < canvas->from_ms || mark->time_ms > canvas->to_ms)
            continue;
        int at = dot_x(canvas, mark->time_ms) / DOTS_X;
        if (at < column || at + width > canvas->width + LABEL_GAP)
            continue;
        buf_printf(&text, "%*s▲%s", at - column, "", mark->label);
        column = at + width + 1;
        buf_append_byte(&text, ' ');
    }
    trim_blanks(&text);
    utf8_scrub((char *)text.data, text.size); /* labels are versions: anybody's text */
    if (text.size > 0) {
        append_label(canvas, "", " ", ret);
        buf_printf(ret, "%s\n", buf_text(&text));
    }
    buf_done(&text);
}

/* ---- bounds --------------------------------------------------------------------------------- */

/* Small changes of a large value are stretched, but noise is not made to look like a trend. */
static void choose_bounds(struct canvas *canvas)
{
    const struct plot *plot = canvas->plot;
    double low = plot->points[0].value;
    double high = low;
    for (size_t i = 1; i < plot->count; i++) {
        low = fmin(low, plot->points[i].value);
        high = fmax(high, plot->points[i].value);
    }
    const double least_share = 0.05;
    double missing = least_share * high - (high - low);
    if (missing > 0) {
        low = fmax(0, low - missing / 2);
        high += missing / 2;
    }
    canvas->low = low;
    canvas->high = high > low ? high : low + 1;
    canvas->from_ms = plot->points[0].time_ms;
    canvas->to_ms = plot->points[plot->count - 1].time_ms;
}

static int measure_labels(const struct canvas *canvas)
{
    const double values[] = {canvas->high, (canvas->high + canvas->low) / 2, canvas->low};
    size_t width = 0;
    for (int i = 0; i < LABELS_MAX; i++) {
        struct buf label = BUF_INIT;
        report_format_number(&label, values[i], canvas->plot->unit);
        if (label.size > width)
            width = label.size;
        buf_done(&label);
    }
    return (int)width + 1;
}

void plot_draw(const struct plot *plot, struct buf *ret)
{
    ASSERT(plot->count > 0);
    struct canvas canvas = {.plot = plot};
    choose_bounds(&canvas);
    canvas.label_width = measure_labels(&canvas);
    canvas.width = plot->columns - canvas.label_width - LABEL_GAP - 1;
    if (canvas.width > WIDTH_MAX)
        canvas.width = WIDTH_MAX;
    if (canvas.width < WIDTH_MIN)
        canvas.width = WIDTH_MIN;
    canvas.cells = calloc((size_t)canvas.width, ROWS);
    ASSERT(canvas.cells != NULL);
    set_curve(&canvas);
    append_rows(&canvas, ret);
    append_axis(&canvas, ret);
    append_marks(&canvas, ret);
    free(canvas.cells);
}
