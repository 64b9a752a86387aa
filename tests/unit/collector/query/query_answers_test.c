/* Each question but history over one small fleet in memory; and every way in which they fail. */
#include "query_fleet.h"

/* ---- services and deployments --------------------------------------------------------------- */

static void services(void **state)
{
    (void)state;
    fake.findings[0] = (struct finding_row){.service_id = shop + 1};
    fake.finding_count = 1;
    Heapfleet__V1__ListServicesRequest request = HEAPFLEET__V1__LIST_SERVICES_REQUEST__INIT;
    const Heapfleet__V1__ListServicesResponse *all = answer(query_list_services, &request);
    assert_int_equal(all->n_services, 2);
    const Heapfleet__V1__Service *first = all->services[0];
    assert_string_equal(first->name, "shop");
    assert_string_equal(first->latest_version, "v2");
    assert_int_equal(first->live_instances, 2);
    assert_int_equal(first->instances, 4);
    assert_int_equal(first->objects, 50 + 700 + 50 + 1900);
    assert_int_equal(first->bytes, 5000 + 700 * 48 + 5000 + 1900 * 48);
    assert_int_equal(first->last_seen_ms, day_ms + 2 * hour_ms + 500);
    assert_int_equal(first->leaks, 1);
    assert_string_equal(all->services[1]->latest_version, "");
    assert_int_equal(all->services[1]->instances, 0);
    assert_int_equal(all->services[1]->last_seen_ms, 0);
    request.environment = "staging";
    const Heapfleet__V1__ListServicesResponse *none = answer(query_list_services, &request);
    assert_int_equal(none->n_services, 0);
}

static void live_is_three_intervals(void **state)
{
    (void)state;
    struct instance_row row = {.last_seen_ms = day_ms, .interval_ms = 1000};
    assert_true(query_is_live(&row, day_ms - 100000)); /* its clock is ahead */
    assert_true(query_is_live(&row, day_ms + 3000 + QUERY_GRACE_MS));
    assert_false(query_is_live(&row, day_ms + 4000 + QUERY_GRACE_MS));
    row.interval_ms = 0;
    assert_true(query_is_live(&row, day_ms + (int64_t)3 * QUERY_INTERVAL_DEFAULT_MS));
    row.ended_ms = day_ms;
    assert_false(query_is_live(&row, day_ms));
    assert_false(query_is_live(&(struct instance_row){0}, 0));
}

static void deployments(void **state)
{
    (void)state;
    Heapfleet__V1__ListDeploymentsRequest request = HEAPFLEET__V1__LIST_DEPLOYMENTS_REQUEST__INIT;
    request.service = ref("shop", "");
    const Heapfleet__V1__ListDeploymentsResponse *all = answer(query_list_deployments, &request);
    assert_int_equal(all->n_deployments, 2);
    const Heapfleet__V1__Deployment *one = all->deployments[0];
    assert_string_equal(one->version, "v1");
    assert_int_equal(one->live_instances, 0);
    assert_int_equal(one->instances, 2);
    assert_int_equal(one->objects, 150);
    assert_true(one->bytes_per_hour == 0);
    const Heapfleet__V1__Deployment *two = all->deployments[1];
    assert_int_equal(two->live_instances, 2);
    assert_int_equal(two->objects, (750 + 1950) / 2);
    assert_true(about(two->bytes_per_hour, 20 * 60 * 48)); /* mean of 10 and 30 a minute */
}

