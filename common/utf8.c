#include "utf8.h"

#include "attributes.h"

/* First byte decides the length and the allowed range of the second byte (RFC 3629, section 4). */
static const struct {
    uint8_t first_low, first_high, second_low, second_high, length;
} forms[] = {
    {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
    {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
    {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
};

size_t utf8_sequence(const char *text, size_t size)
{
    const uint8_t *byte = (const uint8_t *)text;
    if (byte[0] < 0x80)
        return 1;
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        if (byte[0] < forms[i].first_low || byte[0] > forms[i].first_high)
            continue;
        if (size < forms[i].length || byte[1] < forms[i].second_low ||
            byte[1] > forms[i].second_high)
            return 0;
        for (size_t k = 2; k < forms[i].length; k++) {
            if ((byte[k] & 0xC0) != 0x80)
                return 0;
        }
        return forms[i].length;
    }
    return 0;
}

int utf8_valid(const char *text, size_t size)
{
    size_t at = 0;
    while (at < size) {
        size_t length = utf8_sequence(text + at, size - at);
        if (length == 0)
            return 0;
        at += length;
    }
    return 1;
}

uint32_t utf8_point(const char *text, size_t length)
{
    static const uint8_t first_mask[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t point = (uint8_t)text[0] & first_mask[length];
    for (size_t i = 1; i < length; i++)
        point = point << 6 | ((uint8_t)text[i] & 0x3F);
    return point;
}

struct range {
    uint32_t low, high;
};

static int is_in(uint32_t point, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count && ranges[i].low <= point; i++) {
        if (point <= ranges[i].high)
            return 1;
    }
    return 0;
}

static const struct range unsafe[] = {
    {0x00, 0x1F}, {0x7F, 0x9F}, {0x2028, 0x202E}, {0x2066, 0x2069}, {0xFEFF, 0xFEFF},
};

int utf8_is_safe(uint32_t point)
{
    return !is_in(point, unsafe, ARRAY_SIZE(unsafe));
}

size_t utf8_cut(const char *text, size_t size, size_t most)
{
    if (size <= most)
        return size;
    size_t cut = most;
    while (cut > 0 && most - cut < 3 && ((uint8_t)text[cut] & 0xC0) == 0x80)
        cut--;
    return cut;
}

void utf8_scrub(char *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        size_t length = utf8_sequence(text + at, size - at);
        if (length == 0)
            text[at++] = '?';
        else if (!utf8_is_safe(utf8_point(text + at, length)))
            while (length-- > 0)
                text[at++] = '?';
        else
            at += length;
    }
}

static const struct range narrow[] = {
    {0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x064B, 0x065F}, {0x1AB0, 0x1AFF},
    {0x1DC0, 0x1DFF}, {0x200B, 0x200F}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F},
};

static const struct range wide[] = {
    {0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0xA4CF},   {0xA960, 0xA97C},
    {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},
    {0xFFE0, 0xFFE6},   {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F900, 0x1FAFF},
    {0x20000, 0x3FFFD},
};

size_t utf8_columns(const char *text, size_t size)
{
    size_t columns = 0;
    for (size_t at = 0; at < size;) {
        size_t length = utf8_sequence(text + at, size - at);
        uint32_t point = length == 0 ? 0 : utf8_point(text + at, length);
        at += length == 0 ? 1 : length;
        if (is_in(point, narrow, ARRAY_SIZE(narrow)))
            continue;
        columns += is_in(point, wide, ARRAY_SIZE(wide)) ? 2 : 1;
    }
    return columns;
}
