/*
 * A double quote of the format opens or closes quotes. Each conversion is taken apart, its argument
 * fetched by its type, and given to printf alone; only texts are put in by hand.
 */
#include "log_detail.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "log.h"

enum { SPEC_BYTES = 48, PIECE_BYTES = 128 };

enum length { LENGTH_INT, LENGTH_LONG, LENGTH_LONG_LONG, LENGTH_SIZE, LENGTH_MAX };

struct conversion {
    char spec[SPEC_BYTES]; /* "%-5.3ld", stars replaced by their numbers */
    size_t size;
    int width, precision; /* 0, -1: none */
    enum length length;
    char kind;
};

struct pairs {
    const char *at; /* in the format */
    va_list args;
};

/* ---- reading a conversion ------------------------------------------------------------------- */

static void put(struct conversion *conversion, char letter)
{
    ASSERT(conversion->size + 1 < SPEC_BYTES);
    conversion->spec[conversion->size++] = letter;
    conversion->spec[conversion->size] = '\0';
}

/* Digits or a star; the number. */
static int take_number(struct pairs *pairs, struct conversion *conversion)
{
    int number = 0;
    if (*pairs->at == '*') {
        pairs->at++;
        number = va_arg(pairs->args, int);
        char digits[16];
        (void)snprintf(digits, sizeof(digits), "%d", number);
        for (const char *digit = digits; *digit != '\0'; digit++)
            put(conversion, *digit);
        return number;
    }
    for (; *pairs->at >= '0' && *pairs->at <= '9'; pairs->at++) {
        number = number * 10 + (*pairs->at - '0');
        put(conversion, *pairs->at);
    }
    return number;
}

static enum length take_length(struct pairs *pairs, struct conversion *conversion)
{
    static const struct {
        const char *word;
        enum length length;
    } rows[] = {{"hh", LENGTH_INT}, {"h", LENGTH_INT},  {"ll", LENGTH_LONG_LONG},
                {"l", LENGTH_LONG}, {"z", LENGTH_SIZE}, {"j", LENGTH_MAX}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        size_t size = strlen(rows[i].word);
        if (strncmp(pairs->at, rows[i].word, size) != 0)
            continue;
        for (; size > 0; size--)
            put(conversion, *pairs->at++);
        return rows[i].length;
    }
    return LENGTH_INT;
}

/* Behind the '%'. */
static struct conversion take_conversion(struct pairs *pairs)
{
    struct conversion conversion = {.precision = -1};
    put(&conversion, '%');
    while (*pairs->at != '\0' && strchr("-+ #0", *pairs->at) != NULL)
        put(&conversion, *pairs->at++);
    conversion.width = take_number(pairs, &conversion);
    if (*pairs->at == '.') {
        put(&conversion, *pairs->at++);
        conversion.precision = take_number(pairs, &conversion);
    }
    conversion.length = take_length(pairs, &conversion);
    conversion.kind = *pairs->at++;
    put(&conversion, conversion.kind);
    return conversion;
}

/* ---- writing it ----------------------------------------------------------------------------- */

static void append_escaped(struct buf *ret, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"' || text[i] == '\\')
            buf_append_byte(ret, '\\');
        buf_append_byte(ret, (uint8_t)text[i]);
    }
}

void log_escape(const char *text, char *ret, size_t size)
{
    size_t used = 0;
    for (; *text != '\0'; text++) {
        size_t needed = *text == '"' || *text == '\\' ? 2 : 1;
        if (used + needed >= size)
            break;
        if (needed == 2)
            ret[used++] = '\\';
        ret[used++] = *text;
    }
    ret[used] = '\0';
}

static void append_text(struct buf *ret, const struct conversion *conversion, const char *text,
                        int is_quoted)
{
    ASSERT(conversion->width == 0);
    size_t size =
        conversion->precision < 0 ? strlen(text) : strnlen(text, (size_t)conversion->precision);
    if (is_quoted)
        append_escaped(ret, text, size);
    else
        buf_append(ret, text, size);
}

/* A number of the argument's width, as text. The spec is one that take_conversion has built. */
/* NOLINTBEGIN(bugprone-branch-clone): the types differ */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static int print_integer(const struct conversion *conversion, va_list *args, char *ret)
{
    switch (conversion->length) {
    case LENGTH_INT:
        return snprintf(ret, PIECE_BYTES, conversion->spec, va_arg(*args, int));
    case LENGTH_LONG:
        return snprintf(ret, PIECE_BYTES, conversion->spec, va_arg(*args, long));
    case LENGTH_LONG_LONG:
        return snprintf(ret, PIECE_BYTES, conversion->spec, va_arg(*args, long long));
    case LENGTH_SIZE:
        return snprintf(ret, PIECE_BYTES, conversion->spec, va_arg(*args, size_t));
    case LENGTH_MAX:
        return snprintf(ret, PIECE_BYTES, conversion->spec, va_arg(*args, intmax_t));
    }
    return 0;
}

static void append_number(struct buf *ret, const struct conversion *conversion, va_list *args)
{
    char piece[PIECE_BYTES] = "";
    if (strchr("fFgGeE", conversion->kind) != NULL)
        (void)snprintf(piece, sizeof(piece), conversion->spec, va_arg(*args, double));
    else if (conversion->kind == 'p')
        (void)snprintf(piece, sizeof(piece), conversion->spec, va_arg(*args, void *));
    else
        (void)print_integer(conversion, args, piece);
    buf_append_text(ret, piece);
}
#pragma GCC diagnostic pop
/* NOLINTEND(bugprone-branch-clone) */

void log_append_detail(struct buf *ret, const char *format, va_list args)
{
    struct pairs pairs = {.at = format};
    int is_quoted = 0;
    va_copy(pairs.args, args);
    while (*pairs.at != '\0') {
        if (*pairs.at != '%') {
            is_quoted ^= *pairs.at == '"';
            buf_append_byte(ret, (uint8_t)*pairs.at++);
            continue;
        }
        pairs.at++;
        struct conversion conversion = take_conversion(&pairs);
        if (conversion.kind == '%')
            buf_append_byte(ret, '%');
        else if (conversion.kind == 's')
            append_text(ret, &conversion, va_arg(pairs.args, const char *), is_quoted);
        else
            append_number(ret, &conversion, &pairs.args);
    }
    va_end(pairs.args);
}
