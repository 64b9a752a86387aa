/*
 * heapfleet [OPTIONS] COMMAND [ARGUMENTS] [OPTIONS]
 *
 * The commands and their options are two tables. An option may stand before the command, so the
 * command is the first word that is neither an option nor the value of one.
 */
#include "cli_commands.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "moment.h"
#include "options.h"
#include "progress.h"
#include "suggest.h"
#include "utf8.h"
#include "version.h"
#include "wire.h"

enum {
    ANSWER_BYTES_MAX = 512 * 1024 * 1024, /* in memory; the channel limits what is on the wire */
    TEXTS_BYTES_MAX = 1 << 20,
    WORDS_MAX = 256,
    PATH_BYTES = 64,
    MIN_UPTIME_DEFAULT_MS = 30 * 60 * 1000, /* of a gate */
    PAGE_ROWS = 1000,                       /* as many as the collector gives in one */
};

/* ---- help ----------------------------------------------------------------------------------- */

static void print_help(struct cli *cli)
{
    struct option options[OPTIONS_MAX];
    cli_make_options(cli, cli_commands[0].bit | cli_program,
                     options); /* those that all commands have */
    (void)printf("heapfleet asks a collector which Python services leak, and since when.\n\n"
                 "usage: heapfleet COMMAND [ARGUMENTS] [OPTIONS]\n\n");
    for (size_t i = 0; cli_commands[i].name != NULL; i++) {
        int width = (int)(strlen(cli_commands[i].name) + strlen(cli_commands[i].operands));
        (void)printf("  %s %s%*s  %s\n", cli_commands[i].name, cli_commands[i].operands, 34 - width,
                     "", cli_commands[i].help);
    }
    (void)printf("\nOptions of every command (heapfleet COMMAND --help shows the others):\n\n");
    options_print_help(options);
    (void)printf("\nEach option can be given in the environment: HEAPFLEET_COLLECTOR and so on.\n"
                 "Exit codes: " CLI_EXIT_CODES);
}

static void print_command_help(struct cli *cli, const struct cli_command *command)
{
    struct option options[OPTIONS_MAX];
    cli_make_options(cli, command->bit, options);
    (void)printf("heapfleet %s: %s\n\nusage: heapfleet %s%s%s [OPTIONS]\n\n%s\n", command->name,
                 command->help, command->name, *command->operands != '\0' ? " " : "",
                 command->operands, command->more);
    options_print_help(options);
}

/* ---- for the commands ----------------------------------------------------------------------- */

/*
 * A collector that refuses what was asked speaks of the command line: usage, and its address adds
 * nothing. Other failures are the collector's, and keep it.
 */
static enum status judge(const struct cli *cli, enum status status, struct why *why)
{
    if ((status != STATUS_INVALID && status != STATUS_NOT_FOUND) || why == NULL)
        return status;
    size_t size = strlen(cli->collector);
    struct why whole = *why;
    if (strncmp(whole.text, cli->collector, size) == 0 && strncmp(whole.text + size, ": ", 2) == 0)
        why_set(why, "%s", whole.text + size + 2);
    return status == STATUS_INVALID ? STATUS_USAGE : status;
}

static struct progress *start_progress(const struct cli *cli)
{
    struct buf text = BUF_INIT;
    buf_printf(&text, "asking %s", cli->collector);
    if (cli->rows_so_far > 0) {
        buf_append_text(&text, ": ");
        report_format_number(&text, (double)cli->rows_so_far, REPORT_PLAIN);
        buf_append_text(&text, " rows so far");
    }
    struct progress *progress = progress_start(buf_text(&text));
    buf_done(&text);
    return progress;
}

static enum status connect_to_collector(struct cli *cli, struct why *why)
{
    if (cli->tls_ca == NULL && (cli->tls_cert != NULL || cli->tls_key != NULL))
        return why_fail(why, STATUS_USAGE, "--tls-cert and --tls-key need --tls-ca");
    if ((cli->tls_cert == NULL) != (cli->tls_key == NULL))
        return why_fail(why, STATUS_USAGE, "--tls-cert and --tls-key go together");
    const struct rpc_tls_paths paths = {
        .certificate = cli->tls_cert, .key = cli->tls_key, .ca = cli->tls_ca};
    struct rpc_tls_texts texts = {0};
    enum status status = rpc_tls_texts_read(&paths, &texts, why);
    if (status != STATUS_OK)
        return status;
    const struct rpc_channel_options options = {
        .target = cli->collector,
        .tls_ca = texts.ca,
        .tls_certificate = texts.certificate,
        .tls_key = texts.key,
        .token = cli->token,
        .plaintext = cli->insecure,
    };
    status = rpc_channel_new(&options, &cli->channel, why);
    rpc_tls_texts_done(&texts);
    return status;
}

