/* USES common */
/* The reader of arrays of strings: any text, and what our own writer makes of any text. */
#include "fuzz.h"
#include "json.h"
#include "utf8.h"

/* Ends, and takes no more bytes than there were. */
static void walk(const char *text)
{
    struct buf string = BUF_INIT;
    size_t strings = 0;
    const char *at = json_array_begin(text);
    while ((at = json_array_string(at, &string)) != NULL) {
        ASSERT(at > text && at <= text + strlen(text));
        ASSERT(string.size <= strlen(text));
        buf_clear(&string);
        strings++;
    }
    ASSERT(strings <= strlen(text));
    buf_done(&string);
}

static void check_round(const char *text)
{
    size_t size = strlen(text);
    struct buf array = BUF_INIT;
    struct buf string = BUF_INIT;
    buf_append_byte(&array, '[');
    json_append_string(&array, text, size);
    buf_append_text(&array, ", ");
    json_append_string(&array, "x", 1);
    buf_append_byte(&array, ']');
    const char *at = json_array_string(json_array_begin(buf_text(&array)), &string);
    ASSERT(at != NULL && utf8_valid((const char *)string.data, string.size));
    if (utf8_valid(text, size))
        ASSERT(string.size == size && (size == 0 || memcmp(string.data, text, size) == 0));
    buf_clear(&string);
    at = json_array_string(at, &string);
    ASSERT(at != NULL && string.size == 1 && string.data[0] == 'x');
    ASSERT(json_array_string(at, &string) == NULL);
    buf_done(&array);
    buf_done(&string);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    char *text = fuzz_take_text(&input);
    walk(text);
    check_round(text);
    free(text);
    return 0;
}
