#include "facts.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "attributes.h"
#include "census.h"
#include "proc.h"
#include "python_process.h"

enum { MOUNTS_BYTES = 64 * 1024 };

static int read_self(void)
{
    int from = 1;
    int to = 0;
    struct iovec local = {&to, sizeof(to)};
    struct iovec remote = {&from, sizeof(from)};
    return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == sizeof(to) ? 0 : errno;
}

static int read_yama(const struct proc_fs *fs)
{
    char text[8];
    size_t size = 0;
    if (proc_read(fs, 0, "sys/kernel/yama/ptrace_scope", text, sizeof(text), &size) != STATUS_OK ||
        size == 0 || text[0] < '0' || text[0] > '3')
        return -1;
    return text[0] - '0';
}

/* Is the /proc that we see mounted with hidepid? From the options of its line in mountinfo. */
static int read_hidepid(const struct proc_fs *fs)
{
    char *text = malloc(MOUNTS_BYTES + 1);
    ASSERT(text != NULL);
    size_t size = 0;
    enum status status = proc_read(fs, getpid(), "mountinfo", text, MOUNTS_BYTES, &size);
    int hidden = status == STATUS_OK ? 0 : -1;
    text[status == STATUS_OK ? size : 0] = '\0';
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        if (strstr(line, " /proc ") == NULL || strstr(line, " - proc ") == NULL)
            continue;
        const char *option = strstr(line, "hidepid=");
        hidden = option != NULL && strncmp(option, "hidepid=0", 9) != 0 &&
                 strncmp(option, "hidepid=off", 11) != 0;
    }
    free(text);
    return hidden;
}

static void read_label(const struct proc_fs *fs, pid_t pid, char ret[DOCTOR_LABEL_BYTES])
{
    size_t size = 0;
    if (proc_read(fs, pid, "attr/current", ret, DOCTOR_LABEL_BYTES - 1, &size) != STATUS_OK)
        size = 0;
    ret[size] = '\0';
    ret[strcspn(ret, "\n")] = '\0';
}

/* 1 or 0; -1 when the process's cannot be seen. */
static int same_namespace(const struct proc_fs *fs, pid_t pid, const char *name)
{
    char ours[64], theirs[64];
    if (proc_read_link(fs, getpid(), name, ours, sizeof(ours)) != STATUS_OK ||
        proc_read_link(fs, pid, name, theirs, sizeof(theirs)) != STATUS_OK)
        return -1;
    return strcmp(ours, theirs) == 0;
}

/* Are we in a user namespace of our own? The first one maps every id to itself. */
static int in_own_user_namespace(const struct proc_fs *fs)
{
    char text[128];
    unsigned inside = 1, outside = 1, count = 0;
    size_t size = 0;
    if (proc_read(fs, getpid(), "uid_map", text, sizeof(text) - 1, &size) != STATUS_OK)
        return 0;
    text[size] = '\0';
    int found = sscanf(text, "%u %u %u", &inside, &outside, &count); /* NOLINT(cert-err34-c) */
    return found != 3 || inside != 0 || outside != 0 || count != UINT32_MAX;
}

/* What hides its namespace from a capability is that the capability does not count there. */
static int same_user_namespace(const struct proc_fs *fs, pid_t pid)
{
    int same = same_namespace(fs, pid, "ns/user");
    return same < 0 && in_own_user_namespace(fs) ? 0 : same;
}

/* The files of a process that is not dumpable belong to root: that shows unless it is root's. */
static int read_dumpable(const struct proc_fs *fs, pid_t pid, int64_t uid)
{
    char path[32];
    struct stat of_file;
    snprintf(path, sizeof(path), "%d/stat", (int)pid);
    if (uid == 0 || fstatat(fs->fd, path, &of_file, 0) != 0)
        return -1;
    return of_file.st_uid == (uid_t)uid;
}

