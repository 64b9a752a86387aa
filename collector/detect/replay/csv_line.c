#include "csv_line.h"

#include <stdint.h>
#include <string.h>

/* From behind the opening quote; returns where the next field begins, NULL if it does not end. */
static char *take_quoted(char *at, char *end, struct csv_field *ret)
{
    char *to = at;
    ret->text = at;
    for (; at < end; at++) {
        if (*at == '"' && (at + 1 == end || at[1] != '"'))
            break;
        at += *at == '"';
        *to++ = *at;
    }
    ret->size = (size_t)(to - ret->text);
    if (at >= end)
        return NULL;
    at++;
    return at == end ? at + 1 : *at == ',' ? at + 1 : NULL;
}

/* One more than `end` when this was the last field. */
static char *take_field(char *at, char *end, struct csv_field *ret)
{
    if (at < end && *at == '"')
        return take_quoted(at + 1, end, ret);
    char *comma = at < end ? memchr(at, ',', (size_t)(end - at)) : NULL;
    ret->text = at;
    ret->size = (size_t)((comma != NULL ? comma : end) - at);
    return comma != NULL ? comma + 1 : end + 1;
}

enum status csv_line_split(char *line, size_t size, const struct csv_shape *shape,
                           struct csv_field *ret, struct why *why)
{
    char *at = line;
    size_t most = shape->most - shape->before;
    if (size > 0 && line[size - 1] == '\r')
        size--;
    char *end = line + size;
    size_t fields = 0;
    while (at <= end) {
        struct csv_field field;
        at = take_field(at, end, &field);
        if (at == NULL)
            return why_fail(why, STATUS_INVALID, "a quote that is not closed, or followed by more");
        if (fields < most)
            ret[fields] = field;
        fields++;
    }
    if (fields + shape->before < shape->least || fields > most)
        return why_fail(why, STATUS_INVALID, "%zu fields, expected %zu or %zu",
                        fields + shape->before, shape->least, shape->most);
    for (; fields < most; fields++)
        ret[fields] = (struct csv_field){line, 0};
    return STATUS_OK;
}

enum status csv_number(const struct csv_field *field, const char *name, int64_t *ret,
                       struct why *why)
{
    const char *at = field->text;
    const char *end = at + field->size;
    int negative = at < end && *at == '-';
    uint64_t value = 0;
    at += negative || (at < end && *at == '+');
    const char *first = at;
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        value = value > (UINT64_MAX - 9) / 10 ? UINT64_MAX - 9 : value * 10 + (uint64_t)(*at - '0');
    int has_digits = at > first;
    if (has_digits && at < end && *at == '.')
        for (at++; at < end && *at >= '0' && *at <= '9'; at++)
            ;
    if (!has_digits || at != end)
        return why_fail(why, STATUS_INVALID, "%s is not a number: \"%.*s\"", name,
                        (int)(field->size < 40 ? field->size : 40), field->text);
    int64_t limited = value > (uint64_t)INT64_MAX ? INT64_MAX : (int64_t)value;
    *ret = negative ? -limited : limited;
    return STATUS_OK;
}
