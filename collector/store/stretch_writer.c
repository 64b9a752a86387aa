/*
 * Writing a stretch is choosing: each choice is tried, and what takes the fewest bits is taken.
 *
 *     unit   bytes / count of the first snapshot: right wherever all objects have one size; else
 *            also the slope of bytes over counts, as it is and rounded to what allocators round to
 *     base   the middle of all differences, where they have one sign: sequences, clocks, leaks
 *     steps  what divides all of them: pages of memory, pointers of a container
 *     skips  where nearly every snapshot has a change, the others get one of nothing
 *     width  w, of n fields: n * w bits, and a varint for each value that is not below 2^w - 1
 */
#include <stdlib.h>
#include <string.h>

#include "chunk_stretch.h"
#include "varint.h"

enum {
    LOOSE_BYTES = 6, /* packed changes cannot be shorter */
    BASE_CHANGES = 8,
};
#define ORDINARY 3.0 /* times the mean */
#define FAR 1e30
#define SLOPE_MAX 1e12
#define PRODUCT_MAX ((uint64_t)1 << 62) /* counts * unit: a bigint to PostgreSQL */

struct change {
    uint64_t count, bytes; /* differences */
    uint32_t skipped;
};

struct width {
    unsigned bits;
    uint64_t cost; /* of all fields, in bits */
};

/* How many values there are of each length in bits, and how many of them have all bits set. */
struct lengths {
    uint32_t of[65], full[65];
    unsigned longest;
};

struct plan {
    uint64_t unit, base, count_step, bytes_step;
    struct width skip, count, bytes;
    int has_idle; /* snapshots without a change have one of nothing */
};

struct stretch_writer {
    struct type_value first;
    struct buf changes;  /* struct change */
    uint64_t idle;       /* snapshots without one, between them */
    uint64_t count_most; /* the first count, or the largest difference of counts */
    struct buf numbers;  /* uint64_t, to be sorted */
    struct buf fields, escapes;
    uint64_t bits; /* of fields, of which the lowest bit_count are not written yet */
    unsigned bit_count;
};

struct stretch_writer *stretch_writer_new(void)
{
    struct stretch_writer *writer = calloc(1, sizeof(*writer));
    ASSERT(writer != NULL);
    return writer;
}

void stretch_writer_free(struct stretch_writer *writer)
{
    if (writer == NULL)
        return;
    buf_done(&writer->changes);
    buf_done(&writer->numbers);
    buf_done(&writer->fields);
    buf_done(&writer->escapes);
    free(writer);
}

/* ---- numbers -------------------------------------------------------------------------------- */

static unsigned length_of(uint64_t value)
{
    return value == 0 ? 0 : 64 - (unsigned)__builtin_clzll(value);
}

static unsigned varint_bits(unsigned length)
{
    return length <= 7 ? 8 : (length + 6) / 7 * 8;
}

static uint64_t unit_of(struct type_value first)
{
    return first.count == 0 ? 0 : stretch_quotient(first.bytes, first.count);
}

static uint64_t magnitude(uint64_t difference)
{
    return difference >> 63 ? 0 - difference : difference;
}

/* Zigzag of difference / step, which has no rest. */
static uint64_t scaled(uint64_t difference, uint64_t step)
{
    if (step == 1)
        return zigzag(difference);
    uint64_t steps = stretch_quotient(magnitude(difference), step);
    return difference >> 63 ? steps * 2 - 1 : steps * 2;
}

/* The greatest that divides both; 0 and 0 have 0. */
static uint64_t common_step(uint64_t step, uint64_t difference)
{
    uint64_t other = magnitude(difference);
    if (step != 0 && other == stretch_quotient(other, step) * step)
        return step;
    while (other != 0) {
        uint64_t rest = step - stretch_quotient(step, other) * other;
        step = other;
        other = rest;
    }
    return step;
}

/* ---- widths --------------------------------------------------------------------------------- */

static void count_length(struct lengths *lengths, uint64_t value)
{
    unsigned length = length_of(value);
    lengths->of[length]++;
    lengths->full[length] += (value & (value + 1)) == 0;
    if (length > lengths->longest)
        lengths->longest = length;
}

