/* USES census discover remote codec common */ /* RUNS 48 */
/*
 * A census of a recorded process whose memory was tampered with. The first byte chooses the image;
 * each further change takes eight bytes: what to do, where (three bytes), and with what (four).
 * Whatever the memory shows, the census ends, and its result can be encoded.
 */
#include "census.h"
#include "fuzz.h"
#include "heap_image.h"
#include "utf8.h"

enum { CHANGES_MAX = 64, CHANGE_BYTES = 8, LINE_BYTES = 64, LINE_WORDS = 8 };
enum { SAMPLE_BYTES = 1 << 19, SLICES_TAMPERED = 3 };

#define IMAGE(version) SOURCE_ROOT "/tests/images/" version ".heap"

static const char *const names[] = {
    IMAGE("3.9"), IMAGE("3.11"), IMAGE("3.13"), IMAGE("3.14"), IMAGE("3.15"),
};

/* ---- tampering ------------------------------------------------------------------------------ */

/* A recorded process, and the lines of its memory that hold anything. */
struct original {
    struct heap_image image;
    uint32_t *lines;
    size_t line_count;
};

struct tampered {
    struct heap_image image;
    const struct original *original;
};

static uint64_t offset_of(const struct tampered *tampered, uint64_t index)
{
    const struct original *original = tampered->original;
    return (uint64_t)original->lines[index / LINE_WORDS % original->line_count] * LINE_BYTES +
           index % LINE_WORDS * sizeof(uint64_t);
}

static uint64_t *word_at(struct tampered *tampered, uint64_t index)
{
    return (uint64_t *)(void *)(tampered->image.bytes + offset_of(tampered, index));
}

/* Where a word lies in the process. */
static addr_t address_of(const struct tampered *tampered, uint64_t index)
{
    const struct heap_image *image = &tampered->image;
    uint64_t offset = offset_of(tampered, index);
    for (size_t i = 0; i < image->present_count; i++) {
        uint64_t size = image->present[i].end - image->present[i].start;
        if (offset < size)
            return image->present[i].start + offset;
        offset -= size;
    }
    return 0;
}

typedef void change_fn(struct tampered *tampered, uint32_t where, uint32_t what);

static void set_small(struct tampered *tampered, uint32_t where, uint32_t what)
{
    *word_at(tampered, where) = what;
}

static void set_negative(struct tampered *tampered, uint32_t where, uint32_t what)
{
    *word_at(tampered, where) = ~(uint64_t)what;
}

static void set_high(struct tampered *tampered, uint32_t where, uint32_t what)
{
    *word_at(tampered, where) = (uint64_t)what << 32 | (uint32_t)*word_at(tampered, where);
}

static void set_pointer(struct tampered *tampered, uint32_t where, uint32_t what)
{
    *word_at(tampered, where) = address_of(tampered, what);
}

static void copy_word(struct tampered *tampered, uint32_t where, uint32_t what)
{
    *word_at(tampered, where) = *word_at(tampered, what);
}

static void copy_many(struct tampered *tampered, uint32_t where, uint32_t what)
{
    for (uint32_t i = 0; i < 64; i++)
        *word_at(tampered, where + i) = *word_at(tampered, what + i);
}

static void flip_bit(struct tampered *tampered, uint32_t where, uint32_t what)
{
    *word_at(tampered, where) ^= (uint64_t)1 << what % 64;
}

static void add_to(struct tampered *tampered, uint32_t where, uint32_t what)
{
    *word_at(tampered, where) += (uint64_t)(int64_t)(int32_t)what;
}

/* Where the census is told that things are. */
static void set_landmark(struct tampered *tampered, uint32_t where, uint32_t what)
{
    addr_t *landmarks[HEAP_IMAGE_LANDMARKS];
    heap_image_landmarks(&tampered->image.process, landmarks);
    *landmarks[where % HEAP_IMAGE_LANDMARKS] = address_of(tampered, what);
}

static void set_region_flags(struct tampered *tampered, uint32_t where, uint32_t what)
{
    tampered->image.regions[where % tampered->image.region_count].flags = what & 15;
}

static change_fn *const changes[] = {
    set_small, set_negative, set_high, set_pointer,  copy_word,
    copy_many, flip_bit,     add_to,   set_landmark, set_region_flags,
};

