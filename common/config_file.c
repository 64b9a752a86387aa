#include "config_file.h"

#include <string.h>

#include "utf8.h"

static const char blanks[] = " \t\r";
static const char name_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

void config_file_init(struct config_file *file, char *text, size_t size)
{
    *file = (struct config_file){.text = text, .size = size};
}

/* Cut the next line off, as a text of its own. */
static char *take_line(struct config_file *file, size_t *ret_size)
{
    char *line = file->text;
    char *end = memchr(line, '\n', file->size);
    size_t size = end != NULL ? (size_t)(end - line) : file->size;
    size_t used = end != NULL ? size + 1 : size;
    line[size] = '\0';
    file->text += used;
    file->size -= used;
    file->line++;
    *ret_size = size;
    return line;
}

static enum status check_line(const char *line, size_t size, struct why *why)
{
    if (size > CONFIG_LINE_BYTES_MAX)
        return why_fail(why, STATUS_USAGE, "the line has more than %d bytes",
                        CONFIG_LINE_BYTES_MAX);
    if (!utf8_valid(line, size))
        return why_fail(why, STATUS_USAGE, "the line is not UTF-8");
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)line[i] < ' ' && strchr(blanks, line[i]) == NULL)
            return why_fail(why, STATUS_USAGE, "the line has a control character");
        if (line[i] == '\0')
            return why_fail(why, STATUS_USAGE, "the line has a zero byte");
    }
    return STATUS_OK;
}

static void cut_blanks_at_end(char *text)
{
    size_t size = strlen(text);
    while (size > 0 && strchr(blanks, text[size - 1]) != NULL)
        size--;
    text[size] = '\0';
}

static enum status take_quoted(char *value, char **ret, struct why *why)
{
    char *end = strchr(value + 1, '"');
    if (end == NULL)
        return why_fail(why, STATUS_USAGE, "the quote is not closed");
    const char *behind = end + 1 + strspn(end + 1, blanks);
    if (*behind != '\0' && *behind != '#')
        return why_fail(why, STATUS_USAGE, "there is more behind the closing quote");
    *end = '\0';
    *ret = value + 1;
    return STATUS_OK;
}

/* Up to a "#" that has a blank before it. */
static char *take_plain(char *value)
{
    for (char *at = strchr(value, '#'); at != NULL; at = strchr(at + 1, '#')) {
        if (at == value || strchr(blanks, at[-1]) != NULL) {
            *at = '\0';
            break;
        }
    }
    cut_blanks_at_end(value);
    return value;
}

static enum status take_setting(char *line, struct config_entry *ret, struct why *why)
{
    size_t size = strspn(line, name_letters);
    char *equals = line + size + strspn(line + size, blanks);
    if (size == 0 || *equals != '=')
        return why_fail(why, STATUS_USAGE, "the line is not \"name = value\"");
    line[size] = '\0';
    char *value = equals + 1 + strspn(equals + 1, blanks);
    if (*value == '"') {
        enum status status = take_quoted(value, &value, why);
        if (status != STATUS_OK)
            return status;
    } else {
        value = take_plain(value);
    }
    *ret = (struct config_entry){.name = line, .value = value};
    return STATUS_OK;
}

enum status config_file_next(struct config_file *file, struct config_entry *ret, struct why *why)
{
    while (file->size > 0) {
        size_t size = 0;
        char *line = take_line(file, &size);
        enum status status = check_line(line, size, why);
        if (status != STATUS_OK)
            return status;
        line += strspn(line, blanks);
        if (*line != '\0' && *line != '#')
            return take_setting(line, ret, why);
    }
    return STATUS_NOT_FOUND;
}
