/* What a kind of remote must be able to do. Of this folder only; remote.h is the manual. */
#ifndef AGENT_REMOTE_REMOTE_OPS_H
#define AGENT_REMOTE_REMOTE_OPS_H

#include "remote.h"

struct remote_ops {
    size_t (*gather)(struct remote *remote, const struct remote_range *ranges, size_t count,
                     void *to);
    /* Of one page. */
    enum status (*quiet)(struct remote *remote, struct remote_range range, void *to, int as_linked);
    enum status (*regions)(struct remote *remote, struct remote_regions *ret, struct why *why);
    size_t (*present)(struct remote *remote, addr_t start, addr_t end, struct remote_range *ret,
                      size_t capacity, addr_t *ret_next, int with_file_pages);
    void (*close)(struct remote *remote); /* frees */
};

/* The first member of every kind. */
struct remote {
    const struct remote_ops *ops;
    enum status state;
    int lacked; /* remote_lacked */
};

/* Append; counts are bounded by REMOTE_REGIONS_MAX (`cut` tells). */
void remote_regions_add(struct remote_regions *regions, struct remote_region region);

#endif
