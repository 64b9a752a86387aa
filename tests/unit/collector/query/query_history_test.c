/* History in steps, snapshots, hours and days; growth; processes: over one small fleet in memory.
 */
#include "query_fleet.h"

/* ---- history -------------------------------------------------------------------------------- */

static void history_in_steps(void **state)
{
    (void)state;
    Heapfleet__V1__GetHistoryRequest request = HEAPFLEET__V1__GET_HISTORY_REQUEST__INIT;
    request.service = ref("shop", "");
    request.type = "app.models.Order";
    request.from_ms = day_ms;
    request.to_ms = day_ms + 2 * hour_ms;
    request.step_ms = 10 * minute_ms;
    const Heapfleet__V1__GetHistoryResponse *all = answer(query_get_history, &request);
    assert_int_equal(all->step_ms, 10 * minute_ms);
    assert_int_equal(all->n_points, 12);
    for (size_t i = 0; i < 12; i++) {
        const Heapfleet__V1__HistoryPoint *point = all->points[i];
        assert_int_equal(point->time_ms, day_ms + 10 * minute_ms * (int64_t)(i + 1));
        /* v2's first process appears at the end of step 5, when v1's first has just ended and its
         * second lives for another half second, which is in step 6 */
        assert_int_equal(point->instances, 2);
    }
    assert_int_equal(all->points[0]->count, 200);
    assert_int_equal(all->points[0]->bytes, 200 * 48);
    /* last values at 2 h: 700 of the one, and of the other, which is half a second late, 59 min */
    assert_int_equal(all->points[11]->count, 700 + 100 + 30 * 59);
    request.version = "v1";
    request.instance = "01010101010101010101010101010101";
    const Heapfleet__V1__GetHistoryResponse *one = answer(query_get_history, &request);
    assert_int_equal(one->n_points, 6);
    assert_int_equal(one->points[5]->instances, 1);
}

static void history_chooses_its_steps(void **state)
{
    (void)state;
    Heapfleet__V1__GetHistoryRequest request = HEAPFLEET__V1__GET_HISTORY_REQUEST__INIT;
    request.service = ref("shop", "");
    request.type = "dict";
    const Heapfleet__V1__GetHistoryResponse *all = answer(query_get_history, &request);
    assert_int_equal(all->step_ms, 2 * minute_ms); /* two intervals: everybody is in every step */
    assert_in_range(all->n_points, 60, 62);
    const Heapfleet__V1__HistoryPoint *last = all->points[all->n_points - 1];
    assert_int_equal(last->time_ms, query.now_ms);
    assert_int_equal(last->instances, 2);
    assert_int_equal(last->count, 100);
    request.instance = "03030303030303030303030303030303";
    const Heapfleet__V1__GetHistoryResponse *one = answer(query_get_history, &request);
    assert_int_equal(one->step_ms, minute_ms);
    request.instance = "0303";
    const Heapfleet__V1__GetHistoryResponse *same = answer(query_get_history, &request);
    assert_int_equal(same->n_points, one->n_points);
    request.instance = "";
    request.from_ms = query.now_ms + 1; /* nobody is there any more */
    request.to_ms = query.now_ms + hour_ms;
    const Heapfleet__V1__GetHistoryResponse *none = answer(query_get_history, &request);
    assert_int_equal(none->n_points, 0);
}

/* A span that ends in the future ends now, at each resolution. */
static void history_until_the_future(void **state)
{
    (void)state;
    Heapfleet__V1__GetHistoryRequest request = HEAPFLEET__V1__GET_HISTORY_REQUEST__INIT;
    request.service = ref("shop", "");
    request.type = "dict";
    for (int resolution = 0; resolution < 4; resolution++) {
        request.resolution = (Heapfleet__V1__Resolution)resolution;
        request.to_ms = 0;
        const Heapfleet__V1__GetHistoryResponse *now = answer(query_get_history, &request);
        request.to_ms = 253402300799999; /* the end of the year 9999 */
        const Heapfleet__V1__GetHistoryResponse *future = answer(query_get_history, &request);
        assert_int_equal(future->step_ms, now->step_ms);
        assert_int_equal(future->n_points, now->n_points);
        for (size_t i = 0; i < now->n_points; i++)
            assert_int_equal(future->points[i]->time_ms, now->points[i]->time_ms);
    }
}

