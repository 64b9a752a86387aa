/*
 * One leak, one finding: a leaking class drags its dicts, lists and strings along, and each of
 * them is a line of its own.
 */
#ifndef COLLECTOR_DETECT_FOLD_H
#define COLLECTOR_DETECT_FOLD_H

#include "arena.h"
#include "detect.h"
#include "judge.h"
#include "type_kind.h"

struct leak {
    struct detect_finding finding; /* only type, version and origin before fold_leaks */
    struct judge_evidence evidence;
    enum type_kind kind;
    int folded; /* explained by another */
};

/*
 * Mark leaks that only follow a more specific one (or, between equals, move exactly with it), and
 * name what grows along as companions of those that remain. A leak of dicts whose every unevenness
 * is that of a growing user class is that class's, also before the class has been confirmed itself.
 */
void fold_leaks(const struct detect_service *service, double bin_ms, struct leak *leaks,
                uint32_t count, struct arena *arena);

#endif
