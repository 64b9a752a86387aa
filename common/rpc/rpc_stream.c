/*
 * A stream of the client. The same machine as a call of the server (rpc_call.c), on the loop's
 * thread: operations are started there, the channel's thread only carries each completion over (or
 * is the owner's thread itself).
 *
 *     opening        SEND_INITIAL_METADATA and RECV_INITIAL_METADATA; nobody waits for it
 *     ended          RECV_STATUS_ON_CLIENT, from the beginning; completes at the end
 *     received       while a message is asked for
 *     sent           the oldest message, with the half-close behind the last one; or the only one,
 * with the next message received in the same operation
 *
 * `outstanding` reaches 0 exactly once, when all is over: then `closed` runs and the stream is
 * freed.
 */
#include <grpc/grpc.h>
#include <grpc/support/alloc.h>
#include <stdlib.h>

#include "attributes.h"
#include "rpc_bytes.h"
#include "rpc_channel.h"
#include "rpc_runtime.h"

/* An operation on its way: from gRPC's thread to the loop, where `done` runs. */
struct stream_op {
    struct rpc_tag tag;
    struct rpc_stream *stream;
    int ok;
    call_fn *done;
};

struct rpc_stream {
    struct rpc_channel *channel;
    struct loop *loop; /* NULL: the channel's thread is the owner's */
    const struct rpc_stream_events *events;
    void *user;
    grpc_call *grpc;

    struct stream_op opening, received, sent, ended;
    int outstanding;
    struct rpc_headers headers;
    grpc_metadata_array initial, trailing; /* set by gRPC, as the three below */
    grpc_byte_buffer *incoming;
    grpc_status_code code;
    grpc_slice details;

    int wants_message, wants_half_close; /* wishes */
    int reads_with_question, has_asked;  /* `wants_message`, once the next question is sent */
    struct rpc_outbox outbox;

    int receiving, sending, sending_message, half_closed; /* facts */
    int receiving_with_sent;                              /* `received` is part of `sent` */
    int broken;    /* nothing more can be sent; what the peer had said before is still to be read */
    int over;      /* nothing more can be started */
    int cancelled; /* by the owner, who wants to hear of nothing but the end */
};

/* ----- what is under way ----- */

static void carry_to_loop(struct rpc_tag *tag, int ok)
{
    struct stream_op *op = RPC_TAG_OWNER(tag, struct stream_op, tag);
    op->ok = ok;
    if (op->stream->loop == NULL)
        op->done(op);
    else
        loop_post(op->stream->loop, op->done, op);
}

static void start(struct rpc_stream *stream, const grpc_op *ops, size_t count, struct stream_op *op,
                  call_fn *done)
{
    op->stream = stream;
    op->done = done;
    rpc_tag_arm(&op->tag, carry_to_loop);
    stream->outstanding++;
    sigset_t before;
    rpc_signals_block(&before);
    ASSERT(grpc_call_start_batch(stream->grpc, ops, count, &op->tag, NULL) == GRPC_CALL_OK);
    rpc_signals_restore(&before);
}

static void on_received(void *arg);
static void on_sent(void *arg);

static grpc_op receive_op(struct rpc_stream *stream)
{
    stream->receiving = 1;
    return (grpc_op){.op = GRPC_OP_RECV_MESSAGE,
                     .data.recv_message.recv_message = &stream->incoming};
}

static void start_receive(struct rpc_stream *stream)
{
    grpc_op op = receive_op(stream);
    start(stream, &op, 1, &stream->received, on_received);
}

/* The read that waited for a question waits no longer. */
static void read_now(struct rpc_stream *stream)
{
    stream->reads_with_question = 0;
    stream->wants_message = 1;
    if (!stream->receiving)
        start_receive(stream);
}

static void start_send(struct rpc_stream *stream)
{
    grpc_op ops[2] = {{0}};
    size_t count = 0;
    grpc_byte_buffer *first = rpc_outbox_first(&stream->outbox);
    int is_last = first == NULL || rpc_outbox_holds_one(&stream->outbox);
    if (first != NULL) {
        ops[count].op = GRPC_OP_SEND_MESSAGE;
        if (!is_last)
            ops[count].flags = GRPC_WRITE_BUFFER_HINT; /* gather it with what is behind it */
        ops[count++].data.send_message.send_message = first;
    }
    if (stream->wants_half_close && is_last) {
        ops[count++].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
        stream->half_closed = 1;
    } else if (stream->reads_with_question && stream->has_asked && is_last) {
        ops[count++] = receive_op(stream);
        stream->reads_with_question = 0;
        stream->receiving_with_sent = 1;
    }
    if (stream->reads_with_question && stream->has_asked)
        read_now(stream);
    stream->sending = 1;
    stream->sending_message = first != NULL;
    start(stream, ops, count, &stream->sent, on_sent);
}

static void advance(struct rpc_stream *stream)
{
    if (stream->over)
        return;
    if (stream->wants_message && !stream->receiving)
        start_receive(stream);
    int something_to_send = stream->outbox.first != NULL || stream->wants_half_close;
    if (something_to_send && !stream->sending && !stream->half_closed && !stream->broken)
        start_send(stream);
}

/* ----- the end ----- */

/* Everything is freed before `closed` runs, so that it may free the channel or open a new stream.
 */
