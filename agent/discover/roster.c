/*
 *             look: OK                         gone, other start time, exec
 *     NEW ---------------->  WATCHED  ------------------------------------->  ended
 *      |  UNSUPPORTED, young
 *      |<-------------.
 *      |              |
 *      |  UNSUPPORTED, settled                  other start time, exec
 *      |----------------->  FOREIGN  ---------------------------------------> NEW
 *      |  DENIED, no room             pause over
 *      '----------------->  DENIED   ---------------------------------------> NEW
 *
 * The table is open addressing over pids. A scan marks what it meets with its own number and then
 * sweeps what was not met.
 */
#include "roster.h"

#include <string.h>

#include "attributes.h"

enum {
    CAPACITY_MIN = 256,
    CHECK_MS_MIN = 1000,
    CHECK_MS_MAX = 30 * 1000, /* an exec() of an old process is noticed after this at the latest */
    DENIED_MS_MIN = 5 * 1000,
    DENIED_MS_MAX = 10 * 60 * 1000,
};

enum entry_state { ENTRY_NEW, ENTRY_WATCHED, ENTRY_FOREIGN, ENTRY_DENIED };

struct entry {
    pid_t pid; /* 0: free */
    uint8_t state;
    uint8_t looked; /* `look` has seen this program */
    uint32_t met;   /* number of the last scan that met it */
    uint64_t start_ticks;
    uint64_t image;
    int64_t next_ms; /* nothing to do before */
    int64_t pause_ms;
};

struct roster {
    const struct proc_fs *fs;
    struct roster_events events;
    void *user;
    struct entry *entries;
    size_t capacity; /* a power of two */
    size_t used;
    uint32_t scan;
    uint32_t watched;
    uint32_t denied;
    int64_t now_ms;
};

/* ----- the table ----- */

static struct entry *slot_of(struct entry *entries, size_t capacity, pid_t pid)
{
    size_t i = ((size_t)pid * 0x9E3779B97F4A7C15u) >> 20 & (capacity - 1);
    while (entries[i].pid != 0 && entries[i].pid != pid)
        i = (i + 1) & (capacity - 1);
    return &entries[i];
}

static struct entry *entries_new(size_t capacity)
{
    struct entry *entries = calloc(capacity, sizeof(*entries));
    ASSERT(entries != NULL);
    return entries;
}

/* Keep the entries that the last scan met, in a table of fitting size. */
static void rebuild(struct roster *roster)
{
    size_t live = 0;
    for (size_t i = 0; i < roster->capacity; i++)
        live += roster->entries[i].pid != 0;
    size_t capacity = CAPACITY_MIN;
    while (capacity < live * 2)
        capacity *= 2;
    struct entry *entries = entries_new(capacity);
    for (size_t i = 0; i < roster->capacity; i++) {
        const struct entry *entry = &roster->entries[i];
        if (entry->pid != 0)
            *slot_of(entries, capacity, entry->pid) = *entry;
    }
    free(roster->entries);
    roster->entries = entries;
    roster->capacity = capacity;
    roster->used = live;
}

static struct entry *find_or_add(struct roster *roster, pid_t pid)
{
    struct entry *entry = slot_of(roster->entries, roster->capacity, pid);
    if (entry->pid != 0)
        return entry;
    if ((roster->used + 1) * 4 > roster->capacity * 3) {
        struct entry *entries = entries_new(roster->capacity * 2);
        for (size_t i = 0; i < roster->capacity; i++) {
            if (roster->entries[i].pid != 0)
                *slot_of(entries, roster->capacity * 2, roster->entries[i].pid) =
                    roster->entries[i];
        }
        free(roster->entries);
        roster->entries = entries;
        roster->capacity *= 2;
        entry = slot_of(roster->entries, roster->capacity, pid);
    }
    *entry = (struct entry){.pid = pid, .state = ENTRY_NEW};
    roster->used++;
    return entry;
}

/* ----- one process ----- */

static void set_state(struct roster *roster, struct entry *entry, enum entry_state state)
{
    roster->watched -= entry->state == ENTRY_WATCHED;
    roster->watched += state == ENTRY_WATCHED;
    entry->state = (uint8_t)state;
}

