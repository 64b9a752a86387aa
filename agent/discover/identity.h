/*
 * Whose process is this? Service, version, environment and place of a process, from what is already
 * there: its environment, its arguments, its control group. Names follow OpenTelemetry's resource
 * attributes. First match wins, field by field:
 *
 *     1. the agent's own flags
 *     2. OTEL_SERVICE_NAME, then OTEL_RESOURCE_ATTRIBUTES (one bad pair discards the list)
 *     3. DD_SERVICE, DD_ENV, DD_VERSION
 *     4. what Kubernetes manifests usually pass down (POD_NAME, NODE_NAME, ...)
 *     5. the image's name and tag (CONTAINER_IMAGE, container.image.*)
 *     6. for the service, the arguments: the script's name or the module after -m
 *
 * All of it is outside input: a value that is not UTF-8, holds control bytes or is longer than
 * IDENTITY_VALUE_BYTES_MAX is passed over as if it were not there.
 */
#ifndef AGENT_DISCOVER_IDENTITY_H
#define AGENT_DISCOVER_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "container.h"
#include "options.h"
#include "proc.h"
#include "status.h"
#include "why.h"

enum {
    IDENTITY_VALUE_BYTES_MAX = 512,
    IDENTITY_ATTRIBUTES_MAX = 64,
    IDENTITY_BYTES_MAX = 192 * 1024, /* an arena of this size is enough for any identity */
    INSTANCE_ID_BYTES = 16,
};

enum identity_field {
    IDENTITY_SERVICE,
    IDENTITY_NAMESPACE,
    IDENTITY_VERSION,
    IDENTITY_ENVIRONMENT,
    IDENTITY_HOST,
    IDENTITY_POD,
    IDENTITY_CONTAINER,
    IDENTITY_IMAGE,
    IDENTITY_FIELDS
};

struct identity_attribute {
    const char *key, *value;
};

/* Texts live in the arena that was given; none is NULL (absent: ""). */
struct identity {
    const char *field[IDENTITY_FIELDS];
    struct identity_attribute attributes[IDENTITY_ATTRIBUTES_MAX];
    size_t attribute_count;
};

/* The agent's own flags. NULL: not given. */
struct identity_options {
    const char *service, *service_namespace, *environment, *host;
    const char *version;      /* --service-version */
    const char *version_from; /* NAME of an environment variable, or file:/PATH in the target */
    struct option_list attributes; /* "key=value" */
};

/* STATUS_USAGE when an attribute is not "key=value", or a text breaks the rules above. */
enum status identity_check_options(const struct identity_options *options,
                                   struct why *why) MUST_CHECK;

/* What a process says of itself; blocks as the kernel has them, zero bytes between the items. */
struct identity_sources {
    const char *environment, *arguments;
    size_t environment_size, arguments_size;
    const char *container_id; /* "" if not known */
    const char *version_text; /* content of the version_from file, or NULL */
    const char *host_name;    /* of this machine */
};

/* Pure: sources in, identity out. `arena` has room for IDENTITY_BYTES_MAX. */
void identity_resolve(const struct identity_options *options,
                      const struct identity_sources *sources, struct arena *arena,
                      struct identity *ret);

/*
 * The same for a live process. What cannot be read counts as absent; GONE when the process has
 * ended. `ret_memory` says where its container's memory can be read.
 */
enum status identity_read(const struct proc_fs *fs, pid_t pid,
                          const struct identity_options *options, struct arena *arena,
                          struct identity *ret,
                          struct container_memory_path *ret_memory) MUST_CHECK;

/*
 * The name of a program's run in a process for ever: a 128-bit hash of boot id, PID namespace, its
 * pid as seen from inside, its start time, and where the kernel put the program (`image` of struct
 * proc_stat): an exec() begins another heap, which is another instance. The same whoever may read
 * its memory.
 */
void identity_instance_id(const char *boot_id, const char *pid_namespace, pid_t namespace_pid,
                          uint64_t start_ticks, uint64_t image, uint8_t ret[INSTANCE_ID_BYTES]);
enum status identity_read_instance_id(const struct proc_fs *fs, pid_t pid, uint64_t start_ticks,
                                      uint64_t image, uint8_t ret[INSTANCE_ID_BYTES]) MUST_CHECK;

#endif
