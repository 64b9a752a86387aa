/*
 * A call of the server as a machine of wishes and facts. The owner's functions (read, send, finish)
 * only note a wish; completed operations only note a fact; `advance` alone starts operations:
 *
 *     receive        while a message is asked for and none is under way
 *     send           the oldest message, with the headers before the first one and, when it is the
 *                    last and the call is to finish, with the status behind it
 *     RECV_CLOSE     from the beginning; completes at the call's end, whatever its cause
 *
 * One receive and one send are under way at most. `outstanding` counts them all, RECV_CLOSE
 * included, so it reaches 0 exactly once, at the end: then `closed` runs, and nothing of gRPC's
 * points here any more.
 */
#include "rpc_call.h"

#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <stdlib.h>
#include <string.h>

#include "attributes.h"
#include "buf.h"
#include "rpc_accept.h"
#include "rpc_bytes.h"

struct rpc_call {
    struct rpc_call_group *group;
    struct rpc_call *next, *previous; /* in group->first while open */
    const struct rpc_method *method;
    grpc_call *grpc;            /* NULL once closed, as the next */
    grpc_auth_context *context; /* of the connection */
    void *data;
    char *peer;    /* gpr_free */
    char *headers; /* "key\0value\0key\0value\0" */
    size_t headers_size;
    struct buf names; /* of the peer's certificate, "kind\0name\0..."; empty until asked for */
    int has_names;
    int references; /* the call's own until closed, and the holds */

    struct rpc_tag received, sent, ended;
    int outstanding;
    grpc_byte_buffer *incoming; /* set by gRPC */
    int cancelled;              /* set by gRPC */

    int wants_message, wants_finish; /* wishes */
    enum rpc_code code;
    grpc_slice message;
    struct rpc_outbox outbox;

    int in_callback; /* facts */
    int receiving, sending, sending_message;
    int headers_sent, status_sent, half_closed, has_spoken;
    int over; /* nothing more can be started */
};

static void on_received(struct rpc_tag *tag, int ok);
static void on_sent(struct rpc_tag *tag, int ok);
static void on_ended(struct rpc_tag *tag, int ok);

static void assert_own_thread(const struct rpc_call *call)
{
    ASSERT(rpc_queue_is_own_thread(call->group->queue));
}

/* ----- headers ----- */

/* Binary values, which may hold zeros, are left out. */
static int header_is_text(const grpc_metadata *header)
{
    return memchr(GRPC_SLICE_START_PTR(header->value), 0, GRPC_SLICE_LENGTH(header->value)) == NULL;
}

static char *append_text(char *to, const grpc_slice *slice)
{
    size_t size = GRPC_SLICE_LENGTH(*slice);
    memcpy(to, GRPC_SLICE_START_PTR(*slice), size);
    to[size] = 0;
    return to + size + 1;
}

/* gRPC's own copy is not zero-terminated and goes with the request slot. */
static void copy_headers(struct rpc_call *call, const grpc_metadata_array *headers)
{
    size_t size = 0;
    for (size_t i = 0; i < headers->count; i++)
        size += GRPC_SLICE_LENGTH(headers->metadata[i].key) +
                GRPC_SLICE_LENGTH(headers->metadata[i].value) + 2;
    call->headers = malloc(size + 1);
    ASSERT(call->headers != NULL);
    char *end = call->headers;
    for (size_t i = 0; i < headers->count; i++) {
        if (!header_is_text(&headers->metadata[i]))
            continue;
        end = append_text(end, &headers->metadata[i].key);
        end = append_text(end, &headers->metadata[i].value);
    }
    call->headers_size = (size_t)(end - call->headers);
}

const char *rpc_call_header(const struct rpc_call *call, const char *key)
{
    const char *end = call->headers + call->headers_size;
    for (const char *at = call->headers; at < end;) {
        const char *value = at + strlen(at) + 1;
        if (strcmp(at, key) == 0)
            return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}

/* ----- who calls ----- */

int rpc_call_peer_is_local(const struct rpc_call *call)
{
    /* grpc/grpc, src/core/lib/address_utils/sockaddr_utils.cc writes them so */
    static const char *const starts[] = {"unix:", "unix-abstract:", "ipv4:127.",
                                         "ipv6:[::1]:", "ipv6:%5B::1%5D:"};
    for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
        if (strncmp(call->peer, starts[i], strlen(starts[i])) == 0)
            return 1;
    }
    return 0;
}

