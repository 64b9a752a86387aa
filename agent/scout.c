#include "scout.h"

#include <string.h>
#include <unistd.h>

#include "attributes.h"
#include "log.h"
#include "memory_facts.h"
#include "roster.h"

enum { COMMAND_BYTES = 64 };

void target_free(struct target *target)
{
    if (target == NULL)
        return;
    census_free(target->census);
    census_result_done(&target->result);
    free(target);
}

/* ----- is it ours? ----- */

/* A pid is given anew some day: the name stands for the process that had it when we started. */
static void note_named(struct scout *scout)
{
    for (int i = 0; i < scout->options.pid_count; i++) {
        struct proc_stat stat;
        if (proc_stat(&scout->fs, scout->options.pids[i], &stat) == STATUS_OK)
            scout->pid_starts[i] = stat.start_ticks;
    }
}

static int is_named(const struct scout *scout, const struct proc_stat *stat)
{
    for (int i = 0; i < scout->options.pid_count; i++) {
        if (scout->options.pids[i] == stat->pid && scout->pid_starts[i] == stat->start_ticks)
            return 1;
    }
    return 0;
}

static int is_wanted(const struct scout *scout, const struct proc_stat *stat)
{
    if (stat->pid == getpid())
        return 0;
    if (scout->options.pid_count > 0)
        return is_named(scout, stat);
    return scout->options.descendants_of == 0 ||
           proc_descends(&scout->fs, stat->pid, scout->options.descendants_of);
}

/*
 * Would somebody miss it? What was named on the command line, and what seems to be a Python: names
 * and arguments can be seen of processes whose memory cannot.
 */
static int is_expected(const struct scout *scout, const struct proc_stat *stat)
{
    char command[COMMAND_BYTES + 1];
    size_t size = 0;
    if (is_named(scout, stat) || strstr(stat->comm, "python") != NULL)
        return 1;
    if (proc_read(&scout->fs, stat->pid, "cmdline", command, COMMAND_BYTES, &size) != STATUS_OK)
        return 0;
    command[size] = '\0';
    return strstr(command, "python") != NULL;
}

/* Said once, not at every retry. */
static enum status report_failure(struct scout *scout, const struct roster_look *look,
                                  enum status status, const char *reason)
{
    pid_t pid = look->stat.pid;
    if ((status == STATUS_DENIED || status == STATUS_LIMIT) && !look->retry) {
        int is_ours = status == STATUS_LIMIT || is_expected(scout, &look->stat);
        enum log_level level = is_ours ? LOG_WARN : LOG_DEBUG;
        log_event(level, "process.denied", "pid=%d command=\"%s\" reason=\"%s\"", (int)pid,
                  look->stat.comm, reason);
    }
    return status;
}

static enum status find_python(struct scout *scout, const struct roster_look *look,
                               struct target *target)
{
    struct why why = {""};
    pid_t pid = look->stat.pid;
    enum status status = python_process_find(pid, &target->python, &why);
    if (status != STATUS_OK) {
        if (status == STATUS_NOT_FOUND)
            status = STATUS_GONE; /* NOT_FOUND would mean that we do not want it */
        if (status == STATUS_UNSUPPORTED && look->settled && is_expected(scout, &look->stat))
            log_event(LOG_INFO, "process.skipped", "pid=%d reason=\"%s\"", (int)pid, why.text);
        return report_failure(scout, look, status, why.text);
    }
    status = identity_read_instance_id(&scout->fs, pid, target->python.start_ticks,
                                       target->python.image, target->instance_id);
    if (status == STATUS_DENIED)
        why_set(&why, "may not see its namespaces; run as the same user, or with "
                      "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH");
    if (status == STATUS_OK)
        status = census_new(&target->python, &target->census, &why);
    if (status == STATUS_OK)
        census_sample_above(target->census, scout->options.sample_above_bytes);
    if (status == STATUS_UNSUPPORTED && look->settled) {
        log_event(LOG_WARN, "process.unsupported", "pid=%d python=%s reason=\"%s\"", (int)pid,
                  target->python.version, why.text);
    }
    return status == STATUS_OK ? STATUS_OK : report_failure(scout, look, status, why.text);
}

static void append_found(struct scout *scout, struct scout_found *found)
{
    struct scout_found **end = &scout->found;
    while (*end != NULL)
        end = &(*end)->next;
    *end = found;
}

static enum status on_look(void *user, const struct roster_look *look)
{
    struct scout *scout = user;
    if (!is_wanted(scout, &look->stat))
        return STATUS_NOT_FOUND;
    struct target *target = calloc(1, sizeof(*target));
    ASSERT(target != NULL);
    target->stat = look->stat;
    enum status status = find_python(scout, look, target);
    if (status != STATUS_OK) {
        target_free(target);
        return status;
    }
    struct scout_found *found = calloc(1, sizeof(*found));
    ASSERT(found != NULL);
    found->target = target;
    arena_init(&found->arena, IDENTITY_BYTES_MAX);
    status = identity_read(&scout->fs, look->stat.pid, &scout->options.identity, &found->arena,
                           &found->identity, &target->memory_path);
    if (status != STATUS_OK) {
        arena_done(&found->arena);
        target_free(target);
        free(found);
        return status;
    }
    if (container_read_memory(&target->memory_path, &target->memory) != STATUS_OK)
        target->memory = (struct container_memory){0};
    append_found(scout, found);
    return STATUS_OK;
}

