/*
 * A CPython 3.11 of our own making, in memory: one region, the types that a test needs, and
 * whatever objects the test puts there. What a census says of it is known exactly.
 */
#ifndef TESTS_SUPPORT_FAKE_HEAP_H
#define TESTS_SUPPORT_FAKE_HEAP_H

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "attributes.h"
#include "layout.h"
#include "python_process.h"
#include "remote.h"

#define FAKE_BASE UINT64_C(0x7f0000100000)
enum { FAKE_BYTES = 4 << 20, FAKE_OBJECTS = 0x20000 /* types lie below, objects from here on */ };

struct fake_heap {
    uint8_t *bytes;
    struct remote_region region;
    struct remote_range present;
    struct remote_image image;
    struct python_process process;
    size_t next_type, next_text;
    addr_t type, object; /* the two that all others need */
};

UNUSED static void fake_put(struct fake_heap *heap, addr_t at, uint64_t word)
{
    ASSERT(at >= FAKE_BASE && at + 8 <= FAKE_BASE + FAKE_BYTES);
    memcpy(heap->bytes + (at - FAKE_BASE), &word, sizeof(word));
}

UNUSED static addr_t fake_text(struct fake_heap *heap, const char *text)
{
    addr_t at = FAKE_BASE + heap->next_text;
    memcpy(heap->bytes + heap->next_text, text, strlen(text) + 1);
    heap->next_text += (strlen(text) + 16) & ~(size_t)15;
    return at;
}

/* Count of references and type: an object. */
UNUSED static void fake_object(struct fake_heap *heap, addr_t at, uint64_t count, addr_t type)
{
    fake_put(heap, at, count);
    fake_put(heap, at + OBJECT_TYPE, type);
}

/* A static type. */
UNUSED static addr_t fake_type(struct fake_heap *heap, const char *name, uint64_t basic_size,
                               uint64_t item_size, uint64_t flags)
{
    addr_t at = FAKE_BASE + heap->next_type;
    heap->next_type += 512;
    fake_object(heap, at, 1, heap->type ? heap->type : at);
    fake_put(heap, at + TYPE_NAME, fake_text(heap, name));
    fake_put(heap, at + TYPE_BASIC_SIZE, basic_size);
    fake_put(heap, at + TYPE_ITEM_SIZE, item_size);
    fake_put(heap, at + TYPE_FLAGS, flags | TYPE_READY);
    fake_put(heap, at + TYPE_BASE, heap->object);
    return at;
}

UNUSED static void fake_heap_init(struct fake_heap *heap)
{
    *heap = (struct fake_heap){
        .bytes = calloc(1, FAKE_BYTES),
        .region = {FAKE_BASE, FAKE_BASE + FAKE_BYTES, 0},
        .present = {FAKE_BASE, FAKE_BASE + FAKE_BYTES},
        .process = {.pid = getpid(), .version_hex = 0x030b07f0, .version = "3.11.7"},
        .next_type = 0x1000,
        .next_text = 0x10000,
    };
    ASSERT(heap->bytes);
    ASSERT(python_process_identify(&heap->process) == STATUS_OK);
    heap->type = fake_type(heap, "type", 904, 40, TYPE_TYPE | TYPE_HAS_GC);
    heap->object = fake_type(heap, "object", 16, 0, 0);
    fake_put(heap, heap->object + TYPE_BASE, 0);
    fake_put(heap, heap->type + TYPE_BASE, heap->object);
    heap->process.type_type = heap->type;
}

UNUSED static struct remote *fake_heap_open(struct fake_heap *heap)
{
    heap->image = (struct remote_image){&heap->region, 1, &heap->present, 1, heap->bytes};
    return remote_open_image(&heap->image);
}

UNUSED static void fake_heap_done(struct fake_heap *heap)
{
    free(heap->bytes);
}

#endif
