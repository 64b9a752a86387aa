#include "watch_command.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "agent.h"
#include "attributes.h"
#include "log.h"
#include "open_files.h"
#include "watch_options.h"

struct watch {
    struct loop *loop;
    struct agent *agent;
    struct watch_options options;
    const struct command_line *line;
    int stopping;
};

static const char help[] =
    "usage: heapfleet-agent watch --collector HOST:PORT [OPTION ...]\n\n"
    "Find the CPython processes of this machine, and what starts later, count their heaps at\n"
    "an interval and stream the counts. The processes are only read: not stopped, not\n"
    "signalled, not written to. Ends on SIGTERM or SIGINT; SIGHUP reads the settings and the\n"
    "certificates again.\n";

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

/* ----- SIGHUP ----- */

static void log_change(void *arg, const char *option, int is_reloadable)
{
    int *changes = arg;
    *changes += is_reloadable;
    if (!is_reloadable)
        log_event(LOG_WARN, "config.ignored", "option=%s reason=\"needs a restart\"", option);
}

/* What is wrong leaves everything as it is. */
static void on_hangup(void *arg)
{
    struct watch *watch = arg;
    struct watch_options options;
    struct agent_options wanted;
    struct option table[WATCH_OPTIONS_MAX];
    struct why why = {""};
    int changes = 0;
    watch_options_init(&options, WATCH_MACHINE, table);
    struct command_line again = *watch->line;
    again.options = table;
    enum status status = command_line_read_again(watch->line, &again, &why);
    if (status == STATUS_OK)
        status = watch_options_resolve(&options, &again, &wanted, &why);
    if (status == STATUS_OK)
        status = agent_reload(watch->agent, &wanted, &why);
    if (status == STATUS_OK) {
        watch->options.flush_ms = options.flush_ms;
        command_line_compare(watch->line, &again, log_change, &changes);
        log_event(LOG_INFO, "config.reloaded", "changes=%d", changes);
    } else {
        log_event(LOG_WARN, "config.refused", "reason=\"%s\"", why.text);
    }
    watch_options_done(&options);
    command_line_done(&again);
}

static enum status watch_until_stopped(struct watch *watch, const struct agent_options *options,
                                       struct why *why)
{
    open_files_raise_limit(); /* every process is one */
    watch->loop = loop_new();
    enum status status = agent_new(watch->loop, options, &watch->agent, why);
    if (status != STATUS_OK) {
        loop_free(watch->loop);
        return status;
    }
    struct loop_signal *term = loop_signal_new(watch->loop, SIGTERM, on_signal, watch);
    struct loop_signal *interrupt = loop_signal_new(watch->loop, SIGINT, on_signal, watch);
    struct loop_signal *hangup = loop_signal_new(watch->loop, SIGHUP, on_hangup, watch);
    agent_start(watch->agent);
    loop_run(watch->loop);
    if (agent_is_busy(watch->agent))
        _exit(0);
    agent_free(watch->agent);
    loop_signal_free(term);
    loop_signal_free(interrupt);
    loop_signal_free(hangup);
    loop_free(watch->loop);
    return STATUS_OK;
}

int watch_command(int argc, char **argv)
{
    struct watch watch = {0};
    struct option table[WATCH_OPTIONS_MAX];
    struct agent_options options;
    struct why why = {""};
    watch_options_init(&watch.options, WATCH_MACHINE, table);
    struct command_line line = watch_options_line("heapfleet-agent watch", WATCH_MACHINE, table);
    line.help = help;
    watch.line = &line;
    int code = command_line_read(&line, argc, argv);
    if (code < 0) {
        enum status status = watch_options_resolve(&watch.options, &line, &options, &why);
        if (status == STATUS_OK && line.rest < argc)
            status = why_fail(&why, STATUS_USAGE, "watch takes no command; \"run\" does");
        code = command_line_settle(&line, status, &why);
    }
    if (code < 0) {
        (void)signal(SIGPIPE, SIG_IGN);
        code = command_line_end(&line, watch_until_stopped(&watch, &options, &why), &why);
    }
    watch_options_done(&watch.options);
    command_line_done(&line);
    return code;
}
