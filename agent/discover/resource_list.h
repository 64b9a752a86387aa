/*
 * OTEL_RESOURCE_ATTRIBUTES: "key=value,key=value", percent-encoded, as the OpenTelemetry
 * specification has it: one pair that cannot be decoded discards the whole list.
 */
#ifndef AGENT_DISCOVER_RESOURCE_LIST_H
#define AGENT_DISCOVER_RESOURCE_LIST_H

#include <stddef.h>

#include "arena.h"
#include "identity.h"
#include "status.h"

enum { RESOURCE_PAIRS_MAX = 128 };

struct resource_list {
    struct identity_attribute pairs[RESOURCE_PAIRS_MAX];
    size_t count;
};

/* INVALID: a pair without '=', an empty key, a bad escape, or a value that is not acceptable text.
 * Of more than RESOURCE_PAIRS_MAX pairs, or when the arena is full, LIMIT. `ret` is then empty. */
enum status resource_list_parse(const char *text, struct arena *arena,
                                struct resource_list *ret) MUST_CHECK;

/* The value of `key`, or NULL. Of two pairs with one key the last wins. */
const char *resource_list_get(const struct resource_list *list, const char *key);

/* May this text be shown and sent? Not empty, UTF-8, no control bytes, bounded length. */
int identity_text_acceptable(const char *text, size_t size);

#endif
