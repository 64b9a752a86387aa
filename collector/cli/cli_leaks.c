/* heapfleet leaks */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "clock.h"

enum { TABLE_COLUMNS = 12 };

static const struct report_column columns[] = {
    {"id", "ID", REPORT_PLAIN},
    {"service", "SERVICE", REPORT_PLAIN},
    {"environment", "ENVIRONMENT", REPORT_PLAIN},
    {"type", "TYPE", REPORT_PLAIN},
    {"severity", "SEVERITY", REPORT_PLAIN},
    {"state", "STATE", REPORT_PLAIN},
    {"introduced_in", "SINCE", REPORT_PLAIN},
    {"count_per_hour", "OBJECTS", REPORT_RATE},
    {"bytes_per_hour", "BYTES", REPORT_BYTE_RATE},
    {"confidence", "CONFIDENCE", REPORT_SHARE},
    {"until_limit_ms", "FULL IN", REPORT_DURATION},
    {"first_seen", "FIRST SEEN", REPORT_TIME},
    /* for programs */
    {"companions", "", REPORT_PLAIN},
    {"service_namespace", "", REPORT_PLAIN},
    {"last_seen", "", REPORT_TIME},
    {"instances", "", REPORT_PLAIN},
    {"kind", "", REPORT_PLAIN},
    {"rule", "", REPORT_PLAIN},
    {"version", "", REPORT_PLAIN},
    {"resolved", "", REPORT_TIME},
    {"resolved_reason", "", REPORT_PLAIN},
    {"fixed_in", "", REPORT_PLAIN},
};

static void print_row(const struct cli *cli, struct report *report, const Heapfleet__V1__Leak *leak)
{
    report_text(report, leak->id);
    report_text(report, leak->service);
    report_text(report, leak->environment);
    report_text(report, leak->type);
    report_text(report, leak->severity);
    report_text(report, leak->state);
    int is_watch = strcmp(leak->severity, "watch") == 0;
    if (cli_is_table(cli) && *leak->introduced_in == '\0' && !is_watch)
        report_text(report, "the oldest"); /* it was there before we looked */
    else
        report_text(report, leak->introduced_in);
    report_double(report, leak->count_per_hour);
    report_double(report, leak->bytes_per_hour);
    report_double(report, leak->confidence);
    if (leak->until_limit_ms > 0)
        report_int(report, leak->until_limit_ms);
    else
        report_none(report);
    report_int(report, leak->first_seen_ms);
    if (cli_is_table(cli))
        return;
    report_texts(report, (const char *const *)leak->companions, leak->n_companions);
    report_text(report, leak->service_namespace);
    report_int(report, leak->last_seen_ms);
    report_uint(report, leak->instances);
    report_text(report, leak->kind);
    report_text(report, leak->rule);
    report_text(report, leak->version);
    report_int(report, leak->resolved_ms);
    report_text(report, leak->resolved_reason);
    report_text(report, leak->fixed_in);
}

/* What hangs on the leaking types, as sentences below the table: lists would make it too wide. */
static void print_companions(const Heapfleet__V1__ListLeaksResponse *answer)
{
    const char *gap = "\n";
    for (size_t i = 0; i < answer->n_leaks; i++) {
        const Heapfleet__V1__Leak *leak = answer->leaks[i];
        struct buf line = BUF_INIT;
        for (size_t k = 0; k < leak->n_companions; k++)
            buf_printf(&line, "%s%s", k > 0 ? ", " : "", leak->companions[k]);
        if (leak->n_companions > 0) {
            (void)fputs(gap, stdout);
            cli_line("%s: with %s grow %s", leak->service, leak->type, buf_text(&line));
            gap = "";
        }
        buf_done(&line);
    }
}

/* A muted one is wanted, or at least borne. */
static int is_unwanted(const Heapfleet__V1__Leak *leak)
{
    return strcmp(leak->state, "open") == 0 || strcmp(leak->state, "acknowledged") == 0;
}

enum status cli_leaks(struct cli *cli, struct why *why)
{
    Heapfleet__V1__ListLeaksRequest request = HEAPFLEET__V1__LIST_LEAKS_REQUEST__INIT;
    Heapfleet__V1__ServiceRef ref = cli_service_ref(cli, cli->service);
    request.service = &ref;
    request.severity = cli_string(cli->severity);
    if (cli->resolved_ms > 0)
        request.resolved_from_ms = clock_wall_ms() - cli->resolved_ms;
    ProtobufCMessage *message = NULL;
    enum status status = cli_ask(cli, "ListLeaks", &request.base,
                                 &heapfleet__v1__list_leaks_response__descriptor, &message, why);
    if (status != STATUS_OK)
        return status;
    const Heapfleet__V1__ListLeaksResponse *answer = (const void *)message;
    struct report report;
    report_begin(&report, cli->format, columns,
                 cli_is_table(cli) ? TABLE_COLUMNS : ARRAY_SIZE(columns));
    report_hide_if_empty(&report, "environment");
    report_hide_if_empty(&report, "until_limit_ms");
    report_hide_if_narrow(&report, "introduced_in"); /* leaks show has them all */
    report_hide_if_narrow(&report, "count_per_hour");
    report_hide_if_narrow(&report, "confidence");
    report_hide_if_narrow(&report, "first_seen");
    int is_bad = 0;
    for (size_t i = 0; i < answer->n_leaks; i++) {
        print_row(cli, &report, answer->leaks[i]);
        is_bad |= is_unwanted(answer->leaks[i]);
    }
    report_end(&report, "no leak found");
    if (cli_is_table(cli))
        print_companions(answer);
    if (cli->fail_on_leak && is_bad)
        cli->exit_code = EXIT_LEAK_FOUND;
    return STATUS_OK;
}
