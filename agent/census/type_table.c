#include "type_table.h"

#include <sys/random.h>

#include "attributes.h"
#include "clock.h"

enum {
    ENTRIES_AT_FIRST = 1024,
    ROW_SLOTS = 32768,
    FACTS_AT_ONCE = 256,
    PROBES_AT_ONCE = TYPE_AHEAD_MAX / 2, /* the other half are bases */
    BASES_MAX = 64,                      /* depth of inheritance that is followed */
    TEXT_BYTES_MAX = 9 << 20,            /* TYPE_ROWS_MAX names of full length */
};

static void rebuild_slots(struct type_table *table)
{
    memset(table->slots, 0, ((size_t)table->slot_mask + 1) * sizeof(table->slots[0]));
    for (uint32_t i = 0; i < table->count; i++) {
        uint32_t slot = type_table_hash(table, table->entries[i].at);
        while (table->slots[slot & table->slot_mask])
            slot++;
        table->slots[slot & table->slot_mask] = i + 1;
    }
}

/* Entries for `capacity` types, and four slots for each. */
static void set_capacity(struct type_table *table, uint32_t capacity)
{
    table->capacity = capacity;
    table->entries = realloc(table->entries, capacity * sizeof(table->entries[0]));
    table->facts = realloc(table->facts, capacity * sizeof(table->facts[0]));
    free(table->slots);
    table->slots = calloc((size_t)capacity * 4, sizeof(table->slots[0]));
    ASSERT(table->entries && table->facts && table->slots);
    table->slot_mask = capacity * 4 - 1;
    rebuild_slots(table);
}

/* Each byte multiplies by what nobody knows, so that no names can be made that collide. */
static uint32_t name_hash(const struct type_table *table, const char *name)
{
    uint64_t hash = table->seed;
    for (; *name; name++) {
        hash = (hash + (uint8_t)*name) * (table->seed ^ 0x5851f42d);
        hash ^= hash >> 29;
    }
    return (uint32_t)(hash >> 32);
}

static uint32_t add_row(struct type_table *table, const char *name)
{
    if (table->rows == table->row_capacity) {
        table->row_capacity = table->row_capacity ? table->row_capacity * 2 : 256;
        table->names = realloc(table->names, table->row_capacity * sizeof(table->names[0]));
        ASSERT(table->names);
    }
    const char *copy = arena_strndup(&table->text, name, strlen(name));
    if (!copy)
        return TYPE_ROW_OTHER;
    table->names[table->rows] = copy;
    return table->rows++;
}

static uint32_t find_row(struct type_table *table, const char *name)
{
    uint32_t slot = name_hash(table, name) % ROW_SLOTS;
    for (; table->row_slots[slot]; slot = (slot + 1) % ROW_SLOTS) {
        if (strcmp(table->names[table->row_slots[slot]], name) == 0)
            return table->row_slots[slot];
    }
    uint32_t row = table->rows < TYPE_ROWS_MAX ? add_row(table, name) : TYPE_ROW_OTHER;
    table->row_slots[slot] = (uint16_t)row;
    if (row == TYPE_ROW_OTHER)
        table->folded++;
    return row;
}

struct type_table *type_table_new(const struct cpython_layout *layout,
                                  const struct python_process *process,
                                  const struct present_map *present)
{
    struct type_table *table = calloc(1, sizeof(*table));
    ASSERT(table);
    table->layout = layout;
    table->present = present;
    table->reader =
        (struct type_reader){.layout = layout, .str_type = process->builtins[PYTHON_STR]};
    table->type_type = process->type_type;
    if (getrandom(&table->seed, sizeof(table->seed), GRND_NONBLOCK) != sizeof(table->seed))
        table->seed = (uint64_t)clock_mono_ns() * UINT64_C(0x9e3779b97f4a7c15);
    table->seed |= 1;
    table->row_slots = calloc(ROW_SLOTS, sizeof(table->row_slots[0]));
    ASSERT(table->row_slots);
    arena_init(&table->text, TEXT_BYTES_MAX);
    set_capacity(table, ENTRIES_AT_FIRST);
    ASSERT(add_row(table, "(other)") == TYPE_ROW_OTHER);
    ASSERT(add_row(table, "(attribute values)") == TYPE_ROW_VALUES);
    return table;
}

