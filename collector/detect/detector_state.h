/* The inside of a detector, for the files that feed, judge, report and save it. */
#ifndef COLLECTOR_DETECT_DETECTOR_STATE_H
#define COLLECTOR_DETECT_DETECTOR_STATE_H

#include "attribute.h"
#include "detector.h"
#include "judge.h"
#include "name_table.h"

enum {
    VERSION_NAME_BYTES = 256, /* longer ones are cut */
    FINDINGS_MAX = 128,
    CANDIDATES_MAX = 64,
    VERDICTS_MAX = FINDINGS_MAX + 2 * CANDIDATES_MAX,
    MAJOR_PASSES_PER_HORIZON = 30,
    PASSES_NEEDED = 3,
    /* Types of our own: what is not any class's. Counted in KiB. */
    TYPE_PROCESS_MEMORY = 0,
    TYPE_NATIVE_MEMORY = 1,
    TYPE_FREE_HEAP = 2,
    TYPES_OWN = 3,
};

/* What is saved is saved as it lies in memory (detector_save.c). */
NO_PADDING_BEGIN
struct version {
    char name[VERSION_NAME_BYTES];
    uint32_t order; /* of first appearance; 0: free */
    uint32_t lives;
    int64_t newest_start_ms; /* a version that came back is the current one */
};

/* How a type has fared in the passes. */
struct track {
    uint8_t confirmed_row, suspect_row; /* passes in a row */
    uint8_t urgent_row, creep_row;
    uint32_t zero;
    int64_t watch_ms, suspect_ms; /* since; 0: not */
    int64_t suspected_ms;         /* the newest pass that left a suspect of this name; 0: none */
    int64_t watched_ms;           /* said to be watched since; 0: it is not */
};

/* A leak that was confirmed, or creep, under the name it was given then. */
struct finding {
    uint32_t type;
    enum verdict_tier tier; /* confirmed (open; creep is said to be suspect) or resolved */
    enum verdict_kind kind;
    enum verdict_rule rule;
    int64_t since_ms, first_ms, resolved_ms;
    int64_t seen_ms;  /* the newest pass that saw it grow */
    uint32_t version; /* newest in which it grows */
    uint32_t clean_row;
    double count_per_hour, bytes_per_hour, confidence;
    int64_t until_limit_ms;
    double share;    /* of the lives, that grow */
    double slope;    /* a bin, of what its kind says */
    double from, to; /* bins of uptime: the stretch that was judged */
    struct verdict_evidence evidence;
    char introduced_in[VERSION_NAME_BYTES];
    int introduced_known;
    char still_in[VERSION_NAME_BYTES];
    char fixed_in[VERSION_NAME_BYTES];
    char reason[256];
    uint32_t companions[VERDICT_COMPANIONS_MAX];
    uint32_t companion_count;
};

/* A type that grows in the newest pass, or did not long ago. */
struct candidate {
    int64_t seen_ms; /* the pass that found it */
    uint32_t type;
    enum verdict_tier tier;
    enum verdict_kind kind;
    int is_folded;
    int is_told; /* a watch that has a place among those that are said */
    uint32_t version;
    int64_t until_limit_ms;
    double count_per_hour, bytes_per_hour;
    struct judge_look look;
    uint32_t companions[VERDICT_COMPANIONS_MAX];
    uint32_t companion_count, zero;
};
NO_PADDING_END

struct detector {
    struct detect_config config;
    double bin_ms;
    struct name_table types;
    struct track *tracks; /* [types.room] */
    uint32_t track_room;
    struct version versions[DETECT_VERSIONS_MAX];
    uint32_t version_order; /* given last */
    struct life lives[DETECT_LIVES_MAX];
    uint32_t life_count; /* slots in use are below */
    uint64_t series_room;
    int64_t now_ms;       /* newest snapshot */
    int64_t last_pass_ms; /* 0: none yet */
    struct finding findings[FINDINGS_MAX];
    uint32_t finding_count;
    struct candidate *candidates; /* [CANDIDATES_MAX], of the newest pass */
    uint32_t candidate_count;
    struct candidate *held; /* [CANDIDATES_MAX], of passes before; see detector_watch.c */
    uint32_t held_count;
    struct judge judge;
    struct rooms *rooms;      /* of the pass; not saved */
    struct verdict *verdicts; /* [VERDICTS_MAX]; not saved */
};

/* room.c: where room_of keeps what it has measured; free() it. */
struct rooms *rooms_new(void);

/* detector_pass.c: judge every type, at last_pass_ms; the pass before was at `before_ms`. 1 if
 * something was confirmed or resolved. */
int detector_pass(struct detector *detector, int64_t before_ms);

/* detector_pass.c: the judge sees the lives as they are now. */
void judge_prepare(struct detector *detector);

/* detector_pass.c */
void versions_in_order(struct detector *detector, struct version_order *ret);

/* detector_finding.c: what of a life says how fast something of this kind grows. */
enum life_value value_of_kind(enum verdict_kind kind);

/* Which version brought it: by its slope, or, of what creeps, by where its floors began to rise. */
void date_candidate(const struct detector *detector, const struct version_order *order,
                    const struct candidate *candidate, struct attribution *ret);

/* detector_finding.c: open findings for what is confirmed, keep the open ones true, close them. */
int findings_update(struct detector *detector, const struct version_order *order,
                    const struct judge_group *groups, uint32_t group_count, int is_major);

/* detector_watch.c: what a pass is about to replace, and, behind it, what of that is still said. */
struct watch_memory {
    struct candidate *list;
    uint32_t count;
};

/* `with_candidates`: the pass makes new ones. */
struct watch_memory watch_remember(const struct detector *detector, int with_candidates);
void watch_update(struct detector *detector, struct watch_memory *memory); /* frees it */

/* What is said of a candidate, if anything is. */
enum verdict_tier watch_tier(const struct detector *detector, const struct candidate *candidate);
int watch_is_said(const struct detector *detector, const struct candidate *candidate);

#endif
