/*
 * What former runs of the agent left in the spool's folder: their processes become subjects again,
 * with the numbers that they had, so that each run can be delivered over a stream of its own. Every
 * frame is checked as if a stranger had written it; a fact is kept if it could be sent whole, that
 * is, if its process and types are known and the snapshot that it changes was kept too.
 */
#include <string.h>

#include "attributes.h"
#include "uplink_state.h"
#include "wire.h"

#define DAY_SEQUENCES ((uint64_t)24 * 3600 * 1000 * 1024)

typedef Heapfleet__V1__AgentMessage agent_message;

void uplink_add_run(struct uplink *uplink, const uint8_t id[AGENT_ID_BYTES])
{
    size_t count = uplink->run_count;
    struct uplink_run *runs = realloc(uplink->runs, (count + 1) * sizeof(*runs));
    ASSERT(runs != NULL);
    runs[count] = count > 0 ? runs[count - 1] : (struct uplink_run){.last_sequence = 0};
    memcpy(runs[count].id, id, AGENT_ID_BYTES);
    uplink->runs = runs;
    uplink->run_count++;
}

/* The run that a frame belongs to: the last one, or one that begins with it. */
static struct uplink_run *run_of(struct uplink *uplink, const uint8_t id[AGENT_ID_BYTES])
{
    if (uplink->run_count == 0 ||
        memcmp(uplink->runs[uplink->run_count - 1].id, id, AGENT_ID_BYTES) != 0)
        uplink_add_run(uplink, id);
    return &uplink->runs[uplink->run_count - 1];
}

/* The last number of a process in the runs before. */
static uint32_t process_before(const struct uplink *uplink)
{
    return uplink->run_count > 1 ? uplink->runs[uplink->run_count - 2].last_process : 0;
}

/* The subject with this number, if it is of this run. */
static struct subject *subject_of(const struct uplink *uplink, uint32_t process)
{
    return process > process_before(uplink) ? subjects_find(&uplink->subjects, process) : NULL;
}

/* ---- context -------------------------------------------------------------------------------- */

static void restore_started(struct uplink *uplink, struct uplink_run *run,
                            const struct segment_frame *frame, const agent_message *message)
{
    const Heapfleet__V1__ProcessStarted *started = message->process_started;
    if (started->process != frame->process || started->instance_id.len != SUBJECT_ID_BYTES ||
        frame->process <= process_before(uplink) || frame->process == UINT32_MAX ||
        subjects_find(&uplink->subjects, frame->process) != NULL)
        return;
    struct subject *subject = subjects_add(&uplink->subjects, frame->process);
    if (subject == NULL)
        return;
    if (frame->process > run->last_process)
        run->last_process = frame->process;
    memcpy(subject->instance_id, started->instance_id.data, SUBJECT_ID_BYTES);
    buf_append(&subject->announcement, frame->data, frame->size);
}

static void restore_types(struct uplink *uplink, const struct segment_frame *frame,
                          const agent_message *message)
{
    const Heapfleet__V1__TypeDefinitions *types = message->type_definitions;
    struct subject *subject = subject_of(uplink, frame->process);
    if (subject == NULL || types->process != frame->process || types->first_index > subject->types)
        return;
    for (size_t i = subject->types - types->first_index; i < types->n_names; i++) {
        size_t size = strlen(types->names[i]);
        if (size == 0 || size > SNAPSHOT_NAME_BYTES_MAX || subject->types == SNAPSHOT_TYPES_MAX)
            return;
        buf_append(&subject->names, types->names[i], size + 1);
        subject->types++;
    }
}

static void restore_dropped(struct uplink *uplink, const struct segment_frame *frame,
                            const agent_message *message)
{
    struct subject *subject = subject_of(uplink, frame->process);
    if (subject != NULL && message->snapshot->dropped <= INT32_MAX)
        subject->dropped = message->snapshot->dropped;
}