static void close_stream(struct rpc_stream *stream)
{
    enum rpc_code code = (enum rpc_code)stream->code;
    char *text = grpc_slice_to_c_string(stream->details);
    struct why why = {""};
    if (code != RPC_OK)
        rpc_channel_explain(stream->channel, (int)code, text, &why);
    gpr_free(text);

    const struct rpc_stream_events *events = stream->events;
    void *user = stream->user;
    grpc_call_unref(stream->grpc);
    grpc_metadata_array_destroy(&stream->initial);
    grpc_metadata_array_destroy(&stream->trailing);
    rpc_headers_done(&stream->headers);
    grpc_slice_unref(stream->details);
    rpc_outbox_clear(&stream->outbox);
    rpc_channel_detach(stream->channel);
    free(stream);
    events->closed(user, code, why.text);
}

/* The last line of every completion. */
static void completed(struct rpc_stream *stream)
{
    if (--stream->outstanding == 0)
        close_stream(stream);
    else
        advance(stream);
}

/* ----- completions, on the loop's thread ----- */

static void on_opening(void *arg)
{
    struct stream_op *op = arg;
    completed(op->stream);
}

/* What was received, if anything, to the owner. */
static void deliver(struct rpc_stream *stream)
{
    grpc_byte_buffer *message = stream->incoming;
    stream->incoming = NULL;
    stream->wants_message = 0;
    stream->receiving = 0;
    if (message == NULL)
        return;
    if (!stream->cancelled) {
        grpc_slice whole = rpc_bytes_join(message);
        stream->events->message(stream->user, GRPC_SLICE_START_PTR(whole),
                                GRPC_SLICE_LENGTH(whole));
        grpc_slice_unref(whole);
    }
    grpc_byte_buffer_destroy(message);
}

static void on_received(void *arg)
{
    struct rpc_stream *stream = ((struct stream_op *)arg)->stream;
    deliver(stream);
    completed(stream);
}

static void on_sent(void *arg)
{
    struct stream_op *op = arg;
    struct rpc_stream *stream = op->stream;
    int ok = op->ok; /* the operation may be under way again when the owner has been called */
    stream->sending = 0;
    stream->broken |= !ok; /* the end is on its way, behind what nobody has read yet */
    if (stream->sending_message)
        rpc_outbox_pop(&stream->outbox);
    if (stream->receiving_with_sent) {
        stream->receiving_with_sent = 0;
        deliver(stream);
    }
    if (!ok && stream->reads_with_question && !stream->over)
        read_now(stream);
    if (ok && stream->outbox.first == NULL && !stream->wants_half_close && !stream->over)
        stream->events->writable(stream->user);
    completed(stream);
}

static void on_ended(void *arg)
{
    struct stream_op *op = arg;
    op->stream->over = 1;
    completed(op->stream);
}

/* ----- the owner's functions ----- */

struct rpc_stream *rpc_stream_open(struct rpc_channel *channel, const char *path, struct loop *loop,
                                   const struct rpc_stream_events *events, void *user)
{
    struct rpc_stream *stream = calloc(1, sizeof(*stream));
    ASSERT(stream != NULL);
    stream->channel = channel;
    stream->loop = loop;
    stream->events = events;
    stream->user = user;
    stream->details = grpc_empty_slice();
    grpc_metadata_array_init(&stream->initial);
    grpc_metadata_array_init(&stream->trailing);

    sigset_t before;
    rpc_signals_block(&before);
    grpc_completion_queue *cq = rpc_queue_cq(rpc_channel_attach(channel));
    stream->grpc = rpc_channel_create_call(channel, path, cq, gpr_inf_future(GPR_CLOCK_MONOTONIC));
    rpc_signals_restore(&before);

    grpc_op ending = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
                      .data.recv_status_on_client = {.trailing_metadata = &stream->trailing,
                                                     .status = &stream->code,
                                                     .status_details = &stream->details}};
    start(stream, &ending, 1, &stream->ended, on_ended);
    rpc_headers_init(&stream->headers, channel);
    grpc_op opening[] = {rpc_headers_op(&stream->headers),
                         {.op = GRPC_OP_RECV_INITIAL_METADATA,
                          .data.recv_initial_metadata.recv_initial_metadata = &stream->initial}};
    start(stream, opening, ARRAY_SIZE(opening), &stream->opening, on_opening);
    return stream;
}

void rpc_stream_read(struct rpc_stream *stream)
{
    stream->wants_message = 1;
    stream->reads_with_question = 0;
    advance(stream);
}

void rpc_stream_read_with_question(struct rpc_stream *stream)
{
    if (stream->outbox.first != NULL || stream->wants_half_close || stream->broken) {
        rpc_stream_read(stream);
        return;
    }
    stream->reads_with_question = 1;
    stream->has_asked = 0;
}

void rpc_stream_send(struct rpc_stream *stream, const uint8_t *data, size_t size)
{
    if (stream->over || stream->broken || stream->wants_half_close)
        return;
    rpc_outbox_push(&stream->outbox, data, size);
    advance(stream);
}

void rpc_stream_ask(struct rpc_stream *stream, const uint8_t *data, size_t size)
{
    stream->has_asked = 1;
    rpc_stream_send(stream, data, size);
}

size_t rpc_stream_unsent_bytes(const struct rpc_stream *stream)
{
    return stream->outbox.bytes;
}

void rpc_stream_half_close(struct rpc_stream *stream)
{
    stream->wants_half_close = 1;
    stream->wants_message |= stream->reads_with_question;
    stream->reads_with_question = 0;
    advance(stream);
}

void rpc_stream_cancel(struct rpc_stream *stream)
{
    stream->over = 1;
    stream->cancelled = 1;
    sigset_t before;
    rpc_signals_block(&before);
    grpc_call_cancel(stream->grpc, NULL);
    rpc_signals_restore(&before);
}
