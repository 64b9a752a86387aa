#include "history_ranges.h"

struct one_range {
    size_t range;
    history_range_visit_fn *visit;
    void *user;
};

static enum status visit_one(void *user, const struct history_snapshot *snapshot)
{
    const struct one_range *one = user;
    return one->visit(one->user, one->range, snapshot);
}

enum status history_walk_ranges(struct db *db, int64_t service_id,
                                const struct history_range *ranges, size_t count,
                                history_range_visit_fn *visit, void *user, struct why *why)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        struct one_range one = {i, visit, user};
        status = history_walk(db, service_id, ranges[i].instance_id, ranges[i].from_ms,
                              ranges[i].to_ms, visit_one, &one, why);
    }
    return status;
}
