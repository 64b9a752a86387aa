#include "late_size.h"

#include "attributes.h"
#include "dict_keys.h"
#include "object_kind.h"
#include "words.h"

enum {
    FORMAT_CODES_MAX = 4096,
    FORMAT_CODE_BYTES = 32,
    TEXT_BYTES_MAX = 65536,
};

struct late_sizes *late_sizes_new(struct type_table *types, const struct present_map *present)
{
    struct late_sizes *late = calloc(1, sizeof(*late));
    ASSERT(late);
    late->types = types;
    late->present = present;
    late->reader.present = present;
    return late;
}

void late_sizes_free(struct late_sizes *late)
{
    free(late);
}

/* ob_size of a tuple elsewhere; 0 if it cannot be read. */
static uint64_t remote_size(const struct late_sizes *late, addr_t at)
{
    uint64_t size;
    if (!at || !present_map_has(late->present, at, 24) ||
        remote_read(late->present->remote, at + OBJECT_SIZE, &size, sizeof(size)) != STATUS_OK)
        return 0;
    return size < 1 << 20 ? size : 0;
}

static uint64_t code_slot_bytes(const struct late_sizes *late, const struct cpython_layout *layout,
                                const uint8_t *code)
{
    uint64_t slots =
        (uint64_t)half_at(code, layout->code_slots) + half_at(code, layout->code_stacksize);
    if (layout->code_cells) {
        slots += remote_size(late, word_at(code, layout->code_cells));
        slots += remote_size(late, word_at(code, layout->code_free));
    }
    return slots < 1 << 24 ? 8 * (slots - (layout->code_cells && slots)) : 0;
}

static uint64_t frame_bytes(const struct late_sizes *late, const struct cpython_layout *layout,
                            addr_t code)
{
    uint8_t head[LATE_HEAD_BYTES];
    code &= ~(addr_t)7;
    if (!present_map_has(late->present, code, sizeof(head)) ||
        remote_read(late->present->remote, code, head, sizeof(head)) != STATUS_OK)
        return 0;
    return code_slot_bytes(late, layout, head);
}

/* One element for each code up to one without a definition, which is counted too. */
static uint64_t format_bytes(const struct late_sizes *late, addr_t codes)
{
    uint64_t code[FORMAT_CODE_BYTES / 8], count = 1;
    while (count < FORMAT_CODES_MAX && present_map_has(late->present, codes, sizeof(code)) &&
           remote_read(late->present->remote, codes, code, sizeof(code)) == STATUS_OK && code[0]) {
        codes += sizeof(code);
        count++;
    }
    return count * FORMAT_CODE_BYTES;
}

uint64_t late_text_bytes(const struct late_sizes *late, addr_t at)
{
    char text[256];
    uint64_t bytes = 0;
    while (bytes < TEXT_BYTES_MAX) {
        size_t size = sizeof(text) - (size_t)((at + bytes) % sizeof(text));
        if (!present_map_read(late->present, at + bytes, text, size))
            return 0;
        size_t length = strnlen(text, size);
        bytes += length;
        if (length < size)
            return bytes + 1;
    }
    return 0;
}

/* The description of an array's items lies in the constant data of its module: not in the map. What
 * looks like an array may point anywhere. */
static uint64_t array_item_bytes(const struct late_sizes *late, addr_t at)
{
    uint32_t item_bytes;
    if (!present_map_read(late->present, at + 4, &item_bytes, sizeof(item_bytes)))
        return 0;
    return item_bytes <= 16 ? item_bytes : 0;
}

/* A product that overflows is refused by the limit of what an object may have. */
static uint64_t dimensions_bytes(const uint8_t *head, uint64_t extra)
{
    uint64_t bytes = extra & UINT32_MAX;
    for (uint64_t i = 0; i < extra >> 32; i++) {
        if (__builtin_mul_overflow(bytes, word_at(head + 8 * i, 0), &bytes))
            return UINT64_MAX;
    }
    return bytes;
}

