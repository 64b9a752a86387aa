#include "cli_commands.h"

#include <string.h>

enum command_bit {
    SERVICES = 1,
    DEPLOYMENTS = 2,
    TOP = 4,
    HISTORY = 8,
    COMPARE = 16,
    LEAKS = 32,
    SHOW = 64,
    ACK = 128,
    MUTE = 256,
    UNMUTE = 512,
    MUTES = 1024,
    CONTAINERS = 2048,
    GATE = 4096,
    COMPLETION = 8192,
    MANUAL = 16384,
    ASKING = 8191, /* a collector */
    ALL = 32767,
    PROGRAM = 32768, /* before any command; for the help */
};

const unsigned cli_all_commands = ALL;
const unsigned cli_program = PROGRAM;

const struct cli_command cli_commands[] = {
    {"services", SERVICES, 0, 0, "", cli_services, "what is watched", "services cannot be listed",
     "Sums are over the newest snapshots of the processes that are alive.\n"},
    {"deployments", DEPLOYMENTS, 1, 1, "SERVICE", cli_deployments, "the versions of a service",
     "deployments cannot be listed", "Objects, bytes and growth are means over the processes.\n"},
    {"containers", CONTAINERS, 1, 1, "SERVICE", cli_containers, "its processes, one by one",
     "containers cannot be listed",
     "Numbers are of each one's newest snapshot. With --type, what each one has of that type.\n"},
    {"top", TOP, 1, 1, "SERVICE", cli_top, "what its heaps consist of, and what grows",
     "types cannot be listed",
     "Sums are over the processes of the version that are alive, or over all when none is.\n"
     "Growth is what is retained at the end of each process's life, compared with its start.\n"
     "With --from: what a process has gained between two times, a mean of all of them.\n"},
    {"history", HISTORY, 1, 2, "SERVICE [TYPE]", cli_history, "one type over time, or all together",
     "history cannot be shown",
     "As a table it is a plot, with --raw the snapshots; as JSON and CSV it is rows.\n"
     "Times: 90m or 7d ago, 2026-11-22, 2026-11-22T09:30 (local; with a Z: UTC), @SECONDS.\n"},
    {"compare", COMPARE, 3, 3, "SERVICE VERSION_A VERSION_B", cli_compare,
     "two versions at equal uptime", "versions cannot be compared",
     "Values are means over the processes that reached the uptime.\n"},
    {"leaks", LEAKS, 0, 0, "", cli_leaks, "what leaks, and since which version",
     "leaks cannot be listed",
     "With --exit-code the command ends with 6 when one of them is open or acknowledged.\n"},
    {"leaks show", SHOW, 1, 1, "ID", cli_leaks_show, "why one of them is believed to be a leak",
     "the leak cannot be shown",
     "ID may be the first digits, as long as no other begins so.\n"
     "As JSON it is one object with all of it, as CSV the growth curves, a row a point.\n"},
    {"leaks ack", ACK, 1, 1, "ID", cli_leaks_ack, "say that it is known: no more alerts",
     "the leak cannot be acknowledged", "It holds until the leak is resolved.\n"},
    {"leaks mute", MUTE, 1, 1, "SERVICE", cli_leaks_mute, "no alerts for a type, or for all",
     "the service cannot be muted", "Findings are still made and listed, as muted.\n"},
    {"leaks unmute", UNMUTE, 1, 1, "SERVICE", cli_leaks_unmute, "the mute ends",
     "the service cannot be unmuted", "Name the type if the mute has one.\n"},
    {"leaks mutes", MUTES, 0, 0, "", cli_leaks_mutes, "which mutes hold", "mutes cannot be listed",
     ""},
    {"gate", GATE, 1, 1, "SERVICE", cli_gate, "may a new version go on? for pipelines",
     "the versions cannot be judged",
     "Exit code 0: nothing grows that did not grow in the old version; 6: a leak; 7: they have "
     "not\n"
     "run for long enough, ask again later.\n"},
    {"completion", COMPLETION, 1, 1, "SHELL", cli_completion, "completions for bash, zsh or fish",
     "completions cannot be written", "In bash: source <(heapfleet completion bash)\n"},
    {"manual", MANUAL, 0, 0, "", cli_manual, "all of this as a manual page",
     "the manual cannot be written", "heapfleet manual | man -l -\n"},
    {0},
};

