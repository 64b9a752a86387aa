#include "diagnosis.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "attributes.h"

/* include/uapi/linux/capability.h */
#define CAP_DAC_OVERRIDE 1
#define CAP_DAC_READ_SEARCH 2
#define CAP_SYS_PTRACE 19

/* What it takes to read processes of other users, in each way of deployment. */
#define DOCKER_BOTH "--cap-add SYS_PTRACE --cap-add DAC_READ_SEARCH"
#define KUBERNETES_BOTH "capabilities: {add: [SYS_PTRACE, DAC_READ_SEARCH]}"
#define SYSTEMD_BOTH "AmbientCapabilities=CAP_SYS_PTRACE CAP_DAC_READ_SEARCH"

PRINTF(3, 4)
static void say(struct doctor_finding *finding, enum doctor_verdict verdict, const char *format,
                ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(finding->text, sizeof(finding->text), format, args);
    va_end(args);
    finding->verdict = verdict;
}

PRINTF(3, 4)
static void fill(struct doctor_finding *finding, size_t remedy, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(finding->own[remedy], sizeof(finding->own[remedy]), format, args);
    va_end(args);
}

static int has(const struct doctor_facts *facts, int capability)
{
    return (facts->capabilities >> capability & 1) != 0;
}

static int has_capability(const struct doctor_facts *facts)
{
    return has(facts, CAP_SYS_PTRACE);
}

/* The capability counts only in the user namespace of the process. */
static int has_power(const struct doctor_facts *facts)
{
    return has_capability(facts) && facts->same_user_namespace != 0;
}

static int is_same_user(const struct doctor_facts *facts)
{
    return facts->target_uid == facts->uid && facts->target_effective_uid == facts->uid;
}

/* ----- the checks ----- */

static void check_proc(const struct doctor_facts *facts, struct doctor_finding *finding)
{
    if (facts->hidepid != 1) {
        say(finding, DOCTOR_OK, "/proc shows the processes of every user");
    } else if (has_capability(facts)) {
        say(finding, DOCTOR_OK, "/proc is mounted with hidepid, which CAP_SYS_PTRACE overrides");
    } else {
        say(finding, facts->pid != 0 && facts->exists ? DOCTOR_NOTE : DOCTOR_BAD,
            "/proc is mounted with hidepid: processes of other users are invisible");
        finding->general = "mount -o remount,hidepid=0 /proc, or give the agent's group with "
                           "mount -o remount,gid=GROUP /proc";
        finding->systemd = "ProtectProc=default and ProcSubset=all in the [Service] of the unit";
    }
}

static void check_process(const struct doctor_facts *facts, struct doctor_finding *finding)
{
    if (!facts->exists) {
        say(finding, DOCTOR_BAD, "there is no process %d, or none that can be seen from here",
            (int)facts->pid);
        finding->general = "name a process as `ps` run beside the agent shows it";
        finding->docker = "docker run --pid=container:NAME, to see the processes of a container";
        finding->kubernetes = "shareProcessNamespace: true for a sidecar, hostPID: true for a "
                              "DaemonSet";
    } else {
        say(finding, DOCTOR_OK, "process %d is \"%s\", of uid %lld%s", (int)facts->pid, facts->comm,
            (long long)facts->target_uid,
            facts->same_pid_namespace == 0 ? ", in a PID namespace of its own" : "");
    }
}

static void check_user(const struct doctor_facts *facts, struct doctor_finding *finding)
{
    if (is_same_user(facts)) {
        say(finding, DOCTOR_OK, "the agent has the same uid, %lld", (long long)facts->uid);
    } else if (has_power(facts)) {
        say(finding, DOCTOR_OK,
            "another uid than the agent's, %lld, which CAP_SYS_PTRACE overrides",
            (long long)facts->uid);
    } else {
        say(finding, DOCTOR_BAD,
            "the process has uid %lld (effective %lld), the agent %lld and no CAP_SYS_PTRACE",
            (long long)facts->target_uid, (long long)facts->target_effective_uid,
            (long long)facts->uid);
        finding->general =
            "run the agent as the same user, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH";
        fill(finding, 0, "docker run --user %lld, or " DOCKER_BOTH, (long long)facts->target_uid);
        fill(finding, 1, "securityContext: {runAsUser: %lld}, or for a DaemonSet " KUBERNETES_BOTH,
             (long long)facts->target_uid);
        fill(finding, 2, "User=%lld, or " SYSTEMD_BOTH, (long long)facts->target_uid);
        finding->docker = finding->own[0];
        finding->kubernetes = finding->own[1];
        finding->systemd = finding->own[2];
    }
}