static void raw_history(void **state)
{
    (void)state;
    Heapfleet__V1__GetHistoryRequest request = HEAPFLEET__V1__GET_HISTORY_REQUEST__INIT;
    request.service = ref("shop", "");
    request.type = "app.models.Order";
    request.raw = 1;
    const Heapfleet__V1__GetHistoryResponse *all = answer(query_get_history, &request);
    assert_int_equal(all->n_points, 4 * 61);
    for (size_t i = 1; i < all->n_points; i++)
        assert_true(all->points[i]->time_ms >= all->points[i - 1]->time_ms);
    assert_string_equal(all->points[0]->instance, "01010101010101010101010101010101");
    assert_string_equal(all->points[0]->version, "v1");
    assert_int_equal(all->points[0]->sequence, 1);
    assert_int_equal(all->points[243]->count, 1900);
    assert_string_equal(all->points[243]->version, "v2");
}

/* Whatever the size of a page, the pages are the whole, in its order. */
static void raw_history_in_pages(void **state)
{
    (void)state;
    int twin = fake_instance(v2, day_ms + hour_ms, "dict", NULL); /* equal times */
    for (int i = 0; i < 30; i++)
        fake_snapshot(twin, day_ms + hour_ms + i * minute_ms, 1, &(struct type_value){7, 70});
    Heapfleet__V1__GetHistoryRequest request = HEAPFLEET__V1__GET_HISTORY_REQUEST__INIT;
    request.service = ref("shop", "");
    request.type = "dict";
    request.raw = 1;
    const Heapfleet__V1__GetHistoryResponse *all = answer(query_get_history, &request);
    assert_int_equal(all->n_points, 4 * 61 + 30);
    assert_string_equal(all->next_page_token, "");
    static const uint32_t sizes[] = {1, 2, 3, 7, 100, 273, 274, 275};
    for (size_t k = 0; k < ARRAY_SIZE(sizes); k++) {
        size_t at = 0;
        request.page_size = sizes[k];
        request.page_token = "";
        do {
            const Heapfleet__V1__GetHistoryResponse *page = answer(query_get_history, &request);
            assert_true(page->n_points > 0 && page->n_points <= sizes[k]);
            for (size_t i = 0; i < page->n_points; i++, at++) {
                assert_int_equal(page->points[i]->time_ms, all->points[at]->time_ms);
                assert_int_equal(page->points[i]->sequence, all->points[at]->sequence);
            }
            request.page_token = page->next_page_token;
        } while (*request.page_token != '\0');
        assert_int_equal(at, all->n_points);
    }
    request.page_size = 50001;
    refuses(query_get_history, &request, STATUS_INVALID,
            "a page of 50001 rows is too large: at most 50000");
    static char *const tokens[] = {
        "x", "12", "12.", ".", "12.3.4", "-1.2", "99999999999999999999999.1"};
    for (size_t i = 0; i < ARRAY_SIZE(tokens); i++) {
        char sentence[96];
        (void)snprintf(sentence, sizeof(sentence), "'%s' is not a page token of ours", tokens[i]);
        request.page_size = 1;
        request.page_token = tokens[i];
        refuses(query_get_history, &request, STATUS_INVALID, sentence);
    }
}

/* All types together, and each of them, have one sum. */
static void history_of_all_types(void **state)
{
    (void)state;
    Heapfleet__V1__GetHistoryRequest request = HEAPFLEET__V1__GET_HISTORY_REQUEST__INIT;
    request.service = ref("shop", "");
    request.step_ms = minute_ms;
    request.from_ms = day_ms;
    const Heapfleet__V1__GetHistoryResponse *all = answer(query_get_history, &request);
    request.type = "dict";
    const Heapfleet__V1__GetHistoryResponse *dicts = answer(query_get_history, &request);
    request.type = "app.models.Order";
    const Heapfleet__V1__GetHistoryResponse *orders = answer(query_get_history, &request);
    assert_true(all->n_points > 100);
    assert_int_equal(all->n_points, dicts->n_points);
    for (size_t i = 0; i < all->n_points; i++) {
        assert_int_equal(all->points[i]->count, dicts->points[i]->count + orders->points[i]->count);
        assert_int_equal(all->points[i]->bytes, dicts->points[i]->bytes + orders->points[i]->bytes);
    }
}

/* ---- hours and days ------------------------------------------------------------------------- */

