#include "storage_questions.h"

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "query.h"

enum { WARM_UP = 2, ROUNDS = 7, ARENA_BYTES = 256 << 20 };

static const int64_t minute_ms = 60000, hour_ms = 3600000, day_ms = 86400000;

struct scene {
    const struct fleet_shape *shape;
    Heapfleet__V1__ServiceRef service;
    char service_name[FLEET_NAME_BYTES], type_name[FLEET_NAME_BYTES];
    char version_a[FLEET_NAME_BYTES], version_b[FLEET_NAME_BYTES];
    int64_t now_ms;
    int has_versions;
    union {
        Heapfleet__V1__ListServicesRequest services;
        Heapfleet__V1__GetHistoryRequest history;
        Heapfleet__V1__GetGrowthRequest growth;
        Heapfleet__V1__CompareDeploymentsRequest compare;
    } request;
};

/* ---- the requests: 1 if the fleet is old enough --------------------------------------------- */

static int lived(const struct scene *scene, int64_t span_ms)
{
    return scene->now_ms - scene->shape->start_ms >= span_ms;
}

static int list_services(struct scene *scene)
{
    heapfleet__v1__list_services_request__init(&scene->request.services);
    return 1;
}

static int ask_history(struct scene *scene, int64_t span_ms, int64_t step_ms)
{
    Heapfleet__V1__GetHistoryRequest *request = &scene->request.history;
    heapfleet__v1__get_history_request__init(request);
    request->service = &scene->service;
    request->type = scene->type_name;
    request->from_ms = scene->now_ms - span_ms;
    request->to_ms = scene->now_ms;
    request->step_ms = step_ms;
    if (step_ms >= hour_ms)
        request->resolution = HEAPFLEET__V1__RESOLUTION__RESOLUTION_HOUR;
    return lived(scene, span_ms);
}

static int day_by_minute(struct scene *scene)
{
    return ask_history(scene, day_ms, minute_ms);
}

static int month_by_hour(struct scene *scene)
{
    return ask_history(scene, 28 * day_ms, hour_ms);
}

/* Of a week, or as long as the fleet lived. */
static int top_growth(struct scene *scene)
{
    Heapfleet__V1__GetGrowthRequest *request = &scene->request.growth;
    heapfleet__v1__get_growth_request__init(request);
    request->service = &scene->service;
    request->from_ms = scene->now_ms - 7 * day_ms;
    request->to_ms = scene->now_ms;
    return 1;
}

static int compare(struct scene *scene)
{
    Heapfleet__V1__CompareDeploymentsRequest *request = &scene->request.compare;
    heapfleet__v1__compare_deployments_request__init(request);
    request->service = &scene->service;
    request->version_a = scene->version_a;
    request->version_b = scene->version_b;
    return scene->has_versions;
}

static const struct question {
    const char *name;
    int (*make)(struct scene *scene);
    query_answer_fn *answer;
} questions[] = {
    {"services", list_services, query_list_services},
    {"day_by_minute", day_by_minute, query_get_history},
    {"month_by_hour", month_by_hour, query_get_history},
    {"top_growth", top_growth, query_get_growth},
    {"compare", compare, query_compare_deployments},
};

/* ---- asking --------------------------------------------------------------------------------- */

static enum status ask_once(struct db *db, const struct scene *scene,
                            const struct question *question, double *ret_ms, struct why *why)
{
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct query query = {.db = db, .arena = &arena, .now_ms = scene->now_ms};
    ProtobufCMessage *answer = NULL;
    int64_t before_ns = clock_mono_ns();
    enum status status =
        question->answer(&query, (const ProtobufCMessage *)&scene->request, &answer, why);
    *ret_ms = (double)(clock_mono_ns() - before_ns) / 1e6;
    arena_done(&arena);
    return status;
}

static int ascending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static enum status ask(struct db *db, struct scene *scene, const struct question *question,
                       const char *comma, struct why *why)
{
    double times_ms[ROUNDS], ignored = 0;
    enum status status = STATUS_OK;
    for (int i = 0; i < WARM_UP && status == STATUS_OK; i++)
        status = ask_once(db, scene, question, &ignored, why);
    for (int i = 0; i < ROUNDS && status == STATUS_OK; i++)
        status = ask_once(db, scene, question, &times_ms[i], why);
    if (status != STATUS_OK) {
        why_prefix(why, "%s", question->name);
        return status;
    }
    qsort(times_ms, ROUNDS, sizeof(*times_ms), ascending);
    (void)printf("%s\"%s\": %.3f", comma, question->name, times_ms[ROUNDS / 2]);
    return STATUS_OK;
}

enum status storage_ask(struct db *db, const struct fleet_shape *shape, int64_t now_ms,
                        struct why *why)
{
    struct scene scene = {.shape = shape, .now_ms = now_ms};
    uint32_t versions = 1;
    if (shape->life_snapshots > 0)
        versions =
            (uint32_t)((now_ms - shape->start_ms) / (shape->life_snapshots * shape->interval_ms));
    scene.has_versions = versions >= 2;
    fleet_service_name(0, scene.service_name);
    fleet_type_name(0, 0, scene.type_name);
    fleet_version_name(versions - 1, scene.version_b);
    fleet_version_name(versions >= 2 ? versions - 2 : 0, scene.version_a);
    scene.service = (Heapfleet__V1__ServiceRef)HEAPFLEET__V1__SERVICE_REF__INIT;
    scene.service.name = scene.service_name;
    const char *comma = "";
    enum status status = STATUS_OK;
    for (size_t i = 0; i < ARRAY_SIZE(questions) && status == STATUS_OK; i++) {
        if (!questions[i].make(&scene))
            continue;
        status = ask(db, &scene, &questions[i], comma, why);
        comma = ", ";
    }
    return status;
}
