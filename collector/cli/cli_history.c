/* heapfleet history: a plot for people, rows for programs. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "clock.h"
#include "plot.h"
#include "terminal.h"

enum { COLUMNS_DEFAULT = 80, SPAN_DEFAULT_MS = 6 * 3600 * 1000, TOKEN_BYTES = 256 };

/* "": all together */
static const char *type_of(const struct cli *cli)
{
    return cli->operand_count > 1 ? cli->operands[1] : "";
}

/* ---- rows ----------------------------------------------------------------------------------- */

static const struct report_column step_columns[] = {
    {"time", "TIME", REPORT_TIME},
    {"count", "COUNT", REPORT_PLAIN},
    {"bytes", "BYTES", REPORT_BYTES},
    {"instances", "PROCESSES", REPORT_PLAIN},
};

static const struct report_column raw_columns[] = {
    {"time", "TIME", REPORT_TIME},          {"count", "COUNT", REPORT_PLAIN},
    {"bytes", "BYTES", REPORT_BYTES},       {"version", "VERSION", REPORT_PLAIN},
    {"instance", "INSTANCE", REPORT_PLAIN}, {"sequence", "SEQUENCE", REPORT_ID},
};

static const char empty[] = "no snapshot of it in this span: try a longer one with --from";

static void append_rows(const struct cli *cli, const Heapfleet__V1__GetHistoryResponse *answer,
                        struct report *report)
{
    for (size_t i = 0; i < answer->n_points; i++) {
        const Heapfleet__V1__HistoryPoint *point = answer->points[i];
        report_int(report, point->time_ms);
        report_uint(report, point->count);
        report_uint(report, point->bytes);
        if (cli->raw) {
            report_text(report, point->version);
            report_text(report, point->instance);
            report_uint(report, point->sequence);
        } else {
            report_uint(report, point->instances);
        }
    }
}

static enum status ask(struct cli *cli, const Heapfleet__V1__GetHistoryRequest *request,
                       Heapfleet__V1__GetHistoryResponse **ret, struct why *why)
{
    ProtobufCMessage *message = NULL;
    enum status status = cli_ask(cli, "GetHistory", &request->base,
                                 &heapfleet__v1__get_history_response__descriptor, &message, why);
    if (status == STATUS_OK)
        *ret = (void *)message;
    return status;
}

static enum status print_steps(struct cli *cli, const Heapfleet__V1__GetHistoryRequest *request,
                               struct why *why)
{
    Heapfleet__V1__GetHistoryResponse *answer = NULL;
    enum status status = ask(cli, request, &answer, why);
    if (status != STATUS_OK)
        return status;
    struct report report;
    report_begin(&report, cli->format, step_columns, ARRAY_SIZE(step_columns));
    append_rows(cli, answer, &report);
    report_end(&report, empty);
    return STATUS_OK;
}

/* Snapshots come in pages, of which one is in memory: there may be more than it holds. */
static enum status print_snapshots(struct cli *cli, Heapfleet__V1__GetHistoryRequest *request,
                                   struct why *why)
{
    char token[TOKEN_BYTES] = "";
    struct report report;
    report_begin(&report, cli->format, raw_columns, ARRAY_SIZE(raw_columns));
    request->page_token = token;
    do {
        Heapfleet__V1__GetHistoryResponse *page = NULL;
        enum status status = ask(cli, request, &page, why);
        if (status != STATUS_OK) {
            buf_done(&report.text);
            return status;
        }
        append_rows(cli, page, &report);
        cli->rows_so_far += page->n_points;
        (void)snprintf(token, sizeof(token), "%s", page->next_page_token);
        report_flush(&report);
        arena_reset(&cli->arena);
    } while (token[0] != '\0');
    report_end(&report, empty);
    return STATUS_OK;
}

/* ---- the plot ------------------------------------------------------------------------------- */

