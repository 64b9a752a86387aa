/*
 * JSON and CSV are written out cell by cell. A table cannot be: the width of a column is known when
 * its last cell is. So its cells are kept as texts, each led by a mark that says how to show it,
 * and laid out at the end.
 */
#include "report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "json.h"
#include "terminal.h"
#include "utf8.h"

enum { COLUMNS_MAX = 32, GAP_COLUMNS = 2, TEXT_COLUMNS_MIN = 40 };

enum mark {
    MARK_TEXT = 't',
    MARK_NUMBER = 'n',
    MARK_GROWS = 'g',
    MARK_SHRINKS = 's',
    MARK_ZERO = '0', /* a rate that is none */
    MARK_NONE = 'e', /* nothing is known */
};

enum status report_format_parse(const char *text, enum report_format *ret, struct why *why)
{
    static const char *const names[] = {
        [REPORT_TABLE] = "table", [REPORT_JSON] = "json", [REPORT_CSV] = "csv"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret = (enum report_format)i;
            return STATUS_OK;
        }
    }
    return why_fail(why, STATUS_USAGE, "there is no output format '%s': it is table, json or csv",
                    text);
}

/* ---- numbers for people --------------------------------------------------------------------- */

static void append_grouped(struct buf *ret, uint64_t value)
{
    char digits[24];
    int size = snprintf(digits, sizeof(digits), "%" PRIu64, value);
    for (int i = 0; i < size; i++) {
        if (i > 0 && (size - i) % 3 == 0)
            buf_append_byte(ret, ',');
        buf_append_byte(ret, (uint8_t)digits[i]);
    }
}

/* Whole numbers whole, small others with one digit behind the point. size >= 0 */
static void append_plain(struct buf *ret, double size)
{
    if (size >= 1e18) {
        buf_printf(ret, "%.3g", size);
        return;
    }
    double tenths = floor(size * 10 + 0.5);
    if (size >= 100 || size == floor(size) || fmod(tenths, 10) == 0) {
        append_grouped(ret, (uint64_t)(size + 0.5));
        return;
    }
    append_grouped(ret, (uint64_t)(tenths / 10));
    buf_printf(ret, ".%d", (int)fmod(tenths, 10));
}

static void append_bytes(struct buf *ret, double size)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    if (size < 999.5) {
        buf_printf(ret, "%.0f B", size);
        return;
    }
    size_t unit = 0;
    size /= 1000;
    while (size >= 999.95 && unit + 1 < ARRAY_SIZE(units)) {
        size /= 1000;
        unit++;
    }
    buf_printf(ret, "%.1f %s", size, units[unit]);
}

static void append_rate(struct buf *ret, double size)
{
    if (size >= 10)
        append_grouped(ret, (uint64_t)(fmin(size, 1e18) + 0.5));
    else
        append_plain(ret, size);
}

/* "3d 4h": the two largest units that are not zero, or one. */
static void append_duration(struct buf *ret, double size)
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}};
    int64_t ms = (int64_t)fmin(size + 0.5, 9e18);
    if (ms < 1000) {
        buf_printf(ret, "%" PRId64 "ms", ms);
        return;
    }
    size_t at = 0;
    while (units[at].ms > ms)
        at++;
    buf_printf(ret, "%" PRId64 "%s", ms / units[at].ms, units[at].name);
    if (at + 1 == ARRAY_SIZE(units))
        return;
    int64_t rest = ms % units[at].ms / units[at + 1].ms;
    if (rest > 0)
        buf_printf(ret, " %" PRId64 "%s", rest, units[at + 1].name);
}

static void append_local_time(struct buf *ret, double value)
{
    time_t seconds = (time_t)floor(value / 1000);
    struct tm parts = {0};
    char text[32] = "?";
    if (localtime_r(&seconds, &parts) != NULL && parts.tm_year < 8100)
        (void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts);
    buf_append_text(ret, text);
}

static void append_share(struct buf *ret, double size)
{
    buf_printf(ret, "%.0f %%", size * 100);
}

static void append_digits(struct buf *ret, double size)
{
    buf_printf(ret, "%.0f", size);
}

static const struct {
    void (*append)(struct buf *ret, double size);
    const char *suffix; /* of a rate that is not zero */
} looks[] = {
    [REPORT_PLAIN] = {append_plain, ""},     [REPORT_BYTES] = {append_bytes, ""},
    [REPORT_RATE] = {append_rate, "/h"},     [REPORT_BYTE_RATE] = {append_bytes, "/h"},
    [REPORT_TIME] = {append_local_time, ""}, [REPORT_DURATION] = {append_duration, ""},
    [REPORT_SHARE] = {append_share, ""},     [REPORT_BYTE_CHANGE] = {append_bytes, ""},
    [REPORT_ID] = {append_digits, ""},       [REPORT_CHANGE] = {append_rate, ""},
};

