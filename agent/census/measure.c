#include "measure.h"

#include "attributes.h"
#include "object_kind.h"
#include "words.h"

enum {
    VALUES_MAX = 30, /* SHARED_KEYS_MAX_SIZE */
    CTYPE_BYTES_MAX = 168,
    PICKLER_BYTES = 160,
    PICKLER_BEHIND_OUTPUT = 88, /* from `output_buffer` to its end */
    INLINE_VALUES_HEAD_BYTES = 4,
    CODE_CACHE_BYTES = 32, /* _PyOpcache */
    NDARRAY_OWNS_DATA = 4,
    NDARRAY_DIMENSIONS_MAX = 8, /* more are not measured */
    DEQUE_BLOCK_ITEMS = 64,
    DEQUE_BLOCK_BYTES = 528,
};

/* Measure what lies elsewhere: now if it is in the chunk, later if not. */
static void add_late(struct sweep *sweep, const struct object *object, addr_t at,
                     enum late_rule rule, uint64_t extra)
{
    struct late_item item = {
        .at = at,
        .extra = extra,
        .entry = (uint32_t)(object->entry - sweep->types->entries),
        .rule = rule,
    };
    addr_t offset = at - sweep->chunk_at;
    if (offset < sweep->chunk_size && sweep->chunk_size - offset >= LATE_HEAD_BYTES)
        late_sizes_apply(sweep->late, &item, sweep->chunk + offset);
    else if (at)
        late_sizes_add(sweep->late, item);
}

/* Forms of a string: compact ASCII, compact, and the old one with its characters elsewhere. */
static int measure_str(const struct cpython_layout *layout, struct object *object)
{
    const uint8_t *bytes = object->bytes;
    uint32_t state = half_at(bytes, layout->str_state) >> layout->str_kind_shift;
    uint64_t width = state & 7, length = word_at(bytes, OBJECT_SIZE);
    unsigned compact = state >> 3 & 1, ascii = state >> 4 & 1;
    if (length >= (uint64_t)1 << 44 || width == 3 || width > 4)
        return 0;
    if (compact && ascii) {
        object->size = object->extent = layout->str_ascii_bytes + length + 1;
    } else if (compact) {
        object->size = object->extent = layout->str_compact_bytes + (length + 1) * width;
    } else {
        object->extent = object->entry->basic_size;
        object->size = layout->str_legacy_bytes;
        if (word_at(bytes, layout->str_data))
            object->size += (length + 1) * width;
    }
    addr_t data =
        compact ? object->at + layout->str_compact_bytes : word_at(bytes, layout->str_data);
    addr_t utf8 = word_at(bytes, layout->str_utf8);
    if (!(compact && ascii) && utf8 && utf8 != data)
        object->size += sized(word_at(bytes, layout->str_utf8_length) + 1, 1);
    if (layout->str_wstr) {
        addr_t wstr = word_at(bytes, layout->str_wstr);
        uint64_t wide = compact && ascii ? length : word_at(bytes, layout->str_wstr_length);
        if (wstr && wstr != (compact && ascii ? object->at + layout->str_ascii_bytes : data))
            object->size += sized(wide + 1, 4);
    }
    return 1;
}

/* `size` bytes of an object, far behind its header. */
static int read_inside(const struct sweep *sweep, const struct object *object, uint64_t offset,
                       void *to, size_t size)
{
    addr_t at = object->at + offset, in_chunk = at - sweep->chunk_at;
    if (in_chunk < sweep->chunk_size && sweep->chunk_size - in_chunk >= size) {
        memcpy(to, sweep->chunk + in_chunk, size);
        return 1;
    }
    return present_map_has(sweep->present, at, size) &&
           remote_read(sweep->present->remote, at, to, size) == STATUS_OK;
}

/*
 * How ctypes lays a C type out: {.. length, struct {.. elements}, .. format, ndim, shape}, with one
 * element for each of `length` and a last one. Some have no elements, format or shape.
 */
static void add_ctype(const struct sweep *sweep, struct object *object, const uint8_t *info,
                      unsigned length_at, unsigned format_at)
{
    addr_t elements = word_at(info, (int)length_at + 24), format = word_at(info, (int)format_at);
    object->size += elements ? sized(word_at(info, (int)length_at) + 1, 8) : 0;
    object->size += format ? late_text_bytes(sweep->late, format) : 0;
    object->size += sized(half_at(info, (int)format_at + 8), 8);
}

