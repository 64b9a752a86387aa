#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "utf8.h"

void json_append_string(struct buf *buf, const char *text, size_t size)
{
    buf_append_byte(buf, '"');
    for (size_t at = 0; at < size;) {
        unsigned char byte = (unsigned char)text[at];
        size_t length = utf8_sequence(text + at, size - at);
        if (length == 0) {
            buf_append_text(buf, "\\ufffd");
            at++;
        } else if (byte == '"' || byte == '\\') {
            buf_printf(buf, "\\%c", byte);
            at++;
        } else if (!utf8_is_safe(utf8_point(text + at, length))) {
            buf_printf(buf, "\\u%04x", utf8_point(text + at, length));
            at += length;
        } else {
            buf_append(buf, text + at, length);
            at += length;
        }
    }
    buf_append_byte(buf, '"');
}

static void append_double(struct buf *buf, double value, int digits)
{
    if (!isfinite(value))
        buf_append_text(buf, "null");
    else if (value == floor(value) && fabs(value) < 1e15)
        buf_printf(buf, "%.0f", value);
    else
        buf_printf(buf, "%.*g", digits, value);
}

void json_append_double(struct buf *buf, double value)
{
    append_double(buf, value, 6);
}

void json_append_exact(struct buf *buf, double value)
{
    append_double(buf, value, 15); /* as many as are sure */
}

void json_add_name(struct buf *buf, const char *name)
{
    if (buf->size > 0 && buf->data[buf->size - 1] != '{')
        buf_append_byte(buf, ',');
    json_append_string(buf, name, strlen(name));
    buf_append_byte(buf, ':');
}

void json_add_text(struct buf *buf, const char *name, const char *text)
{
    json_add_name(buf, name);
    json_append_string(buf, text, strlen(text));
}

void json_add_double(struct buf *buf, const char *name, double value)
{
    json_add_name(buf, name);
    json_append_double(buf, value);
}

void json_add_int(struct buf *buf, const char *name, int64_t value)
{
    json_add_name(buf, name);
    buf_printf(buf, "%" PRId64, value);
}

/* ---- reading -------------------------------------------------------------------------------- */

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

const char *json_array_begin(const char *text)
{
    const char *at = skip_blanks(text);
    return *at == '[' ? at + 1 : NULL;
}

/* Four hexadecimal digits; -1 if they are not. */
static int hex4(const char *at)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdefABCDEF";
        const char *digit = at[i] != '\0' ? strchr(digits, at[i]) : NULL;
        if (digit == NULL)
            return -1;
        int place = (int)(digit - digits);
        value = value * 16 + (place < 16 ? place : place - 6);
    }
    return value;
}

static void append_code_point(struct buf *buf, uint32_t point)
{
    if (point < 0x80) {
        buf_append_byte(buf, (uint8_t)point);
        return;
    }
    unsigned tail = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = {0, 0xC0, 0xE0, 0xF0};
    buf_append_byte(buf, (uint8_t)(lead[tail] | point >> 6 * tail));
    while (tail-- > 0)
        buf_append_byte(buf, (uint8_t)(0x80 | (point >> 6 * tail & 0x3F)));
}

/* What follows a backslash; `at` is behind it. A surrogate without its other half is U+FFFD. */
static const char *read_escape(const char *at, struct buf *ret)
{
    static const char names[] = "\"\\/bfnrt";
    static const char bytes[] = "\"\\/\b\f\n\r\t";
    const char *name = *at != '\0' ? strchr(names, *at) : NULL;
    if (name != NULL) {
        buf_append_byte(ret, (uint8_t)bytes[name - names]);
        return at + 1;
    }
    int unit = *at == 'u' ? hex4(at + 1) : -1;
    if (unit < 0)
        return NULL;
    at += 5;
    uint32_t point = (uint32_t)unit;
    if (point >= 0xD800 && point <= 0xDFFF) {
        int low = point < 0xDC00 && at[0] == '\\' && at[1] == 'u' ? hex4(at + 2) : -1;
        point = low >= 0xDC00 && low <= 0xDFFF
                    ? 0x10000 + ((point - 0xD800) << 10) + ((uint32_t)low - 0xDC00)
                    : 0xFFFD;
        at += point == 0xFFFD ? 0 : 6;
    }
    append_code_point(ret, point);
    return at;
}

const char *json_array_string(const char *at, struct buf *ret)
{
    if (at == NULL)
        return NULL;
    at = skip_blanks(at);
    if (*at == ',')
        at = skip_blanks(at + 1);
    if (*at != '"')
        return NULL;
    at++;
    while (at != NULL && *at != '"') {
        if ((unsigned char)*at < 0x20)
            return NULL;
        if (*at == '\\')
            at = read_escape(at + 1, ret);
        else
            buf_append_byte(ret, (uint8_t)*at++);
    }
    return at == NULL ? NULL : at + 1;
}
