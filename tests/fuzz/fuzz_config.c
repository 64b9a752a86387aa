/* USES common */
/* A configuration file. What is taken is clean text from the file itself. */
#include "config_file.h"
#include "fuzz.h"
#include "utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    ASSERT(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    struct config_file file;
    config_file_init(&file, text, size);
    enum status status = STATUS_OK;
    int line = 0;
    while (status != STATUS_NOT_FOUND) {
        struct config_entry entry;
        struct why why = {""};
        status = config_file_next(&file, &entry, &why);
        ASSERT(status == STATUS_OK || status == STATUS_USAGE || status == STATUS_NOT_FOUND);
        ASSERT((status == STATUS_USAGE) == (why.text[0] != '\0'));
        ASSERT(file.line >= line && file.text <= text + size);
        line = file.line;
        if (status != STATUS_OK)
            continue;
        size_t value_size = strlen(entry.value);
        ASSERT(entry.name[0] != '\0' && entry.name >= text && entry.value > entry.name);
        ASSERT(entry.value + value_size <= text + size);
        ASSERT(fuzz_is_clean(entry.name, strlen(entry.name), ""));
        ASSERT(utf8_valid(entry.value, value_size));
    }
    free(text);
    return 0;
}