static void append_names(const grpc_auth_context *context, const char *property, const char *kind,
                         struct buf *ret)
{
    grpc_auth_property_iterator at = grpc_auth_context_find_properties_by_name(context, property);
    const grpc_auth_property *found;
    while ((found = grpc_auth_property_iterator_next(&at)) != NULL) {
        if (memchr(found->value, 0, found->value_length) != NULL)
            continue; /* "good.example\0.evil.example" is neither */
        buf_append(ret, kind, strlen(kind) + 1);
        buf_append(ret, found->value, found->value_length);
        buf_append_byte(ret, 0);
    }
}

static void collect_names(struct rpc_call *call)
{
    if (call->has_names || call->grpc == NULL)
        return;
    call->has_names = 1;
    append_names(call->context, GRPC_PEER_SPIFFE_ID_PROPERTY_NAME, "spiffe", &call->names);
    append_names(call->context, GRPC_X509_SAN_PROPERTY_NAME, "san", &call->names);
    append_names(call->context, GRPC_X509_CN_PROPERTY_NAME, "cn", &call->names);
}

const char *rpc_call_peer_name(struct rpc_call *call, size_t *index, const char **ret_kind)
{
    collect_names(call);
    if (*index >= call->names.size)
        return NULL;
    const char *kind = (const char *)call->names.data + *index;
    const char *name = kind + strlen(kind) + 1;
    *index = (size_t)(name + strlen(name) + 1 - (const char *)call->names.data);
    *ret_kind = kind;
    return name;
}

/* ----- what is under way ----- */

static void start(struct rpc_call *call, const grpc_op *ops, size_t count, struct rpc_tag *tag,
                  void (*run)(struct rpc_tag *, int))
{
    rpc_tag_arm(tag, run);
    call->outstanding++;
    ASSERT(grpc_call_start_batch(call->grpc, ops, count, tag, NULL) == GRPC_CALL_OK);
}

static void start_receive(struct rpc_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->incoming};
    call->receiving = 1;
    start(call, &op, 1, &call->received, on_received);
}

static void start_send(struct rpc_call *call)
{
    grpc_op ops[3] = {{0}};
    size_t count = 0;
    if (!call->headers_sent)
        ops[count++].op = GRPC_OP_SEND_INITIAL_METADATA;
    grpc_byte_buffer *first = rpc_outbox_first(&call->outbox);
    if (first != NULL) {
        ops[count].op = GRPC_OP_SEND_MESSAGE;
        /* Let gRPC gather what has more behind it; but it would gather the headers for ever. */
        if (call->headers_sent && !rpc_outbox_holds_one(&call->outbox))
            ops[count].flags = GRPC_WRITE_BUFFER_HINT;
        ops[count++].data.send_message.send_message = first;
    }
    if (call->wants_finish && (first == NULL || rpc_outbox_holds_one(&call->outbox))) {
        ops[count].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
        ops[count].data.send_status_from_server.status = (grpc_status_code)call->code;
        ops[count++].data.send_status_from_server.status_details = &call->message;
        call->status_sent = 1;
    }
    call->headers_sent = 1;
    call->sending = 1;
    call->sending_message = first != NULL;
    start(call, ops, count, &call->sent, on_sent);
}

static void advance(struct rpc_call *call)
{
    if (call->over || call->in_callback)
        return;
    if (call->wants_message && !call->receiving && !call->half_closed && !call->wants_finish)
        start_receive(call);
    int something_to_send = call->outbox.first != NULL || call->wants_finish;
    if (something_to_send && !call->sending && !call->status_sent)
        start_send(call);
}

/* ----- the end ----- */

void rpc_call_hold(struct rpc_call *call)
{
    assert_own_thread(call);
    call->references++;
}