/* What a class of ctypes has begins where its base, `type`, ends. */
static void measure_ctype(struct sweep *sweep, struct object *object)
{
    const struct cpython_layout *layout = sweep->layout;
    uint8_t info[CTYPE_BYTES_MAX];
    uint64_t size;
    if (!(word_at(object->bytes, TYPE_FLAGS) & TYPE_HEAP) || !measure_variable(object, &size))
        return;
    object->extent = size;
    object->size = size + object->entry->front_size;
    if (layout->ctype_format && read_inside(sweep, object, round_up(layout->heap_type_bytes, 16),
                                            info, layout->ctype_format + 16u))
        add_ctype(sweep, object, info, 24, layout->ctype_format);
}

static void measure_type(struct sweep *sweep, struct object *object)
{
    const struct cpython_layout *layout = sweep->layout;
    uint64_t meta_size = 0;
    if (!(word_at(object->bytes, TYPE_FLAGS) & TYPE_HEAP)) {
        object->size = object->extent = layout->static_type_bytes;
        return;
    }
    object->size = layout->heap_type_bytes + object->entry->front_size;
    object->extent = measure_variable(object, &meta_size) ? meta_size : layout->heap_type_bytes;
    addr_t keys;
    if (!read_inside(sweep, object, layout->type_cached_keys, &keys, sizeof(keys)))
        keys = 0;
    add_late(sweep, object, keys, LATE_CLASS_KEYS, 0);
}

static void measure_code(struct sweep *sweep, struct object *object)
{
    const struct cpython_layout *layout = sweep->layout;
    const uint8_t *bytes = object->bytes;
    (void)!measure_variable(object, &object->size);
    object->size = object->extent = round_up(object->size, 8);
    add_late(sweep, object, word_at(bytes, layout->code_extra), LATE_CODE_EXTRA, 0);
    if (layout->code_cell_arguments && word_at(bytes, layout->code_cell_arguments))
        add_late(sweep, object, word_at(bytes, layout->code_cells), LATE_CELLS, 0);
    if (layout->code_cache && word_at(bytes, layout->code_cache)) /* its size is the byte at + 12 */
        add_late(sweep, object, word_at(bytes, layout->code_bytecode), LATE_CODE_CACHE,
                 (uint64_t)bytes[layout->code_cache + 12] * CODE_CACHE_BYTES);
}

static void measure_frame(struct sweep *sweep, struct object *object)
{
    const struct cpython_layout *layout = sweep->layout;
    object->size = object->entry->basic_size;
    if (!measure_variable(object, &object->extent) || layout->frame_rule == FRAME_INTERPRETER)
        object->extent = object->size;
    if (layout->frame_rule == FRAME_OWN_SLOTS)
        add_late(sweep, object, word_at(object->bytes, layout->frame_code), LATE_CODE_SLOTS, 0);
    else
        add_late(sweep, object, word_at(object->bytes, layout->frame_inner) + layout->frame_code,
                 LATE_FRAME_CODE, 0);
}

static void measure_generator(struct sweep *sweep, struct object *object)
{
    const struct cpython_layout *layout = sweep->layout;
    object->size = object->extent = object->entry->basic_size;
    int frame = (int)object->entry->basic_size - layout->inner_frame_bytes;
    if (layout->inner_frame_bytes && frame > 0 &&
        frame + layout->frame_code < SWEEP_AHEAD_BYTES - 8)
        add_late(sweep, object, word_at(object->bytes, frame + layout->frame_code) & ~(addr_t)7,
                 LATE_CODE_SLOTS, 0);
}

/*
 * struct {.. char *data; int nd; npy_intp *dimensions, *strides; PyObject *base; PyArray_Descr
 * *descr; int flags; ..}. The description's item size is an int at 32 before numpy 2 and a word at
 * 40 since; the other place holds a pointer or flags. An array that does not own its data has none.
 */
static void measure_ndarray(struct sweep *sweep, struct object *object)
{
    uint64_t description[6];
    uint64_t dimensions = half_at(object->bytes, 24);
    addr_t descr = word_at(object->bytes, 56);
    if (dimensions > NDARRAY_DIMENSIONS_MAX)
        return;
    object->size += 16 * dimensions;
    if (!(half_at(object->bytes, 64) & NDARRAY_OWNS_DATA) ||
        !present_map_has(sweep->present, descr, sizeof(description)) ||
        remote_read(sweep->present->remote, descr, description, sizeof(description)) != STATUS_OK)
        return;
    uint64_t item_bytes =
        description[5] && description[5] < 1 << 20 ? description[5] : description[4] & UINT32_MAX;
    if (dimensions == 0)
        object->size += item_bytes;
    else
        add_late(sweep, object, word_at(object->bytes, 32), LATE_DIMENSIONS,
                 item_bytes | dimensions << 32);
}

