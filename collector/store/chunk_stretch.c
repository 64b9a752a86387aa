#include "chunk_stretch.h"

#include "varint.h"

static uint64_t unit_of(struct type_value old)
{
    return old.count == 0 ? 0 : stretch_quotient(old.bytes, old.count);
}

/* ---- loose changes -------------------------------------------------------------------------- */

static void put(struct buf *ret, uint64_t value)
{
    ret->size += varint_write(ret->data + ret->size, value);
}

void stretch_put_loose(struct buf *ret, uint32_t skipped, struct type_value old,
                       struct type_value now)
{
    uint64_t difference = now.count - old.count;
    uint64_t residual = now.bytes - old.bytes - difference * unit_of(old);
    buf_reserve(ret, (size_t)3 * VARINT_BYTES_MAX);
    put(ret, (uint64_t)skipped * 2 + (residual != 0));
    put(ret, zigzag(difference));
    if (residual != 0)
        put(ret, zigzag(residual));
}

static int look_loose(struct stretch *stretch, uint32_t now, uint32_t *ret)
{
    uint64_t head = 0;
    *ret = UINT32_MAX;
    if (stretch->at == stretch->end)
        return 1;
    stretch->at = varint_read(stretch->at, stretch->end, &head);
    if (stretch->at == NULL || head / 2 >= STRETCH_SKIP_MAX)
        return 0;
    *ret = now + 1 + (uint32_t)(head / 2);
    stretch->has_residual = (uint8_t)(head & 1);
    return 1;
}

static int apply_loose(struct stretch *stretch, struct type_value *value)
{
    uint64_t difference = 0, residual = 0;
    stretch->at = varint_read(stretch->at, stretch->end, &difference);
    if (stretch->at != NULL && stretch->has_residual)
        stretch->at = varint_read(stretch->at, stretch->end, &residual);
    if (stretch->at == NULL)
        return 0;
    difference = unzigzag(difference);
    value->bytes += difference * unit_of(*value) + unzigzag(residual);
    value->count += difference;
    return 1;
}

/* ---- packed changes ------------------------------------------------------------------------- */

/* At most STRETCH_WIDTH_MAX bits: they touch at most five bytes. */
static uint64_t take_bits(struct stretch *stretch, unsigned width)
{
    const uint8_t *at = stretch->fields + stretch->bit / 8;
    unsigned before = stretch->bit % 8, got = 8;
    uint64_t bits = *at;
    for (; got < before + width; got += 8)
        bits = bits << 8 | *++at;
    stretch->bit += width;
    return bits >> (got - before - width) & (((uint64_t)1 << width) - 1);
}

/* 0: its escape is not one. */
static int take_field(struct stretch *stretch, unsigned width, uint64_t *ret)
{
    *ret = 0;
    if (width == 0)
        return 1;
    *ret = take_bits(stretch, width);
    if (*ret != ((uint64_t)1 << width) - 1)
        return 1;
    stretch->at = varint_read(stretch->at, stretch->end, ret);
    return stretch->at != NULL;
}

static int look_packed(struct stretch *stretch, uint32_t now, uint32_t *ret)
{
    uint64_t skip = 0;
    *ret = UINT32_MAX;
    if (stretch->left == 0)
        return stretch->at == stretch->end;
    stretch->left--;
    if (!take_field(stretch, stretch->skip_bits, &skip) || skip >= STRETCH_SKIP_MAX)
        return 0;
    *ret = now + 1 + (uint32_t)skip;
    return 1;
}

static int apply_packed(struct stretch *stretch, struct type_value *value)
{
    uint64_t difference = 0, residual = 0;
    if (!take_field(stretch, stretch->count_bits, &difference) ||
        !take_field(stretch, stretch->bytes_bits, &residual))
        return 0;
    difference = stretch->base + unzigzag(difference) * stretch->count_step;
    value->count += difference;
    value->bytes += difference * stretch->unit + unzigzag(residual) * stretch->bytes_step;
    return 1;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* A number of the head that is there if `flag` is set. `*at` becomes NULL if it is not one. */
static void read_optional(const uint8_t **at, const uint8_t *end, int flag, uint64_t *ret)
{
    if (*at != NULL && flag)
        *at = varint_read(*at, end, ret);
}

static int open_packed(struct stretch *stretch, const uint8_t *at, const uint8_t *end)
{
    if (end - at < 4 || at[1] > STRETCH_WIDTH_MAX || at[2] > STRETCH_WIDTH_MAX)
        return 0;
    uint8_t head = at[0];
    uint64_t base = 0, changes = 0;
    stretch->skip_bits = head & STRETCH_SKIP_BITS;
    stretch->count_bits = at[1];
    stretch->bytes_bits = at[2];
    stretch->count_step = stretch->bytes_step = 1;
    at = varint_read(at + 3, end, &changes);
    read_optional(&at, end, head & STRETCH_BASE, &base);
    read_optional(&at, end, head & STRETCH_COUNT_STEP, &stretch->count_step);
    read_optional(&at, end, head & STRETCH_BYTES_STEP, &stretch->bytes_step);
    if (at == NULL || changes > STRETCH_SKIP_MAX)
        return 0;
    size_t width = (size_t)stretch->skip_bits + stretch->count_bits + stretch->bytes_bits;
    size_t size = ((size_t)changes * width + 7) / 8;
    if (size > (size_t)(end - at))
        return 0;
    stretch->base = unzigzag(base);
    stretch->left = (uint32_t)changes;
    stretch->fields = at;
    stretch->at = at + size;
    return 1;
}

int stretch_open(struct stretch *stretch, const uint8_t *data, size_t size,
                 struct type_value *ret_first)
{
    uint64_t count = 0, unit = 0, residual = 0;
    stretch_open_loose(stretch, data, size);
    *ret_first = (struct type_value){0, 0};
    if (size == 0)
        return 1;
    const uint8_t *end = stretch->end, *at = varint_read(data, end, &count);
    if (at != NULL)
        at = varint_read(at, end, &unit);
    read_optional(&at, end, (int)(unit & 1), &residual);
    if (at == NULL)
        return 0;
    stretch->unit = unit / 2;
    *ret_first = (struct type_value){count, count * stretch->unit + unzigzag(residual)};
    stretch->at = at;
    if (at == end)
        return 1;
    if ((*at & STRETCH_PACKED) != 0)
        return open_packed(stretch, at, end);
    stretch->at = at + 1;
    return *at == STRETCH_LOOSE;
}

void stretch_open_loose(struct stretch *stretch, const uint8_t *data, size_t size)
{
    *stretch = (struct stretch){.at = data, .end = size > 0 ? data + size : data};
}

int stretch_look(struct stretch *stretch, uint32_t now, uint32_t *ret)
{
    return stretch->fields != NULL ? look_packed(stretch, now, ret) : look_loose(stretch, now, ret);
}

int stretch_apply(struct stretch *stretch, struct type_value *value)
{
    return stretch->fields != NULL ? apply_packed(stretch, value) : apply_loose(stretch, value);
}
