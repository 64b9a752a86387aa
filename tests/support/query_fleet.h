/*
 * A small fleet in memory and questions about it, for unit tests of collector/query. Included by
 * one test program each.
 */
#ifndef TESTS_SUPPORT_QUERY_FLEET_H
#define TESTS_SUPPORT_QUERY_FLEET_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fake_glance.h"
#include "query.h"

static const int64_t minute_ms = 60000;
static const int64_t hour_ms = 3600000;
static const int64_t day_ms = 1795338000000;

static struct arena arena;
static struct query query;
static struct why why;
static int shop, v1, v2;

/* A process of an hour: dicts stay at 50, orders grow by `orders_a_minute`. */
static inline int hour_of(int deployment, int64_t started_ms, int minutes, uint64_t orders_a_minute)
{
    int instance = fake_instance(deployment, started_ms, "dict", "app.models.Order", NULL);
    for (int i = 0; i <= minutes; i++) {
        uint64_t orders = 100 + orders_a_minute * (uint64_t)i;
        struct type_value values[] = {{50, 5000}, {orders, 48 * orders}};
        fake_snapshot(instance, started_ms + i * minute_ms, 2, values);
    }
    return instance;
}

/*
 * shop: v1 from 0 h to 1 h (two processes, ended), v2 from 1 h to 2 h (two, live) and leaking;
 * idle: nothing. Now is 2 h and 10 s.
 */
static inline int fleet(void **state)
{
    (void)state;
    arena_done(&arena);
    arena_init(&arena, 1 << 25);
    fake_reset();
    why = (struct why){0};
    shop = fake_service("shop", "prod", "");
    (void)fake_service("idle", "prod", "");
    v1 = fake_deployment(shop, "v1");
    v2 = fake_deployment(shop, "v2");
    int old = hour_of(v1, day_ms, 60, 0);
    fake.instances[old].ended_ms = day_ms + hour_ms;
    old = hour_of(v1, day_ms + 500, 60, 0);
    fake.instances[old].ended_ms = day_ms + hour_ms;
    (void)hour_of(v2, day_ms + hour_ms, 60, 10);
    (void)hour_of(v2, day_ms + hour_ms + 500, 60, 30);
    query = (struct query){.arena = &arena, .now_ms = day_ms + 2 * hour_ms + 10000};
    return 0;
}

static inline int finish(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

/* The answer, of a question that must have one. */
static inline const void *answer(query_answer_fn *ask, const void *request)
{
    ProtobufCMessage *response = NULL;
    if (ask(&query, request, &response, &why) != STATUS_OK)
        fail_msg("%s", why.text);
    assert_non_null(response);
    return response;
}

static inline void refuses(query_answer_fn *ask, const void *request, enum status status,
                           const char *sentence)
{
    ProtobufCMessage *response = NULL;
    assert_int_equal(ask(&query, request, &response, &why), status);
    assert_null(response);
    assert_string_equal(why.text, sentence);
}

static inline int about(double value, double expected)
{
    return fabs(value - expected) <= 0.01 * fabs(expected);
}

static inline Heapfleet__V1__ServiceRef *ref(char *name, char *environment)
{
    static Heapfleet__V1__ServiceRef row;
    heapfleet__v1__service_ref__init(&row);
    row.name = name;
    row.environment = environment;
    return &row;
}

#endif
