/*
 *   ... | next prev |  count type ............ | next prev | count type ...
 *         GC head      ^ 16-byte aligned  ^ jump behind it
 *
 * A freed object's count is 0, or the allocator's link (a pointer, too large for a count) where the
 * count was. There is one ghost: realloc of an object with a GC head moves it and frees the old
 * block, whose first word, the head's `next`, becomes the link, while count and type stay. An
 * object that is tracked has both links, one that is not has no `next`: a `next` without a `prev`
 * is a ghost.
 */
#include "sweep.h"

#include "attributes.h"
#include "pymalloc.h"

#define COUNT_MAX UINT32_MAX /* of references */
enum {
    FRONT_MAX = GC_HEAD_BYTES + PRE_HEADER_BYTES,
    GC_FINALIZED = 1,      /* in `prev` of a GC head; 2 is GC_COLLECTING */
    STRIDE_HEAP = 16,      /* malloc and pymalloc align to this */
    LARGE_BYTES = 1 << 14, /* objects from here on must look like blocks to be jumped over .. */
    VALUES_MAX = 30,       /* SHARED_KEYS_MAX_SIZE */
    HUGE_BYTES = 1 << 20,  /* .. and from here on to be counted */
    STRIDE_STATIC = 8,     /* static objects lie inside larger structs */
    ASK_MAX = 1024,        /* addresses that are asked about at once .. */
    ASK_BYTES = 1 << 16,   /* .. and where they are looked for */
    CODE_CACHE_BYTES = 32, /* _PyOpcache */
    NDARRAY_OWNS_DATA = 4,
    NDARRAY_DIMENSIONS_MAX = 8, /* more are not measured */
    DEQUE_BLOCK_ITEMS = 64,
    DEQUE_BLOCK_BYTES = 528,
};

static inline uint64_t word_at(const uint8_t *bytes, int offset)
{
    uint64_t word;
    memcpy(&word, bytes + offset, sizeof(word));
    return word;
}

static inline uint32_t half_at(const uint8_t *bytes, int offset)
{
    uint32_t half;
    memcpy(&half, bytes + offset, sizeof(half));
    return half;
}

static inline uint64_t round_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) & ~(unit - 1);
}

