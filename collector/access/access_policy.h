/*
 * Who may do what: the file of --access, a line a rule. Pure.
 *
 *     # who                                    may      services      name
 *     san:agent-*.shop.example                 agent    shop-*,cart
 *     spiffe://example.org/ns/shop/sa/agent    agent    *
 *     cn:alice                                 admin
 *     sha256:2c26b46b68ff...                   agent    shop-*        shop-agents
 *     local                                    read
 *
 * who       a name in the peer's verified certificate (`san:`, `cn:`, `spiffe://`; a "*" stands for
 *           any text), the SHA-256 digest of a bearer token, or `local`: loopback and UNIX sockets
 * may       agent: write what the services' names allow; read: ask; admin: ask and change
 * services  of agents: names with commas between, a "*" stands for any text
 * name      of the rule, for the log
 *
 * What matches several rules may what any of them allows. What matches none may nothing.
 */
#ifndef COLLECTOR_ACCESS_ACCESS_POLICY_H
#define COLLECTOR_ACCESS_ACCESS_POLICY_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"
#include "why.h"

enum access_role { ACCESS_AGENT = 1, ACCESS_READ = 2, ACCESS_ADMIN = 4 };

enum {
    ACCESS_FILE_BYTES_MAX = 1 << 20,
    ACCESS_RULES_MAX = 10000,
    ACCESS_PEER_NAMES_MAX = 64,
    ACCESS_TOKEN_BYTES_MAX = 4096,
};

struct access_policy;

/* USAGE: a line is wrong; `why` begins with "line N: ". `text` is not kept. */
enum status access_policy_parse(const char *text, size_t size, struct access_policy **ret,
                                struct why *why) MUST_CHECK;
void access_policy_free(struct access_policy *policy); /* NULL is fine */
size_t access_policy_rules(const struct access_policy *policy);
int access_policy_has_tokens(const struct access_policy *policy);

/* Who calls. The texts are the caller's. */
struct access_peer {
    struct {
        const char *kind, *name; /* "san", "cn" or "spiffe" */
    } names[ACCESS_PEER_NAMES_MAX];
    size_t name_count;
    const char *token; /* NULL: none */
    int is_local;
};

/*
 * The roles of all rules that match, 0 if there is none. `service`: those of agents count only
 * where it is allowed; NULL: any. `*ret_rule`, if not NULL, names the first match for the log, or
 * is "". Each token costs one digest and a comparison with every token of the file.
 */
unsigned access_policy_roles(const struct access_policy *policy, const struct access_peer *peer,
                             const char *service, const char **ret_rule);

/* 1 if the pattern, where "*" stands for any text, is the text. */
int access_pattern_matches(const char *pattern, const char *text);

#endif
