#include "uplink.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "attributes.h"
#include "clock.h"
#include "uplink_state.h"
#include "version.h"

enum {
    RETRY_DOUBLINGS_MAX = 16,
    STOPPING_RETRY_MS = 200,
    MISMATCH_RETRY_MS = 60 * 1000, /* another protocol: somebody must install something first */
};

#define STREAM_PATH "/heapfleet.v1.Ingest/Stream"

/* Where one may go from each state. */
#define TO(state) (1u << (state))
static const unsigned moves[UPLINK_STATES] = {
    [UPLINK_IDLE] = TO(UPLINK_GREETING) | TO(UPLINK_DONE),
    [UPLINK_GREETING] = TO(UPLINK_STREAMING) | TO(UPLINK_PAUSING) | TO(UPLINK_LEAVING),
    [UPLINK_STREAMING] = TO(UPLINK_PAUSING) | TO(UPLINK_LEAVING) | TO(UPLINK_TURNING),
    [UPLINK_TURNING] = TO(UPLINK_PAUSING) | TO(UPLINK_LEAVING),
    [UPLINK_PAUSING] = TO(UPLINK_GREETING) | TO(UPLINK_DONE),
    [UPLINK_LEAVING] = TO(UPLINK_DONE),
    [UPLINK_DONE] = 0,
};
#undef TO

static void move_to(struct uplink *uplink, enum uplink_state state)
{
    ASSERT((moves[uplink->state] & 1u << state) != 0);
    uplink->state = state;
}

static uint64_t next_random(struct uplink *uplink)
{
    uplink->random ^= uplink->random << 13;
    uplink->random ^= uplink->random >> 7;
    uplink->random ^= uplink->random << 17;
    return uplink->random;
}

/* ----- the end ----- */

static void finish(struct uplink *uplink)
{
    move_to(uplink, UPLINK_DONE);
    loop_timer_stop(uplink->timer);
    loop_timer_stop(uplink->deadline);
    if (uplink->stopped != NULL)
        loop_post(uplink->loop, uplink->stopped, uplink->stopped_arg);
}

/* Everything has been delivered, of this run or at all: say so to the collector and wait for its
 * goodbye. */
static void leave_if_delivered(struct uplink *uplink)
{
    if (uplink->state != UPLINK_STREAMING)
        return;
    if (uplink->stopping && spool_count(uplink->spool) == 0)
        move_to(uplink, UPLINK_LEAVING);
    else if (uplink_run_is_over(uplink))
        move_to(uplink, UPLINK_TURNING);
    else
        return;
    if (uplink->state == UPLINK_TURNING)
        loop_timer_start(uplink->timer, UPLINK_GREETING_MS, 0);
    rpc_stream_half_close(uplink->stream);
}

void uplink_deliver(struct uplink *uplink)
{
    uplink_pump(uplink);
    leave_if_delivered(uplink);
}

static void on_deadline(void *arg)
{
    struct uplink *uplink = arg;
    if (uplink->stream == NULL) {
        finish(uplink);
        return;
    }
    if (uplink->state != UPLINK_LEAVING)
        move_to(uplink, UPLINK_LEAVING);
    rpc_stream_cancel(uplink->stream);
}

/* ----- what the collector says ----- */

/* The collector broke the protocol: this stream is of no use. */
static void protest(struct uplink *uplink, const char *reason)
{
    why_set(&uplink->protest, "%s", reason);
    rpc_stream_cancel(uplink->stream);
}

static void on_welcome(struct uplink *uplink, const Heapfleet__V1__Welcome *welcome)
{
    if (uplink->state != UPLINK_GREETING) {
        protest(uplink, "the collector said welcome twice");
        return;
    }
    if (welcome->protocol != HEAPFLEET_PROTOCOL) {
        why_set(&uplink->protest,
                "the collector speaks protocol %u and this agent %u; install matching versions",
                welcome->protocol, HEAPFLEET_PROTOCOL);
        rpc_stream_cancel(uplink->stream);
        return;
    }
    int is_former = uplink->run + 1 < uplink->run_count;
    if (!is_former && welcome->committed_sequence > uplink->highest_sent) {
        protest(uplink, "the collector claims to have what was never sent");
        return;
    }
    loop_timer_stop(uplink->timer);
    move_to(uplink, UPLINK_STREAMING);
    if (uplink->events.connected != NULL)
        uplink->events.connected(uplink->user, welcome->collector_version);
    uplink_begin(uplink, welcome->committed_sequence);
    uplink_deliver(uplink);
}

