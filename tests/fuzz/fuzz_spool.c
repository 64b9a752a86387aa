/* USES uplink spool */
/*
 * A segment of the agent's spool, as it lies there and once more with its checksums put right: what
 * is kept of it can be sent, and nothing else is.
 */
#include "fuzz.h"
#include "segment.h"
#include "uplink_state.h"

static const struct segment_header own = {.run = "0123456789abcdef", .number = 1};

/* The same frames with the right checksums, as far as their sizes make sense. */
static void mend(const uint8_t *data, size_t size, struct buf *ret)
{
    struct segment_header header = own;
    segment_put_header(&header, ret);
    size_t at = SEGMENT_HEADER_BYTES;
    while (at + SEGMENT_HEAD_BYTES <= size) {
        uint32_t numbers[4]; /* size, process, sequence */
        memcpy(numbers, data + at, sizeof(numbers));
        at += SEGMENT_HEAD_BYTES;
        size_t most = size - at;
        struct segment_frame frame = {.process = numbers[1], .data = data + at};
        memcpy(&frame.sequence, &numbers[2], sizeof(frame.sequence));
        frame.size = (uint32_t)(numbers[0] > most ? most : numbers[0]);
        segment_put_frame(&header, &frame, ret);
        at += frame.size;
    }
}

/* A fact that was kept is of a subject that is told of it. */
static void check_kept(struct uplink *uplink, const struct segment_frame *frame)
{
    const struct subject *subject = subjects_find(&uplink->subjects, frame->process);
    ASSERT(frame->sequence != 0 && frame->data != NULL);
    ASSERT(subject != NULL && subject->spooled > 0 && subject->announcement.size > 0);
    const Heapfleet__V1__Snapshot *snapshot =
        message_own_snapshot(frame->data, frame->size, &uplink->arena);
    ASSERT(snapshot == NULL ||
           (snapshot->process == frame->process && subject->latest_sequence == frame->sequence &&
            subject->latest.types <= subject->types));
    ASSERT(snapshot != NULL || subject->ended);
}

static void restore(const uint8_t *data, size_t size)
{
    struct uplink uplink = {.last_sequence = (uint64_t)1700000000000 * 1024};
    struct segment_header header;
    struct segment_frame frame;
    size_t offset = SEGMENT_HEADER_BYTES, before = offset;
    arena_init(&uplink.arena, MESSAGE_ARENA_BYTES);
    if (segment_read_header(data, size, &header, NULL) != STATUS_OK)
        return;
    while (segment_next(&header, data, size, &offset, &frame)) {
        ASSERT(offset > before && offset <= size);
        before = offset;
        ASSERT(frame.data == NULL || (frame.data > data && frame.data + frame.size <= data + size));
        if (uplink_restore(&uplink, header.run, &frame))
            check_kept(&uplink, &frame);
    }
    uplink_restored(&uplink);
    subjects_done(&uplink.subjects);
    arena_done(&uplink.arena);
    free(uplink.runs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf mended = BUF_INIT;
    restore(data, size);
    mend(data, size, &mended);
    restore(mended.data, mended.size);
    buf_done(&mended);
    return 0;
}