/* Shown with a sign and in colour. */
static int is_signed(enum report_unit unit)
{
    return unit == REPORT_RATE || unit == REPORT_BYTE_RATE || unit == REPORT_CHANGE ||
           unit == REPORT_BYTE_CHANGE;
}

/* What would be shown as zero is zero: neither growth nor shrinking. */
static int rounds_to_zero(double value, enum report_unit unit)
{
    return fabs(value) < (unit == REPORT_RATE || unit == REPORT_CHANGE ? 0.05 : 0.5);
}

void report_format_number(struct buf *ret, double value, enum report_unit unit)
{
    if (!isfinite(value)) {
        buf_append_byte(ret, '-');
        return;
    }
    if (unit == REPORT_TIME) {
        append_local_time(ret, value);
        return;
    }
    if (is_signed(unit) && rounds_to_zero(value, unit))
        value = 0;
    else if (value < 0)
        buf_append_byte(ret, '-');
    else if (is_signed(unit))
        buf_append_byte(ret, '+');
    looks[unit].append(ret, fabs(value));
    buf_append_text(ret, looks[unit].suffix);
}

/* ---- cells ---------------------------------------------------------------------------------- */

void report_begin(struct report *report, enum report_format format,
                  const struct report_column *columns, size_t column_count)
{
    ASSERT(column_count > 0 && column_count <= COLUMNS_MAX);
    *report = (struct report){.format = format, .columns = columns, .column_count = column_count};
    if (format == REPORT_JSON)
        buf_append_byte(&report->text, '[');
    for (size_t i = 0; i < column_count && format == REPORT_CSV; i++)
        buf_printf(&report->text, "%s%s", i > 0 ? "," : "", columns[i].key);
    if (format == REPORT_CSV)
        buf_append_byte(&report->text, '\n');
}

static uint32_t bit_of(const struct report *report, const char *key)
{
    for (size_t i = 0; i < report->column_count; i++) {
        if (strcmp(report->columns[i].key, key) == 0)
            return (uint32_t)1 << i;
    }
    return 0;
}

void report_hide_if_empty(struct report *report, const char *key)
{
    report->hidden_if_empty |= bit_of(report, key);
}

void report_hide_if_narrow(struct report *report, const char *key)
{
    report->hidden_if_narrow |= bit_of(report, key);
}

static const struct report_column *begin_cell(struct report *report, enum mark mark)
{
    const struct report_column *column = &report->columns[report->next];
    struct buf *text = &report->text;
    int first = report->next == 0;
    if (report->format == REPORT_TABLE)
        buf_append_byte(text, (uint8_t)mark);
    else if (report->format == REPORT_CSV)
        buf_append_text(text, first ? "" : ",");
    else
        buf_printf(text, "%s\"%s\": ",
                   !first             ? ", "
                   : report->rows > 0 ? ",\n  {"
                                      : "\n  {",
                   column->key);
    return column;
}

static void end_cell(struct report *report)
{
    if (report->format == REPORT_TABLE)
        buf_append_byte(&report->text, '\0');
    report->next++;
    if (report->next < report->column_count)
        return;
    report->next = 0;
    report->rows++;
    if (report->format == REPORT_JSON)
        buf_append_byte(&report->text, '}');
    else if (report->format == REPORT_CSV)
        buf_append_byte(&report->text, '\n');
}

static void append_scrubbed(struct buf *ret, const char *text)
{
    size_t start = ret->size;
    buf_append_text(ret, text);
    utf8_scrub((char *)ret->data + start, ret->size - start);
}

/* Quotes do not keep a spreadsheet from running "=cmd()", an apostrophe in front does. */
void report_append_csv(struct buf *ret, const char *text)
{
    if (*text == '\0')
        return;
    const char *guard = strchr("=+-@", *text) != NULL ? "'" : "";
    size_t plain = strcspn(text, ",\"\r\n");
    int is_plain = text[plain] == '\0' && *text != ' ' && *text != '\t';
    size_t start = ret->size;
    buf_append_text(ret, is_plain ? "" : "\"");
    buf_append_text(ret, guard);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            buf_append_byte(ret, '"');
        buf_append_byte(ret, (uint8_t)*text);
    }
    buf_append_text(ret, is_plain ? "" : "\"");
    utf8_scrub((char *)ret->data + start, ret->size - start);
}

void report_text(struct report *report, const char *text)
{
    (void)begin_cell(report, *text != '\0' ? MARK_TEXT : MARK_NONE);
    if (report->format == REPORT_JSON)
        json_append_string(&report->text, text, strlen(text));
    else if (report->format == REPORT_CSV)
        report_append_csv(&report->text, text);
    else if (*text != '\0')
        append_scrubbed(&report->text, text);
    else
        buf_append_byte(&report->text, '-');
    end_cell(report);
}

