#include "run_command.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "agent.h"
#include "attributes.h"
#include "child.h"
#include "log.h"
#include "supervisor.h"
#include "watch_options.h"

struct run {
    struct loop *loop;
    struct agent *agent; /* NULL: CMD runs unwatched */
    struct child child;
    char **argv; /* of CMD */
    const struct supervisor_link *supervisor;
    struct watch_options options;
    struct agent_options agent_options;
};

static const char help[] =
    "usage: heapfleet-agent run --collector HOST:PORT [OPTION ...] -- CMD [ARGUMENT ...]\n\n"
    "Start CMD, watch it and every CPython process that it starts, and end as it ends: with its\n"
    "exit status, or 128 + the signal that killed it. Signals are passed on to CMD, and orphans\n"
    "are reaped, so that it can be a container's entrypoint. No collector, no harm: CMD runs on.\n"
    "127: there is no such command; 126: it cannot be run.\n";

static void on_agent_stopped(void *arg)
{
    struct run *run = arg;
    loop_stop(run->loop);
}

static void on_child_ended(void *arg)
{
    struct run *run = arg;
    log_event(LOG_INFO, "command.ended", "pid=%d exit_code=%d", (int)run->child.pid,
              run->child.exit_code);
    supervisor_tell_ended(run->supervisor, run->child.exit_code);
    if (run->agent == NULL)
        loop_stop(run->loop);
    else
        agent_stop(run->agent, run->options.flush_ms, on_agent_stopped, run);
}

/* In the watcher. */
static int watch_to_the_end(void *arg, const struct supervisor_link *supervisor)
{
    struct run *run = arg;
    struct why why = {""};
    run->supervisor = supervisor;
    if (child_start(run->argv, &supervisor->mask_before, &run->child, &why) != STATUS_OK) {
        fprintf(stderr, "heapfleet-agent run: %s\n", why.text);
        return run->child.exit_code;
    }
    supervisor_tell_started(supervisor, run->child.pid);
    (void)signal(SIGPIPE, SIG_IGN);
    run->agent_options.scout.descendants_of = getpid();
    run->loop = loop_new();
    child_follow(&run->child, run->loop, on_child_ended, run);
    if (agent_new(run->loop, &run->agent_options, &run->agent, &why) == STATUS_OK)
        agent_start(run->agent);
    else
        log_event(LOG_ERROR, "agent.failed", "reason=\"%s; the command runs unwatched\"", why.text);
    loop_run(run->loop);
    int code = run->child.exit_code;
    if (run->agent != NULL && agent_is_busy(run->agent))
        _exit(code);
    agent_free(run->agent);
    child_done(&run->child);
    loop_free(run->loop);
    return code;
}

int run_command(int argc, char **argv)
{
    struct run run = {0};
    struct option table[WATCH_OPTIONS_MAX];
    struct why why = {""};
    watch_options_init(&run.options, WATCH_COMMAND, table);
    struct command_line line = watch_options_line("heapfleet-agent run", WATCH_COMMAND, table);
    line.help = help;
    int code = command_line_read(&line, argc, argv);
    if (code < 0) {
        enum status status = watch_options_resolve(&run.options, &line, &run.agent_options, &why);
        code = command_line_settle(&line, status, &why);
    }
    if (code < 0 && line.rest >= argc)
        code = command_line_end(
            &line, why_fail(&why, STATUS_USAGE, "no command is given: add -- CMD [ARGUMENT ...]"),
            &why);
    run.argv = argv + line.rest;
    if (code < 0)
        code = supervise(watch_to_the_end, &run);
    watch_options_done(&run.options);
    command_line_done(&line);
    return code;
}
