/* USES common */
/*
 * Everything that makes text for people and programs out of bytes from outside: the result is UTF-8
 * without control characters, and JSON is JSON. The input is a line of words, then numbers of eight
 * bytes.
 */
#include "fuzz.h"
#include "json.h"
#include "report.h"
#include "suggest.h"
#include "utf8.h"
#include "why.h"

static void check_bytes(const uint8_t *data, size_t size)
{
    struct buf json = BUF_INIT;
    json_append_string(&json, (const char *)data, size);
    ASSERT(fuzz_is_json(json.data, json.size));
    buf_done(&json);

    char *text = malloc(size + 1);
    ASSERT(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    utf8_scrub(text, size);
    ASSERT(fuzz_is_clean(text, size, ""));
    ASSERT(utf8_columns(text, size) <= 2 * size);
    free(text);
}

static void check_why(const char *text)
{
    struct why why = {""};
    why_set(&why, "cannot read \"%s\"", text);
    ASSERT(fuzz_is_clean(why.text, strlen(why.text), ""));
    why_prefix(&why, "%s", text);
    ASSERT(fuzz_is_clean(why.text, strlen(why.text), ""));
    int distance = suggest_distance(text, "deployments");
    ASSERT(distance >= 0 && distance <= SUGGEST_FAR);
}

static void check_report(enum report_format format, const char *text, double real, int64_t whole)
{
    static const struct report_column columns[] = {
        {"text", "TEXT", REPORT_PLAIN},   {"texts", "TEXTS", REPORT_PLAIN},
        {"plain", "PLAIN", REPORT_PLAIN}, {"bytes", "BYTES", REPORT_BYTES},
        {"rate", "RATE", REPORT_RATE},    {"byte_rate", "BYTE RATE", REPORT_BYTE_RATE},
        {"time", "TIME", REPORT_TIME},    {"duration", "DURATION", REPORT_DURATION},
        {"share", "SHARE", REPORT_SHARE}, {"none", "NONE", REPORT_PLAIN},
    };
    const char *const texts[] = {text, "", text};
    struct report report;
    struct buf out = BUF_INIT;
    report_begin(&report, format, columns, ARRAY_SIZE(columns));
    for (int row = 0; row < 2; row++) {
        report_text(&report, text);
        report_texts(&report, texts, ARRAY_SIZE(texts));
        report_double(&report, real);
        report_uint(&report, (uint64_t)whole);
        report_double(&report, real);
        report_int(&report, whole);
        report_int(&report, whole);
        report_double(&report, real);
        report_double(&report, real);
        report_none(&report);
    }
    report_finish(&report, NULL, 0, &out);
    ASSERT(fuzz_is_clean(out.data, out.size, "\n"));
    ASSERT(format != REPORT_JSON || fuzz_is_json(out.data, out.size));
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    check_bytes(data, size);
    if (size == 0)
        return 0;
    size_t line_size = 0;
    uint8_t *line = fuzz_take_part(&input, '\n', &line_size);
    struct fuzz_input words = {line, line_size};
    char *text = fuzz_take_text(&words);
    double real = 0;
    int64_t whole = 0;
    if (input.size >= sizeof(real))
        memcpy(&real, input.data, sizeof(real));
    if (input.size >= sizeof(whole))
        memcpy(&whole, input.data, sizeof(whole));
    check_why(text);
    for (int format = REPORT_TABLE; format <= REPORT_CSV; format++)
        check_report((enum report_format)format, text, real, whole);
    free(text);
    free(line);
    return 0;
}
