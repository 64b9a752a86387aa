/* "did you mean": which of the names that exist a mistyped word was meant to be. */
#ifndef COMMON_SUGGEST_H
#define COMMON_SUGGEST_H

enum { SUGGEST_FAR = 99 };

/*
 * How far `word` is from `name`: letters to insert, remove, replace or swap with their neighbour;
 * SUGGEST_FAR when it is no near miss (more than a third of the letters), so that a suggestion is
 * never a surprise. The start of a name is near to it.
 */
int suggest_distance(const char *word, const char *name);

#endif
