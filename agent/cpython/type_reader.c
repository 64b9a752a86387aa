/*
 * A static type bears its full name, "module.name", or a bare one if it is built in. A heap type's
 * tp_name is the short name; Python shows type.__dict__["__module__"] and ht_qualname.
 */
#include "type_reader.h"

#include "attributes.h"
#include "utf8.h"
#include "words.h"

enum {
    ITEM_SIZE_MAX = 1 << 16,
    KEYS_HEAD_BYTES_MAX = 40,
    ENTRIES_BYTES_MAX = 16384, /* of a type's dict that are searched for "__module__" */
    ENTRY_KEYS_READ_MAX = 64,  /* keys that are compared by content */
    KEYS_LOG2_MAX = 32,
    HEAP_FACTS_BYTES = 16, /* ht_qualname, ht_cached_keys */
    NAME_AHEAD_BYTES = 96,
    STR_AHEAD_BYTES = 144, /* a head and a text of usual length */
    KEYS_AHEAD_BYTES = 640,
};

static int read_at(struct type_reader *reader, addr_t from, void *to, size_t size)
{
    return read_ahead_read(reader->ahead, from, 0, to, size);
}

static int is_address(addr_t at)
{
    return at >= REMOTE_PAGE_BYTES && at >> 47 == 0;
}

/* .. of an object, or none. */
static int may_be_object(addr_t at)
{
    return at == 0 || (is_address(at) && at % 8 == 0);
}

/* What the front says; 0: it can be no type's. */
/* The entries of functools.lru_cache in 3.8 and 3.9 are objects of a type that nobody makes ready.
 */
static const char unready_name[] = "functools._lru_list_elem";
enum { UNREADY_BYTES = 56 };

int type_reader_may_be_type(uint64_t flags, int64_t basic_size)
{
    int is_ready = (flags & TYPE_READY) && flags >> 32 == 0;
    return (is_ready && basic_size >= OBJECT_BYTES && basic_size <= TYPE_BASIC_SIZE_MAX) ||
           (flags == TYPE_HAS_VERSION && basic_size == UNREADY_BYTES);
}

static int parse_front(const uint8_t *front, struct type_facts *ret)
{
    struct type_facts facts = {
        .metatype = word_at(front, OBJECT_TYPE),
        .name = word_at(front, TYPE_NAME),
        .basic_size = (int64_t)word_at(front, TYPE_BASIC_SIZE),
        .item_size = (int64_t)word_at(front, TYPE_ITEM_SIZE),
        .flags = word_at(front, TYPE_FLAGS),
        .base = word_at(front, TYPE_BASE),
        .dict = word_at(front, TYPE_DICT),
    };
    if (!type_reader_may_be_type(facts.flags, facts.basic_size) || facts.item_size < 0 ||
        facts.item_size > ITEM_SIZE_MAX || !is_address(facts.name) || !facts.metatype ||
        !may_be_object(facts.metatype) || !may_be_object(facts.base) || !may_be_object(facts.dict))
        return 0;
    *ret = facts;
    return 1;
}

int type_reader_facts(struct type_reader *reader, addr_t at, struct type_facts *ret)
{
    const struct cpython_layout *layout = reader->layout;
    struct type_facts facts;
    uint8_t front[TYPE_FRONT_BYTES], heap[HEAP_FACTS_BYTES];
    if (!read_at(reader, at, front, sizeof(front)) || !parse_front(front, &facts))
        return 0;
    if (facts.flags & TYPE_HEAP) {
        if (!read_at(reader, at + layout->type_qualname, heap, sizeof(heap)))
            return 0;
        facts.qualname = word_at(heap, 0);
        facts.cached_keys = word_at(heap, layout->type_cached_keys - layout->type_qualname);
    }
    *ret = facts;
    return 1;
}

void type_reader_want_heap(struct type_reader *reader, addr_t at)
{
    read_ahead_want(reader->ahead, at + reader->layout->type_qualname, HEAP_FACTS_BYTES, 0);
}

/* Append the code point if it fits; 1 if it did. */
static int put_utf8(char *to, size_t capacity, size_t *size, uint32_t point)
{
    uint8_t bytes[4];
    size_t count;
    if (point >= 0xd800 && point < 0xe000)
        point = 0xfffd;
    if (point < 0x80) {
        bytes[0] = (uint8_t)point;
        count = 1;
    } else if (point < 0x800) {
        bytes[0] = (uint8_t)(0xc0 | point >> 6);
        count = 2;
    } else if (point < 0x10000) {
        bytes[0] = (uint8_t)(0xe0 | point >> 12);
        count = 3;
    } else {
        bytes[0] = (uint8_t)(0xf0 | (point >> 18 & 7));
        count = 4;
    }
    for (size_t i = 1; i < count; i++)
        bytes[i] = (uint8_t)(0x80 | (point >> 6 * (count - 1 - i) & 0x3f));
    if (*size + count >= capacity)
        return 0;
    memcpy(to + *size, bytes, count);
    *size += count;
    return 1;
}