static int64_t clamp(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

static int64_t age_ms(const struct roster *roster, const struct entry *entry)
{
    return roster->now_ms - proc_ticks_ms(entry->start_ticks);
}

static void rest_as_foreign(struct roster *roster, struct entry *entry)
{
    set_state(roster, entry, ENTRY_FOREIGN);
    entry->next_ms = roster->now_ms + clamp(age_ms(roster, entry) / 2, CHECK_MS_MIN, CHECK_MS_MAX);
}

static void rest_as_denied(struct roster *roster, struct entry *entry)
{
    set_state(roster, entry, ENTRY_DENIED);
    entry->pause_ms = clamp(entry->pause_ms * 2, DENIED_MS_MIN, DENIED_MS_MAX);
    entry->next_ms = roster->now_ms + entry->pause_ms;
}

static void look_at(struct roster *roster, struct entry *entry, const struct proc_stat *stat)
{
    struct roster_look look = {
        .stat = *stat,
        .first = !entry->looked,
        .retry = entry->pause_ms > 0,
        .settled = age_ms(roster, entry) >= ROSTER_SETTLED_MS,
    };
    if (stat->state == 'Z' || stat->kernel_thread) {
        rest_as_foreign(roster, entry);
        return;
    }
    if (roster->watched >= ROSTER_WATCHED_MAX) {
        rest_as_denied(roster, entry);
        return;
    }
    enum status status = roster->events.look(roster->user, &look);
    entry->looked = 1;
    if (status == STATUS_OK)
        set_state(roster, entry, ENTRY_WATCHED);
    else if (status == STATUS_NOT_FOUND || (status == STATUS_UNSUPPORTED && look.settled))
        rest_as_foreign(roster, entry);
    else if (look.settled || (status != STATUS_UNSUPPORTED && status != STATUS_UNAVAILABLE))
        rest_as_denied(roster, entry);
}

/* Still the process and the program that it was? `image` is 0 while we may not see it. */
static int is_same(const struct entry *entry, const struct proc_stat *stat)
{
    return entry->start_ticks == stat->start_ticks &&
           (entry->image == stat->image || entry->image == 0 || stat->image == 0);
}

static void end_watch(struct roster *roster, struct entry *entry, int replaced)
{
    if (entry->state != ENTRY_WATCHED)
        return;
    set_state(roster, entry, ENTRY_NEW);
    roster->events.ended(roster->user, entry->pid, replaced);
}

static int meet(void *user, pid_t pid)
{
    struct roster *roster = user;
    struct entry *entry = find_or_add(roster, pid);
    entry->met = roster->scan;
    if (roster->now_ms < entry->next_ms)
        return 0;

    struct proc_stat stat;
    enum status status = proc_stat(roster->fs, pid, &stat);
    if (status == STATUS_LIMIT)
        return 0; /* of our open files: later */
    if (status != STATUS_OK || stat.pid != pid) {
        entry->met = roster->scan - 1; /* ended between the listing and now */
        return 0;
    }
    int fresh = entry->start_ticks == 0 && entry->state == ENTRY_NEW;
    if (!fresh && !is_same(entry, &stat)) {
        end_watch(roster, entry, entry->start_ticks == stat.start_ticks);
        *entry = (struct entry){.pid = pid, .state = ENTRY_NEW, .met = roster->scan};
    }
    entry->start_ticks = stat.start_ticks;
    if (stat.image != 0)
        entry->image = stat.image;

    if (entry->state == ENTRY_WATCHED && stat.state == 'Z') {
        end_watch(roster, entry, 0);
        rest_as_foreign(roster, entry);
    } else if (entry->state == ENTRY_NEW || entry->state == ENTRY_DENIED) {
        look_at(roster, entry, &stat);
    } else if (entry->state == ENTRY_FOREIGN) {
        rest_as_foreign(roster, entry);
    }
    return 0;
}

/* ----- the whole ----- */

struct roster *roster_new(const struct proc_fs *fs, const struct roster_events *events, void *user)
{
    struct roster *roster = calloc(1, sizeof(*roster));
    ASSERT(roster != NULL);
    roster->fs = fs;
    roster->events = *events;
    roster->user = user;
    roster->capacity = CAPACITY_MIN;
    roster->entries = entries_new(roster->capacity);
    return roster;
}

void roster_free(struct roster *roster)
{
    if (roster == NULL)
        return;
    free(roster->entries);
    free(roster);
}

enum status roster_scan(struct roster *roster, int64_t now_ms, struct why *why)
{
    roster->now_ms = now_ms;
    roster->scan++;
    enum status status = proc_list(roster->fs, meet, roster);
    if (status != STATUS_OK)
        return why_fail(why, status, "cannot list /proc: is it mounted and readable?");

    size_t gone = 0;
    roster->denied = 0;
    for (size_t i = 0; i < roster->capacity; i++) {
        struct entry *entry = &roster->entries[i];
        if (entry->pid != 0 && entry->met != roster->scan) {
            end_watch(roster, entry, 0);
            entry->pid = 0; /* breaks probe chains: the table is rebuilt below */
            gone++;
        }
        roster->denied += entry->pid != 0 && entry->state == ENTRY_DENIED;
    }
    if (gone > 0)
        rebuild(roster);
    return STATUS_OK;
}

void roster_forget(struct roster *roster, pid_t pid, int64_t now_ms, int64_t pause_ms)
{
    struct entry *entry = slot_of(roster->entries, roster->capacity, pid);
    if (entry->pid != pid || entry->state != ENTRY_WATCHED)
        return;
    set_state(roster, entry, ENTRY_NEW);
    entry->next_ms = now_ms + pause_ms;
}

uint32_t roster_watched(const struct roster *roster)
{
    return roster->watched;
}

uint32_t roster_denied(const struct roster *roster)
{
    return roster->denied;
}