void rpc_call_release(struct rpc_call *call)
{
    assert_own_thread(call);
    ASSERT(call->references > 0);
    if (--call->references > 0)
        return;
    struct rpc_call_group *group = call->group;
    grpc_slice_unref(call->message);
    gpr_free(call->peer);
    free(call->headers);
    buf_done(&call->names);
    free(call);
    if (--group->count == 0)
        group->emptied(group);
}

static void list_call(struct rpc_call *call)
{
    call->next = call->group->first;
    if (call->next != NULL)
        call->next->previous = call;
    call->group->first = call;
}

static void unlist_call(struct rpc_call *call)
{
    if (call->next != NULL)
        call->next->previous = call->previous;
    if (call->previous != NULL)
        call->previous->next = call->next;
    else
        call->group->first = call->next;
}

static void close_call(struct rpc_call *call)
{
    unlist_call(call);
    rpc_outbox_clear(&call->outbox);
    int is_void = call->cancelled && !call->has_spoken && !call->status_sent;
    if (rpc_connection_leave(call->group->connections, call->context, is_void))
        rpc_accept_cut(call->peer);
    grpc_auth_context_release(call->context);
    grpc_call_unref(call->grpc);
    call->grpc = NULL;
    call->context = NULL;
    if (call->method->closed != NULL)
        call->method->closed(call);
    rpc_call_release(call);
}

/* The last line of every completion. */
static void completed(struct rpc_call *call)
{
    if (--call->outstanding == 0)
        close_call(call);
    else
        advance(call);
}

/* ----- completions ----- */

static void deliver_message(struct rpc_call *call, grpc_byte_buffer *message)
{
    grpc_slice whole = rpc_bytes_join(message);
    call->wants_message = 0;
    call->in_callback = 1;
    call->method->message(call, GRPC_SLICE_START_PTR(whole), GRPC_SLICE_LENGTH(whole));
    call->in_callback = 0;
    grpc_slice_unref(whole);
}

static void deliver_half_close(struct rpc_call *call)
{
    call->half_closed = 1;
    if (call->method->half_closed == NULL)
        return;
    call->in_callback = 1;
    call->method->half_closed(call);
    call->in_callback = 0;
}

static void deliver_sent(struct rpc_call *call)
{
    if (call->method->sent == NULL)
        return;
    call->in_callback = 1;
    call->method->sent(call);
    call->in_callback = 0;
}

static void on_received(struct rpc_tag *tag, int ok)
{
    struct rpc_call *call = RPC_TAG_OWNER(tag, struct rpc_call, received);
    grpc_byte_buffer *message = call->incoming;
    call->incoming = NULL;
    call->receiving = 0;
    call->has_spoken |= message != NULL;
    if (message != NULL && !call->wants_finish)
        deliver_message(call, message);
    else if (message == NULL && ok && !call->over && !call->wants_finish)
        deliver_half_close(call);
    if (message != NULL)
        grpc_byte_buffer_destroy(message);
    completed(call);
}

static void on_sent(struct rpc_tag *tag, int ok)
{
    struct rpc_call *call = RPC_TAG_OWNER(tag, struct rpc_call, sent);
    call->sending = 0;
    if (call->sending_message)
        rpc_outbox_pop(&call->outbox);
    if (!ok) /* the call is broken, and `ended` is on its way */
        call->over = 1;
    else if (call->outbox.first == NULL && !call->over && !call->wants_finish)
        deliver_sent(call);
    completed(call);
}

static void on_ended(struct rpc_tag *tag, int ok)
{
    (void)ok;
    struct rpc_call *call = RPC_TAG_OWNER(tag, struct rpc_call, ended);
    call->over = 1;
    completed(call);
}

/* ----- the beginning ----- */

void rpc_call_ignore_message(struct rpc_call *call, const uint8_t *data, size_t size)
{
    (void)call;
    (void)data;
    (void)size;
}

/* What a call becomes that its peer may not make: its owner never hears of it. */
static const struct rpc_method refused_method = {.path = "", .message = rpc_call_ignore_message};

