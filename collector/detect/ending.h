/*
 * How a leak that was told ends: a later version has it no more, or several in a row that live too
 * briefly to tell alone; or the lives of its own version have stopped growing, for longer than they
 * rest.
 */
#ifndef COLLECTOR_DETECT_ENDING_H
#define COLLECTOR_DETECT_ENDING_H

#include "detector_state.h"

enum ending_kind {
    ENDING_NONE,
    ENDING_FIXED,
    ENDING_STOPPED,
};

/* As it looks in this pass. `*ret_version`: the first in which it is fixed, or the one in which it
 * has stopped. */
enum ending_kind ending_of(const struct detector *detector, const struct finding *finding,
                           const struct judge_group *groups, uint32_t group_count,
                           uint32_t *ret_version);

#endif
