#include "parse.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum status parse_u64(const char *text, uint64_t least, uint64_t most, uint64_t *ret)
{
    uint64_t value = 0;
    if (*text == '\0')
        return STATUS_INVALID;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return STATUS_INVALID;
        uint64_t digit = (uint64_t)(*text - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return STATUS_INVALID;
        value = value * 10 + digit;
    }
    if (value < least || value > most)
        return STATUS_INVALID;
    *ret = value;
    return STATUS_OK;
}

struct unit {
    const char *name;
    double factor;
};

/* "1.5m": digits with at most one point, then one of the units. */
static enum status parse_with_unit(const char *text, const struct unit *units, size_t count,
                                   double *ret)
{
    size_t number = strspn(text, "0123456789.");
    if (number == 0 || number > 20 || text[0] == '.')
        return STATUS_INVALID;
    char *end = NULL;
    double value = strtod(text, &end);
    if (end != text + number || !isfinite(value))
        return STATUS_INVALID;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(end, units[i].name) == 0) {
            *ret = value * units[i].factor;
            return STATUS_OK;
        }
    }
    return STATUS_INVALID;
}

enum status parse_duration_ms(const char *text, int64_t *ret)
{
    static const struct unit units[] = {
        {"", 1e3}, {"ms", 1}, {"s", 1e3}, {"m", 6e4}, {"min", 6e4}, {"h", 3.6e6}, {"d", 8.64e7},
    };
    double value = 0;
    enum status status = parse_with_unit(text, units, ARRAY_SIZE(units), &value);
    if (status != STATUS_OK)
        return status;
    if (value > 3.15576e12)
        return STATUS_INVALID;
    *ret = (int64_t)llround(value);
    return STATUS_OK;
}

enum status parse_bytes(const char *text, uint64_t *ret)
{
    const double k = 1024;
    const struct unit units[] = {
        {"", 1},        {"B", 1},         {"k", k},          {"K", k},
        {"KB", k},      {"KiB", k},       {"M", k * k},      {"MB", k * k},
        {"MiB", k * k}, {"G", k * k * k}, {"GB", k * k * k}, {"GiB", k * k * k},
    };
    double value = 0;
    enum status status = parse_with_unit(text, units, ARRAY_SIZE(units), &value);
    if (status != STATUS_OK)
        return status;
    if (value > 9e15)
        return STATUS_INVALID;
    *ret = (uint64_t)value;
    return STATUS_OK;
}
