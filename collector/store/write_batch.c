/* What will be committed together, as flat arrays: filled by one thread, read by another. */
#include "write_batch.h"

#include <stdlib.h>
#include <string.h>

struct write_batch *write_batch_new(void)
{
    struct write_batch *batch = calloc(1, sizeof(*batch));
    ASSERT(batch != NULL);
    return batch;
}

void write_batch_free(struct write_batch *batch)
{
    if (batch == NULL)
        return;
    buf_done(&batch->rows);
    buf_done(&batch->bodies);
    buf_done(&batch->ends);
    buf_done(&batch->high_waters);
    buf_done(&batch->refused);
    buf_done(&batch->broken);
    buf_done(&batch->forgotten);
    free(batch);
}

size_t write_batch_bytes(const struct write_batch *batch)
{
    return sizeof(*batch) + batch->rows.capacity + batch->bodies.capacity + batch->ends.capacity +
           batch->high_waters.capacity + batch->refused.capacity + batch->broken.capacity +
           batch->forgotten.capacity;
}

size_t write_batch_count(const struct buf *array, size_t element_size)
{
    return array->size / element_size;
}

size_t write_batch_snapshots(const struct write_batch *batch)
{
    return write_batch_count(&batch->rows, sizeof(struct batch_row));
}

int write_batch_is_empty(const struct write_batch *batch)
{
    return batch->rows.size == 0 && batch->ends.size == 0;
}

void write_batch_snapshot(struct write_batch *batch, const struct snapshot_row *row)
{
    struct batch_row copy = {*row, batch->bodies.size};
    copy.row.body = NULL;
    buf_append(&batch->bodies, row->body, row->body_size);
    buf_append(&batch->rows, &copy, sizeof(copy));
}

struct snapshot_row write_batch_row(const struct write_batch *batch, size_t i)
{
    struct batch_row copy;
    memcpy(&copy, batch->rows.data + i * sizeof(copy), sizeof(copy));
    copy.row.body = batch->bodies.data + copy.body_at;
    return copy.row;
}

static const char *literal_reason(const char *reason)
{
    static const char *const reasons[] = {"exited", "oom_killed", "replaced"};
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
        if (strcmp(reason, reasons[i]) == 0)
            return reasons[i];
    }
    return "unknown";
}

void write_batch_end(struct write_batch *batch, int64_t service_id, int64_t instance_id,
                     int64_t time_ms, const char *reason)
{
    struct batch_end end = {service_id, instance_id, time_ms, literal_reason(reason)};
    buf_append(&batch->ends, &end, sizeof(end));
}

void write_batch_high_water(struct write_batch *batch, const uint8_t agent_id[ID_BYTES],
                            uint64_t sequence)
{
    struct batch_high_water high = {.sequence = sequence};
    memcpy(high.agent_id, agent_id, ID_BYTES);
    buf_append(&batch->high_waters, &high, sizeof(high));
}
