/*
 * Page tokens: where the next page of an answer begins, as a text that the client gives back. A
 * moment and a number; what they mean is the question's business. Not a secret and not trusted: a
 * text that is none is refused.
 */
#ifndef COLLECTOR_QUERY_QUERY_PAGE_H
#define COLLECTOR_QUERY_QUERY_PAGE_H

#include "query.h"

enum { QUERY_TOKEN_BYTES = 48 }; /* of ours, zero included */

struct page_place {
    int64_t time_ms;
    uint64_t number;
};

/* The rows of a page: 0 is `usual`, more than `most` is refused. */
enum status query_page_size(uint32_t asked, uint32_t usual, uint32_t most, uint32_t *ret,
                            struct why *why) MUST_CHECK;

/* The empty text is the first page: all zero. */
enum status query_page_parse(const char *token, struct page_place *ret, struct why *why) MUST_CHECK;

/* In the question's arena. */
enum status query_page_token(struct query *query, struct page_place place, char **ret,
                             struct why *why) MUST_CHECK;

/* The rows of a ranked answer that a page shows: `most` of them from place.number on. */
struct page_rows {
    struct page_place place; /* time_ms: what the first page found and the others keep to; or 0 */
    uint32_t most;
};

/* Of a request: 0 rows are QUERY_LIMIT_DEFAULT, more than QUERY_LIMIT_MAX are refused. */
enum status query_page_rows(uint32_t asked, const char *token, struct page_rows *ret,
                            struct why *why) MUST_CHECK;

/* The token of the page after this one, of `total` ranked rows; NULL stays where this is the last.
 * `keep_ms`: time_ms of the next place. */
enum status query_page_next(struct query *query, const struct page_rows *page, uint32_t total,
                            int64_t keep_ms, char **ret, struct why *why) MUST_CHECK;

#endif
