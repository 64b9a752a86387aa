/*
 * The channel and its blocking calls.
 *
 * gRPC retries a lost connection by a clock of its own, and until it succeeds it answers every call
 * with the failure it remembers. Here every call is a real attempt: a channel that has failed is
 * replaced by a new one, so that the caller's backoff is the only one.
 */
#include "rpc_client.h"

#include <ctype.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "attributes.h"
#include "rpc_address.h"
#include "rpc_bytes.h"
#include "rpc_channel.h"
#include "rpc_runtime.h"
#include "rpc_tls.h"

enum { MESSAGE_BYTES_MAX = 64 << 20, CONNECT_MS = 5000, DNS_MS = 5000, TOKEN_BYTES_MAX = 4096 };

struct rpc_channel {
    char *target;
    uint32_t message_bytes_max;
    int connect_ms;

    pthread_mutex_t lock; /* of what follows */
    grpc_channel_credentials *credentials;
    char *authorization; /* "Bearer TOKEN"; NULL: none */
    grpc_channel *grpc;
    int is_stale;            /* the credentials are newer than `grpc` */
    struct rpc_queue *queue; /* NULL until the first stream */
    int streams;

    struct rpc_channel *thread_of; /* whose queue is used; NULL: our own */
};

/*
 * Debian's gRPC is built with the defaults of a debug build, among them a thread that polls for an
 * event engine which does none of our I/O.
 */
void rpc_client_set_up(void)
{
    (void)setenv("GRPC_EXPERIMENTS", "-posix_event_engine_enable_polling", 0);
}

/* ----- the channel ----- */

static grpc_channel *create_grpc_channel(const struct rpc_channel *channel)
{
    grpc_arg args[] = {
        rpc_arg_number(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)channel->message_bytes_max),
        rpc_arg_number(GRPC_ARG_ENABLE_RETRIES, 0),
        rpc_arg_number(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
        rpc_arg_number(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1),
        rpc_arg_number(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1),
        rpc_arg_number(GRPC_ARG_HTTP2_BDP_PROBE, 0),
        /* A new channel must not inherit the failed connection of the one that it replaces. */
        rpc_arg_number(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1),
        rpc_arg_number(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS,
                       channel->connect_ms), /* also the limit of one attempt */
        rpc_arg_number(GRPC_ARG_DNS_ARES_QUERY_TIMEOUT_MS, DNS_MS),
        rpc_arg_number(GRPC_ARG_KEEPALIVE_TIME_MS, 20000),
        rpc_arg_number(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000),
        rpc_arg_number(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
    };
    grpc_channel_args list = {ARRAY_SIZE(args), args};
    return grpc_channel_create(channel->target, channel->credentials, &list);
}

/* ----- tokens ----- */

/* What may stand in a header (RFC 6750's b64token, and a little more). */
static int is_token(const char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return 0;
    }
    return size > 0 && size <= TOKEN_BYTES_MAX;
}

static enum status make_authorization(const char *token, char **ret, struct why *why)
{
    if (token != NULL && !is_token(token))
        return why_fail(why, STATUS_INVALID,
                        "the token has to be 1 to %d printable characters without blanks",
                        TOKEN_BYTES_MAX);
    *ret = NULL;
    if (token == NULL)
        return STATUS_OK;
    struct buf text = BUF_INIT;
    buf_printf(&text, "Bearer %s", token);
    buf_append_byte(&text, 0);
    size_t size = 0;
    *ret = (char *)buf_detach(&text, &size);
    return STATUS_OK;
}

enum status rpc_channel_set_token(struct rpc_channel *channel, const char *token, struct why *why)
{
    char *authorization = NULL;
    enum status status = make_authorization(token, &authorization, why);
    if (status != STATUS_OK)
        return status;
    pthread_mutex_lock(&channel->lock);
    char *old = channel->authorization;
    channel->authorization = authorization;
    pthread_mutex_unlock(&channel->lock);
    free(old);
    return STATUS_OK;
}

