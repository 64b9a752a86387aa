#include "python_version.h"

static const char *number(const char *at, const char *end, unsigned most, unsigned *ret)
{
    unsigned value = 0;
    const char *begin = at;
    for (; at < end && *at >= '0' && *at <= '9' && at - begin < 3; at++)
        value = value * 10 + (unsigned)(*at - '0');
    *ret = value;
    return at > begin && value <= most ? at : NULL;
}

/* "a1", "b2", "rc3" or nothing -> the release level and serial of PY_VERSION_HEX. */
static const char *level(const char *at, const char *end, unsigned *ret)
{
    static const struct {
        const char *word;
        unsigned level;
    } levels[] = {{"a", 0xA0}, {"b", 0xB0}, {"rc", 0xC0}};
    for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
        size_t size = strlen(levels[i].word);
        unsigned serial;
        if ((size_t)(end - at) <= size || memcmp(at, levels[i].word, size) != 0)
            continue;
        at = number(at + size, end, 15, &serial);
        *ret = levels[i].level | (at ? serial : 0);
        return at;
    }
    *ret = 0xF0;
    return at;
}

static int contains(const char *text, size_t size, const char *word)
{
    return memmem(text, size, word, strlen(word)) != NULL;
}

int python_version_parse(const char *text, size_t size, struct python_version *ret)
{
    if (size > PYTHON_VERSION_TEXT_BYTES)
        size = PYTHON_VERSION_TEXT_BYTES;
    size = strnlen(text, size);
    const char *end = text + size, *at;
    unsigned major, minor, micro, release;
    at = number(text, end, 3, &major);
    at = at && at < end && *at == '.' ? number(at + 1, end, 99, &minor) : NULL;
    at = at && at < end && *at == '.' ? number(at + 1, end, 99, &micro) : NULL;
    at = at ? level(at, end, &release) : NULL;
    if (at && at < end && *at == '+')
        at++;
    if (!at || at == end || *at != ' ' || at - text >= PYTHON_VERSION_BYTES)
        return 0;
    if (!contains(at, (size_t)(end - at), " (") || !contains(at, (size_t)(end - at), ") ") ||
        !contains(at, (size_t)(end - at), "["))
        return 0;
    ret->hex = major << 24 | minor << 16 | micro << 8 | release;
    memcpy(ret->text, text, (size_t)(at - text));
    ret->text[at - text] = '\0';
    ret->free_threaded = contains(at, (size_t)(end - at), "free-threading build");
    return 1;
}

int python_version_search(const char *memory, size_t size, struct python_version *ret)
{
    const char *end = memory + size;
    for (const char *at = memory; at < end; at++) {
        at = memchr(at, '.', (size_t)(end - at));
        if (!at)
            return 0;
        if (at - memory < 2 || at[-1] < '2' || at[-1] > '3' || at[-2] != '\0')
            continue;
        if (python_version_parse(at - 1, (size_t)(end - at) + 1, ret))
            return 1;
    }
    return 0;
}
