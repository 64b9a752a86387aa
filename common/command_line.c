#include "command_line.h"

#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "file.h"
#include "utf8.h"

enum { ARENA_BYTES_MAX = 4 << 20, FILE_BYTES_MAX = 4 << 20, SOURCE_COLUMN = 48 };

/* ---- reading -------------------------------------------------------------------------------- */

static void add(struct command_line *line, int *count, struct option option)
{
    ASSERT(*count < OPTIONS_MAX);
    line->table[(*count)++] = option;
}

static void make_table(struct command_line *line)
{
    int count = 0;
    memset(line->table, 0, sizeof(line->table));
    for (const struct option *option = line->options; option->name != NULL; option++)
        add(line, &count, *option);
    if (line->has_config) {
        add(line, &count,
            (struct option){"config", 0, OPTION_TEXT, &line->config, "FILE",
                            "settings as lines \"name = value\"; flags and environment win", NULL});
        add(line, &count,
            (struct option){"print-config", 0, OPTION_FLAG, &line->print_config, NULL,
                            "print all settings and where each comes from, then end", NULL});
        add(line, &count,
            (struct option){"check", 0, OPTION_FLAG, &line->check, NULL,
                            "check settings and files, then end", NULL});
    }
    add(line, &count,
        (struct option){"help", 'h', OPTION_FLAG, &line->help_wanted, NULL, "this text", NULL});
}

/* What is not set is complained of as a flag. */
static enum status name_places(struct command_line *line, struct why *why)
{
    for (int i = 0; line->table[i].name != NULL; i++) {
        struct option_origin *origin = &line->result.origins[i];
        if (origin->source != OPTION_DEFAULT)
            continue;
        struct buf flag = BUF_INIT;
        buf_printf(&flag, "--%s", line->table[i].name);
        origin->place = arena_strndup(&line->arena, buf_text(&flag), flag.size);
        buf_done(&flag);
        if (origin->place == NULL)
            return why_fail(why, STATUS_USAGE, "too much is given");
    }
    return STATUS_OK;
}

static enum status read_all(struct command_line *line, int argc, char **argv, struct why *why)
{
    ASSERT(line->operands_max <= COMMAND_OPERANDS_MAX);
    const struct options_input input = {
        .argc = argc,
        .argv = argv,
        .operands_max = line->operands_max,
        .advice = line->advice,
        .aliases = line->aliases,
        .elsewhere = line->elsewhere,
    };
    line->argc = argc;
    line->argv = argv;
    arena_init(&line->arena, ARENA_BYTES_MAX);
    make_table(line);
    line->result.operands = line->operands;
    line->result.arena = &line->arena;
    enum status status = options_read(line->table, &input, &line->result, why);
    if (status == STATUS_OK)
        status = name_places(line, why);
    if (status != STATUS_OK)
        return status;
    line->operand_count = line->result.operand_count;
    line->rest = line->result.rest;
    if (line->rest < argc && !line->takes_rest && !line->help_wanted)
        return why_fail(why, STATUS_USAGE, "unexpected argument '%s'", argv[line->rest]);
    return STATUS_OK;
}

int command_line_read(struct command_line *line, int argc, char **argv)
{
    struct why why = {""};
    enum status status = read_all(line, argc, argv, &why);
    if (status != STATUS_OK)
        return command_line_end(line, status, &why);
    if (!line->help_wanted)
        return -1;
    (void)printf("%s\n", line->help);
    options_print_help(line->table);
    return 0;
}

enum status command_line_read_again(const struct command_line *line, struct command_line *again,
                                    struct why *why)
{
    return read_all(again, line->argc, line->argv, why);
}

void command_line_done(struct command_line *line)
{
    arena_done(&line->arena);
}

/* ---- where values come from ----------------------------------------------------------------- */

static int row(const struct command_line *line, const char *option)
{
    for (int i = 0; line->table[i].name != NULL; i++) {
        if (strcmp(line->table[i].name, option) == 0)
            return i;
    }
    ASSERT(0 && "an option of the command");
    return 0;
}

const char *command_line_place(const struct command_line *line, const char *option)
{
    return line->result.origins[row(line, option)].place;
}

int command_line_is_set(const struct command_line *line, const char *option)
{
    return line->result.origins[row(line, option)].source != OPTION_DEFAULT;
}

void command_line_note(struct command_line *line, const char *option, const char *words)
{
    line->notes[row(line, option)] = words;
}

int command_line_prefers(const struct command_line *line, const char *first, const char *second)
{
    enum option_source a = line->result.origins[row(line, first)].source;
    enum option_source b = line->result.origins[row(line, second)].source;
    return (a > b) - (a < b);
}

