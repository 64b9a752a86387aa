/* A store with models of processes in it: what the tests of reading share. */
#ifndef TESTS_SUPPORT_READS_SCENE_H
#define TESTS_SUPPORT_READS_SCENE_H

#include "keep_scene.h"

static inline void keep(int64_t now_ms)
{
    assert_int_equal(keep_and_report(now_ms).lost, 0);
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
