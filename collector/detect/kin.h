/*
 * Two straight lines always go together, so that of two types which grow in the same lives nothing
 * says that they are one leak. What other lives held may say that they are two: where the one grew
 * there, and the other did not, or by quite another number for each.
 *
 * Pure; not thread-safe.
 */
#ifndef COLLECTOR_DETECT_KIN_H
#define COLLECTOR_DETECT_KIN_H

#include "detector_state.h"

/* A type as a leak of some kind shows it. */
struct kin_side {
    uint32_t type;
    enum life_value value;
};

/*
 * 1 if `other`, which grows in the lives of `look`, is no part of a leak of `root`: lives of
 * another version, or those of the same that are not among `look`'s, had the growth of one of them
 * without the other's share of it. Lives much younger than the judged stretch say nothing, nor does
 * a warm-up; 0 where nobody knows.
 */
int kin_is_apart(const struct detector *detector, struct kin_side root, struct kin_side other,
                 const struct judge_look *look);

/*
 * 1 if in these lives the one goes by the clock and the other by the work done, as a timer and
 * requests do. 0 where the load is not known or too even to tell.
 */
int kin_differs_in_axis(const struct detector *detector, struct kin_side root,
                        struct kin_side other, const struct judge_look *look);

#endif
