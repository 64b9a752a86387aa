/* USES access */
/* A policy file. What is refused is a sentence; what is taken knows nobody by nothing. */
#include "access_policy.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    size_t text_size = 0;
    uint8_t *text = fuzz_take_sized(&input, &text_size);
    char *name = fuzz_take_text(&input);
    struct access_policy *policy = NULL;
    struct why why = {""};
    enum status status = access_policy_parse((const char *)text, text_size, &policy, &why);
    ASSERT(fuzz_is_clean(why.text, strlen(why.text), ""));
    ASSERT((status == STATUS_OK) == (policy != NULL));
    if (status == STATUS_OK) {
        const struct access_peer nobody = {0};
        const struct access_peer peer = {.names = {{"cn", name}}, .name_count = 1, .token = name};
        ASSERT(access_policy_rules(policy) <= ACCESS_RULES_MAX);
        ASSERT(access_policy_roles(policy, &nobody, name, NULL) == 0);
        unsigned any = access_policy_roles(policy, &peer, NULL, NULL);
        unsigned some = access_policy_roles(policy, &peer, name, NULL);
        ASSERT((some & ~any) == 0);
    } else {
        ASSERT(strncmp(why.text, "line ", 5) == 0);
    }
    access_policy_free(policy);
    free(name);
    free(text);
    return 0;
}
