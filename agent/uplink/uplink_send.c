/*
 * What goes over the stream. Announcements are state, made anew for each stream; facts come out of
 * the spool as they were packed, with two exceptions that are repacked on their way: a snapshot
 * whose base this stream has not carried becomes a keyframe, and the first snapshot after a loss
 * says how many are missing.
 */
#include "attributes.h"
#include "snapshot_codec.h"
#include "uplink_state.h"

enum {
    NAMES_BYTES = 64 * 1024,      /* of one TypeDefinitions, roughly */
    DELTA_BYTES_MAX = 128 * 1024, /* a larger one is made a keyframe */
    BODY_BYTES_MAX = MESSAGE_BYTES_MAX - 1024,
    TYPES_THAT_FIT = BODY_BYTES_MAX / 16, /* of 16 bytes each, the most that two values take */
};

/* ----- in: the facts ----- */

enum status uplink_process_started(struct uplink *uplink, const struct uplink_process *process)
{
    struct subject *subject = subjects_add(&uplink->subjects, process->process);
    if (subject == NULL)
        return STATUS_LIMIT;
    message_process_started(process, &subject->announcement);
    uplink_pump(uplink);
    return STATUS_OK;
}

void uplink_define_type(struct uplink *uplink, uint32_t process, const char *name)
{
    struct subject *subject = subjects_find(&uplink->subjects, process);
    ASSERT(subject != NULL && subject->types < SNAPSHOT_TYPES_MAX);
    buf_append(&subject->names, name, strlen(name) + 1);
    subject->types++;
}

uint32_t uplink_types_defined(const struct uplink *uplink, uint32_t process)
{
    const struct subject *subject = subjects_find(&uplink->subjects, process);
    ASSERT(subject != NULL);
    return subject->types;
}

static void append_fact(struct uplink *uplink, struct subject *subject)
{
    uplink->last_sequence++;
    subject->spooled++;
    spool_append(uplink->spool, uplink->last_sequence, subject->process, uplink->message.data,
                 uplink->message.size);
}

static void count_lost(struct uplink *uplink, struct subject *subject)
{
    subject->dropped++;
    if (uplink->events.lost != NULL)
        uplink->events.lost(uplink->user, subject->process);
}

/* Would it fit into a message when it has to be sent whole? Only a heap made for the purpose does
 * not: 16,384 types of the largest counts. */
static int fits_whole(struct uplink *uplink, const struct heap_values *values)
{
    if (values->types <= TYPES_THAT_FIT)
        return 1;
    buf_clear(&uplink->body);
    snapshot_encode_keyframe(values, &uplink->body);
    return uplink->body.size <= BODY_BYTES_MAX;
}

void uplink_snapshot(struct uplink *uplink, const struct uplink_snapshot *snapshot)
{
    struct subject *subject = subjects_find(&uplink->subjects, snapshot->process);
    ASSERT(subject != NULL && !subject->ended && snapshot->values->types <= subject->types);
    if (!fits_whole(uplink, snapshot->values)) {
        count_lost(uplink, subject);
        return;
    }
    uint64_t base = subject->deltas + 1 < UPLINK_KEYFRAME_EVERY ? subject->latest_sequence : 0;
    buf_clear(&uplink->body);
    if (base != 0) {
        snapshot_encode_delta(&subject->latest, snapshot->values, &uplink->body);
        if (uplink->body.size > DELTA_BYTES_MAX)
            base = 0;
    }
    if (base == 0) {
        buf_clear(&uplink->body);
        snapshot_encode_keyframe(snapshot->values, &uplink->body);
    }
    subject->deltas = base == 0 ? 0 : subject->deltas + 1;
    heap_values_copy(&subject->latest, snapshot->values);
    subject->latest_sequence = uplink->last_sequence + 1;
    buf_clear(&uplink->message);
    message_snapshot(subject->latest_sequence, snapshot, base, &uplink->body, &uplink->message);
    append_fact(uplink, subject);
    uplink_pump(uplink);
}

void uplink_process_ended(struct uplink *uplink, uint32_t process, int64_t time_ms,
                          enum end_reason reason)
{
    struct subject *subject = subjects_find(&uplink->subjects, process);
    ASSERT(subject != NULL && !subject->ended);
    subject->ended = 1;
    buf_clear(&uplink->message);
    message_process_ended(uplink->last_sequence + 1, process, time_ms, reason, &uplink->message);
    append_fact(uplink, subject);
    uplink_pump(uplink);
}

/* ----- leaving the spool ----- */

/* Apply a spooled fact of `subject` to `heap`. 0 when it is not a snapshot. */
static int apply(struct uplink *uplink, const struct spool_fact *fact, struct heap_values *heap)
{
    arena_reset(&uplink->arena);
    const Heapfleet__V1__Snapshot *snapshot =
        message_own_snapshot(fact->data, fact->size, &uplink->arena);
    if (snapshot == NULL)
        return 0;
    enum status status = snapshot_decode(snapshot->body.data, snapshot->body.len, heap, NULL);
    ASSERT(status == STATUS_OK); /* we encoded it, and the floor is what it changes */
    return 1;
}

/* The fact is about to leave the spool: its state becomes the floor. 1 if it was a snapshot. */
static int raise_floor(struct uplink *uplink, struct subject *subject,
                       const struct spool_fact *fact)
{
    ASSERT(subject != NULL && subject->spooled > 0);
    subject->spooled--;
    uplink->unacknowledged -= fact->sequence <= uplink->sent_sequence && uplink->unacknowledged > 0;
    return apply(uplink, fact, &subject->floor);
}

