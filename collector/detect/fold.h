/*
 * One leak, one finding: a leaking class drags its dicts, lists and strings along, and each of
 * them is a line of its own.
 */
#ifndef COLLECTOR_DETECT_FOLD_H
#define COLLECTOR_DETECT_FOLD_H

#include "detector_state.h"

/* Fill the candidate's rates from its growing lives. */
void fold_measure_rates(const struct detector *detector, struct candidate *candidate);

/*
 * The pieces of a class are often seen to leak before the class is: give the leak the name of the
 * most telling type that moves as it does.
 */
void fold_name(const struct detector *detector, struct candidate *candidate);

/* Is `other` a part of the leak of `root`, of that kind, or another leak beside it? */
int fold_explains(const struct detector *detector, uint32_t root, enum verdict_kind root_verdict,
                  double root_bytes_per_hour, const struct candidate *other);

/* Do other lives say that they are two leaks, or the load in these, however well they go together?
 */
int fold_is_apart(const struct detector *detector, uint32_t root, enum verdict_kind root_verdict,
                  const struct candidate *other);

/*
 * Put the most telling first, mark those that follow one before them as folded, and list them as
 * its companions.
 */
void fold_candidates(const struct detector *detector, struct candidate *candidates, uint32_t count);

/* Types that grow along without standing out themselves: a dict more among a million. */
void fold_add_quiet(const struct detector *detector, struct candidate *candidate);

/* Add to a list of companions what it lacks, while there is room. */
void fold_add_companion(uint32_t *companions, uint32_t *count, uint32_t root, uint32_t type);

#endif
