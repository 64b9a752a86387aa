/*
 * The keys of a dict, which lie elsewhere: what their head says of their size.
 *
 *     3.8 to 3.10   {refcount, size, lookup, usable, nentries} indices entries
 *     3.11 and on   {refcount, log2_size, log2_index_bytes, kind .., usable, nentries} the same
 */
#ifndef AGENT_CPYTHON_DICT_KEYS_H
#define AGENT_CPYTHON_DICT_KEYS_H

#include "layout.h"
#include "words.h"

enum { DICT_KEYS_HEAD_BYTES = 40 };

struct keys_size {
    uint64_t references;
    uint64_t bytes;
    uint64_t values; /* slots for split values */
};

/* dk_log2_size, dk_log2_index_bytes, dk_kind; general entries hold a hash too (3.11 and later). */
static inline int measure_log2_keys(const struct cpython_layout *layout, const uint8_t *head,
                                    struct keys_size *ret)
{
    unsigned log2_size = head[8], log2_index = head[9], kind = head[10];
    if (log2_size > 40 || log2_index > 43 || log2_index < log2_size || kind > 2)
        return 0;
    uint64_t usable = ((uint64_t)1 << log2_size << 1) / 3;
    ret->references = half_at(head, 0);
    ret->bytes = layout->keys_bytes + ((uint64_t)1 << log2_index) + usable * (kind == 0 ? 24 : 16);
    ret->values = word_at(head, 16) + word_at(head, 24); /* dk_usable + dk_nentries */
    return 1;
}

static inline int measure_plain_keys(const struct cpython_layout *layout, const uint8_t *head,
                                     struct keys_size *ret)
{
    uint64_t size = word_at(head, 8), usable = (size << 1) / 3;
    if (size == 0 || size > (uint64_t)1 << 40 || (size & (size - 1)) != 0)
        return 0;
    uint64_t index = size <= 0xff ? 1 : size <= 0xffff ? 2 : size <= 0xffffffff ? 4 : 8;
    ret->references = word_at(head, 0);
    ret->bytes = layout->keys_bytes + size * index + usable * 24;
    ret->values = usable;
    return 1;
}

static inline int measure_keys(const struct cpython_layout *layout, const uint8_t *head,
                               struct keys_size *ret)
{
    return layout->keys_log2 ? measure_log2_keys(layout, head, ret)
                             : measure_plain_keys(layout, head, ret);
}

static inline uint64_t dict_bytes(const struct cpython_layout *layout, const uint8_t *head,
                                  uint64_t split)
{
    struct keys_size keys;
    if (!measure_keys(layout, head, &keys))
        return 0;
    uint64_t bytes = keys.references == 1 ? keys.bytes : 0;
    return split && keys.values < (uint64_t)1 << 32 ? bytes + 8 * keys.values : bytes;
}

static inline uint64_t class_keys_bytes(const struct cpython_layout *layout, const uint8_t *head)
{
    struct keys_size keys;
    return measure_keys(layout, head, &keys) ? keys.bytes : 0;
}

#endif
