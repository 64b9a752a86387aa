#include "gate.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "attributes.h"
#include "buf.h"
#include "file.h"
#include "log.h"
#include "rpc_accept.h"

/* The contents of the files, to see whether they differ. */
struct contents {
    struct rpc_tls_texts tls;
    struct buf access;
};

struct gate {
    char *paths[4]; /* certificate, key, ca, access; NULL: not used */
    int client_optional;
    struct contents now;     /* in force */
    struct contents refused; /* complained of already */
    struct access *access;
    struct rpc_server *server; /* NULL before gate_attach */
};

enum { CERTIFICATE, KEY, CA, ACCESS };

/* ---- contents ------------------------------------------------------------------------------- */

static void contents_done(struct contents *contents)
{
    rpc_tls_texts_done(&contents->tls);
    buf_done(&contents->access);
}

static void replace(struct contents *old, struct contents *by)
{
    contents_done(old);
    *old = *by;
    *by = (struct contents){0};
}

static int same_bytes(const struct buf *a, const struct buf *b)
{
    return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

static int same(const struct contents *a, const struct contents *b)
{
    return rpc_tls_texts_equal(&a->tls, &b->tls) && same_bytes(&a->access, &b->access);
}

static enum status read_contents(char *const *paths, struct contents *ret, struct why *why)
{
    const struct rpc_tls_paths tls = {
        .certificate = paths[CERTIFICATE], .key = paths[KEY], .ca = paths[CA]};
    struct contents contents = {0};
    enum status status = rpc_tls_texts_read(&tls, &contents.tls, why);
    if (status == STATUS_OK && paths[ACCESS] != NULL)
        status = file_read(paths[ACCESS], ACCESS_FILE_BYTES_MAX, &contents.access, why);
    if (status == STATUS_OK)
        *ret = contents;
    else
        contents_done(&contents);
    return status;
}

/* `*ret` stays NULL where no policy is used. */
static enum status parse_access(const char *path, const struct buf *text,
                                struct access_policy **ret, struct why *why)
{
    if (path == NULL)
        return STATUS_OK;
    enum status status = access_policy_parse((const char *)text->data, text->size, ret, why);
    if (status != STATUS_OK)
        why_prefix(why, "%s", path);
    return status;
}

/* ---- reading again -------------------------------------------------------------------------- */

/* On its way to the server's thread. */
struct new_policy {
    struct gate *gate;
    struct access_policy *policy;
};

static void use_policy(void *arg)
{
    struct new_policy *fresh = arg;
    access_set_policy(fresh->gate->access, fresh->policy);
    rpc_server_review(fresh->gate->server);
    free(fresh);
}

static enum status use(struct gate *gate, const struct contents *contents, struct why *why)
{
    struct access_policy *policy = NULL;
    enum status status = parse_access(gate->paths[ACCESS], &contents->access, &policy, why);
    if (status == STATUS_OK && !rpc_tls_texts_equal(&contents->tls, &gate->now.tls))
        status = rpc_server_set_tls(gate->server, &contents->tls, why);
    if (status != STATUS_OK || same_bytes(&contents->access, &gate->now.access)) {
        access_policy_free(policy);
        return status;
    }
    struct new_policy *fresh = calloc(1, sizeof(*fresh));
    ASSERT(fresh != NULL);
    *fresh = (struct new_policy){gate, policy};
    rpc_server_post(gate->server, use_policy, fresh);
    return STATUS_OK;
}

static void complain(struct gate *gate, struct contents *contents, const struct why *why)
{
    if (!same(contents, &gate->refused))
        log_event(LOG_WARN, "files.refused", "reason=\"%s\" action=\"the old ones stay in force\"",
                  why->text);
    replace(&gate->refused, contents);
}

void gate_reload(struct gate *gate)
{
    struct contents fresh = {0};
    struct why why = {""};
    enum status status = read_contents(gate->paths, &fresh, &why);
    if (status == STATUS_OK && same(&fresh, &gate->now)) {
        contents_done(&fresh);
        return;
    }
    if (status == STATUS_OK)
        status = use(gate, &fresh, &why);
    if (status != STATUS_OK) {
        if (fresh.access.size == 0 && fresh.tls.certificate == NULL) /* it could not be read */
            buf_append_text(&fresh.access, why.text);
        complain(gate, &fresh, &why);
        contents_done(&fresh);
        return;
    }
    log_event(LOG_INFO, "files.reloaded", "certificates=%s access=%s",
              rpc_tls_texts_equal(&fresh.tls, &gate->now.tls) ? "same" : "new",
              same_bytes(&fresh.access, &gate->now.access) ? "same" : "new");
    replace(&gate->now, &fresh);
    contents_done(&gate->refused);
}

/* ---- beginning and end ---------------------------------------------------------------------- */

static void set_path(char **path, const char *text)
{
    char *copy = text == NULL ? NULL : strdup(text);
    ASSERT(text == NULL || copy != NULL);
    free(*path);
    *path = copy;
}

static void set_paths(struct gate *gate, const struct gate_options *options)
{
    set_path(&gate->paths[CERTIFICATE], options->tls.certificate);
    set_path(&gate->paths[KEY], options->tls.key);
    set_path(&gate->paths[CA], options->tls.ca);
    set_path(&gate->paths[ACCESS], options->access);
}

enum status gate_set_paths(struct gate *gate, const struct gate_options *options, struct why *why)
{
    const char *const fresh[] = {options->tls.certificate, options->tls.key, options->tls.ca,
                                 options->access};
    for (size_t i = 0; i < ARRAY_SIZE(fresh); i++) {
        if ((fresh[i] == NULL) != (gate->paths[i] == NULL))
            return why_fail(why, STATUS_INVALID,
                            "whether TLS and a policy are used cannot change without a restart");
    }
    set_paths(gate, options);
    return STATUS_OK;
}

enum status gate_new(const struct gate_options *options, struct gate **ret, struct why *why)
{
    struct gate *gate = calloc(1, sizeof(*gate));
    struct access_policy *policy = NULL;
    ASSERT(gate != NULL);
    gate->client_optional = options->client_optional;
    set_paths(gate, options);
    enum status status = read_contents(gate->paths, &gate->now, why);
    if (status == STATUS_OK)
        status = rpc_tls_texts_try(&gate->now.tls, why);
    if (status == STATUS_OK)
        status = parse_access(gate->paths[ACCESS], &gate->now.access, &policy, why);
    if (status != STATUS_OK) {
        gate_free(gate);
        return status;
    }
    gate->access = access_new(policy, options->is_open);
    *ret = gate;
    return STATUS_OK;
}

void gate_free(struct gate *gate)
{
    if (gate == NULL)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(gate->paths); i++)
        free(gate->paths[i]);
    contents_done(&gate->now);
    contents_done(&gate->refused);
    access_free(gate->access);
    free(gate);
}

