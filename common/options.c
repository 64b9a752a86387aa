/*
 * One pass over argv for the flags, one over the table for the environment variables of the options
 * that no flag has set, and one over the configuration file for what is still open.
 */
#include "options.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "config_file.h"
#include "file.h"
#include "option_value.h"

enum {
    VARIABLE_BYTES = 96,
    HELP_COLUMN_MAX = 34,
    PLACES_BYTES_MAX = 64 * 1024, /* for a command line without an arena */
};

struct reader {
    const struct option *options;
    const struct options_input *input;
    struct options_result *result;
    int at; /* next word of argv */
    struct why *why;
};

static enum status set(struct reader *reader, int index, enum option_source source,
                       const char *place, const char *value, int by_file)
{
    struct arena *arena = reader->result->arena;
    struct option_origin *origin = &reader->result->origins[index];
    enum status status = option_set(&reader->options[index], place, value, by_file, arena,
                                    &origin->value, reader->why);
    if (status != STATUS_OK)
        return status;
    origin->source = source;
    if (origin->place == NULL || strcmp(origin->place, place) != 0)
        origin->place = arena_strndup(arena, place, strlen(place));
    if (origin->place == NULL)
        return why_fail(reader->why, STATUS_USAGE, "too much is given: %s has no room", place);
    return STATUS_OK;
}

/* ---- flags ---------------------------------------------------------------------------------- */

/* The value of an option that was written as `place`: `attached` to it, or the next word. */
static enum status take_value(struct reader *reader, int index, const char *place,
                              const char *attached, int by_file)
{
    const struct option *option = &reader->options[index];
    if (attached == NULL && reader->at >= reader->input->argc)
        return why_fail(reader->why, STATUS_USAGE, "%s needs a value: %s", place,
                        option->metavar != NULL ? option->metavar : option_expectation(option));
    const char *value = attached != NULL ? attached : reader->input->argv[reader->at++];
    return set(reader, index, OPTION_GIVEN, place, value, by_file);
}

static enum status take_long(struct reader *reader, const char *word)
{
    const char *name = word + 2;
    size_t size = strcspn(name, "=");
    const char *attached = name[size] == '=' ? name + size + 1 : NULL;
    int by_file = 0;
    int index = option_find(reader->options, name, size, &by_file);
    if (index < 0)
        return option_unknown(reader->options, "--", name, size, reader->why);
    const struct option *option = &reader->options[index];
    char place[VARIABLE_BYTES];
    (void)snprintf(place, sizeof(place), "--%s%s", option->name, by_file ? "-file" : "");
    if (option->kind == OPTION_FLAG && attached == NULL)
        return set(reader, index, OPTION_GIVEN, place, "1", 0);
    return take_value(reader, index, place, attached, by_file);
}

static enum status take_short(struct reader *reader, const char *word)
{
    for (int i = 0; reader->options[i].name != NULL; i++) {
        const struct option *option = &reader->options[i];
        if (option->letter == 0 || option->letter != word[1])
            continue;
        char place[] = {'-', option->letter, '\0'};
        if (option->kind != OPTION_FLAG)
            return take_value(reader, i, place, word[2] != '\0' ? word + 2 : NULL, 0);
        if (word[2] != '\0')
            return why_fail(reader->why, STATUS_USAGE, "'%s' cannot be read: %s takes no value",
                            word, place);
        return set(reader, i, OPTION_GIVEN, place, "1", 0);
    }
    return why_fail(reader->why, STATUS_USAGE, "unknown option '%s': --help lists the options",
                    word);
}

static enum status take_words(struct reader *reader)
{
    const struct options_input *input = reader->input;
    struct options_result *result = reader->result;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && reader->at < input->argc) {
        const char *word = input->argv[reader->at++];
        if (strcmp(word, "--") == 0)
            break;
        if (word[0] == '-' && word[1] == '-')
            status = take_long(reader, word);
        else if (word[0] == '-' && word[1] != '\0')
            status = take_short(reader, word);
        else if (result->operand_count < input->operands_max)
            result->operands[result->operand_count++] = word;
        else
            status = why_fail(reader->why, STATUS_USAGE, "unexpected argument '%s'%s", word,
                              input->advice != NULL ? input->advice : "");
    }
    result->rest = reader->at;
    return status;
}

/* ---- environment ---------------------------------------------------------------------------- */

static void variable_name(const char *name, const char *ending, char ret[VARIABLE_BYTES])
{
    int size = snprintf(ret, VARIABLE_BYTES, "HEAPFLEET_%s%s", name, ending);
    ASSERT(size > 0 && size < VARIABLE_BYTES);
    for (; *ret != '\0'; ret++) {
        if (*ret == '-')
            *ret = '_';
        else if (*ret >= 'a' && *ret <= 'z')
            *ret = (char)(*ret - 'a' + 'A');
    }
}

/* NULL if it is not set, or empty. */
static const char *variable(const char *name)
{
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): before any thread */
    return value != NULL && *value != '\0' ? value : NULL;
}

static enum status take_alias(struct reader *reader, int index)
{
    const struct option_alias *alias = reader->input->aliases;
    for (; alias != NULL && alias->option != NULL; alias++) {
        const char *value = strcmp(alias->option, reader->options[index].name) == 0
                                ? variable(alias->variable)
                                : NULL;
        if (value != NULL)
            return set(reader, index, OPTION_ENVIRONMENT, alias->variable, value, 0);
    }
    return STATUS_OK;
}

