/*
 * The gRPC client: a channel to one collector; blocking unary calls for commands, and one
 * bidirectional stream with callbacks on the loop for the agent.
 *
 * The channel owns one thread, which only waits for gRPC and posts to the loop. Retries, proxies
 * and service configs of gRPC are switched off: reconnecting is the caller's business.
 */
#ifndef COMMON_RPC_RPC_CLIENT_H
#define COMMON_RPC_RPC_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "loop.h"
#include "rpc_code.h"
#include "rpc_files.h"
#include "status.h"
#include "why.h"

struct rpc_channel;
struct rpc_stream;

/*
 * Keep gRPC to as few threads as it can do with. Speaks to it through the environment (what that
 * says already, wins): to be called while the program has one thread, before anything else here.
 */
void rpc_client_set_up(void);

struct rpc_channel_options {
    const char *target; /* "HOST:PORT", "[::1]:4777", "unix:/path" */
    /* PEM texts; `tls_ca` set: TLS, with the client's own pair if given. Copied. */
    const char *tls_ca, *tls_certificate, *tls_key;
    int plaintext; /* without TLS, to another machine too: the network protects it */
    /* Sent with every call as "authorization: Bearer TOKEN". Copied. NULL: none. */
    const char *token;
    uint32_t message_bytes_max; /* 0: 64 MiB (answers to queries are large) */
    /* Limit of one attempt to connect; 0: 5 s. Long for those who come by the thousand: to give up
     * before one's turn is to queue up again. */
    int connect_ms;
    /* Share this channel's thread, for programs with thousands of channels; it is freed after this
     * one. NULL: a thread of its own. */
    struct rpc_channel *thread_of;
};

/* STATUS_USAGE: the target is not HOST:PORT or unix:PATH, or it is another machine and neither TLS
 * nor `plaintext` is said. */
enum status rpc_channel_check(const struct rpc_channel_options *options,
                              struct why *why) MUST_CHECK;

/* Does not connect yet. STATUS_USAGE as rpc_channel_check; STATUS_INVALID: a PEM text or the token
 * is wrong. */
enum status rpc_channel_new(const struct rpc_channel_options *options, struct rpc_channel **ret,
                            struct why *why) MUST_CHECK;
void rpc_channel_free(struct rpc_channel *channel); /* after its streams have closed; blocks */

/*
 * What new connections use: calls and streams that are open keep theirs, those opened later get a
 * connection of their own. Any thread. STATUS_INVALID: unusable; what was there stays in force.
 */
enum status rpc_channel_set_tls(struct rpc_channel *channel, const struct rpc_tls_texts *texts,
                                struct why *why) MUST_CHECK;
enum status rpc_channel_set_token(struct rpc_channel *channel, const char *token,
                                  struct why *why) MUST_CHECK; /* NULL: none */

/*
 * One request, one answer appended to `ret`. Blocks until answered or `deadline_ms` has passed. On
 * failure `why` holds the peer's message, or what to do when nobody answers at the target.
 */
enum status rpc_channel_call(struct rpc_channel *channel, const char *path,
                             const struct buf *request, int64_t deadline_ms, struct buf *ret,
                             struct why *why) MUST_CHECK;

/*
 * Run fn(arg) on the channel's thread, which otherwise only waits: for the one long job of a
 * program that counts its threads. Streams stand still meanwhile. Any thread; before the channel is
 * freed.
 */
void rpc_channel_post(struct rpc_channel *channel, call_fn *fn, void *arg);

struct rpc_stream_events {
    /* One message for each rpc_stream_read. `data` is valid during the callback only. */
    void (*message)(void *user, const uint8_t *data, size_t size);
    /* What was sent last has left our hands, and nothing waits: send the next. */
    void (*writable)(void *user);
    /* The end, exactly once; the stream is freed after it returns. `text` is the peer's message. */
    void (*closed)(void *user, enum rpc_code code, const char *text);
};

/* Every callback runs on `loop`'s thread, and all rpc_stream_ calls are made there. `loop` NULL: on
 * the channel's own thread (rpc_channel_post), which saves the hand-over. */
struct rpc_stream *rpc_stream_open(struct rpc_channel *channel, const char *path, struct loop *loop,
                                   const struct rpc_stream_events *events, void *user);
/* Ask for one more message; idempotent while asked. Keep one asked for: an orderly end stands
 * behind the messages that nobody read. */
void rpc_stream_read(struct rpc_stream *stream);
/* Copies; queues in order, one in flight. */
void rpc_stream_send(struct rpc_stream *stream, const uint8_t *data, size_t size);
/* The same for a message that the peer will answer. */
void rpc_stream_ask(struct rpc_stream *stream, const uint8_t *data, size_t size);
/*
 * Ask for one more message when the next question goes out, in one operation with it if it goes
 * alone: for a peer that has nothing to say until then. (gRPC would else announce the window for
 * what came before in a packet of its own.) Until then what the peer says lies unread, an orderly
 * end behind it; and what is sent behind a question that went alone waits for the answer.
 */
void rpc_stream_read_with_question(struct rpc_stream *stream);
size_t rpc_stream_unsent_bytes(const struct rpc_stream *stream);
void rpc_stream_half_close(struct rpc_stream *stream); /* after what was sent */
void rpc_stream_cancel(struct rpc_stream *stream);     /* only `closed` still comes */

#endif
