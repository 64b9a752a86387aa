/* A store with models of processes in it: what the tests of reading share. */
#ifndef TESTS_SUPPORT_READS_SCENE_H
#define TESTS_SUPPORT_READS_SCENE_H

#include "heap_model.h"
#include "keep_house.h"

#define MINUTE_MS ((int64_t)60 * 1000)
#define HOUR_MS (60 * MINUTE_MS)
#define SLOT_MS (4 * HOUR_MS)
#define DAY_MS (24 * HOUR_MS)
#define MIDNIGHT (20000 * DAY_MS) /* some day in 2024 */

static inline void keep(int64_t now_ms)
{
    struct keep_house_report report;
    struct keep_house_config config = KEEP_HOUSE_DEFAULT;
    OK(keep_house(store.db, &config, now_ms, &report, &why));
    assert_int_equal(report.lost, 0);
}

/* A process of its own service. */
static inline void begin(struct model *model, const char *service, uint32_t number)
{
    struct process_identity identity = identity_of(service, "v1", number);
    model_init(model, &identity, number);
}

static inline void snap(struct model *model, int64_t from_ms, int64_t step_ms, int count)
{
    for (int i = 0; i < count; i++)
        model_snap(model, from_ms + i * step_ms);
    model_commit(model, model->written, model->count);
}

#endif