/* More room than bytes, its bytes within it, few exports: a C table of types rarely has that. */
static int is_bytearray(const uint8_t *bytes)
{
    uint64_t size = word_at(bytes, OBJECT_SIZE), alloc = word_at(bytes, 24);
    uint64_t begin = word_at(bytes, 32), start = word_at(bytes, 40), exports = word_at(bytes, 48);
    if (alloc == 0)
        return size == 0;
    return size <= alloc && begin != 0 && start - begin <= alloc && exports < UINT32_MAX;
}

/* Where an unpickler has marks_size. It moved in patch releases, but its own size tells. */
static int unpickler_marks(const struct type_entry *entry)
{
    static const uint16_t places[][2] = {{264, 248}, {272, 256}, {296, 272}, {304, 280}};
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        if (entry->root_size == places[i][0])
            return places[i][1];
    }
    return 0;
}

/* Those of iterators and picklers; how many slots they have lies in them, or in what they point to.
 */
static void measure_machine(struct sweep *sweep, struct object *object)
{
    const struct cpython_layout *layout = sweep->layout;
    const uint8_t *bytes = object->bytes;
    int marks;
    switch ((enum object_kind)object->entry->kind) {
    case KIND_PRODUCT: /* an index for each of `pools`, a tuple */
        add_late(sweep, object, word_at(bytes, 16), LATE_CELLS, 0);
        break;
    case KIND_COMBINATIONS: /* r indices */
        object->size += sized(word_at(bytes, 40), 8);
        break;
    case KIND_PERMUTATIONS: /* an index for each of `pool`, a tuple, and r cycles */
        add_late(sweep, object, word_at(bytes, 16), LATE_CELLS, 0);
        object->size += sized(word_at(bytes, 48), 8);
        break;
    case KIND_PICKLER: /* memo */
        add_late(sweep, object, word_at(bytes, 16), LATE_MEMO, 0);
        if (object->entry->root_size <= PICKLER_BYTES &&
            object->entry->root_size >= OBJECT_BYTES + PICKLER_BEHIND_OUTPUT)
            add_late(sweep, object,
                     word_at(bytes, (int)object->entry->root_size - PICKLER_BEHIND_OUTPUT),
                     LATE_OUTPUT, 0);
        break;
    case KIND_UNPICKLER: /* memo, memo_size, the names of encoding and errors */
        object->size += word_at(bytes, 24) ? sized(word_at(bytes, 32), 8) : 0;
        marks = unpickler_marks(object->entry);
        object->size += marks ? sized(word_at(bytes, marks), 8) : 0;
        object->size += sizeof("ASCII") + sizeof("strict");
        break;
    case KIND_SCALAR_SIZED:
        if (measure_variable(object, &object->size))
            object->extent = object->size;
        object->size += sized(word_at(bytes, OBJECT_SIZE), 1);
        break;
    case KIND_QUEUE: /* its ring */
        if (layout->queue_capacity)
            object->size += sized(word_at(bytes, layout->queue_capacity), 8);
        break;
    default: /* KIND_SCALAR_1 .. */
        object->size += UINT64_C(1) << (object->entry->kind - KIND_SCALAR_1);
        break;
    }
}