static uint64_t measure(const struct late_sizes *late, const struct late_item *item,
                        const uint8_t *head)
{
    const struct cpython_layout *layout = late->types->layout;
    switch ((enum late_rule)item->rule) {
    case LATE_DICT:
        return dict_bytes(layout, head, item->extra);
    case LATE_CLASS_KEYS:
        return class_keys_bytes(layout, head);
    case LATE_BYTES_BUF: /* a buffer that is shared is not counted */
        return half_at(head, 0) == 1 ? 33 + sized(word_at(head, OBJECT_SIZE), 1) : 0;
    case LATE_CODE_SLOTS:
        return code_slot_bytes(late, layout, head);
    case LATE_FRAME_CODE:
        return frame_bytes(late, layout, word_at(head, 0));
    case LATE_CODE_EXTRA: /* {Py_ssize_t ce_size; void *ce_extras[]} */
        return 8 + sized(word_at(head, 0), 8);
    case LATE_CODE_CACHE: /* one byte of map for each instruction of two bytes */
        return item->extra + word_at(head, OBJECT_SIZE) / 2;
    case LATE_MEMO: /* {mask, used, allocated, entries of two words} */
        return 32 + sized(word_at(head, 16), 16);
    case LATE_OUTPUT:
        return 33 + sized(word_at(head, OBJECT_SIZE), 1);
    case LATE_CELLS:
        return sized(word_at(head, OBJECT_SIZE), 8);
    case LATE_ELEMENT: /* {attrib, length, allocated, children, first four children} */
        return 64 + (word_at(head, 24) == item->at + 32 ? 0 : sized(word_at(head, 16), 8));
    case LATE_DIMENSIONS:
        return dimensions_bytes(head, item->extra);
    case LATE_FORMAT:
        return format_bytes(late, item->at);
    }
    return 0;
}

void late_sizes_apply(struct late_sizes *late, const struct late_item *item, const uint8_t *head)
{
    uint64_t bytes = measure(late, item, head);
    if (bytes <= late->limit_bytes)
        type_entry_add(&late->types->entries[item->entry], bytes);
}

uint64_t late_array_bytes(struct late_sizes *late, addr_t description, uint64_t items)
{
    struct late_array *known = &late->arrays[description / 8 % LATE_ARRAYS];
    if (known->at != description)
        *known = (struct late_array){description, array_item_bytes(late, description)};
    return sized(items, known->item_bytes);
}

void late_sizes_add(struct late_sizes *late, struct late_item item)
{
    late->items[late->count++] = item;
    if (late->count == LATE_ITEMS)
        late_sizes_flush(late);
}

/* Bytes that `measure` looks at. */
static const uint8_t head_bytes[] = {
    [LATE_DICT] = 40,       [LATE_CLASS_KEYS] = 40,
    [LATE_BYTES_BUF] = 24,  [LATE_CODE_SLOTS] = LATE_HEAD_BYTES,
    [LATE_FRAME_CODE] = 8,  [LATE_CODE_EXTRA] = 8,
    [LATE_CODE_CACHE] = 24, [LATE_CELLS] = 24,
    [LATE_FORMAT] = 8,      [LATE_ELEMENT] = 32,
    [LATE_DIMENSIONS] = 64, [LATE_MEMO] = 24,
    [LATE_OUTPUT] = 24,
};

static uint32_t item_bytes(const struct late_item *item)
{
    uint32_t more = item->rule == LATE_DIMENSIONS ? (uint32_t)(item->extra >> 32) - 1 : 0;
    return head_bytes[item->rule] + 8 * more;
}

static void apply_place(void *user, const struct far_place *place, const uint8_t *bytes)
{
    struct late_sizes *late = user;
    late_sizes_apply(late, &late->items[place->index], bytes);
}

void late_sizes_flush(struct late_sizes *late)
{
    for (size_t i = 0; i < late->count; i++)
        late->places[i] = (struct far_place){
            .at = late->items[i].at, .size = item_bytes(&late->items[i]), .index = (uint32_t)i};
    far_read(&late->reader, late->places, late->count, apply_place, late);
    late->count = 0;
}
