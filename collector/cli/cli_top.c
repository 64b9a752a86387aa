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

static size_t show(const struct cli *cli, struct report *report, const ProtobufCMessage *message,
                   int is_first, char **ret_next)
{
    const Heapfleet__V1__GetTopResponse *answer = (const void *)message;
    if (is_first && cli_is_table(cli) && answer->n_types > 0)
        print_heading(cli, answer);
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
    *ret_next = answer->next_page_token;
    return answer->n_types;
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
    const struct cli_paged paged = {
        .method = "GetTop",
        .request = &request.base,
        .rows = &request.limit,
        .token = &request.page_token,
        .answer = &heapfleet__v1__get_top_response__descriptor,
        .show = show,
        .nothing = "no process of this version has sent a snapshot yet",
    };
    return cli_ask_pages(cli, &paged, &report, why);
}