/* The same, however much of it has been rolled up. */
static void hours_are_the_same_rolled_up_or_not(void **state)
{
    (void)state;
    Heapfleet__V1__GetHistoryRequest request = HEAPFLEET__V1__GET_HISTORY_REQUEST__INIT;
    request.service = ref("shop", "");
    request.type = "app.models.Order";
    request.resolution = HEAPFLEET__V1__RESOLUTION__RESOLUTION_HOUR;
    request.from_ms = day_ms - 5 * hour_ms;
    const Heapfleet__V1__GetHistoryResponse *none = answer(query_get_history, &request);
    assert_int_equal(none->resolution, HEAPFLEET__V1__RESOLUTION__RESOLUTION_HOUR);
    assert_int_equal(none->step_ms, hour_ms);
    int walked = fake.walked;
    fake.rolled_until_ms = day_ms / hour_ms * hour_ms + hour_ms;
    const Heapfleet__V1__GetHistoryResponse *some = answer(query_get_history, &request);
    assert_true(fake.walked - walked < walked);
    fake.rolled_until_ms = query.now_ms + hour_ms;
    walked = fake.walked;
    const Heapfleet__V1__GetHistoryResponse *whole = answer(query_get_history, &request);
    assert_int_equal(fake.walked, walked); /* no snapshot is read */
    assert_int_equal(none->n_points, 3);
    assert_int_equal(some->n_points, 3);
    assert_int_equal(whole->n_points, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(some->points[i]->count, none->points[i]->count);
        assert_int_equal(whole->points[i]->count, none->points[i]->count);
        assert_int_equal(whole->points[i]->bytes, none->points[i]->bytes);
        assert_int_equal(whole->points[i]->time_ms, none->points[i]->time_ms);
        assert_int_equal(whole->points[i]->instances, 2);
    }
}

/* Of a long span the type is looked for in the newest processes first. */
static void a_long_span_has_what_a_short_one_has(void **state)
{
    (void)state;
    static const Heapfleet__V1__Resolution resolutions[] = {
        HEAPFLEET__V1__RESOLUTION__RESOLUTION_EXACT, HEAPFLEET__V1__RESOLUTION__RESOLUTION_HOUR};
    query.now_ms += 11 * hour_ms + hour_ms / 2; /* v1 ended 12.5 hours ago, v2 was seen since */
    for (size_t r = 0; r < ARRAY_SIZE(resolutions); r++) {
        Heapfleet__V1__GetHistoryRequest request = HEAPFLEET__V1__GET_HISTORY_REQUEST__INIT;
        size_t at = 0;
        request.service = ref("shop", "");
        request.type = "app.models.Order";
        request.step_ms = hour_ms;
        request.resolution = resolutions[r];
        request.from_ms = day_ms;
        request.to_ms = day_ms + 2 * hour_ms;
        const Heapfleet__V1__GetHistoryResponse *brief = answer(query_get_history, &request);
        request.from_ms = day_ms - 37 * hour_ms;
        const Heapfleet__V1__GetHistoryResponse *whole = answer(query_get_history, &request);
        assert_in_range(brief->n_points, 2, 3);
        while (at < whole->n_points && whole->points[at]->time_ms < brief->points[0]->time_ms)
            at++;
        for (size_t i = 0; i < brief->n_points; i++, at++) {
            assert_true(at < whole->n_points);
            assert_int_equal(whole->points[at]->time_ms, brief->points[i]->time_ms);
            assert_int_equal(whole->points[at]->count, brief->points[i]->count);
        }
    }
}

static void the_span_chooses_the_level(void **state)
{
    (void)state;
    static const struct {
        int64_t uptime_ms, from_ago_ms, step_ms;
        Heapfleet__V1__Resolution resolution;
    } rows[] = {
        {0, 365 * 86400000LL, 0,
         HEAPFLEET__V1__RESOLUTION__RESOLUTION_EXACT}, /* two hours are seen */
        {3 * 86400000LL, 365 * 86400000LL, 0, HEAPFLEET__V1__RESOLUTION__RESOLUTION_HOUR},
        {3 * 86400000LL, 86400000, 0, HEAPFLEET__V1__RESOLUTION__RESOLUTION_EXACT},
        {3 * 86400000LL, 3 * 86400000LL, 7200000, HEAPFLEET__V1__RESOLUTION__RESOLUTION_HOUR},
        {3 * 86400000LL, 3 * 86400000LL, 86400000, HEAPFLEET__V1__RESOLUTION__RESOLUTION_DAY},
        {3 * 86400000LL, 3 * 86400000LL, 60000, HEAPFLEET__V1__RESOLUTION__RESOLUTION_EXACT},
        {200 * 86400000LL, 100 * 86400000LL, 0, HEAPFLEET__V1__RESOLUTION__RESOLUTION_DAY},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        (void)fleet(NULL);
        fake.instances[0].started_ms -= rows[i].uptime_ms;
        Heapfleet__V1__GetHistoryRequest request = HEAPFLEET__V1__GET_HISTORY_REQUEST__INIT;
        request.service = ref("shop", "");
        request.type = "dict";
        request.from_ms = query.now_ms - rows[i].from_ago_ms;
        request.step_ms = rows[i].step_ms;
        fake.rolled_until_ms = query.now_ms;
        const Heapfleet__V1__GetHistoryResponse *found = answer(query_get_history, &request);
        if (found->resolution != rows[i].resolution)
            fail_msg("row %zu: %d", i, (int)found->resolution);
        assert_true(found->n_points > 0);
    }
}