static void gather_process(const struct proc_fs *fs, struct doctor_facts *facts)
{
    struct proc_stat stat;
    struct proc_status status;
    if (proc_stat(fs, facts->pid, &stat) != STATUS_OK ||
        proc_status(fs, facts->pid, &status) != STATUS_OK)
        return;
    facts->exists = 1;
    snprintf(facts->comm, sizeof(facts->comm), "%s", stat.comm);
    facts->target_uid = status.uid;
    facts->target_effective_uid = status.effective_uid;
    facts->dumpable = read_dumpable(fs, facts->pid, status.effective_uid);
    facts->same_user_namespace = same_user_namespace(fs, facts->pid);
    facts->same_pid_namespace = same_namespace(fs, facts->pid, "ns/pid");
    facts->descends_from_us = proc_descends(fs, facts->pid, getpid());
    read_label(fs, facts->pid, facts->target_label);
}

/* The census made ready, or NULL; the caller frees it. */
static struct census *try_to_open(struct doctor_facts *facts)
{
    struct python_process process;
    struct census *census = NULL;
    facts->find_status = python_process_find(facts->pid, &process, &facts->why);
    if (facts->find_status != STATUS_OK)
        return NULL;
    snprintf(facts->python, sizeof(facts->python), "%s", process.version);
    facts->new_status = census_new(&process, &census, &facts->why);
    return facts->new_status == STATUS_OK ? census : NULL;
}

static void try_census(struct doctor_facts *facts)
{
    struct census_result result = {0};
    struct census *census = try_to_open(facts);
    if (census == NULL)
        return;
    facts->run_status = census_run(census, &result, &facts->why);
    facts->objects = result.objects;
    facts->elapsed_ns = result.elapsed_ns;
    census_result_done(&result);
    census_free(census);
}

enum status doctor_gather(pid_t pid, struct doctor_facts *ret, struct why *why)
{
    struct proc_fs fs;
    enum status status = proc_fs_open("/proc", &fs, why);
    if (status != STATUS_OK)
        return status;
    struct proc_status self;
    status = proc_fs_check(&fs, why);
    if (status == STATUS_OK && proc_status(&fs, getpid(), &self) != STATUS_OK)
        status = why_fail(why, STATUS_FAILED, "cannot read our own /proc/PID/status");
    if (status != STATUS_OK) {
        proc_fs_close(&fs);
        return status;
    }
    *ret = (struct doctor_facts){
        .uid = self.effective_uid,
        .capabilities = self.capabilities,
        .self_read_error = read_self(),
        .yama_scope = read_yama(&fs),
        .hidepid = read_hidepid(&fs),
        .pid = pid,
        .same_user_namespace = -1,
        .same_pid_namespace = -1,
    };
    read_label(&fs, getpid(), ret->label);
    if (pid != 0) {
        gather_process(&fs, ret);
        if (ret->exists)
            try_census(ret);
    }
    proc_fs_close(&fs);
    return STATUS_OK;
}

/* ----- all processes ----- */

struct survey {
    struct proc_fs fs;
    struct doctor_finding *findings;
    size_t count, most;
};

static int survey_one(void *user, pid_t pid)
{
    struct survey *survey = user;
    struct doctor_facts facts = {.pid = pid};
    struct proc_stat stat;
    if (pid == getpid() || proc_stat(&survey->fs, pid, &stat) != STATUS_OK)
        return 0;
    census_free(try_to_open(&facts));
    int is_python = facts.find_status == STATUS_OK;
    int seems_python = facts.find_status == STATUS_DENIED && strstr(stat.comm, "python") != NULL;
    if (is_python || seems_python) {
        snprintf(facts.comm, sizeof(facts.comm), "%s", stat.comm);
        doctor_judge_process(&facts, &survey->findings[survey->count++]);
    }
    return survey->count == survey->most;
}

size_t doctor_survey(struct doctor_finding *ret, size_t most)
{
    struct survey survey = {.findings = ret, .most = most};
    if (most == 0 || proc_fs_open("/proc", &survey.fs, NULL) != STATUS_OK)
        return 0;
    enum status status = proc_list(&survey.fs, survey_one, &survey);
    proc_fs_close(&survey.fs);
    return status == STATUS_OK ? survey.count : 0;
}