static enum status take_variable(struct reader *reader, int index)
{
    const struct option *option = &reader->options[index];
    char name[VARIABLE_BYTES], file_name[VARIABLE_BYTES];
    variable_name(option->name, "", name);
    const char *value = variable(name);
    const char *path = NULL;
    if (option_takes_file(option)) {
        variable_name(option->name, "-file", file_name);
        path = variable(file_name);
    }
    if (value != NULL && path != NULL)
        return why_fail(reader->why, STATUS_USAGE, "%s and %s are both set: one of them is enough",
                        name, file_name);
    if (value != NULL)
        return set(reader, index, OPTION_ENVIRONMENT, name, value, 0);
    if (path != NULL)
        return set(reader, index, OPTION_ENVIRONMENT, file_name, path, 1);
    return take_alias(reader, index);
}

static enum status take_environment(struct reader *reader)
{
    enum status status = STATUS_OK;
    for (int i = 0; status == STATUS_OK && reader->options[i].name != NULL; i++) {
        if (reader->result->origins[i].source == OPTION_DEFAULT &&
            !option_is_only_flag(&reader->options[i]))
            status = take_variable(reader, i);
    }
    return status;
}

/* ---- configuration file --------------------------------------------------------------------- */

/* The row that a line of the file sets; -1: a line that is passed over. */
static enum status find_entry(struct reader *reader, const struct config_entry *entry,
                              unsigned char *seen, int *ret, int *ret_by_file)
{
    size_t size = strlen(entry->name);
    const struct option *elsewhere = reader->input->elsewhere;
    int index = option_find(reader->options, entry->name, size, ret_by_file), ignored = 0;
    *ret = -1;
    if (index < 0 && elsewhere != NULL && option_find(elsewhere, entry->name, size, &ignored) >= 0)
        return STATUS_OK;
    if (index < 0)
        return option_unknown(reader->options, "", entry->name, size, reader->why);
    const struct option *option = &reader->options[index];
    if (option_is_only_flag(option) || strcmp(option->name, "config") == 0)
        return why_fail(reader->why, STATUS_USAGE, "%s cannot be set in a file", entry->name);
    if (seen[index] && option->kind != OPTION_LIST)
        return why_fail(reader->why, STATUS_USAGE, "%s is set a second time", entry->name);
    seen[index] = 1;
    if (reader->result->origins[index].source <= OPTION_CONFIGURED)
        *ret = index;
    return STATUS_OK;
}

static enum status take_entry(struct reader *reader, const char *path, int line,
                              const struct config_entry *entry, unsigned char *seen)
{
    int by_file = 0, index = -1;
    enum status status = find_entry(reader, entry, seen, &index, &by_file);
    if (status != STATUS_OK)
        why_prefix(reader->why, "%s:%d", path, line);
    if (index < 0)
        return status;
    struct buf place = BUF_INIT;
    buf_printf(&place, "%s:%d: %s", path, line, entry->name);
    status = set(reader, index, OPTION_CONFIGURED, buf_text(&place), entry->value, by_file);
    buf_done(&place);
    return status;
}

static enum status take_entries(struct reader *reader, const char *path, char *text, size_t size)
{
    struct config_file file;
    struct config_entry entry;
    unsigned char seen[OPTIONS_MAX] = {0};
    config_file_init(&file, text, size);
    enum status status;
    while ((status = config_file_next(&file, &entry, reader->why)) == STATUS_OK) {
        status = take_entry(reader, path, file.line, &entry, seen);
        if (status != STATUS_OK)
            return status;
    }
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    why_prefix(reader->why, "%s:%d", path, file.line);
    return status;
}

static enum status take_config_file(struct reader *reader)
{
    int by_file = 0;
    int index = option_find(reader->options, "config", strlen("config"), &by_file);
    const char *path = index < 0 ? NULL : *(const char **)reader->options[index].target;
    if (path == NULL)
        return STATUS_OK;
    struct buf text = BUF_INIT;
    enum status status = file_read(path, CONFIG_FILE_BYTES_MAX, &text, reader->why);
    if (status == STATUS_OK) {
        char *copy = arena_strndup(reader->result->arena, buf_text(&text), text.size);
        ASSERT(copy != NULL);
        status = take_entries(reader, path, copy, text.size);
    } else {
        why_prefix(reader->why, "%s", reader->result->origins[index].place);
    }
    buf_done(&text);
    return status;
}

/* --------------------------------------------------------------------------------------------- */

static void check_table(const struct option *options)
{
    int count = 0;
    while (options[count].name != NULL)
        count++;
    ASSERT(count <= OPTIONS_MAX);
}

enum status options_read(const struct option *options, const struct options_input *input,
                         struct options_result *result, struct why *why)
{
    check_table(options);
    struct reader reader = {
        .options = options, .input = input, .result = result, .at = 1, .why = why};
    result->operand_count = 0;
    memset(result->origins, 0, sizeof(result->origins));
    enum status status = take_words(&reader);
    if (status == STATUS_OK)
        status = take_environment(&reader);
    if (status == STATUS_OK)
        status = take_config_file(&reader);
    return status;
}

enum status options_parse(const struct option *options, int argc, char **argv,
                          const char **operands, int operands_max, int *ret_operands, int *ret_rest,
                          struct why *why)
{
    struct arena places;
    arena_init(&places, PLACES_BYTES_MAX);
    const struct options_input input = {.argc = argc, .argv = argv, .operands_max = operands_max};
    struct options_result result = {.operands = operands, .arena = &places};
    enum status status = options_read(options, &input, &result, why);
    arena_done(&places);
    if (status != STATUS_OK)
        return status;
    *ret_operands = result.operand_count;
    *ret_rest = result.rest;
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