static void decode(const uint8_t *text, size_t length, unsigned width, char *ret, size_t capacity)
{
    size_t size = 0;
    for (size_t i = 0; i < length; i++) {
        uint32_t point = text[i * width];
        for (unsigned byte = 1; byte < width; byte++)
            point |= (uint32_t)text[i * width + byte] << 8 * byte;
        if (!put_utf8(ret, capacity, &size, point > 0x10ffff ? 0xfffd : point))
            break;
    }
    ret[size] = '\0';
}

/* Values must never be taken for names, so whatever is no str by its own type's word is refused. */
static int is_str_type(struct type_reader *reader, addr_t type)
{
    uint64_t flags;
    if (type == reader->str_type)
        return type != 0;
    return read_at(reader, type + TYPE_FLAGS, &flags, sizeof(flags)) && (flags & TYPE_STR) &&
           (flags & TYPE_READY);
}

int type_reader_str(struct type_reader *reader, addr_t at, char *ret, size_t capacity)
{
    const struct cpython_layout *layout = reader->layout;
    uint8_t head[88], text[4 * TYPE_NAME_BYTES_MAX];
    if (at == 0 || !read_at(reader, at, head, layout->str_legacy_bytes) ||
        !is_str_type(reader, word_at(head, OBJECT_TYPE)))
        return 0;
    uint32_t state = half_at(head, layout->str_state) >> layout->str_kind_shift;
    unsigned width = state & 7;
    unsigned compact = state >> 3 & 1, ascii = state >> 4 & 1;
    uint64_t length = word_at(head, OBJECT_SIZE);
    if (width != 1 && width != 2 && width != 4)
        return 0;
    addr_t from = !compact ? word_at(head, layout->str_data)
                  : ascii  ? at + layout->str_ascii_bytes
                           : at + layout->str_compact_bytes;
    if (length > TYPE_NAME_BYTES_MAX)
        length = TYPE_NAME_BYTES_MAX;
    if (!(from - at < STR_AHEAD_BYTES
              ? read_ahead_read(reader->ahead, at, from - at, text, (size_t)length * width)
              : read_at(reader, from, text, (size_t)length * width)))
        return 0;
    decode(text, (size_t)length, width, ret, capacity);
    return 1;
}

/* A C string that may lie at the end of what is readable. */
static int read_c_string(struct type_reader *reader, addr_t at, char *ret, size_t capacity)
{
    size_t size = capacity - 1, in_page = (size_t)(REMOTE_PAGE_BYTES - at % REMOTE_PAGE_BYTES);
    size_t near = in_page < NAME_AHEAD_BYTES ? in_page : NAME_AHEAD_BYTES;
    const uint8_t *here = read_ahead_find(reader->ahead, at, near);
    if (here && memchr(here, '\0', near)) {
        memcpy(ret, here, near);
        return 1;
    }
    if (!read_at(reader, at, ret, size)) {
        size = in_page;
        if (size >= capacity || !read_at(reader, at, ret, size))
            return 0;
    }
    ret[size] = '\0';
    return 1;
}

struct keys {
    size_t offset;                /* of the entries */
    size_t bytes, stride, key_at; /* of all entries, of one, of its key */
};

/* Where the entries of a dict's keys lie; what is beyond ENTRIES_BYTES_MAX is not looked at. */
static int find_entries(struct type_reader *reader, addr_t at, struct keys *ret)
{
    const struct cpython_layout *layout = reader->layout;
    uint8_t head[KEYS_HEAD_BYTES_MAX];
    uint64_t size, index_bytes;
    if (!read_at(reader, at, head, layout->keys_bytes))
        return 0;
    struct keys keys = {.stride = 24, .key_at = 8};
    if (layout->keys_log2) {
        if (head[8] > KEYS_LOG2_MAX || head[9] > KEYS_LOG2_MAX + 3)
            return 0;
        size = (uint64_t)1 << head[8];
        index_bytes = (uint64_t)1 << head[9];
        if (head[10] != 0)
            keys = (struct keys){.stride = 16};
    } else {
        size = word_at(head, 8);
        if (size > (uint64_t)1 << KEYS_LOG2_MAX)
            return 0;
        index_bytes = size * (size <= 0xff ? 1 : size <= 0xffff ? 2 : 4);
    }
    keys.offset = (size_t)(layout->keys_bytes + index_bytes);
    uint64_t bytes = size * 2 / 3 * keys.stride;
    keys.bytes = bytes < ENTRIES_BYTES_MAX ? (size_t)bytes : ENTRIES_BYTES_MAX;
    *ret = keys;
    return 1;
}

