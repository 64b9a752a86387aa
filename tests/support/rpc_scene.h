/*
 * A server with small methods, and a client stream that writes down what happens to it. For tests
 * of common/rpc; all in one process, on ports that the kernel chooses.
 */
#ifndef TESTS_SUPPORT_RPC_SCENE_H
#define TESTS_SUPPORT_RPC_SCENE_H

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attributes.h"
#include "buf.h"
#include "loop.h"
#include "rpc_client.h"
#include "rpc_server.h"

/* What the server's side of a test counts; `user` of every method. */
struct served {
    atomic_int opened, messages, half_closed, closed, paced;
    struct rpc_call *_Atomic last; /* the call that was opened last */
};

static inline void scene_opened(struct rpc_call *call)
{
    struct served *served = rpc_call_user(call);
    served->opened++;
    served->last = call;
    rpc_call_read(call);
}

static inline void scene_opened_silently(struct rpc_call *call)
{
    struct served *served = rpc_call_user(call);
    served->opened++;
    served->last = call;
}

static inline void scene_closed(struct rpc_call *call)
{
    struct served *served = rpc_call_user(call);
    served->closed++;
}

/* Unary: the request comes back with "re: " before it. */
static inline void scene_answer(struct rpc_call *call, const uint8_t *data, size_t size)
{
    struct served *served = rpc_call_user(call);
    served->messages++;
    struct buf answer = BUF_INIT;
    buf_append_text(&answer, "re: ");
    buf_append(&answer, data, size);
    rpc_call_send(call, answer.data, answer.size);
    rpc_call_finish(call, RPC_OK, NULL);
    buf_done(&answer);
}

/* Each message comes back; OK after the half-close. */
static inline void scene_echo(struct rpc_call *call, const uint8_t *data, size_t size)
{
    struct served *served = rpc_call_user(call);
    served->messages++;
    rpc_call_send(call, data, size);
    rpc_call_read(call);
}

static inline void scene_echo_end(struct rpc_call *call)
{
    struct served *served = rpc_call_user(call);
    served->half_closed++;
    rpc_call_finish(call, RPC_OK, NULL);
}

/* "/test/Fail": the message is the text of a NOT_FOUND. */
static inline void scene_fail(struct rpc_call *call, const uint8_t *data, size_t size)
{
    char text[256];
    snprintf(text, sizeof(text), "%.*s", (int)size, (const char *)data);
    rpc_call_finish(call, RPC_NOT_FOUND, text);
}

/* The value of the request's header of the name in the message, or "(none)". */
static inline void scene_header(struct rpc_call *call, const uint8_t *data, size_t size)
{
    char key[64];
    snprintf(key, sizeof(key), "%.*s", (int)size, (const char *)data);
    const char *value = rpc_call_header(call, key);
    if (value == NULL)
        value = "(none)";
    rpc_call_send(call, (const uint8_t *)value, strlen(value));
    rpc_call_finish(call, RPC_OK, NULL);
}

static inline void scene_peer(struct rpc_call *call, const uint8_t *data, size_t size)
{
    (void)data;
    (void)size;
    const char *peer = rpc_call_peer(call);
    rpc_call_send(call, (const uint8_t *)peer, strlen(peer));
    rpc_call_finish(call, RPC_OK, NULL);
}

/* "/test/Burst": many answers to the first message, then the end, and no reading meanwhile. */
enum { SCENE_BURST = 50, SCENE_PACED_BYTES = 50000 };

static inline void scene_burst(struct rpc_call *call, const uint8_t *data, size_t size)
{
    for (int i = 0; i < SCENE_BURST; i++)
        rpc_call_send(call, data, size);
    rpc_call_finish(call, RPC_UNAVAILABLE, "enough");
}

/* "/test/Paced": the same, the next one when the one before has left. */
static inline void scene_paced_on(struct rpc_call *call)
{
    static const uint8_t data[SCENE_PACED_BYTES];
    struct served *served = rpc_call_user(call);
    rpc_call_send(call, data, sizeof(data));
    if (atomic_fetch_add(&served->paced, 1) + 1 == SCENE_BURST)
        rpc_call_finish(call, RPC_UNAVAILABLE, "enough");
}

static inline void scene_paced(struct rpc_call *call, const uint8_t *data, size_t size)
{
    (void)data;
    (void)size;
    scene_paced_on(call);
}

enum { SCENE_METHODS = 8 };

/* Fills `ret` (SCENE_METHODS of them). */
static inline void scene_methods(struct served *served, struct rpc_method *ret)
{
    const struct rpc_method methods[SCENE_METHODS] = {
        {"/test/Answer", served, scene_opened, scene_answer, NULL, scene_closed, NULL},
        {"/test/Echo", served, scene_opened, scene_echo, scene_echo_end, scene_closed, NULL},
        {"/test/Fail", served, scene_opened, scene_fail, NULL, scene_closed, NULL},
        {"/test/Header", served, scene_opened, scene_header, NULL, NULL, NULL},
        {"/test/Peer", served, scene_opened, scene_peer, NULL, NULL, NULL},
        {"/test/Silent", served, scene_opened_silently, scene_echo, NULL, scene_closed, NULL},
        {"/test/Burst", served, scene_opened, scene_burst, NULL, scene_closed, NULL},
        {"/test/Paced", served, scene_opened, scene_paced, NULL, scene_closed, scene_paced_on},
    };
    memcpy(ret, methods, sizeof(methods));
}

