/* USES discover common */
/*
 * What a process says of itself: environment, arguments and a version file, 0xff between them
 * (which is in no UTF-8). None of the three need end with a zero.
 */
#include "fuzz.h"
#include "identity.h"
#include "resource_list.h"

static void check_text(const char *text, int may_be_empty)
{
    size_t size = strlen(text);
    ASSERT(identity_text_acceptable(text, size) || (may_be_empty && size == 0));
}

static void check_identity(const struct identity *identity)
{
    for (size_t i = 0; i < IDENTITY_FIELDS; i++)
        check_text(identity->field[i], 1);
    ASSERT(*identity->field[IDENTITY_HOST] != '\0'); /* whatever a process says, ours is known */
    ASSERT(identity->attribute_count <= IDENTITY_ATTRIBUTES_MAX);
    for (size_t i = 0; i < identity->attribute_count; i++) {
        check_text(identity->attributes[i].key, 0);
        check_text(identity->attributes[i].value, 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct identity_options options = {.version_from = "file:/VERSION",
                                       .attributes = {{"team=shop"}, 1}};
    struct identity_sources sources = {.container_id = "", .host_name = "node-1"};
    uint8_t *environment = fuzz_take_part(&input, 0xff, &sources.environment_size);
    uint8_t *arguments = fuzz_take_part(&input, 0xff, &sources.arguments_size);
    char *version = fuzz_take_text(&input);
    sources.environment = environment != NULL ? (const char *)environment : "";
    sources.arguments = arguments != NULL ? (const char *)arguments : "";
    sources.version_text = version;

    struct arena arena;
    struct identity identity;
    arena_init(&arena, IDENTITY_BYTES_MAX);
    identity_resolve(&options, &sources, &arena, &identity);
    check_identity(&identity);
    arena_done(&arena);
    free(version);
    free(arguments);
    free(environment);
    return 0;
}
