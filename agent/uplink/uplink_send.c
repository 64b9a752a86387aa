/*
 * What goes over the stream. Announcements are state, made anew for each stream; facts come out of
 * the spool as they were packed, but snapshots are repacked on their way: one whose base this
 * stream has not carried becomes a keyframe, another one is shortened, and the first one after a
 * loss says how many are missing.
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

/* Some of the names that have not been told, into `message`. */
static void pack_names(struct uplink *uplink, const struct subject *subject,
                       struct names_told *told)
{
    uint32_t first = 0;
    const char *names = NULL;
    uint32_t count = subject_take_names(subject, told, NAMES_BYTES, &first, &names);
    buf_clear(&uplink->message);
    message_type_definitions(subject->process, first, names, count, &uplink->message);
}

/* ----- in: the facts ----- */

/* The numbers of former runs end where the present one's begin. */
static int is_former(const struct uplink *uplink, const struct subject *subject)
{
    return uplink->run_count > 1 &&
           subject->process <= uplink->runs[uplink->run_count - 2].last_process;
}

/* A former run lost snapshots of this process and has none left that could say so: say it with the
 * next one, under the number that the process has now. */
static void inherit(struct uplink *uplink, struct subject *heir)
{
    struct subject *former = subjects_after(&uplink->subjects, 0);
    while (former != NULL && is_former(uplink, former)) {
        if (former->spooled == 0 &&
            memcmp(former->instance_id, heir->instance_id, SUBJECT_ID_BYTES) == 0) {
            heir->dropped += former->dropped;
            former->dropped = 0;
        }
        former = subjects_after(&uplink->subjects, former->process);
    }
}

/* Processes of former runs that have nothing left to send or to say. */
static void sweep_former(struct uplink *uplink)
{
    struct subject *former = subjects_after(&uplink->subjects, 0);
    while (former != NULL && is_former(uplink, former)) {
        uint32_t process = former->process;
        if (former->spooled == 0 && former->dropped == 0)
            subjects_remove(&uplink->subjects, process);
        former = subjects_after(&uplink->subjects, process);
    }
}

uint32_t uplink_last_process(const struct uplink *uplink)
{
    size_t count = uplink->subjects.count;
    uint32_t former = uplink->run_count > 1 ? uplink->runs[uplink->run_count - 2].last_process : 0;
    uint32_t last = count > 0 ? uplink->subjects.items[count - 1]->process : 0;
    return last > former ? last : former;
}

