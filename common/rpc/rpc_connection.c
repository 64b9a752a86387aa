#include "rpc_connection.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "attributes.h"
#include "clock.h"

#define PROPERTY "heapfleet_connection"

enum {
    /* Calls that have ended for the peer, but of whose end we have yet to hear. */
    ENDING = 64,
    /* Of a connection that is refused everything, every so-manieth call is let through to our
     * thread, which can cut it. */
    TELL_EVERY = 64,
};

static const char many_calls[] = "too many calls on this connection within a second";
static const char long_headers[] = "the headers of this call are too long";
static const char many_open[] = "too many calls at a time on this connection";

/* The value of the property. */
struct connection {
    int64_t since_ms;
    uint32_t calls; /* since then */
    uint32_t void_calls;
    uint32_t open; /* entered, and not left yet */
    int is_flood, is_cut;
};

struct rpc_connections {
    struct rpc_connection_limits limits;
    pthread_mutex_t lock; /* of every connection's counts */
};

static atomic_ullong used, full, too_many, too_fast, too_long;

struct rpc_connections *rpc_connections_new(const struct rpc_connection_limits *limits)
{
    struct rpc_connections *connections = calloc(1, sizeof(*connections));
    ASSERT(connections != NULL);
    connections->limits = *limits;
    ASSERT(pthread_mutex_init(&connections->lock, NULL) == 0);
    return connections;
}

void rpc_connections_free(struct rpc_connections *connections)
{
    if (connections == NULL)
        return;
    pthread_mutex_destroy(&connections->lock);
    free(connections);
}

struct rpc_connection_counts rpc_connection_counts(void)
{
    return (struct rpc_connection_counts){.used = atomic_load(&used),
                                          .full = atomic_load(&full),
                                          .too_many = atomic_load(&too_many),
                                          .too_fast = atomic_load(&too_fast),
                                          .too_long = atomic_load(&too_long)};
}

/* With the lock held. The first call of a connection finds nothing, before any other thread has
 * heard of the context. */
static struct connection *find(grpc_auth_context *context)
{
    static const struct connection none;
    for (;;) {
        grpc_auth_property_iterator at =
            grpc_auth_context_find_properties_by_name(context, PROPERTY);
        const grpc_auth_property *found = grpc_auth_property_iterator_next(&at);
        if (found != NULL)
            return (struct connection *)(void *)found->value;
        grpc_auth_context_add_property(context, PROPERTY, (const char *)&none, sizeof(none));
        atomic_fetch_add(&used, 1);
    }
}

/* Whether the call goes on to our thread. */
static int count_call(struct rpc_connections *connections, struct connection *connection)
{
    int64_t now_ms = clock_mono_ms();
    if (now_ms - connection->since_ms >= 1000) {
        connection->since_ms = now_ms;
        connection->calls = 0;
        connection->void_calls = 0;
    }
    connection->calls++;
    if (connection->calls >= connections->limits.calls_a_second_max)
        connection->is_flood = 1;
    if (!connection->is_flood)
        return 1;
    if (!connection->is_cut && connection->calls % TELL_EVERY == 0)
        return 1;
    atomic_fetch_add(&too_fast, 1);
    return 0;
}

static int are_too_long(const struct rpc_connections *connections, const grpc_metadata *headers,
                        size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += GRPC_SLICE_LENGTH(headers[i].key) + GRPC_SLICE_LENGTH(headers[i].value) + 32;
    if (bytes <= connections->limits.header_bytes_max)
        return 0;
    atomic_fetch_add(&too_long, 1);
    return 1;
}

/* On one of gRPC's threads. */
static void process(void *state, grpc_auth_context *context, const grpc_metadata *headers,
                    size_t count, grpc_process_auth_metadata_done_cb done, void *user)
{
    struct rpc_connections *connections = state;
    const char *refusal = NULL;
    pthread_mutex_lock(&connections->lock);
    if (!count_call(connections, find(context)))
        refusal = many_calls;
    pthread_mutex_unlock(&connections->lock);
    if (refusal == NULL && are_too_long(connections, headers, count))
        refusal = long_headers;
    done(user, NULL, 0, NULL, 0, refusal == NULL ? GRPC_STATUS_OK : GRPC_STATUS_RESOURCE_EXHAUSTED,
         refusal);
}

void rpc_connections_watch(struct rpc_connections *connections,
                           grpc_server_credentials *credentials)
{
    const grpc_auth_metadata_processor processor = {.process = process, .state = connections};
    grpc_server_credentials_set_auth_metadata_processor(credentials, processor);
}

int rpc_connection_enter(struct rpc_connections *connections, grpc_auth_context *context,
                         const char **ret_message, int *ret_cut)
{
    uint32_t most = connections->limits.calls_open_max;
    const char *message = NULL;
    pthread_mutex_lock(&connections->lock);
    struct connection *connection = find(context);
    connection->open++;
    atomic_fetch_add(&full, connection->open == most);
    if (connection->is_flood) {
        atomic_fetch_add(&too_fast, 1);
        message = many_calls;
    } else if (connection->open > most + ENDING) {
        atomic_fetch_add(&too_many, 1);
        message = many_open;
    }
    *ret_cut = connection->is_flood && !connection->is_cut;
    connection->is_cut = connection->is_flood;
    pthread_mutex_unlock(&connections->lock);
    if (message == NULL)
        return 1;
    *ret_message = message;
    return 0;
}

int rpc_connection_leave(struct rpc_connections *connections, grpc_auth_context *context,
                         int is_void)
{
    pthread_mutex_lock(&connections->lock);
    struct connection *connection = find(context);
    ASSERT(connection->open > 0);
    connection->open--;
    connection->void_calls += is_void != 0;
    if (connection->void_calls > connections->limits.void_calls_max)
        connection->is_flood = 1;
    int must_cut = connection->is_flood && !connection->is_cut;
    connection->is_cut = connection->is_flood;
    pthread_mutex_unlock(&connections->lock);
    return must_cut;
}