void gate_fill(const struct gate *gate, struct rpc_server_options *ret)
{
    ret->tls_certificate = gate->now.tls.certificate;
    ret->tls_key = gate->now.tls.key;
    ret->tls_client_ca = gate->now.tls.ca;
    ret->tls_client_optional = gate->client_optional;
    ret->admit = access_admit;
    ret->admit_user = gate->access;
}

void gate_attach(struct gate *gate, struct rpc_server *server)
{
    gate->server = server;
}

struct access *gate_access(const struct gate *gate)
{
    return gate->access;
}

/* ---- metrics -------------------------------------------------------------------------------- */

/* What the network counts: a field of one of its structs. */
struct network_count {
    const char *name, *labels, *help;
    int is_of_accept; /* of struct rpc_accept_counts, not of struct rpc_server_counts */
    size_t offset;
};

static const char connections_help[] =
    "Connections that were accepted or not; of those that were: used by a call, cut, mute until "
    "--handshake-timeout, silent when --keepalive asked, or sent away for their pings.";
static const char calls_help[] = "Calls that were refused for what their connection does.";

#define OF_ACCEPT(field) 1, offsetof(struct rpc_accept_counts, field)
#define OF_SERVER(field) 0, offsetof(struct rpc_server_counts, field)
#define CONNECTIONS "heapfleet_collector_connections_total"
#define CALLS "heapfleet_collector_calls_refused_total"

