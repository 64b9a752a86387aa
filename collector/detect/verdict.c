#include "verdict.h"

#include "attributes.h"

const char *verdict_tier_name(enum verdict_tier tier)
{
    static const char *const names[] = {"watch", "suspect", "confirmed", "resolved"};
    ASSERT(tier < ARRAY_SIZE(names));
    return names[tier];
}

const char *verdict_kind_name(enum verdict_kind kind)
{
    static const char *const names[] = {"objects", "buffer", "native", "fragmentation"};
    ASSERT(kind < ARRAY_SIZE(names));
    return names[kind];
}

const char *verdict_rule_name(enum verdict_rule rule)
{
    static const char *const names[] = {"", "A", "A'", "B", "C", "D"};
    ASSERT(rule < ARRAY_SIZE(names));
    return names[rule];
}

int verdict_is_settled(const struct verdict *verdict)
{
    return verdict->tier >= VERDICT_CONFIRMED || verdict->rule == VERDICT_RULE_C;
}
