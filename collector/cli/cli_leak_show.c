/* heapfleet leaks show: one finding, and why it is believed. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli_leak_json.h"
#include "terminal.h"
#include "utf8.h"

enum {
    NAME_WIDTH = 22,
    EVIDENCE_WIDTH_MAX = 60,
    TEXT_COLUMNS_MIN = 20,
    VERSION_WIDTH_MIN = 12,
    VERSION_WIDTH_MAX = 40,
    CURVE_COLUMNS = 48,
    CURVE_COLUMNS_MIN = 16,
    HIGHEST_BLOCK = 7,
};

/* ---- long lines ----------------------------------------------------------------------------- */

/* Bytes of the words of `text` that fit; one at least. */
static size_t fitting(const char *text, size_t columns)
{
    size_t fits = 0;
    for (;;) {
        size_t end = fits + strspn(text + fits, " ");
        end += strcspn(text + end, " ");
        if (end == fits || (fits > 0 && utf8_columns(text, end) > columns))
            return fits;
        fits = end;
    }
}

/* On a terminal, what does not fit beside the head goes on below the text's beginning. */
static void print_text(const char *head, const char *text)
{
    size_t indent = utf8_columns(head, strlen(head));
    size_t columns = (size_t)terminal_columns(STDOUT_FILENO, 0);
    size_t room = columns > indent + TEXT_COLUMNS_MIN ? columns - indent : SIZE_MAX;
    size_t size = fitting(text, room);
    cli_line("%s%.*s", head, (int)size, text);
    for (text += size; *(text += strspn(text, " ")) != '\0'; text += size) {
        size = fitting(text, room);
        cli_line("%*s%.*s", (int)indent, "", (int)size, text);
    }
}

/* ---- what it is ----------------------------------------------------------------------------- */

static void append_time(struct buf *ret, int64_t time_ms)
{
    report_format_number(ret, (double)time_ms, REPORT_TIME);
}

static void print_pair(const char *name, const char *text)
{
    char head[NAME_WIDTH + 2];
    (void)snprintf(head, sizeof(head), "%-*s ", NAME_WIDTH, name);
    if (*text != '\0')
        print_text(head, text);
}

static void print_number(const char *name, double value, enum report_unit unit)
{
    struct buf text = BUF_INIT;
    report_format_number(&text, value, unit);
    print_pair(name, buf_text(&text));
    buf_done(&text);
}

