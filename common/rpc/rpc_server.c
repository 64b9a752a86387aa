/*
 * The life of the server: bind, keep request slots posted, dispatch, drain.
 *
 * A stop goes: begin_stop on the server's thread (gRPC closes the listeners and tells the peers to
 * go) -> `calls_ended`: the open calls end, by themselves or cancelled after the grace ->
 * `drained`: gRPC's connections are gone, by themselves or cut a moment later -> join.
 *
 * gRPC cannot listen twice, so a listener that died is replaced together with its grpc_server, a
 * `front`. The old one is shut down, which frees the address; its calls go on to their own end.
 */
#include "rpc_server.h"

#include <grpc/grpc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "attributes.h"
#include "clock.h"
#include "rpc_accept.h"
#include "rpc_call.h"
#include "rpc_listen.h"
#include "rpc_queue.h"
#include "rpc_runtime.h"
#include "rpc_tls.h"

enum {
    SLOTS = 64, /* calls that can arrive between two turns of the thread */
    MESSAGE_BYTES_MAX = 256 << 10,
    STREAMS_MAX = 1024,
    METADATA_BYTES_MAX = 16 << 10,
    CALLS_A_SECOND = 2 * STREAMS_MAX, /* of a connection */
    VOID_CALLS_A_SECOND = 128,        /* of these, that their peer took back at once */
    READ_BYTES_MAX = 16 << 10,
    POLITE_MS = 200,
    /* Of all connections together, some 25 KiB each: a net below the other limits. Near it gRPC
     * sends peers away. */
    MEMORY_BYTES_MAX = 1 << 30,
    /* Ten thousand that come at once wait longer for their turn than one handshake takes. */
    HANDSHAKE_MS = 30 * 1000,
};

/* A place for the next call: gRPC fills it and completes the tag. */
struct slot {
    struct rpc_tag tag;
    struct rpc_server *server;
    int is_posted;
    grpc_call *call;
    grpc_call_details details;
    grpc_metadata_array headers;
};

/* Freed with the server. */
struct front {
    grpc_server *grpc;
    struct rpc_server *server;
    struct rpc_tag gone_tag; /* of its shutdown */
    int is_gone;             /* so are its connections */
    struct front *older;
};

struct rpc_server {
    struct rpc_server_options options; /* without PEM texts; `listen` is ours */
    struct front *front;               /* the newest; it listens if `is_listening` */
    int is_listening;
    struct rpc_queue *queue;
    struct rpc_method *methods;
    size_t method_count;
    int port;
    struct rpc_door door;
    struct slot slots[SLOTS];
    struct rpc_call_group calls;

    int stopping; /* on the server's thread */

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    int calls_ended, drained;
};

/* ----- calls ----- */

static void refuse_call(struct rpc_call *call)
{
    rpc_call_finish(call, RPC_UNIMPLEMENTED, "this server does not know the method");
}

static const struct rpc_method unknown_method = {
    .path = "", .opened = refuse_call, .message = rpc_call_ignore_message};

static const struct rpc_method *find_method(const struct rpc_server *server, grpc_slice path)
{
    for (size_t i = 0; i < server->method_count; i++)
        if (grpc_slice_str_cmp(path, server->methods[i].path) == 0)
            return &server->methods[i];
    return &unknown_method;
}

static void on_request(struct rpc_tag *tag, int ok);

static void slot_post(struct slot *slot)
{
    slot->is_posted = 1;
    grpc_call_details_init(&slot->details);
    grpc_metadata_array_init(&slot->headers);
    rpc_tag_arm(&slot->tag, on_request);
    grpc_completion_queue *cq = rpc_queue_cq(slot->server->queue);
    ASSERT(grpc_server_request_call(slot->server->front->grpc, &slot->call, &slot->details,
                                    &slot->headers, cq, cq, &slot->tag) == GRPC_CALL_OK);
}

