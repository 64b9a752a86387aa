/* USES codec */
/*
 * Bodies, one after the other, onto one heap: each has its size in two bytes before it. Whatever
 * they are, a refused body leaves the heap as it was, and a body that is taken is the very one that
 * the encoder makes of that change.
 */
#include "fuzz.h"
#include "snapshot_codec.h"

enum { OLDER_DELTA = 0x11 }; /* which the encoder does not make any more */

static void check_same(const struct heap_values *a, const struct heap_values *b)
{
    ASSERT(a->types == b->types);
    ASSERT(a->types == 0 || memcmp(a->values, b->values, a->types * sizeof(*a->values)) == 0);
}

static void check_taken(const struct heap_values *before, const struct heap_values *after,
                        const uint8_t *body, size_t size)
{
    struct buf again = BUF_INIT;
    struct heap_values decoded = HEAP_VALUES_INIT;
    if (snapshot_is_keyframe(body, size))
        snapshot_encode_keyframe(after, &again);
    else
        snapshot_encode_delta(before, after, &again);
    if (body[0] != OLDER_DELTA)
        ASSERT(again.size == size && memcmp(again.data, body, size) == 0);

    buf_clear(&again);
    snapshot_encode_keyframe(after, &again);
    ASSERT(snapshot_decode(again.data, again.size, &decoded, NULL) == STATUS_OK);
    check_same(&decoded, after);
    heap_values_done(&decoded);
    buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct heap_values heap = HEAP_VALUES_INIT;
    struct heap_values before = HEAP_VALUES_INIT;
    while (input.size > 0) {
        size_t body_size = 0;
        uint8_t *body = fuzz_take_sized(&input, &body_size);
        struct why why = {""};
        heap_values_copy(&before, &heap);
        if (snapshot_decode(body, body_size, &heap, &why) == STATUS_OK)
            check_taken(&before, &heap, body, body_size);
        else
            ASSERT(why.text[0] != '\0');
        if (why.text[0] != '\0')
            check_same(&before, &heap);
        free(body);
    }
    heap_values_done(&before);
    heap_values_done(&heap);
    return 0;
}