/* Where versions began. It is only an ornament: without it the plot is still right. */
static const Heapfleet__V1__ListDeploymentsResponse *ask_deployments(struct cli *cli)
{
    Heapfleet__V1__ListDeploymentsRequest request = HEAPFLEET__V1__LIST_DEPLOYMENTS_REQUEST__INIT;
    Heapfleet__V1__ServiceRef ref = cli_service_ref(cli, cli->operands[0]);
    request.service = &ref;
    ProtobufCMessage *message = NULL;
    enum status status =
        cli_ask(cli, "ListDeployments", &request.base,
                &heapfleet__v1__list_deployments_response__descriptor, &message, NULL);
    return status == STATUS_OK ? (const void *)message : NULL;
}

static size_t make_marks(struct cli *cli, struct plot_mark **ret)
{
    if (*cli->version != '\0' || *cli->instance != '\0')
        return 0;
    const Heapfleet__V1__ListDeploymentsResponse *answer = ask_deployments(cli);
    if (answer == NULL || answer->n_deployments == 0)
        return 0;
    struct plot_mark *marks = arena_must(&cli->arena, answer->n_deployments * sizeof(*marks));
    for (size_t i = 0; i < answer->n_deployments; i++)
        marks[i] = (struct plot_mark){answer->deployments[i]->first_seen_ms,
                                      answer->deployments[i]->version};
    *ret = marks;
    return answer->n_deployments;
}

static double value_of(const struct cli *cli, const Heapfleet__V1__HistoryPoint *point)
{
    return (double)(strcmp(cli->by, "count") == 0 ? point->count : point->bytes);
}

/* "1.0 MB to 12.3 MB in 6m 40s; now 12,300 objects, 12.3 MB in 4 processes" */
static void print_summary(const struct plot *plot, const Heapfleet__V1__HistoryPoint *last)
{
    const struct plot_point *from = &plot->points[0];
    const struct plot_point *to = &plot->points[plot->count - 1];
    struct buf line = BUF_INIT;
    if (plot->count > 1) {
        report_format_number(&line, from->value, plot->unit);
        buf_append_text(&line, " to ");
        report_format_number(&line, to->value, plot->unit);
        buf_append_text(&line, " in ");
        report_format_number(&line, (double)(to->time_ms - from->time_ms), REPORT_DURATION);
        buf_append_text(&line, "; now ");
    } else {
        buf_append_text(&line, "one point in this span, at ");
        report_format_number(&line, (double)to->time_ms, REPORT_TIME);
        buf_append_text(&line, ": ");
    }
    report_format_number(&line, (double)last->count, REPORT_PLAIN);
    buf_append_text(&line, " objects, ");
    report_format_number(&line, (double)last->bytes, REPORT_BYTES);
    buf_printf(&line, " in %u process%s", last->instances, last->instances == 1 ? "" : "es");
    cli_line("%s", buf_text(&line));
    buf_done(&line);
}

/* The points as a plot wants them: what is not in order was not made by a collector of ours. */
static size_t take_points(const struct cli *cli, const Heapfleet__V1__GetHistoryResponse *answer,
                          struct plot_point *ret)
{
    int64_t behind = 0;
    size_t count = 0;
    for (size_t i = 0; i < answer->n_points; i++) {
        const Heapfleet__V1__HistoryPoint *point = answer->points[i];
        if (point->time_ms < behind || point->time_ms > PLOT_TIME_MS_MAX)
            continue;
        behind = point->time_ms;
        ret[count++] = (struct plot_point){point->time_ms, value_of(cli, point)};
    }
    return count;
}

static const char *read_from(const Heapfleet__V1__GetHistoryResponse *answer)
{
    if (answer->resolution == HEAPFLEET__V1__RESOLUTION__RESOLUTION_HOUR)
        return ", means of hours";
    if (answer->resolution == HEAPFLEET__V1__RESOLUTION__RESOLUTION_DAY)
        return ", means of days";
    return "";
}