void rpc_headers_init(struct rpc_headers *headers, struct rpc_channel *channel)
{
    *headers = (struct rpc_headers){
        .authorization = {.key = grpc_slice_from_static_string("authorization"),
                          .value = grpc_empty_slice()}};
    pthread_mutex_lock(&channel->lock);
    if (channel->authorization != NULL) {
        headers->authorization.value = grpc_slice_from_copied_string(channel->authorization);
        headers->count = 1;
    }
    pthread_mutex_unlock(&channel->lock);
}

void rpc_headers_done(struct rpc_headers *headers)
{
    grpc_slice_unref(headers->authorization.value);
}

grpc_op rpc_headers_op(struct rpc_headers *headers)
{
    return (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA,
                     .data.send_initial_metadata = {.count = headers->count,
                                                    .metadata = &headers->authorization}};
}

/* ----- beginning and end ----- */

static struct rpc_channel *channel_new(const struct rpc_channel_options *options)
{
    struct rpc_channel *channel = calloc(1, sizeof(*channel));
    ASSERT(channel != NULL);
    channel->target = strdup(options->target);
    ASSERT(channel->target != NULL);
    channel->message_bytes_max =
        options->message_bytes_max != 0 ? options->message_bytes_max : MESSAGE_BYTES_MAX;
    channel->connect_ms = options->connect_ms != 0 ? options->connect_ms : CONNECT_MS;
    channel->thread_of = options->thread_of;
    ASSERT(pthread_mutex_init(&channel->lock, NULL) == 0);
    return channel;
}

static enum status open_channel(struct rpc_channel *channel,
                                const struct rpc_channel_options *options, struct why *why)
{
    const struct rpc_tls_texts texts = {.certificate = (char *)options->tls_certificate,
                                        .key = (char *)options->tls_key,
                                        .ca = (char *)options->tls_ca};
    enum status status = rpc_tls_for_channel(&texts, &channel->credentials, why);
    if (status == STATUS_OK)
        status = rpc_channel_set_token(channel, options->token, why);
    if (status == STATUS_OK)
        channel->grpc = create_grpc_channel(channel);
    return status;
}

enum status rpc_channel_check(const struct rpc_channel_options *options, struct why *why)
{
    struct rpc_address address;
    if (rpc_address_parse(options->target, &address, why) != STATUS_OK)
        return STATUS_USAGE;
    if (options->tls_ca != NULL || options->plaintext || rpc_address_is_local(&address))
        return STATUS_OK;
    return why_fail(why, STATUS_USAGE,
                    "%s is another machine and nothing protects the connection: give --tls-ca, or "
                    "say --insecure if the network does",
                    options->target);
}

enum status rpc_channel_new(const struct rpc_channel_options *options, struct rpc_channel **ret,
                            struct why *why)
{
    if (rpc_channel_check(options, why) != STATUS_OK)
        return STATUS_USAGE;

    rpc_runtime_enter();
    sigset_t before;
    rpc_signals_block(&before);
    struct rpc_channel *channel = channel_new(options);
    enum status status = open_channel(channel, options, why);
    rpc_signals_restore(&before);
    if (status == STATUS_OK)
        *ret = channel;
    else
        rpc_channel_free(channel);
    return status;
}

void rpc_channel_free(struct rpc_channel *channel)
{
    if (channel == NULL)
        return;
    ASSERT(channel->streams == 0);
    sigset_t before;
    rpc_signals_block(&before);
    if (channel->grpc != NULL)
        grpc_channel_destroy(channel->grpc);
    if (channel->credentials != NULL)
        grpc_channel_credentials_release(channel->credentials);
    rpc_signals_restore(&before);
    rpc_queue_free(channel->queue);
    rpc_runtime_leave();
    pthread_mutex_destroy(&channel->lock);
    free(channel->authorization);
    free(channel->target);
    free(channel);
}

