/*
 * Which methods want which role is a table; a method that is not in it is for admins.
 */
#include "access.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attributes.h"
#include "clock.h"
#include "log.h"

enum {
    REMEMBERED = 1024, /* denials, by hash; a newer one takes the place of an older */
    REMEMBERED_MS = 10 * 60 * 1000,
    MINUTE_MS = 60 * 1000,
    PEER_BYTES = 128,
};

struct denial {
    uint64_t hash; /* of peer and method */
    int64_t said_ms;
};

struct access {
    struct access_policy *policy; /* NULL: none */
    int is_open;
    atomic_ullong admitted, unauthenticated, denied, services_denied;
    struct denial denials[REMEMBERED];
    int64_t minute_ms; /* when the present one began */
    unsigned said, unsaid;
};

static const struct {
    const char *start; /* of the method's path */
    unsigned roles;    /* any of them; 0: for everybody who can connect */
} methods[] = {
    {"/grpc.health.v1.Health/", 0},
    {"/heapfleet.v1.Ingest/Stream", ACCESS_AGENT},
    {"/heapfleet.v1.Query/", ACCESS_READ | ACCESS_ADMIN}, /* they only read */
    {"/grpc.reflection.", ACCESS_READ | ACCESS_ADMIN},
};

static unsigned roles_of_method(const char *path)
{
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        if (strncmp(path, methods[i].start, strlen(methods[i].start)) == 0)
            return methods[i].roles;
    }
    return ACCESS_ADMIN;
}

/* ---- who calls ------------------------------------------------------------------------------ */

/* What stands behind "Bearer " in the header; NULL: there is none. */
static const char *token_of(struct rpc_call *call)
{
    static const char bearer[] = "bearer ";
    const char *header = rpc_call_header(call, "authorization");
    if (header == NULL || strlen(header) > ACCESS_TOKEN_BYTES_MAX)
        return NULL;
    if (strncasecmp(header, bearer, sizeof(bearer) - 1) != 0)
        return NULL;
    return header + sizeof(bearer) - 1;
}

static void find_peer(struct rpc_call *call, struct access_peer *ret)
{
    ret->token = token_of(call);
    ret->is_local = rpc_call_peer_is_local(call);
    ret->name_count = 0;
    size_t index = 0;
    const char *kind = NULL, *name = NULL;
    while (ret->name_count < ACCESS_PEER_NAMES_MAX &&
           (name = rpc_call_peer_name(call, &index, &kind)) != NULL) {
        ret->names[ret->name_count].kind = kind;
        ret->names[ret->name_count++].name = name;
    }
}

static int is_anybody(const struct access_peer *peer)
{
    return peer->token == NULL && peer->name_count == 0;
}

/* ---- telling it ----------------------------------------------------------------------------- */

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv */
static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (uint8_t)*text) * 1099511628211ULL;
    return (hash ^ 0xff) * 1099511628211ULL;
}

/* The peer's address without its port, or its certificate's first name: what stays the same. */
static void describe_peer(struct rpc_call *call, const struct access_peer *peer,
                          char ret[PEER_BYTES])
{
    const char *address = rpc_call_peer(call);
    const char *colon = strrchr(address, ':');
    size_t size = colon != NULL ? (size_t)(colon - address) : strlen(address);
    (void)snprintf(ret, PEER_BYTES, "%.*s%s%s", (int)size, address, peer->name_count > 0 ? " " : "",
                   peer->name_count > 0 ? peer->names[0].name : "");
}

/* 1: say it. Counts what is not said, and tells the sum when the next minute begins. */
static int should_say(struct access *access, uint64_t hash)
{
    int64_t now_ms = clock_mono_ms();
    struct denial *denial = &access->denials[hash % REMEMBERED];
    if (now_ms - access->minute_ms >= MINUTE_MS) {
        if (access->unsaid > 0)
            log_event(LOG_WARN, "access.denied", "more=%u", access->unsaid);
        access->minute_ms = now_ms;
        access->said = access->unsaid = 0;
    }
    if (denial->hash == hash && now_ms - denial->said_ms < REMEMBERED_MS)
        return 0;
    if (access->said >= ACCESS_DENIALS_LOGGED_A_MINUTE) {
        access->unsaid++;
        return 0;
    }
    *denial = (struct denial){.hash = hash, .said_ms = now_ms};
    access->said++;
    return 1;
}