static const char *what_grows(const char *kind)
{
    static const struct {
        const char *kind, *words;
    } all[] = {
        {"objects", "objects that are kept"},
        {"buffer", "bytes at a flat number of objects: a container or buffer that is kept"},
        {"native", "memory of the process that is no Python object"},
        {"fragmentation", "free space inside Python's pools that is not given back"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        if (strcmp(all[i].kind, kind) == 0)
            return all[i].words;
    }
    return kind;
}

static void print_state(const Heapfleet__V1__Leak *leak)
{
    struct buf text = BUF_INIT;
    if (leak->resolved_ms != 0) {
        append_time(&text, leak->resolved_ms);
        buf_printf(&text, ", %s", leak->resolved_reason);
        if (*leak->fixed_in != '\0')
            buf_printf(&text, " (fixed in %s)", leak->fixed_in);
        print_pair("resolved", buf_text(&text));
        buf_clear(&text);
    }
    if (leak->muted_ms != 0) {
        buf_printf(&text, "by %s, until ", leak->muted_by);
        if (leak->muted_until_ms != 0)
            append_time(&text, leak->muted_until_ms);
        else
            buf_append_text(&text, "it is unmuted");
        buf_printf(&text, ": %s", leak->muted_because);
        print_pair("muted", buf_text(&text));
        buf_clear(&text);
    }
    if (leak->acknowledged_ms != 0) {
        buf_printf(&text, "by %s", leak->acknowledged_by);
        if (*leak->note != '\0')
            buf_printf(&text, ": %s", leak->note);
        print_pair("acknowledged", buf_text(&text));
    }
    buf_done(&text);
}

static void print_facts(const Heapfleet__V1__Leak *leak)
{
    cli_line("%s in %s%s%s: %s, %s (%s)", leak->type, leak->service,
             *leak->environment != '\0' ? ", " : "", leak->environment, leak->severity, leak->state,
             leak->id);
    cli_line("%s", "");
    print_pair("what grows", what_grows(leak->kind));
    const char *since =
        strcmp(leak->severity, "watch") == 0 ? "not known yet" : "the oldest version known";
    print_pair("introduced in", *leak->introduced_in != '\0' ? leak->introduced_in : since);
    print_pair("last version with it", leak->version);
    print_number("objects of a process", leak->count_per_hour, REPORT_RATE);
    print_number("bytes of a process", leak->bytes_per_hour, REPORT_BYTE_RATE);
    if (leak->until_limit_ms > 0)
        print_number("container full in", (double)leak->until_limit_ms, REPORT_DURATION);
    print_number("confidence", leak->confidence, REPORT_SHARE);
    print_number("processes judged", leak->instances, REPORT_PLAIN);
    struct buf names = BUF_INIT;
    for (size_t i = 0; i < leak->n_companions; i++)
        buf_printf(&names, "%s%s", i > 0 ? ", " : "", leak->companions[i]);
    print_pair("with it grow", buf_text(&names));
    buf_done(&names);
    print_state(leak);
}

/* ---- curves --------------------------------------------------------------------------------- */

/* What a point is drawn by: objects, or bytes where those say more. */
static double value_of(const Heapfleet__V1__GrowthPoint *point, int by_bytes)
{
    return by_bytes ? point->bytes : point->count;
}

static const Heapfleet__V1__GrowthPoint *last_point(const Heapfleet__V1__GrowthCurve *curve)
{
    return curve->n_points > 0 ? curve->points[curve->n_points - 1] : NULL;
}

/* What all curves are drawn on. */
struct scale {
    int by_bytes;
    int columns; /* of a curve, and of the version before it */
    int version_width;
    int64_t longest_ms;
    double lowest, highest;
};

/* A curve as a row of blocks: the column is the uptime, the height the value. */
static void draw_curve(const Heapfleet__V1__GrowthCurve *curve, const struct scale *scale,
                       struct buf *ret)
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    size_t at = 0;
    for (int column = 0; column < scale->columns; column++) {
        double step_ms = (double)scale->longest_ms / scale->columns;
        double uptime_ms = step_ms * (column + 1);
        while (at + 1 < curve->n_points && (double)curve->points[at]->uptime_ms < uptime_ms)
            at++;
        if ((double)curve->points[at]->uptime_ms < uptime_ms - step_ms) {
            buf_append_text(ret, " ");
            continue;
        }
        double share = (value_of(curve->points[at], scale->by_bytes) - scale->lowest) /
                       fmax(scale->highest - scale->lowest, 1);
        int level = (int)lround(fmin(fmax(share, 0), 1) * HIGHEST_BLOCK);
        buf_append_text(ret, blocks[level]);
    }
}

static void append_ends(const Heapfleet__V1__GrowthCurve *curve, int by_bytes, struct buf *ret)
{
    enum report_unit unit = by_bytes ? REPORT_BYTES : REPORT_PLAIN;
    report_format_number(ret, round(value_of(curve->points[0], by_bytes)), unit);
    buf_append_text(ret, " to ");
    report_format_number(ret, round(value_of(last_point(curve), by_bytes)), unit);
    buf_append_text(ret, " in ");
    report_format_number(ret, (double)last_point(curve)->uptime_ms, REPORT_DURATION);
}

static const char *version_of(const Heapfleet__V1__GrowthCurve *curve)
{
    return *curve->version != '\0' ? curve->version : "(none)";
}

