#include "query_page.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "parse.h"

enum { DIGITS_MAX = 20 };
static const int64_t time_max_ms = 253402300800000; /* the year 10000, and no uptime is longer */

enum status query_page_size(uint32_t asked, uint32_t usual, uint32_t most, uint32_t *ret,
                            struct why *why)
{
    if (asked > most)
        return why_fail(why, STATUS_INVALID, "a page of %u rows is too large: at most %u", asked,
                        most);
    *ret = asked == 0 ? usual : asked;
    return STATUS_OK;
}

/* "1795338000000.12" */
enum status query_page_parse(const char *token, struct page_place *ret, struct why *why)
{
    char digits[DIGITS_MAX + 1];
    uint64_t time_ms = 0, number = 0;
    size_t size = strcspn(token, ".");
    *ret = (struct page_place){0};
    if (*token == '\0')
        return STATUS_OK;
    int good = size <= DIGITS_MAX && token[size] == '.';
    if (good) {
        memcpy(digits, token, size);
        digits[size] = '\0';
        good = parse_u64(digits, 0, INT64_MAX, &time_ms) == STATUS_OK &&
               parse_u64(token + size + 1, 0, INT64_MAX, &number) == STATUS_OK;
    }
    if (!good)
        return why_fail(why, STATUS_INVALID, "'%s' is not a page token of ours", token);
    *ret = (struct page_place){(int64_t)time_ms, number};
    return STATUS_OK;
}

enum status query_page_token(struct query *query, struct page_place place, char **ret,
                             struct why *why)
{
    void *memory = NULL;
    enum status status = query_alloc(query, QUERY_TOKEN_BYTES, &memory, why);
    if (status != STATUS_OK)
        return status;
    (void)snprintf(memory, QUERY_TOKEN_BYTES, "%" PRId64 ".%" PRIu64, place.time_ms, place.number);
    *ret = memory;
    return STATUS_OK;
}

enum status query_page_rows(uint32_t asked, const char *token, struct page_rows *ret,
                            struct why *why)
{
    enum status status =
        query_page_size(asked, QUERY_LIMIT_DEFAULT, QUERY_LIMIT_MAX, &ret->most, why);
    if (status == STATUS_OK)
        status = query_page_parse(token, &ret->place, why);
    if (status == STATUS_OK && ret->place.time_ms > time_max_ms)
        status = why_fail(why, STATUS_INVALID, "'%s' is not a page token of ours", token);
    return status;
}

enum status query_page_next(struct query *query, const struct page_rows *page, uint32_t total,
                            int64_t keep_ms, char **ret, struct why *why)
{
    uint64_t end = page->place.number + page->most;
    if (end >= total)
        return STATUS_OK;
    return query_page_token(query, (struct page_place){keep_ms, end}, ret, why);
}
