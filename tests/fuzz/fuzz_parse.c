/* USES common */
/* Numbers, times and sizes: refused without a trace, or taken within their bounds. */
#include "fuzz.h"
#include "parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int64_t century_ms = (int64_t)36525 * 86400 * 1000;
    struct fuzz_input input = {data, size};
    char *text = fuzz_take_text(&input);
    uint64_t number = 7;
    uint64_t bytes = 7;
    int64_t duration = 7;
    ASSERT(parse_u64(text, 10, 1000000, &number) == STATUS_OK ? number >= 10 && number <= 1000000
                                                              : number == 7);
    ASSERT(parse_duration_ms(text, &duration) == STATUS_OK ? duration >= 0 && duration <= century_ms
                                                           : duration == 7);
    ASSERT(parse_bytes(text, &bytes) == STATUS_OK ? bytes <= UINT64_MAX / 2 : bytes == 7);
    free(text);
    return 0;
}
