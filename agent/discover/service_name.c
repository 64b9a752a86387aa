#include "service_name.h"

#include <string.h>

#include "attributes.h"

enum { ARGUMENTS_MAX = 256 };

struct arguments {
    const char *text[ARGUMENTS_MAX];
    size_t size[ARGUMENTS_MAX];
    size_t count;
};

/* Programs that run somebody else's application, and the option that names it (NULL: an operand
 * of the form module:name). */
static const struct launcher {
    const char *name, *option, *long_option;
} launchers[] = {
    {"gunicorn", NULL, NULL},   {"uvicorn", NULL, NULL},   {"hypercorn", NULL, NULL},
    {"daphne", NULL, NULL},     {"granian", NULL, NULL},   {"waitress-serve", NULL, NULL},
    {"celery", "-A", "--app="}, {"flask", "-A", "--app="},
};

static void split(const char *block, size_t size, struct arguments *ret)
{
    const char *end = block + size;
    ret->count = 0;
    while (block < end && ret->count < ARGUMENTS_MAX) {
        const char *zero = memchr(block, '\0', (size_t)(end - block));
        size_t length = zero == NULL ? (size_t)(end - block) : (size_t)(zero - block);
        ret->text[ret->count] = block;
        ret->size[ret->count++] = length;
        block += length + 1;
    }
}

static int is_text(const struct arguments *arguments, size_t i, const char *text)
{
    return i < arguments->count && arguments->size[i] == strlen(text) &&
           memcmp(arguments->text[i], text, arguments->size[i]) == 0;
}

static int starts_with(const struct arguments *arguments, size_t i, const char *text)
{
    return i < arguments->count && arguments->size[i] >= strlen(text) &&
           memcmp(arguments->text[i], text, strlen(text)) == 0;
}

/* "/usr/bin/shop.py" -> "shop" */
static void base_name(const char **text, size_t *size)
{
    const char *slash = memrchr(*text, '/', *size);
    if (slash != NULL) {
        *size -= (size_t)(slash + 1 - *text);
        *text = slash + 1;
    }
    if (*size > 3 && memcmp(*text + *size - 3, ".py", 3) == 0)
        *size -= 3;
}

/* The first part of a dotted name: "shop.wsgi:app" -> "shop" */
static const char *first_part(const char *text, size_t size, struct arena *arena)
{
    size_t length = 0;
    while (length < size && text[length] != '.' && text[length] != ':')
        length++;
    return length == 0 ? NULL : arena_strndup(arena, text, length);
}

static const char *launched_by(const struct launcher *launcher, const struct arguments *arguments,
                               size_t first, struct arena *arena)
{
    for (size_t i = first; i < arguments->count; i++) {
        const char *text = arguments->text[i];
        size_t size = arguments->size[i];
        if (launcher->option == NULL) {
            static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
            if (memchr(text, ':', size) != NULL && strchr(letters, text[0]) != NULL &&
                memchr(text, '/', size) == NULL)
                return first_part(text, size, arena);
        } else if (is_text(arguments, i, launcher->option) && i + 1 < arguments->count) {
            return first_part(arguments->text[i + 1], arguments->size[i + 1], arena);
        } else if (starts_with(arguments, i, launcher->long_option)) {
            size_t skip = strlen(launcher->long_option);
            return first_part(text + skip, size - skip, arena);
        }
    }
    return NULL;
}

/* `name` is what runs (a script or a module), its own arguments begin at `first`. */
static const char *name_or_launched(const char *name, size_t size,
                                    const struct arguments *arguments, size_t first,
                                    struct arena *arena)
{
    for (size_t i = 0; i < ARRAY_SIZE(launchers); i++) {
        if (size == strlen(launchers[i].name) && memcmp(name, launchers[i].name, size) == 0) {
            const char *found = launched_by(&launchers[i], arguments, first, arena);
            if (found != NULL)
                return found;
        }
    }
    return size == 0 ? NULL : arena_strndup(arena, name, size);
}

static const char *name_of_script(const struct arguments *arguments, size_t i, struct arena *arena)
{
    const char *text = arguments->text[i];
    size_t size = arguments->size[i];
    static const char main_file[] = "/__main__.py"; /* a package run by its folder */
    size_t ending = sizeof(main_file) - 1;
    if (size > ending && memcmp(text + size - ending, main_file, ending) == 0)
        size -= ending;
    base_name(&text, &size);
    return name_or_launched(text, size, arguments, i + 1, arena);
}

/*
 * The interpreter's own options come first. Its one-letter options can be joined ("-Im"), and the
 * letters c, m, W and X take the rest of the word or the next one as their value.
 */
static const char *name_after_options(const struct arguments *arguments, struct arena *arena)
{
    for (size_t i = 1; i < arguments->count; i++) {
        const char *text = arguments->text[i];
        size_t size = arguments->size[i];
        if (size == 0 || text[0] != '-')
            return name_of_script(arguments, i, arena);
        if (size == 1)
            return NULL; /* from standard input */
        if (is_text(arguments, i, "--check-hash-based-pycs"))
            i++;
        if (text[1] == '-')
            continue;
        size_t letter = 1;
        while (letter < size && strchr("cmWX", text[letter]) == NULL)
            letter++;
        if (letter == size)
            continue;
        int joined = letter + 1 < size;
        if (text[letter] == 'c')
            return NULL;
        if (text[letter] == 'm' && joined)
            return name_or_launched(text + letter + 1, size - letter - 1, arguments, i + 1, arena);
        if (text[letter] == 'm' && i + 1 < arguments->count)
            return name_or_launched(arguments->text[i + 1], arguments->size[i + 1], arguments,
                                    i + 2, arena);
        i += !joined;
    }
    return NULL;
}

const char *service_name_of_arguments(const char *block, size_t size, struct arena *arena)
{
    struct arguments arguments;
    split(block, size, &arguments);
    if (arguments.count == 0)
        return NULL;
    const char *program = arguments.text[0];
    size_t length = arguments.size[0];
    const char *rest = memchr(program, ' ', length); /* a title: "gunicorn: worker [shop]" */
    if (rest != NULL)
        length = (size_t)(rest - program);
    base_name(&program, &length);
    if (length > 0 && program[length - 1] == ':')
        length--;
    if (length >= 6 && memcmp(program, "python", 6) == 0) {
        const char *name = name_after_options(&arguments, arena);
        return name != NULL ? name : "python";
    }
    return name_or_launched(program, length, &arguments, 1, arena);
}
