/* heapfleet top --from: what every type of a service has gained between two times. */
#include <string.h>

#include "cli.h"

static const struct report_column columns[] = {
    {"type", "TYPE", REPORT_PLAIN},
    {"count_from", "COUNT THEN", REPORT_PLAIN},
    {"count_to", "COUNT NOW", REPORT_PLAIN},
    {"bytes_from", "BYTES THEN", REPORT_BYTES},
    {"bytes_to", "BYTES NOW", REPORT_BYTES},
    {"bytes_difference", "DIFFERENCE", REPORT_BYTE_CHANGE},
    /* for programs, which have no heading */
    {"from", "", REPORT_TIME},
    {"to", "", REPORT_TIME},
    {"window_ms", "", REPORT_DURATION},
    {"instances_from", "", REPORT_PLAIN},
    {"instances_to", "", REPORT_PLAIN},
};
enum { TABLE_COLUMNS = 6 };

static void print_heading(const struct cli *cli, const Heapfleet__V1__GetGrowthResponse *answer)
{
    struct buf line = BUF_INIT;
    buf_printf(&line, "%s%s%s, a process's mean: ", cli->operands[0],
               *cli->version != '\0' ? " " : "", cli->version);
    report_format_number(&line, (double)answer->from_ms, REPORT_TIME);
    buf_printf(&line, " (of %u), ", answer->instances_from);
    report_format_number(&line, (double)answer->to_ms, REPORT_TIME);
    buf_printf(&line, " (of %u)", answer->instances_to);
    cli_line("%s", buf_text(&line));
    cli_line("%s", "");
    buf_done(&line);
}

static void print_row(const struct cli *cli, struct report *report,
                      const Heapfleet__V1__GetGrowthResponse *answer,
                      const Heapfleet__V1__TypeGrowth *row)
{
    report_text(report, row->type);
    report_double(report, row->count_from);
    report_double(report, row->count_to);
    report_double(report, row->bytes_from);
    report_double(report, row->bytes_to);
    report_double(report, row->bytes_to - row->bytes_from);
    if (cli_is_table(cli))
        return;
    report_int(report, answer->from_ms);
    report_int(report, answer->to_ms);
    report_int(report, answer->window_ms);
    report_uint(report, answer->instances_from);
    report_uint(report, answer->instances_to);
}

static void make_request(struct cli *cli, const Heapfleet__V1__ServiceRef *ref,
                         Heapfleet__V1__GetGrowthRequest *ret)
{
    heapfleet__v1__get_growth_request__init(ret);
    ret->service = (Heapfleet__V1__ServiceRef *)ref;
    ret->version = cli_string(cli->version);
    ret->from_ms = cli->from_ms;
    ret->to_ms = cli->to_ms;
    if (strcmp(cli->by, "count") == 0)
        ret->order = HEAPFLEET__V1__TOP_ORDER__TOP_ORDER_COUNT;
}

static size_t show(const struct cli *cli, struct report *report, const ProtobufCMessage *message,
                   int is_first, char **ret_next)
{
    const Heapfleet__V1__GetGrowthResponse *answer = (const void *)message;
    if (is_first && cli_is_table(cli))
        print_heading(cli, answer);
    for (size_t i = 0; i < answer->n_types; i++)
        print_row(cli, report, answer, answer->types[i]);
    *ret_next = answer->next_page_token;
    return answer->n_types;
}

enum status cli_growth(struct cli *cli, struct why *why)
{
    Heapfleet__V1__GetGrowthRequest request;
    Heapfleet__V1__ServiceRef ref = cli_service_ref(cli, cli->operands[0]);
    struct report report;
    make_request(cli, &ref, &request);
    report_begin(&report, cli->format, columns,
                 cli_is_table(cli) ? TABLE_COLUMNS : ARRAY_SIZE(columns));
    const struct cli_paged paged = {
        .method = "GetGrowth",
        .request = &request.base,
        .rows = &request.page_size,
        .token = &request.page_token,
        .answer = &heapfleet__v1__get_growth_response__descriptor,
        .show = show,
        .nothing = "no type was seen in this span",
    };
    return cli_ask_pages(cli, &paged, &report, why);
}
