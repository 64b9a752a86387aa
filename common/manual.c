#include "manual.h"

#include <string.h>

enum { WORDS_MAX = 16, WORD_BYTES = 24 };

/* ---- the words that an option takes --------------------------------------------------------- */

struct words {
    char text[WORDS_MAX][WORD_BYTES];
    size_t count;
};

static int is_letter(char letter)
{
    return (letter >= 'a' && letter <= 'z') || letter == '-';
}

/* The word that ends at `end`, in front of the others; returns where it begins. */
static const char *take_word(const char *begin, const char *end, struct words *words)
{
    const char *at = end;
    while (at > begin && is_letter(at[-1]))
        at--;
    size_t size = (size_t)(end - at);
    if (size == 0 || size >= WORD_BYTES || words->count == WORDS_MAX)
        return NULL;
    memmove(words->text[1], words->text[0], words->count * WORD_BYTES);
    memcpy(words->text[0], at, size);
    words->text[0][size] = '\0';
    words->count++;
    return at;
}

static int ends_with(const char *begin, const char *end, const char *with)
{
    size_t size = strlen(with);
    return (size_t)(end - begin) >= size && memcmp(end - size, with, size) == 0;
}

/* "... table, json or csv" */
static void read_words(const struct option *option, struct words *ret)
{
    *ret = (struct words){.count = 0};
    if (option->kind != OPTION_TEXT || option->help == NULL)
        return;
    const char *begin = option->help;
    const char *at = take_word(begin, begin + strlen(begin), ret);
    if (at == NULL || !ends_with(begin, at, " or ")) {
        ret->count = 0;
        return;
    }
    at = take_word(begin, at - strlen(" or "), ret);
    while (at != NULL && ends_with(begin, at, ", "))
        at = take_word(begin, at - strlen(", "), ret);
}

static void append_words(const struct words *words, struct buf *ret)
{
    for (size_t i = 0; i < words->count; i++)
        buf_printf(ret, "%s%s", i > 0 ? " " : "", words->text[i]);
}

/* ---- the page ------------------------------------------------------------------------------- */

/* Text that troff shows as it is, line by line. */
static void append_roff(const char *text, struct buf *ret)
{
    int at_start = 1;
    for (; *text != '\0'; text++) {
        if (at_start && (*text == '.' || *text == '\''))
            buf_append_text(ret, "\\&");
        if (*text == '-' || *text == '\\')
            buf_append_byte(ret, '\\');
        if (*text == '\\')
            buf_append_byte(ret, 'e');
        else
            buf_append_byte(ret, (uint8_t)*text);
        at_start = *text == '\n';
    }
}

static void append_option(const struct option *option, struct buf *ret)
{
    buf_append_text(ret, ".TP\n");
    if (option->letter != 0)
        buf_printf(ret, "\\fB\\-%c\\fR, ", option->letter);
    buf_append_text(ret, "\\fB\\-\\-");
    append_roff(option->name, ret);
    buf_append_text(ret, "\\fR");
    if (option->kind != OPTION_FLAG)
        buf_printf(ret, " \\fI%s\\fR", option->metavar != NULL ? option->metavar : "VALUE");
    buf_append_byte(ret, '\n');
    append_roff(option->help != NULL ? option->help : "", ret);
    if (option->value_default != NULL) {
        buf_append_text(ret, " (default ");
        append_roff(option->value_default, ret);
        buf_append_byte(ret, ')');
    }
    buf_append_byte(ret, '\n');
}

static int has_option(const struct option *options, const char *name)
{
    for (; options->name != NULL; options++) {
        if (strcmp(options->name, name) == 0)
            return 1;
    }
    return 0;
}

/* Options of most commands are told once. */
static int is_common(const struct manual *manual, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < manual->count; i++)
        count += (size_t)has_option(manual->commands[i].options, name);
    return 2 * count > manual->count;
}

static void append_options(const struct manual *manual, const struct manual_command *command,
                           int common, struct buf *ret)
{
    for (const struct option *option = command->options; option->name != NULL; option++) {
        if (is_common(manual, option->name) == common)
            append_option(option, ret);
    }
}