/* The rarer kinds; their offsets are the same in all supported versions. */
static void measure_rare(struct sweep *sweep, struct object *object)
{
    const uint8_t *bytes = object->bytes;
    uint64_t size = word_at(bytes, OBJECT_SIZE), blocks;
    object->size = object->extent = object->entry->basic_size;
    switch ((enum object_kind)object->entry->kind) {
    case KIND_DEQUE: /* leftindex; a block for each 64 items that are begun */
        blocks = (word_at(bytes, 40) + size + DEQUE_BLOCK_ITEMS - 1) / DEQUE_BLOCK_ITEMS;
        object->size += sized(blocks, DEQUE_BLOCK_BYTES);
        break;
    case KIND_ORDERED_DICT: /* od_fast_nodes_size, and a node of four words for each item */
        object->size += sized(word_at(bytes, 72), 8) + sized(size, 32);
        add_late(sweep, object, word_at(bytes, DICT_KEYS), LATE_DICT,
                 word_at(bytes, DICT_VALUES) != 0);
        break;
    case KIND_ARRAY: /* allocated, ob_descr */
        object->size += late_array_bytes(sweep->late, word_at(bytes, 40), word_at(bytes, 32));
        break;
    case KIND_BYTES_IO: /* buf */
        add_late(sweep, object, word_at(bytes, 16), LATE_BYTES_BUF, 0);
        break;
    case KIND_DECIMAL: /* flags, alloc; 32 says that the digits lie inside */
        object->size += bytes[24] & 32 ? 0 : sized(word_at(bytes, 56), 8);
        break;
    case KIND_BUFFERED_IO: /* buffer, buffer_size */
        object->size += word_at(bytes, 56) ? sized(word_at(bytes, 120), 1) : 0;
        break;
    case KIND_NAIVE_TIME:
        object->extent -= 8;
        break;
    case KIND_STG_DICT:
        add_late(sweep, object, word_at(bytes, DICT_KEYS), LATE_DICT,
                 word_at(bytes, DICT_VALUES) != 0);
        object->size += object->entry->basic_size - DICT_BYTES; /* CPython counts it twice */
        add_ctype(sweep, object, bytes, 64, 168);
        break;
    case KIND_ELEMENT: /* extra */
        add_late(sweep, object, word_at(bytes, 40), LATE_ELEMENT, 0);
        break;
    case KIND_NDARRAY:
        measure_ndarray(sweep, object);
        break;
    case KIND_STRUCT: /* s_codes */
        add_late(sweep, object, word_at(bytes, 32), LATE_FORMAT, 0);
        break;
    default:
        measure_machine(sweep, object);
        break;
    }
}

int measure_other(struct sweep *sweep, struct object *object)
{
    const struct type_entry *entry = object->entry;
    const uint8_t *bytes = object->bytes;
    switch ((enum object_kind)entry->kind) {
    case KIND_VARIABLE: /* has been found to be too large */
        return 0;
    case KIND_STR:
        return measure_str(sweep->layout, object);
    case KIND_DICT:
        add_late(sweep, object, word_at(bytes, DICT_KEYS), LATE_DICT,
                 word_at(bytes, DICT_VALUES) != 0);
        return 1;
    case KIND_SET: /* mask, table; smalltable */
        if (word_at(bytes, 40) != object->at + 64)
            object->size += sized(word_at(bytes, 32) + 1, 16);
        return 1;
    case KIND_TYPE:
        measure_type(sweep, object);
        return 1;
    case KIND_CTYPE:
        measure_ctype(sweep, object);
        return 1;
    case KIND_CODE:
        measure_code(sweep, object);
        return 1;
    case KIND_FRAME:
        measure_frame(sweep, object);
        return 1;
    case KIND_GENERATOR:
        measure_generator(sweep, object);
        return 1;
    case KIND_BYTEARRAY:
        object->size += sized(word_at(bytes, 24), 1);
        object->size += word_at(bytes, 24) ? sweep->layout->bytearray_front : 0u;
        return is_bytearray(bytes);
    default:
        measure_rare(sweep, object);
        return 1;
    }
}

/* {capacity, size, embedded, valid}, the values, and a byte for each; right behind the object. */
static int measure_inline_values(struct sweep *sweep, struct object *object)
{
    uint32_t basic_size = object->entry->basic_size;
    if (basic_size > SWEEP_AHEAD_BYTES - INLINE_VALUES_HEAD_BYTES)
        return 1;
    const uint8_t *values = object->bytes + basic_size;
    uint64_t capacity = values[0], bytes = 8 + 8 * capacity + round_up(capacity, 8);
    if (capacity > VALUES_MAX || values[1] > capacity || values[2] > 1 || values[3] > 1)
        return 0;
    object->extent += bytes;
    if (!word_at(object->bytes, -24)) /* a dict would count them */
        sweep->values_bytes += bytes;
    return 1;
}

/* Attribute values that no dict accounts for. 0: this is no object after all. */
int measure_values(struct sweep *sweep, struct object *object)
{
    const uint8_t *bytes = object->bytes;
    switch (sweep->layout->values) {
    case VALUES_AT_32:
        if (word_at(bytes, -32))
            sweep->values_bytes += type_table_values_bytes(sweep->types, object->entry);
        break;
    case VALUES_TAGGED:
        if (word_at(bytes, -24) & 1)
            sweep->values_bytes += type_table_values_bytes(sweep->types, object->entry);
        break;
    case VALUES_INLINE:
        return measure_inline_values(sweep, object);
    case VALUES_NONE:
        break;
    }
    return 1;
}