static void check_dumpable(const struct doctor_facts *facts, struct doctor_finding *finding)
{
    if (facts->dumpable != 0) {
        say(finding, facts->dumpable == 1 ? DOCTOR_OK : DOCTOR_NOTE,
            facts->dumpable == 1 ? "the process is dumpable"
                                 : "whether the process is dumpable cannot be told from here");
    } else if (has_power(facts)) {
        say(finding, DOCTOR_OK, "the process is not dumpable, which CAP_SYS_PTRACE overrides");
    } else {
        say(finding, DOCTOR_BAD,
            "the process is not dumpable: it changed its user, or asked for it with prctl()");
        finding->general = "give the agent CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, or start the "
                           "process as its final user";
        finding->docker = DOCKER_BOTH ", or --user on the process's container instead of a change "
                                      "of user within it";
        finding->kubernetes = KUBERNETES_BOTH ", or runAsUser on the process's container instead "
                                              "of a change of user within it";
        finding->systemd = SYSTEMD_BOTH ", or User= in the process's unit";
    }
}

/* Some files of a process may only be opened by their owner, which is its user, and root if it is
 * not dumpable: a capability over memory is none over files. */
static int may_open_files(const struct doctor_facts *facts)
{
    int is_owner = facts->dumpable == 1 ? is_same_user(facts) : facts->uid == 0;
    return is_owner || has(facts, CAP_DAC_READ_SEARCH) || has(facts, CAP_DAC_OVERRIDE);
}

static void check_files(const struct doctor_facts *facts, struct doctor_finding *finding)
{
    if (may_open_files(facts)) {
        say(finding, DOCTOR_OK, "its files in /proc can be opened");
    } else if (!has_power(facts)) {
        say(finding, DOCTOR_NOTE, "its files in /proc belong to another user than the agent's");
    } else {
        say(finding, DOCTOR_BAD,
            "the agent has CAP_SYS_PTRACE, but the files of the process in /proc belong to another "
            "user");
        finding->general = "give the agent CAP_DAC_READ_SEARCH beside CAP_SYS_PTRACE";
        finding->docker = DOCKER_BOTH;
        finding->kubernetes = KUBERNETES_BOTH;
        finding->systemd = SYSTEMD_BOTH;
    }
}

static void check_yama(const struct doctor_facts *facts, struct doctor_finding *finding)
{
    int scope = facts->yama_scope;
    if (scope <= 0) {
        say(finding, DOCTOR_OK, scope < 0 ? "there is no Yama" : "Yama's ptrace_scope is 0");
    } else if (scope < 3 && has_power(facts)) {
        say(finding, DOCTOR_OK, "Yama's ptrace_scope is %d, which CAP_SYS_PTRACE overrides", scope);
    } else if (scope == 1 && facts->pid != 0 && facts->descends_from_us == 1) {
        say(finding, DOCTOR_OK,
            "Yama's ptrace_scope is 1, and the process descends from the agent");
    } else if (facts->pid == 0 && scope < 3) {
        say(finding, DOCTOR_NOTE,
            "Yama's ptrace_scope is %d: %s can be counted, and others with CAP_SYS_PTRACE", scope,
            scope == 1 ? "what `heapfleet-agent run` starts" : "nothing");
    } else {
        say(finding, DOCTOR_BAD, "Yama's ptrace_scope is %d: %s", scope,
            scope == 1   ? "only a descendant's memory may be read without CAP_SYS_PTRACE"
            : scope == 2 ? "nobody's memory may be read without CAP_SYS_PTRACE"
                         : "nobody's memory may be read");
        finding->general = scope == 3 ? "boot the machine with kernel.yama.ptrace_scope below 3; "
                                        "it cannot be lowered while running"
                                      : "start the process with heapfleet-agent run -- CMD, or "
                                        "sysctl kernel.yama.ptrace_scope=0 on the node";
        finding->docker = scope == 3 ? NULL : "--cap-add SYS_PTRACE";
        finding->kubernetes = scope == 3 ? NULL : "capabilities: {add: [SYS_PTRACE]}";
        finding->systemd = scope == 3 ? NULL : "AmbientCapabilities=CAP_SYS_PTRACE";
    }
}

