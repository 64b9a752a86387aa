#include "suggest.h"

#include <string.h>

enum { LETTERS_MAX = 48, START_LETTERS_MIN = 3 };

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Damerau and Levenshtein's distance, three rows of the table at a time. */
static int edits(const char *word, int word_size, const char *name, int name_size)
{
    int rows[3][LETTERS_MAX + 1];
    for (int k = 0; k <= name_size; k++)
        rows[0][k] = k;
    for (int i = 1; i <= word_size; i++) {
        int *row = rows[i % 3];
        const int *above = rows[(i - 1) % 3];
        const int *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (int k = 1; k <= name_size; k++) {
            int replace = above[k - 1] + (word[i - 1] != name[k - 1]);
            row[k] = least(replace, least(above[k], row[k - 1]) + 1);
            if (i > 1 && k > 1 && word[i - 1] == name[k - 2] && word[i - 2] == name[k - 1])
                row[k] = least(row[k], two_above[k - 2] + 1);
        }
    }
    return rows[word_size % 3][name_size];
}

int suggest_distance(const char *word, const char *name)
{
    size_t word_size = strlen(word);
    size_t name_size = strlen(name);
    if (word_size == 0 || word_size > LETTERS_MAX || name_size > LETTERS_MAX)
        return SUGGEST_FAR;
    int distance = edits(word, (int)word_size, name, (int)name_size);
    int longest = (int)(word_size > name_size ? word_size : name_size);
    if (distance <= (longest + 2) / 3 && distance < longest)
        return distance;
    if (word_size >= START_LETTERS_MIN && strncmp(word, name, word_size) == 0)
        return longest;
    return SUGGEST_FAR;
}