static void on_ack(struct uplink *uplink, uint64_t sequence)
{
    if (sequence > uplink->sent_sequence) {
        protest(uplink, "the collector acknowledged what was never sent");
        return;
    }
    uplink->failures = 0;
    uplink->rejections = 0;
    uplink_acknowledge(uplink,
                       sequence < uplink->carried_sequence ? sequence : uplink->sent_sequence);
    uplink_deliver(uplink);
}

static void on_refused(struct uplink *uplink, const Heapfleet__V1__Refused *refused)
{
    struct spool_fact fact = {0};
    uint32_t process = 0;
    if (refused->sequence > 0 && spool_next(uplink->spool, refused->sequence - 1, &fact) &&
        fact.sequence == refused->sequence) {
        process = fact.process;
        uplink_want_keyframe(uplink, process); /* the collector may not have its base */
    }
    if (uplink->events.refused != NULL)
        uplink->events.refused(uplink->user, refused->sequence, process, refused->reason);
}

static void dispatch(struct uplink *uplink, const Heapfleet__V1__CollectorMessage *message)
{
    if (uplink->state == UPLINK_GREETING &&
        message->body_case != HEAPFLEET__V1__COLLECTOR_MESSAGE__BODY_WELCOME) {
        protest(uplink, "the collector did not say welcome first");
        return;
    }
    switch (message->body_case) {
    case HEAPFLEET__V1__COLLECTOR_MESSAGE__BODY_WELCOME:
        on_welcome(uplink, message->welcome);
        break;
    case HEAPFLEET__V1__COLLECTOR_MESSAGE__BODY_ACK:
        on_ack(uplink, message->ack->sequence);
        break;
    case HEAPFLEET__V1__COLLECTOR_MESSAGE__BODY_REFUSED:
        on_refused(uplink, message->refused);
        break;
    case HEAPFLEET__V1__COLLECTOR_MESSAGE__BODY_REQUEST:
        uplink_want_keyframe(uplink, message->request->keyframe_of_process);
        break;
    case HEAPFLEET__V1__COLLECTOR_MESSAGE__BODY_CONFIGURATION:
        if (uplink->events.configured != NULL)
            uplink->events.configured(uplink->user, message->configuration->interval_ms);
        break;
    default: /* of a later version; nothing depends on it */
        break;
    }
}

static void on_message(void *user, const uint8_t *data, size_t size)
{
    struct uplink *uplink = user;
    if (uplink->protest.text[0] != '\0' || uplink->state == UPLINK_LEAVING) {
        rpc_stream_read(uplink->stream);
        return;
    }
    struct arena arena; /* the uplink's own serves what is sent in answer */
    arena_init(&arena, MESSAGE_ARENA_BYTES);
    Heapfleet__V1__CollectorMessage *message = NULL;
    struct why why;
    int is_ack = 0;
    if (message_from_collector(data, size, &arena, &message, &why) == STATUS_OK) {
        is_ack = message->body_case == HEAPFLEET__V1__COLLECTOR_MESSAGE__BODY_ACK;
        dispatch(uplink, message);
    } else {
        protest(uplink, why.text);
    }
    arena_done(&arena);
    if (is_ack && uplink->state == UPLINK_STREAMING && spool_count(uplink->spool) == 0)
        rpc_stream_read_with_question(uplink->stream); /* nothing is owed to us */
    else
        rpc_stream_read(uplink->stream);
}

static void on_writable(void *user)
{
    uplink_deliver(user);
}

/* ----- connecting ----- */

/* Full jitter: anything up to the bound, so that a fleet does not come back all at once. */
int64_t uplink_pause_ms(struct uplink *uplink, enum rpc_code code)
{
    if (code == RPC_FAILED_PRECONDITION && uplink->collectors.count == 1)
        return MISMATCH_RETRY_MS / 2 + (int64_t)(next_random(uplink) % (MISMATCH_RETRY_MS / 2));
    uint32_t doublings =
        uplink->failures < RETRY_DOUBLINGS_MAX ? uplink->failures : RETRY_DOUBLINGS_MAX;
    int64_t bound = uplink->retry_ms << doublings;
    if (bound > UPLINK_RETRY_MS_MAX)
        bound = UPLINK_RETRY_MS_MAX;
    return 1 + (int64_t)(next_random(uplink) % (uint64_t)bound);
}

/* A former run that breaks the rules, by its clock or by what happened to its files, must not stand
 * before the present one for ever. */
static void count_rejection(struct uplink *uplink, enum rpc_code code, const char *reason)
{
    if (uplink->run + 1 == uplink->run_count || code != RPC_INVALID_ARGUMENT ||
        ++uplink->rejections < UPLINK_REJECTIONS_MAX)
        return;
    size_t before = spool_count(uplink->spool);
    spool_lose_through(uplink->spool, uplink->runs[uplink->run].last_sequence);
    if (uplink->events.given_up != NULL)
        uplink->events.given_up(uplink->user, before - spool_count(uplink->spool), reason);
}