static const struct network_count network_counts[] = {
    {CONNECTIONS, "result=\"accepted\"", connections_help, OF_ACCEPT(accepted)},
    {CONNECTIONS, "result=\"refused\"", connections_help, OF_ACCEPT(refused)},
    {CONNECTIONS, "result=\"no_descriptor\"", connections_help, OF_ACCEPT(exhausted)},
    {CONNECTIONS, "result=\"used\"", connections_help, OF_SERVER(used)},
    {CONNECTIONS, "result=\"cut\"", connections_help, OF_ACCEPT(cut)},
    {CONNECTIONS, "result=\"mute\"", connections_help, OF_SERVER(mute)},
    {CONNECTIONS, "result=\"silent\"", connections_help, OF_SERVER(silent)},
    {CONNECTIONS, "result=\"pinging\"", connections_help, OF_SERVER(pinging)},
    {"heapfleet_collector_connections_full_total", NULL,
     "Times that a connection had as many streams as it may: --max-streams-per-connection.",
     OF_SERVER(full)},
    {CALLS, "reason=\"streams_per_connection\"", calls_help, OF_SERVER(too_many)},
    {CALLS, "reason=\"http2\"", calls_help, OF_SERVER(broken)},
    {CALLS, "reason=\"call_rate\"", calls_help, OF_SERVER(too_fast)},
    {CALLS, "reason=\"message_size\"", calls_help, OF_SERVER(too_large)},
    {CALLS, "reason=\"headers\"", calls_help, OF_SERVER(too_long)},
    {"heapfleet_collector_network_memory_total", NULL,
     "Streams and connections that were sent away for --max-network-memory.", OF_SERVER(memory)},
};

static double read_network_count(void *arg)
{
    const struct network_count *count = arg;
    struct rpc_accept_counts accept = rpc_accept_counts();
    struct rpc_server_counts server = rpc_server_counts();
    const char *counts = count->is_of_accept ? (const char *)&accept : (const char *)&server;
    uint64_t value;
    memcpy(&value, counts + count->offset, sizeof(value));
    return (double)value;
}

static double admitted(void *arg)
{
    return (double)access_counts(arg).admitted;
}

static double unauthenticated(void *arg)
{
    return (double)access_counts(arg).unauthenticated;
}

static double denied(void *arg)
{
    return (double)access_counts(arg).denied;
}

static double services_denied(void *arg)
{
    return (double)access_counts(arg).services_denied;
}

void gate_add_metrics(struct gate *gate, struct metrics *metrics)
{
    static const struct {
        const char *name, *labels, *help;
        metric_read_fn *read;
    } rows[] = {
        {"heapfleet_collector_calls_total", "result=\"admitted\"",
         "Calls by what the policy says of them.", admitted},
        {"heapfleet_collector_calls_total", "result=\"unauthenticated\"",
         "Calls by what the policy says of them.", unauthenticated},
        {"heapfleet_collector_calls_total", "result=\"denied\"",
         "Calls by what the policy says of them.", denied},
        {"heapfleet_collector_services_denied_total", NULL,
         "Processes whose service their agent may not write.", services_denied},
    };
    for (size_t i = 0; i < ARRAY_SIZE(network_counts); i++) {
        const struct network_count *count = &network_counts[i];
        metrics_computed(metrics, 1, count->name, count->labels, count->help, read_network_count,
                         (void *)count);
    }
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        metrics_computed(metrics, 1, rows[i].name, rows[i].labels, rows[i].help, rows[i].read,
                         gate->access);
}
