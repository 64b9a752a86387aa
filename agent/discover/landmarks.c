/*
 * Three passes over the same data, a megabyte or two: the type of types, the types, their
 * instances. A pass goes by the present pages, piece by piece; pieces overlap by what is looked at
 * behind an address.
 */
#include "landmarks.h"

#include "attributes.h"

enum {
    PIECE_WORDS = 8192,
    RANGES_MAX = 64,
    TYPES_MAX = 4096, /* whose names are asked for */
    NAME_BYTES = 16,
    BYTES_MAX = 64 << 20, /* of one pass */
};

/* Words of an object; of a type's, the last of them points to its name. */
enum { WORD_COUNT, WORD_TYPE, WORD_SIZE, WORD_NAME, WORDS_NEEDED };

/* The front of _PyRuntime since 3.13. */
#define COOKIE UINT64_C(0x7970677562656478) /* "xdebugpy" */

struct finder {
    struct remote *remote;
    struct python_process *found;
    addr_t type_of_none, type_of_bool;
    size_t types;
    size_t bytes; /* in this pass */
};

/* Looks at the object that may be at `at`. */
typedef void visit_fn(struct finder *finder, addr_t at, const uint64_t words[WORDS_NEEDED]);

/* Its name, cut; 0 when there is none. Nothing may be readable behind a page. */
static int has_name(struct finder *finder, addr_t at, char ret[NAME_BYTES])
{
    size_t here = REMOTE_PAGE_BYTES - (size_t)(at % REMOTE_PAGE_BYTES);
    size_t first = here < NAME_BYTES ? here : NAME_BYTES;
    memset(ret, 0, NAME_BYTES);
    if (remote_read_quietly(finder->remote, at, ret, first) != STATUS_OK)
        return 0;
    if (memchr(ret, '\0', first) == NULL &&
        remote_read_quietly(finder->remote, at + first, ret + first, NAME_BYTES - first) !=
            STATUS_OK)
        return 0;
    ret[NAME_BYTES - 1] = '\0';
    return 1;
}

static void find_type_type(struct finder *finder, addr_t at, const uint64_t words[WORDS_NEEDED])
{
    char name[NAME_BYTES];
    if (words[0] == COOKIE && finder->found->runtime == 0)
        finder->found->runtime = at;
    if (words[WORD_TYPE] == at && finder->found->type_type == 0 &&
        has_name(finder, words[WORD_NAME], name) && strcmp(name, "type") == 0)
        finder->found->type_type = at;
}

static void find_types(struct finder *finder, addr_t at, const uint64_t words[WORDS_NEEDED])
{
    struct python_process *found = finder->found;
    const struct {
        const char *name;
        addr_t *address;
    } wanted[] = {
        {"int", &found->builtins[PYTHON_INT]},
        {"str", &found->builtins[PYTHON_STR]},
        {"dict", &found->builtins[PYTHON_DICT]},
        {"list", &found->builtins[PYTHON_LIST]},
        {"tuple", &found->builtins[PYTHON_TUPLE]},
        {"set", &found->builtins[PYTHON_SET]},
        {"bytearray", &found->builtins[PYTHON_BYTEARRAY]},
        {"code", &found->builtins[PYTHON_CODE]},
        {"frame", &found->builtins[PYTHON_FRAME]},
        {"generator", &found->builtins[PYTHON_GENERATOR]},
        {"NoneType", &finder->type_of_none},
        {"bool", &finder->type_of_bool},
    };
    char name[NAME_BYTES];
    if (words[WORD_TYPE] != found->type_type || finder->types == TYPES_MAX)
        return;
    finder->types++;
    if (!has_name(finder, words[WORD_NAME], name))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        if (*wanted[i].address == 0 && strcmp(name, wanted[i].name) == 0)
            *wanted[i].address = at;
    }
}

static void find_instances(struct finder *finder, addr_t at, const uint64_t words[WORDS_NEEDED])
{
    struct python_process *found = finder->found;
    if (words[WORD_TYPE] == finder->type_of_none && found->none == 0)
        found->none = at;
    /* an int's digit follows its size: False has none, or a zero */
    if (words[WORD_TYPE] == finder->type_of_bool && (uint32_t)words[WORD_NAME] == 1 &&
        found->true_object == 0)
        found->true_object = at;
}

/* `words` lie at `at`. Returns how many of them were looked at. */
static size_t visit_piece(struct finder *finder, visit_fn *visit, addr_t at, const uint64_t *words,
                          size_t count)
{
    size_t i = 0;
    for (; i + WORDS_NEEDED <= count; i++) {
        if (words[i + WORD_TYPE] != 0)
            visit(finder, at + i * sizeof(*words), words + i);
    }
    return i;
}

static void visit_present(struct finder *finder, visit_fn *visit, struct remote_range range,
                          uint64_t *piece)
{
    addr_t at = range.start;
    while (range.end - at >= WORDS_NEEDED * sizeof(*piece) && finder->bytes < BYTES_MAX) {
        size_t count = (size_t)(range.end - at) / sizeof(*piece);
        if (count > PIECE_WORDS)
            count = PIECE_WORDS;
        if (remote_read(finder->remote, at, piece, count * sizeof(*piece)) != STATUS_OK)
            return;
        finder->bytes += count * sizeof(*piece);
        at += visit_piece(finder, visit, at, piece, count) * sizeof(*piece);
    }
}

static void pass(struct finder *finder, visit_fn *visit, const struct remote_range *data,
                 size_t count, uint64_t *piece)
{
    struct remote_range present[RANGES_MAX];
    finder->bytes = 0;
    for (size_t i = 0; i < count; i++) {
        addr_t at = data[i].start;
        while (at < data[i].end && finder->bytes < BYTES_MAX) {
            size_t ranges = remote_present_data(finder->remote, at, data[i].end, present,
                                                ARRAY_SIZE(present), &at);
            for (size_t j = 0; j < ranges; j++)
                visit_present(finder, visit, present[j], piece);
        }
    }
}

enum status landmarks_search(struct remote *remote, const struct remote_range *data, size_t count,
                             struct python_process *ret)
{
    struct python_process found = *ret;
    struct finder finder = {.remote = remote, .found = &found};
    uint64_t *piece = malloc(PIECE_WORDS * sizeof(*piece));
    ASSERT(piece != NULL);
    found.type_type = 0;
    pass(&finder, find_type_type, data, count, piece);
    if (found.type_type != 0)
        pass(&finder, find_types, data, count, piece);
    if (finder.type_of_none != 0 && finder.type_of_bool != 0)
        pass(&finder, find_instances, data, count, piece);
    free(piece);
    if (found.type_type == 0)
        return STATUS_NOT_FOUND;
    *ret = found;
    return STATUS_OK;
}
