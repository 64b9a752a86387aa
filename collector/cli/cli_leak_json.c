/* heapfleet leaks show -o json: all that the collector says of one leak, as one object. */
#include "cli_leak_json.h"

#include <string.h>

#include "clock.h"
#include "json.h"

/* 0 is not known: null. */
static void add_time(struct buf *text, const char *name, int64_t time_ms)
{
    char utc[CLOCK_TEXT_BYTES];
    json_add_name(text, name);
    if (time_ms == 0) {
        buf_append_text(text, "null");
        return;
    }
    clock_format_utc(time_ms, utc);
    buf_printf(text, "\"%s\"", utc);
}

static void add_leak(struct buf *text, const Heapfleet__V1__Leak *leak)
{
    json_add_text(text, "id", leak->id);
    json_add_text(text, "service", leak->service);
    json_add_text(text, "environment", leak->environment);
    json_add_text(text, "service_namespace", leak->service_namespace);
    json_add_text(text, "type", leak->type);
    json_add_text(text, "severity", leak->severity);
    json_add_text(text, "state", leak->state);
    json_add_text(text, "kind", leak->kind);
    json_add_text(text, "rule", leak->rule);
    json_add_text(text, "introduced_in", leak->introduced_in);
    json_add_text(text, "version", leak->version);
    json_add_double(text, "count_per_hour", leak->count_per_hour);
    json_add_double(text, "bytes_per_hour", leak->bytes_per_hour);
    json_add_double(text, "confidence", leak->confidence);
    json_add_name(text, "until_limit_ms");
    if (leak->until_limit_ms > 0)
        buf_printf(text, "%lld", (long long)leak->until_limit_ms);
    else
        buf_append_text(text, "null");
    json_add_int(text, "instances", leak->instances);
    add_time(text, "first_seen", leak->first_seen_ms);
    add_time(text, "last_seen", leak->last_seen_ms);
    json_add_name(text, "companions");
    for (size_t i = 0; i < leak->n_companions; i++) {
        buf_append_text(text, i > 0 ? "," : "[");
        json_append_string(text, leak->companions[i], strlen(leak->companions[i]));
    }
    buf_append_text(text, leak->n_companions > 0 ? "]" : "[]");
}

/* What was done about it. */
static void add_state(struct buf *text, const Heapfleet__V1__Leak *leak)
{
    add_time(text, "acknowledged", leak->acknowledged_ms);
    json_add_text(text, "acknowledged_by", leak->acknowledged_by);
    json_add_text(text, "note", leak->note);
    add_time(text, "muted", leak->muted_ms);
    add_time(text, "muted_until", leak->muted_until_ms);
    json_add_text(text, "muted_by", leak->muted_by);
    json_add_text(text, "muted_because", leak->muted_because);
    add_time(text, "resolved", leak->resolved_ms);
    json_add_text(text, "resolved_reason", leak->resolved_reason);
    json_add_text(text, "fixed_in", leak->fixed_in);
}

static void add_evidence(struct buf *text, const Heapfleet__V1__GetLeakResponse *answer)
{
    json_add_name(text, "evidence");
    buf_append_byte(text, '{');
    for (size_t i = 0; i < answer->n_evidence; i++)
        json_add_text(text, answer->evidence[i]->name, answer->evidence[i]->value);
    buf_append_byte(text, '}');
}

static void add_events(struct buf *text, const Heapfleet__V1__GetLeakResponse *answer)
{
    json_add_name(text, "events");
    buf_append_byte(text, '[');
    for (size_t i = 0; i < answer->n_events; i++) {
        buf_append_text(text, i > 0 ? ",{" : "{");
        add_time(text, "time", answer->events[i]->at_ms);
        json_add_text(text, "event", answer->events[i]->event);
        json_add_text(text, "detail", answer->events[i]->detail);
        json_add_text(text, "actor", answer->events[i]->actor);
        buf_append_byte(text, '}');
    }
    buf_append_byte(text, ']');
}

static void add_curve(struct buf *text, const Heapfleet__V1__GrowthCurve *curve)
{
    json_add_text(text, "version", curve->version);
    json_add_int(text, "instances", curve->instances);
    json_add_name(text, "points");
    buf_append_byte(text, '[');
    for (size_t i = 0; i < curve->n_points; i++) {
        buf_append_text(text, i > 0 ? ",{" : "{");
        json_add_int(text, "uptime_ms", curve->points[i]->uptime_ms);
        json_add_name(text, "count");
        json_append_exact(text, curve->points[i]->count);
        json_add_name(text, "bytes");
        json_append_exact(text, curve->points[i]->bytes);
        buf_append_byte(text, '}');
    }
    buf_append_byte(text, ']');
}

void cli_leak_json(const Heapfleet__V1__GetLeakResponse *answer, struct buf *ret)
{
    buf_append_byte(ret, '{');
    add_leak(ret, answer->leak);
    add_state(ret, answer->leak);
    add_evidence(ret, answer);
    add_events(ret, answer);
    json_add_name(ret, "curves");
    buf_append_byte(ret, '[');
    for (size_t i = 0; i < answer->n_curves; i++) {
        buf_append_text(ret, i > 0 ? ",{" : "{");
        add_curve(ret, answer->curves[i]);
        buf_append_byte(ret, '}');
    }
    buf_append_text(ret, "]}\n");
}