/* A candidate under measurement. */
struct object {
    addr_t at;
    const uint8_t *bytes; /* SWEEP_AHEAD_BYTES of it, and SWEEP_LEAD_BYTES in front */
    struct type_entry *entry;
    uint64_t size;   /* sys.getsizeof, without what is late */
    uint64_t extent; /* bytes that it occupies from `at` on */
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

static int measure_variable(const struct object *object, uint64_t *ret)
{
    int64_t size = (int64_t)word_at(object->bytes, OBJECT_SIZE);
    uint64_t items = size < 0 ? -(uint64_t)size : (uint64_t)size;
    *ret = object->entry->basic_size + items * object->entry->item_size;
    return items < (uint64_t)1 << 44;
}

static void measure_int(const struct cpython_layout *layout, struct object *object)
{
    int64_t word = (int64_t)word_at(object->bytes, OBJECT_SIZE);
    uint64_t digits = layout->int_tagged ? (uint64_t)word >> 3
                      : word < 0         ? -(uint64_t)word
                                         : (uint64_t)word;
    uint64_t counted = digits < layout->int_digits_min ? layout->int_digits_min : digits;
    object->size = 24 + 4 * counted;
    object->extent = object->entry->basic_size;
    if (object->extent < 24 + 4 * digits)
        object->extent = 24 + 4 * digits;
}

/* Forms of a string: compact ASCII, compact, and the old one with its characters elsewhere. */
static int measure_str(const struct cpython_layout *layout, struct object *object)
{
    const uint8_t *bytes = object->bytes;
    uint32_t state = half_at(bytes, layout->str_state) >> layout->str_kind_shift;
    uint64_t width = state & 7, length = word_at(bytes, OBJECT_SIZE);
    int compact = state >> 3 & 1, ascii = state >> 4 & 1;
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
        object->size += word_at(bytes, layout->str_utf8_length) + 1;
    if (layout->str_wstr) {
        addr_t wstr = word_at(bytes, layout->str_wstr);
        uint64_t wide = compact && ascii ? length : word_at(bytes, layout->str_wstr_length);
        if (wstr && wstr != (compact && ascii ? object->at + layout->str_ascii_bytes : data))
            object->size += (wide + 1) * 4;
    }
    return 1;
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
    addr_t keys_at = object->at + layout->type_cached_keys, offset = keys_at - sweep->chunk_at;
    addr_t keys = 0;
    if (offset + sizeof(keys) <= sweep->chunk_size)
        keys = word_at(sweep->chunk, (int)offset);
    else if (!present_map_has(sweep->present, keys_at, sizeof(keys)) ||
             remote_read(sweep->present->remote, keys_at, &keys, sizeof(keys)) != STATUS_OK)
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

/* The rarer kinds; their offsets are the same in all supported versions. */
static void measure_rare(struct sweep *sweep, struct object *object)
{
    const uint8_t *bytes = object->bytes;
    uint64_t size = word_at(bytes, OBJECT_SIZE);
    object->size = object->extent = object->entry->basic_size;
    switch ((enum object_kind)object->entry->kind) {
    case KIND_DEQUE: /* leftindex; a block for each 64 items that are begun */
        object->size += (word_at(bytes, 40) + size + DEQUE_BLOCK_ITEMS - 1) / DEQUE_BLOCK_ITEMS *
                        DEQUE_BLOCK_BYTES;
        break;
    case KIND_ORDERED_DICT: /* od_fast_nodes_size, and a node of four words for each item */
        object->size += 8 * word_at(bytes, 72) + 32 * size;
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
        object->size += bytes[24] & 32 ? 0 : 8 * word_at(bytes, 56);
        break;
    case KIND_BUFFERED_IO: /* buffer, buffer_size */
        object->size += word_at(bytes, 56) ? word_at(bytes, 120) : 0;
        break;
    case KIND_NAIVE_TIME:
        object->extent -= 8;
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
        break;
    }
}

/* Sets size and extent. 0: this is no object after all. */
static int measure(struct sweep *sweep, struct object *object)
{
    const struct type_entry *entry = object->entry;
    const uint8_t *bytes = object->bytes;
    object->size = object->extent = entry->basic_size;
    switch ((enum object_kind)entry->kind) {
    case KIND_PLAIN:
        return 1;
    case KIND_VARIABLE:
        if (!measure_variable(object, &object->size))
            return 0;
        object->extent = object->size;
        return 1;
    case KIND_INT:
        measure_int(sweep->layout, object);
        return 1;
    case KIND_STR:
        return measure_str(sweep->layout, object);
    case KIND_LIST: /* allocated */
        object->size += 8 * word_at(bytes, 32);
        return 1;
    case KIND_DICT:
        add_late(sweep, object, word_at(bytes, DICT_KEYS), LATE_DICT,
                 word_at(bytes, DICT_VALUES) != 0);
        return 1;
    case KIND_SET: /* mask, table; smalltable */
        if (word_at(bytes, 40) != object->at + 64)
            object->size += (word_at(bytes, 32) + 1) * 16;
        return 1;
    case KIND_TYPE:
        measure_type(sweep, object);
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
        object->size += word_at(bytes, 24);
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
    if (basic_size >= SWEEP_AHEAD_BYTES)
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
static int count_values(struct sweep *sweep, struct object *object)
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

/*
 * The count is an address: a program that is loaded low (not position-independent) has its static
 * objects and its [heap] below 4 GiB, and a pointer to one of them in front of a stale type is no
 * object. Pointers are aligned; of counts that large, few are.
 */
static int is_pointer(const struct sweep *sweep, uint64_t count)
{
    for (size_t i = 0; i < sweep->low_count; i++) {
        if (count >= sweep->low[i].start && count < sweep->low[i].end && count % 8 == 0)
            return 1;
    }
    return 0;
}

/* While a collection runs, `prev` is a count and the flag GC_COLLECTING. */
static int is_ghost(const uint8_t *bytes)
{
    return word_at(bytes, -16) != 0 && (word_at(bytes, -8) & ~(uint64_t)GC_FINALIZED) == 0;
}

static int is_header(const struct sweep *sweep, const uint8_t *bytes)
{
    return word_at(bytes, OBJECT_REFCOUNT) - 1 < COUNT_MAX &&
           type_table_find(sweep->types, word_at(bytes, OBJECT_TYPE));
}

/*
 * An entry of a C table of {number, &SomeType}: its neighbour looks like an object, too. Where
 * static objects are immortal, an object with a small count is suspect.
 */
static int is_table(const struct sweep *sweep, uint64_t count, const uint8_t *bytes)
{
    return sweep->is_file && sweep->layout->immortal_from && count < sweep->layout->immortal_from &&
           (is_header(sweep, bytes - OBJECT_BYTES) || is_header(sweep, bytes + OBJECT_BYTES));
}

/*
 * A large object lies in a block of its own: its end fits what malloc says of the block (the word
 * in front of it, for glibc), or it begins where pages do. False ones do not.
 */
static int is_large_block(addr_t at, const uint8_t *bytes, unsigned front, uint64_t extent)
{
    uint64_t chunk = word_at(bytes, -(int)front - 8) & ~UINT64_C(7), wanted = extent + front;
    if (chunk >= wanted + 8 && chunk <= wanted + 2 * REMOTE_PAGE_BYTES)
        return 1;
    return (at - front) % REMOTE_PAGE_BYTES <= 64;
}

/* Returns the bytes to jump over, at most `room`; 0: no object. */
static uint64_t count_object(struct sweep *sweep, struct type_entry *entry, addr_t at,
                             const uint8_t *bytes, uint64_t room)
{
    struct object object = {.at = at, .bytes = bytes, .entry = entry};
    unsigned front = entry->front_size;
    if (entry->kind == KIND_TYPE && !(word_at(bytes, TYPE_FLAGS) & TYPE_HEAP))
        front = 0;
    if (entry->has_gc && front && is_ghost(bytes)) {
        sweep->ghosts++;
        return 0;
    }
    uint64_t count = word_at(bytes, OBJECT_REFCOUNT) & sweep->layout->refcount_mask;
    if (entry->least_bytes > room)
        return 0;
    if (is_pointer(sweep, count) || is_table(sweep, count, bytes))
        return 0;
    if (!measure(sweep, &object) || (entry->has_values && !count_values(sweep, &object)))
        return 0;
    if (object.extent > room || object.extent > sweep->limit_bytes)
        return 0;
    int is_doubtful =
        object.extent >= LARGE_BYTES && !is_large_block(at, bytes, front, object.extent);
    if (is_doubtful && object.extent >= HUGE_BYTES)
        return 0;
    if (object.size > sweep->limit_bytes) /* what lies elsewhere cannot be that large */
        object.size = entry->basic_size;
    if (entry->kind == KIND_TYPE)
        front = 0; /* counted by measure_type */
    entry->count++;
    entry->bytes += object.size + front;
    return is_doubtful ? OBJECT_BYTES : object.extent;
}

static struct known_pool *find_pool(struct sweep *sweep, addr_t at)
{
    return &sweep->pools[at / sweep->layout->pool_bytes % SWEEP_POOLS];
}

static addr_t pool_of(const struct sweep *sweep, addr_t at)
{
    return at & ~(addr_t)(sweep->layout->pool_bytes - 1);
}

/* Could a type be there? What is at hand decides at once; 1 when the process must be asked. */
static int may_be_type(struct sweep *sweep, addr_t at)
{
    addr_t offset = at - sweep->chunk_at;
    if (at % 8 || at < REMOTE_PAGE_BYTES || at >> 47 || type_table_is_miss(sweep->types, at))
        return 0;
    if (offset < sweep->chunk_size && sweep->chunk_size - offset >= TYPE_FRONT_BYTES)
        return type_table_may_be_type(sweep->chunk + offset);
    const struct known_pool *pool = find_pool(sweep, at);
    return pool->at != pool_of(sweep, at) || !pool->is_pool;
}

static void note_pool(void *user, const struct far_place *place, const uint8_t *bytes)
{
    struct sweep *sweep = user;
    struct pymalloc_pool found;
    struct known_pool *pool = find_pool(sweep, place->at);
    if (pool->at == place->at) /* another may have taken its slot */
        pool->is_pool = pymalloc_is_pool(sweep->layout, place->at, bytes, &found);
}

static void note_front(void *user, const struct far_place *place, const uint8_t *bytes)
{
    struct sweep *sweep = user;
    if (!type_table_may_be_type(bytes))
        type_table_miss(sweep->types, place->at);
}

/* The types of chunk[from..to) that are not known, at most ASK_MAX. *ret_next: how far it looked.
 */
static size_t find_unknown(struct sweep *sweep, size_t from, size_t to, size_t stride,
                           struct far_place *ret, size_t *ret_next)
{
    uint64_t mask = sweep->layout->refcount_mask;
    size_t count = 0, at = from;
    for (; at < to && count < ASK_MAX; at += stride) {
        addr_t type = word_at(sweep->chunk + at, OBJECT_TYPE);
        if ((word_at(sweep->chunk + at, OBJECT_REFCOUNT) & mask) - 1 < COUNT_MAX &&
            may_be_type(sweep, type) && !type_table_find(sweep->types, type))
            ret[count++] = (struct far_place){.at = type, .size = TYPE_FLAGS + 8};
    }
    *ret_next = at;
    return count;
}

/* Learn whether they lie in pools. Returns how many do not. */
static size_t ask_pools(struct sweep *sweep, struct far_place *places, size_t count)
{
    struct far_place heads[ASK_MAX];
    size_t head_count = 0, kept = 0;
    for (size_t i = 0; i < count; i++) {
        addr_t at = pool_of(sweep, places[i].at);
        struct known_pool *pool = find_pool(sweep, at);
        if (pool->at == at)
            continue;
        *pool = (struct known_pool){.at = at};
        heads[head_count++] = (struct far_place){.at = at, .size = POOL_HEAD_BYTES};
    }
    if (head_count)
        far_read(sweep->asked, heads, head_count, note_pool, sweep);
    for (size_t i = 0; i < count; i++) {
        if (may_be_type(sweep, places[i].at))
            places[kept++] = places[i];
    }
    return kept;
}

/*
 * A type that is not known is asked for, and most often there is none: a large dict with int keys
 * is full of pairs (hash, pointer) that look like (count, type). So the process is asked at once
 * about all that follow: first where the pools of small objects are, then about what lies
 * elsewhere. Returns how far it looked.
 */
static size_t ask_ahead(struct sweep *sweep, size_t from, size_t to, size_t stride)
{
    struct far_place places[ASK_MAX];
    size_t next;
    if (to - from > ASK_BYTES)
        to = from + ASK_BYTES;
    size_t count = find_unknown(sweep, from, to, stride, places, &next);
    count = ask_pools(sweep, places, count);
    if (count > 1)
        far_read(sweep->asked, places, count, note_front, sweep);
    return next;
}

/* The type of what may be an object, NULL if it is none. `asked`: how far the process was asked. */
static struct type_entry *find_type(struct sweep *sweep, size_t at, size_t to, size_t stride,
                                    size_t *asked)
{
    addr_t type = word_at(sweep->chunk + at, OBJECT_TYPE);
    struct type_entry *entry = type_table_find(sweep->types, type);
    if (entry || !may_be_type(sweep, type))
        return entry;
    if (at >= *asked)
        *asked = ask_ahead(sweep, at, to, stride);
    return may_be_type(sweep, type) ? type_table_probe(sweep->types, type) : NULL;
}

/* Whatever lies at chunk[from..to). Returns where to go on, which may be behind `to`. */
static size_t scan_plain(struct sweep *sweep, size_t from, size_t to, size_t stride)
{
    const uint8_t *chunk = sweep->chunk;
    uint64_t mask = sweep->layout->refcount_mask;
    size_t at = from, asked = from;
    while (at < to) {
        if ((word_at(chunk + at, OBJECT_REFCOUNT) & mask) - 1 >= COUNT_MAX) {
            at += stride;
            continue;
        }
        struct type_entry *entry = find_type(sweep, at, to, stride, &asked);
        uint64_t extent =
            entry ? count_object(sweep, entry, sweep->chunk_at + at, chunk + at, UINT64_MAX) : 0;
        at += extent ? round_up(extent, stride) : stride;
    }
    return at;
}

/* A block holds at most one object, behind its GC head and pre-header if it has them. */
static void scan_block(struct sweep *sweep, size_t block, size_t size, size_t to, size_t *asked)
{
    uint64_t mask = sweep->layout->refcount_mask;
    for (size_t front = 0; front <= FRONT_MAX && front + OBJECT_BYTES <= size;
         front += GC_HEAD_BYTES) {
        size_t at = block + front;
        if ((word_at(sweep->chunk + at, OBJECT_REFCOUNT) & mask) - 1 >= COUNT_MAX)
            continue;
        struct type_entry *entry = find_type(sweep, at, to, STRIDE_HEAP, asked);
        if (entry && entry->front_size == front &&
            count_object(sweep, entry, sweep->chunk_at + at, sweep->chunk + at, size - front))
            return;
    }
}

static void scan_pool(struct sweep *sweep, size_t from, const struct pymalloc_pool *pool)
{
    size_t end = from + pool->end, asked = from, size = pool->block_bytes;
    if (end > sweep->chunk_size)
        end = sweep->chunk_size;
    for (size_t block = from + POOL_HEAD_BYTES; block + size <= end; block += size)
        scan_block(sweep, block, size, end, &asked);
    sweep->pool_bytes += sweep->layout->pool_bytes;
    sweep->pool_free_bytes +=
        sweep->layout->pool_bytes - POOL_HEAD_BYTES - (uint64_t)pool->used * size;
}

/* Look at chunk[from..to), where an object header may start: pool by pool where there are such,
 * plainly elsewhere. Returns where to go on. */
static size_t scan(struct sweep *sweep, size_t from, size_t to)
{
    size_t pool_bytes = sweep->layout->pool_bytes, at = from;
    size_t stride = sweep->is_static ? STRIDE_STATIC : STRIDE_HEAP;
    if (sweep->is_file)
        return scan_plain(sweep, from, to, stride);
    while (at < to) {
        struct pymalloc_pool pool;
        addr_t address = sweep->chunk_at + at;
        size_t next = at + pool_bytes - (size_t)(address % pool_bytes);
        if (address % pool_bytes == 0 && at + POOL_HEAD_BYTES <= sweep->chunk_size &&
            pymalloc_is_pool(sweep->layout, address, sweep->chunk + at, &pool)) {
            scan_pool(sweep, at, &pool);
            at = next;
        } else {
            at = scan_plain(sweep, at, next < to ? next : to, stride);
        }
    }
    return at;
}

/* A page could not be read: is it still there, or did it vanish meanwhile? */
static void note_lost(struct sweep *sweep, addr_t start, addr_t end)
{
    struct remote_range found[16];
    addr_t next = start;
    while (next < end && remote_state(sweep->present->remote) == STATUS_OK) {
        size_t count =
            remote_present(sweep->present->remote, next, end, found, ARRAY_SIZE(found), &next);
        for (size_t i = 0; i < count; i++)
            sweep->lost_bytes += found[i].end - found[i].start;
    }
}

/* Scan the chunk; headers near its end wait for the next one unless it is the last. Returns how
 * many bytes at its end are not yet done with. */
static size_t scan_chunk(struct sweep *sweep, int is_last)
{
    size_t to = sweep->chunk_size - SWEEP_AHEAD_BYTES, kept = SWEEP_AHEAD_BYTES;
    if (is_last) {
        memset(sweep->chunk + sweep->chunk_size, 0, SWEEP_AHEAD_BYTES);
        to = sweep->chunk_size - OBJECT_BYTES + 1;
        kept = 0;
    }
    size_t from = sweep->behind > sweep->chunk_at ? (size_t)(sweep->behind - sweep->chunk_at) : 0;
    sweep->behind = sweep->chunk_at + scan(sweep, from, to);
    return kept;
}

/* Bytes at..end into the chunk behind `kept` bytes that are there already; what vanished in the
 * middle cuts it short. */
static size_t read_chunk(struct sweep *sweep, addr_t at, addr_t end, size_t kept)
{
    struct remote_range piece = {at, end};
    size_t got = remote_gather(sweep->present->remote, &piece, 1, sweep->chunk + kept);
    got &= ~(size_t)(REMOTE_PAGE_BYTES - 1);
    sweep->read_bytes += got;
    sweep->chunk_at = at - kept;
    sweep->chunk_size = kept + got;
    return got;
}

/* One stretch of present memory. */
static void sweep_range(struct sweep *sweep, const struct present_range *range)
{
    const struct remote_region *region = &sweep->present->regions->items[range->region];
    addr_t at = range->start;
    size_t kept = 0; /* bytes at the begin of the chunk that are known already */
    sweep->is_static = (region->flags & (REMOTE_FILE | REMOTE_BSS)) != 0;
    sweep->is_file = (region->flags & REMOTE_FILE) != 0;
    memset(sweep->lead, 0, SWEEP_LEAD_BYTES);
    while (at < range->end) {
        if (sweep->behind >= at + SWEEP_CHUNK_BYTES) { /* inside of a large object */
            at = sweep->behind & ~(addr_t)(REMOTE_PAGE_BYTES - 1);
            kept = 0;
            continue;
        }
        addr_t end = (at & ~(addr_t)(SWEEP_CHUNK_BYTES - 1)) + SWEEP_CHUNK_BYTES;
        end = end < range->end ? end : range->end;
        size_t got = read_chunk(sweep, at, end, kept);
        int is_last = at + got < end || end == range->end;
        if (sweep->chunk_size)
            kept = scan_chunk(sweep, is_last);
        if (at + got < end) {
            note_lost(sweep, at + got, at + got + REMOTE_PAGE_BYTES);
            if (remote_state(sweep->present->remote) != STATUS_OK)
                return;
            at += got + REMOTE_PAGE_BYTES; /* behind the page that cannot be read */
            continue;
        }
        at = end;
        memmove(sweep->lead, sweep->chunk + sweep->chunk_size - kept - SWEEP_LEAD_BYTES,
                SWEEP_LEAD_BYTES + kept);
    }
}

void sweep_run(struct sweep *sweep)
{
    for (size_t i = 0; i < sweep->present->count; i++) {
        if (remote_state(sweep->present->remote) != STATUS_OK)
            return;
        if (sweep->present->ranges[i].end > sweep->behind)
            sweep_range(sweep, &sweep->present->ranges[i]);
    }
}

void sweep_init(struct sweep *sweep, struct type_table *types, const struct present_map *present,
                struct late_sizes *late)
{
    *sweep =
        (struct sweep){.types = types, .present = present, .late = late, .layout = types->layout};
    size_t size = SWEEP_LEAD_BYTES + SWEEP_AHEAD_BYTES + SWEEP_CHUNK_BYTES + SWEEP_AHEAD_BYTES;
    sweep->lead = malloc(size);
    sweep->asked = calloc(1, sizeof(*sweep->asked));
    ASSERT(sweep->lead && sweep->asked);
    sweep->asked->present = present;
    sweep->chunk = sweep->lead + SWEEP_LEAD_BYTES;
    for (size_t i = 0; i < present->regions->count; i++) {
        const struct remote_region *region = &present->regions->items[i];
        sweep->limit_bytes += region->end - region->start;
        if (region->start <= COUNT_MAX && sweep->low_count < SWEEP_LOW_RANGES)
            sweep->low[sweep->low_count++] = (struct remote_range){region->start, region->end};
    }
    late->limit_bytes = sweep->limit_bytes;
}

void sweep_done(struct sweep *sweep)
{
    free(sweep->asked);
    free(sweep->lead);
    sweep->asked = NULL;
    sweep->lead = NULL;
}
