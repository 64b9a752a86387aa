/* USES common */
/* A command line, one word a line. A refusal is a sentence that can be shown. */
#include "fuzz.h"
#include "options.h"

enum { WORDS_MAX = 100, OPERANDS_MAX = 3 };

struct targets {
    int flag;
    const char *text;
    uint64_t number, bytes;
    int64_t duration;
    struct option_list list;
};

static void parse(int argc, char **argv)
{
    struct targets to = {0};
    const struct option options[] = {
        {"help", 'h', OPTION_FLAG, &to.flag, NULL, "", NULL},
        {"collector", 'c', OPTION_TEXT, &to.text, "HOST:PORT", "", NULL},
        {"count", 0, OPTION_U64, &to.number, NULL, "", NULL},
        {"interval", 'i', OPTION_DURATION, &to.duration, "TIME", "", "60s"},
        {"spool-bytes", 0, OPTION_BYTES, &to.bytes, "SIZE", "", NULL},
        {"attribute", 'a', OPTION_LIST, &to.list, "KEY=VALUE", "", NULL},
        {0},
    };
    const char *operands[OPERANDS_MAX];
    int found = -1;
    int rest = -1;
    struct why why = {""};
    enum status status =
        options_parse(options, argc, argv, operands, OPERANDS_MAX, &found, &rest, &why);
    ASSERT(fuzz_is_clean(why.text, strlen(why.text), ""));
    ASSERT(to.list.count >= 0 && to.list.count <= OPTION_LIST_MAX);
    if (status == STATUS_OK) {
        ASSERT(found >= 0 && found <= OPERANDS_MAX && rest >= 1 && rest <= argc);
        ASSERT(why.text[0] == '\0');
    } else {
        ASSERT(status == STATUS_USAGE && why.text[0] != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    char *argv[WORDS_MAX + 2] = {strdup("program")};
    int argc = 1;
    size_t part_size = 0;
    uint8_t *part = NULL;
    while (argc <= WORDS_MAX && (part = fuzz_take_part(&input, '\n', &part_size)) != NULL) {
        struct fuzz_input word = {part, part_size};
        argv[argc++] = fuzz_take_text(&word);
        free(part);
    }
    parse(argc, argv);
    while (argc > 0)
        free(argv[--argc]);
    return 0;
}