static void tamper(struct tampered *tampered, struct fuzz_input *input)
{
    for (int i = 0; i < CHANGES_MAX && input->size >= CHANGE_BYTES; i++) {
        change_fn *change = changes[fuzz_take_byte(input) % ARRAY_SIZE(changes)];
        uint32_t where = 0;
        uint32_t what = 0;
        for (unsigned shift = 0; shift < 24; shift += 8)
            where |= (uint32_t)fuzz_take_byte(input) << shift;
        for (unsigned shift = 0; shift < 32; shift += 8)
            what |= (uint32_t)fuzz_take_byte(input) << shift;
        change(tampered, where, what);
    }
}

/* ---- the census ----------------------------------------------------------------------------- */

static void check_result(const struct census *census, const struct census_result *result)
{
    struct buf body = BUF_INIT;
    ASSERT(result->coverage <= 10000);
    ASSERT(result->values.types == census_type_count(census));
    snapshot_encode_keyframe(&result->values, &body);
    buf_done(&body);
    for (uint32_t i = 0; i < census_type_count(census); i++) {
        const char *name = census_type_name(census, i);
        size_t size = strlen(name);
        ASSERT(size > 0 && size <= SNAPSHOT_NAME_BYTES_MAX && fuzz_is_clean(name, size, ""));
    }
}

/* A sample of it in slices, tampered with in between. */
static void run_in_slices(struct census *census, struct tampered *tampered,
                          struct fuzz_input *input, struct census_result *result)
{
    int more = 1;
    census_sample_above(census, SAMPLE_BYTES);
    for (unsigned slices = 0; more; slices++) {
        enum status status = census_slice(census, 0, result, &more, NULL);
        ASSERT(status == STATUS_OK || status == STATUS_PARTIAL || status == STATUS_GONE);
        if (!more && status != STATUS_GONE)
            check_result(census, result);
        if (slices < SLICES_TAMPERED)
            tamper(tampered, input);
    }
}

/* Once as it was recorded, then tampered with: what was known of the types is no more true. One
 * that is not tampered with is known, whole, and looks the same twice. */
static void run(struct tampered *tampered, struct fuzz_input *input, int tamper_first)
{
    struct census *census = NULL;
    struct census_result result = {0};
    int is_genuine = input->size < CHANGE_BYTES;
    uint64_t objects = 0;
    if (tamper_first)
        tamper(tampered, input);
    if (census_new_over(heap_image_open(&tampered->image), &tampered->image.process, &census,
                        NULL) != STATUS_OK) {
        ASSERT(!is_genuine);
        return;
    }
    for (int i = 0; i < 2; i++) {
        enum status status = census_run(census, &result, NULL);
        ASSERT(status == STATUS_OK || status == STATUS_PARTIAL || status == STATUS_GONE);
        if (status != STATUS_GONE)
            check_result(census, &result);
        ASSERT(!is_genuine || (status == STATUS_OK && result.objects > 100));
        ASSERT(!is_genuine || i == 0 || result.objects == objects);
        objects = result.objects;
        tamper(tampered, input);
    }
    run_in_slices(census, tampered, input, &result);
    census_result_done(&result);
    census_free(census);
}

static void load(const char *path, struct original *ret)
{
    static const uint8_t zeros[LINE_BYTES] = {0};
    heap_image_load(path, &ret->image);
    ret->lines = malloc(ret->image.size / LINE_BYTES * sizeof(*ret->lines));
    ASSERT(ret->lines != NULL && ret->image.size % LINE_BYTES == 0);
    for (uint32_t i = 0; i < ret->image.size / LINE_BYTES; i++) {
        if (memcmp(ret->image.bytes + (size_t)i * LINE_BYTES, zeros, LINE_BYTES) != 0)
            ret->lines[ret->line_count++] = i;
    }
    ASSERT(ret->line_count > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct original originals[ARRAY_SIZE(names)]; /* read once */
    struct fuzz_input input = {data, size};
    uint8_t choice = fuzz_take_byte(&input);
    struct original *original = &originals[(choice & 0x7f) % ARRAY_SIZE(names)];
    if (original->lines == NULL)
        load(names[(choice & 0x7f) % ARRAY_SIZE(names)], original);

    struct tampered tampered = {original->image, original};
    struct heap_image *image = &tampered.image;
    image->bytes = malloc(image->size);
    image->regions = malloc(image->region_count * sizeof(*image->regions));
    ASSERT(image->bytes != NULL && image->regions != NULL);
    memcpy(image->bytes, original->image.bytes, image->size);
    memcpy(image->regions, original->image.regions, image->region_count * sizeof(*image->regions));
    run(&tampered, &input, (choice & 0x80) != 0);
    free(image->bytes);
    free(image->regions);
    return 0;
}