static enum status call(struct cli *cli, const char *service, const char *method,
                        const ProtobufCMessage *request, const ProtobufCMessageDescriptor *answer,
                        ProtobufCMessage **ret, struct why *why)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof(path), "/heapfleet.v1.%s/%s", service, method);
    struct buf question = BUF_INIT;
    struct buf bytes = BUF_INIT;
    enum status status = STATUS_OK;
    if (cli->channel == NULL)
        status = connect_to_collector(cli, why);
    wire_pack(request, &question);
    struct progress *progress = status == STATUS_OK ? start_progress(cli) : NULL;
    if (status == STATUS_OK)
        status = judge(
            cli, rpc_channel_call(cli->channel, path, &question, cli->timeout_ms, &bytes, why),
            why);
    progress_stop(progress);
    if (status == STATUS_OK)
        status = wire_unpack(answer, bytes.data, bytes.size, &cli->arena, ret, why);
    buf_done(&question);
    buf_done(&bytes);
    return status;
}

enum status cli_ask(struct cli *cli, const char *method, const ProtobufCMessage *request,
                    const ProtobufCMessageDescriptor *answer, ProtobufCMessage **ret,
                    struct why *why)
{
    return call(cli, "Query", method, request, answer, ret, why);
}

enum status cli_tell(struct cli *cli, const char *method, const ProtobufCMessage *request,
                     const ProtobufCMessageDescriptor *answer, ProtobufCMessage **ret,
                     struct why *why)
{
    return call(cli, "Admin", method, request, answer, ret, why);
}

char *cli_string(const char *text)
{
    return (char *)text;
}

Heapfleet__V1__ServiceRef cli_service_ref(const struct cli *cli, const char *name)
{
    Heapfleet__V1__ServiceRef ref = HEAPFLEET__V1__SERVICE_REF__INIT;
    ref.name = cli_string(name);
    ref.environment = cli_string(cli->environment);
    ref.service_namespace = cli_string(cli->service_namespace);
    return ref;
}

int cli_is_table(const struct cli *cli)
{
    return cli->format == REPORT_TABLE;
}

static uint32_t page_rows(uint64_t left)
{
    return left < PAGE_ROWS ? (uint32_t)left : PAGE_ROWS;
}

enum status cli_ask_pages(struct cli *cli, const struct cli_paged *paged, struct report *report,
                          struct why *why)
{
    uint64_t left = cli->limit == 0 ? UINT64_MAX : cli->limit;
    int is_first = 1;
    do {
        ProtobufCMessage *answer = NULL;
        *paged->rows = page_rows(left);
        enum status status =
            cli_ask(cli, paged->method, paged->request, paged->answer, &answer, why);
        if (status != STATUS_OK) {
            buf_done(&report->text);
            return status;
        }
        size_t rows = paged->show(cli, report, answer, is_first, paged->token);
        left -= rows < left ? rows : left;
        cli->rows_so_far += rows;
        is_first = 0;
    } while (left > 0 && **paged->token != '\0');
    report_end(report, paged->nothing);
    return STATUS_OK;
}

void cli_line(const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    utf8_scrub(text, strlen(text));
    (void)printf("%s\n", text);
}

/* Named as OpenTelemetry's exporters name them. */
static const struct option_alias aliases[] = {
    {"tls-ca", "HEAPFLEET_CERTIFICATE"},
    {"tls-cert", "HEAPFLEET_CLIENT_CERTIFICATE"},
    {"tls-key", "HEAPFLEET_CLIENT_KEY"},
    {0},
};

/* ---- the command line ----------------------------------------------------------------------- */