static void check_capability(const struct doctor_facts *facts, struct doctor_finding *finding)
{
    if (!has_capability(facts)) {
        say(finding, DOCTOR_NOTE,
            "the agent has no CAP_SYS_PTRACE; processes of its own uid do not need it");
    } else if (facts->pid != 0 && facts->same_user_namespace == 0) {
        say(finding, is_same_user(facts) ? DOCTOR_NOTE : DOCTOR_BAD,
            "the agent has CAP_SYS_PTRACE, but the process is in another user namespace, where it "
            "does not count");
        finding->general = "run the agent in the process's user namespace, or in its parent";
        finding->docker = "--userns=host for the agent's container";
        finding->kubernetes = "hostUsers: true for the agent's pod";
        finding->systemd = "PrivateUsers=no";
    } else {
        say(finding, DOCTOR_OK, "the agent has CAP_SYS_PTRACE");
    }
}

static void check_seccomp(const struct doctor_facts *facts, struct doctor_finding *finding)
{
    if (facts->self_read_error == 0) {
        say(finding, DOCTOR_OK, "process_vm_readv works: no seccomp filter is in the way");
        return;
    }
    say(finding, DOCTOR_BAD, "process_vm_readv fails even on the agent itself: %s: %s",
        strerror(facts->self_read_error),
        facts->self_read_error == ENOSYS ? "the kernel was built without it, or a seccomp filter "
                                           "hides it"
                                         : "a seccomp filter forbids it");
    finding->general = "allow the system call process_vm_readv";
    finding->docker =
        "a current Docker on Linux 4.8 or later allows it by default; older ones with "
        "--cap-add SYS_PTRACE or a --security-opt seccomp=FILE that lists it";
    finding->kubernetes =
        "securityContext: {seccompProfile: {type: Localhost, localhostProfile: "
        "FILE}} with a profile that lists it, or capabilities: {add: [SYS_PTRACE]}";
    finding->systemd = "SystemCallFilter=@system-service, which contains it (group @ipc)";
}

static int something_is_bad(const struct doctor_finding *findings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (findings[i].verdict == DOCTOR_BAD)
            return 1;
    }
    return 0;
}

/* The last suspect: asked for only when the attempt was denied and nothing else explains it. */
static void check_modules(const struct doctor_facts *facts, struct doctor_finding *finding)
{
    if (facts->find_status != STATUS_DENIED && facts->new_status != STATUS_DENIED) {
        say(finding, DOCTOR_OK, "no security module objects");
        return;
    }
    int has_labels = facts->label[0] != '\0' || facts->target_label[0] != '\0';
    say(finding, DOCTOR_BAD,
        "reading is denied though user, Yama and seccomp allow it: a security module "
        "objects%s%s%s%s%s",
        has_labels ? " (the agent is \"" : "", has_labels ? facts->label : "",
        has_labels ? "\", the process \"" : "", has_labels ? facts->target_label : "",
        has_labels ? "\")" : "");
    finding->general = "let the security policy (AppArmor, SELinux) grant the agent ptrace read";
    finding->docker =
        "the same --security-opt apparmor=PROFILE for both, or apparmor=unconfined for "
        "the agent; with SELinux --security-opt label=disable";
    finding->kubernetes =
        "securityContext: {appArmorProfile: {type: Unconfined}} for the agent, or "
        "the same profile and seLinuxOptions as the process";
    finding->systemd = "AppArmorProfile=PROFILE or SELinuxContext=CONTEXT as the process has it";
}

static void check_python(const struct doctor_facts *facts, struct doctor_finding *finding)
{
    if (facts->find_status == STATUS_OK && facts->new_status == STATUS_OK) {
        say(finding, DOCTOR_OK, "CPython %s, whose layout is known", facts->python);
    } else if (facts->find_status == STATUS_DENIED || facts->new_status == STATUS_DENIED) {
        say(finding, DOCTOR_NOTE, "what it runs cannot be told before its memory can be read");
    } else {
        say(finding, DOCTOR_BAD, "%s", facts->why.text);
        finding->general = facts->find_status == STATUS_OK
                               ? "run the service on the default build of a CPython that the "
                                 "agent knows; a newer agent may know more"
                               : "name a process that runs CPython";
    }
}

