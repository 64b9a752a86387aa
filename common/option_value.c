#include "option_value.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "file.h"
#include "parse.h"
#include "suggest.h"

enum { NAME_MAX_BYTES = 64, SECRET_BYTES_MAX = 16 * 1024 };

static const char file_ending[] = "-file";

/* What a value of each kind must look like, for the messages. */
static const char *const expected[] = {
    [OPTION_FLAG] = "1, true, yes, on, 0, false, no or off",
    [OPTION_TEXT] = "a text",
    [OPTION_U64] = "a whole number",
    [OPTION_DURATION] = "a time such as 250ms, 5s, 1.5m, 6h or 30d",
    [OPTION_BYTES] = "a size such as 4096, 64k, 12M or 1.5G",
    [OPTION_LIST] = "a text",
    [OPTION_FILE] = "the path of a file",
    [OPTION_SECRET] = "a text",
};

const char *option_expectation(const struct option *option)
{
    return expected[option->kind];
}

/* ---- names ---------------------------------------------------------------------------------- */

int option_is_only_flag(const struct option *option)
{
    static const char *const names[] = {"help", "version", "print-config", "check"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(option->name, names[i]) == 0)
            return 1;
    }
    return 0;
}

int option_takes_file(const struct option *option)
{
    return option->kind == OPTION_FILE || option->kind == OPTION_SECRET;
}

static int find_exactly(const struct option *options, const char *name, size_t size)
{
    for (int i = 0; options[i].name != NULL; i++) {
        if (strlen(options[i].name) == size && memcmp(options[i].name, name, size) == 0)
            return i;
    }
    return -1;
}

int option_find(const struct option *options, const char *name, size_t size, int *ret_by_file)
{
    int index = find_exactly(options, name, size);
    *ret_by_file = 0;
    size_t ending = sizeof(file_ending) - 1;
    if (index >= 0 || size <= ending || memcmp(name + size - ending, file_ending, ending) != 0)
        return index;
    index = find_exactly(options, name, size - ending);
    if (index >= 0 && !option_takes_file(&options[index]))
        return -1;
    *ret_by_file = index >= 0;
    return index;
}

enum status option_unknown(const struct option *options, const char *prefix, const char *name,
                           size_t size, struct why *why)
{
    char word[NAME_MAX_BYTES];
    (void)snprintf(word, sizeof(word), "%.*s", (int)(size < sizeof(word) ? size : sizeof(word)),
                   name);
    const char *nearest = NULL;
    int best = SUGGEST_FAR;
    for (; options->name != NULL; options++) {
        int distance = suggest_distance(word, options->name);
        if (distance < best) {
            best = distance;
            nearest = options->name;
        }
    }
    if (nearest != NULL)
        return why_fail(why, STATUS_USAGE, "unknown option '%s%s': did you mean '%s%s'?", prefix,
                        word, prefix, nearest);
    return why_fail(why, STATUS_USAGE, "unknown option '%s%s': --help lists the options", prefix,
                    word);
}

/* ---- values --------------------------------------------------------------------------------- */

static enum status set_flag(int *target, const char *value)
{
    static const char *const words[][4] = {{"0", "false", "no", "off"}, {"1", "true", "yes", "on"}};
    for (int truth = 0; truth < 2; truth++) {
        for (size_t i = 0; i < ARRAY_SIZE(words[truth]); i++) {
            if (strcmp(value, words[truth][i]) == 0) {
                *target = truth;
                return STATUS_OK;
            }
        }
    }
    return STATUS_INVALID;
}

static enum status set_item(struct option_list *list, const char *value)
{
    if (list->count >= OPTION_LIST_MAX)
        return STATUS_LIMIT;
    list->items[list->count++] = value;
    return STATUS_OK;
}

static enum status set_text(const char **target, const char *value)
{
    *target = value;
    return STATUS_OK;
}

static enum status set_target(const struct option *option, const char *value)
{
    switch (option->kind) {
    case OPTION_FLAG:
        return set_flag(option->target, value);
    case OPTION_TEXT:
    case OPTION_FILE:
    case OPTION_SECRET:
        return set_text(option->target, value);
    case OPTION_U64:
        return parse_u64(value, 0, UINT64_MAX, option->target);
    case OPTION_DURATION:
        return parse_duration_ms(value, option->target);
    case OPTION_BYTES:
        return parse_bytes(value, option->target);
    case OPTION_LIST:
        return set_item(option->target, value);
    }
    ASSERT(0 && "a kind of option");
    return STATUS_INVALID;
}

static enum status read_secret(const char *place, const char *path, struct arena *arena,
                               const char **ret, struct why *why)
{
    struct buf text = BUF_INIT;
    enum status status = file_read(path, SECRET_BYTES_MAX, &text, why);
    if (status != STATUS_OK) {
        why_prefix(why, "%s", place);
    } else if (memchr(text.data, 0, text.size) != NULL) {
        status = why_fail(why, STATUS_USAGE, "%s: %s is not a text", place, path);
    } else {
        while (text.size > 0 && strchr("\r\n", text.data[text.size - 1]) != NULL)
            text.size--;
        *ret = arena_strndup(arena, buf_text(&text), text.size);
        if (*ret == NULL)
            status = why_fail(why, STATUS_USAGE, "too much is given: %s has no room", place);
    }
    buf_done(&text);
    return status;
}

enum status option_set(const struct option *option, const char *place, const char *value,
                       int by_file, struct arena *arena, const char **ret_value, struct why *why)
{
    enum status status = STATUS_OK;
    if (by_file && option->kind == OPTION_SECRET)
        status = read_secret(place, value, arena, &value, why);
    if (status != STATUS_OK)
        return status;
    status = set_target(option, value);
    if (status == STATUS_LIMIT)
        return why_fail(why, STATUS_USAGE, "%s is given too often: at most %d times", place,
                        OPTION_LIST_MAX);
    if (status != STATUS_OK)
        return why_fail(why, STATUS_USAGE, "%s cannot be '%s': it takes %s", place, value,
                        option_expectation(option));
    *ret_value = value;
    return STATUS_OK;
}
