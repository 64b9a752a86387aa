/*
 * Which processes of a large service are read. The detector keeps DETECT_LIVES_MAX lives, and takes
 * no other while they go on: of ten thousand processes most would be read for nothing.
 *
 * Pure.
 */
#ifndef COLLECTOR_DETECT_SWEEP_CHOICE_H
#define COLLECTOR_DETECT_SWEEP_CHOICE_H

#include <stddef.h>
#include <stdint.h>

struct choice {
    int64_t version; /* its number */
    int is_known;    /* the detector has it */
    int is_chosen;   /* out */
};

/*
 * Up to `max` of them all. Of more, those that are known, and of the others as many of each version
 * as of any other, the first ones first: a version that has just begun to be deployed is not
 * overlooked beside the thousands of the one before, and who is next in line stays so. About `max`,
 * but one of each version at least.
 */
void choice_make(struct choice *choices, size_t count, size_t max);

#endif