/* A day is a whole one, with processes that were gone before the span that was asked for began. */
static void whole_days_have_all_their_processes(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        int old = fake_instance(v1, day_ms + 1000 + i, "dict", NULL);
        fake_snapshot(old, day_ms + minute_ms + i, 1, &(struct type_value){7, 70});
        fake.instances[old].ended_ms = day_ms + 2 * minute_ms;
    }
    Heapfleet__V1__GetHistoryRequest request = HEAPFLEET__V1__GET_HISTORY_REQUEST__INIT;
    request.service = ref("shop", "");
    request.type = "dict";
    request.resolution = HEAPFLEET__V1__RESOLUTION__RESOLUTION_DAY;
    request.from_ms = day_ms;
    const Heapfleet__V1__GetHistoryResponse *whole = answer(query_get_history, &request);
    request.from_ms = day_ms + hour_ms + 30 * minute_ms;
    const Heapfleet__V1__GetHistoryResponse *part = answer(query_get_history, &request);
    assert_int_equal(whole->n_points, 1);
    assert_int_equal(part->n_points, 1);
    assert_int_equal(part->points[0]->time_ms, whole->points[0]->time_ms);
    assert_int_equal(part->points[0]->count, whole->points[0]->count);
    assert_int_equal(part->points[0]->bytes, whole->points[0]->bytes);
    assert_int_equal(part->points[0]->instances, whole->points[0]->instances);
}

/* Processes that were gone days before the span are not read; a type of theirs is a type still. */
static void a_type_of_the_past(void **state)
{
    (void)state;
    const int64_t before_ms = day_ms - 5 * 24 * hour_ms;
    int old = fake_instance(v1, before_ms, "app.Old", NULL);
    fake_snapshot(old, before_ms + minute_ms, 1, &(struct type_value){7, 70});
    Heapfleet__V1__GetHistoryRequest request = HEAPFLEET__V1__GET_HISTORY_REQUEST__INIT;
    request.service = ref("shop", "");
    request.type = "app.Old";
    request.from_ms = day_ms;
    const Heapfleet__V1__GetHistoryResponse *none = answer(query_get_history, &request);
    assert_true(none->n_points > 0); /* of those that live, and have none */
    for (size_t i = 0; i < none->n_points; i++)
        assert_int_equal(none->points[i]->count, 0);
    request.from_ms = before_ms;
    const Heapfleet__V1__GetHistoryResponse *found = answer(query_get_history, &request);
    assert_true(found->n_points > 0);
    request.type = "app.Odd";
    refuses(query_get_history, &request, STATUS_NOT_FOUND,
            "service 'shop' has no type 'app.Odd': did you mean 'app.Old'?");
}

