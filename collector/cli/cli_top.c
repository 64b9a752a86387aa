/* heapfleet top */
#include "cli.h"

#include <string.h>

static const struct report_column columns[] = {
    {"type", "TYPE", REPORT_PLAIN},
    {"count", "COUNT", REPORT_PLAIN},
    {"bytes", "BYTES", REPORT_BYTES},
    {"count_per_hour", "COUNT GROWTH", REPORT_RATE},
    {"bytes_per_hour", "BYTES GROWTH", REPORT_BYTE_RATE},
    /* for programs, which have no heading */
    {"version", "", REPORT_PLAIN},
    {"instances", "", REPORT_PLAIN},
};
enum { TABLE_COLUMNS = 5 };

static enum status parse_order(const char *word, Heapfleet__V1__TopOrder *ret, struct why *why)
{
    static const char *const words[] = {
        [HEAPFLEET__V1__TOP_ORDER__TOP_ORDER_BYTES] = "bytes",
        [HEAPFLEET__V1__TOP_ORDER__TOP_ORDER_COUNT] = "count",
        [HEAPFLEET__V1__TOP_ORDER__TOP_ORDER_GROWTH] = "growth",
    };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcmp(word, words[i]) == 0) {
            *ret = (Heapfleet__V1__TopOrder)i;
            return STATUS_OK;
        }
    }
    return why_fail(why, STATUS_USAGE, "--by cannot be '%s': it takes bytes, count or growth",
                    word);
}

static void print_heading(const struct cli *cli, const Heapfleet__V1__GetTopResponse *answer)
{
    cli_line("%s%s%s, %u process%s", cli->operands[0], *answer->version != '\0' ? " " : "",
             answer->version, answer->instances, answer->instances == 1 ? "" : "es");
    cli_line("%s", "");
}

static void print_rows(const struct cli *cli, struct report *report,
                       const Heapfleet__V1__GetTopResponse *answer)
{
    for (size_t i = 0; i < answer->n_types; i++) {
        const Heapfleet__V1__TypeTotal *row = answer->types[i];
        report_text(report, row->type);
        report_uint(report, row->count);
        report_uint(report, row->bytes);
        report_double(report, row->count_per_hour);
        report_double(report, row->bytes_per_hour);
        if (!cli_is_table(cli)) {
            report_text(report, answer->version);
            report_uint(report, answer->instances);
        }
    }
}

static enum status ask_pages(struct cli *cli, Heapfleet__V1__GetTopRequest *request,
                             struct report *report, struct why *why)
{
    struct cli_pages pages = cli_pages(cli);
    do {
        ProtobufCMessage *message = NULL;
        request->limit = pages.rows;
        enum status status = cli_ask(cli, "GetTop", &request->base,
                                     &heapfleet__v1__get_top_response__descriptor, &message, why);
        if (status != STATUS_OK)
            return status;
        const Heapfleet__V1__GetTopResponse *answer = (const void *)message;
        if (pages.is_first && cli_is_table(cli) && answer->n_types > 0)
            print_heading(cli, answer);
        print_rows(cli, report, answer);
        request->page_token = answer->next_page_token;
        cli_page_seen(cli, &pages, answer->n_types, request->page_token);
    } while (pages.rows > 0);
    return STATUS_OK;
}

enum status cli_top(struct cli *cli, struct why *why)
{
    if (cli->from != NULL)
        return cli_growth(cli, why);
    if (cli->to != NULL)
        return why_fail(why, STATUS_USAGE, "--to needs a --from");
    Heapfleet__V1__GetTopRequest request = HEAPFLEET__V1__GET_TOP_REQUEST__INIT;
    Heapfleet__V1__ServiceRef ref = cli_service_ref(cli, cli->operands[0]);
    struct report report;
    request.service = &ref;
    request.version = cli_string(cli->version);
    enum status status = parse_order(cli->by, &request.order, why);
    if (status != STATUS_OK)
        return status;
    report_begin(&report, cli->format, columns,
                 cli_is_table(cli) ? TABLE_COLUMNS : ARRAY_SIZE(columns));
    status = ask_pages(cli, &request, &report, why);
    if (status == STATUS_OK)
        report_end(&report, "no process of this version has sent a snapshot yet");
    else
        buf_done(&report.text);
    return status;
}