static void tell_denial(struct access *access, struct rpc_call *call,
                        const struct access_peer *peer, const char *what, const char *rule,
                        const char *reason)
{
    char words[PEER_BYTES];
    describe_peer(call, peer, words);
    uint64_t hash = hash_text(hash_text(14695981039346656037ULL, words), what);
    if (should_say(access, hash))
        log_event(LOG_WARN, "access.denied", "peer=\"%s\" rule=\"%s\" what=\"%s\" reason=\"%s\"",
                  words, rule, what, reason);
}

/* ---- deciding ------------------------------------------------------------------------------- */

static unsigned roles_of_peer(const struct access *access, const struct access_peer *peer,
                              const char *service, const char **ret_rule)
{
    *ret_rule = "";
    if (access->policy != NULL)
        return access_policy_roles(access->policy, peer, service, ret_rule);
    if (access->is_open || peer->is_local)
        return ACCESS_AGENT | ACCESS_READ | ACCESS_ADMIN;
    return 0;
}

/* What a peer shows has no rule, and one for everybody here let it in: it will think that it is
 * known. */
static int is_known_as_local_only(const struct access *access, const struct access_peer *peer)
{
    struct access_peer elsewhere = *peer;
    const char *rule = "";
    elsewhere.is_local = 0;
    return !is_anybody(peer) && roles_of_peer(access, &elsewhere, NULL, &rule) == 0;
}

enum rpc_code access_admit(void *user, struct rpc_call *call, const struct rpc_method *method,
                           const char **ret_message)
{
    struct access *access = user;
    struct access_peer peer;
    const char *rule = "";
    unsigned wanted = roles_of_method(method->path);
    find_peer(call, &peer);
    unsigned roles = wanted == 0 ? 0 : roles_of_peer(access, &peer, NULL, &rule);
    if (wanted == 0 || (roles & wanted) != 0) {
        atomic_fetch_add_explicit(&access->admitted, 1, memory_order_relaxed);
        return RPC_OK;
    }
    enum rpc_code code = roles == 0 ? RPC_UNAUTHENTICATED : RPC_PERMISSION_DENIED;
    if (code == RPC_PERMISSION_DENIED && is_known_as_local_only(access, &peer))
        *ret_message = "the token or certificate has no rule, and who is local may not do this";
    else if (code == RPC_PERMISSION_DENIED)
        *ret_message = "what you are known as may not do this";
    else if (is_anybody(&peer))
        *ret_message = "this collector wants to know who you are: give a token or a certificate";
    else
        *ret_message = "this collector does not know you: the token or certificate has no rule";
    if (code == RPC_PERMISSION_DENIED)
        atomic_fetch_add_explicit(&access->denied, 1, memory_order_relaxed);
    else
        atomic_fetch_add_explicit(&access->unauthenticated, 1, memory_order_relaxed);
    tell_denial(access, call, &peer, method->path, rule, rpc_code_name((int)code));
    return code;
}

enum status access_may_write(void *user, struct rpc_call *call, const char *service,
                             struct why *why)
{
    struct access *access = user;
    struct access_peer peer;
    const char *rule = "";
    find_peer(call, &peer);
    if ((roles_of_peer(access, &peer, service, &rule) & ACCESS_AGENT) != 0)
        return STATUS_OK;
    atomic_fetch_add_explicit(&access->services_denied, 1, memory_order_relaxed);
    tell_denial(access, call, &peer, service, rule, "the agent may not write this service");
    return why_fail(why, STATUS_DENIED, "the agent may not write the service \"%s\"", service);
}

/* --------------------------------------------------------------------------------------------- */

struct access *access_new(struct access_policy *policy, int is_open)
{
    struct access *access = calloc(1, sizeof(*access));
    ASSERT(access != NULL);
    access->policy = policy;
    access->is_open = is_open;
    access->minute_ms = clock_mono_ms();
    return access;
}

void access_free(struct access *access)
{
    if (access == NULL)
        return;
    access_policy_free(access->policy);
    free(access);
}

void access_set_policy(struct access *access, struct access_policy *policy)
{
    access_policy_free(access->policy);
    access->policy = policy;
}

struct access_counts access_counts(const struct access *access)
{
    return (struct access_counts){.admitted = access->admitted,
                                  .unauthenticated = access->unauthenticated,
                                  .denied = access->denied,
                                  .services_denied = access->services_denied};
}
