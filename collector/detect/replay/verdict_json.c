#include "verdict_json.h"

#include <string.h>

#include "json.h"

static void add_name(struct buf *buf, const char *name)
{
    buf_printf(buf, ",\"%s\":", name);
}

static void add_text(struct buf *buf, const char *name, const char *text)
{
    add_name(buf, name);
    json_append_string(buf, text, strlen(text));
}

static void add_number(struct buf *buf, const char *name, double value)
{
    add_name(buf, name);
    json_append_double(buf, value);
}

void verdict_json_append(struct buf *buf, const char *service, const struct verdict *verdict)
{
    buf_printf(buf, "{\"time\":%lld", (long long)(verdict->since_ms / 1000));
    add_text(buf, "service", service);
    add_text(buf, "type", verdict->type);
    add_text(buf, "severity", verdict_tier_name(verdict->tier));
    add_text(buf, "rule", verdict_rule_name(verdict->rule));
    add_text(buf, "introduced_in", verdict->oldest_in);
    add_name(buf, "or_earlier");
    buf_append_text(buf, *verdict->introduced_in == '\0' ? "true" : "false");
    add_number(buf, "growth_per_hour", verdict->count_per_hour);
    add_number(buf, "slope_bytes_per_hour", verdict->bytes_per_hour);
    add_number(buf, "confidence", verdict->confidence);
    add_number(buf, "instances", verdict->evidence.lives_growing);
    add_text(buf, "kind", verdict_kind_name(verdict->kind));
    add_text(buf, "still_in", verdict->still_in);
    add_text(buf, "fixed_in", verdict->fixed_in);
    add_name(buf, "until_limit_ms");
    buf_printf(buf, "%lld", (long long)verdict->until_limit_ms);
    add_text(buf, "reason", verdict->reason);
    buf_append_text(buf, ",\"companions\":[");
    for (uint32_t i = 0; i < verdict->companion_count; i++) {
        if (i > 0)
            buf_append_byte(buf, ',');
        json_append_string(buf, verdict->companions[i], strlen(verdict->companions[i]));
    }
    buf_append_text(buf, "]}\n");
}