struct cli_option {
    unsigned commands; /* command_bit */
    struct option option;
};

static size_t take(const struct cli_option *rows, size_t count, unsigned bits, struct option *ret)
{
    size_t taken = 0;
    for (size_t i = 0; i < count; i++) {
        if ((rows[i].commands & bits) != 0)
            ret[taken++] = rows[i].option;
    }
    return taken;
}

/* Of commands that ask for numbers. */
static size_t take_history(struct cli *cli, unsigned bits, struct option *ret)
{
    const struct cli_option rows[] = {
        {TOP,
         {"by", 0, OPTION_TEXT, &cli->by, "ORDER", "largest first by bytes, count or growth",
          "bytes"}},
        {HISTORY, {"by", 0, OPTION_TEXT, &cli->by, "WHAT", "plot bytes or count", "bytes"}},
        {TOP, {"version", 0, OPTION_TEXT, &cli->version, "V", "of this version", "the latest"}},
        {HISTORY, {"version", 0, OPTION_TEXT, &cli->version, "V", "of this version only", NULL}},
        {HISTORY, {"instance", 0, OPTION_TEXT, &cli->instance, "ID", "of this process only", NULL}},
        {CONTAINERS,
         {"by", 0, OPTION_TEXT, &cli->by, "ORDER", "largest first by bytes, rss, type or started",
          "bytes"}},
        {CONTAINERS, {"version", 0, OPTION_TEXT, &cli->version, "V", "of this version only", NULL}},
        {CONTAINERS, {"type", 0, OPTION_TEXT, &cli->type, "TYPE", "what each has of it", NULL}},
        {CONTAINERS, {"live", 0, OPTION_FLAG, &cli->live, NULL, "those alive only", NULL}},
        {HISTORY | TOP,
         {"from", 0, OPTION_TEXT, &cli->from, "TIME", "since when; 0: all there is", NULL}},
        {HISTORY | TOP, {"to", 0, OPTION_TEXT, &cli->to, "TIME", "until when", "now"}},
        {HISTORY, {"since", 0, OPTION_TEXT, &cli->since, "TIME", "the same as --from", "6h"}},
        {HISTORY,
         {"resolution", 0, OPTION_TEXT, &cli->resolution, "R", "auto, minute, hour or day",
          "auto"}},
        {HISTORY, {"step", 0, OPTION_DURATION, &cli->step_ms, "TIME", "width of a point", NULL}},
        {HISTORY, {"raw", 0, OPTION_FLAG, &cli->raw, NULL, "every snapshot, no sums", NULL}},
        {COMPARE,
         {"at", 0, OPTION_DURATION, &cli->at_ms, "UPTIME", "age of the processes",
          "what most of both have reached"}},
        {TOP | COMPARE | CONTAINERS,
         {"limit", 'n', OPTION_U64, &cli->limit, "N", "rows; 0: as many as there are", "20"}},
    };
    return take(rows, ARRAY_SIZE(rows), bits, ret);
}