static void levels_refused(void **state)
{
    (void)state;
    Heapfleet__V1__GetHistoryRequest request = HEAPFLEET__V1__GET_HISTORY_REQUEST__INIT;
    request.service = ref("shop", "");
    request.type = "dict";
    request.resolution = HEAPFLEET__V1__RESOLUTION__RESOLUTION_HOUR;
    request.step_ms = 90 * minute_ms;
    refuses(query_get_history, &request, STATUS_INVALID,
            "a step of hours must be a multiple of one");
    request.step_ms = 0;
    request.instance = "0101";
    refuses(query_get_history, &request, STATUS_INVALID,
            "hours and days are of all processes together: one process has minutes only");
    request.instance = "";
    request.raw = 1;
    refuses(query_get_history, &request, STATUS_INVALID, "hours and days have no raw snapshots");
    request.raw = 0;
    request.resolution = 9;
    refuses(query_get_history, &request, STATUS_INVALID, "there is no resolution 9");
    request.resolution = 0;
    request.from_ms = query.now_ms + 2 * minute_ms;
    request.to_ms = query.now_ms + hour_ms;
    refuses(query_get_history, &request, STATUS_INVALID, "the span begins in the future");
    /* ten thousand containers, a day, every second */
    request.from_ms = day_ms - 4000 * hour_ms;
    request.to_ms = 0;
    request.resolution = HEAPFLEET__V1__RESOLUTION__RESOLUTION_EXACT;
    fake.instances[2].started_ms = request.from_ms;
    fake.instances[2].interval_ms = 1000;
    refuses(query_get_history, &request, STATUS_INVALID,
            "every minute of this span is 14.4 million snapshots of 4 processes, at most 5 million "
            "can be read: ask for hours, one version, or a shorter span");
}

/* ---- growth --------------------------------------------------------------------------------- */

static void growth(void **state)
{
    (void)state;
    Heapfleet__V1__GetGrowthRequest request = HEAPFLEET__V1__GET_GROWTH_REQUEST__INIT;
    request.service = ref("shop", "");
    request.from_ms = day_ms - hour_ms;
    const Heapfleet__V1__GetGrowthResponse *all = answer(query_get_growth, &request);
    assert_int_equal(all->n_types, 2);
    assert_int_equal(all->from_ms, day_ms);
    assert_int_equal(all->window_ms, 720050); /* a tenth of two hours and half a second */
    assert_int_equal(all->instances_from, 2);
    assert_int_equal(all->instances_to, 2);
    assert_string_equal(all->types[0]->type, "app.models.Order");
    assert_true(all->types[0]->count_from == 100 && all->types[0]->bytes_from == 4800);
    /* 100 and 10 or 30 a minute: the last 12 snapshots of the one are 645, 13 of the other 1720 */
    assert_true(about(all->types[0]->count_to, (12 * 645 + 13 * 1720) / 25.0));
    assert_true(all->types[1]->count_from == 50 && all->types[1]->count_to == 50);
    request.version = "v1";
    const Heapfleet__V1__GetGrowthResponse *old = answer(query_get_growth, &request);
    assert_true(old->types[0]->count_to == old->types[0]->count_from);
    request.version = "";
    request.page_size = 1;
    const Heapfleet__V1__GetGrowthResponse *first = answer(query_get_growth, &request);
    assert_string_equal(first->types[0]->type, "app.models.Order");
    request.page_token = first->next_page_token;
    query.now_ms += hour_ms; /* the pages belong together */
    const Heapfleet__V1__GetGrowthResponse *second = answer(query_get_growth, &request);
    assert_int_equal(second->n_types, 1);
    assert_string_equal(second->types[0]->type, "dict");
    assert_int_equal(second->to_ms, first->to_ms);
    assert_string_equal(second->next_page_token, "");
}

static void growth_over_a_gap(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) /* they ran long before they were watched */
        fake.instances[i].started_ms -= 100 * hour_ms;
    Heapfleet__V1__GetGrowthRequest request = HEAPFLEET__V1__GET_GROWTH_REQUEST__INIT;
    request.service = ref("shop", "");
    const Heapfleet__V1__GetGrowthResponse *all = answer(query_get_growth, &request);
    assert_int_equal(all->from_ms, day_ms);
    assert_int_equal(all->window_ms, hour_ms);
    assert_true(all->types[0]->count_from == 100);
    request.from_ms = day_ms - 50 * hour_ms;
    request.to_ms = day_ms - 40 * hour_ms;
    refuses(query_get_growth, &request, STATUS_NOT_FOUND,
            "service 'shop' has no snapshot in this span");
    request.from_ms = request.to_ms + 1;
    refuses(query_get_growth, &request, STATUS_INVALID, "the span ends before it begins");
}

