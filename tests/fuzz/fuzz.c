#include "fuzz.h"

#include "utf8.h"

/* malloc(0) may be NULL, which here means "no more". */
static void *copy_of(const uint8_t *data, size_t size, size_t room)
{
    void *copy = malloc(room > 0 ? room : 1);
    ASSERT(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

uint8_t *fuzz_take_part(struct fuzz_input *input, uint8_t separator, size_t *ret_size)
{
    if (input->size == 0)
        return NULL;
    const uint8_t *end = memchr(input->data, separator, input->size);
    size_t size = end == NULL ? input->size : (size_t)(end - input->data);
    size_t used = end == NULL ? size : size + 1;
    uint8_t *part = copy_of(input->data, size, size);
    input->data += used;
    input->size -= used;
    *ret_size = size;
    return part;
}

uint8_t *fuzz_take_sized(struct fuzz_input *input, size_t *ret_size)
{
    size_t size = fuzz_take_byte(input);
    size |= (size_t)fuzz_take_byte(input) << 8;
    if (size > input->size)
        size = input->size;
    uint8_t *taken = copy_of(input->data, size, size);
    input->data += size;
    input->size -= size;
    *ret_size = size;
    return taken;
}

char *fuzz_take_text(struct fuzz_input *input)
{
    size_t size = input->size == 0 ? 0 : strnlen((const char *)input->data, input->size);
    char *text = copy_of(input->data, size, size + 1);
    text[size] = '\0';
    input->data += input->size;
    input->size = 0;
    return text;
}

uint8_t fuzz_take_byte(struct fuzz_input *input)
{
    if (input->size == 0)
        return 0;
    input->size--;
    return *input->data++;
}

/* ---- what must hold of the output -------------------------------------------------------------
 */

int fuzz_is_clean(const void *text, size_t size, const char *allowed)
{
    const char *at = text;
    if (!utf8_valid(at, size))
        return 0;
    for (size_t i = 0; i < size; i++) {
        int control = (unsigned char)at[i] < 0x20 || at[i] == 0x7f;
        if (control && (at[i] == '\0' || strchr(allowed, at[i]) == NULL))
            return 0;
    }
    return 1;
}

enum { JSON_DEPTH_MAX = 8 };

struct json {
    const char *at, *end;
};

static int json_skip(struct json *json, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(json->end - json->at) < size || memcmp(json->at, word, size) != 0)
        return 0;
    json->at += size;
    return 1;
}

static void json_skip_any(struct json *json, const char *characters)
{
    while (json->at < json->end && *json->at != '\0' && strchr(characters, *json->at) != NULL)
        json->at++;
}

static int json_string(struct json *json)
{
    if (!json_skip(json, "\""))
        return 0;
    while (json->at < json->end && *json->at != '"') {
        if ((unsigned char)*json->at < 0x20)
            return 0;
        if (!json_skip(json, "\\")) {
            json->at++;
        } else if (json_skip(json, "u")) {
            const char *digits = json->at;
            json_skip_any(json, "0123456789abcdefABCDEF");
            if (json->at - digits < 4)
                return 0;
        } else if (json->at == json->end || *json->at == '\0' ||
                   strchr("\"\\/bfnrt", *json->at++) == NULL) {
            return 0;
        }
    }
    return json_skip(json, "\"");
}

static int json_digits(struct json *json)
{
    const char *begin = json->at;
    json_skip_any(json, "0123456789");
    return json->at > begin;
}

static int json_number(struct json *json)
{
    (void)json_skip(json, "-");
    if (!json_skip(json, "0") && !json_digits(json))
        return 0;
    if (json_skip(json, ".") && !json_digits(json))
        return 0;
    if (!json_skip(json, "e") && !json_skip(json, "E"))
        return 1;
    if (!json_skip(json, "-"))
        (void)json_skip(json, "+");
    return json_digits(json);
}

static int json_value(struct json *json, int depth);

/* The members of an array or an object, whose opening bracket has been read. */
static int json_members(struct json *json, int depth, int named, const char *closing)
{
    json_skip_any(json, " \n");
    if (json_skip(json, closing))
        return 1;
    do {
        json_skip_any(json, " \n");
        if (named && (!json_string(json) || !json_skip(json, ":")))
            return 0;
        if (!json_value(json, depth + 1))
            return 0;
    } while (json_skip(json, ","));
    return json_skip(json, closing);
}

static int json_value(struct json *json, int depth)
{
    if (depth > JSON_DEPTH_MAX)
        return 0;
    json_skip_any(json, " \n");
    int good = 0;
    if (json_skip(json, "["))
        good = json_members(json, depth, 0, "]");
    else if (json_skip(json, "{"))
        good = json_members(json, depth, 1, "}");
    else if (json->at < json->end && *json->at == '"')
        good = json_string(json);
    else
        good = json_skip(json, "null") || json_skip(json, "true") || json_skip(json, "false") ||
               json_number(json);
    json_skip_any(json, " \n");
    return good;
}

int fuzz_is_json(const void *text, size_t size)
{
    struct json json = {text, (const char *)text + size};
    return size > 0 && utf8_valid(text, size) && json_value(&json, 0) && json.at == json.end;
}