void type_table_free(struct type_table *table)
{
    if (!table)
        return;
    free(table->entries);
    free(table->facts);
    free(table->slots);
    free(table->names);
    free(table->row_slots);
    arena_done(&table->text);
    type_table_end(table);
    free(table);
}

/* What entries from..to say of themselves, in one reading. */
static void read_facts_ahead(struct type_table *table, uint32_t from, uint32_t to)
{
    struct read_ahead *ahead = table->reader.ahead;
    read_ahead_clear(ahead);
    for (uint32_t i = from; i < to; i++) {
        read_ahead_want(ahead, table->entries[i].at, TYPE_FRONT_BYTES, 0);
        if (table->facts[i].flags & TYPE_HEAP)
            type_reader_want_heap(&table->reader, table->entries[i].at);
    }
    read_ahead_fetch(ahead);
}

void type_table_begin(struct type_table *table)
{
    uint32_t kept = 0;
    memset(table->misses, 0, sizeof(table->misses));
    table->probes_left = TYPE_PROBES_MAX;
    table->asks_left = TYPE_ASKS_MAX;
    table->is_cut = 0;
    if (!table->reader.ahead)
        table->reader.ahead = read_ahead_new(table->present);
    for (uint32_t i = 0; i < table->count; i++) {
        struct type_facts facts;
        struct type_entry *entry = &table->entries[i];
        if (i % FACTS_AT_ONCE == 0)
            read_facts_ahead(table, i,
                             table->count - i < FACTS_AT_ONCE ? table->count : i + FACTS_AT_ONCE);
        if (!type_reader_facts(&table->reader, entry->at, &facts) ||
            memcmp(&facts, &table->facts[i], sizeof(facts)) != 0 || entry->is_unsure)
            continue;
        entry->count = entry->bytes = entry->huge_bytes = 0;
        entry->values_bytes = 0;
        table->entries[kept] = *entry;
        table->facts[kept++] = facts;
    }
    table->count = kept;
    read_ahead_clear(table->reader.ahead);
    rebuild_slots(table);
}

void type_table_end(struct type_table *table)
{
    read_ahead_free(table->reader.ahead);
    table->reader.ahead = NULL;
}

static struct type_entry *insert(struct type_table *table, struct type_entry entry,
                                 const struct type_facts *facts)
{
    if (table->count == table->capacity)
        set_capacity(table, table->capacity * 2);
    uint32_t slot = type_table_hash(table, entry.at);
    while (table->slots[slot & table->slot_mask])
        slot++;
    table->entries[table->count] = entry;
    table->facts[table->count] = *facts;
    table->slots[slot & table->slot_mask] = ++table->count;
    return &table->entries[table->count - 1];
}

static struct type_entry *recognise(struct type_table *table, addr_t at, int depth);

static struct type_entry *find_or_recognise(struct type_table *table, addr_t at, int depth)
{
    struct type_entry *entry = type_table_find(table, at);
    return entry ? entry : depth > 0 ? recognise(table, at, depth - 1) : NULL;
}

/* A type is an object whose type is `type`, or another metatype. */
static int is_metatype(struct type_table *table, addr_t at, addr_t metatype, int depth)
{
    if (metatype == table->type_type)
        return 1;
    if (metatype == at)
        return 0;
    const struct type_entry *entry = find_or_recognise(table, metatype, depth);
    return entry && object_kind_is_type(entry->kind);
}

static uint32_t least_bytes(const struct cpython_layout *layout, enum object_kind kind,
                            uint32_t basic_size)
{
    if (kind == KIND_STR)
        return layout->str_ascii_bytes;
    return kind == KIND_NAIVE_TIME ? basic_size - 8 : basic_size;
}

static int may_probe(struct type_table *table)
{
    if (table->count < TYPE_ENTRIES_MAX && table->probes_left > 0)
        return 1;
    table->is_cut = 1;
    return 0;
}