/* Is this key "__module__"? Learns the address of the interned string, which nearly all dicts
 * share. */
static int is_module_key(struct type_reader *reader, addr_t key)
{
    char text[16];
    if (key == reader->module_key || !type_reader_str(reader, key, text, sizeof(text)) ||
        strcmp(text, "__module__") != 0)
        return key == reader->module_key;
    if (!reader->module_key)
        reader->module_key = key;
    return 1;
}

/* The value of the key that is known to be "__module__"; 0: not among these entries. */
static addr_t known_module(const struct type_reader *reader, const struct keys *keys,
                           const uint8_t *entries, size_t bytes)
{
    for (size_t at = 0; reader->module_key && at + keys->stride <= bytes; at += keys->stride) {
        if (word_at(entries + at + keys->key_at, 0) == reader->module_key)
            return word_at(entries + at + keys->key_at, 8);
    }
    return 0;
}

/* The value of "__module__" in the dict, 0 if it has none. */
static addr_t find_module(struct type_reader *reader, addr_t dict)
{
    uint8_t head[DICT_BYTES], entries[ENTRIES_BYTES_MAX];
    struct keys keys;
    if (!dict || !read_at(reader, dict, head, sizeof(head)) || word_at(head, DICT_VALUES) ||
        !find_entries(reader, word_at(head, DICT_KEYS), &keys) ||
        !read_ahead_read(reader->ahead, word_at(head, DICT_KEYS), keys.offset, entries, keys.bytes))
        return 0;
    addr_t module = known_module(reader, &keys, entries, keys.bytes);
    if (module)
        return module;
    int left = ENTRY_KEYS_READ_MAX;
    for (size_t at = 0; left > 0 && at + keys.stride <= keys.bytes; at += keys.stride, left--) {
        addr_t key = word_at(entries + at + keys.key_at, 0);
        if (key && is_module_key(reader, key))
            return word_at(entries + at + keys.key_at, 8);
    }
    return 0;
}

/* Drops what is no UTF-8 and what is no printable character. */
static void clean(char *text)
{
    size_t size = strlen(text), kept = 0;
    for (size_t at = 0; at < size;) {
        size_t bytes = utf8_sequence(text + at, size - at);
        if (bytes && (uint8_t)text[at] >= ' ' && text[at] != 0x7f) {
            memmove(text + kept, text + at, bytes);
            kept += bytes;
        }
        at += bytes ? bytes : 1;
    }
    text[kept] = '\0';
}

int type_reader_name(struct type_reader *reader, const struct type_facts *facts, char *ret)
{
    char module[TYPE_NAME_BYTES_MAX + 1], name[TYPE_NAME_BYTES_MAX + 1];
    char full[2 * TYPE_NAME_BYTES_MAX + 2];
    reader->lacks_module = 0;
    if (!(facts->flags & TYPE_HEAP)) {
        if (!read_c_string(reader, facts->name, ret, TYPE_NAME_BYTES_MAX + 1))
            return 0;
    } else {
        addr_t module_at = find_module(reader, facts->dict);
        if (!type_reader_str(reader, facts->qualname, name, sizeof(name)))
            return 0;
        reader->lacks_module = !type_reader_str(reader, module_at, module, sizeof(module));
        if (reader->lacks_module || strcmp(module, "builtins") == 0)
            module[0] = '\0';
        snprintf(full, sizeof(full), "%s%s%s", module, module[0] ? "." : "", name);
        memcpy(ret, full, TYPE_NAME_BYTES_MAX);
        ret[TYPE_NAME_BYTES_MAX] = '\0';
    }
    clean(ret);
    return ret[0] != '\0' && ((facts->flags & TYPE_READY) || strcmp(ret, unready_name) == 0);
}

/* ----- reading ahead ----- */

/* Types that are read ahead together, and their bases. */
struct batch {
    addr_t types[TYPE_AHEAD_MAX];
    size_t count;
};

