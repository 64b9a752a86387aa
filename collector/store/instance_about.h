/* What the agent said of a process when it was first seen, and how it ended. */
#ifndef COLLECTOR_STORE_INSTANCE_ABOUT_H
#define COLLECTOR_STORE_INSTANCE_ABOUT_H

#include "store.h"

struct instance_about {
    const char *host, *pod, *container_id, *runtime_version;
    const char *end_reason; /* "" while it runs */
    uint32_t pid;
};

/* Of `count` processes of a service, in the order of `ids`, in the arena. Texts of one that is not
 * in the database are "". */
enum status instance_about_read(struct db *db, int64_t service_id, const int64_t *ids, size_t count,
                                struct arena *arena, struct instance_about **ret,
                                struct why *why) MUST_CHECK;

#endif
