/* USES discover */
/* The text of Py_GetVersion() anywhere in a stretch of memory. */
#include "fuzz.h"
#include "python_version.h"

static void check(const struct python_version *version)
{
    const char *end = memchr(version->text, '\0', sizeof(version->text));
    ASSERT(end != NULL && end > version->text);
    ASSERT(version->text[0] >= '0' && version->text[0] <= '3' && version->hex >> 24 <= 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *memory = (const char *)data;
    struct python_version version;
    if (python_version_parse(memory, size, &version))
        check(&version);
    if (python_version_search(memory, size, &version))
        check(&version);
    return 0;
}
