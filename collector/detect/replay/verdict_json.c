#include "verdict_json.h"

#include <string.h>

#include "json.h"

void verdict_json_append(struct buf *buf, const char *service, const struct verdict *verdict)
{
    buf_printf(buf, "{\"time\":%lld", (long long)(verdict->since_ms / 1000));
    json_add_text(buf, "service", service);
    json_add_text(buf, "type", verdict->type);
    json_add_text(buf, "severity", verdict_tier_name(verdict->tier));
    json_add_text(buf, "rule", verdict_rule_name(verdict->rule));
    json_add_text(buf, "introduced_in", verdict->oldest_in);
    json_add_name(buf, "or_earlier");
    buf_append_text(buf, *verdict->introduced_in == '\0' ? "true" : "false");
    json_add_double(buf, "growth_per_hour", verdict->count_per_hour);
    json_add_double(buf, "slope_bytes_per_hour", verdict->bytes_per_hour);
    json_add_double(buf, "confidence", verdict->confidence);
    json_add_double(buf, "instances", verdict->evidence.lives_growing);
    json_add_text(buf, "kind", verdict_kind_name(verdict->kind));
    json_add_text(buf, "still_in", verdict->still_in);
    json_add_text(buf, "fixed_in", verdict->fixed_in);
    json_add_int(buf, "until_limit_ms", verdict->until_limit_ms);
    json_add_text(buf, "reason", verdict->reason);
    buf_append_text(buf, ",\"companions\":[");
    for (uint32_t i = 0; i < verdict->companion_count; i++) {
        if (i > 0)
            buf_append_byte(buf, ',');
        json_append_string(buf, verdict->companions[i], strlen(verdict->companions[i]));
    }
    buf_append_text(buf, "]}\n");
}
