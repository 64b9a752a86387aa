/*
 * A recorded process in a file: what a census reads of it, and nothing else. All numbers are 64
 * bits, lowest byte first:
 *
 *     magic  version_hex  type_type runtime none true_object builtins[PYTHON_BUILTINS]
 *     regions: count, then start end flags of each
 *     present: count, then start end of each
 *     bytes of all present ranges, one behind the other, as pieces: two 16-bit numbers, of zeros
 * and of bytes, then those bytes
 *
 * tests/fuzz/record_images.py makes them.
 */
#ifndef TESTS_SUPPORT_HEAP_IMAGE_H
#define TESTS_SUPPORT_HEAP_IMAGE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "python_process.h"
#include "remote.h"

#define HEAP_IMAGE_MAGIC UINT64_C(0x31656761656d6968)

enum { HEAP_IMAGE_LANDMARKS = 4 + PYTHON_BUILTINS, HEAP_IMAGE_WORDS_MAX = 1 << 20 };

struct heap_image {
    struct python_process process; /* its pid is ours */
    struct remote_region *regions;
    size_t region_count;
    struct remote_range *present;
    size_t present_count;
    uint8_t *bytes;
    size_t size; /* of bytes */
};

UNUSED static void heap_image_landmarks(struct python_process *process, addr_t **ret)
{
    ret[0] = &process->type_type;
    ret[1] = &process->runtime;
    ret[2] = &process->none;
    ret[3] = &process->true_object;
    for (int i = 0; i < PYTHON_BUILTINS; i++)
        ret[4 + i] = &process->builtins[i];
}

UNUSED static uint64_t heap_image_word(FILE *file)
{
    uint64_t word = 0;
    ASSERT(fread(&word, sizeof(word), 1, file) == 1);
    return word;
}

UNUSED static size_t heap_image_count(FILE *file)
{
    uint64_t count = heap_image_word(file);
    ASSERT(count < HEAP_IMAGE_WORDS_MAX);
    return (size_t)count;
}

UNUSED static void heap_image_unpack(FILE *file, uint8_t *to, size_t size)
{
    uint16_t sizes[2];
    for (size_t at = 0; at < size; at += sizes[1]) {
        ASSERT(fread(sizes, sizeof(sizes), 1, file) == 1 && sizes[0] <= size - at);
        memset(to + at, 0, sizes[0]);
        at += sizes[0];
        ASSERT(sizes[1] <= size - at && fread(to + at, 1, sizes[1], file) == sizes[1]);
    }
}

/* Asserts that the file is good. Ended with heap_image_done. */
UNUSED static void heap_image_load(const char *path, struct heap_image *ret)
{
    struct heap_image image = {.process = {.pid = getpid()}};
    addr_t *landmarks[HEAP_IMAGE_LANDMARKS];
    FILE *file = fopen(path, "rb");
    ASSERT(file != NULL && heap_image_word(file) == HEAP_IMAGE_MAGIC);
    image.process.version_hex = (uint32_t)heap_image_word(file);
    heap_image_landmarks(&image.process, landmarks);
    for (int i = 0; i < HEAP_IMAGE_LANDMARKS; i++)
        *landmarks[i] = heap_image_word(file);

    image.region_count = heap_image_count(file);
    image.regions = calloc(image.region_count + 1, sizeof(*image.regions));
    ASSERT(image.regions != NULL);
    for (size_t i = 0; i < image.region_count; i++) {
        image.regions[i].start = heap_image_word(file);
        image.regions[i].end = heap_image_word(file);
        image.regions[i].flags = (uint32_t)heap_image_word(file);
    }
    image.present_count = heap_image_count(file);
    image.present = calloc(image.present_count + 1, sizeof(*image.present));
    ASSERT(image.present != NULL);
    for (size_t i = 0; i < image.present_count; i++) {
        image.present[i].start = heap_image_word(file);
        image.present[i].end = heap_image_word(file);
        ASSERT(image.present[i].start < image.present[i].end);
        image.size += (size_t)(image.present[i].end - image.present[i].start);
    }
    image.bytes = malloc(image.size);
    ASSERT(image.bytes != NULL);
    heap_image_unpack(file, image.bytes, image.size);
    (void)fclose(file);
    ASSERT(python_process_identify(&image.process) == STATUS_OK);
    *ret = image;
}

UNUSED static void heap_image_done(struct heap_image *image)
{
    free(image->regions);
    free(image->present);
    free(image->bytes);
    *image = (struct heap_image){.size = 0};
}

/* Uses the image's memory, which must outlive it. */
UNUSED static struct remote *heap_image_open(const struct heap_image *image)
{
    const struct remote_image remote = {.regions = image->regions,
                                        .region_count = image->region_count,
                                        .present = image->present,
                                        .present_count = image->present_count,
                                        .bytes = image->bytes};
    return remote_open_image(&remote);
}

#endif
