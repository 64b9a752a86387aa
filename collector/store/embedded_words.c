#include "embedded_words.h"

#include <string.h>

/* Behind the severity come two blanks, and in front of it what log_line_prefix asks for. */
static const char *message_of(const char *line, const char *end, const char *severity)
{
    size_t size = strlen(severity);
    for (const char *c = line; c + size <= end; c++) {
        if (memcmp(c, severity, size) == 0)
            return c + size;
    }
    return NULL;
}

static int is_refusal(const char *message)
{
    static const char refusal[] = "the database system is ";
    return strncmp(message, refusal, sizeof(refusal) - 1) == 0;
}

static const char *end_of(const char *line)
{
    const char *end = strchr(line, '\n');
    return end != NULL ? end : line + strlen(line);
}

static const char *next_line(const char *end)
{
    return *end == '\n' ? end + 1 : end;
}

static size_t append(char *ret, size_t used, size_t size, const char *from, const char *end)
{
    for (const char *c = from; c < end && used + 1 < size; c++) {
        char shown = *c;
        if (shown == '"')
            shown = '\'';
        if (shown == '\n')
            shown = ';';
        ret[used++] = shown;
    }
    ret[used] = '\0';
    return used;
}

/* The message of the last line that ends a program; NULL: there is none. */
static const char *find_reason(const char *log)
{
    const char *reason = NULL, *end;
    for (const char *line = log; *line != '\0'; line = next_line(end)) {
        end = end_of(line);
        const char *message = message_of(line, end, "FATAL:  ");
        if (message == NULL)
            message = message_of(line, end, "PANIC:  ");
        if (message != NULL && !is_refusal(message))
            reason = message;
    }
    return reason;
}

/* DETAIL and HINT of the message that ends at `end`, up to the next message. */
static void take_advice(const char *end, char *ret, size_t used, size_t size)
{
    static const char between[] = "; ";
    for (const char *line = next_line(end); *line != '\0'; line = next_line(end)) {
        end = end_of(line);
        const char *words = message_of(line, end, "DETAIL:  ");
        if (words == NULL)
            words = message_of(line, end, "HINT:  ");
        if (words == NULL && *line != '\t')
            return;
        if (words == NULL)
            continue;
        used = append(ret, used, size, between, between + sizeof(between) - 1);
        used = append(ret, used, size, words, end);
    }
}

static void take_whole_lines(const char *log, char *ret, size_t size)
{
    size_t length = strlen(log);
    while (length > 0 && log[length - 1] == '\n')
        length--;
    const char *begin = log;
    while ((size_t)(log + length - begin) >= size && *next_line(end_of(begin)) != '\0' &&
           next_line(end_of(begin)) < log + length)
        begin = next_line(end_of(begin));
    (void)append(ret, 0, size, begin, log + length);
}

void embedded_words(const char *log, char *ret, size_t size)
{
    const char *reason = find_reason(log);
    if (reason == NULL) {
        take_whole_lines(log, ret, size);
        return;
    }
    size_t used = append(ret, 0, size, reason, end_of(reason));
    take_advice(end_of(reason), ret, used, size);
}