/* Curves are as long as there is room for them between the versions and the ends. */
static void fit_columns(const Heapfleet__V1__GetLeakResponse *answer, struct scale *scale)
{
    size_t widest_version = VERSION_WIDTH_MIN;
    size_t widest_end = 0;
    struct buf ends = BUF_INIT;
    for (size_t i = 0; i < answer->n_curves; i++) {
        const Heapfleet__V1__GrowthCurve *curve = answer->curves[i];
        if (curve->n_points == 0)
            continue;
        buf_clear(&ends);
        append_ends(curve, scale->by_bytes, &ends);
        size_t width = utf8_columns(version_of(curve), strlen(version_of(curve)));
        widest_end = ends.size > widest_end ? ends.size : widest_end;
        widest_version = width > widest_version ? width : widest_version;
    }
    buf_done(&ends);
    scale->version_width =
        (int)(widest_version < VERSION_WIDTH_MAX ? widest_version : VERSION_WIDTH_MAX);
    int others = scale->version_width + (int)widest_end + 5; /* and blanks between */
    int room = terminal_columns(STDOUT_FILENO, others + CURVE_COLUMNS) - others;
    room = room > CURVE_COLUMNS_MIN ? room : CURVE_COLUMNS_MIN;
    scale->columns = room < CURVE_COLUMNS ? room : CURVE_COLUMNS;
}

static struct scale scale_of(const Heapfleet__V1__GetLeakResponse *answer)
{
    struct scale scale = {.by_bytes = strcmp(answer->leak->kind, "objects") != 0,
                          .lowest = INFINITY};
    for (size_t i = 0; i < answer->n_curves; i++) {
        const Heapfleet__V1__GrowthCurve *curve = answer->curves[i];
        for (size_t k = 0; k < curve->n_points; k++) {
            double value = value_of(curve->points[k], scale.by_bytes);
            scale.lowest = fmin(scale.lowest, value);
            scale.highest = fmax(scale.highest, value);
        }
        if (curve->n_points > 0 && last_point(curve)->uptime_ms > scale.longest_ms)
            scale.longest_ms = last_point(curve)->uptime_ms;
    }
    fit_columns(answer, &scale);
    return scale;
}

static void print_curve(const Heapfleet__V1__GrowthCurve *curve, const struct scale *scale)
{
    struct buf line = BUF_INIT;
    const char *version = version_of(curve);
    size_t size = utf8_cut(version, strlen(version), VERSION_WIDTH_MAX);
    int blanks = scale->version_width - (int)utf8_columns(version, size);
    buf_printf(&line, "  %.*s%*s ", (int)size, version, blanks > 0 ? blanks : 0, "");
    draw_curve(curve, scale, &line);
    buf_append_text(&line, "  ");
    append_ends(curve, scale->by_bytes, &line);
    cli_line("%s", buf_text(&line));
    buf_done(&line);
}

static void print_curves(const Heapfleet__V1__GetLeakResponse *answer)
{
    const struct scale scale = scale_of(answer);
    if (scale.longest_ms == 0)
        return;
    cli_line("%s", "");
    print_text("", scale.by_bytes
                       ? "bytes of a process by its uptime, each version on the same scale"
                       : "objects of a process by its uptime, each version on the same scale");
    cli_line("%s", "");
    for (size_t i = 0; i < answer->n_curves; i++) {
        if (answer->curves[i]->n_points > 0)
            print_curve(answer->curves[i], &scale);
    }
}

/* ---- evidence and history ------------------------------------------------------------------- */

/* Where the values stand: behind the longest name, and not before those of the facts above. */
static int evidence_width(const Heapfleet__V1__GetLeakResponse *answer)
{
    size_t width = NAME_WIDTH - 2;
    for (size_t i = 0; i < answer->n_evidence; i++) {
        const char *name = answer->evidence[i]->name;
        size_t columns = utf8_columns(name, strlen(name)) + 1;
        width = columns > width ? columns : width;
    }
    return (int)(width < EVIDENCE_WIDTH_MAX ? width : EVIDENCE_WIDTH_MAX);
}