enum status uplink_process_started(struct uplink *uplink, const struct uplink_process *process)
{
    struct subject *subject = subjects_add(&uplink->subjects, process->process);
    if (subject == NULL)
        return STATUS_LIMIT;
    memcpy(subject->instance_id, process->instance_id, SUBJECT_ID_BYTES);
    message_process_started(process, &subject->announcement);
    inherit(uplink, subject);
    sweep_former(uplink);
    uplink_deliver(uplink);
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

/* How many were lost, as a snapshot without a number, for a later run to say. */
static void note_dropped(struct uplink *uplink, struct subject *subject)
{
    Heapfleet__V1__Snapshot snapshot = HEAPFLEET__V1__SNAPSHOT__INIT;
    snapshot.process = subject->process;
    snapshot.dropped = subject->dropped;
    subject->dropped_noted = subject->dropped;
    buf_clear(&uplink->message);
    message_repack_snapshot(0, &snapshot, &uplink->message);
    spool_note(uplink->spool, subject->process, uplink->message.data, uplink->message.size);
}

/* Before a fact: what a later run must know to send it, once in each part of the spool. 1: nothing
 * of this process stands in that part yet. */
static int note_context(struct uplink *uplink, struct subject *subject)
{
    uint32_t segment = spool_prepare(uplink->spool);
    int is_first = segment != 0 && segment != subject->segment;
    if (is_first) {
        subject->segment = segment;
        subject->noted = (struct names_told){0};
        subject->dropped_noted = 0;
        spool_note(uplink->spool, subject->process, subject->announcement.data,
                   subject->announcement.size);
    }
    if (segment != 0 && subject->dropped != subject->dropped_noted)
        note_dropped(uplink, subject);
    while (segment != 0 && subject->noted.types < subject->types) {
        pack_names(uplink, subject, &subject->noted);
        spool_note(uplink->spool, subject->process, uplink->message.data, uplink->message.size);
    }
    return is_first;
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
    int whole = note_context(uplink, subject) || subject->deltas + 1 >= UPLINK_KEYFRAME_EVERY;
    uint64_t base = whole ? 0 : subject->latest_sequence;
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
    uplink_deliver(uplink);
}

void uplink_process_ended(struct uplink *uplink, uint32_t process, int64_t time_ms,
                          enum end_reason reason)
{
    struct subject *subject = subjects_find(&uplink->subjects, process);
    ASSERT(subject != NULL && !subject->ended);
    subject->ended = 1;
    (void)note_context(uplink, subject);
    buf_clear(&uplink->message);
    message_process_ended(uplink->last_sequence + 1, process, time_ms, reason, &uplink->message);
    append_fact(uplink, subject);
    uplink_deliver(uplink);
}

/* ----- leaving the spool ----- */

enum applied { APPLIED, NO_SNAPSHOT, UNKNOWN };

/* Bring `heap`, the state at `*sequence`, to the state at a spooled fact. UNKNOWN: the fact, or one
 * that it builds on, could not be read back. */
static enum applied apply(struct uplink *uplink, struct spool_fact *fact, struct heap_values *heap,
                          uint64_t *sequence)
{
    if (spool_load(uplink->spool, fact)) {
        arena_reset(&uplink->arena);
        const Heapfleet__V1__Snapshot *snapshot =
            message_own_snapshot(fact->data, fact->size, &uplink->arena);
        if (snapshot == NULL)
            return NO_SNAPSHOT;
        if ((snapshot->base_sequence == 0 || snapshot->base_sequence == *sequence) &&
            snapshot_decode(snapshot->body.data, snapshot->body.len, heap, NULL) == STATUS_OK) {
            *sequence = fact->sequence;
            return APPLIED;
        }
    }
    *sequence = 0;
    return UNKNOWN;
}

/* The fact is about to leave the spool: its state becomes the floor. 1 if it was a snapshot. */
static int raise_floor(struct uplink *uplink, struct subject *subject,
                       const struct spool_fact *fact)
{
    ASSERT(subject != NULL && subject->spooled > 0);
    struct spool_fact loaded = *fact;
    subject->spooled--;
    uplink->unacknowledged -= fact->sequence <= uplink->sent_sequence && uplink->unacknowledged > 0;
    return apply(uplink, &loaded, &subject->floor, &subject->floor_sequence) != NO_SNAPSHOT;
}

/* Nothing more will come of it, and what it lost has been said, or will be by another. */
static void remove_if_over(struct uplink *uplink, struct subject *subject)
{
    if (subject->spooled > 0 || !(subject->ended || is_former(uplink, subject)))
        return;
    struct subject *heir = subject;
    while (subject->dropped > 0 &&
           (heir = subjects_after(&uplink->subjects, heir->process)) != NULL) {
        if (!is_former(uplink, heir))
            inherit(uplink, heir);
    }
    if (subject->ended || subject->dropped == 0)
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

int uplink_run_is_over(const struct uplink *uplink)
{
    struct spool_fact first;
    return uplink->run + 1 < uplink->run_count &&
           (!spool_next(uplink->spool, 0, &first) ||
            first.sequence > uplink->runs[uplink->run].last_sequence);
}

void uplink_choose_run(struct uplink *uplink)
{
    while (uplink_run_is_over(uplink)) {
        uplink->run++;
        uplink->rejections = 0;
    }
    sweep_former(uplink);
}

void uplink_begin(struct uplink *uplink, uint64_t committed)
{
    const struct uplink_run *run = &uplink->runs[uplink->run];
    if (committed > run->last_sequence)
        committed = run->last_sequence; /* what it had in memory, too, was delivered */
    uplink_acknowledge(uplink, committed);
    subjects_forget_stream(&uplink->subjects);
    uplink->announced_process = uplink->run == 0 ? 0 : run[-1].last_process;
    uplink->sent_sequence = committed;
    uplink->carried_sequence = committed;
    uplink->unacknowledged = 0;
}

void uplink_want_keyframe(struct uplink *uplink, uint32_t process)
{
    struct subject *subject = subjects_find(&uplink->subjects, process);
    if (subject != NULL)
        subject->sent_numbers.sequence = 0;
}

static void send(struct uplink *uplink, const struct buf *message)
{
    rpc_stream_send(uplink->stream, message->data, message->size);
}

/* The state of the heap at a spooled snapshot, into `scratch`: from the floor through all before
 * it. 0: it cannot be known. */
static int rebuild(struct uplink *uplink, const struct subject *subject, uint64_t sequence)
{
    heap_values_copy(&uplink->scratch, &subject->floor);
    uint64_t reached = subject->floor_sequence;
    struct spool_fact fact;
    uint64_t after = 0;
    while (spool_next(uplink->spool, after, &fact) && fact.sequence <= sequence) {
        after = fact.sequence;
        if (fact.process == subject->process)
            (void)apply(uplink, &fact, &uplink->scratch, &reached);
    }
    return reached == sequence;
}

/* The snapshot that was applied last, with the whole heap in place of the change. */
static Heapfleet__V1__Snapshot *make_whole(struct uplink *uplink, struct subject *subject,
                                           uint64_t sequence)
{
    struct spool_fact fact;
    if (!rebuild(uplink, subject, sequence) || !spool_next(uplink->spool, sequence - 1, &fact) ||
        !spool_load(uplink->spool, &fact))
        return NULL;
    arena_reset(&uplink->arena);
    Heapfleet__V1__Snapshot *snapshot = message_own_snapshot(fact.data, fact.size, &uplink->arena);
    buf_clear(&uplink->body);
    snapshot_encode_keyframe(&uplink->scratch, &uplink->body);
    snapshot->base_sequence = 0;
    snapshot->body = (ProtobufCBinaryData){uplink->body.size, uplink->body.data};
    return snapshot;
}

/* 0: it cannot be sent. */
static int send_snapshot(struct uplink *uplink, struct subject *subject,
                         const struct spool_fact *fact, Heapfleet__V1__Snapshot *snapshot)
{
    if (snapshot->base_sequence != 0 && snapshot->base_sequence != subject->sent_numbers.sequence)
        snapshot = make_whole(uplink, subject, fact->sequence);
    if (snapshot == NULL)
        return 0;
    if (subject->dropped > 0 && subject->dropped_told == 0) {
        snapshot->dropped = subject->dropped;
        subject->dropped_told = subject->dropped;
        subject->dropped_sequence = fact->sequence;
    }
    buf_clear(&uplink->message);
    message_stream_snapshot(fact->sequence, snapshot, &subject->sent_numbers, &uplink->message);
    rpc_stream_ask(uplink->stream, uplink->message.data, uplink->message.size);
    return 1;
}

/* 0: it is of a former run, or one that the present stream does not carry. */
static int next_to_send(const struct uplink *uplink, struct spool_fact *ret)
{
    return uplink->unacknowledged < UPLINK_WINDOW_FACTS &&
           spool_next(uplink->spool, uplink->sent_sequence, ret) &&
           ret->sequence <= uplink->runs[uplink->run].last_sequence;
}

/* The spool's folder does not give a fact back: it is lost, and the acknowledgement of what stands
 * before it will be its own. */
static void skip(struct uplink *uplink, struct subject *subject)
{
    count_lost(uplink, subject);
    subject->sent_numbers.sequence = 0;
    struct spool_fact first;
    if (spool_next(uplink->spool, 0, &first) && first.sequence > uplink->carried_sequence)
        uplink_acknowledge(uplink, uplink->sent_sequence);
}

/* A loaded fact. 0: it cannot be sent. */
static int send_fact(struct uplink *uplink, struct subject *subject, const struct spool_fact *fact,
                     Heapfleet__V1__Snapshot *snapshot)
{
    int sent = 1;
    if (snapshot != NULL)
        sent = send_snapshot(uplink, subject, fact, snapshot);
    else
        rpc_stream_ask(uplink->stream, fact->data, fact->size);
    if (sent)
        uplink->carried_sequence = fact->sequence;
    return sent;
}

/* One message. 0 when there is nothing to send, or the window is full. */
static int send_next(struct uplink *uplink)
{
    const struct subject *unannounced =
        subjects_after(&uplink->subjects, uplink->announced_process);
    if (unannounced != NULL && unannounced->process <= uplink->runs[uplink->run].last_process) {
        send(uplink, &unannounced->announcement);
        uplink->announced_process = unannounced->process;
        return 1;
    }
    struct spool_fact fact;
    if (!next_to_send(uplink, &fact))
        return 0;
    struct subject *subject = subjects_find(&uplink->subjects, fact.process);
    ASSERT(subject != NULL);
    int loaded = spool_load(uplink->spool, &fact);
    arena_reset(&uplink->arena);
    Heapfleet__V1__Snapshot *snapshot =
        loaded ? message_own_snapshot(fact.data, fact.size, &uplink->arena) : NULL;
    if (snapshot != NULL && subject->sent.types < subject->types) {
        pack_names(uplink, subject, &subject->sent);
        send(uplink, &uplink->message);
        return 1;
    }
    int sent = loaded && send_fact(uplink, subject, &fact, snapshot);
    uplink->sent_sequence = fact.sequence;
    if (fact.sequence > uplink->highest_sent)
        uplink->highest_sent = fact.sequence;
    uplink->unacknowledged++;
    if (!sent)
        skip(uplink, subject);
    return 1;
}

void uplink_pump(struct uplink *uplink)
{
    if (uplink->state != UPLINK_STREAMING)
        return;
    while (rpc_stream_unsent_bytes(uplink->stream) < UPLINK_UNSENT_BYTES && send_next(uplink)) {
    }
}
