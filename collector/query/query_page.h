/*
 * Page tokens: where the next page of an answer begins, as a text that the client gives back. A
 * moment and a number; what they mean is the question's business. Not a secret and not trusted: a
 * text that is none is refused.
 */
#ifndef COLLECTOR_QUERY_QUERY_PAGE_H
#define COLLECTOR_QUERY_QUERY_PAGE_H

#include "query.h"

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

#endif