/* What has gone is compared as it was last seen, and not with nothing. */
static void growth_of_what_is_gone(void **state)
{
    (void)state;
    Heapfleet__V1__GetGrowthRequest request = HEAPFLEET__V1__GET_GROWTH_REQUEST__INIT;
    request.service = ref("shop", "");
    request.from_ms = day_ms - 11 * hour_ms;
    fake.instances[0].started_ms = request.from_ms; /* long: by whole hours */
    query.now_ms += 30 * hour_ms;
    for (int i = 0; i < 2; i++) { /* the one to_ms is to come, the other is now */
        request.to_ms = i == 0 ? query.now_ms + 1000 * hour_ms : 0;
        const Heapfleet__V1__GetGrowthResponse *all = answer(query_get_growth, &request);
        assert_int_equal(all->window_ms, hour_ms);
        assert_int_equal(all->from_ms, day_ms);
        assert_int_equal(all->to_ms, day_ms + 3 * hour_ms);
        assert_int_equal(all->instances_to, 2);
        assert_true(all->types[0]->count_to == (700 + 1900) / 2.0);
    }
}

static void growth_up_to_a_gap(void **state)
{
    (void)state;
    int late = fake_instance(v1, day_ms, "dict", NULL);
    fake_snapshot(late, day_ms + 100 * minute_ms, 1, &(struct type_value){50, 5000});
    Heapfleet__V1__GetGrowthRequest request = HEAPFLEET__V1__GET_GROWTH_REQUEST__INIT;
    request.service = ref("shop", "");
    request.version = "v1";
    request.from_ms = day_ms;
    request.to_ms = day_ms + 95 * minute_ms;
    const Heapfleet__V1__GetGrowthResponse *all = answer(query_get_growth, &request);
    assert_int_equal(all->window_ms, 95 * minute_ms / 10);
    assert_int_equal(all->to_ms, day_ms + hour_ms + 500);
    assert_int_equal(all->instances_to, 2);
    assert_true(all->types[0]->count_to == all->types[0]->count_from);
}

/* By whole hours: one that has not ended by to_ms is none, also where those before it are empty. */
static void growth_up_to_an_hour_that_goes_on(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct type_value values[] = {{50, 5000}, {9000, 48 * 9000}};
        fake_snapshot(2, day_ms + 14 * hour_ms + (20 + i * 30) * minute_ms, 2, values);
    }
    query.now_ms = day_ms + 15 * hour_ms;
    Heapfleet__V1__GetGrowthRequest request = HEAPFLEET__V1__GET_GROWTH_REQUEST__INIT;
    request.service = ref("shop", "");
    request.from_ms = day_ms;
    request.to_ms = day_ms + 14 * hour_ms + 30 * minute_ms;
    const Heapfleet__V1__GetGrowthResponse *all = answer(query_get_growth, &request);
    assert_int_equal(all->window_ms, hour_ms);
    assert_int_equal(all->to_ms, day_ms + 3 * hour_ms);
    assert_int_equal(all->instances_to, 2);
    assert_true(all->types[0]->count_to == (700 + 1900) / 2.0);
    request.from_ms = day_ms + 4 * hour_ms + 20 * minute_ms; /* there is no other */
    request.to_ms = day_ms + 14 * hour_ms + 59 * minute_ms;
    all = answer(query_get_growth, &request);
    assert_int_equal(all->to_ms, day_ms + 15 * hour_ms);
    assert_int_equal(all->instances_to, 1);
}

/* ---- instances ------------------------------------------------------------------------------ */

static void instances_in_pages(void **state)
{
    (void)state;
    Heapfleet__V1__ListInstancesRequest request = HEAPFLEET__V1__LIST_INSTANCES_REQUEST__INIT;
    request.service = ref("shop", "");
    request.type = "app.models.Order";
    const Heapfleet__V1__ListInstancesResponse *all = answer(query_list_instances, &request);
    assert_int_equal(all->n_instances, 4);
    assert_string_equal(all->instances[0]->instance, "04040404040404040404040404040404");
    assert_int_equal(all->instances[0]->type_count, 1900);
    assert_int_equal(all->instances[0]->bytes, 5000 + 48 * 1900);
    assert_true(all->instances[0]->live && !all->instances[3]->live);
    assert_string_equal(all->instances[0]->end_reason, "");
    assert_string_equal(all->instances[3]->end_reason, "exited");
    assert_string_equal(all->instances[3]->version, "v1");
    for (uint32_t size = 1; size < 5; size++) {
        size_t at = 0;
        request.page_size = size;
        request.page_token = "";
        do {
            const Heapfleet__V1__ListInstancesResponse *page =
                answer(query_list_instances, &request);
            for (size_t i = 0; i < page->n_instances; i++, at++)
                assert_string_equal(page->instances[i]->instance, all->instances[at]->instance);
            request.page_token = page->next_page_token;
        } while (*request.page_token != '\0');
        assert_int_equal(at, 4);
    }
    request.live_only = 1;
    const Heapfleet__V1__ListInstancesResponse *live = answer(query_list_instances, &request);
    assert_int_equal(live->n_instances, 2);
    request.version = "v1";
    const Heapfleet__V1__ListInstancesResponse *none = answer(query_list_instances, &request);
    assert_int_equal(none->n_instances, 0);
    request.page_size = 1001;
    refuses(query_list_instances, &request, STATUS_INVALID,
            "a page of 1001 rows is too large: at most 1000");
}