static const struct cli_command *find_command(const char *word, struct why *why)
{
    const char *nearest = NULL;
    int best = SUGGEST_FAR;
    for (size_t i = 0; cli_commands[i].name != NULL; i++) {
        int distance = suggest_distance(word, cli_commands[i].name);
        if (distance == 0)
            return &cli_commands[i];
        if (distance < best) {
            best = distance;
            nearest = cli_commands[i].name;
        }
    }
    if (nearest != NULL)
        why_set(why, "there is no command '%s': did you mean '%s'?", word, nearest);
    else
        why_set(why, "there is no command '%s': heapfleet --help lists them", word);
    return NULL;
}

/* 1 if the word is an option whose value is the next word. */
static int takes_next_word(const struct option *options, const char *word)
{
    for (; options->name != NULL; options++) {
        if (options->kind == OPTION_FLAG)
            continue;
        if (word[0] == '-' && word[1] == '-' && strcmp(word + 2, options->name) == 0)
            return 1;
        if (word[0] == '-' && word[1] == options->letter && word[1] != '\0' && word[2] == '\0')
            return 1;
    }
    return 0;
}

/* Index of the command in argv; argc when there is none. */
static int find_command_word(struct cli *cli, int argc, char **argv)
{
    struct option options[OPTIONS_MAX];
    cli_make_options(cli, cli_all_commands, options);
    int at = 1;
    while (at < argc && argv[at][0] == '-')
        at += takes_next_word(options, argv[at]) ? 2 : 1;
    return at < argc ? at : argc;
}

/* "leaks show" is two. */
static int words_of(const struct cli_command *command)
{
    return strchr(command->name, ' ') != NULL ? 2 : 1;
}

/* What the second word was meant to be, when the first has commands below it and takes nothing. */
static enum status check_second(const struct cli_command *command, int argc, char **argv, int at,
                                struct why *why)
{
    size_t first = strlen(command->name);
    const char *nearest = NULL;
    int best = SUGGEST_FAR;
    if (command->operands_most > 0 || at + 1 >= argc || argv[at + 1][0] == '-')
        return STATUS_OK;
    for (size_t i = 0; cli_commands[i].name != NULL; i++) {
        const char *name = cli_commands[i].name;
        if (strncmp(name, command->name, first) != 0 || name[first] != ' ')
            continue;
        int distance = suggest_distance(argv[at + 1], name + first + 1);
        if (distance < best) {
            best = distance;
            nearest = name;
        }
    }
    if (nearest == NULL)
        return STATUS_OK;
    return why_fail(why, STATUS_USAGE, "there is no command '%s %s': did you mean '%s'?",
                    command->name, argv[at + 1], nearest);
}

/* The command of two words that begins here; NULL: there is none, the second is no part of it. */
static const struct cli_command *find_pair(int argc, char **argv, int at)
{
    for (size_t i = 0; cli_commands[i].name != NULL && at + 1 < argc; i++) {
        size_t first = strlen(argv[at]);
        if (strncmp(cli_commands[i].name, argv[at], first) == 0 &&
            cli_commands[i].name[first] == ' ' &&
            strcmp(cli_commands[i].name + first + 1, argv[at + 1]) == 0)
            return &cli_commands[i];
    }
    return NULL;
}

static enum status parse_time(const char *option, const char *text, int64_t now_ms, int64_t *ret,
                              struct why *why)
{
    if (text == NULL)
        return STATUS_OK;
    enum status status = moment_parse(text, now_ms, ret, why);
    if (status != STATUS_OK)
        why_prefix(why, "--%s", option);
    return status;
}

/* `--from 0`, like `--since 0`, is all there is and not this moment. */
static enum status parse_times(struct cli *cli, struct why *why)
{
    int64_t now_ms = clock_wall_ms();
    const char *option = cli->from != NULL ? "from" : "since";
    if (cli->from == NULL)
        cli->from = cli->since;
    int is_all = cli->from != NULL && strcmp(cli->from, "0") == 0;
    enum status status = STATUS_OK;
    if (!is_all)
        status = parse_time(option, cli->from, now_ms, &cli->from_ms, why);
    return status == STATUS_OK ? parse_time("to", cli->to, now_ms, &cli->to_ms, why) : status;
}

