/*
 * Leaks as the database keeps them: found and closed by sweeps, judged by people.
 *
 * A finding is one (service, type) from the sweep that saw it first to the sweep that saw it no
 * more. What happens to it on the way is kept as events. A mute is a person's wish about a type of
 * a service, or about all of the service: it outlives findings and ends by itself.
 */
#ifndef COLLECTOR_STORE_FINDINGS_H
#define COLLECTOR_STORE_FINDINGS_H

#include "store.h"

enum { FINDING_WATCHES_KEPT = 32 };

enum finding_state { FINDING_OPEN, FINDING_ACKNOWLEDGED, FINDING_MUTED, FINDING_RESOLVED };

/* "open", "acknowledged", "muted", "resolved" */
const char *finding_state_name(enum finding_state state);

struct finding_row {
    int64_t service_id;
    const char *type;
    const char *severity;      /* "watch", "suspect", "confirmed" */
    const char *kind;          /* "objects", "buffer", "native", "fragmentation" */
    const char *rule;          /* which of the detector's rules, "A" ... */
    const char *version;       /* the newest in which it grows */
    const char *introduced_in; /* "" : in the oldest version known */
    double count_per_hour, bytes_per_hour, confidence;
    int64_t until_limit_ms; /* 0: no limit known */
    uint32_t instances;
    const char *companions_json; /* array of names */
    const char *evidence_json;   /* an object: what moved the verdict, see collector/detect */

    /* Read only. */
    const char *id; /* eight hexadecimal digits, for people */
    const char *service, *service_namespace, *environment;
    int64_t first_seen_ms, last_seen_ms;
    int64_t closed_ms;                    /* 0: it is open */
    const char *closed_reason, *fixed_in; /* of a closed one; fixed_in "" : unknown */
    int64_t acknowledged_ms;              /* 0: by nobody */
    const char *acknowledged_by, *note;   /* "" unless acknowledged */
    int64_t muted_ms, muted_until_ms;     /* since when, 0: it is not; until when, 0: for ever */
    const char *muted_by, *muted_because; /* "" unless muted */
    enum finding_state state;
};

/* Why a finding that is open ends now. */
struct finding_end {
    const char *type;
    const char *reason;   /* a sentence */
    const char *fixed_in; /* "" : no version can be named */
};

/* All that a detector says of a service. */
struct findings_said {
    const struct finding_row *rows;
    size_t row_count;
    const struct finding_end *ends;
    size_t end_count;
    int64_t made_ms; /* it was made anew then, and cannot know what was found before; 0: it does */
};

/*
 * Replace the open findings of a service by what is said: what was open already keeps its first
 * sight and what people said of it, the others close with the reason that `ends` has for their
 * type, or with a general one. What is more than watched and was opened before `made_ms` stays
 * open, and as sure as it was, unless its end is said. `kind`, `rule`, `version` and
 * `evidence_json` may be NULL: "objects", nothing. A change of severity becomes an event that says
 * why, in the words of the evidence. In the transaction of sweep_write_begin, so that only whose
 * claim the service is may say so.
 *
 * Growth comes and goes: of what was never more than watched, and is taken on by nobody, only the
 * newest FINDING_WATCHES_KEPT that closed are kept; and, for a day, those whose end a receiver of
 * alerts has yet to be told.
 */
enum status findings_replace(struct db *db, int64_t service_id, const struct findings_said *said,
                             int64_t now_ms, struct why *why) MUST_CHECK;

/* Close what is only watched: the service has not been seen for long. In such a transaction, too.
 */
enum status findings_end_watches(struct db *db, int64_t service_id, int64_t now_ms,
                                 struct why *why) MUST_CHECK;

/* Which findings are wanted. All zero: every open one of every service, suspect or worse. */
struct finding_filter {
    int64_t service_id;     /* 0: any */
    int is_watch_wanted;    /* those that are only watched, too */
    int64_t closed_from_ms; /* closed ones too, if they closed then or later; 0: none */
    const char *id;         /* those whose id begins so, closed and watched ones too; NULL: any */
};

/* By bytes_per_hour, largest first, closed ones last. Rows live in `arena`. `now_ms` decides which
 * mutes are over. */
enum status findings_list(struct db *db, const struct finding_filter *filter, int64_t now_ms,
                          struct arena *arena, struct finding_row **ret, size_t *ret_count,
                          struct why *why) MUST_CHECK;

struct finding_event {
    int64_t at_ms;
    const char *event;  /* "opened", "severity", "version", "acknowledged", "muted", "unmuted",
                           "alerted", "resolved" */
    const char *detail; /* what is new, in words */
    const char *actor;  /* who; "" : the collector */
};

/* Of one finding (service_id, type and first_seen_ms name it), oldest first. */
enum status finding_events(struct db *db, const struct finding_row *finding, struct arena *arena,
                           struct finding_event **ret, size_t *ret_count,
                           struct why *why) MUST_CHECK;

/* One figure of the evidence: the members of the finding's object, as texts, by name. */
struct finding_figure {
    const char *name, *value;
};

enum status finding_evidence(struct db *db, const struct finding_row *finding, struct arena *arena,
                             struct finding_figure **ret, size_t *ret_count,
                             struct why *why) MUST_CHECK;

/* ---- what people say of them ---------------------------------------------------------------- */

/* Who says so, when and why; no field is NULL. */
struct finding_word {
    const char *actor, *text;
    int64_t now_ms;
};

/* An open finding is known and being worked on; again: the newer word. NOT_FOUND: it is closed. */
enum status finding_acknowledge(struct db *db, const struct finding_row *finding,
                                const struct finding_word *word, struct why *why) MUST_CHECK;

struct mute_row {
    int64_t service_id;
    const char *service, *service_namespace, *environment; /* read only */
    const char *type;                                      /* "" : all types of the service */
    const char *actor, *reason;
    int64_t created_ms, until_ms; /* until 0: for ever */
};

/* Replaces the mute of the same service and type. */
enum status mute_put(struct db *db, const struct mute_row *mute, struct why *why) MUST_CHECK;
/* NOT_FOUND: there is none that holds. */
enum status mute_remove(struct db *db, int64_t service_id, const char *type,
                        const struct finding_word *word, struct why *why) MUST_CHECK;
/* Those that hold at `now_ms`. */
enum status mute_list(struct db *db, int64_t now_ms, struct arena *arena, struct mute_row **ret,
                      size_t *ret_count, struct why *why) MUST_CHECK;

#endif