void manual_page(const struct manual *manual, struct buf *ret)
{
    buf_printf(ret, ".TH %s 1 \"\" \"%s\"\n.SH NAME\n", manual->program, manual->version);
    append_roff(manual->program, ret);
    buf_append_text(ret, " \\- ");
    append_roff(manual->summary, ret);
    buf_printf(ret,
               "\n.SH SYNOPSIS\n.B %s\n\\fICOMMAND\\fR [\\fIARGUMENT\\fR ...] "
               "[\\fIOPTION\\fR ...]\n.SH COMMANDS\n",
               manual->program);
    for (size_t i = 0; i < manual->count; i++) {
        const struct manual_command *command = &manual->commands[i];
        buf_printf(ret, ".SS %s %s\n", command->name, command->operands);
        append_roff(command->help, ret);
        buf_append_text(ret, ".\n");
        append_roff(command->more, ret);
        append_options(manual, command, 0, ret);
    }
    buf_append_text(ret, ".SH OPTIONS\nOf most commands:\n");
    if (manual->count > 0)
        append_options(manual, &manual->commands[0], 1, ret);
    buf_append_text(ret, ".SH ENVIRONMENT\n");
    append_roff(manual->environment, ret);
    buf_append_text(ret, ".SH EXIT STATUS\n");
    append_roff(manual->exit_status, ret);
}

/* ---- bash, and zsh that runs it ------------------------------------------------------------- */

static void append_flags(const struct manual_command *command, struct buf *ret)
{
    for (const struct option *option = command->options; option->name != NULL; option++) {
        buf_printf(ret, "--%s ", option->name);
        if (option->letter != 0)
            buf_printf(ret, "-%c ", option->letter);
    }
}

/* What comes behind "--output". */
static void append_values(const struct manual_command *command, struct buf *ret)
{
    for (const struct option *option = command->options; option->name != NULL; option++) {
        struct words words;
        read_words(option, &words);
        if (option->kind == OPTION_FLAG)
            continue;
        buf_printf(ret, "    '%s --%s'", command->name, option->name);
        if (option->letter != 0)
            buf_printf(ret, "|'%s -%c'", command->name, option->letter);
        buf_append_text(ret, ") words='");
        append_words(&words, ret);
        buf_printf(ret, "'; names=; files=%d ;;\n", option->kind == OPTION_FILE);
    }
}

static int takes_operand(const struct manual *manual, const struct manual_command *command)
{
    return manual->operand != NULL &&
           strncmp(command->operands, manual->operand, strlen(manual->operand)) == 0;
}

/* What comes behind the command itself. */
static void append_behind(const struct manual *manual, const struct manual_command *command,
                          struct buf *ret)
{
    size_t size = strlen(command->name);
    buf_printf(ret, "    '%s') flags='", command->name);
    append_flags(command, ret);
    buf_append_text(ret, "'; words='");
    for (size_t i = 0; i < manual->count; i++) {
        const char *other = manual->commands[i].name;
        if (strncmp(other, command->name, size) == 0 && other[size] == ' ')
            buf_printf(ret, "%s ", other + size + 1);
    }
    buf_printf(ret, "'; names=%d ;;\n", takes_operand(manual, command));
}

/*
 * Our own words go through compgen, which expands them as the shell does. What operands are called
 * is anybody's text, "$(rm -r ~)" for one: it is compared as it is, and quoted.
 */
static void append_choice(const struct manual *manual, struct buf *ret)
{
    buf_printf(ret,
               "    esac\n"
               "    if [[ $files == 1 ]]; then COMPREPLY=($(compgen -f -- \"$current\")); "
               "return; fi\n"
               "    if [[ $current == -* && -z $files ]]; then words=$flags; names=; fi\n"
               "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
               "    if [[ $names != 1 ]]; then return; fi\n"
               "    while IFS= read -r word; do\n"
               "        if [[ $word == \"$current\"* ]]; then "
               "COMPREPLY+=(\"$(printf '%%q' \"$word\")\"); fi\n"
               "    done < <(%s)\n}\n"
               "complete -F _%s %s\n",
               manual->operand != NULL ? manual->operand_command : ":", manual->program,
               manual->program);
}