static struct width best_width(const struct lengths *lengths, uint64_t changes, unsigned bits_max)
{
    struct width best = {0, 0};
    uint64_t longer = 0; /* bits of the varints of all that are longer than `bits` */
    if (lengths->longest == 0)
        return best;
    best.cost = UINT64_MAX;
    for (unsigned bits = lengths->longest + 1; bits >= 1; bits--) {
        uint64_t full = bits <= 64 ? (uint64_t)lengths->full[bits] * varint_bits(bits) : 0;
        uint64_t cost = changes * bits + longer + full;
        if (bits <= bits_max && cost < best.cost)
            best = (struct width){bits, cost};
        longer += bits <= 64 ? (uint64_t)lengths->of[bits] * varint_bits(bits) : 0;
    }
    return best;
}

/* ---- plans ---------------------------------------------------------------------------------- */

static const struct change *changes_of(const struct stretch_writer *writer, size_t *ret_count)
{
    *ret_count = writer->changes.size / sizeof(struct change);
    return (const struct change *)(const void *)writer->changes.data;
}

static void plan_skips(const struct stretch_writer *writer, struct plan *plan)
{
    size_t count;
    const struct change *changes = changes_of(writer, &count);
    struct lengths lengths = {.longest = 0};
    for (size_t i = 0; i < count; i++)
        count_length(&lengths, changes[i].skipped);
    plan->skip = best_width(&lengths, count, STRETCH_SKIP_BITS);
}

static struct width width_of_counts(const struct stretch_writer *writer, uint64_t base,
                                    uint64_t *ret_step)
{
    size_t count;
    const struct change *changes = changes_of(writer, &count);
    struct lengths lengths = {.longest = 0};
    uint64_t step = 0;
    for (size_t i = 0; i < count && step != 1; i++)
        step = common_step(step, changes[i].count - base);
    *ret_step = step == 0 ? 1 : step;
    for (size_t i = 0; i < count; i++)
        count_length(&lengths, scaled(changes[i].count - base, *ret_step));
    return best_width(&lengths, count, STRETCH_WIDTH_MAX);
}

static int ascending(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* The middle difference if all have one sign; else 0. */
static uint64_t find_base(struct stretch_writer *writer)
{
    size_t count;
    const struct change *changes = changes_of(writer, &count);
    if (count < BASE_CHANGES)
        return 0;
    buf_clear(&writer->numbers);
    for (size_t i = 0; i < count; i++) {
        if (changes[i].count == 0 || changes[i].count >> 63 != changes[0].count >> 63)
            return 0;
        buf_append(&writer->numbers, &changes[i].count, sizeof(changes[i].count));
    }
    uint64_t *numbers = (uint64_t *)(void *)writer->numbers.data;
    qsort(numbers, count, sizeof(*numbers), ascending);
    return numbers[count / 2];
}

static void plan_counts(struct stretch_writer *writer, struct plan *plan)
{
    uint64_t step = 1, base = find_base(writer);
    plan->base = 0;
    plan->count = width_of_counts(writer, 0, &plan->count_step);
    if (base == 0)
        return;
    struct width width = width_of_counts(writer, base, &step);
    if (width.cost + varint_bits(length_of(zigzag(base))) >= plan->count.cost)
        return;
    plan->base = base;
    plan->count_step = step;
    plan->count = width;
}

static int is_unit(const struct stretch_writer *writer, uint64_t unit)
{
    return unit == 0 || writer->count_most <= PRODUCT_MAX / unit;
}

/* Take this unit if it is better than the one of the plan. */
static void try_unit(const struct stretch_writer *writer, uint64_t unit, struct plan *plan)
{
    size_t count;
    const struct change *changes = changes_of(writer, &count);
    struct lengths lengths = {.longest = 0};
    uint64_t step = 0;
    if (!is_unit(writer, unit))
        return;
    for (size_t i = 0; i < count && step != 1; i++)
        step = common_step(step, changes[i].bytes - changes[i].count * unit);
    step = step == 0 ? 1 : step;
    for (size_t i = 0; i < count; i++)
        count_length(&lengths, scaled(changes[i].bytes - changes[i].count * unit, step));
    struct width width = best_width(&lengths, count, STRETCH_WIDTH_MAX);
    if (width.cost >= plan->bytes.cost)
        return;
    plan->unit = unit;
    plan->bytes_step = step;
    plan->bytes = width;
}

struct extent {
    double count, bytes;
};

static int is_within(const struct change *change, struct extent most)
{
    return (double)magnitude(change->count) <= most.count &&
           (double)magnitude(change->bytes) <= most.bytes;
}

/* ORDINARY times the mean size of the changes within `most`. */
static struct extent ordinary(const struct change *changes, size_t count, struct extent most)
{
    struct extent sum = {0, 0};
    double within = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_within(&changes[i], most))
            continue;
        sum.count += (double)magnitude(changes[i].count);
        sum.bytes += (double)magnitude(changes[i].bytes);
        within += 1;
    }
    double times = within > 0 ? ORDINARY / within : 0;
    return (struct extent){sum.count * times, sum.bytes * times};
}