enum status rpc_channel_set_tls(struct rpc_channel *channel, const struct rpc_tls_texts *texts,
                                struct why *why)
{
    sigset_t before;
    rpc_signals_block(&before);
    grpc_channel_credentials *credentials = NULL;
    enum status status = rpc_tls_for_channel(texts, &credentials, why);
    if (status == STATUS_OK) {
        pthread_mutex_lock(&channel->lock);
        grpc_channel_credentials *old = channel->credentials;
        channel->credentials = credentials;
        channel->is_stale = 1;
        pthread_mutex_unlock(&channel->lock);
        grpc_channel_credentials_release(old);
    }
    rpc_signals_restore(&before);
    return status;
}

grpc_call *rpc_channel_create_call(struct rpc_channel *channel, const char *path,
                                   grpc_completion_queue *cq, gpr_timespec deadline)
{
    pthread_mutex_lock(&channel->lock);
    if (channel->is_stale ||
        grpc_channel_check_connectivity_state(channel->grpc, 0) == GRPC_CHANNEL_TRANSIENT_FAILURE) {
        channel->is_stale = 0;
        grpc_channel_destroy(channel->grpc);
        channel->grpc = create_grpc_channel(channel);
    }
    grpc_slice method = grpc_slice_from_copied_string(path);
    grpc_call *call = grpc_channel_create_call(channel->grpc, NULL, GRPC_PROPAGATE_DEFAULTS, cq,
                                               method, NULL, deadline, NULL);
    grpc_slice_unref(method);
    pthread_mutex_unlock(&channel->lock);
    return call;
}

/* The channel's thread, from the first call on that needs it. */
static struct rpc_queue *queue_of(struct rpc_channel *channel)
{
    if (channel->thread_of != NULL)
        return queue_of(channel->thread_of);
    pthread_mutex_lock(&channel->lock);
    if (channel->queue == NULL)
        channel->queue = rpc_queue_new("rpc");
    struct rpc_queue *queue = channel->queue;
    pthread_mutex_unlock(&channel->lock);
    return queue;
}

struct rpc_queue *rpc_channel_attach(struct rpc_channel *channel)
{
    pthread_mutex_lock(&channel->lock);
    channel->streams++;
    pthread_mutex_unlock(&channel->lock);
    return queue_of(channel);
}

void rpc_channel_post(struct rpc_channel *channel, call_fn *fn, void *arg)
{
    rpc_queue_post(queue_of(channel), fn, arg);
}

void rpc_channel_detach(struct rpc_channel *channel)
{
    pthread_mutex_lock(&channel->lock);
    channel->streams--;
    pthread_mutex_unlock(&channel->lock);
}

/* ----- words ----- */

/* What follows the last ": " of gRPC's account, which goes from the general to the particular. */
static const char *innermost(const char *text)
{
    const char *at = text;
    for (const char *next = strstr(at, ": "); next != NULL; next = strstr(at, ": "))
        at = next + 2;
    return at;
}

/* Connections that somebody refused, by what gRPC says innermost. */
static const struct refusal {
    const char *fragment, *words;
} refusals[] = {
    {"certificate verify failed", "its certificate does not come from the given authority"},
    {"is not in peer certificate", "its certificate is for another name"},
    {"wrong version number", "it does not speak TLS"},
    {"Socket closed", "it closed the connection; it may want TLS, or another client certificate"},
    {"Connection reset",
     "it closed the connection; it may want TLS, or another client certificate"},
    {"Broken pipe", "it closed the connection; it may want TLS, or another client certificate"},
    {"Failed parsing HTTP/2", "it does not speak gRPC, or wants TLS"},
};

static void explain_no_connection(const char *target, const char *reason, struct why *why)
{
    for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
        if (strstr(reason, refusals[i].fragment) != NULL) {
            why_set(why, "cannot connect to %s: %s", target, refusals[i].words);
            return;
        }
    /* In the house's grammar: a reason begins with a small letter, unless with an acronym. */
    int acronym = isupper((unsigned char)reason[0]) && isupper((unsigned char)reason[1]);
    int first = acronym ? reason[0] : tolower((unsigned char)reason[0]);
    if (first == 0)
        why_set(why, "nobody answers at %s; is heapfleet-collector running there?", target);
    else
        why_set(why, "nobody answers at %s: %c%s; is heapfleet-collector running there?", target,
                first, reason + 1);
}