static inline struct rpc_server *scene_start(const struct rpc_server_options *options,
                                             struct served *served)
{
    struct rpc_method methods[SCENE_METHODS];
    scene_methods(served, methods);
    struct rpc_server *server = NULL;
    struct why why = {""};
    if (rpc_server_start(options, methods, SCENE_METHODS, &server, &why) != STATUS_OK)
        fail_msg("%s", why.text);
    return server;
}

static inline struct rpc_server *scene_start_plain(struct served *served)
{
    return scene_start(&(struct rpc_server_options){.listen = "127.0.0.1:0"}, served);
}

static inline struct rpc_channel *scene_connect(const struct rpc_channel_options *options)
{
    struct rpc_channel *channel = NULL;
    struct why why = {""};
    if (rpc_channel_new(options, &channel, &why) != STATUS_OK)
        fail_msg("%s", why.text);
    return channel;
}

static inline struct rpc_channel *scene_connect_port(int port)
{
    char target[32];
    snprintf(target, sizeof(target), "127.0.0.1:%d", port);
    return scene_connect(&(struct rpc_channel_options){.target = target});
}

/* A server with the scene's methods and a channel to it. */
struct pair {
    struct served served;
    struct rpc_server *server;
    struct rpc_channel *channel;
};

static inline void pair_start(struct pair *pair)
{
    memset(pair, 0, sizeof(*pair));
    pair->server = scene_start_plain(&pair->served);
    pair->channel = scene_connect_port(rpc_server_port(pair->server));
}

static inline void pair_stop(struct pair *pair)
{
    rpc_channel_free(pair->channel);
    rpc_server_stop(pair->server, 30000);
}

/* A unary call of texts. The answer, or the reason of the failure, is in `ret` (WHY_CAPACITY). */
static inline enum status scene_call(struct rpc_channel *channel, const char *path,
                                     const char *request, char *ret)
{
    struct buf question = BUF_INIT, answer = BUF_INIT;
    struct why why = {""};
    buf_append_text(&question, request);
    enum status status = rpc_channel_call(channel, path, &question, 20000, &answer, &why);
    snprintf(ret, WHY_CAPACITY, "%s", status == STATUS_OK ? buf_text(&answer) : why.text);
    buf_done(&question);
    buf_done(&answer);
    return status;
}

/* Wait for another thread to bring a counter to `least`; for ever is a failure. */
static inline void wait_for(const atomic_int *counter, int least)
{
    for (int i = 0; atomic_load(counter) < least; i++) {
        if (i == 30000)
            fail_msg("waited in vain: %d instead of %d", atomic_load(counter), least);
        usleep(1000);
    }
}

/* The client's side of a stream. */
struct seen {
    struct loop *loop;
    struct rpc_stream *stream; /* NULL once closed */
    int messages, writable, closed;
    size_t bytes;
    int stop_at;     /* stop the loop at this number of messages, 0: never */
    int keep_asking; /* read the next message at once */
    uint8_t last_byte;
    enum rpc_code code;
    char text[WHY_CAPACITY];
};

static inline void seen_message(void *user, const uint8_t *data, size_t size)
{
    struct seen *seen = user;
    seen->messages++;
    seen->bytes += size;
    seen->last_byte = size > 0 ? data[size - 1] : 0;
    if (seen->keep_asking)
        rpc_stream_read(seen->stream);
    if (seen->messages == seen->stop_at)
        loop_stop(seen->loop);
}

static inline void seen_writable(void *user)
{
    struct seen *seen = user;
    seen->writable++;
}

static inline void seen_closed(void *user, enum rpc_code code, const char *text)
{
    struct seen *seen = user;
    seen->closed++;
    seen->stream = NULL;
    seen->code = code;
    snprintf(seen->text, sizeof(seen->text), "%s", text);
    loop_stop(seen->loop);
}

static const struct rpc_stream_events seen_events = {seen_message, seen_writable, seen_closed};

static inline void seen_timeout(void *arg)
{
    struct seen *seen = arg;
    loop_stop(seen->loop);
}

/* Run the loop for a while, or until it is stopped. */
static inline void seen_run_for(struct seen *seen, uint64_t ms)
{
    struct loop_timer *timer = loop_timer_new(seen->loop, seen_timeout, seen);
    loop_timer_start(timer, ms, 0);
    loop_run(seen->loop);
    loop_timer_free(timer);
}

static inline void seen_never_ends(void *arg)
{
    (void)arg;
    fail_msg("the stream does not end");
}

/*
 * Run the loop until the stream has closed. The patience ends before the client's keepalive of
 * 20 s, which would push out what somebody forgot to send.
 */
static inline void seen_run_to_the_end(struct seen *seen)
{
    struct loop_timer *patience = loop_timer_new(seen->loop, seen_never_ends, seen);
    loop_timer_start(patience, 15000, 0);
    while (!seen->closed)
        loop_run(seen->loop);
    loop_timer_free(patience);
}

static inline void seen_open(struct seen *seen, struct rpc_channel *channel, const char *path)
{
    seen->stream = rpc_stream_open(channel, path, seen->loop, &seen_events, seen);
}

#endif