static void append_bash(const struct manual *manual, struct buf *ret)
{
    buf_printf(ret,
               "# bash completion of %s: source it, or put it into\n"
               "# /usr/share/bash-completion/completions.\n_%s()\n{\n"
               "    local current=${COMP_WORDS[COMP_CWORD]} command= words= flags= files= "
               "names= word i\n"
               "    COMPREPLY=()\n"
               "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
               "        word=${COMP_WORDS[i]}\n"
               "        case \"${command:+$command }$word\" in\n        ",
               manual->program, manual->program);
    for (size_t i = 0; i < manual->count; i++)
        buf_printf(ret, "%s'%s'", i > 0 ? "|" : "", manual->commands[i].name);
    buf_append_text(ret, ") command=${command:+$command }$word ;;\n        esac\n    done\n"
                         "    case \"$command\" in\n    '') words='");
    for (size_t i = 0; i < manual->count; i++) {
        if (strchr(manual->commands[i].name, ' ') == NULL)
            buf_printf(ret, "%s ", manual->commands[i].name);
    }
    buf_append_text(ret, "'; flags='--help --version' ;;\n");
    for (size_t i = 0; i < manual->count; i++)
        append_behind(manual, &manual->commands[i], ret);
    buf_append_text(ret, "    esac\n    case \"$command ${COMP_WORDS[COMP_CWORD-1]}\" in\n");
    for (size_t i = 0; i < manual->count; i++)
        append_values(&manual->commands[i], ret);
    append_choice(manual, ret);
}

/* ---- fish ----------------------------------------------------------------------------------- */

/* Between single quotes. */
static void append_quoted(const char *text, struct buf *ret)
{
    buf_append_byte(ret, '\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            buf_append_byte(ret, '\\');
        buf_append_byte(ret, (uint8_t)*text);
    }
    buf_append_byte(ret, '\'');
}

static void append_fish_option(const struct manual *manual, const char *word,
                               const struct option *option, struct buf *ret)
{
    struct words words;
    read_words(option, &words);
    buf_printf(ret, "complete -c %s -n '__fish_seen_subcommand_from %s' -l %s", manual->program,
               word, option->name);
    if (option->letter != 0)
        buf_printf(ret, " -s %c", option->letter);
    if (option->kind != OPTION_FLAG)
        buf_append_text(ret, option->kind == OPTION_FILE ? " -r -F" : " -x");
    if (words.count > 0) {
        buf_append_text(ret, " -a '");
        append_words(&words, ret);
        buf_append_byte(ret, '\'');
    }
    buf_append_text(ret, " -d ");
    append_quoted(option->help != NULL ? option->help : "", ret);
    buf_append_byte(ret, '\n');
}

static void append_fish(const struct manual *manual, struct buf *ret)
{
    buf_printf(ret, "complete -c %s -f\n", manual->program);
    for (size_t i = 0; i < manual->count; i++) {
        const struct manual_command *command = &manual->commands[i];
        const char *second = strchr(command->name, ' ');
        const char *word = second != NULL ? second + 1 : command->name;
        if (second == NULL)
            buf_printf(ret, "complete -c %s -n __fish_use_subcommand -a %s -d ", manual->program,
                       word);
        else
            buf_printf(ret, "complete -c %s -n '__fish_seen_subcommand_from %.*s' -a %s -d ",
                       manual->program, (int)(second - command->name), command->name, word);
        append_quoted(command->help, ret);
        buf_append_byte(ret, '\n');
        if (takes_operand(manual, command))
            buf_printf(ret, "complete -c %s -n '__fish_seen_subcommand_from %s' -a '(%s)'\n",
                       manual->program, word, manual->operand_command);
        for (const struct option *option = command->options; option->name != NULL; option++)
            append_fish_option(manual, word, option, ret);
    }
}

enum status manual_completion(const struct manual *manual, const char *shell, struct buf *ret,
                              struct why *why)
{
    if (strcmp(shell, "fish") == 0) {
        append_fish(manual, ret);
        return STATUS_OK;
    }
    if (strcmp(shell, "zsh") == 0)
        buf_printf(ret, "#compdef %s\nautoload -U +X bashcompinit && bashcompinit\n",
                   manual->program);
    else if (strcmp(shell, "bash") != 0)
        return why_fail(why, STATUS_USAGE,
                        "there is no completion for '%s': it is bash, zsh or fish", shell);
    append_bash(manual, ret);
    return STATUS_OK;
}
