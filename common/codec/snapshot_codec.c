/*
 * Decoding works out every new value aside and writes them into the heap only when the whole body
 * has proved to be good. So a body that fails anywhere has touched nothing.
 */
#include "snapshot_codec.h"

#include <stdlib.h>
#include <string.h>

#include "varint.h"

enum {
    FORMAT_KEYFRAME = 0x10,
    FORMAT_OLDER_DELTA = 0x11, /* only read */
    FORMAT_DELTA = 0x12,
    ENTRY_BYTES_MAX = 3 * VARINT_BYTES_MAX,
    CAPACITY_STEP = 32,
};

void heap_values_done(struct heap_values *heap)
{
    if (heap == NULL)
        return;
    free(heap->values);
    *heap = HEAP_VALUES_INIT;
}

void heap_values_resize(struct heap_values *heap, uint32_t types)
{
    ASSERT(types <= SNAPSHOT_TYPES_MAX);
    if (types > heap->capacity) {
        /* tables grow by a few types at a time; many heaps are held, so little is kept in reserve
         */
        uint32_t capacity = (types + types / 8 + CAPACITY_STEP) / CAPACITY_STEP * CAPACITY_STEP;
        struct type_value *values = realloc(heap->values, capacity * sizeof(*values));
        ASSERT(values != NULL);
        heap->values = values;
        heap->capacity = capacity;
    }
    if (types > heap->types)
        memset(heap->values + heap->types, 0, (types - heap->types) * sizeof(*heap->values));
    heap->types = types;
}

void heap_values_copy(struct heap_values *to, const struct heap_values *from)
{
    if (to == from)
        return;
    heap_values_resize(to, from->types);
    if (from->types > 0)
        memcpy(to->values, from->values, from->types * sizeof(*to->values));
}

/* ---- encoding ------------------------------------------------------------------------------- */

static int within_limits(struct type_value value)
{
    return value.count <= SNAPSHOT_COUNT_MAX && value.bytes <= SNAPSHOT_BYTES_MAX;
}

/* What one object of the type weighs, judged by the old values. */
static uint64_t unit_of(struct type_value old)
{
    if (old.count == 0)
        return 0;
    if (((old.count | old.bytes) >> 32) == 0) /* many times faster than a 64-bit division */
        return (uint32_t)old.bytes / (uint32_t)old.count;
    return old.bytes / old.count;
}

static void put(struct buf *ret, uint64_t value)
{
    ret->size += varint_write(ret->data + ret->size, value);
}

static void put_header(struct buf *ret, uint8_t format, uint32_t types)
{
    ASSERT(types <= SNAPSHOT_TYPES_MAX);
    buf_append_byte(ret, format);
    buf_reserve(ret, VARINT_BYTES_MAX);
    put(ret, types);
}

void snapshot_encode_keyframe(const struct heap_values *now, struct buf *ret)
{
    put_header(ret, FORMAT_KEYFRAME, now->types);
    for (uint32_t i = 0; i < now->types; i++) {
        ASSERT(within_limits(now->values[i]));
        buf_reserve(ret, ENTRY_BYTES_MAX);
        put(ret, now->values[i].count);
        put(ret, now->values[i].bytes);
    }
}

void snapshot_encode_delta(const struct heap_values *base, const struct heap_values *now,
                           struct buf *ret)
{
    ASSERT(now->types >= base->types);
    put_header(ret, FORMAT_DELTA, now->types);
    uint32_t next = 0;
    for (uint32_t i = 0; i < now->types; i++) {
        struct type_value value = now->values[i];
        struct type_value old = i < base->types ? base->values[i] : (struct type_value){0};
        if (value.count == old.count && value.bytes == old.bytes)
            continue;
        ASSERT(within_limits(value));
        uint64_t change = value.count - old.count;
        buf_reserve(ret, ENTRY_BYTES_MAX);
        uint64_t residual = zigzag(value.bytes - old.bytes - change * unit_of(old));
        put(ret, (uint64_t)(i - next) << 1 | (residual != 0));
        put(ret, zigzag(change));
        if (residual != 0)
            put(ret, residual);
        next = i + 1;
    }
}

/* ---- decoding ------------------------------------------------------------------------------- */

struct change {
    uint32_t index;
    struct type_value value;
};

enum { CHANGES_ON_STACK = 384 };

int snapshot_is_keyframe(const uint8_t *body, size_t size)
{
    return size > 0 && body[0] == FORMAT_KEYFRAME;
}

/* One entry of a delta, `gap` types behind the one before. What is wrong with it, or NULL. */
struct entry {
    uint64_t gap, change, residual;
};

static inline const char *read_entry(const uint8_t **at, const uint8_t *end, int is_older,
                                     struct entry *ret)
{
    const uint8_t *next = varint_read(*at, end, &ret->gap);
    if (next != NULL)
        next = varint_read(next, end, &ret->change);
    int has_residual = is_older || (ret->gap & 1) != 0;
    ret->gap >>= !is_older;
    ret->residual = 0;
    if (next != NULL && has_residual)
        next = varint_read(next, end, &ret->residual);
    if (next == NULL)
        return "an entry is cut off or not a varint";
    if ((ret->change | ret->residual) == 0)
        return "an entry changes nothing";
    if (has_residual && ret->residual == 0 && !is_older)
        return "an entry is not in its shortest form";
    *at = next;
    return NULL;
}

static inline struct type_value apply_entry(const struct entry *entry, struct type_value value)
{
    uint64_t change = unzigzag(entry->change);
    value.bytes += unzigzag(entry->residual) + (change == 0 ? 0 : change * unit_of(value));
    value.count += change;
    return value;
}

