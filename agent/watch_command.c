#include "watch_command.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "agent.h"
#include "attributes.h"
#include "log.h"
#include "watch_options.h"

enum { FLUSH_MS = 5000 };

struct watch {
    struct loop *loop;
    struct agent *agent;
    struct watch_options options;
    int stopping;
};

static void print_help(const struct option *table)
{
    printf(
        "heapfleet-agent watch --collector HOST:PORT [OPTION ...]\n\n"
        "Find the CPython processes of this machine, and what starts later, count their heaps at\n"
        "an interval and stream the counts. The processes are only read: not stopped, not\n"
        "signalled, not written to. Ends on SIGTERM or SIGINT.\n\n");
    options_print_help(table);
}

static void on_stopped(void *arg)
{
    struct watch *watch = arg;
    loop_stop(watch->loop);
}

static void on_signal(void *arg)
{
    struct watch *watch = arg;
    if (watch->stopping) {
        log_event(LOG_WARN, "agent.killed", "reason=\"a second signal while delivering\"");
        _exit(0);
    }
    watch->stopping = 1;
    log_event(LOG_INFO, "agent.stopping", NULL);
    agent_stop(watch->agent, watch->options.flush_ms, on_stopped, watch);
}

static enum status watch_until_stopped(struct watch *watch, const struct agent_options *options,
                                       struct why *why)
{
    watch->loop = loop_new();
    enum status status = agent_new(watch->loop, options, &watch->agent, why);
    if (status != STATUS_OK) {
        loop_free(watch->loop);
        return status;
    }
    struct loop_signal *term = loop_signal_new(watch->loop, SIGTERM, on_signal, watch);
    struct loop_signal *interrupt = loop_signal_new(watch->loop, SIGINT, on_signal, watch);
    agent_start(watch->agent);
    loop_run(watch->loop);
    if (agent_is_busy(watch->agent))
        _exit(0);
    agent_free(watch->agent);
    loop_signal_free(term);
    loop_signal_free(interrupt);
    loop_free(watch->loop);
    return STATUS_OK;
}

int watch_command(int argc, char **argv)
{
    struct watch watch = {0};
    struct option table[WATCH_OPTIONS_MAX];
    struct agent_options options;
    struct why why = {""};
    int operands = 0;
    int rest = 0;
    watch_options_init(&watch.options, FLUSH_MS);
    watch_options_table(&watch.options, 1, table);
    enum status status = options_parse(table, argc, argv, NULL, 0, &operands, &rest, &why);
    if (status == STATUS_OK && watch.options.help) {
        print_help(table);
        return 0;
    }
    if (status == STATUS_OK && rest < argc)
        status = why_fail(&why, STATUS_USAGE, "watch takes no command; \"run\" does");
    if (status == STATUS_OK)
        status = watch_options_resolve(&watch.options, &options, &why);
    if (status == STATUS_OK) {
        (void)signal(SIGPIPE, SIG_IGN);
        status = watch_until_stopped(&watch, &options, &why);
    }
    if (status != STATUS_OK)
        fprintf(stderr, "heapfleet-agent watch: %s\n", why.text);
    watch_options_done(&watch.options);
    return status_exit_code(status);
}