static void check_census(const struct doctor_facts *facts, struct doctor_finding *finding)
{
    if (facts->new_status != STATUS_OK || facts->find_status != STATUS_OK)
        say(finding, DOCTOR_NOTE, "not tried");
    else if (facts->run_status == STATUS_OK || facts->run_status == STATUS_PARTIAL)
        say(finding, DOCTOR_OK, "counted %llu objects in %lld ms%s",
            (unsigned long long)facts->objects, (long long)(facts->elapsed_ns / 1000000),
            facts->run_status == STATUS_PARTIAL ? ", some of its memory could not be read" : "");
    else
        say(finding, DOCTOR_BAD, "%s", facts->why.text);
}

/* ----- the whole ----- */

enum need {
    MACHINE,    /* says something of the machine and the agent alone */
    NAMED,      /* wants a process to have been named */
    EXISTS,     /* and to exist */
    UNHINDERED, /* and nothing bad before: what follows from that is not worth a line */
};

static const struct check {
    const char *name;
    enum need need;
    void (*run)(const struct doctor_facts *facts, struct doctor_finding *finding);
} checks[] = {
    {"proc", MACHINE, check_proc},         {"process", NAMED, check_process},
    {"user", EXISTS, check_user},          {"dumpable", EXISTS, check_dumpable},
    {"yama", MACHINE, check_yama},         {"capability", MACHINE, check_capability},
    {"files", EXISTS, check_files},        {"seccomp", MACHINE, check_seccomp},
    {"module", UNHINDERED, check_modules}, {"python", UNHINDERED, check_python},
    {"census", UNHINDERED, check_census},
};

static int applies(const struct check *check, const struct doctor_facts *facts,
                   const struct doctor_finding *before, size_t count)
{
    int exists = facts->pid != 0 && facts->exists;
    return check->need == MACHINE || (check->need == NAMED && facts->pid != 0) ||
           (check->need == EXISTS && exists) ||
           (check->need == UNHINDERED && exists && !something_is_bad(before, count));
}

size_t doctor_diagnose(const struct doctor_facts *facts, struct doctor_finding *ret)
{
    _Static_assert(ARRAY_SIZE(checks) <= DOCTOR_FINDINGS_MAX, "room for every finding");
    int could_read = facts->pid != 0 && facts->exists && facts->find_status == STATUS_OK;
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
        if (!applies(&checks[i], facts, ret, count))
            continue;
        struct doctor_finding *finding = &ret[count++];
        *finding = (struct doctor_finding){.check = checks[i].name};
        checks[i].run(facts, finding);
        /* The rules are the kernel's and the attempt is the proof: it wins over our reading. */
        if (could_read && checks[i].need != UNHINDERED && finding->verdict == DOCTOR_BAD)
            finding->verdict = DOCTOR_NOTE;
    }
    return count;
}

void doctor_judge_process(const struct doctor_facts *facts, struct doctor_finding *ret)
{
    *ret = (struct doctor_finding){.check = "survey"};
    if (facts->find_status == STATUS_OK && facts->new_status == STATUS_OK) {
        say(ret, DOCTOR_OK, "process %d, \"%s\": CPython %s can be counted", (int)facts->pid,
            facts->comm, facts->python);
    } else {
        say(ret, DOCTOR_BAD, "process %d, \"%s\": %s", (int)facts->pid, facts->comm,
            facts->why.text);
        fill(ret, 0, "heapfleet-agent doctor %d says what is in the way", (int)facts->pid);
        ret->general = ret->own[0];
    }
}

static int some_can_be_counted(const struct doctor_finding *findings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (findings[i].verdict == DOCTOR_OK && strcmp(findings[i].check, "survey") == 0)
            return 1;
    }
    return 0;
}

enum status doctor_outcome(const struct doctor_facts *facts, const struct doctor_finding *findings,
                           size_t count)
{
    if (!something_is_bad(findings, count))
        return STATUS_OK;
    if (facts->pid == 0 && some_can_be_counted(findings, count))
        return STATUS_PARTIAL;
    if (facts->pid != 0 && !facts->exists)
        return STATUS_NOT_FOUND;
    const enum status attempts[] = {facts->find_status, facts->new_status, facts->run_status};
    for (size_t i = 0; i < ARRAY_SIZE(attempts) && facts->pid != 0; i++) {
        if (attempts[i] != STATUS_OK && attempts[i] != STATUS_PARTIAL)
            return attempts[i];
    }
    return STATUS_DENIED;
}