/* The two readers make `changes` of the entries. They return what is wrong, or NULL. */

static const char *read_keyframe(const uint8_t *at, const uint8_t *end, uint32_t types,
                                 struct change *changes, size_t *ret_count)
{
    for (uint32_t i = 0; i < types; i++) {
        struct change change = {.index = i};
        at = varint_read(at, end, &change.value.count);
        if (at != NULL)
            at = varint_read(at, end, &change.value.bytes);
        if (at == NULL)
            return "an entry is cut off or not a varint";
        if (!within_limits(change.value))
            return "a value is out of range";
        changes[i] = change;
    }
    *ret_count = types;
    return at == end ? NULL : "bytes follow the last entry";
}

static const char *read_delta(const uint8_t *at, const uint8_t *end, int is_older, uint32_t types,
                              const struct heap_values *base, struct change *changes,
                              size_t *ret_count)
{
    size_t count = 0;
    for (uint64_t next = 0; at < end; next++) {
        struct entry entry = {0};
        const char *wrong = read_entry(&at, end, is_older, &entry);
        if (wrong != NULL)
            return wrong;
        if (entry.gap >= types - next)
            return "an entry is for a type beyond the last";
        next += entry.gap;
        struct type_value value = next < base->types ? base->values[next] : (struct type_value){0};
        value = apply_entry(&entry, value);
        if (!within_limits(value))
            return "a value is out of range";
        changes[count++] = (struct change){(uint32_t)next, value};
    }
    *ret_count = count;
    return NULL;
}

static enum status refuse(struct why *why, const char *reason)
{
    return why_fail(why, STATUS_INVALID, "snapshot body cannot be decoded: %s", reason);
}

/* The header; `*ret_at` is the first entry. */
static const char *read_header(const uint8_t *body, size_t size, uint64_t *ret_types,
                               const uint8_t **ret_at)
{
    if (size == 0)
        return "it is empty";
    if (body[0] != FORMAT_KEYFRAME && body[0] != FORMAT_OLDER_DELTA && body[0] != FORMAT_DELTA)
        return "its format is unknown";
    *ret_at = varint_read(body + 1, body + size, ret_types);
    if (*ret_at == NULL)
        return "the number of types is cut off or not a varint";
    return *ret_types > SNAPSHOT_TYPES_MAX ? "it has too many types" : NULL;
}

enum status snapshot_decode(const uint8_t *body, size_t size, struct heap_values *heap,
                            struct why *why)
{
    uint64_t types = 0;
    const uint8_t *at = NULL, *end = body + size;
    const char *wrong = read_header(body, size, &types, &at);
    if (wrong != NULL)
        return refuse(why, wrong);
    int keyframe = body[0] == FORMAT_KEYFRAME;
    int older = body[0] == FORMAT_OLDER_DELTA;
    if (!keyframe && types < heap->types)
        return refuse(why, "it has fewer types than the snapshot that it changes");

    struct change few[CHANGES_ON_STACK];
    struct change *changes = few;
    if (types > CHANGES_ON_STACK) {
        changes = malloc(types * sizeof(*changes));
        ASSERT(changes != NULL);
    }
    size_t count = 0;
    wrong = keyframe ? read_keyframe(at, end, (uint32_t)types, changes, &count)
                     : read_delta(at, end, older, (uint32_t)types, heap, changes, &count);
    if (wrong == NULL) {
        heap_values_resize(heap, (uint32_t)types);
        for (size_t i = 0; i < count; i++)
            heap->values[changes[i].index] = changes[i].value;
    }
    if (changes != few)
        free(changes);
    return wrong == NULL ? STATUS_OK : refuse(why, wrong);
}

/* ---- one type ------------------------------------------------------------------------------- */

static const char *find_in_keyframe(const uint8_t *at, const uint8_t *end, uint32_t index,
                                    struct type_value *value)
{
    for (uint32_t i = 0; i <= index && at != NULL; i++) {
        at = varint_read(at, end, &value->count);
        if (at != NULL)
            at = varint_read(at, end, &value->bytes);
    }
    return at == NULL ? "an entry is cut off or not a varint" : NULL;
}

static const char *find_in_delta(const uint8_t *at, const uint8_t *end, int is_older,
                                 uint32_t index, struct type_value *value)
{
    for (uint64_t next = 0; at < end && next <= index; next++) {
        struct entry entry = {0};
        const char *wrong = read_entry(&at, end, is_older, &entry);
        if (wrong != NULL)
            return wrong;
        if (entry.gap > index - next)
            break;
        next += entry.gap;
        if (next == index)
            *value = apply_entry(&entry, *value);
    }
    return NULL;
}

enum status snapshot_decode_type(const uint8_t *body, size_t size, uint32_t index,
                                 struct type_value *value, struct why *why)
{
    uint64_t types = 0;
    const uint8_t *at = NULL, *end = body + size;
    const char *wrong = read_header(body, size, &types, &at);
    int is_keyframe = wrong == NULL && body[0] == FORMAT_KEYFRAME;
    struct type_value now = is_keyframe ? (struct type_value){0} : *value;
    if (is_keyframe && index < types)
        wrong = find_in_keyframe(at, end, index, &now);
    else if (wrong == NULL && index < types)
        wrong = find_in_delta(at, end, body[0] == FORMAT_OLDER_DELTA, index, &now);
    else if (wrong == NULL && !is_keyframe && (now.count | now.bytes) != 0)
        wrong = "it has fewer types than the snapshot that it changes";
    if (wrong == NULL && !within_limits(now))
        wrong = "a value is out of range";
    if (wrong != NULL)
        return refuse(why, wrong);
    *value = now;
    return STATUS_OK;
}