void report_texts(struct report *report, const char *const *texts, size_t count)
{
    if (report->format != REPORT_JSON) {
        struct buf all = BUF_INIT;
        for (size_t i = 0; i < count; i++)
            buf_printf(&all, "%s%s", i > 0 ? ", " : "", texts[i]);
        report_text(report, buf_text(&all));
        buf_done(&all);
        return;
    }
    (void)begin_cell(report, MARK_TEXT);
    buf_append_byte(&report->text, '[');
    for (size_t i = 0; i < count; i++) {
        buf_append_text(&report->text, i > 0 ? ", " : "");
        json_append_string(&report->text, texts[i], strlen(texts[i]));
    }
    buf_append_byte(&report->text, ']');
    end_cell(report);
}

void report_none(struct report *report)
{
    (void)begin_cell(report, MARK_NONE);
    if (report->format == REPORT_JSON)
        buf_append_text(&report->text, "null");
    else if (report->format == REPORT_TABLE)
        buf_append_byte(&report->text, '-');
    end_cell(report);
}

static enum mark mark_of(double value, enum report_unit unit)
{
    if (!is_signed(unit))
        return MARK_NUMBER;
    if (rounds_to_zero(value, unit))
        return MARK_ZERO;
    return value > 0 ? MARK_GROWS : MARK_SHRINKS;
}

static void machine_time(struct report *report, int64_t value)
{
    char utc[CLOCK_TEXT_BYTES];
    clock_format_utc(value, utc);
    buf_printf(&report->text, report->format == REPORT_JSON ? "\"%s\"" : "%s", utc);
}

void report_uint(struct report *report, uint64_t value)
{
    enum report_unit unit = report->columns[report->next].unit;
    if (unit == REPORT_TIME) {
        report_int(report, (int64_t)value);
        return;
    }
    (void)begin_cell(report, mark_of((double)value, unit));
    if (report->format != REPORT_TABLE || unit == REPORT_ID)
        buf_printf(&report->text, "%" PRIu64, value);
    else if (unit == REPORT_PLAIN)
        append_grouped(&report->text, value);
    else
        report_format_number(&report->text, (double)value, unit);
    end_cell(report);
}

void report_int(struct report *report, int64_t value)
{
    enum report_unit unit = report->columns[report->next].unit;
    if (unit == REPORT_TIME && value == 0) {
        report_none(report);
        return;
    }
    (void)begin_cell(report, mark_of((double)value, unit));
    if (report->format == REPORT_TABLE)
        report_format_number(&report->text, (double)value, unit);
    else if (unit == REPORT_TIME)
        machine_time(report, value);
    else
        buf_printf(&report->text, "%" PRId64, value);
    end_cell(report);
}

void report_double(struct report *report, double value)
{
    enum report_unit unit = report->columns[report->next].unit;
    if (!isfinite(value)) {
        report_none(report);
        return;
    }
    (void)begin_cell(report, mark_of(value, unit));
    if (report->format == REPORT_TABLE)
        report_format_number(&report->text, value, unit);
    else
        json_append_exact(&report->text, value);
    end_cell(report);
}

/* ---- the table ------------------------------------------------------------------------------ */

struct layout {
    size_t width[COLUMNS_MAX];
    int to_the_right[COLUMNS_MAX];
    int shown[COLUMNS_MAX];
    size_t last; /* column that is shown */
};

static void measure(const struct report *report, struct layout *ret)
{
    const char *cell = (const char *)report->text.data;
    for (size_t i = 0; i < report->column_count; i++) {
        const struct report_column *column = &report->columns[i];
        ret->width[i] = utf8_columns(column->title, strlen(column->title));
        ret->to_the_right[i] = column->unit != REPORT_PLAIN && column->unit != REPORT_TIME;
        ret->shown[i] = (report->hidden_if_empty >> i & 1) == 0 || report->rows == 0;
    }
    for (size_t i = 0; i < report->rows * report->column_count; i++) {
        size_t column = i % report->column_count;
        size_t size = strlen(cell);
        size_t width = utf8_columns(cell + 1, size - 1);
        if (width > ret->width[column])
            ret->width[column] = width;
        if (*cell == MARK_NUMBER && report->columns[column].unit != REPORT_TIME)
            ret->to_the_right[column] = 1;
        if (*cell != MARK_NONE)
            ret->shown[column] = 1;
        cell += size + 1;
    }
}

static size_t line_columns(const struct report *report, struct layout *layout)
{
    size_t line = 0;
    for (size_t i = 0; i < report->column_count; i++) {
        if (!layout->shown[i])
            continue;
        line += layout->width[i] + (line > 0 ? GAP_COLUMNS : 0);
        layout->last = i;
    }
    return line;
}

