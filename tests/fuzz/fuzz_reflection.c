/* USES standard */
/* Names that a peer asks reflection for. What is found is in our own descriptors. */
#include "descriptor_set.h"
#include "descriptors.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct descriptors set = {descriptor_set, descriptor_set_size};
    struct fuzz_input input = {data, size};
    char *name = fuzz_take_text(&input);
    struct descriptor_file file = {0};
    if (descriptors_find_symbol(&set, name, &file) || descriptors_find_file(&set, name, &file)) {
        ASSERT(name[0] != '\0' && file.data >= set.data);
        ASSERT(file.data + file.size <= set.data + set.size);
    }
    free(name);
    return 0;
}
