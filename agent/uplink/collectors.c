#include "collectors.h"

#include <stdlib.h>
#include <string.h>

#include "attributes.h"

/* fn for each address of the list; the first failure ends it. */
typedef enum status address_fn(void *user, const char *address, struct why *why);

static enum status each_address(const char *text, address_fn *fn, void *user, struct why *why)
{
    enum status status = STATUS_OK;
    for (const char *at = text; at != NULL && status == STATUS_OK;) {
        const char *comma = strchr(at, ',');
        size_t size = comma == NULL ? strlen(at) : (size_t)(comma - at);
        char address[COLLECTOR_BYTES_MAX];
        if (size >= sizeof(address))
            return why_fail(why, STATUS_INVALID, "an address has more than %d bytes",
                            COLLECTOR_BYTES_MAX - 1);
        memcpy(address, at, size);
        address[size] = '\0';
        status = fn(user, address, why);
        at = comma == NULL ? NULL : comma + 1;
    }
    return status;
}

struct checking {
    const struct rpc_channel_options *options;
    size_t count;
};

static enum status check_address(void *user, const char *address, struct why *why)
{
    struct checking *checking = user;
    if (++checking->count > COLLECTORS_MAX)
        return why_fail(why, STATUS_LIMIT, "there are more than %d collectors", COLLECTORS_MAX);
    struct rpc_channel_options options = *checking->options;
    options.target = address;
    return rpc_channel_check(&options, why);
}

enum status collectors_check(const struct rpc_channel_options *options, struct why *why)
{
    struct checking checking = {.options = options};
    return each_address(options->target, check_address, &checking, why);
}

struct opening {
    const struct rpc_channel_options *options;
    struct collectors *collectors;
};

static enum status open_address(void *user, const char *address, struct why *why)
{
    const struct opening *opening = user;
    struct collectors *collectors = opening->collectors;
    struct rpc_channel_options options = *opening->options;
    options.target = address;
    if (collectors->count > 0)
        options.thread_of = collectors->channels[0];
    enum status status = rpc_channel_new(&options, &collectors->channels[collectors->count], why);
    if (status != STATUS_OK)
        return status;
    collectors->targets[collectors->count] = strdup(address);
    ASSERT(collectors->targets[collectors->count] != NULL);
    collectors->count++;
    return STATUS_OK;
}

enum status collectors_open(const struct rpc_channel_options *options, struct collectors *ret,
                            struct why *why)
{
    struct opening opening = {options, ret};
    *ret = (struct collectors){.count = 0};
    if (collectors_check(options, why) != STATUS_OK)
        return STATUS_USAGE;
    enum status status = each_address(options->target, open_address, &opening, why);
    if (status != STATUS_OK)
        collectors_close(ret);
    return status;
}

/* The first one last: it has the thread. */
void collectors_close(struct collectors *collectors)
{
    while (collectors->count > 0) {
        collectors->count--;
        rpc_channel_free(collectors->channels[collectors->count]);
        free(collectors->targets[collectors->count]);
    }
}

enum status collectors_set_tls(struct collectors *collectors, const struct rpc_tls_texts *texts,
                               struct why *why)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < collectors->count && status == STATUS_OK; i++)
        status = rpc_channel_set_tls(collectors->channels[i], texts, why);
    return status;
}

enum status collectors_set_token(struct collectors *collectors, const char *token, struct why *why)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < collectors->count && status == STATUS_OK; i++)
        status = rpc_channel_set_token(collectors->channels[i], token, why);
    return status;
}

struct rpc_channel *collectors_channel(const struct collectors *collectors)
{
    return collectors->channels[collectors->present];
}

const char *collectors_target(const struct collectors *collectors)
{
    return collectors->targets[collectors->present];
}

void collectors_turn(struct collectors *collectors)
{
    collectors->present = (collectors->present + 1) % collectors->count;
}
