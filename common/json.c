#include "json.h"

#include <math.h>

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
        } else if (byte < 0x20 || byte == 0x7f) {
            buf_printf(buf, "\\u%04x", byte);
            at++;
        } else {
            buf_append(buf, text + at, length);
            at += length;
        }
    }
    buf_append_byte(buf, '"');
}

void json_append_double(struct buf *buf, double value)
{
    if (!isfinite(value))
        buf_append_text(buf, "null");
    else if (value == floor(value) && fabs(value) < 1e15)
        buf_printf(buf, "%.0f", value);
    else
        buf_printf(buf, "%.6g", value);
}