static void on_request(struct rpc_tag *tag, int ok)
{
    struct slot *slot = RPC_TAG_OWNER(tag, struct slot, tag);
    struct rpc_server *server = slot->server;
    grpc_call *call = slot->call;
    grpc_call_details details = slot->details;
    grpc_metadata_array headers = slot->headers;
    slot->is_posted = 0;
    if (server->is_listening && !server->stopping)
        slot_post(slot);
    if (ok) /* if not, its front shuts down */
        rpc_call_accept(&server->calls, find_method(server, details.method), call, &headers);
    grpc_metadata_array_destroy(&headers);
    grpc_call_details_destroy(&details);
}

/* ----- stopping ----- */

static int are_connections_gone(const struct rpc_server *server)
{
    for (const struct front *at = server->front; at != NULL; at = at->older)
        if (!at->is_gone)
            return 0;
    return 1;
}

/* Tell the stopping thread how far it is. */
static void report_progress(struct rpc_server *server)
{
    if (!server->stopping || server->calls.count > 0)
        return;
    pthread_mutex_lock(&server->lock);
    server->calls_ended = 1;
    server->drained = are_connections_gone(server);
    pthread_cond_signal(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

static void on_calls_emptied(struct rpc_call_group *calls)
{
    report_progress(RPC_TAG_OWNER(calls, struct rpc_server, calls));
}

static void on_connections_gone(struct rpc_tag *tag, int ok)
{
    (void)ok;
    struct front *front = RPC_TAG_OWNER(tag, struct front, gone_tag);
    front->is_gone = 1;
    report_progress(front->server);
}

static void shut_down(struct front *front)
{
    rpc_tag_arm(&front->gone_tag, on_connections_gone);
    grpc_server_shutdown_and_notify(front->grpc, rpc_queue_cq(front->server->queue),
                                    &front->gone_tag);
}

static void begin_stop(void *arg)
{
    struct rpc_server *server = arg;
    server->stopping = 1;
    if (server->is_listening)
        shut_down(server->front);
    report_progress(server);
}

/* Until `*flag` is set, at most `ms`; whether it is. */
static int wait_for_flag(struct rpc_server *server, const int *flag, int ms)
{
    int64_t until = clock_mono_ns() + (int64_t)ms * 1000000;
    struct timespec deadline = {until / 1000000000, until % 1000000000};
    pthread_mutex_lock(&server->lock);
    int result = 0;
    while (!*flag && result == 0)
        result = pthread_cond_timedwait(&server->changed, &server->lock, &deadline);
    int is_set = *flag;
    pthread_mutex_unlock(&server->lock);
    return is_set;
}

/* A peer without calls is told to go, but need not listen: it is not worth the grace. */
static void drain(struct rpc_server *server, int grace_ms)
{
    int polite_ms = grace_ms < POLITE_MS ? grace_ms : POLITE_MS;
    if (wait_for_flag(server, &server->calls_ended, grace_ms) &&
        wait_for_flag(server, &server->drained, polite_ms))
        return;
    for (struct front *at = server->front; at != NULL; at = at->older)
        grpc_server_cancel_all_calls(at->grpc);
    while (!wait_for_flag(server, &server->drained, 1000))
        ; /* held calls */
}

void rpc_server_stop(struct rpc_server *server, int grace_ms)
{
    if (server == NULL)
        return;
    ASSERT(!rpc_queue_is_own_thread(server->queue));
    sigset_t before;
    rpc_signals_block(&before);
    rpc_queue_post(server->queue, begin_stop, server);
    drain(server, grace_ms);
    while (server->front != NULL) {
        struct front *front = server->front;
        server->front = front->older;
        grpc_server_destroy(front->grpc);
        free(front);
    }
    rpc_signals_restore(&before);
    rpc_queue_free(server->queue);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    rpc_tls_free(server->door.tls);
    rpc_connections_free(server->door.connections);
    free(server->methods);
    free((char *)server->options.listen);
    free(server);
}

/* ----- starting ----- */

static int or_else(int value, int usual)
{
    return value != 0 ? value : usual;
}

static grpc_server *create_grpc_server(const struct rpc_server_options *options)
{
    grpc_resource_quota *quota = grpc_resource_quota_create("server");
    grpc_resource_quota_resize(quota,
                               options->memory_max != 0 ? options->memory_max : MEMORY_BYTES_MAX);
    uint32_t message_max =
        options->message_bytes_max != 0 ? options->message_bytes_max : MESSAGE_BYTES_MAX;
    uint32_t streams_max = options->streams_max != 0 ? options->streams_max : STREAMS_MAX;
    grpc_arg args[] = {
        rpc_arg_number(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)message_max),
        rpc_arg_number(GRPC_ARG_MAX_CONCURRENT_STREAMS, (int)streams_max),
        rpc_arg_number(GRPC_ARG_MAX_METADATA_SIZE, METADATA_BYTES_MAX),
        /* Windows stay at 64 KiB: probing would open them to megabytes for peers nobody reads. */
        rpc_arg_number(GRPC_ARG_HTTP2_BDP_PROBE, 0),
        rpc_arg_number(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 16384),
        /* What is read at once is taken in before anything else happens: by default, 4 MiB of calls
         * (rpc_connection.h). */
        rpc_arg_number(GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE, READ_BYTES_MAX),
        /* Only "identity": no limit holds against a compressed bomb. */
        rpc_arg_number(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1),
        rpc_arg_number(GRPC_ARG_ALLOW_REUSEPORT, 0),
        rpc_arg_number(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                       or_else(options->handshake_ms, HANDSHAKE_MS)),
        /* Agents ping every 20 s (rpc_client.c); dead ones are noticed by our own pings. */
        rpc_arg_number(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5000),
        rpc_arg_number(GRPC_ARG_KEEPALIVE_TIME_MS, or_else(options->keepalive_ms, 60000)),
        rpc_arg_number(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                       or_else(options->keepalive_timeout_ms, 20000)),
        rpc_arg_number(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        {.type = GRPC_ARG_POINTER,
         .key = (char *)GRPC_ARG_RESOURCE_QUOTA,
         .value.pointer = {quota, grpc_resource_quota_arg_vtable()}},
    };
    grpc_channel_args list = {ARRAY_SIZE(args), args};
    grpc_server *server = grpc_server_create(&list, NULL);
    grpc_resource_quota_unref(quota);
    return server;
}

static struct rpc_server *server_new(const struct rpc_server_options *options,
                                     const struct rpc_method *methods, size_t count)
{
    struct rpc_server *server = calloc(1, sizeof(*server));
    ASSERT(server != NULL);
    server->methods = calloc(count + 1, sizeof(*methods));
    ASSERT(server->methods != NULL);
    for (size_t i = 0; i < count; i++)
        server->methods[i] = methods[i];
    server->method_count = count;
    server->options = *options;
    server->options.listen = strdup(options->listen);
    ASSERT(server->options.listen != NULL);
    server->options.tls_certificate = server->options.tls_key = NULL;
    server->options.tls_client_ca = NULL;
    server->calls.emptied = on_calls_emptied;
    for (int i = 0; i < SLOTS; i++)
        server->slots[i].server = server;

    pthread_condattr_t attributes;
    ASSERT(pthread_condattr_init(&attributes) == 0);
    ASSERT(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    ASSERT(pthread_cond_init(&server->changed, &attributes) == 0);
    ASSERT(pthread_mutex_init(&server->lock, NULL) == 0);
    pthread_condattr_destroy(&attributes);
    return server;
}

/* A new front. One that cannot listen is shut down again, but stays: it may have bound a part. */
static enum status open_front(struct rpc_server *server, struct why *why)
{
    struct front *front = calloc(1, sizeof(*front));
    ASSERT(front != NULL);
    front->grpc = create_grpc_server(&server->options);
    front->server = server;
    front->older = server->front;
    server->front = front;
    grpc_server_register_completion_queue(front->grpc, rpc_queue_cq(server->queue), NULL);
    enum status status =
        rpc_listen_bind(front->grpc, &server->options, &server->door, &server->port, why);
    if (status != STATUS_OK) {
        shut_down(front);
        return status;
    }
    server->is_listening = 1;
    grpc_server_start(front->grpc);
    for (int i = 0; i < SLOTS; i++)
        if (!server->slots[i].is_posted)
            slot_post(&server->slots[i]);
    return STATUS_OK;
}

static struct rpc_connections *new_connections(const struct rpc_server_options *options)
{
    struct rpc_connection_limits limits = {
        .calls_a_second_max = CALLS_A_SECOND,
        .void_calls_max = VOID_CALLS_A_SECOND,
        .header_bytes_max = METADATA_BYTES_MAX,
        .calls_open_max = options->streams_max != 0 ? options->streams_max : STREAMS_MAX,
    };
    if (limits.calls_open_max > CALLS_A_SECOND / 2)
        limits.calls_a_second_max = 2 * limits.calls_open_max;
    return rpc_connections_new(&limits);
}

enum status rpc_server_start(const struct rpc_server_options *options,
                             const struct rpc_method *methods, size_t count,
                             struct rpc_server **ret, struct why *why)
{
    struct rpc_server *server = server_new(options, methods, count);
    server->queue = rpc_queue_new("rpc");
    server->calls.queue = server->queue;
    server->calls.connections = server->door.connections = new_connections(options);
    server->calls.admit = options->admit;
    server->calls.admit_user = options->admit_user;
    sigset_t before;
    rpc_signals_block(&before);
    rpc_runtime_notice_all();
    enum status status = rpc_tls_new(options, &server->door.tls, why);
    if (status == STATUS_OK)
        status = open_front(server, why);
    rpc_signals_restore(&before);
    rpc_accept_limit(options->connections_max);
    if (status != STATUS_OK) {
        rpc_server_stop(server, 0);
        return status;
    }
    *ret = server;
    return STATUS_OK;
}

enum status rpc_server_listen_again(struct rpc_server *server, struct why *why)
{
    ASSERT(rpc_queue_is_own_thread(server->queue));
    if (server->stopping)
        return why_fail(why, STATUS_CANCELED, "the server ends");
    if (server->is_listening)
        shut_down(server->front);
    server->is_listening = 0;
    return open_front(server, why);
}

int rpc_server_port(const struct rpc_server *server)
{
    return server->port;
}

void rpc_server_post(struct rpc_server *server, call_fn *fn, void *arg)
{
    rpc_queue_post(server->queue, fn, arg);
}

enum status rpc_server_set_tls(struct rpc_server *server, const struct rpc_tls_texts *texts,
                               struct why *why)
{
    sigset_t before;
    rpc_signals_block(&before);
    enum status status = rpc_tls_set(server->door.tls, texts, why);
    rpc_signals_restore(&before);
    return status;
}

struct rpc_server_counts rpc_server_counts(void)
{
    struct rpc_connection_counts counts = rpc_connection_counts();
    return (struct rpc_server_counts){
        .used = counts.used,
        .full = counts.full,
        .too_many = counts.too_many,
        .too_fast = counts.too_fast,
        .too_long = counts.too_long,
        .broken = rpc_runtime_count(RPC_NOTICE_BROKEN),
        .too_large = rpc_runtime_count(RPC_NOTICE_LARGE),
        .mute = rpc_runtime_count(RPC_NOTICE_MUTE),
        .silent = rpc_runtime_count(RPC_NOTICE_SILENT),
        .pinging = rpc_runtime_count(RPC_NOTICE_PINGING),
        .memory = rpc_runtime_count(RPC_NOTICE_MEMORY),
    };
}

void rpc_server_review(struct rpc_server *server)
{
    ASSERT(rpc_queue_is_own_thread(server->queue));
    rpc_call_group_review(&server->calls);
}
