/* heapfleet compare */
#include <stdio.h>
#include <string.h>

#include "cli.h"

enum { TITLE_BYTES = 64, VERSION_COLUMNS = 12, TABLE_COLUMNS = 8, COLUMNS = 13 };

static const struct report_column columns[COLUMNS] = {
    {"type", "TYPE", REPORT_PLAIN},
    {"count_a", "COUNT", REPORT_PLAIN},
    {"count_b", "COUNT", REPORT_PLAIN},
    {"bytes_a", "BYTES", REPORT_BYTES},
    {"bytes_b", "BYTES", REPORT_BYTES},
    {"bytes_difference", "DIFFERENCE", REPORT_BYTE_CHANGE},
    {"bytes_per_hour_a", "GROWTH", REPORT_BYTE_RATE},
    {"bytes_per_hour_b", "GROWTH", REPORT_BYTE_RATE},
    /* for programs */
    {"count_per_hour_a", "", REPORT_RATE},
    {"count_per_hour_b", "", REPORT_RATE},
    {"at_uptime_ms", "", REPORT_DURATION},
    {"instances_a", "", REPORT_PLAIN},
    {"instances_b", "", REPORT_PLAIN},
};

/* "COUNT v1"; a long version, such as a commit's hash, is cut. */
static void make_titles(const struct cli *cli, char titles[COLUMNS][TITLE_BYTES],
                        struct report_column ret[COLUMNS])
{
    for (size_t i = 0; i < COLUMNS; i++) {
        ret[i] = columns[i];
        size_t size = strlen(columns[i].key);
        const char *version = strcmp(columns[i].key + size - 2, "_a") == 0   ? cli->operands[1]
                              : strcmp(columns[i].key + size - 2, "_b") == 0 ? cli->operands[2]
                                                                             : NULL;
        if (version == NULL)
            continue;
        (void)snprintf(titles[i], TITLE_BYTES, "%s %.*s", columns[i].title, VERSION_COLUMNS,
                       version);
        ret[i].title = titles[i];
    }
}

static void print_heading(const struct cli *cli,
                          const Heapfleet__V1__CompareDeploymentsResponse *answer)
{
    struct buf uptime = BUF_INIT;
    report_format_number(&uptime, (double)answer->at_uptime_ms, REPORT_DURATION);
    cli_line("%s after %s: mean of %u process%s of %s, of %u of %s", cli->operands[0],
             buf_text(&uptime), answer->instances_a, answer->instances_a == 1 ? "" : "es",
             cli->operands[1], answer->instances_b, cli->operands[2]);
    cli_line("%s", "");
    buf_done(&uptime);
}

static size_t show(const struct cli *cli, struct report *report, const ProtobufCMessage *message,
                   int is_first, char **ret_next)
{
    const Heapfleet__V1__CompareDeploymentsResponse *answer = (const void *)message;
    if (is_first && cli_is_table(cli) && answer->n_types > 0)
        print_heading(cli, answer);
    for (size_t i = 0; i < answer->n_types; i++) {
        const Heapfleet__V1__TypeComparison *row = answer->types[i];
        report_text(report, row->type);
        report_double(report, row->count_a);
        report_double(report, row->count_b);
        report_double(report, row->bytes_a);
        report_double(report, row->bytes_b);
        report_double(report, row->bytes_b - row->bytes_a);
        report_double(report, row->bytes_per_hour_a);
        report_double(report, row->bytes_per_hour_b);
        if (cli_is_table(cli))
            continue;
        report_double(report, row->count_per_hour_a);
        report_double(report, row->count_per_hour_b);
        report_int(report, answer->at_uptime_ms);
        report_uint(report, answer->instances_a);
        report_uint(report, answer->instances_b);
    }
    *ret_next = answer->next_page_token;
    return answer->n_types;
}

enum status cli_compare(struct cli *cli, struct why *why)
{
    Heapfleet__V1__CompareDeploymentsRequest request =
        HEAPFLEET__V1__COMPARE_DEPLOYMENTS_REQUEST__INIT;
    Heapfleet__V1__ServiceRef ref = cli_service_ref(cli, cli->operands[0]);
    char titles[COLUMNS][TITLE_BYTES];
    struct report_column titled[COLUMNS];
    struct report report;
    make_titles(cli, titles, titled);
    request.service = &ref;
    request.version_a = cli_string(cli->operands[1]);
    request.version_b = cli_string(cli->operands[2]);
    request.at_uptime_ms = cli->at_ms;
    report_begin(&report, cli->format, titled, cli_is_table(cli) ? TABLE_COLUMNS : COLUMNS);
    const struct cli_paged paged = {
        .method = "CompareDeployments",
        .request = &request.base,
        .rows = &request.limit,
        .token = &request.page_token,
        .answer = &heapfleet__v1__compare_deployments_response__descriptor,
        .show = show,
        .nothing = "the versions have no type to compare",
    };
    return cli_ask_pages(cli, &paged, &report, why);
}