/* What its group thinks of it now; a method that nobody serves needs no permission. */
static enum rpc_code ask_admission(struct rpc_call *call, const char **ret_message)
{
    const struct rpc_call_group *group = call->group;
    if (group->admit == NULL || call->method->path[0] == '\0')
        return RPC_OK;
    return group->admit(group->admit_user, call, call->method, ret_message);
}

static int may_open(struct rpc_call *call)
{
    const char *message = NULL;
    enum rpc_code code = ask_admission(call, &message);
    if (code == RPC_OK)
        return 1;
    call->method = &refused_method;
    rpc_call_finish(call, code, message);
    return 0;
}

void rpc_call_group_review(struct rpc_call_group *group)
{
    for (struct rpc_call *call = group->first; call != NULL; call = call->next) {
        const char *message = "";
        enum rpc_code code = ask_admission(call, &message);
        if (code != RPC_OK)
            rpc_call_abort(call, code, message);
    }
}

/* 0: its connection has more calls than it may, and this one is ended; the connection too, if it is
 * a flood. */
static int enter_connection(struct rpc_call *call)
{
    const char *message = NULL;
    int must_cut = 0;
    int may = rpc_connection_enter(call->group->connections, call->context, &message, &must_cut);
    if (must_cut)
        rpc_accept_cut(call->peer);
    if (may)
        return 1;
    call->method = &refused_method;
    rpc_call_finish(call, RPC_RESOURCE_EXHAUSTED, message);
    return 0;
}

void rpc_call_accept(struct rpc_call_group *group, const struct rpc_method *method, grpc_call *grpc,
                     const grpc_metadata_array *headers)
{
    struct rpc_call *call = calloc(1, sizeof(*call));
    ASSERT(call != NULL);
    call->group = group;
    call->method = method;
    call->grpc = grpc;
    call->references = 1;
    call->peer = grpc_call_get_peer(grpc);
    call->context = grpc_call_auth_context(grpc);
    call->message = grpc_empty_slice();
    copy_headers(call, headers);
    list_call(call);
    group->count++;

    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER,
                  .data.recv_close_on_server.cancelled = &call->cancelled};
    start(call, &op, 1, &call->ended, on_ended);
    call->in_callback = 1;
    if (enter_connection(call) && may_open(call))
        method->opened(call);
    call->in_callback = 0;
    advance(call);
}

/* ----- the owner's functions ----- */

void *rpc_call_user(const struct rpc_call *call)
{
    return call->method->user;
}

void rpc_call_set_data(struct rpc_call *call, void *data)
{
    call->data = data;
}

void *rpc_call_data(const struct rpc_call *call)
{
    return call->data;
}

const char *rpc_call_peer(const struct rpc_call *call)
{
    return call->peer;
}

void rpc_call_read(struct rpc_call *call)
{
    assert_own_thread(call);
    call->wants_message = 1;
    advance(call);
}

void rpc_call_send(struct rpc_call *call, const uint8_t *data, size_t size)
{
    assert_own_thread(call);
    if (call->over || call->wants_finish)
        return;
    rpc_outbox_push(&call->outbox, data, size);
    advance(call);
}

size_t rpc_call_unsent_bytes(const struct rpc_call *call)
{
    return call->outbox.bytes;
}

void rpc_call_finish(struct rpc_call *call, enum rpc_code code, const char *message)
{
    assert_own_thread(call);
    if (call->over || call->wants_finish)
        return;
    call->wants_finish = 1;
    call->code = code;
    if (message != NULL)
        call->message = grpc_slice_from_copied_string(message);
    advance(call);
}

void rpc_call_abort(struct rpc_call *call, enum rpc_code code, const char *message)
{
    assert_own_thread(call);
    if (call->grpc == NULL)
        return;
    call->wants_finish = 1;
    call->over = 1;
    grpc_call_cancel_with_status(call->grpc, (grpc_status_code)code, message, NULL);
}

int rpc_call_is_closed(const struct rpc_call *call)
{
    return call->grpc == NULL;
}