/* Bytes of one more, by least squares; what is far out of the ordinary is left out. */
static double slope_of(const struct stretch_writer *writer)
{
    size_t count;
    const struct change *changes = changes_of(writer, &count);
    struct extent most = {FAR, FAR};
    double products = 0, squares = 0;
    for (int round = 0; round < 3; round++)
        most = ordinary(changes, count, most);
    for (size_t i = 0; i < count; i++) {
        if (!is_within(&changes[i], most))
            continue;
        double difference = (double)(int64_t)changes[i].count;
        products += difference * (double)(int64_t)changes[i].bytes;
        squares += difference * difference;
    }
    return squares > 0 ? products / squares : 0;
}

static void plan_bytes(const struct stretch_writer *writer, struct plan *plan)
{
    static const uint64_t roundings[] = {1, 8, 16};
    uint64_t tried = unit_of(writer->first);
    plan->bytes.cost = UINT64_MAX;
    try_unit(writer, tried, plan);
    if (plan->bytes.cost == 0)
        return;
    double slope = slope_of(writer);
    for (size_t i = 0; i < ARRAY_SIZE(roundings) && slope > 0 && slope < SLOPE_MAX; i++) {
        uint64_t unit = (uint64_t)(slope / (double)roundings[i] + 0.5) * roundings[i];
        if (unit != tried)
            try_unit(writer, unit, plan);
        tried = unit;
    }
    try_unit(writer, 0, plan);
}

static struct plan make_plan(struct stretch_writer *writer)
{
    struct plan plan = {.has_idle = 0};
    plan_skips(writer, &plan);
    plan_counts(writer, &plan);
    plan_bytes(writer, &plan);
    uint64_t idle_cost = writer->idle * (plan.count.bits + plan.bytes.bits);
    if (plan.base == 0 && idle_cost < plan.skip.cost) {
        plan.has_idle = 1;
        plan.skip = (struct width){0, 0};
    }
    return plan;
}

/* ---- writing -------------------------------------------------------------------------------- */

static void put(struct buf *ret, uint64_t value)
{
    buf_reserve(ret, VARINT_BYTES_MAX);
    ret->size += varint_write(ret->data + ret->size, value);
}

static void put_first(struct buf *ret, struct type_value first, uint64_t unit)
{
    uint64_t residual = first.bytes - first.count * unit;
    put(ret, first.count);
    put(ret, unit * 2 + (residual != 0));
    if (residual != 0)
        put(ret, zigzag(residual));
}

/* The highest first; room for them is reserved. */
static void put_bits(struct stretch_writer *writer, unsigned width, uint64_t value)
{
    writer->bits = writer->bits << width | value;
    for (writer->bit_count += width; writer->bit_count >= 8; writer->bit_count -= 8)
        writer->fields.data[writer->fields.size++] =
            (uint8_t)(writer->bits >> (writer->bit_count - 8));
}

static void put_field(struct stretch_writer *writer, unsigned width, uint64_t value)
{
    uint64_t full = ((uint64_t)1 << width) - 1;
    if (width == 0)
        return;
    if (value >= full)
        put(&writer->escapes, value);
    put_bits(writer, width, value < full ? value : full);
}