static void drop_columns(const struct report *report, struct layout *layout)
{
    for (size_t i = report->column_count; i-- > 0;) {
        if (line_columns(report, layout) <= report->columns_max)
            return;
        if ((report->hidden_if_narrow >> i & 1) != 0)
            layout->shown[i] = 0;
    }
}

/* Take from the widest text as long as a line does not fit. */
static void fit(const struct report *report, struct layout *layout)
{
    size_t line = line_columns(report, layout);
    while (line > report->columns_max) {
        size_t widest = COLUMNS_MAX;
        for (size_t i = 0; i < report->column_count; i++) {
            if (layout->shown[i] && !layout->to_the_right[i] &&
                layout->width[i] > TEXT_COLUMNS_MIN &&
                (widest == COLUMNS_MAX || layout->width[i] > layout->width[widest]))
                widest = i;
        }
        if (widest == COLUMNS_MAX)
            return;
        layout->width[widest]--;
        line--;
    }
}

/* A third of its beginning and the end, which of a type is the class. `text` is valid UTF-8. */
static void append_shortened(const char *text, size_t width, struct buf *ret)
{
    size_t size = strlen(text);
    size_t head = 0, head_columns = 0;
    for (;;) {
        size_t bytes = utf8_sequence(text + head, size - head);
        size_t columns = utf8_columns(text + head, bytes);
        if (head_columns + columns > (width - 1) / 3)
            break;
        head += bytes;
        head_columns += columns;
    }
    size_t tail = head;
    while (head_columns + 1 + utf8_columns(text + tail, size - tail) > width)
        tail += utf8_sequence(text + tail, size - tail);
    buf_append(ret, text, head);
    buf_append_text(ret, "\xe2\x80\xa6");
    buf_append_text(ret, text + tail);
}

static void append_cell(const struct layout *layout, size_t column, const char *text,
                        const char *colour, struct buf *ret)
{
    if (!layout->shown[column])
        return;
    struct buf shortened = BUF_INIT;
    if (utf8_columns(text, strlen(text)) > layout->width[column]) {
        append_shortened(text, layout->width[column], &shortened);
        text = buf_text(&shortened);
    }
    int blanks = (int)(layout->width[column] - utf8_columns(text, strlen(text)));
    if (layout->to_the_right[column])
        buf_printf(ret, "%*s", blanks, "");
    buf_printf(ret, "%s%s%s", colour, text, *colour != '\0' ? "\033[0m" : "");
    if (column == layout->last)
        buf_append_byte(ret, '\n');
    else
        buf_printf(ret, "%*s", GAP_COLUMNS + (layout->to_the_right[column] ? 0 : blanks), "");
    buf_done(&shortened);
}

static const char *colour_of(char mark)
{
    switch (mark) {
    case MARK_GROWS:
        return "\033[31m";
    case MARK_SHRINKS:
        return "\033[32m";
    case MARK_ZERO:
    case MARK_NONE:
        return "\033[2m";
    default:
        return "";
    }
}

static void append_table(const struct report *report, int colours, struct buf *ret)
{
    struct layout layout;
    measure(report, &layout);
    if (report->columns_max > 0) {
        drop_columns(report, &layout);
        fit(report, &layout);
    }
    (void)line_columns(report, &layout);
    for (size_t i = 0; i < report->column_count; i++)
        append_cell(&layout, i, report->columns[i].title, colours ? "\033[1m" : "", ret);
    const char *cell = (const char *)report->text.data;
    for (size_t i = 0; i < report->rows * report->column_count; i++) {
        append_cell(&layout, i % report->column_count, cell + 1, colours ? colour_of(*cell) : "",
                    ret);
        cell += strlen(cell) + 1;
    }
}

void report_finish(struct report *report, const char *empty, int colours, struct buf *ret)
{
    ASSERT(report->next == 0);
    if (report->format != REPORT_TABLE) {
        if (report->format == REPORT_JSON)
            buf_append_text(&report->text, report->rows > 0 ? "\n]\n" : "]\n");
        buf_append(ret, report->text.data, report->text.size);
    } else if (report->rows > 0 || empty == NULL) {
        append_table(report, colours, ret);
    } else {
        buf_printf(ret, "%s\n", empty);
    }
    buf_done(&report->text);
}

static void print(const struct buf *text)
{
    if (text->size > 0)
        (void)fwrite(text->data, 1, text->size, stdout);
}

void report_flush(struct report *report)
{
    ASSERT(report->next == 0);
    if (report->format == REPORT_TABLE)
        return;
    print(&report->text);
    (void)fflush(stdout);
    buf_clear(&report->text);
}

void report_end(struct report *report, const char *empty)
{
    struct buf out = BUF_INIT;
    report->columns_max = (size_t)terminal_columns(STDOUT_FILENO, 0);
    report_finish(report, empty, terminal_has_colours(STDOUT_FILENO), &out);
    print(&out);
    buf_done(&out);
}