static int same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static int same_list(const struct option_list *a, const struct option_list *b)
{
    if (a->count != b->count)
        return 0;
    for (int i = 0; i < a->count; i++) {
        if (strcmp(a->items[i], b->items[i]) != 0)
            return 0;
    }
    return 1;
}

static int is_reloadable(const struct command_line *line, const char *option)
{
    for (const char *const *name = line->reloadable; name != NULL && *name != NULL; name++) {
        if (strcmp(*name, option) == 0)
            return 1;
    }
    return 0;
}

void command_line_compare(const struct command_line *line, const struct command_line *again,
                          void (*fn)(void *arg, const char *option, int is_reloadable), void *arg)
{
    for (int i = 0; line->table[i].name != NULL; i++) {
        const struct option *option = &line->table[i];
        int same = option->kind == OPTION_LIST
                       ? same_list(option->target, again->table[i].target)
                       : same_text(line->result.origins[i].value, again->result.origins[i].value);
        if (!same)
            fn(arg, option->name, is_reloadable(line, option->name));
    }
}

/* ---- --print-config and --check ------------------------------------------------------------- */

/* Shown if nobody set it, as a value that the file could hold. NULL: there is none. */
static const char *default_of(const struct option *option)
{
    if (option->kind == OPTION_FLAG)
        return *(const int *)option->target ? "yes" : "no";
    if (option->kind == OPTION_TEXT || option->kind == OPTION_FILE)
        return *(const char **)option->target;
    return option->value_default;
}

/* 1: the configuration file needs quotes around it. */
static int needs_quotes(const char *value)
{
    size_t size = strlen(value);
    return size == 0 || value[0] == ' ' || value[size - 1] == ' ' || strchr(value, '#') != NULL;
}

static void print_setting(const struct option *option, const char *value, const char *place)
{
    if (option->kind == OPTION_FLAG && strcmp(value, "1") == 0)
        value = "yes";
    struct buf line = BUF_INIT;
    if (option->kind == OPTION_SECRET)
        buf_printf(&line, "# %s is hidden", option->name);
    else if (needs_quotes(value))
        buf_printf(&line, "%s = \"%s\"", option->name, value);
    else
        buf_printf(&line, "%s = %s", option->name, value);
    buf_printf(&line, "%*s # %s", line.size < SOURCE_COLUMN ? (int)(SOURCE_COLUMN - line.size) : 0,
               "", place);
    utf8_scrub((char *)line.data, line.size);
    (void)printf("%s\n", buf_text(&line));
    buf_done(&line);
}

static void print_config(const struct command_line *line)
{
    for (int i = 0; line->options[i].name != NULL; i++) {
        const struct option *option = &line->table[i];
        const struct option_origin *origin = &line->result.origins[i];
        const struct option_list *list = option->target;
        const char *usual = default_of(option);
        if (line->notes[i] != NULL)
            (void)printf("# %s %s\n", option->name, line->notes[i]);
        else if (origin->source != OPTION_DEFAULT && option->kind == OPTION_LIST)
            for (int j = 0; j < list->count; j++)
                print_setting(option, list->items[j], origin->place);
        else if (origin->source != OPTION_DEFAULT)
            print_setting(option, origin->value, origin->place);
        else if (usual != NULL)
            print_setting(option, usual, "default");
        else
            (void)printf("# %s is not set%s%s\n", option->name,
                         option->value_default != NULL ? ": " : "",
                         option->value_default != NULL ? option->value_default : "");
    }
}

static enum status check_files(const struct command_line *line, struct why *why)
{
    enum status status = STATUS_OK;
    for (int i = 0; status == STATUS_OK && line->table[i].name != NULL; i++) {
        const struct option *option = &line->table[i];
        if (option->kind != OPTION_FILE || *(const char **)option->target == NULL)
            continue;
        struct buf text = BUF_INIT;
        status = file_read(*(const char **)option->target, FILE_BYTES_MAX, &text, why);
        if (status != STATUS_OK)
            why_prefix(why, "%s", command_line_place(line, option->name));
        buf_done(&text);
    }
    return status;
}

int command_line_settle(const struct command_line *line, enum status status, const struct why *why)
{
    struct why own = {""};
    if (line->print_config)
        print_config(line);
    if (status == STATUS_OK && line->check)
        status = check_files(line, &own);
    if (status != STATUS_OK)
        return command_line_end(line, status, own.text[0] != '\0' ? &own : why);
    if (line->check && !line->print_config)
        (void)printf("%s: the settings are fine\n", line->name);
    return line->check || line->print_config ? 0 : -1;
}

int command_line_end(const struct command_line *line, enum status status, const struct why *why)
{
    if (status != STATUS_OK && why->text[0] != '\0') {
        (void)fflush(stdout);
        (void)fprintf(stderr, "%s: %s\n", line->name, why->text);
    }
    return status_exit_code(status);
}
