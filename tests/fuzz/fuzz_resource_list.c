/* USES discover common */
/* OTEL_RESOURCE_ATTRIBUTES and its percent signs. */
#include "fuzz.h"
#include "resource_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    char *text = fuzz_take_text(&input);
    struct resource_list list = {.count = 1};
    struct arena arena;
    arena_init(&arena, IDENTITY_BYTES_MAX);
    enum status status = resource_list_parse(text, &arena, &list);
    ASSERT(status == STATUS_OK || status == STATUS_INVALID || status == STATUS_LIMIT);
    ASSERT(status == STATUS_OK || list.count == 0);
    for (size_t i = 0; i < list.count; i++) {
        const struct identity_attribute *pair = &list.pairs[i];
        ASSERT(identity_text_acceptable(pair->key, strlen(pair->key)));
        ASSERT(*pair->value == '\0' || identity_text_acceptable(pair->value, strlen(pair->value)));
        ASSERT(resource_list_get(&list, pair->key) != NULL);
    }
    arena_done(&arena);
    free(text);
    return 0;
}