static void restore_context(struct uplink *uplink, struct uplink_run *run,
                            const struct segment_frame *frame, const agent_message *message)
{
    switch (message->body_case) {
    case HEAPFLEET__V1__AGENT_MESSAGE__BODY_PROCESS_STARTED:
        restore_started(uplink, run, frame, message);
        break;
    case HEAPFLEET__V1__AGENT_MESSAGE__BODY_TYPE_DEFINITIONS:
        restore_types(uplink, frame, message);
        break;
    case HEAPFLEET__V1__AGENT_MESSAGE__BODY_SNAPSHOT:
        restore_dropped(uplink, frame, message);
        break;
    default: /* of a later version */
        break;
    }
}

/* ---- facts ---------------------------------------------------------------------------------- */

/* Does it continue what was kept? `latest` is the heap so far. */
static int continues(struct subject *subject, const Heapfleet__V1__Snapshot *snapshot)
{
    uint64_t base = snapshot->base_sequence;
    int keyframe = snapshot_is_keyframe(snapshot->body.data, snapshot->body.len);
    if (keyframe != (base == 0) || (base != 0 && base != subject->latest_sequence))
        return 0;
    return snapshot_decode(snapshot->body.data, snapshot->body.len, &subject->latest, NULL) ==
               STATUS_OK &&
           subject->latest.types <= subject->types;
}

static int restore_snapshot(struct subject *subject, const struct segment_frame *frame,
                            const agent_message *message)
{
    int kept = message->snapshot->process == frame->process && !subject->ended &&
               continues(subject, message->snapshot);
    subject->latest_sequence = kept ? frame->sequence : 0;
    subject->dropped += !kept;
    return kept;
}

static int restore_fact(struct uplink *uplink, const struct segment_frame *frame,
                        const agent_message *message)
{
    struct subject *subject = subject_of(uplink, frame->process);
    if (subject == NULL || frame->sequence > uplink->last_sequence + DAY_SEQUENCES)
        return 0;
    if (message == NULL) { /* damaged */
        subject->latest_sequence = 0;
        subject->dropped++;
        return 0;
    }
    if (message->sequence != frame->sequence)
        return 0;
    if (message->body_case == HEAPFLEET__V1__AGENT_MESSAGE__BODY_SNAPSHOT)
        return restore_snapshot(subject, frame, message);
    if (message->body_case != HEAPFLEET__V1__AGENT_MESSAGE__BODY_PROCESS_ENDED ||
        message->process_ended->process != frame->process || subject->ended)
        return 0;
    subject->ended = 1;
    return 1;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static const agent_message *unpack(struct uplink *uplink, const struct segment_frame *frame)
{
    ProtobufCMessage *message = NULL;
    arena_reset(&uplink->arena);
    if (frame->data == NULL ||
        wire_unpack(&heapfleet__v1__agent_message__descriptor, frame->data, frame->size,
                    &uplink->arena, &message, NULL) != STATUS_OK)
        return NULL;
    return (const agent_message *)message;
}

int uplink_restore(void *user, const uint8_t id[SEGMENT_RUN_BYTES],
                   const struct segment_frame *frame)
{
    struct uplink *uplink = user;
    struct uplink_run *run = run_of(uplink, id);
    const agent_message *message = unpack(uplink, frame);
    if (frame->sequence != 0) {
        if (!restore_fact(uplink, frame, message))
            return 0;
        subjects_find(&uplink->subjects, frame->process)->spooled++;
        run->last_sequence = frame->sequence;
        return 1;
    }
    if (message != NULL)
        restore_context(uplink, run, frame, message);
    return 0;
}

void uplink_restored(struct uplink *uplink)
{
    uint32_t next = 0;
    struct subject *subject;
    while ((subject = subjects_after(&uplink->subjects, next)) != NULL) {
        next = subject->process;
        heap_values_done(&subject->latest);
        subject->latest_sequence = 0;
        if (subject->spooled == 0 && subject->dropped == 0)
            subjects_remove(&uplink->subjects, next);
    }
}