static void remove_if_over(struct uplink *uplink, struct subject *subject)
{
    if (subject->ended && subject->spooled == 0)
        subjects_remove(&uplink->subjects, subject->process);
}

void uplink_lose(void *user, const struct spool_fact *fact)
{
    struct uplink *uplink = user;
    struct subject *subject = subjects_find(&uplink->subjects, fact->process);
    /* Sent and unacknowledged, it may yet arrive: then the count errs to the side of caution. */
    if (raise_floor(uplink, subject, fact))
        count_lost(uplink, subject);
    remove_if_over(uplink, subject);
}

void uplink_acknowledge(struct uplink *uplink, uint64_t sequence)
{
    struct spool_fact fact;
    uint64_t after = 0;
    while (spool_next(uplink->spool, after, &fact) && fact.sequence <= sequence) {
        after = fact.sequence;
        struct subject *subject = subjects_find(&uplink->subjects, fact.process);
        (void)raise_floor(uplink, subject, &fact);
        if (subject->dropped_told > 0 && subject->dropped_sequence <= sequence) {
            subject->dropped -= subject->dropped_told;
            subject->dropped_told = 0;
        }
        remove_if_over(uplink, subject);
    }
    spool_drop_through(uplink->spool, sequence);
}

/* ----- out: the stream ----- */

void uplink_begin(struct uplink *uplink, uint64_t committed)
{
    uplink_acknowledge(uplink, committed);
    subjects_forget_stream(&uplink->subjects);
    uplink->announced_process = 0;
    uplink->sent_sequence = committed;
    uplink->unacknowledged = 0;
}

void uplink_want_keyframe(struct uplink *uplink, uint32_t process)
{
    struct subject *subject = subjects_find(&uplink->subjects, process);
    if (subject != NULL)
        subject->sent_sequence = 0;
}

static void send(struct uplink *uplink, const struct buf *message)
{
    rpc_stream_send(uplink->stream, message->data, message->size);
}

/* The state of the heap at a spooled snapshot: from the floor through all before it. */
static void rebuild(struct uplink *uplink, const struct subject *subject, uint64_t sequence)
{
    heap_values_copy(&uplink->scratch, &subject->floor);
    struct spool_fact fact;
    uint64_t after = 0;
    while (spool_next(uplink->spool, after, &fact) && fact.sequence <= sequence) {
        after = fact.sequence;
        if (fact.process == subject->process)
            (void)apply(uplink, &fact, &uplink->scratch);
    }
}

static void send_snapshot(struct uplink *uplink, struct subject *subject,
                          const struct spool_fact *fact, Heapfleet__V1__Snapshot *snapshot)
{
    int whole = snapshot->base_sequence != 0 && snapshot->base_sequence != subject->sent_sequence;
    int tells = subject->dropped > 0 && subject->dropped_told == 0;
    subject->sent_sequence = fact->sequence;
    if (!whole && !tells) {
        rpc_stream_send(uplink->stream, fact->data, fact->size);
        return;
    }
    if (whole) {
        rebuild(uplink, subject, fact->sequence); /* resets the arena */
        arena_reset(&uplink->arena);
        snapshot = message_own_snapshot(fact->data, fact->size, &uplink->arena);
        buf_clear(&uplink->body);
        snapshot_encode_keyframe(&uplink->scratch, &uplink->body);
        snapshot->base_sequence = 0;
        snapshot->body = (ProtobufCBinaryData){uplink->body.size, uplink->body.data};
    }
    if (tells) {
        snapshot->dropped = subject->dropped;
        subject->dropped_told = subject->dropped;
        subject->dropped_sequence = fact->sequence;
    }
    buf_clear(&uplink->message);
    message_repack_snapshot(fact->sequence, snapshot, &uplink->message);
    send(uplink, &uplink->message);
}

static void send_names(struct uplink *uplink, struct subject *subject)
{
    uint32_t first = 0;
    const char *names = NULL;
    uint32_t count = subject_take_names(subject, NAMES_BYTES, &first, &names);
    buf_clear(&uplink->message);
    message_type_definitions(subject->process, first, names, count, &uplink->message);
    send(uplink, &uplink->message);
}

/* One message. 0 when there is nothing to send, or the window is full. */
static int send_next(struct uplink *uplink)
{
    struct subject *unannounced = subjects_after(&uplink->subjects, uplink->announced_process);
    if (unannounced != NULL) {
        send(uplink, &unannounced->announcement);
        uplink->announced_process = unannounced->process;
        return 1;
    }
    struct spool_fact fact;
    if (uplink->unacknowledged >= UPLINK_WINDOW_FACTS ||
        !spool_next(uplink->spool, uplink->sent_sequence, &fact))
        return 0;
    struct subject *subject = subjects_find(&uplink->subjects, fact.process);
    ASSERT(subject != NULL);
    arena_reset(&uplink->arena);
    Heapfleet__V1__Snapshot *snapshot = message_own_snapshot(fact.data, fact.size, &uplink->arena);
    if (snapshot != NULL && subject->types_sent < subject->types) {
        send_names(uplink, subject);
        return 1;
    }
    if (snapshot != NULL)
        send_snapshot(uplink, subject, &fact, snapshot);
    else
        rpc_stream_send(uplink->stream, fact.data, fact.size);
    uplink->sent_sequence = fact.sequence;
    if (fact.sequence > uplink->highest_sent)
        uplink->highest_sent = fact.sequence;
    uplink->unacknowledged++;
    return 1;
}

void uplink_pump(struct uplink *uplink)
{
    if (uplink->state != UPLINK_STREAMING)
        return;
    while (rpc_stream_unsent_bytes(uplink->stream) < UPLINK_UNSENT_BYTES && send_next(uplink)) {
    }
}
