/*
 * The answers to the questions of proto/heapfleet/v1/query.proto. One function a question: it reads
 * the store and returns the answer as a message in the arena.
 *
 * No clock, no thread, no gRPC: query_service.h brings those. A failure is a status with a sentence
 * for the person who asked; NOT_FOUND names what there is instead.
 */
#ifndef COLLECTOR_QUERY_QUERY_H
#define COLLECTOR_QUERY_QUERY_H

#include <stdint.h>

#include "arena.h"
#include "query.pb-c.h"
#include "status.h"
#include "store.h"
#include "why.h"

/* What a question is answered with. */
struct query {
    struct db *db;
    struct arena *arena; /* of this question: rows that were read, and the answer */
    int64_t now_ms;
    /* Of a stream, [QUERY_TOKEN_BYTES]: where the page begins, empty for where the request says;
     * then where the next one does, empty when there is none. */
    char *place;
};

/* `request` and `*ret` are the messages that the question's method has in query.proto. */
typedef enum status query_answer_fn(struct query *query, const ProtobufCMessage *request,
                                    ProtobufCMessage **ret, struct why *why);

query_answer_fn query_list_services;
query_answer_fn query_list_deployments;
query_answer_fn query_get_top;
query_answer_fn query_get_history;
query_answer_fn query_stream_history; /* a page of the stream */
query_answer_fn query_compare_deployments;
query_answer_fn query_list_leaks;
query_answer_fn query_get_leak;
query_answer_fn query_list_mutes;
query_answer_fn query_judge_deployment;
query_answer_fn query_acknowledge_leak;
query_answer_fn query_mute_leaks;
query_answer_fn query_unmute_leaks;
query_answer_fn query_list_instances;
query_answer_fn query_get_growth;

/* ---- what the answers share ----------------------------------------------------------------- */

enum {
    QUERY_LIMIT_DEFAULT = 20, /* rows of an answer, when the request names no limit */
    QUERY_LIMIT_MAX = 1000,
    QUERY_INTERVAL_DEFAULT_MS = 60000, /* between snapshots, of a process that has sent only one */
    QUERY_GRACE_MS = 5000,             /* for a snapshot's way into the database */
};

/* `size` bytes of zeros in the question's arena, or STATUS_LIMIT. */
enum status query_alloc(struct query *query, size_t size, void **ret, struct why *why) MUST_CHECK;

/* INVALID: a time that is none, a span that ends before it begins, or begins in the future. */
enum status query_check_span(int64_t from_ms, int64_t to_ms, int64_t now_ms,
                             struct why *why) MUST_CHECK;

int64_t query_interval_ms(const struct instance_row *instance); /* never 0 */

/* Not ended, and its newest snapshot is at most three intervals and the grace old. */
int query_is_live(const struct instance_row *instance, int64_t now_ms);

#endif
