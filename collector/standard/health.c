#include "health.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "health.pb-c.h"
#include "wire.h"

enum {
    REQUEST_BYTES_MAX = 4096, /* unpacked */
    UNSENT_BYTES_MAX = 4096,  /* to a watcher that does not read */
    SERVICE_NAME_BYTES = 128,
};

typedef Grpc__Health__V1__HealthCheckRequest request_t;
typedef Grpc__Health__V1__HealthCheckResponse response_t;
typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus serving_t;

#define SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define SERVICE_UNKNOWN GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

struct watcher {
    struct watcher *next, *previous;
    struct health *health;
    struct rpc_call *call;
    char service[SERVICE_NAME_BYTES];
    int has_asked;
};

struct health {
    const char *services[HEALTH_SERVICES_MAX];
    int serving[HEALTH_SERVICES_MAX];
    size_t count;
    int is_draining;
    struct watcher *watchers;
};

static serving_t state_of(const struct health *health, const char *service)
{
    for (size_t i = 0; i < health->count; i++) {
        if (strcmp(health->services[i], service) == 0)
            return health->serving[i] && !health->is_draining ? SERVING : NOT_SERVING;
    }
    return SERVICE_UNKNOWN;
}

static void send_state(struct rpc_call *call, serving_t state)
{
    response_t response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    struct buf packed = BUF_INIT;
    response.status = state;
    wire_pack(&response.base, &packed);
    rpc_call_send(call, packed.data, packed.size);
    buf_done(&packed);
}

/* The service that is asked for; what cannot be read ends the call. */
static int take_service(struct rpc_call *call, const uint8_t *data, size_t size,
                        char ret[SERVICE_NAME_BYTES])
{
    struct arena arena;
    struct why why = {""};
    ProtobufCMessage *message = NULL;
    arena_init(&arena, REQUEST_BYTES_MAX);
    enum status status = wire_unpack(&grpc__health__v1__health_check_request__descriptor, data,
                                     size, &arena, &message, &why);
    if (status == STATUS_OK)
        (void)snprintf(ret, SERVICE_NAME_BYTES, "%s", ((const request_t *)message)->service);
    else
        rpc_call_finish(call, rpc_code_of_status(status), why.text);
    arena_done(&arena);
    return status == STATUS_OK;
}

/* ---- Check ---------------------------------------------------------------------------------- */

static void check_opened(struct rpc_call *call)
{
    rpc_call_read(call);
}

static void check_message(struct rpc_call *call, const uint8_t *data, size_t size)
{
    char service[SERVICE_NAME_BYTES];
    if (!take_service(call, data, size, service))
        return;
    serving_t state = state_of(rpc_call_user(call), service);
    if (state == SERVICE_UNKNOWN) {
        rpc_call_finish(call, RPC_NOT_FOUND, "there is no such service");
        return;
    }
    send_state(call, state);
    rpc_call_finish(call, RPC_OK, NULL);
}

static void no_message(struct rpc_call *call)
{
    rpc_call_finish(call, RPC_INVALID_ARGUMENT, "a request is missing");
}

/* ---- Watch ---------------------------------------------------------------------------------- */

static void watch_opened(struct rpc_call *call)
{
    struct health *health = rpc_call_user(call);
    struct watcher *watcher = calloc(1, sizeof(*watcher));
    ASSERT(watcher != NULL);
    *watcher = (struct watcher){.next = health->watchers, .health = health, .call = call};
    if (watcher->next != NULL)
        watcher->next->previous = watcher;
    health->watchers = watcher;
    rpc_call_set_data(call, watcher);
    rpc_call_read(call);
}

static void watch_message(struct rpc_call *call, const uint8_t *data, size_t size)
{
    struct watcher *watcher = rpc_call_data(call);
    if (!take_service(call, data, size, watcher->service))
        return;
    watcher->has_asked = 1;
    send_state(call, state_of(watcher->health, watcher->service));
    if (watcher->health->is_draining)
        rpc_call_finish(call, RPC_UNAVAILABLE, "this collector is shutting down");
}

static void watch_half_closed(struct rpc_call *call)
{
    const struct watcher *watcher = rpc_call_data(call);
    if (!watcher->has_asked)
        no_message(call);
}

static void watch_closed(struct rpc_call *call)
{
    struct watcher *watcher = rpc_call_data(call);
    if (watcher->next != NULL)
        watcher->next->previous = watcher->previous;
    if (watcher->previous != NULL)
        watcher->previous->next = watcher->next;
    else
        watcher->health->watchers = watcher->next;
    free(watcher);
}

static void tell(struct watcher *watcher)
{
    if (rpc_call_unsent_bytes(watcher->call) > UNSENT_BYTES_MAX)
        rpc_call_abort(watcher->call, RPC_RESOURCE_EXHAUSTED, "the watcher does not read");
    else if (watcher->has_asked)
        send_state(watcher->call, state_of(watcher->health, watcher->service));
}

/* --------------------------------------------------------------------------------------------- */

struct health *health_new(const char *const *services, size_t count)
{
    struct health *health = calloc(1, sizeof(*health));
    ASSERT(health != NULL && count <= HEALTH_SERVICES_MAX);
    memcpy(health->services, services, count * sizeof(*services));
    health->count = count;
    return health;
}

void health_free(struct health *health)
{
    ASSERT(health == NULL || health->watchers == NULL);
    free(health);
}

void health_methods(struct health *health, struct rpc_method ret[HEALTH_METHODS])
{
    ret[0] = (struct rpc_method){.path = "/grpc.health.v1.Health/Check",
                                 .user = health,
                                 .opened = check_opened,
                                 .message = check_message,
                                 .half_closed = no_message};
    ret[1] = (struct rpc_method){.path = "/grpc.health.v1.Health/Watch",
                                 .user = health,
                                 .opened = watch_opened,
                                 .message = watch_message,
                                 .half_closed = watch_half_closed,
                                 .closed = watch_closed};
}

void health_set(struct health *health, const char *service, int is_serving)
{
    for (size_t i = 0; i < health->count; i++) {
        if (strcmp(health->services[i], service) != 0 || health->serving[i] == is_serving)
            continue;
        health->serving[i] = is_serving;
        for (struct watcher *watcher = health->watchers; watcher != NULL && !health->is_draining;
             watcher = watcher->next) {
            if (strcmp(watcher->service, service) == 0)
                tell(watcher);
        }
    }
}

void health_drain(struct health *health)
{
    health->is_draining = 1;
    for (struct watcher *watcher = health->watchers; watcher != NULL; watcher = watcher->next) {
        tell(watcher);
        rpc_call_finish(watcher->call, RPC_UNAVAILABLE, "this collector is shutting down");
    }
}
