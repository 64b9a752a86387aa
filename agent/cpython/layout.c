#include "layout.h"

#define VERSION(minor, micro) (0x03000000u | (uint32_t)(minor) << 16 | (uint32_t)(micro) << 8)
#define RELEASES_OF(minor) .from = VERSION(minor, 0) | 0xf0, .to = VERSION(minor, 255) | 0xff

/* Of strings before 3.12, which could have a wchar_t form too. */
#define STR_WITH_WSTR                                                                              \
    .str_ascii_bytes = 48, .str_compact_bytes = 72, .str_legacy_bytes = 80, .str_state = 32,       \
    .str_kind_shift = 2, .str_utf8_length = 48, .str_utf8 = 56, .str_data = 72, .str_wstr = 40,    \
    .str_wstr_length = 64
#define STR_WITHOUT_WSTR                                                                           \
    .str_ascii_bytes = 40, .str_compact_bytes = 56, .str_legacy_bytes = 64, .str_state = 32,       \
    .str_utf8_length = 40, .str_utf8 = 48, .str_data = 56

#define ANY_COUNT UINT64_MAX

static const struct cpython_layout layouts[] = {
    {
        RELEASES_OF(8),
        .name = "3.8",
        .refcount_mask = ANY_COUNT,
        .static_type_bytes = 416,
        .heap_type_bytes = 880,
        .type_qualname = 864,
        .type_cached_keys = 872,
        STR_WITH_WSTR,
        .tuple_bytes = 24,
        .bytearray_bytes = 56,
        .pool_bytes = 4096,
        .keys_bytes = 40,
        .code_bytes = 176,
        .code_extra = 144,
        .code_slots = 28,
        .code_stacksize = 32,
        .code_cells = 88,
        .code_free = 80,
        .frame_rule = FRAME_OWN_SLOTS,
        .frame_bytes = 368,
        .frame_code = 32,
        .generator_bytes = 96,
    },
    {
        RELEASES_OF(9),
        .name = "3.9",
        .refcount_mask = ANY_COUNT,
        .static_type_bytes = 408,
        .heap_type_bytes = 880,
        .type_qualname = 856,
        .type_cached_keys = 864,
        STR_WITH_WSTR,
        .tuple_bytes = 24,
        .bytearray_bytes = 56,
        .pool_bytes = 4096,
        .keys_bytes = 40,
        .code_bytes = 176,
        .code_extra = 144,
        .code_slots = 28,
        .code_stacksize = 32,
        .code_cells = 88,
        .code_free = 80,
        .frame_rule = FRAME_OWN_SLOTS,
        .frame_bytes = 368,
        .frame_code = 32,
        .generator_bytes = 96,
    },
    {
        RELEASES_OF(10),
        .name = "3.10",
        .refcount_mask = ANY_COUNT,
        .static_type_bytes = 408,
        .heap_type_bytes = 888,
        .type_qualname = 864,
        .type_cached_keys = 872,
        STR_WITH_WSTR,
        .tuple_bytes = 24,
        .bytearray_bytes = 56,
        .pool_bytes = 16384,
        .keys_bytes = 40,
        .code_bytes = 176,
        .code_extra = 144,
        .code_slots = 28,
        .code_stacksize = 32,
        .code_cells = 88,
        .code_free = 80,
        .frame_rule = FRAME_OWN_SLOTS,
        .frame_bytes = 360,
        .frame_code = 32,
        .generator_bytes = 88,
    },
    {
        RELEASES_OF(11),
        .name = "3.11",
        .refcount_mask = ANY_COUNT,
        .static_type_bytes = 408,
        .heap_type_bytes = 904,
        .type_qualname = 864,
        .type_cached_keys = 872,
        .pre_header_flags = 1 << 4,
        .values = VALUES_AT_32,
        STR_WITH_WSTR,
        .tuple_bytes = 24,
        .bytearray_bytes = 56,
        .pool_bytes = 16384,
        .keys_bytes = 32,
        .keys_log2 = 1,
        .code_bytes = 184,
        .code_extra = 176,
        .code_slots = 76,
        .code_stacksize = 68,
        .frame_rule = FRAME_INTERPRETER,
        .frame_bytes = 120,
        .frame_code = 32,
        .frame_inner = 24,
        .generator_bytes = 152,
        .inner_frame_bytes = 72,
    },
    {
        RELEASES_OF(12),
        .name = "3.12",
        .refcount_mask = ANY_COUNT,
        .immortal_from = UINT32_MAX,
        .static_type_bytes = 416,
        .heap_type_bytes = 920,
        .type_qualname = 872,
        .type_cached_keys = 880,
        .pre_header_flags = 1 << 4 | 1 << 3,
        .values = VALUES_TAGGED,
        STR_WITHOUT_WSTR,
        .str_kind_shift = 2,
        .int_tagged = 1,
        .int_digits_min = 1,
        .tuple_bytes = 24,
        .bytearray_bytes = 56,
        .pool_bytes = 16384,
        .keys_bytes = 32,
        .keys_log2 = 1,
        .code_bytes = 192,
        .code_extra = 184,
        .code_slots = 72,
        .code_stacksize = 64,
        .frame_rule = FRAME_INTERPRETER,
        .frame_bytes = 120,
        .frame_code = 0,
        .frame_inner = 24,
        .generator_bytes = 144,
        .inner_frame_bytes = 72,
    },
    {
        RELEASES_OF(13),
        .name = "3.13",
        .refcount_mask = ANY_COUNT,
        .immortal_from = UINT32_MAX,
        .static_type_bytes = 416,
        .heap_type_bytes = 928,
        .type_qualname = 872,
        .type_cached_keys = 880,
        .pre_header_flags = 1 << 4 | 1 << 3,
        .values = VALUES_INLINE,
        STR_WITHOUT_WSTR,
        .str_kind_shift = 2,
        .int_tagged = 1,
        .int_digits_min = 1,
        .tuple_bytes = 24,
        .bytearray_bytes = 56,
        .pool_bytes = 16384,
        .keys_bytes = 32,
        .keys_log2 = 1,
        .code_bytes = 200,
        .code_extra = 192,
        .code_slots = 72,
        .code_stacksize = 64,
        .frame_rule = FRAME_INTERPRETER,
        .frame_bytes = 136,
        .frame_code = 0,
        .frame_inner = 24,
        .generator_bytes = 144,
        .inner_frame_bytes = 72,
    },
};

const struct cpython_layout *cpython_layout_find(uint32_t version_hex)
{
    for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
        if (version_hex >= layouts[i].from && version_hex <= layouts[i].to)
            return &layouts[i];
    }
    return NULL;
}

const char *cpython_layout_versions(void)
{
    return "3.8 to 3.13";
}