static int starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

void rpc_channel_explain(const struct rpc_channel *channel, int code, const char *text,
                         struct why *why)
{
    const char *target = channel->target;
    if (code == RPC_UNAVAILABLE && (starts_with(text, "failed to connect to all addresses") ||
                                    starts_with(text, "DNS resolution failed")))
        explain_no_connection(target, innermost(text), why);
    else if (code == RPC_DEADLINE_EXCEEDED && starts_with(text, "Deadline Exceeded"))
        why_set(why, "%s did not answer in time", target);
    else
        why_set(why, "%s: %s", target, text[0] != 0 ? text : rpc_code_name(code));
}

/* ----- blocking calls ----- */

/* What one call receives. */
struct answer {
    grpc_metadata_array initial, trailing;
    grpc_byte_buffer *message;
    grpc_status_code code;
    grpc_slice details;
};

static void exchange(grpc_call *call, grpc_completion_queue *cq, grpc_byte_buffer *request,
                     struct rpc_headers *headers, struct answer *answer)
{
    grpc_op ops[] = {
        rpc_headers_op(headers),
        {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = request},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
        {.op = GRPC_OP_RECV_INITIAL_METADATA,
         .data.recv_initial_metadata.recv_initial_metadata = &answer->initial},
        {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &answer->message},
        {.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
         .data.recv_status_on_client = {.trailing_metadata = &answer->trailing,
                                        .status = &answer->code,
                                        .status_details = &answer->details}},
    };
    ASSERT(grpc_call_start_batch(call, ops, ARRAY_SIZE(ops), answer, NULL) == GRPC_CALL_OK);
    grpc_completion_queue_pluck(cq, answer, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
}

static void append_message(grpc_byte_buffer *message, struct buf *ret)
{
    grpc_slice whole = rpc_bytes_join(message);
    buf_append(ret, GRPC_SLICE_START_PTR(whole), GRPC_SLICE_LENGTH(whole));
    grpc_slice_unref(whole);
}

static enum status take_answer(const struct rpc_channel *channel, const struct answer *answer,
                               struct buf *ret, struct why *why)
{
    enum status status = rpc_status_of_code((int)answer->code);
    if (status == STATUS_OK && answer->message == NULL)
        return why_fail(why, STATUS_FAILED, "%s: success without an answer", channel->target);
    if (status == STATUS_OK) {
        append_message(answer->message, ret);
        return STATUS_OK;
    }
    char *text = grpc_slice_to_c_string(answer->details);
    rpc_channel_explain(channel, (int)answer->code, text, why);
    gpr_free(text);
    return status;
}

enum status rpc_channel_call(struct rpc_channel *channel, const char *path,
                             const struct buf *request, int64_t deadline_ms, struct buf *ret,
                             struct why *why)
{
    sigset_t before;
    rpc_signals_block(&before);
    grpc_completion_queue *cq = grpc_completion_queue_create_for_pluck(NULL);
    gpr_timespec deadline =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(deadline_ms, GPR_TIMESPAN));
    grpc_call *call = rpc_channel_create_call(channel, path, cq, deadline);
    grpc_byte_buffer *message = rpc_bytes_new(request->data, request->size);
    struct answer answer = {.details = grpc_empty_slice()};
    grpc_metadata_array_init(&answer.initial);
    grpc_metadata_array_init(&answer.trailing);

    struct rpc_headers headers;
    rpc_headers_init(&headers, channel);
    exchange(call, cq, message, &headers, &answer);
    rpc_headers_done(&headers);
    enum status status = take_answer(channel, &answer, ret, why);

    grpc_metadata_array_destroy(&answer.initial);
    grpc_metadata_array_destroy(&answer.trailing);
    grpc_slice_unref(answer.details);
    if (answer.message != NULL)
        grpc_byte_buffer_destroy(answer.message);
    grpc_byte_buffer_destroy(message);
    grpc_call_unref(call);
    grpc_completion_queue_shutdown(cq);
    grpc_completion_queue_destroy(cq);
    rpc_signals_restore(&before);
    return status;
}
