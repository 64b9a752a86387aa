#include "run_command.h"

#include <stdio.h>
#include <unistd.h>

#include "agent.h"
#include "attributes.h"
#include "child.h"
#include "log.h"
#include "watch_options.h"

enum { FLUSH_MS = 2000 };

struct run {
    struct loop *loop;
    struct agent *agent; /* NULL: CMD runs unwatched */
    struct child child;
    struct watch_options options;
};

static void print_help(const struct option *table)
{
    printf("heapfleet-agent run --collector HOST:PORT [OPTION ...] -- CMD [ARGUMENT ...]\n\n"
           "Start CMD, watch it and every CPython process that it starts, and end as it ends: with "
           "its\n"
           "exit status, or 128 + the signal that killed it. Signals are passed on to CMD, and "
           "orphans\n"
           "are reaped, so that it can be a container's entrypoint. No collector, no harm: CMD "
           "runs on.\n"
           "127: there is no such command; 126: it cannot be run.\n\n");
    options_print_help(table);
}

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
    if (run->agent == NULL)
        loop_stop(run->loop);
    else
        agent_stop(run->agent, run->options.flush_ms, on_agent_stopped, run);
}

static int run_to_the_end(struct run *run, struct agent_options *options)
{
    struct why why = {""};
    options->scout.descendants_of = getpid();
    run->loop = loop_new();
    child_follow(&run->child, run->loop, on_child_ended, run);
    if (agent_new(run->loop, options, &run->agent, &why) == STATUS_OK)
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
    struct agent_options options;
    struct why why = {""};
    int operands = 0;
    int rest = argc;
    watch_options_init(&run.options, FLUSH_MS);
    watch_options_table(&run.options, 0, table);
    enum status status = options_parse(table, argc, argv, NULL, 0, &operands, &rest, &why);
    if (status == STATUS_OK && run.options.help) {
        print_help(table);
        return 0;
    }
    if (status == STATUS_OK && rest >= argc)
        status = why_fail(&why, STATUS_USAGE, "no command is given: add -- CMD [ARGUMENT ...]");
    if (status == STATUS_OK)
        status = watch_options_resolve(&run.options, &options, &why);
    int code = status_exit_code(status);
    if (status == STATUS_OK) {
        status = child_start(argv + rest, &run.child, &why);
        code = status == STATUS_OK ? run_to_the_end(&run, &options) : run.child.exit_code;
    }
    if (status != STATUS_OK)
        fprintf(stderr, "heapfleet-agent run: %s\n", why.text);
    watch_options_done(&run.options);
    return code;
}
