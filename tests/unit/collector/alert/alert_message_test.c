/* What receivers get to read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "alert_message.h"

static struct alert_row an_alert(void)
{
    return (struct alert_row){
        .finding = {.id = "1f3a22c0",
                    .service = "shop",
                    .environment = "prod",
                    .service_namespace = "",
                    .type = "shop.\"Cart\"",
                    .severity = "confirmed",
                    .kind = "objects",
                    .rule = "A",
                    .introduced_in = "v2",
                    .version = "v3",
                    .fixed_in = "",
                    .closed_reason = "",
                    .count_per_hour = 900,
                    .bytes_per_hour = 43200,
                    .until_limit_ms = 108000000,
                    .confidence = 0.97,
                    .instances = 4,
                    .companions_json = "[\"dict\"]",
                    .first_seen_ms = 1760000000123,
                    .last_seen_ms = 1760000300000},
        .state = "confirmed",
        .told = "",
    };
}

static void a_webhook_gets_an_object(void **state)
{
    (void)state;
    const struct alert_row alert = an_alert();
    struct buf body = BUF_INIT;
    alert_write_webhook(&alert, &body);
    assert_string_equal(
        buf_text(&body),
        "{\"id\":\"1f3a22c0\",\"state\":\"confirmed\",\"told\":\"\","
        "\"summary\":\"shop (prod) leaks shop.\\\"Cart\\\" since v2: +900/h, +43.2 kB/h a process; "
        "memory limit in 1d 6h\",\"service\":\"shop\",\"environment\":\"prod\",\"namespace\":\"\","
        "\"type\":\"shop.\\\"Cart\\\"\",\"severity\":\"confirmed\",\"kind\":\"objects\","
        "\"rule\":\"A\",\"introduced_in\":\"v2\",\"version\":\"v3\",\"fixed_in\":\"\","
        "\"resolved_reason\":\"\",\"count_per_hour\":900,\"bytes_per_hour\":43200,"
        "\"until_limit_ms\":108000000,\"confidence\":0.97,\"instances\":4,"
        "\"companions\":[\"dict\"],\"first_seen_ms\":1760000000123,"
        "\"last_seen_ms\":1760000300000}");
    buf_done(&body);
}

/* Alertmanager refuses what ends before it starts, and all that is sent with it. */
static void no_alert_ends_before_it_starts(void **state)
{
    (void)state;
    struct alert_row alerts[] = {an_alert(), an_alert()}; /* seen by one whose clock is ahead */
    alerts[0].finding.first_seen_ms = 1760000700000;
    alerts[1].state = "resolved";
    alerts[1].finding.closed_ms = 1760000000000;
    struct buf body = BUF_INIT;
    alert_write_alertmanager(alerts, 2, 1760000500000, 1760000600000, &body);
    const char *text = buf_text(&body);
    assert_non_null(strstr(text, "\"startsAt\":\"2025-10-09T09:03:20.000Z\","
                                 "\"endsAt\":\"2025-10-09T09:03:20.000Z\"},{"));
    assert_non_null(strstr(text, "\"startsAt\":\"2025-10-09T08:53:20.000Z\","
                                 "\"endsAt\":\"2025-10-09T08:53:20.000Z\"}]"));
    buf_done(&body);
}

static void alertmanager_gets_an_array(void **state)
{
    (void)state;
    struct alert_row alerts[] = {an_alert(), an_alert()};
    alerts[1].told = "confirmed";
    alerts[1].state = "resolved";
    alerts[1].finding.closed_ms = 1760000400000;
    alerts[1].finding.closed_reason = "flat in v4";
    alerts[1].finding.fixed_in = "v4";
    struct buf body = BUF_INIT;
    alert_write_alertmanager(alerts, 2, 1760000500000, 1760000600000, &body);
    const char *text = buf_text(&body);
    assert_non_null(strstr(text, "[{\"labels\":{\"alertname\":\"HeapfleetLeak\","));
    assert_non_null(strstr(text, "\"startsAt\":\"2025-10-09T08:53:20.123Z\","
                                 "\"endsAt\":\"2025-10-09T09:03:20.000Z\"},{"));
    assert_non_null(strstr(text, "shop (prod) does not leak shop.\\\"Cart\\\" any more: flat in v4 "
                                 "(fixed in v4)\"}"));
    const char *second = strstr(text, "},{");
    assert_non_null(strstr(second, "\"severity\":\"confirmed\"")); /* the same labels end */
    assert_non_null(strstr(second, "\"endsAt\":\"2025-10-09T09:00:00.000Z\"}]"));
    buf_done(&body);
}