static struct why reason_of(const struct uplink *uplink, enum rpc_code code, const char *text)
{
    struct why reason = uplink->protest;
    if (reason.text[0] == '\0' && (text == NULL || *text == '\0'))
        why_set(&reason, "%s", rpc_code_name((int)code));
    else if (reason.text[0] == '\0')
        why_set(&reason, "%s: %s", rpc_code_name((int)code), text);
    return reason;
}

static void connect_later(struct uplink *uplink, enum rpc_code code, const struct why *reason)
{
    int64_t retry_ms = uplink_pause_ms(uplink, code);
    if (uplink->stopping && retry_ms > STOPPING_RETRY_MS)
        retry_ms = STOPPING_RETRY_MS;
    uplink->failures++;
    collectors_turn(&uplink->collectors);
    if (uplink->events.disconnected != NULL)
        uplink->events.disconnected(uplink->user, reason->text, retry_ms);
    loop_timer_start(uplink->timer, (uint64_t)retry_ms, 0);
}

static void on_closed(void *user, enum rpc_code code, const char *text)
{
    struct uplink *uplink = user;
    uplink->stream = NULL;
    loop_timer_stop(uplink->timer);
    if (uplink->state == UPLINK_LEAVING) {
        finish(uplink);
        return;
    }
    int is_turn = uplink->state == UPLINK_TURNING;
    const struct why reason = reason_of(uplink, code, text);
    move_to(uplink, UPLINK_PAUSING);
    count_rejection(uplink, code, reason.text);
    uplink_choose_run(uplink);
    if (uplink->stopping && spool_count(uplink->spool) == 0)
        finish(uplink);
    else if (is_turn)
        loop_timer_start(uplink->timer, 0, 0);
    else
        connect_later(uplink, code, &reason);
}

static void connect_now(struct uplink *uplink)
{
    static const struct rpc_stream_events events = {
        .message = on_message, .writable = on_writable, .closed = on_closed};
    move_to(uplink, UPLINK_GREETING);
    uplink->protest.text[0] = '\0';
    uplink->stream = rpc_stream_open(collectors_channel(&uplink->collectors), STREAM_PATH,
                                     uplink->loop, &events, uplink);
    buf_clear(&uplink->message);
    message_hello(uplink->runs[uplink->run].id, uplink->host, clock_wall_ms(), &uplink->message);
    rpc_stream_send(uplink->stream, uplink->message.data, uplink->message.size);
    rpc_stream_read(uplink->stream);
    loop_timer_start(uplink->timer, UPLINK_GREETING_MS, 0);
}

static void on_timer(void *arg)
{
    struct uplink *uplink = arg;
    if (uplink->state == UPLINK_PAUSING)
        connect_now(uplink);
    else if (uplink->state == UPLINK_GREETING)
        protest(uplink, "the collector did not answer in time");
    else if (uplink->state == UPLINK_TURNING)
        protest(uplink, "the collector did not say goodbye");
}

/* ----- life ----- */

static void on_spool_changed(void *user, const char *reason)
{
    struct uplink *uplink = user;
    if (uplink->events.spool_changed != NULL)
        uplink->events.spool_changed(uplink->user, reason);
}

/* Former runs first, then the present one, whose numbers are above theirs. */
static void use_folder(struct uplink *uplink, const struct uplink_options *options,
                       const uint8_t id[AGENT_ID_BYTES])
{
    const struct spool_folder folder = {.path = options->spool_dir,
                                        .limit_bytes = options->spool_disk_bytes,
                                        .run = id,
                                        .restore = uplink_restore,
                                        .changed = on_spool_changed};
    struct spool_restored restored;
    struct why why = {""};
    if (options->spool_dir == NULL)
        return;
    if (spool_use_folder(uplink->spool, &folder, &restored, &why) != STATUS_OK) {
        on_spool_changed(uplink, why.text);
        return;
    }
    uplink_restored(uplink);
    if (uplink->events.spool_restored != NULL)
        uplink->events.spool_restored(uplink->user, &restored, uplink->run_count);
    if (uplink->last_sequence < spool_last_sequence(uplink->spool))
        uplink->last_sequence = spool_last_sequence(uplink->spool);
}