static struct type_entry *recognise(struct type_table *table, addr_t at, int depth)
{
    const struct cpython_layout *layout = table->layout;
    struct type_facts facts;
    char name[TYPE_NAME_BYTES_MAX + 1];
    if (at % 8 ||
        !present_map_has(table->present, at, TYPE_FRONT_BYTES) || /* constant data is none */
        !may_probe(table))
        return NULL;
    table->probes_left--;
    if (!type_reader_facts(&table->reader, at, &facts) ||
        !is_metatype(table, at, facts.metatype, depth))
        return NULL;
    const struct type_entry *base = facts.base ? find_or_recognise(table, facts.base, depth) : NULL;
    enum object_kind base_kind = base ? base->kind : KIND_PLAIN;
    if (!type_reader_name(&table->reader, &facts, name))
        return NULL;
    int lacks_module = table->reader.lacks_module;
    struct type_entry *known = type_table_find(table, at); /* by way of its own bases? */
    if (known)
        return known;
    int has_gc = (facts.flags & TYPE_HAS_GC) != 0;
    int has_pre_header = (facts.flags & layout->pre_header_flags) != 0;
    struct type_entry entry = {
        .at = at,
        .basic_size = (uint32_t)facts.basic_size,
        .item_size = (uint32_t)facts.item_size,
        .row = find_row(table, name),
        .kind = (uint8_t)object_kind_of(name, facts.flags, facts.item_size, base_kind),
        .has_gc = (uint8_t)has_gc,
        .is_unsure = (uint32_t)lacks_module,
        .front_size = (uint8_t)(has_gc * GC_HEAD_BYTES + has_pre_header * PRE_HEADER_BYTES),
    };
    entry.root_size = base && base->kind == entry.kind ? base->root_size : entry.basic_size;
    entry.least_bytes = least_bytes(layout, entry.kind, entry.basic_size);
    if (layout->values == VALUES_INLINE)
        entry.has_values = (facts.flags & TYPE_INLINE_VALUES) != 0;
    else if (layout->values != VALUES_NONE)
        entry.has_values = (facts.flags & TYPE_MANAGED_DICT) && facts.cached_keys;
    return insert(table, entry, &facts);
}

int type_table_may_be_type(const uint8_t *front)
{
    uint64_t flags;
    int64_t basic_size;
    memcpy(&flags, front + TYPE_FLAGS, sizeof(flags));
    memcpy(&basic_size, front + TYPE_BASIC_SIZE, sizeof(basic_size));
    return type_reader_may_be_type(flags, basic_size);
}

struct type_entry *type_table_probe(struct type_table *table, addr_t at)
{
    if (type_table_is_miss(table, at))
        return NULL;
    struct type_entry *entry = recognise(table, at, BASES_MAX);
    if (!entry)
        type_table_miss(table, at);
    return entry;
}

static int is_known(const void *user, addr_t at)
{
    return type_table_find(user, at) != NULL;
}

void type_table_probe_all(struct type_table *table, const addr_t *types, size_t count)
{
    addr_t asked[PROBES_AT_ONCE];
    for (size_t i = 0; i < count;) {
        size_t n = 0;
        for (; i < count && n < PROBES_AT_ONCE; i++) {
            if (!is_known(table, types[i]))
                asked[n++] = types[i];
        }
        type_reader_ahead(&table->reader, asked, n, is_known, table);
        for (size_t k = 0; k < n; k++) {
            if (!is_known(table, asked[k]))
                (void)!type_table_probe(table, asked[k]);
        }
    }
}

uint32_t type_table_values_bytes(struct type_table *table, struct type_entry *entry)
{
    uint64_t head[4]; /* .., dk_usable, dk_nentries */
    if (entry->values_bytes)
        return entry->values_bytes;
    uint64_t slots = 0;
    addr_t keys = table->facts[entry - table->entries].cached_keys;
    if (present_map_has(table->present, keys, sizeof(head)) &&
        remote_read(table->present->remote, keys, head, sizeof(head)) == STATUS_OK)
        slots = head[2] + head[3];
    if (slots > 64)
        slots = 0;
    entry->values_bytes = (uint32_t)(((slots + 2 + 7) & ~UINT64_C(7)) + 8 * slots);
    return entry->values_bytes;
}
