/*
 * A batch with a value that PostgreSQL does not take. Halves of it are committed, and halves of the
 * half that fails, until each row at fault stands alone:
 *
 *     a b c d e f g h        INVALID
 *     a b c d | e f g h      OK       | INVALID
 *               e f | g h               OK | INVALID
 *                     g | h                  INVALID | OK       g is refused
 *
 * A change of a row that was refused is refused with it, up to the next keyframe of its process: it
 * could not be read. What was committed stays if the rest has to wait; it is there already when the
 * batch is tried again.
 */
#include <string.h>

#include "db.h"
#include "write_batch.h"

/* Of so many rows not all are wrong by themselves: then it is the table that is. */
enum { ALL_WRONG_MIN = 8 };

struct isolation {
    struct db *db;
    struct write_batch *batch;
};

/* ---- chains that were broken ---------------------------------------------------------------- */

/* Place of the process among those that wait for a keyframe, or how many these are. */
static size_t find_broken(const struct buf *broken, int64_t instance_id)
{
    size_t count = write_batch_count(broken, sizeof(instance_id));
    for (size_t i = 0; i < count; i++) {
        if (memcmp(broken->data + i * sizeof(instance_id), &instance_id, sizeof(instance_id)) == 0)
            return i;
    }
    return count;
}

void write_batch_break(struct write_batch *batch, int64_t instance_id)
{
    size_t count = write_batch_count(&batch->broken, sizeof(instance_id));
    if (find_broken(&batch->broken, instance_id) == count)
        buf_append(&batch->broken, &instance_id, sizeof(instance_id));
}

static void mend(struct write_batch *batch, int64_t instance_id)
{
    size_t at = find_broken(&batch->broken, instance_id);
    if (at == write_batch_count(&batch->broken, sizeof(instance_id)))
        return;
    batch->broken.size -= sizeof(instance_id);
    memmove(batch->broken.data + at * sizeof(instance_id), batch->broken.data + batch->broken.size,
            sizeof(instance_id));
}

/* ---- refusing ------------------------------------------------------------------------------- */

static void refuse(struct write_batch *batch, const struct snapshot_row *row, const char *reason)
{
    struct refused_row refused = {.instance_id = row->instance_id, .sequence = row->sequence};
    why_set(&refused.why, "%s", reason);
    buf_append(&batch->refused, &refused, sizeof(refused));
    write_batch_break(batch, row->instance_id);
}

size_t write_batch_refused(const struct write_batch *batch)
{
    return write_batch_count(&batch->refused, sizeof(struct refused_row));
}

struct refused_row write_batch_refused_row(const struct write_batch *batch, size_t i)
{
    struct refused_row refused;
    memcpy(&refused, batch->refused.data + i * sizeof(refused), sizeof(refused));
    return refused;
}

/* ---- halves --------------------------------------------------------------------------------- */

/* The rows of a range that can be read once they are stored, as a batch of their own. */
static struct write_batch *part_of(struct isolation *isolation, size_t from, size_t to)
{
    struct write_batch *batch = isolation->batch, *part = write_batch_new();
    for (size_t i = from; i < to; i++) {
        struct snapshot_row row = write_batch_row(batch, i);
        size_t broken = write_batch_count(&batch->broken, sizeof(int64_t));
        if (row.base_sequence == 0)
            mend(batch, row.instance_id);
        if (row.base_sequence != 0 && find_broken(&batch->broken, row.instance_id) < broken)
            refuse(batch, &row, "it changes a snapshot that the database did not take");
        else
            write_batch_snapshot(part, &row);
    }
    return part;
}

static enum status commit_range(struct isolation *isolation, size_t from, size_t to,
                                struct why *why);

static enum status commit_halves(struct isolation *isolation, size_t from, size_t to,
                                 struct why *why)
{
    size_t middle = from + (to - from) / 2;
    enum status status = commit_range(isolation, from, middle, why);
    return status == STATUS_OK ? commit_range(isolation, middle, to, why) : status;
}

/* Depth: the logarithm of the rows. */
static enum status commit_range(struct isolation *isolation, size_t from, size_t to,
                                struct why *why)
{
    struct write_batch *batch = isolation->batch;
    size_t broken = batch->broken.size, refused = batch->refused.size;
    struct buf before = BUF_INIT;
    buf_append(&before, batch->broken.data, broken);
    struct write_batch *part = part_of(isolation, from, to);
    enum status status =
        write_batch_is_empty(part) ? STATUS_OK : write_batch_commit_whole(isolation->db, part, why);
    write_batch_free(part);
    if (status == STATUS_INVALID && to - from > 1) { /* as if this range had not been tried */
        buf_clear(&batch->broken);
        buf_append(&batch->broken, before.data, before.size);
        batch->refused.size = refused;
        status = commit_halves(isolation, from, to, why);
    } else if (status == STATUS_INVALID) {
        struct snapshot_row row = write_batch_row(batch, from);
        refuse(batch, &row, why->text);
        status = STATUS_OK;
    }
    buf_done(&before);
    return status;
}

/* What is no row: ends and high waters, when all rows before them are stored. */
static enum status commit_rest(struct isolation *isolation, struct why *why)
{
    const struct write_batch *batch = isolation->batch;
    struct write_batch *rest = write_batch_new();
    buf_append(&rest->ends, batch->ends.data, batch->ends.size);
    buf_append(&rest->high_waters, batch->high_waters.data, batch->high_waters.size);
    enum status status = write_batch_commit_whole(isolation->db, rest, why);
    write_batch_free(rest);
    return status;
}

enum status write_batch_isolate(struct db *db, struct write_batch *batch, struct why *why)
{
    struct isolation isolation = {db, batch};
    size_t rows = write_batch_snapshots(batch);
    struct buf broken = BUF_INIT;
    buf_append(&broken, batch->broken.data, batch->broken.size);
    enum status status = rows == 0 ? STATUS_OK : commit_range(&isolation, 0, rows, why);
    if (status == STATUS_OK && rows >= ALL_WRONG_MIN && write_batch_refused(batch) == rows)
        status = why_fail(why, STATUS_FAILED, "none of %zu snapshots is taken, the last: %s", rows,
                          write_batch_refused_row(batch, rows - 1).why.text);
    if (status == STATUS_OK)
        status = commit_rest(&isolation, why);
    if (status != STATUS_OK) { /* it will be tried again as a whole */
        buf_clear(&batch->refused);
        buf_clear(&batch->broken);
        buf_append(&batch->broken, broken.data, broken.size);
    }
    buf_done(&broken);
    return status == STATUS_INVALID ? STATUS_FAILED : status;
}