static void put_fields(struct stretch_writer *writer, const struct plan *plan,
                       const struct change *change)
{
    uint64_t residual = change->bytes - change->count * plan->unit;
    for (uint32_t i = 0; i < change->skipped && plan->has_idle; i++) {
        put_bits(writer, plan->count.bits, 0);
        put_bits(writer, plan->bytes.bits, 0);
    }
    put_field(writer, plan->skip.bits, change->skipped);
    put_field(writer, plan->count.bits, scaled(change->count - plan->base, plan->count_step));
    put_field(writer, plan->bytes.bits, scaled(residual, plan->bytes_step));
}

static void put_packed(struct stretch_writer *writer, const struct plan *plan, struct buf *ret)
{
    size_t count;
    const struct change *changes = changes_of(writer, &count);
    size_t width = plan->skip.bits + plan->count.bits + plan->bytes.bits;
    size_t written = count + (plan->has_idle ? writer->idle : 0);
    buf_clear(&writer->escapes);
    buf_clear(&writer->fields);
    buf_reserve(&writer->fields, written * width / 8 + 1);
    writer->bits = 0;
    writer->bit_count = 0;
    for (size_t i = 0; i < count; i++)
        put_fields(writer, plan, &changes[i]);
    put_bits(writer, (8 - writer->bit_count) % 8, 0);
    unsigned head = STRETCH_PACKED | plan->skip.bits;
    head |= plan->base != 0 ? STRETCH_BASE : 0;
    head |= plan->count_step != 1 ? STRETCH_COUNT_STEP : 0;
    head |= plan->bytes_step != 1 ? STRETCH_BYTES_STEP : 0;
    buf_append_byte(ret, (uint8_t)head);
    buf_append_byte(ret, (uint8_t)plan->count.bits);
    buf_append_byte(ret, (uint8_t)plan->bytes.bits);
    put(ret, written);
    if (plan->base != 0)
        put(ret, zigzag(plan->base));
    if (plan->count_step != 1)
        put(ret, plan->count_step);
    if (plan->bytes_step != 1)
        put(ret, plan->bytes_step);
    if (writer->fields.size > 0)
        buf_append(ret, writer->fields.data, writer->fields.size);
    if (writer->escapes.size > 0)
        buf_append(ret, writer->escapes.data, writer->escapes.size);
}

static void read_changes(struct stretch_writer *writer, struct type_value value,
                         const struct buf *loose)
{
    struct stretch stretch;
    uint32_t now = 0, next = 0;
    stretch_open_loose(&stretch, loose->data, loose->size);
    buf_clear(&writer->changes);
    buf_reserve(&writer->changes, loose->size / 2 * sizeof(struct change)); /* two bytes or more */
    writer->first = value;
    writer->idle = 0;
    writer->count_most = value.count;
    for (;;) {
        int is_right = stretch_look(&stretch, now, &next);
        if (is_right && next == UINT32_MAX)
            return;
        struct type_value old = value;
        is_right = is_right && stretch_apply(&stretch, &value);
        ASSERT(is_right);
        struct change *change =
            (struct change *)(void *)(writer->changes.data + writer->changes.size);
        *change = (struct change){value.count - old.count, value.bytes - old.bytes, next - now - 1};
        writer->changes.size += sizeof(*change);
        writer->idle += change->skipped;
        if (magnitude(change->count) > writer->count_most)
            writer->count_most = magnitude(change->count);
        now = next;
    }
}

/* 0: nothing was appended, since the loose changes are as short. */
static int write_packed(struct stretch_writer *writer, struct type_value first,
                        const struct buf *changes, struct buf *ret)
{
    size_t begin = ret->size;
    read_changes(writer, first, changes);
    struct plan plan = make_plan(writer);
    put_first(ret, first, plan.unit);
    size_t changes_begin = ret->size;
    put_packed(writer, &plan, ret);
    if (ret->size - changes_begin <= changes->size)
        return 1;
    ret->size = begin;
    return 0;
}

void stretch_write(struct stretch_writer *writer, struct type_value first,
                   const struct buf *changes, struct buf *ret)
{
    if (changes->size == 0 && first.count == 0 && first.bytes == 0)
        return;
    if (changes->size > LOOSE_BYTES && write_packed(writer, first, changes, ret))
        return;
    put_first(ret, first, unit_of(first) <= PRODUCT_MAX ? unit_of(first) : 0);
    if (changes->size == 0)
        return;
    buf_append_byte(ret, STRETCH_LOOSE);
    buf_append(ret, changes->data, changes->size);
}