static enum status print_plot(struct cli *cli, const Heapfleet__V1__GetHistoryRequest *request,
                              struct why *why)
{
    Heapfleet__V1__GetHistoryResponse *answer = NULL;
    enum status status = ask(cli, request, &answer, why);
    if (status != STATUS_OK)
        return status;
    struct plot_point *points = arena_must(&cli->arena, answer->n_points * sizeof(*points));
    size_t count = take_points(cli, answer, points);
    if (count == 0) {
        cli_line("%s", empty);
        return STATUS_OK;
    }
    int by_count = strcmp(cli->by, "count") == 0;
    int is_a_span = answer->step_ms > 0 && answer->step_ms < PLOT_TIME_MS_MAX;
    struct plot_mark *marks = NULL;
    struct plot plot = {
        .points = points,
        .count = count,
        .gap_ms = is_a_span ? 2 * answer->step_ms : 0,
        .unit = by_count ? REPORT_PLAIN : REPORT_BYTES,
        .columns = terminal_columns(STDOUT_FILENO, COLUMNS_DEFAULT),
        .colours = terminal_has_colours(STDOUT_FILENO),
    };
    plot.mark_count = make_marks(cli, &marks);
    plot.marks = marks;
    cli_line("%s of %s in %s%s%s%s", by_count ? "count" : "bytes",
             *type_of(cli) != '\0' ? type_of(cli) : "all types", cli->operands[0],
             *cli->version != '\0' ? " " : "", cli->version, read_from(answer));
    cli_line("%s", "");
    if (count > 1) { /* one has no course */
        struct buf text = BUF_INIT;
        plot_draw(&plot, &text);
        (void)printf("%s\n", buf_text(&text));
        buf_done(&text);
    }
    print_summary(&plot, answer->points[answer->n_points - 1]);
    return STATUS_OK;
}

static enum status parse_resolution(const char *word, Heapfleet__V1__Resolution *ret,
                                    struct why *why)
{
    static const char *const words[] = {
        [HEAPFLEET__V1__RESOLUTION__RESOLUTION_AUTO] = "auto",
        [HEAPFLEET__V1__RESOLUTION__RESOLUTION_EXACT] = "minute",
        [HEAPFLEET__V1__RESOLUTION__RESOLUTION_HOUR] = "hour",
        [HEAPFLEET__V1__RESOLUTION__RESOLUTION_DAY] = "day",
    };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcmp(word, words[i]) == 0) {
            *ret = (Heapfleet__V1__Resolution)i;
            return STATUS_OK;
        }
    }
    return why_fail(why, STATUS_USAGE,
                    "--resolution cannot be '%s': it takes auto, minute, hour or day", word);
}

enum status cli_history(struct cli *cli, struct why *why)
{
    if (strcmp(cli->by, "bytes") != 0 && strcmp(cli->by, "count") != 0)
        return why_fail(why, STATUS_USAGE, "--by cannot be '%s': it takes bytes or count", cli->by);
    Heapfleet__V1__GetHistoryRequest request = HEAPFLEET__V1__GET_HISTORY_REQUEST__INIT;
    Heapfleet__V1__ServiceRef ref = cli_service_ref(cli, cli->operands[0]);
    request.service = &ref;
    request.type = cli_string(type_of(cli));
    request.version = cli_string(cli->version);
    request.instance = cli_string(cli->instance);
    request.raw = cli->raw;
    request.step_ms = cli->step_ms;
    request.from_ms = cli->from_ms;
    request.to_ms = cli->to_ms;
    int64_t now_ms = clock_wall_ms();
    if (cli->from == NULL)
        request.from_ms = (cli->to_ms != 0 ? cli->to_ms : now_ms) - SPAN_DEFAULT_MS;
    enum status status = parse_resolution(cli->resolution, &request.resolution, why);
    if (status != STATUS_OK)
        return status;
    if (cli->raw)
        return print_snapshots(cli, &request, why);
    return cli_is_table(cli) ? print_plot(cli, &request, why) : print_steps(cli, &request, why);
}
