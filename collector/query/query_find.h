/* From the names in a request to rows of the store; and when there is no such name, which there
 * are. */
#ifndef COLLECTOR_QUERY_QUERY_FIND_H
#define COLLECTOR_QUERY_QUERY_FIND_H

#include "query.h"

/* NOT_FOUND: no such service. INVALID: no name, or several match. NULL is no name. */
enum status query_find_service(struct query *query, const Heapfleet__V1__ServiceRef *ref,
                               struct service_row *ret, struct why *why) MUST_CHECK;

/* In a question: without an environment, or a namespace. Tables show it so. */
#define QUERY_NONE "-"

/* 1 if what is asked for, "" for any and QUERY_NONE for none, is `text`. */
int query_wants(const char *wanted, const char *text);

/* 1 if the fields of `ref` (NULL: none) want those of the service. */
int query_matches(const Heapfleet__V1__ServiceRef *ref, const char *name, const char *environment,
                  const char *service_namespace);

/* What a service consists of, in the question's arena. */
struct fleet {
    struct service_row service;
    struct deployment_row *deployments; /* oldest first */
    size_t deployment_count;
    struct instance_row *instances; /* by start */
    size_t instance_count;
};

/* The service that `ref` names, with its deployments (of which last_seen_ms is 0), without
 * processes. */
enum status query_read_service(struct query *query, const Heapfleet__V1__ServiceRef *ref,
                               struct fleet *ret, struct why *why) MUST_CHECK;
/* Some of its processes, in place of those that it has. */
enum status query_read_processes(struct query *query, const struct instance_filter *filter,
                                 struct fleet *fleet, struct why *why) MUST_CHECK;
/* Those of two of its deployments; they may be the same. */
enum status query_read_versions(struct query *query, const struct deployment_row *one,
                                const struct deployment_row *other, struct fleet *fleet,
                                struct why *why) MUST_CHECK;

/* NOT_FOUND lists the versions. */
enum status query_find_version(const struct fleet *fleet, const char *version,
                               const struct deployment_row **ret, struct why *why) MUST_CHECK;

/*
 * Some processes of the fleet's service, with the type_index of one type, whose global id is
 * returned; "": of none, 0. NOT_FOUND, with near names: no process of the service has the type.
 */
enum status query_read_type(struct query *query, const struct instance_filter *filter,
                            const char *type, struct fleet *fleet, int32_t *ret,
                            struct why *why) MUST_CHECK;

/* The same in two steps: the type's id, and the processes; and what they are read by. */
enum status query_find_type(struct query *query, const struct fleet *fleet, const char *type,
                            int32_t *ret, struct why *why) MUST_CHECK;
enum status query_read_having(struct query *query, const struct instance_filter *filter,
                              const char *type, int32_t type_id, struct fleet *fleet,
                              struct why *why) MUST_CHECK;
struct instance_filter query_with_type(const struct instance_filter *filter, int32_t type_id);

/* The process whose 32 hexadecimal digits begin with these, at least four. INVALID: not digits, or
 * several do. */
enum status query_find_instance(const struct fleet *fleet, const char *digits,
                                const struct instance_row **ret, struct why *why) MUST_CHECK;

/* Of a deployment of the fleet; "" for any other. */
const char *query_version_of(const struct fleet *fleet, int64_t deployment_id);

/* Of a type that the process does not have (yet): nothing. */
struct type_value query_value_of(const struct history_snapshot *snapshot, uint32_t index);

enum { QUERY_INSTANCE_DIGITS = 2 * ID_BYTES };
/* The digits of a process and a final zero. */
void query_instance_digits(const uint8_t *uuid, char *ret);

#endif
