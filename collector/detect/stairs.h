/*
 * What is in a buffer that is appended to, read off the memory that it takes.
 *
 * CPython's lists, bytearrays and BytesIO ask for an eighth more than they need when they are full,
 * StringIO for a quarter, dicts and sets for twice as much. So a content that grows in a straight
 * line is a staircase in memory, whose steps get higher and wider by the same factor:
 *
 *     memory               +--------      When it steps up, the buffer was full: what was in it
 *                    +-----|              then is what it took before. In between, the content
 *                +---|  . content         takes the line.
 *             +--| .
 *
 * Pure.
 */
#ifndef COLLECTOR_DETECT_STAIRS_H
#define COLLECTOR_DETECT_STAIRS_H

#include "life.h"

/*
 * As life_trace of the bytes, with no load taken out, of the content. 0 if they are no such
 * staircase: they are one if they stand still or go up in steps alone, at least four, that get
 * higher as a buffer's do. Imports, files and caches that are replaced do not. Steps are sought in
 * half of the `settled` bins, too.
 *
 * Before the first step the content is taken back along the line, but not below what the room must
 * have been. Behind the last it goes on, and slows down, as it did before, until the buffer is
 * full: from then on it is known to have stopped. Of few steps the last is most of the growth: if
 * that was slower than what went before, or is long ago, nothing is taken to have come since.
 *
 * One step far higher than those beside it is something else that came at once: what was before is
 * lifted by it.
 */
int stairs_trace(const struct life *life, uint32_t type, double settled, struct life_curve *ret);

/*
 * 1 if the two newest steps of its bytes are a buffer's and the next is not overdue: that it
 * stands still says nothing yet.
 */
int stairs_wait(const struct life *life, uint32_t type);

#endif