static void history_refused(void **state)
{
    (void)state;
    static const struct {
        char *type;
        int64_t from_ms, to_ms, step_ms;
        char *version, *instance;
        enum status status;
        const char *sentence;
    } rows[] = {
        {"Order", 0, 0, 0, "", "", STATUS_NOT_FOUND,
         "service 'shop' has no type 'Order': did you mean 'app.models.Order'?"},
        {"dcit", 0, 0, 0, "", "", STATUS_NOT_FOUND,
         "service 'shop' has no type 'dcit': did you mean 'dict'?"},
        {"elsewhere", 0, 0, 0, "", "", STATUS_NOT_FOUND,
         "service 'shop' has no type 'elsewhere': its largest are in the top list"},
        {"dict", 5, 5, 0, "", "", STATUS_INVALID, "the span ends before it begins"},
        {"dict", -1, 5, 0, "", "", STATUS_INVALID, "times cannot be negative"},
        {"dict", 0, INT64_MAX, 0, "", "", STATUS_INVALID, "times end with the year 9999"},
        {"dict", 0, 10001, 1, "", "", STATUS_INVALID,
         "the span has 10001 steps: at most 10000; ask for wider ones"},
        {"dict", 0, 0, 0, "v9", "", STATUS_NOT_FOUND,
         "service 'shop' has no version 'v9': it has 'v2', 'v1'"},
        {"dict", 0, 0, 0, "", "xyz", STATUS_INVALID,
         "instance 'xyz' is not 4 to 32 hexadecimal digits in lower case"},
        {"dict", 0, 0, 0, "", "ffffffffffffffffffffffffffffffff", STATUS_NOT_FOUND,
         "service 'shop' has no instance 'ffffffffffffffffffffffffffffffff'"},
    };
    (void)fake_type("elsewhere"); /* known, but not of this service */
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        Heapfleet__V1__GetHistoryRequest request = HEAPFLEET__V1__GET_HISTORY_REQUEST__INIT;
        request.service = ref("shop", "");
        request.type = rows[i].type;
        request.from_ms = rows[i].from_ms;
        request.to_ms = rows[i].to_ms;
        request.step_ms = rows[i].step_ms;
        request.version = rows[i].version;
        request.instance = rows[i].instance;
        refuses(query_get_history, &request, rows[i].status, rows[i].sentence);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(history_in_steps, fleet),
        cmocka_unit_test_setup(history_chooses_its_steps, fleet),
        cmocka_unit_test_setup(history_until_the_future, fleet),
        cmocka_unit_test_setup(raw_history, fleet),
        cmocka_unit_test_setup(raw_history_in_pages, fleet),
        cmocka_unit_test_setup(history_of_all_types, fleet),
        cmocka_unit_test_setup(hours_are_the_same_rolled_up_or_not, fleet),
        cmocka_unit_test_setup(a_long_span_has_what_a_short_one_has, fleet),
        cmocka_unit_test_setup(the_span_chooses_the_level, fleet),
        cmocka_unit_test_setup(whole_days_have_all_their_processes, fleet),
        cmocka_unit_test_setup(a_type_of_the_past, fleet),
        cmocka_unit_test_setup(levels_refused, fleet),
        cmocka_unit_test_setup(growth, fleet),
        cmocka_unit_test_setup(growth_over_a_gap, fleet),
        cmocka_unit_test_setup(growth_of_what_is_gone, fleet),
        cmocka_unit_test_setup(growth_up_to_a_gap, fleet),
        cmocka_unit_test_setup(growth_up_to_an_hour_that_goes_on, fleet),
        cmocka_unit_test_setup(instances_in_pages, fleet),
        cmocka_unit_test_setup(history_refused, fleet),
    };
    return cmocka_run_group_tests(tests, NULL, finish);
}