static enum status parse(struct cli *cli, const struct cli_command *command, int argc, char **argv,
                         int command_at, struct why *why)
{
    char *words[WORDS_MAX];
    struct option options[OPTIONS_MAX];
    int count = 0;
    if (argc > WORDS_MAX)
        return why_fail(why, STATUS_USAGE, "the command line has more than %d words", WORDS_MAX);
    for (int i = 0; i < argc; i++) {
        if (i < command_at || i >= command_at + words_of(command))
            words[count++] = argv[i];
    }
    cli_make_options(cli, command->bit, options);
    const struct options_input input = {
        .argc = count, .argv = words, .operands_max = command->operands_most, .aliases = aliases};
    struct options_result result = {.operands = cli->operands, .arena = &cli->texts};
    enum status status = options_read(options, &input, &result, why);
    if (status != STATUS_OK || cli->help)
        return status;
    cli->operand_count = result.operand_count;
    int rest = result.rest;
    for (; rest < count && cli->operand_count < command->operands_most; rest++)
        cli->operands[cli->operand_count++] = words[rest];
    if (rest < count)
        return why_fail(why, STATUS_USAGE, "unexpected argument '%s'", words[rest]);
    if (cli->operand_count < command->operands_least)
        return why_fail(why, STATUS_USAGE, "an argument is missing: heapfleet %s %s", command->name,
                        command->operands);
    status = report_format_parse(cli->output, &cli->format, why);
    return status == STATUS_OK ? parse_times(cli, why) : status;
}

static int fail(enum status status, const struct why *why)
{
    (void)fflush(stdout);
    (void)fprintf(stderr, "heapfleet: %s\n", why->text);
    return status_exit_code(status);
}

static int run_command(struct cli *cli, const struct cli_command *command)
{
    struct why why = {0};
    enum status status = command->run(cli, &why);
    if (status != STATUS_OK)
        why_prefix(&why, "%s", command->cannot);
    rpc_channel_free(cli->channel);
    return status == STATUS_OK ? cli->exit_code : fail(status, &why);
}

/* What was printed must have arrived. */
static int finish(int exit_code)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return exit_code;
    struct why why;
    why_set(&why, "output cannot be written: %s", strerror(errno)); /* NOLINT: one thread */
    return fail(STATUS_FAILED, &why);
}

static int run_words(struct cli *cli, int argc, char **argv)
{
    struct why why = {0};
    int at = find_command_word(cli, argc, argv);
    const char *first = argc > 1 ? argv[1] : "";
    if (strcmp(first, "--version") == 0) {
        (void)printf("heapfleet %s (%s)\n", HEAPFLEET_VERSION, HEAPFLEET_COMMIT);
        return finish(0);
    }
    if (at == argc && (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0)) {
        print_help(cli);
        return finish(0);
    }
    if (at == argc) {
        why_set(&why, "a command is missing: heapfleet --help lists them");
        return fail(STATUS_USAGE, &why);
    }
    const struct cli_command *command = find_pair(argc, argv, at);
    if (command == NULL)
        command = find_command(argv[at], &why);
    if (command == NULL)
        return fail(STATUS_USAGE, &why);
    enum status status = check_second(command, argc, argv, at, &why);
    if (status == STATUS_OK)
        status = parse(cli, command, argc, argv, at, &why);
    if (status != STATUS_OK)
        return fail(status, &why);
    if (cli->help) {
        print_command_help(cli, command);
        return finish(0);
    }
    return finish(run_command(cli, command));
}

int cli_run(int argc, char **argv)
{
    struct cli cli = {
        .collector = "127.0.0.1:4777",
        .environment = "",
        .service_namespace = "",
        .output = "table",
        .timeout_ms = 30000,
        .by = "bytes",
        .version = "",
        .service = "",
        .instance = "",
        .severity = "suspect",
        .baseline = "",
        .candidate = "",
        .min_uptime_ms = MIN_UPTIME_DEFAULT_MS,
        .type = "",
        .actor = "",
        .text = "",
        .resolution = "auto",
        .limit = 20,
    };
    arena_init(&cli.arena, ANSWER_BYTES_MAX);
    arena_init(&cli.texts, TEXTS_BYTES_MAX);
    int code = run_words(&cli, argc, argv);
    arena_done(&cli.arena);
    arena_done(&cli.texts);
    return code;
}
