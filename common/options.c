/*
 * One pass over argv for the flags, then one over the table for the environment variables of the
 * options that no flag has set.
 */
#include "options.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "parse.h"
#include "suggest.h"

enum { OPTIONS_MAX = 64, NAME_MAX_BYTES = 64, HELP_COLUMN_MAX = 34 };

/* What a value of each kind must look like, for the messages. */
static const char *const expected[] = {
    [OPTION_FLAG] = "1, true, yes, on, 0, false, no or off",
    [OPTION_TEXT] = "a text",
    [OPTION_U64] = "a whole number",
    [OPTION_DURATION] = "a time such as 250ms, 5s, 1.5m, 6h or 30d",
    [OPTION_BYTES] = "a size such as 4096, 64k, 12M or 1.5G",
    [OPTION_LIST] = "a text",
};

struct parser {
    const struct option *options;
    int count; /* of options */
    int argc;
    char **argv;
    int at; /* next word of argv */
    unsigned char is_set[OPTIONS_MAX];
    struct why *why;
};

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

static enum status set_value(const struct option *option, const char *value)
{
    switch (option->kind) {
    case OPTION_FLAG:
        return set_flag(option->target, value);
    case OPTION_TEXT:
        *(const char **)option->target = value;
        return STATUS_OK;
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

/* Set, or say what is wrong with the value that `source` ("--interval", "HEAPFLEET_...") has. */
static enum status set_or_explain(const struct option *option, const char *source,
                                  const char *value, struct why *why)
{
    enum status status = set_value(option, value);
    if (status == STATUS_OK)
        return status;
    if (status == STATUS_LIMIT)
        return why_fail(why, STATUS_USAGE, "%s is given too often: at most %d times", source,
                        OPTION_LIST_MAX);
    return why_fail(why, STATUS_USAGE, "%s cannot be '%s': it takes %s", source, value,
                    expected[option->kind]);
}

/* ---- flags ---------------------------------------------------------------------------------- */

static int find_long(const struct parser *parser, const char *name, size_t size)
{
    for (int i = 0; i < parser->count; i++) {
        const char *known = parser->options[i].name;
        if (strlen(known) == size && memcmp(known, name, size) == 0)
            return i;
    }
    return -1;
}

static enum status unknown_long(const struct parser *parser, const char *name, size_t size)
{
    char word[NAME_MAX_BYTES];
    (void)snprintf(word, sizeof(word), "%.*s", (int)(size < sizeof(word) ? size : sizeof(word)),
                   name);
    const char *nearest = NULL;
    int best = SUGGEST_FAR;
    for (int i = 0; i < parser->count; i++) {
        int distance = suggest_distance(word, parser->options[i].name);
        if (distance < best) {
            best = distance;
            nearest = parser->options[i].name;
        }
    }
    if (nearest != NULL)
        return why_fail(parser->why, STATUS_USAGE, "unknown option '--%s': did you mean '--%s'?",
                        word, nearest);
    return why_fail(parser->why, STATUS_USAGE, "unknown option '--%s': --help lists the options",
                    word);
}

/* The value of an option that was written as `source`: `attached` to it, or the next word. */
static enum status take_value(struct parser *parser, const struct option *option,
                              const char *source, const char *attached)
{
    if (attached != NULL)
        return set_or_explain(option, source, attached, parser->why);
    if (parser->at >= parser->argc)
        return why_fail(parser->why, STATUS_USAGE, "%s needs a value: %s", source,
                        option->metavar != NULL ? option->metavar : expected[option->kind]);
    return set_or_explain(option, source, parser->argv[parser->at++], parser->why);
}

static enum status take_long(struct parser *parser, const char *word)
{
    const char *name = word + 2;
    size_t size = strcspn(name, "=");
    const char *attached = name[size] == '=' ? name + size + 1 : NULL;
    int index = find_long(parser, name, size);
    if (index < 0)
        return unknown_long(parser, name, size);
    const struct option *option = &parser->options[index];
    char source[NAME_MAX_BYTES];
    (void)snprintf(source, sizeof(source), "--%s", option->name);
    parser->is_set[index] = 1;
    if (option->kind == OPTION_FLAG && attached == NULL)
        return set_or_explain(option, source, "1", parser->why);
    return take_value(parser, option, source, attached);
}

static enum status take_short(struct parser *parser, const char *word)
{
    for (int i = 0; i < parser->count; i++) {
        const struct option *option = &parser->options[i];
        if (option->letter == 0 || option->letter != word[1])
            continue;
        char source[] = {'-', option->letter, '\0'};
        parser->is_set[i] = 1;
        if (option->kind != OPTION_FLAG)
            return take_value(parser, option, source, word[2] != '\0' ? word + 2 : NULL);
        if (word[2] != '\0')
            return why_fail(parser->why, STATUS_USAGE, "'%s' cannot be read: %s takes no value",
                            word, source);
        return set_or_explain(option, source, "1", parser->why);
    }
    return why_fail(parser->why, STATUS_USAGE, "unknown option '%s': --help lists the options",
                    word);
}

/* ---- environment ---------------------------------------------------------------------------- */

static void environment_name(const char *name, char *ret)
{
    static const char prefix[] = "HEAPFLEET_";
    memcpy(ret, prefix, sizeof(prefix) - 1);
    char *to = ret + sizeof(prefix) - 1;
    ASSERT(strlen(name) < NAME_MAX_BYTES - sizeof(prefix));
    for (; *name != '\0'; name++) {
        char letter = *name;
        if (letter == '-')
            letter = '_';
        else if (letter >= 'a' && letter <= 'z')
            letter = (char)(letter - 'a' + 'A');
        *to++ = letter;
    }
    *to = '\0';
}

static enum status take_environment(struct parser *parser)
{
    for (int i = 0; i < parser->count; i++) {
        const struct option *option = &parser->options[i];
        if (parser->is_set[i] || strcmp(option->name, "help") == 0 ||
            strcmp(option->name, "version") == 0)
            continue;
        char name[NAME_MAX_BYTES];
        environment_name(option->name, name);
        const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): before any thread */
        if (value == NULL || *value == '\0')
            continue;
        enum status status = set_or_explain(option, name, value, parser->why);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* --------------------------------------------------------------------------------------------- */

static int count_options(const struct option *options)
{
    int count = 0;
    while (options[count].name != NULL)
        count++;
    ASSERT(count <= OPTIONS_MAX);
    return count;
}

enum status options_parse(const struct option *options, int argc, char **argv,
                          const char **operands, int operands_max, int *ret_operands, int *ret_rest,
                          struct why *why)
{
    struct parser parser = {.options = options,
                            .count = count_options(options),
                            .argc = argc,
                            .argv = argv,
                            .why = why};
    int found = 0;
    parser.at = 1;
    while (parser.at < argc) {
        const char *word = argv[parser.at++];
        enum status status = STATUS_OK;
        if (strcmp(word, "--") == 0)
            break;
        if (word[0] == '-' && word[1] == '-')
            status = take_long(&parser, word);
        else if (word[0] == '-' && word[1] != '\0')
            status = take_short(&parser, word);
        else if (found < operands_max)
            operands[found++] = word;
        else
            status = why_fail(why, STATUS_USAGE, "unexpected argument '%s'", word);
        if (status != STATUS_OK)
            return status;
    }
    enum status status = take_environment(&parser);
    if (status != STATUS_OK)
        return status;
    *ret_operands = found;
    *ret_rest = parser.at;
    return STATUS_OK;
}

/* ---- help ----------------------------------------------------------------------------------- */

static void left_column(const struct option *option, struct buf *ret)
{
    if (option->letter != 0)
        buf_printf(ret, "  -%c, --%s", option->letter, option->name);
    else
        buf_printf(ret, "      --%s", option->name);
    if (option->kind != OPTION_FLAG)
        buf_printf(ret, " %s", option->metavar != NULL ? option->metavar : "VALUE");
}

void options_print_help(const struct option *options)
{
    struct buf left = BUF_INIT;
    size_t width = 0;
    for (const struct option *option = options; option->name != NULL; option++) {
        buf_clear(&left);
        left_column(option, &left);
        if (left.size > width && left.size <= HELP_COLUMN_MAX)
            width = left.size;
    }
    for (const struct option *option = options; option->name != NULL; option++) {
        buf_clear(&left);
        left_column(option, &left);
        (void)printf("%-*s", (int)width, buf_text(&left));
        if (left.size > width)
            (void)printf("\n%*s", (int)width, "");
        (void)printf("  %s", option->help != NULL ? option->help : "");
        if (option->value_default != NULL)
            (void)printf(" (default %s)", option->value_default);
        (void)printf("\n");
    }
    buf_done(&left);
}
