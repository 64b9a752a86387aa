#include "alert_message.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "digest.h"
#include "json.h"
#include "report.h"

/* ---- JSON ----------------------------------------------------------------------------------- */

/* RFC 3339, UTC. */
static void add_time(struct buf *ret, const char *name, int64_t time_ms)
{
    char text[64];
    struct tm tm;
    time_t seconds = (time_t)(time_ms / 1000);
    if (gmtime_r(&seconds, &tm) == NULL)
        return;
    size_t used = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(text + used, sizeof(text) - used, ".%03dZ", (int)(time_ms % 1000));
    json_add_text(ret, name, text);
}

/* ---- for people ----------------------------------------------------------------------------- */

static int is_resolved(const struct alert_row *alert)
{
    return strcmp(alert->state, "resolved") == 0;
}

static void write_place(const struct finding_row *finding, struct buf *ret)
{
    buf_append_text(ret, finding->service);
    if (*finding->environment != '\0')
        buf_printf(ret, " (%s)", finding->environment);
}

/* "+900/h, +43.2 kB/h a process" */
static void write_speed(const struct finding_row *finding, struct buf *ret)
{
    report_format_number(ret, finding->count_per_hour, REPORT_RATE);
    buf_append_text(ret, ", ");
    report_format_number(ret, finding->bytes_per_hour, REPORT_BYTE_RATE);
    buf_append_text(ret, " a process");
}

void alert_write_summary(const struct alert_row *alert, struct buf *ret)
{
    const struct finding_row *finding = &alert->finding;
    write_place(finding, ret);
    if (is_resolved(alert)) {
        buf_printf(ret, " does not leak %s any more: %s", finding->type, finding->closed_reason);
        if (*finding->fixed_in != '\0')
            buf_printf(ret, " (fixed in %s)", finding->fixed_in);
        return;
    }
    buf_printf(ret, " %s %s", strcmp(alert->state, "confirmed") == 0 ? "leaks" : "seems to leak",
               finding->type);
    if (*finding->introduced_in != '\0')
        buf_printf(ret, " since %s", finding->introduced_in);
    buf_append_text(ret, ": ");
    write_speed(finding, ret);
    if (finding->until_limit_ms > 0) {
        buf_append_text(ret, "; memory limit in ");
        report_format_number(ret, (double)finding->until_limit_ms, REPORT_DURATION);
    }
}

static void add_summary(struct buf *ret, const struct alert_row *alert)
{
    struct buf text = BUF_INIT;
    alert_write_summary(alert, &text);
    json_add_text(ret, "summary", buf_text(&text));
    buf_done(&text);
}

/* ---- the messages --------------------------------------------------------------------------- */

void alert_write_webhook(const struct alert_row *alert, struct buf *ret)
{
    const struct finding_row *finding = &alert->finding;
    buf_append_byte(ret, '{');
    json_add_text(ret, "id", finding->id);
    json_add_text(ret, "state", alert->state);
    json_add_text(ret, "told", alert->told);
    add_summary(ret, alert);
    json_add_text(ret, "service", finding->service);
    json_add_text(ret, "environment", finding->environment);
    json_add_text(ret, "namespace", finding->service_namespace);
    json_add_text(ret, "type", finding->type);
    json_add_text(ret, "severity", finding->severity);
    json_add_text(ret, "kind", finding->kind);
    json_add_text(ret, "rule", finding->rule);
    json_add_text(ret, "introduced_in", finding->introduced_in);
    json_add_text(ret, "version", finding->version);
    json_add_text(ret, "fixed_in", finding->fixed_in);
    json_add_text(ret, "resolved_reason", finding->closed_reason);
    json_add_double(ret, "count_per_hour", finding->count_per_hour);
    json_add_double(ret, "bytes_per_hour", finding->bytes_per_hour);
    json_add_int(ret, "until_limit_ms", finding->until_limit_ms);
    json_add_double(ret, "confidence", finding->confidence);
    json_add_int(ret, "instances", finding->instances);
    json_add_name(ret, "companions");
    buf_append_text(ret, finding->companions_json); /* an array, as PostgreSQL's jsonb wrote it */
    json_add_int(ret, "first_seen_ms", finding->first_seen_ms);
    json_add_int(ret, "last_seen_ms", finding->last_seen_ms);
    buf_append_byte(ret, '}');
}

/* Who brought what is not settled yet may be told otherwise after the next pass; a label may not.
 */
static const char *version_label(const struct finding_row *finding, const char *severity)
{
    int is_settled = strcmp(severity, "confirmed") == 0 || strcmp(finding->rule, "C") == 0;
    return is_settled ? finding->introduced_in : "";
}

/* Alertmanager takes an empty label for one that is not there. */
static void add_labels(struct buf *ret, const struct finding_row *finding, const char *severity)
{
    json_add_name(ret, "labels");
    buf_append_byte(ret, '{');
    json_add_text(ret, "alertname", "HeapfleetLeak");
    json_add_text(ret, "service", finding->service);
    json_add_text(ret, "environment", finding->environment);
    json_add_text(ret, "namespace", finding->service_namespace);
    json_add_text(ret, "type", finding->type);
    json_add_text(ret, "version", version_label(finding, severity));
    json_add_text(ret, "severity", severity);
    json_add_text(ret, "kind", finding->kind);
    json_add_text(ret, "leak", finding->id);
    buf_append_byte(ret, '}');
}

/* Of collectors whose clocks differ, one may have seen first what another has seen end before; one
 * alert that ends before it starts would have all that is sent with it refused. */
static void add_span(struct buf *ret, int64_t start_ms, int64_t end_ms)
{
    add_time(ret, "startsAt", start_ms < end_ms ? start_ms : end_ms);
    add_time(ret, "endsAt", end_ms);
}

static void add_alert(struct buf *ret, const struct alert_row *alert, const char *severity,
                      int64_t end_ms)
{
    buf_append_text(ret, buf_text(ret)[ret->size - 1] == '[' ? "{" : ",{");
    add_labels(ret, &alert->finding, severity);
    json_add_name(ret, "annotations");
    buf_append_byte(ret, '{');
    add_summary(ret, alert);
    buf_append_byte(ret, '}');
    add_span(ret, alert->finding.first_seen_ms, end_ms);
    buf_append_byte(ret, '}');
}

void alert_write_alertmanager(const struct alert_row *alerts, size_t count, int64_t now_ms,
                              int64_t valid_until_ms, struct buf *ret)
{
    buf_append_byte(ret, '[');
    for (size_t i = 0; i < count; i++) {
        const struct alert_row *alert = &alerts[i];
        if (is_resolved(alert)) { /* what it was told ends under the same labels */
            add_alert(ret, alert, alert->told, alert->finding.closed_ms);
            continue;
        }
        add_alert(ret, alert, alert->state, valid_until_ms);
        if (*alert->told != '\0' && strcmp(alert->told, alert->state) != 0)
            add_alert(ret, alert, alert->told, now_ms);
    }
    buf_append_byte(ret, ']');
}

void alert_write_signature(const char *secret, const struct buf *body, int64_t now_ms,
                           struct buf *ret)
{
    uint8_t digest[DIGEST_BYTES];
    char hex[DIGEST_DIGITS + 1];
    struct buf text = BUF_INIT;
    int64_t seconds = now_ms / 1000;
    buf_printf(&text, "%" PRId64 ".", seconds);
    buf_append(&text, body->data, body->size);
    digest_hmac_sha256(secret, strlen(secret), text.data, text.size, digest);
    digest_hex(digest, hex);
    buf_printf(ret, "t=%" PRId64 ",v1=%s", seconds, hex);
    buf_done(&text);
}
