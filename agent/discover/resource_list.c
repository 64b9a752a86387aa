#include "resource_list.h"

#include <string.h>

#include "utf8.h"

int identity_text_acceptable(const char *text, size_t size)
{
    if (size == 0 || size > IDENTITY_VALUE_BYTES_MAX || !utf8_valid(text, size))
        return 0;
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return 0;
    }
    return 1;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* A decoded, zero-terminated copy without the blanks around it. `least` is its least length. Only
 * what will be kept takes room in the arena, however long the text is. */
static enum status decode(const char *text, size_t size, size_t least, struct arena *arena,
                          const char **ret)
{
    while (size > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        size--;
    }
    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t'))
        size--;
    char decoded[IDENTITY_VALUE_BYTES_MAX];
    size_t length = 0;
    for (size_t i = 0; i < size; i++) {
        char byte = text[i];
        if (byte == '%') {
            int high = size - i > 2 ? hex_digit(text[i + 1]) : -1;
            int low = size - i > 2 ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0)
                return STATUS_INVALID;
            byte = (char)(high << 4 | low);
            i += 2;
        }
        if (length == sizeof(decoded))
            return STATUS_INVALID;
        decoded[length++] = byte;
    }
    if (length < least || (length > 0 && !identity_text_acceptable(decoded, length)))
        return STATUS_INVALID;
    const char *copy = arena_strndup(arena, decoded, length);
    if (copy == NULL)
        return STATUS_LIMIT;
    *ret = copy;
    return STATUS_OK;
}

enum status resource_list_parse(const char *text, struct arena *arena, struct resource_list *ret)
{
    ret->count = 0;
    size_t count = 0;
    for (const char *at = text; *at != '\0';) {
        size_t size = strcspn(at, ",");
        const char *next = at + size + (at[size] == ',');
        if (strspn(at, " \t") < size) { /* a comma too many is not an error */
            const char *equals = memchr(at, '=', size);
            if (equals == NULL)
                return STATUS_INVALID;
            if (count == RESOURCE_PAIRS_MAX)
                return STATUS_LIMIT;
            struct identity_attribute *pair = &ret->pairs[count];
            enum status status = decode(at, (size_t)(equals - at), 1, arena, &pair->key);
            if (status == STATUS_OK)
                status =
                    decode(equals + 1, size - (size_t)(equals + 1 - at), 0, arena, &pair->value);
            if (status != STATUS_OK)
                return status;
            count++;
        }
        at = next;
    }
    ret->count = count;
    return STATUS_OK;
}

const char *resource_list_get(const struct resource_list *list, const char *key)
{
    for (size_t i = list->count; i > 0; i--) {
        if (strcmp(list->pairs[i - 1].key, key) == 0)
            return list->pairs[i - 1].value;
    }
    return NULL;
}
