/*
 * The program `heapfleet`: questions to a collector from the command line. heapfleet_main.c is only
 * main(); everything else is here, one file a command.
 */
#ifndef COLLECTOR_CLI_CLI_H
#define COLLECTOR_CLI_CLI_H

#include "arena.h"
#include "query.pb-c.h"
#include "report.h"
#include "rpc_client.h"

enum { CLI_OPERANDS_MAX = 3 };

/* Exit codes of commands that serve as a gate. */
enum { EXIT_LEAK_FOUND = 6, EXIT_TOO_EARLY = 7 };

/* What the command line said, and what a command works with. */
struct cli {
    const char *collector, *environment, *service_namespace, *output;
    const char *tls_ca, *tls_cert, *tls_key; /* files */
    const char *token;
    int insecure;
    int64_t timeout_ms;
    enum report_format format; /* of `output` */

    uint64_t limit;
    const char *by, *version, *service, *instance, *type, *resolution;
    const char *from, *to, *since; /* as written; NULL: not */
    int64_t from_ms, to_ms;        /* of these; 0: the beginning, now */
    int64_t at_ms, step_ms;
    int raw, live, fail_on_leak, help;
    const char *severity, *actor, *text;
    int64_t for_ms, resolved_ms;
    const char *baseline, *candidate;
    int64_t min_uptime_ms;

    const char *operands[CLI_OPERANDS_MAX];
    int operand_count;

    struct rpc_channel *channel;
    struct arena arena;   /* answers */
    struct arena texts;   /* what options were read from files */
    uint64_t rows_so_far; /* of an answer in pages, for the progress */
    int exit_code;        /* of a command that ended well */
};

/* Run the command line. The exit code of the process; everything has been printed. */
int cli_run(int argc, char **argv);

/* ---- for the commands ----------------------------------------------------------------------- */

typedef enum status cli_command_fn(struct cli *cli, struct why *why);

cli_command_fn cli_services;
cli_command_fn cli_deployments;
cli_command_fn cli_top;
cli_command_fn cli_history;
cli_command_fn cli_compare;
cli_command_fn cli_leaks;
cli_command_fn cli_leaks_show;
cli_command_fn cli_leaks_ack;
cli_command_fn cli_leaks_mute;
cli_command_fn cli_leaks_unmute;
cli_command_fn cli_leaks_mutes;
cli_command_fn cli_containers;
cli_command_fn cli_completion;
cli_command_fn cli_manual;
cli_command_fn cli_growth; /* top, when a time is given */
cli_command_fn cli_gate;

/* Send `request` to the method ("GetTop") and wait. `*ret`, of type `answer`, is in cli->arena. */
enum status cli_ask(struct cli *cli, const char *method, const ProtobufCMessage *request,
                    const ProtobufCMessageDescriptor *answer, ProtobufCMessage **ret,
                    struct why *why) MUST_CHECK;

/* The same with a method of the Admin service ("MuteLeaks"): it changes what the collector knows.
 */
enum status cli_tell(struct cli *cli, const char *method, const ProtobufCMessage *request,
                     const ProtobufCMessageDescriptor *answer, ProtobufCMessage **ret,
                     struct why *why) MUST_CHECK;

/* A reference to the service with this name in the environment and namespace of the options. */
Heapfleet__V1__ServiceRef cli_service_ref(const struct cli *cli, const char *name);

/* 1 when people read the output: a table, with a heading. */
int cli_is_table(const struct cli *cli);

/* A question that is answered in pages. */
struct cli_paged {
    const char *method;
    ProtobufCMessage *request;
    uint32_t *rows; /* of the request: those of a page, and its token */
    char **token;
    const ProtobufCMessageDescriptor *answer;
    /* Writes a page's rows; returns how many they are, and the token of the next page. */
    size_t (*show)(const struct cli *cli, struct report *report, const ProtobufCMessage *answer,
                   int is_first, char **ret_next);
    const char *nothing; /* said where there is no row */
};

/* Asks until the answer ends or has the rows of --limit, and ends the report. */
enum status cli_ask_pages(struct cli *cli, const struct cli_paged *paged, struct report *report,
                          struct why *why) MUST_CHECK;

/* A line on standard output; scrubbed, as names come from outside. */
void cli_line(const char *format, ...) PRINTF(1, 2);

/* Protobuf's strings are not const; none of ours is written to. */
char *cli_string(const char *text);

#endif