static void a_suspect_is_no_certainty(void **state)
{
    (void)state;
    struct alert_row alert = an_alert();
    alert.state = "suspect";
    alert.finding.introduced_in = "";
    alert.finding.until_limit_ms = 0;
    struct buf text = BUF_INIT;
    alert_write_summary(&alert, &text);
    assert_string_equal(buf_text(&text),
                        "shop (prod) seems to leak shop.\"Cart\": +900/h, +43.2 kB/h a process");
    buf_done(&text);
}

/* The version of a suspect may still change; one of creep, which stays suspect, does not. */
static void labels_do_not_change(void **state)
{
    (void)state;
    static const struct {
        const char *state, *told, *rule, *label;
    } rows[] = {
        {"suspect", "", "A", "\"version\":\"\",\"severity\":\"suspect\""},
        {"resolved", "suspect", "A", "\"version\":\"\",\"severity\":\"suspect\""},
        {"suspect", "", "C", "\"version\":\"v2\",\"severity\":\"suspect\""},
        {"confirmed", "suspect", "A", "\"version\":\"v2\",\"severity\":\"confirmed\""},
        {"resolved", "confirmed", "A", "\"version\":\"v2\",\"severity\":\"confirmed\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct alert_row alert = an_alert();
        struct buf body = BUF_INIT;
        alert.state = rows[i].state;
        alert.told = rows[i].told;
        alert.finding.rule = rows[i].rule;
        alert_write_alertmanager(&alert, 1, 1760000500000, 1760000600000, &body);
        assert_non_null(strstr(buf_text(&body), rows[i].label));
        buf_done(&body);
    }
}

/* Alertmanager knows alerts by their labels: what it was told before would fire beside it. */
static void what_was_told_before_ends(void **state)
{
    (void)state;
    struct alert_row alert = an_alert();
    struct buf body = BUF_INIT;
    alert.told = "suspect";
    alert_write_alertmanager(&alert, 1, 1760000500000, 1760000600000, &body);
    const char *text = buf_text(&body);
    const char *second = strstr(text, "},{");
    assert_non_null(second);
    assert_null(strstr(second + 1, "},{"));
    assert_non_null(strstr(text, "\"severity\":\"confirmed\""));
    assert_non_null(strstr(text, "\"endsAt\":\"2025-10-09T09:03:20.000Z\"},{"));
    assert_non_null(strstr(second, "\"version\":\"\",\"severity\":\"suspect\""));
    assert_non_null(strstr(second, "\"endsAt\":\"2025-10-09T09:01:40.000Z\"}]"));
    alert.told = "confirmed"; /* a reminder */
    buf_clear(&body);
    alert_write_alertmanager(&alert, 1, 1760000500000, 1760000600000, &body);
    assert_null(strstr(buf_text(&body), "},{"));
    buf_done(&body);
}

/* HMAC-SHA-256("key", "1760000000.{}") by another implementation. */
static void the_signature_covers_time_and_body(void **state)
{
    (void)state;
    struct buf body = BUF_INIT;
    struct buf signature = BUF_INIT;
    buf_append_text(&body, "{}");
    alert_write_signature("key", &body, 1760000000999, &signature);
    assert_string_equal(
        buf_text(&signature),
        "t=1760000000,v1=5f2db4fbfe82c254ac32f1ccc5eff02389f2609d76031aa8b300fac9565df6f6");
    buf_done(&body);
    buf_done(&signature);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_webhook_gets_an_object),
        cmocka_unit_test(alertmanager_gets_an_array),
        cmocka_unit_test(no_alert_ends_before_it_starts),
        cmocka_unit_test(a_suspect_is_no_certainty),
        cmocka_unit_test(labels_do_not_change),
        cmocka_unit_test(what_was_told_before_ends),
        cmocka_unit_test(the_signature_covers_time_and_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
