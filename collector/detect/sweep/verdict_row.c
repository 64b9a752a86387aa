#include "verdict_row.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "json.h"

static const char *keep(struct buf *json, struct arena *arena)
{
    const char *text = arena_strndup(arena, buf_text(json), json->size);
    ASSERT(text != NULL);
    buf_done(json);
    return text;
}

static const char *companions_json(const struct verdict *verdict, struct arena *arena)
{
    struct buf json = BUF_INIT;
    buf_append_byte(&json, '[');
    for (uint32_t i = 0; i < verdict->companion_count; i++) {
        if (i > 0)
            buf_append_byte(&json, ',');
        json_append_string(&json, verdict->companions[i], strlen(verdict->companions[i]));
    }
    buf_append_byte(&json, ']');
    return keep(&json, arena);
}

/* ---- evidence: what a person reads, as texts by name ------------------------------------------
 */

static void add_text(struct buf *json, const char *name, const char *text)
{
    if (*text == '\0')
        return;
    json_add_text(json, name, text);
}

static void add_number(struct buf *json, const char *name, double value, int digits)
{
    char text[64];
    if (!isfinite(value))
        return;
    (void)snprintf(text, sizeof(text), "%.*g", digits, value);
    add_text(json, name, text);
}

static void add_shape(struct buf *json, const struct verdict_evidence *e)
{
    add_number(json, "median uptime, hours", (double)e->uptime_ms / 3600e3, 3);
    add_number(json, "growth over it", e->growth, 3);
    add_number(json, "growth of the load", e->load_growth, 3);
    add_number(json, "elasticity to the load", e->elasticity, 2);
    add_number(json, "R2 of the line", e->r2, 4);
    add_number(json, "p of the line", e->p, 2);
    add_number(json, "dBIC, line against filling up", e->line_gain, 3);
    add_number(json, "growth in the second half", e->second_half, 2);
    add_number(json, "slope at the end, of the whole", e->tail, 2);
    add_number(json, "largest step, of the growth", e->jump, 2);
    add_number(json, "lives that look like filling up", e->plateau_share, 2);
}

static const char *evidence_json(const struct verdict *verdict, struct arena *arena)
{
    struct buf json = BUF_INIT;
    const struct verdict_evidence *e = &verdict->evidence;
    buf_append_byte(&json, '{');
    add_text(&json, "why", verdict->reason);
    if (e->lives > 0)
        add_number(&json, "lives", e->lives, 6);
    if (verdict->rule == VERDICT_RULE_C) {
        add_number(&json, "versions in a row", e->versions_rising, 6);
        add_number(&json, "growth over them", e->growth, 3);
    } else {
        if (e->versions_rising > 0)
            add_number(&json, "versions in a row", e->versions_rising, 6);
        add_number(&json, "lives that grow", e->lives_growing, 6);
        add_shape(&json, e);
    }
    if (e->lives_oom_killed > 0)
        add_number(&json, "lives killed for memory", e->lives_oom_killed, 6);
    if (*verdict->introduced_in != '\0')
        add_number(&json, "objects per hour in the version before", e->slope_earlier, 3);
    buf_append_byte(&json, '}');
    return keep(&json, arena);
}

void verdict_row_fill(int64_t service_id, const struct verdict *verdict, struct arena *arena,
                      struct finding_row *ret)
{
    *ret = (struct finding_row){
        .service_id = service_id,
        .type = verdict->type,
        .severity = verdict_tier_name(verdict->tier),
        .kind = verdict_kind_name(verdict->kind),
        .rule = verdict_rule_name(verdict->rule),
        .version = verdict->still_in,
        .introduced_in = verdict->introduced_in,
        .count_per_hour = verdict->count_per_hour,
        .bytes_per_hour = verdict->bytes_per_hour,
        .confidence = verdict->confidence,
        .until_limit_ms = verdict->until_limit_ms,
        .instances = verdict->evidence.lives_growing,
        .companions_json = companions_json(verdict, arena),
        .evidence_json = evidence_json(verdict, arena),
    };
}
