/*
 * Why can a process not be counted, and what is the remedy? Facts in, findings out: pure, so that
 * every case can be tested without the machine that shows it.
 *
 * The kernel lets us read another process's memory when (ptrace(2), "access mode checking")
 *   - all user ids of the process are ours and it is dumpable, or we have CAP_SYS_PTRACE in its
 * user namespace, and then
 *   - Yama agrees: scope 0; 1 and it descends from us; up to 2 and we have that capability, and
 * then
 *   - no other security module objects,
 * and its files in /proc only when we are their owner or have CAP_DAC_READ_SEARCH,
 * and when a seccomp filter does not keep the call itself from us.
 */
#ifndef AGENT_DOCTOR_DIAGNOSIS_H
#define AGENT_DOCTOR_DIAGNOSIS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "status.h"
#include "why.h"

enum {
    DOCTOR_LABEL_BYTES = 128,
    DOCTOR_FINDINGS_MAX = 12,
    DOCTOR_TEXT_BYTES = 400,
    DOCTOR_REMEDY_BYTES = 160,
};

/* What can be known beforehand. -1 in an int: cannot tell. */
struct doctor_facts {
    /* of us */
    int64_t uid;
    uint64_t capabilities;
    int self_read_error;            /* errno of process_vm_readv on ourselves; 0: it works */
    int yama_scope;                 /* -1: there is no Yama */
    int hidepid;                    /* of /proc: processes of others are invisible */
    char label[DOCTOR_LABEL_BYTES]; /* of AppArmor, SELinux; "" */

    /* of the process; pid 0: none was named, and the rest is not set */
    pid_t pid;
    int exists;
    char comm[64];
    int64_t target_uid, target_effective_uid;
    int dumpable;
    int same_user_namespace;
    int same_pid_namespace;
    int descends_from_us;
    char target_label[DOCTOR_LABEL_BYTES];

    /* of the attempt */
    enum status find_status; /* python_process_find */
    enum status new_status;  /* census_new */
    enum status run_status;  /* census_run */
    char python[32];
    uint64_t objects;
    int64_t elapsed_ns;
    struct why why; /* of the first that failed */
};

enum doctor_verdict {
    DOCTOR_OK,
    DOCTOR_NOTE, /* not needed here, or cannot be told */
    DOCTOR_BAD,
};

/* Stays where it was made: the remedies may point into `own`. */
struct doctor_finding {
    const char *check; /* "user", "yama" ... */
    enum doctor_verdict verdict;
    char text[DOCTOR_TEXT_BYTES];
    /* The remedy, when BAD; NULL: there is none for that way of deployment. */
    const char *general, *docker, *kubernetes, *systemd;
    char own[3][DOCTOR_REMEDY_BYTES];
};

/* All findings, in the order in which to mend them; returns how many. `ret` holds
 * DOCTOR_FINDINGS_MAX. */
size_t doctor_diagnose(const struct doctor_facts *facts, struct doctor_finding *ret);

/* One line for a process that was tried (facts of the attempt, pid and comm), for a survey of all.
 */
void doctor_judge_process(const struct doctor_facts *facts, struct doctor_finding *ret);

/* What the command ends with: OK, NOT_FOUND, DENIED, UNSUPPORTED, or what the attempt gave. Of a
 * survey PARTIAL, when some can be counted and some cannot. */
enum status doctor_outcome(const struct doctor_facts *facts, const struct doctor_finding *findings,
                           size_t count);

#endif