/* ----- the end of one ----- */

static struct target *target_of(const struct scout *scout, pid_t pid)
{
    for (size_t i = 0; i < scout->target_count; i++) {
        if (scout->targets[i]->python.pid == pid)
            return scout->targets[i];
    }
    for (struct scout_found *found = scout->found; found != NULL; found = found->next) {
        if (found->target->python.pid == pid)
            return found->target;
    }
    return NULL;
}

/* One of the kernel's kills on the machine, since the last scan, that is nobody's yet: 1 if there
 * was such. */
static int take_kill(struct scout *scout)
{
    if (container_machine_oom_kills(&scout->fs) <= scout->oom_kills)
        return 0;
    scout->oom_kills++;
    return 1;
}

/*
 * The kernel counts its kills per container, not per process: the first end that is seen after a
 * kill is taken for it, and then nobody else in that container is. Of a container that is gone with
 * its process, or could only be seen through it, the machine's own count is left.
 */
static enum end_reason reason_of(struct scout *scout, const struct target *target)
{
    struct container_memory now;
    if (container_read_memory_after(&target->memory_path, &now) != STATUS_OK)
        return target->memory.limit_bytes > 0 && take_kill(scout) ? END_OOM_KILLED : END_EXITED;
    if (now.oom_kills <= target->memory.oom_kills)
        return END_EXITED;
    for (size_t i = 0; i < scout->target_count; i++) {
        struct target *other = scout->targets[i];
        if (strcmp(other->memory_path.path, target->memory_path.path) == 0)
            other->memory.oom_kills = target->memory.oom_kills + 1;
    }
    (void)take_kill(scout);
    return END_OOM_KILLED;
}

static void on_ended(void *user, pid_t pid, int replaced)
{
    struct scout *scout = user;
    const struct target *target = target_of(scout, pid);
    ASSERT(target != NULL); /* what the loop has no room for it takes off the roster */
    struct scout_ended *ended = calloc(1, sizeof(*ended));
    ASSERT(ended != NULL);
    ended->pid = pid;
    ended->reason = replaced ? END_REPLACED : reason_of(scout, target);
    struct scout_ended **end = &scout->ended;
    while (*end != NULL)
        end = &(*end)->next;
    *end = ended;
}

/* ----- the calls ----- */

enum status scout_init(struct scout *scout, const struct scout_options *options, struct why *why)
{
    static const struct roster_events events = {.look = on_look, .ended = on_ended};
    *scout = (struct scout){.options = *options};
    enum status status = proc_fs_open("/proc", &scout->fs, why);
    if (status != STATUS_OK)
        return status;
    status = proc_fs_check(&scout->fs, why);
    if (status != STATUS_OK) {
        proc_fs_close(&scout->fs);
        return status;
    }
    note_named(scout);
    scout->oom_kills = container_machine_oom_kills(&scout->fs);
    scout->roster = roster_new(&scout->fs, &events, scout);
    return STATUS_OK;
}

void scout_done(struct scout *scout)
{
    while (scout->found != NULL) {
        struct scout_found *found = scout->found;
        scout->found = found->next;
        target_free(found->target);
        arena_done(&found->arena);
        free(found);
    }
    while (scout->ended != NULL) {
        struct scout_ended *ended = scout->ended;
        scout->ended = ended->next;
        free(ended);
    }
    roster_free(scout->roster);
    proc_fs_close(&scout->fs);
}

enum status scout_scan(struct scout *scout, struct why *why)
{
    enum status status = roster_scan(scout->roster, proc_boot_now_ms(), why);
    scout->oom_kills = container_machine_oom_kills(&scout->fs);
    return status;
}

enum status scout_census(struct scout *scout, struct target *target, int64_t cpu_ns, int *ret_more,
                         struct why *why)
{
    pid_t pid = target->python.pid;
    enum status status = census_slice(target->census, cpu_ns, &target->result, ret_more, why);
    if (*ret_more || (status != STATUS_OK && status != STATUS_PARTIAL))
        return status;
    struct container_memory memory = target->memory;
    if (container_read_memory(&target->memory_path, &memory) == STATUS_OK)
        memory.oom_kills = target->memory.oom_kills; /* ends are what is compared with it */
    struct proc_status facts = {0};
    uint64_t pss_bytes = 0;
    int is_known = proc_status(&scout->fs, pid, &facts) == STATUS_OK;
    if (is_known)
        pss_bytes = memory_facts_pss(&scout->fs, pid, facts.rss_anon_bytes);
    /* last: all of it was of this process, if it is still there */
    struct proc_stat stat;
    if (proc_stat(&scout->fs, pid, &stat) != STATUS_OK ||
        stat.start_ticks != target->python.start_ticks)
        return why_fail(why, STATUS_GONE, "process %d has ended", (int)pid);
    target->stat = stat;
    target->memory = memory;
    if (is_known) {
        target->swap_bytes = facts.swap_bytes;
        target->pss_bytes = pss_bytes;
    }
    return status;
}