static void want_type(struct type_reader *reader, struct batch *batch, addr_t at)
{
    if (at % 8 || batch->count == TYPE_AHEAD_MAX ||
        !present_map_has(reader->ahead->present, at, TYPE_FRONT_BYTES))
        return;
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->types[i] == at)
            return;
    }
    batch->types[batch->count++] = at;
    read_ahead_want(reader->ahead, at, TYPE_FRONT_BYTES, 0);
}

/* The fronts of all, and of what they derive from. */
static void fetch_fronts(struct type_reader *reader, struct batch *batch, type_known_fn *is_known,
                         const void *user)
{
    for (size_t done = 0; done < batch->count;) {
        size_t end = batch->count;
        read_ahead_fetch(reader->ahead);
        for (; done < end; done++) {
            struct type_facts facts;
            const uint8_t *front =
                read_ahead_find(reader->ahead, batch->types[done], TYPE_FRONT_BYTES);
            int may_be_type = front && parse_front(front, &facts);
            int is_sure = may_be_type && is_known(user, facts.metatype);
            if (!may_be_type || (!is_sure && !present_map_has(reader->ahead->present,
                                                              facts.metatype, TYPE_FRONT_BYTES))) {
                batch->types[done] = 0; /* a type is an object of a type */
                continue;
            }
            if (!is_sure)
                want_type(reader, batch, facts.metatype);
            if (facts.base && !is_known(user, facts.base))
                want_type(reader, batch, facts.base);
        }
    }
}

/* Where names and dicts begin. */
static void want_heads(struct type_reader *reader, addr_t at)
{
    struct type_facts facts;
    const uint8_t *front = read_ahead_find(reader->ahead, at, TYPE_FRONT_BYTES);
    if (!front || !parse_front(front, &facts))
        return;
    if (!(facts.flags & TYPE_HEAP)) {
        read_ahead_want(reader->ahead, facts.name, NAME_AHEAD_BYTES, 1);
        return;
    }
    type_reader_want_heap(reader, at);
    if (facts.dict)
        read_ahead_want(reader->ahead, facts.dict, DICT_BYTES, 0);
}

/* The qualified name, and the keys of the dict. */
static void want_tables(struct type_reader *reader, addr_t at)
{
    const uint8_t *heap =
        read_ahead_find(reader->ahead, at + reader->layout->type_qualname, HEAP_FACTS_BYTES);
    const uint8_t *front = read_ahead_find(reader->ahead, at, TYPE_FRONT_BYTES);
    if (!heap || !front)
        return;
    if (is_address(word_at(heap, 0)))
        read_ahead_want(reader->ahead, word_at(heap, 0), STR_AHEAD_BYTES, 1);
    const uint8_t *dict = read_ahead_find(reader->ahead, word_at(front, TYPE_DICT), DICT_BYTES);
    if (dict && is_address(word_at(dict, DICT_KEYS)))
        read_ahead_want(reader->ahead, word_at(dict, DICT_KEYS), KEYS_AHEAD_BYTES, 1);
}

/* The name of the module. */
static void want_module(struct type_reader *reader, addr_t at)
{
    struct keys keys;
    const uint8_t *front = read_ahead_find(reader->ahead, at, TYPE_FRONT_BYTES);
    const uint8_t *dict =
        front ? read_ahead_find(reader->ahead, word_at(front, TYPE_DICT), DICT_BYTES) : NULL;
    addr_t table = dict ? word_at(dict, DICT_KEYS) : 0;
    if (!table || !read_ahead_find(reader->ahead, table, reader->layout->keys_bytes) ||
        !find_entries(reader, table, &keys))
        return;
    const uint8_t *bytes = read_ahead_find(reader->ahead, table, keys.offset + keys.bytes);
    addr_t module =
        bytes ? known_module(reader, &keys, bytes + keys.offset, keys.bytes) : (addr_t)0;
    if (is_address(module))
        read_ahead_want(reader->ahead, module, STR_AHEAD_BYTES, 1);
}

void type_reader_ahead(struct type_reader *reader, const addr_t *types, size_t count,
                       type_known_fn *is_known, const void *user)
{
    static void (*const rounds[])(struct type_reader *, addr_t) = {want_heads, want_tables,
                                                                   want_module};
    struct batch batch = {.count = 0};
    read_ahead_clear(reader->ahead);
    for (size_t i = 0; i < count; i++)
        want_type(reader, &batch, types[i]);
    fetch_fronts(reader, &batch, is_known, user);
    for (size_t round = 0; round < ARRAY_SIZE(rounds); round++) {
        for (size_t i = 0; i < batch.count; i++) {
            if (batch.types[i])
                rounds[round](reader, batch.types[i]);
        }
        read_ahead_fetch(reader->ahead);
    }
}