/* Of the leaks' commands. */
static size_t take_leaks(struct cli *cli, unsigned bits, struct option *ret)
{
    const struct cli_option rows[] = {
        {LEAKS, {"service", 0, OPTION_TEXT, &cli->service, "S", "of this service only", NULL}},
        {LEAKS,
         {"exit-code", 0, OPTION_FLAG, &cli->fail_on_leak, NULL, "exit with 6 when there is a leak",
          NULL}},
        {LEAKS,
         {"severity", 0, OPTION_TEXT, &cli->severity, "LEAST", "watch, suspect or confirmed",
          "suspect"}},
        {LEAKS,
         {"resolved", 0, OPTION_DURATION, &cli->resolved_ms, "TIME",
          "those resolved within this time too", NULL}},
        {ACK, {"note", 0, OPTION_TEXT, &cli->text, "TEXT", "what is being done", NULL}},
        {MUTE, {"reason", 0, OPTION_TEXT, &cli->text, "TEXT", "why; must be given", NULL}},
        {MUTE, {"for", 0, OPTION_DURATION, &cli->for_ms, "TIME", "how long", "for ever"}},
        {MUTE | UNMUTE, {"type", 0, OPTION_TEXT, &cli->type, "TYPE", "this type only", NULL}},
        {ACK | MUTE | UNMUTE,
         {"actor", 0, OPTION_TEXT, &cli->actor, "NAME", "who says so", "the user"}},
        {GATE, {"baseline", 0, OPTION_TEXT, &cli->baseline, "V1", "the old version", NULL}},
        {GATE, {"candidate", 0, OPTION_TEXT, &cli->candidate, "V2", "the new version", NULL}},
        {GATE,
         {"min-uptime", 0, OPTION_DURATION, &cli->min_uptime_ms, "TIME",
          "that half the processes of both must have reached", "30m"}},
    };
    return take(rows, ARRAY_SIZE(rows), bits, ret);
}

static size_t take_common(struct cli *cli, unsigned bits, struct option *ret)
{
    const struct cli_option rows[] = {
        {ASKING & ~(unsigned)(SHOW | ACK | MUTES),
         {"environment", 'e', OPTION_TEXT, &cli->environment, "ENV",
          "of this environment; -: of none", NULL}},
        {ASKING & ~(unsigned)(SERVICES | SHOW | ACK | MUTES),
         {"namespace", 0, OPTION_TEXT, &cli->service_namespace, "NS",
          "of this namespace; -: of none", NULL}},
        {ASKING,
         {"output", 'o', OPTION_TEXT, &cli->output, "FORMAT", "table, json or csv", "table"}},
        {ASKING,
         {"collector", 0, OPTION_TEXT, &cli->collector, "HOST:PORT", "whom to ask",
          "127.0.0.1:4777"}},
        {ASKING,
         {"tls-ca", 0, OPTION_FILE, &cli->tls_ca, "FILE",
          "connect with TLS and trust this authority", NULL}},
        {ASKING, {"tls-cert", 0, OPTION_FILE, &cli->tls_cert, "FILE", "certificate to show", NULL}},
        {ASKING, {"tls-key", 0, OPTION_FILE, &cli->tls_key, "FILE", "its private key", NULL}},
        {ASKING,
         {"token", 0, OPTION_SECRET, &cli->token, "TOKEN",
          "who we are; others can read it in ps: --token-file FILE is better", NULL}},
        {ASKING,
         {"insecure", 0, OPTION_FLAG, &cli->insecure, NULL,
          "ask another machine without TLS: the network protects it", NULL}},
        {ASKING, {"timeout", 0, OPTION_DURATION, &cli->timeout_ms, "TIME", "wait for it", "30s"}},
        {PROGRAM,
         {"version", 0, OPTION_FLAG, &cli->help, NULL, "version and commit of this program", NULL}},
        {ALL, {"help", 'h', OPTION_FLAG, &cli->help, NULL, "this text", NULL}},
    };
    return take(rows, ARRAY_SIZE(rows), bits, ret);
}

void cli_make_options(struct cli *cli, unsigned bits, struct option ret[OPTIONS_MAX])
{
    struct option rows[3 * OPTIONS_MAX];
    size_t count = take_history(cli, bits, rows);
    count += take_leaks(cli, bits, rows + count);
    count += take_common(cli, bits, rows + count);
    ASSERT(count < OPTIONS_MAX);
    rows[count++] = (struct option){0};
    memcpy(ret, rows, count * sizeof(*rows));
}