static void make_runs(struct uplink *uplink, const struct uplink_options *options)
{
    uint8_t id[AGENT_ID_BYTES];
    ASSERT(getrandom(id, sizeof(id), 0) == sizeof(id));
    memcpy(&uplink->random, id, sizeof(uplink->random));
    uplink->random |= 1;
    uplink->last_sequence = (uint64_t)options->now_ms * 1024;
    use_folder(uplink, options, id);
    uplink_add_run(uplink, id);
    struct uplink_run *present = &uplink->runs[uplink->run_count - 1];
    present->last_sequence = UINT64_MAX;
    present->last_process = UINT32_MAX;
    uplink_choose_run(uplink);
}

enum status uplink_new(struct loop *loop, const struct uplink_options *options,
                       const struct uplink_events *events, void *user, struct uplink **ret,
                       struct why *why)
{
    struct rpc_channel_options patient = options->channel;
    struct collectors collectors = {.count = 0};
    patient.connect_ms = UPLINK_GREETING_MS;
    enum status status = collectors_open(&patient, &collectors, why);
    if (status != STATUS_OK)
        return status;
    struct uplink *uplink = calloc(1, sizeof(*uplink));
    ASSERT(uplink != NULL);
    uplink->loop = loop;
    uplink->events = *events;
    uplink->user = user;
    uplink->host = strdup(options->host);
    ASSERT(uplink->host != NULL);
    uplink->collectors = collectors;
    uplink->retry_ms = options->retry_ms > 0 ? options->retry_ms : UPLINK_RETRY_MS_MIN;
    uplink->timer = loop_timer_new(loop, on_timer, uplink);
    uplink->deadline = loop_timer_new(loop, on_deadline, uplink);
    uplink->spool = spool_new(options->spool_bytes, uplink_lose, uplink);
    arena_init(&uplink->arena, MESSAGE_ARENA_BYTES);
    make_runs(uplink, options);
    *ret = uplink;
    return STATUS_OK;
}

/* What kept us out may be mended. */
static void retry_now(struct uplink *uplink)
{
    uplink->failures = 0;
    if (uplink->state == UPLINK_PAUSING)
        loop_timer_start(uplink->timer, 0, 0);
}

enum status uplink_set_tls(struct uplink *uplink, const struct rpc_tls_texts *texts,
                           struct why *why)
{
    enum status status = collectors_set_tls(&uplink->collectors, texts, why);
    if (status == STATUS_OK)
        retry_now(uplink);
    return status;
}

enum status uplink_set_token(struct uplink *uplink, const char *token, struct why *why)
{
    enum status status = collectors_set_token(&uplink->collectors, token, why);
    if (status == STATUS_OK)
        retry_now(uplink);
    return status;
}

void uplink_lend_thread(struct uplink *uplink, call_fn *fn, void *arg)
{
    rpc_channel_post(uplink->collectors.channels[0], fn, arg);
}

void uplink_free(struct uplink *uplink)
{
    if (uplink == NULL)
        return;
    ASSERT(uplink->state == UPLINK_IDLE || uplink->state == UPLINK_DONE);
    collectors_close(&uplink->collectors);
    loop_timer_free(uplink->timer);
    loop_timer_free(uplink->deadline);
    spool_free(uplink->spool);
    subjects_done(&uplink->subjects);
    arena_done(&uplink->arena);
    buf_done(&uplink->message);
    buf_done(&uplink->body);
    heap_values_done(&uplink->scratch);
    free(uplink->runs);
    free(uplink->host);
    free(uplink);
}

void uplink_start(struct uplink *uplink)
{
    ASSERT(uplink->state == UPLINK_IDLE);
    connect_now(uplink);
}

const char *uplink_collector(const struct uplink *uplink)
{
    return collectors_target(&uplink->collectors);
}

size_t uplink_pending(const struct uplink *uplink)
{
    return spool_count(uplink->spool);
}

void uplink_stop(struct uplink *uplink, int64_t limit_ms, call_fn *fn, void *arg)
{
    ASSERT(!uplink->stopping && limit_ms >= 0);
    uplink->stopping = 1;
    uplink->stopped = fn;
    uplink->stopped_arg = arg;
    if (uplink->state == UPLINK_IDLE ||
        (uplink->state == UPLINK_PAUSING && spool_count(uplink->spool) == 0)) {
        finish(uplink);
        return;
    }
    loop_timer_start(uplink->deadline, (uint64_t)limit_ms, 0);
    if (uplink->state == UPLINK_PAUSING)
        loop_timer_start(uplink->timer, 0, 0);
    if (uplink->state == UPLINK_GREETING && spool_count(uplink->spool) == 0) {
        move_to(uplink, UPLINK_LEAVING);
        rpc_stream_cancel(uplink->stream);
    }
    leave_if_delivered(uplink);
}