static void names_that_are_wrong(void **state)
{
    (void)state;
    (void)fake_service("cart", "prod", "");
    (void)fake_service("cart", "staging", "");
    static const struct {
        char *name, *environment;
        enum status status;
        const char *sentence;
    } rows[] = {
        {"", "", STATUS_INVALID, "the request names no service"},
        {"shpo", "", STATUS_NOT_FOUND, "there is no service 'shpo': did you mean 'shop'?"},
        {"zebra", "", STATUS_NOT_FOUND,
         "there is no service 'zebra': there is 'shop', 'idle', 'cart'"},
        {"shop", "staging", STATUS_NOT_FOUND,
         "there is a service 'shop', but not in that environment or namespace"},
        {"cart", "", STATUS_INVALID,
         "service 'cart' is in several environments: 'prod', 'staging'; name one of them"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        Heapfleet__V1__ListDeploymentsRequest request =
            HEAPFLEET__V1__LIST_DEPLOYMENTS_REQUEST__INIT;
        request.service = ref(rows[i].name, rows[i].environment);
        refuses(query_list_deployments, &request, rows[i].status, rows[i].sentence);
    }
    Heapfleet__V1__ListDeploymentsRequest request = HEAPFLEET__V1__LIST_DEPLOYMENTS_REQUEST__INIT;
    refuses(query_list_deployments, &request, STATUS_INVALID, "the request names no service");
    request.service = ref("cart", "staging");
    (void)answer(query_list_deployments, &request);
    (void)fake_service("cart", "", "");
    request.service = ref("cart", "");
    refuses(query_list_deployments, &request, STATUS_INVALID,
            "service 'cart' is in several environments: 'prod', 'staging', '-'; name one of them");
    request.service = ref("cart", "-");
    (void)answer(query_list_deployments, &request);
    request.service = ref("shop", "-");
    refuses(query_list_deployments, &request, STATUS_NOT_FOUND,
            "there is a service 'shop', but not in that environment or namespace");
    fake_reset();
    request.service = ref("shop", "");
    refuses(query_list_deployments, &request, STATUS_NOT_FOUND,
            "there is no service 'shop': no service has reported yet");
}

/* ---- top ------------------------------------------------------------------------------------ */

static void top(void **state)
{
    (void)state;
    Heapfleet__V1__GetTopRequest request = HEAPFLEET__V1__GET_TOP_REQUEST__INIT;
    request.service = ref("shop", "");
    const Heapfleet__V1__GetTopResponse *now = answer(query_get_top, &request);
    assert_string_equal(now->version, "v2");
    assert_int_equal(now->instances, 2);
    assert_int_equal(now->n_types, 2);
    assert_string_equal(now->types[0]->type, "app.models.Order");
    assert_int_equal(now->types[0]->count, 700 + 1900);
    assert_int_equal(now->types[0]->bytes, 48 * (700 + 1900));
    assert_true(about(now->types[0]->count_per_hour, 40 * 60));
    assert_true(about(now->types[0]->bytes_per_hour, 40 * 60 * 48));
    assert_string_equal(now->types[1]->type, "dict");
    assert_true(now->types[1]->bytes_per_hour == 0);
    request.version = "v1"; /* nobody is live: all of them */
    request.limit = 1;
    const Heapfleet__V1__GetTopResponse *old = answer(query_get_top, &request);
    assert_int_equal(old->instances, 2);
    assert_int_equal(old->n_types, 1);
    assert_string_equal(old->types[0]->type, "dict"); /* 2 x 5000 bytes against 2 x 4800 */
    request.order = HEAPFLEET__V1__TOP_ORDER__TOP_ORDER_COUNT;
    const Heapfleet__V1__GetTopResponse *count = answer(query_get_top, &request);
    assert_string_equal(count->types[0]->type, "app.models.Order");
    request.order = HEAPFLEET__V1__TOP_ORDER__TOP_ORDER_GROWTH;
    request.version = "v2";
    const Heapfleet__V1__GetTopResponse *growth = answer(query_get_top, &request);
    assert_string_equal(growth->types[0]->type, "app.models.Order");
}

static void top_of_a_part_when_some_are_live(void **state)
{
    (void)state;
    fake.instances[3].ended_ms = query.now_ms;
    Heapfleet__V1__GetTopRequest request = HEAPFLEET__V1__GET_TOP_REQUEST__INIT;
    request.service = ref("shop", "");
    const Heapfleet__V1__GetTopResponse *now = answer(query_get_top, &request);
    assert_int_equal(now->instances, 1);
    assert_int_equal(now->types[0]->count, 700);
}

/* A row a page, while the fleet goes on: what the whole answer said when the first was asked for.
 */
static void top_in_pages(void **state)
{
    (void)state;
    Heapfleet__V1__GetTopRequest request = HEAPFLEET__V1__GET_TOP_REQUEST__INIT;
    request.service = ref("shop", "");
    const Heapfleet__V1__GetTopResponse *whole = answer(query_get_top, &request);
    assert_int_equal(whole->n_types, 2);
    assert_string_equal(whole->next_page_token, "");
    request.limit = 1;
    const Heapfleet__V1__GetTopResponse *first = answer(query_get_top, &request);
    assert_int_equal(first->n_types, 1);
    assert_string_equal(first->types[0]->type, whole->types[0]->type);
    fake.instances[3].ended_ms = query.now_ms + minute_ms;
    fake_snapshot(2, query.now_ms + minute_ms, 2, (struct type_value[]){{7, 7}, {8, 8}});
    int v3 = fake_deployment(shop, "v3");
    fake.deployments[v3].first_seen_ms = query.now_ms + minute_ms;
    (void)hour_of(v3, query.now_ms + minute_ms, 10, 10);
    query.now_ms += 2 * hour_ms;
    request.page_token = first->next_page_token;
    const Heapfleet__V1__GetTopResponse *second = answer(query_get_top, &request);
    assert_string_equal(second->version, whole->version);
    assert_int_equal(second->instances, whole->instances);
    assert_int_equal(second->n_types, 1);
    assert_string_equal(second->types[0]->type, whole->types[1]->type);
    assert_int_equal(second->types[0]->count, whole->types[1]->count);
    assert_int_equal(second->types[0]->bytes, whole->types[1]->bytes);
    assert_string_equal(second->next_page_token, "");
    request.page_token = "";
    const Heapfleet__V1__GetTopResponse *anew = answer(query_get_top, &request);
    assert_string_equal(anew->version, "v3");
}

static void top_refused(void **state)
{
    (void)state;
    Heapfleet__V1__GetTopRequest request = HEAPFLEET__V1__GET_TOP_REQUEST__INIT;
    request.service = ref("shop", "");
    request.version = "v3";
    refuses(query_get_top, &request, STATUS_NOT_FOUND,
            "service 'shop' has no version 'v3': it has 'v2', 'v1'");
    request.version = "";
    request.limit = 1001;
    refuses(query_get_top, &request, STATUS_INVALID,
            "a page of 1001 rows is too large: at most 1000");
    request.limit = 0;
    request.page_token = "7";
    refuses(query_get_top, &request, STATUS_INVALID, "'7' is not a page token of ours");
    request.page_token = "9223372036854775807.0";
    refuses(query_get_top, &request, STATUS_INVALID,
            "'9223372036854775807.0' is not a page token of ours");
    request.page_token = "";
    request.order = (Heapfleet__V1__TopOrder)7;
    refuses(query_get_top, &request, STATUS_INVALID, "there is no order 7");
    request.order = HEAPFLEET__V1__TOP_ORDER__TOP_ORDER_BYTES;
    request.service = ref("idle", "");
    refuses(query_get_top, &request, STATUS_NOT_FOUND,
            "service 'idle' has no version '': it has none yet");
}

/* ---- compare -------------------------------------------------------------------------------- */

static void compare(void **state)
{
    (void)state;
    Heapfleet__V1__CompareDeploymentsRequest request =
        HEAPFLEET__V1__COMPARE_DEPLOYMENTS_REQUEST__INIT;
    request.service = ref("shop", "");
    request.version_a = "v1";
    request.version_b = "v2";
    const Heapfleet__V1__CompareDeploymentsResponse *whole =
        answer(query_compare_deployments, &request);
    assert_int_equal(whole->at_uptime_ms, hour_ms);
    assert_int_equal(whole->instances_a, 2);
    assert_int_equal(whole->instances_b, 2);
    const Heapfleet__V1__TypeComparison *order = whole->types[0];
    assert_string_equal(order->type, "app.models.Order");
    assert_true(order->count_a == 100 && order->count_b == (700 + 1900) / 2.0);
    assert_true(order->bytes_a == 4800 && order->bytes_b == 48 * 1300);
    assert_true(order->count_per_hour_a == 0 && about(order->count_per_hour_b, 1200));
    assert_true(about(order->bytes_per_hour_b, 1200 * 48));
    request.limit = 1;
    for (size_t i = 0; i < whole->n_types; i++) {
        const Heapfleet__V1__CompareDeploymentsResponse *page =
            answer(query_compare_deployments, &request);
        assert_int_equal(page->n_types, 1);
        assert_string_equal(page->types[0]->type, whole->types[i]->type);
        assert_int_equal(page->at_uptime_ms, hour_ms);
        request.page_token = page->next_page_token;
        /* most are younger now, but the pages keep to the uptime of the first */
        for (int more = 0; i == 0 && more < 3; more++)
            (void)hour_of(v2, query.now_ms, 10, 1);
    }
    assert_string_equal(request.page_token, "");
    request.limit = 0;
    request.at_uptime_ms = 30 * minute_ms + 10000;
    const Heapfleet__V1__CompareDeploymentsResponse *half =
        answer(query_compare_deployments, &request);
    assert_true(half->types[0]->count_b == 100 + 20 * 30);
    assert_true(about(half->types[0]->count_per_hour_b, 1200));
}

static void compare_at_an_age_that_half_has_reached(void **state)
{
    (void)state;
    (void)hour_of(v2, day_ms + 110 * minute_ms, 10, 10); /* one has just been restarted */
    Heapfleet__V1__CompareDeploymentsRequest request =
        HEAPFLEET__V1__COMPARE_DEPLOYMENTS_REQUEST__INIT;
    request.service = ref("shop", "");
    request.version_a = "v1";
    request.version_b = "v2";
    const Heapfleet__V1__CompareDeploymentsResponse *all =
        answer(query_compare_deployments, &request);
    assert_int_equal(all->at_uptime_ms, hour_ms);
    assert_int_equal(all->instances_b, 2);
    request.at_uptime_ms = 2 * hour_ms;
    refuses(query_compare_deployments, &request, STATUS_INVALID,
            "version 'v1' has not reached an uptime of 2h: its oldest process has 1h");
    request.at_uptime_ms = -1;
    refuses(query_compare_deployments, &request, STATUS_INVALID, "an uptime cannot be negative");
    request.at_uptime_ms = 0;
    request.version_b = "v3";
    refuses(query_compare_deployments, &request, STATUS_NOT_FOUND,
            "service 'shop' has no version 'v3': it has 'v2', 'v1'");
    int v3 = fake_deployment(shop, "v3");
    (void)fake_instance(v3, day_ms, "dict", NULL);
    refuses(query_compare_deployments, &request, STATUS_NOT_FOUND,
            "version 'v3' has sent no snapshot yet");
}

/* ---- leaks ---------------------------------------------------------------------------------- */

static void leaks(void **state)
{
    (void)state;
    fake.findings[0] = (struct finding_row){
        .service_id = shop + 1,
        .service = "shop",
        .service_namespace = "",
        .environment = "prod",
        .type = "app.models.Order",
        .severity = "confirmed",
        .introduced_in = "v2",
        .count_per_hour = 1200,
        .bytes_per_hour = 57600,
        .confidence = 0.97,
        .first_seen_ms = day_ms,
        .last_seen_ms = day_ms + 1,
        .until_limit_ms = hour_ms,
        .instances = 2,
        .companions_json = "[\"dict\", \"str\"]",
    };
    fake.finding_count = 1;
    Heapfleet__V1__ListLeaksRequest request = HEAPFLEET__V1__LIST_LEAKS_REQUEST__INIT;
    const Heapfleet__V1__ListLeaksResponse *all = answer(query_list_leaks, &request);
    assert_int_equal(all->n_leaks, 1);
    const Heapfleet__V1__Leak *leak = all->leaks[0];
    assert_string_equal(leak->type, "app.models.Order");
    assert_string_equal(leak->introduced_in, "v2");
    assert_int_equal(leak->until_limit_ms, hour_ms);
    assert_int_equal(leak->n_companions, 2);
    assert_string_equal(leak->companions[1], "str");
    request.service = ref("idle", "");
    const Heapfleet__V1__ListLeaksResponse *none = answer(query_list_leaks, &request);
    assert_int_equal(none->n_leaks, 0);
    request.service = ref("", "staging");
    const Heapfleet__V1__ListLeaksResponse *elsewhere = answer(query_list_leaks, &request);
    assert_int_equal(elsewhere->n_leaks, 0);
    request.service = ref("ide", "");
    refuses(query_list_leaks, &request, STATUS_NOT_FOUND,
            "there is no service 'ide': did you mean 'idle'?");
}

/* ---- what may fail -------------------------------------------------------------------------- */

/* Every read fails once, and every arena is too small once: a status, no answer, no leak. */
static void sweep(query_answer_fn *ask, const void *request)
{
    ProtobufCMessage *response = NULL;
    for (int n = 1;; n++) {
        fake.reads_until_failure = n;
        arena_reset(&arena);
        response = NULL;
        enum status status = ask(&query, request, &response, &why);
        if (fake.reads_until_failure > 0)
            break;
        assert_int_equal(status, STATUS_UNAVAILABLE);
        assert_null(response);
    }
    fake.reads_until_failure = 0;
    assert_non_null(response);
    size_t needed = arena.used_bytes;
    for (size_t cap = 0; cap < needed; cap += 64) {
        struct arena small;
        arena_init(&small, cap);
        struct query tight = {.arena = &small, .now_ms = query.now_ms};
        response = NULL;
        assert_int_equal(ask(&tight, request, &response, &why), STATUS_LIMIT);
        assert_null(response);
        arena_done(&small);
    }
}

static void every_read_and_every_allocation_may_fail(void **state)
{
    (void)state;
    fake.findings[0] = (struct finding_row){.service_id = 1,
                                            .service = "shop",
                                            .service_namespace = "",
                                            .environment = "prod",
                                            .type = "t",
                                            .severity = "",
                                            .introduced_in = "",
                                            .companions_json = "[\"dict\"]"};
    fake.finding_count = 1;
    Heapfleet__V1__ServiceRef service = *ref("shop", "prod");
    Heapfleet__V1__ListServicesRequest list = HEAPFLEET__V1__LIST_SERVICES_REQUEST__INIT;
    sweep(query_list_services, &list);
    Heapfleet__V1__ListDeploymentsRequest deployment =
        HEAPFLEET__V1__LIST_DEPLOYMENTS_REQUEST__INIT;
    deployment.service = &service;
    sweep(query_list_deployments, &deployment);
    Heapfleet__V1__GetTopRequest get_top = HEAPFLEET__V1__GET_TOP_REQUEST__INIT;
    get_top.service = &service;
    sweep(query_get_top, &get_top);
    Heapfleet__V1__GetHistoryRequest history = HEAPFLEET__V1__GET_HISTORY_REQUEST__INIT;
    history.service = &service;
    history.type = "dict";
    history.step_ms = 10 * minute_ms;
    history.from_ms = day_ms;
    sweep(query_get_history, &history);
    history.raw = 1;
    history.to_ms = day_ms + 5 * minute_ms;
    sweep(query_get_history, &history);
    history.raw = 0;
    history.to_ms = 0;
    history.step_ms = 0;
    history.resolution = HEAPFLEET__V1__RESOLUTION__RESOLUTION_HOUR;
    fake.rolled_until_ms = day_ms + hour_ms;
    sweep(query_get_history, &history);
    Heapfleet__V1__GetGrowthRequest gained = HEAPFLEET__V1__GET_GROWTH_REQUEST__INIT;
    gained.service = &service;
    sweep(query_get_growth, &gained);
    Heapfleet__V1__ListInstancesRequest processes = HEAPFLEET__V1__LIST_INSTANCES_REQUEST__INIT;
    processes.service = &service;
    sweep(query_list_instances, &processes);
    Heapfleet__V1__CompareDeploymentsRequest versions =
        HEAPFLEET__V1__COMPARE_DEPLOYMENTS_REQUEST__INIT;
    versions.service = &service;
    versions.version_a = "v1";
    versions.version_b = "v2";
    sweep(query_compare_deployments, &versions);
    Heapfleet__V1__ListLeaksRequest findings = HEAPFLEET__V1__LIST_LEAKS_REQUEST__INIT;
    sweep(query_list_leaks, &findings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(services, fleet),
        cmocka_unit_test_setup(live_is_three_intervals, fleet),
        cmocka_unit_test_setup(deployments, fleet),
        cmocka_unit_test_setup(names_that_are_wrong, fleet),
        cmocka_unit_test_setup(top, fleet),
        cmocka_unit_test_setup(top_of_a_part_when_some_are_live, fleet),
        cmocka_unit_test_setup(top_in_pages, fleet),
        cmocka_unit_test_setup(top_refused, fleet),
        cmocka_unit_test_setup(compare, fleet),
        cmocka_unit_test_setup(compare_at_an_age_that_half_has_reached, fleet),
        cmocka_unit_test_setup(leaks, fleet),
        cmocka_unit_test_setup(every_read_and_every_allocation_may_fail, fleet),
    };
    return cmocka_run_group_tests(tests, NULL, finish);
}
