/*
 * The roster of processes: what runs, what is under watch, and what need not be looked at again.
 *
 * A scan lists /proc and costs a look-up for each process that is known. A new one is shown to
 * `look`; what is not a CPython is remembered and only checked, ever more rarely, for having become
 * another program. Two traps are covered: a process that is seen between fork() and exec(), or
 * before the dynamic linker has mapped libpython, is looked at again until it is a few seconds old;
 * and one that may not be read is tried again with growing pauses, because permissions change.
 *
 * One thread at a time (the scan worker). Times are milliseconds since boot, proc_boot_now_ms.
 */
#ifndef AGENT_DISCOVER_ROSTER_H
#define AGENT_DISCOVER_ROSTER_H

#include <stdint.h>
#include <sys/types.h>

#include "proc.h"
#include "status.h"
#include "why.h"

enum {
    ROSTER_WATCHED_MAX = 4096, /* the protocol's limit for a stream; more wait for one to end */
    ROSTER_SETTLED_MS = 3000,  /* older than this, a process is what it is */
};

struct roster;

struct roster_look {
    struct proc_stat stat;
    int first;   /* of this program: it has not been looked at before */
    int retry;   /* after a failure that was to be asked about again */
    int settled; /* an answer UNSUPPORTED is final, until it becomes another program */
};

struct roster_events {
    /*
     * Take it under watch? OK: it is, until `ended`. UNSUPPORTED: not one of ours. NOT_FOUND: not
     * wanted, whatever it is. UNAVAILABLE: one of ours, not ready yet. Anything else: ask again
     * later.
     */
    enum status (*look)(void *user, const struct roster_look *look);
    /* The end of a process under watch; `replaced`: it goes on as another program. */
    void (*ended)(void *user, pid_t pid, int replaced);
};

struct roster *roster_new(const struct proc_fs *fs, const struct roster_events *events, void *user);
void roster_free(struct roster *roster); /* says no `ended`; NULL is fine */

/* FAILED: /proc cannot be listed. */
enum status roster_scan(struct roster *roster, int64_t now_ms, struct why *why) MUST_CHECK;

/* What `look` took under watch is not (there is no room for it): no `ended` will come, and it is
 * shown to `look` again, at the earliest after `pause_ms`. */
void roster_forget(struct roster *roster, pid_t pid, int64_t now_ms, int64_t pause_ms);

uint32_t roster_watched(const struct roster *roster);
uint32_t
roster_denied(const struct roster *roster); /* that could not be looked at in the last scan */

#endif
