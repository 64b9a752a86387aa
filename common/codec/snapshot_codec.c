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
        uint64_t gap = 0;
        uint64_t change = 0;
        uint64_t residual = 0;
        at = varint_read(at, end, &gap);
        if (at != NULL)
            at = varint_read(at, end, &change);
        int has_residual = is_older || (gap & 1) != 0;
        gap >>= !is_older;
        if (at != NULL && has_residual)
            at = varint_read(at, end, &residual);
        if (at == NULL)
            return "an entry is cut off or not a varint";
        if (gap >= types - next)
            return "an entry is for a type beyond the last";
        if ((change | residual) == 0)
            return "an entry changes nothing";
        if (has_residual && residual == 0 && !is_older)
            return "an entry is not in its shortest form";
        next += gap;
        struct type_value value = next < base->types ? base->values[next] : (struct type_value){0};
        change = unzigzag(change);
        value.bytes += unzigzag(residual) + (change == 0 ? 0 : change * unit_of(value));
        value.count += change;
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

enum status snapshot_decode(const uint8_t *body, size_t size, struct heap_values *heap,
                            struct why *why)
{
    if (size == 0)
        return refuse(why, "it is empty");
    int keyframe = body[0] == FORMAT_KEYFRAME;
    int older = body[0] == FORMAT_OLDER_DELTA;
    if (!keyframe && !older && body[0] != FORMAT_DELTA)
        return refuse(why, "its format is unknown");
    uint64_t types = 0;
    const uint8_t *end = body + size;
    const uint8_t *at = varint_read(body + 1, end, &types);
    if (at == NULL)
        return refuse(why, "the number of types is cut off or not a varint");
    if (types > SNAPSHOT_TYPES_MAX)
        return refuse(why, "it has too many types");
    if (!keyframe && types < heap->types)
        return refuse(why, "it has fewer types than the snapshot that it changes");

    struct change few[CHANGES_ON_STACK];
    struct change *changes = few;
    if (types > CHANGES_ON_STACK) {
        changes = malloc(types * sizeof(*changes));
        ASSERT(changes != NULL);
    }
    size_t count = 0;
    const char *wrong = keyframe
                            ? read_keyframe(at, end, (uint32_t)types, changes, &count)
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