/* "second_half" reads "second half". */
static void print_evidence(const Heapfleet__V1__GetLeakResponse *answer)
{
    int width = evidence_width(answer);
    if (answer->n_evidence == 0)
        return;
    cli_line("%s", "");
    cli_line("evidence%s%s", *answer->leak->rule != '\0' ? ", by rule " : "", answer->leak->rule);
    cli_line("%s", "");
    for (size_t i = 0; i < answer->n_evidence; i++) {
        const Heapfleet__V1__LeakFigure *figure = answer->evidence[i];
        struct buf head = BUF_INIT;
        buf_printf(&head, "  %-*s ", width, figure->name);
        for (size_t k = 0; k < head.size; k++)
            head.data[k] = head.data[k] == '_' ? ' ' : head.data[k];
        print_text(buf_text(&head), figure->value);
        buf_done(&head);
    }
}

static void print_events(const Heapfleet__V1__GetLeakResponse *answer)
{
    if (answer->n_events == 0)
        return;
    cli_line("%s", "");
    cli_line("history");
    cli_line("%s", "");
    for (size_t i = 0; i < answer->n_events; i++) {
        const Heapfleet__V1__LeakEvent *event = answer->events[i];
        struct buf head = BUF_INIT;
        struct buf line = BUF_INIT;
        buf_append_text(&head, "  ");
        append_time(&head, event->at_ms);
        buf_append_text(&head, "  ");
        buf_append_text(&line, event->event);
        if (*event->actor != '\0')
            buf_printf(&line, " by %s", event->actor);
        if (*event->detail != '\0')
            buf_printf(&line, ": %s", event->detail);
        print_text(buf_text(&head), buf_text(&line));
        buf_done(&head);
        buf_done(&line);
    }
}

/* ---- for programs --------------------------------------------------------------------------- */

static const struct report_column curve_columns[] = {
    {"id", "", REPORT_PLAIN},      {"service", "", REPORT_PLAIN},   {"type", "", REPORT_PLAIN},
    {"version", "", REPORT_PLAIN}, {"instances", "", REPORT_PLAIN}, {"uptime_ms", "", REPORT_PLAIN},
    {"count", "", REPORT_PLAIN},   {"bytes", "", REPORT_PLAIN},
};

/* As CSV the growth curves, a row a point: no more than one table fits. */
static void print_rows(const struct cli *cli, const Heapfleet__V1__GetLeakResponse *answer)
{
    struct report report;
    report_begin(&report, cli->format, curve_columns, ARRAY_SIZE(curve_columns));
    for (size_t i = 0; i < answer->n_curves; i++) {
        const Heapfleet__V1__GrowthCurve *curve = answer->curves[i];
        for (size_t k = 0; k < curve->n_points; k++) {
            report_text(&report, answer->leak->id);
            report_text(&report, answer->leak->service);
            report_text(&report, answer->leak->type);
            report_text(&report, curve->version);
            report_uint(&report, curve->instances);
            report_int(&report, curve->points[k]->uptime_ms);
            report_double(&report, curve->points[k]->count);
            report_double(&report, curve->points[k]->bytes);
        }
    }
    report_end(&report, NULL);
}

enum status cli_leaks_show(struct cli *cli, struct why *why)
{
    Heapfleet__V1__GetLeakRequest request = HEAPFLEET__V1__GET_LEAK_REQUEST__INIT;
    request.id = cli_string(cli->operands[0]);
    ProtobufCMessage *message = NULL;
    enum status status = cli_ask(cli, "GetLeak", &request.base,
                                 &heapfleet__v1__get_leak_response__descriptor, &message, why);
    if (status != STATUS_OK)
        return status;
    const Heapfleet__V1__GetLeakResponse *answer = (const void *)message;
    if (answer->leak == NULL)
        return why_fail(why, STATUS_FAILED, "the collector's answer has no leak in it");
    if (cli->format == REPORT_JSON) {
        struct buf text = BUF_INIT;
        cli_leak_json(answer, &text);
        (void)fwrite(text.data, 1, text.size, stdout);
        buf_done(&text);
        return STATUS_OK;
    }
    if (cli->format == REPORT_CSV) {
        print_rows(cli, answer);
        return STATUS_OK;
    }
    print_facts(answer->leak);
    print_curves(answer);
    print_evidence(answer);
    print_events(answer);
    return STATUS_OK;
}
