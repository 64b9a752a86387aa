#include "choice.h"

#include <stdlib.h>

#include "attributes.h"

/* Newcomers of one version. */
struct line {
    int64_t version;
    size_t taken;
};

static int compare_lines(const void *left, const void *right)
{
    int64_t a = ((const struct line *)left)->version;
    int64_t b = ((const struct line *)right)->version;
    return (a > b) - (a < b);
}

/* One line a version, ascending; [count] have room. */
static size_t make_lines(const struct choice *choices, size_t count, struct line *ret)
{
    size_t lines = 0;
    for (size_t i = 0; i < count; i++)
        if (!choices[i].is_known)
            ret[lines++] = (struct line){choices[i].version, 0};
    if (lines > 1)
        qsort(ret, lines, sizeof(*ret), compare_lines);
    size_t kept = 0;
    for (size_t i = 0; i < lines; i++)
        if (kept == 0 || ret[kept - 1].version != ret[i].version)
            ret[kept++] = ret[i];
    return kept;
}

void choice_make(struct choice *choices, size_t count, size_t max)
{
    size_t known = 0;
    for (size_t i = 0; i < count; i++) {
        choices[i].is_chosen = count <= max || choices[i].is_known;
        known += choices[i].is_known != 0;
    }
    if (count <= max || known == count)
        return;
    struct line *lines = calloc(count, sizeof(*lines));
    ASSERT(lines != NULL);
    size_t line_count = make_lines(choices, count, lines);
    size_t quota = known < max ? (max - known) / line_count : 0;
    quota = quota > 0 ? quota : 1;
    for (size_t i = 0; i < count; i++) {
        if (choices[i].is_known)
            continue;
        const struct line key = {choices[i].version, 0};
        struct line *line = bsearch(&key, lines, line_count, sizeof(*lines), compare_lines);
        ASSERT(line != NULL);
        choices[i].is_chosen = line->taken < quota;
        line->taken += choices[i].is_chosen != 0;
    }
    free(lines);
}
