#include "access_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "attributes.h"

/* The digest of the token "open sesame". */
#define SESAME "41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb"

static struct access_policy *parse(const char *text)
{
    struct access_policy *policy = NULL;
    struct why why = {""};
    if (access_policy_parse(text, strlen(text), &policy, &why) != STATUS_OK)
        fail_msg("%s", why.text);
    return policy;
}

static const struct access_peer nobody = {0};
static const struct access_peer local = {.is_local = 1};
static const struct access_peer alice = {.names = {{"cn", "alice"}}, .name_count = 1};
static const struct access_peer shop_agent = {
    .names = {{"spiffe", "spiffe://example.org/ns/shop/sa/agent"},
              {"san", "spiffe://example.org/ns/shop/sa/agent"},
              {"san", "agent-7.shop.example"},
              {"cn", "agent"}},
    .name_count = 4};
static const struct access_peer sesame = {.token = "open sesame"};
static const struct access_peer wrong_token = {.token = "open sesam", .is_local = 1};

static void rules_match_who_they_name(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        const struct access_peer *peer;
        unsigned roles;
    } rows[] = {
        {"local read", &local, ACCESS_READ},
        {"local read", &nobody, 0},
        {"local read", &alice, 0},
        {"cn:alice admin", &alice, ACCESS_ADMIN},
        {"cn:al* read", &alice, ACCESS_READ},
        {"cn:alic read", &alice, 0},
        {"cn:lice read", &alice, 0},
        {"san:alice read", &alice, 0},
        {"cn:* read", &nobody, 0},
        {"cn:* read", &sesame, 0},
        {"san:agent-*.shop.example agent *", &shop_agent, ACCESS_AGENT},
        {"san:*.example agent *", &shop_agent, ACCESS_AGENT},
        {"san:*.shop agent *", &shop_agent, 0},
        {"spiffe://example.org/ns/*/sa/agent agent *", &shop_agent, ACCESS_AGENT},
        {"spiffe://example.com/ns/shop/sa/agent agent *", &shop_agent, 0},
        {"sha256:" SESAME " read", &sesame, ACCESS_READ},
        {"sha256:" SESAME " read", &wrong_token, 0},
        {"sha256:" SESAME " read", &alice, 0},
        {"cn:alice read\ncn:a* agent *\nlocal admin", &alice, ACCESS_READ | ACCESS_AGENT},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct access_policy *policy = parse(rows[i].rule);
        unsigned roles = access_policy_roles(policy, rows[i].peer, NULL, NULL);
        if (roles != rows[i].roles)
            fail_msg("row %zu (%s): %u", i, rows[i].rule, roles);
        access_policy_free(policy);
    }
}

static void agents_write_what_they_are_allowed(void **state)
{
    (void)state;
    struct access_policy *policy = parse("# two teams\n"
                                         "cn:agent agent shop-*,cart  shop # of the shop\n"
                                         "cn:agent read\n"
                                         "cn:alice agent *\n");
    static const struct {
        const struct access_peer *peer;
        const char *service;
        int allowed;
    } rows[] = {
        {&shop_agent, "shop-front", 1}, {&shop_agent, "shop-", 1}, {&shop_agent, "shop", 0},
        {&shop_agent, "cart", 1},       {&shop_agent, "cart2", 0}, {&shop_agent, "a-shop-b", 0},
        {&shop_agent, "", 0},           {&shop_agent, "*", 0},     {&shop_agent, "shop-*,cart", 1},
        {&alice, "anything", 1},        {&alice, "", 1},           {&local, "cart", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *rule = NULL;
        unsigned roles = access_policy_roles(policy, rows[i].peer, rows[i].service, &rule);
        assert_int_equal((roles & ACCESS_AGENT) != 0, rows[i].allowed);
        assert_string_equal(rule, rows[i].peer == &shop_agent ? "shop"
                                  : rows[i].peer == &alice    ? "cn:alice"
                                                              : "");
    }
    access_policy_free(policy);
}

static void patterns(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        int matches;
    } rows[] = {
        {"", "", 1},
        {"", "a", 0},
        {"*", "", 1},
        {"*", "abc", 1},
        {"**", "abc", 1},
        {"a*c", "abc", 1},
        {"a*c", "abcd", 0},
        {"a*c", "ac", 1},
        {"*b*", "abc", 1},
        {"*b*", "ac", 0},
        {"a*b*c", "aXbYbZc", 1},
        {"*aab", "aaaab", 1},
        {"[a]", "a", 0},
        {"?", "a", 0},
        {"\\*", "*", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (access_pattern_matches(rows[i].pattern, rows[i].text) != rows[i].matches)
            fail_msg("row %zu: %s", i, rows[i].pattern);
    }
}

static void sentences(void **state)
{
    (void)state;
    static const struct {
        const char *text, *sentence;
    } rows[] = {
        {"cn:alice\n", "line 1: who and what are expected: \"cn:alice read\""},
        {"\n# x\nalice read", "line 3: 'alice' is nobody: san:NAME, cn:NAME, spiffe://..., "
                              "sha256:DIGEST or local is expected"},
        {"cn: read", "line 1: 'cn:' has no name behind it"},
        {"cn:a king", "line 1: 'king' is no role: agent, read or admin is expected"},
        {"cn:a agent", "line 1: the services are missing that the agent may write; * is all"},
        {"cn:a read name more", "line 1: 'more' is one word too many"},
        {"cn:a agent * name more", "line 1: 'more' is one word too many"},
        {"sha256:12 read", "line 1: behind \"sha256:\" stand 64 digits 0-9 and a-f: "
                           "\"heapfleet-collector token new\" makes such a line"},
        {"cn:\xff read", "line 1: the line is not text"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct access_policy *policy = NULL;
        struct why why = {""};
        assert_int_equal(access_policy_parse(rows[i].text, strlen(rows[i].text), &policy, &why),
                         STATUS_USAGE);
        assert_string_equal(why.text, rows[i].sentence);
    }
}

static void an_empty_policy_allows_nothing(void **state)
{
    (void)state;
    struct access_policy *policy = parse("# nobody\n");
    assert_int_equal(access_policy_rules(policy), 0);
    assert_int_equal(access_policy_roles(policy, &local, NULL, NULL), 0);
    assert_int_equal(access_policy_roles(policy, &sesame, NULL, NULL), 0);
    access_policy_free(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_match_who_they_name),
        cmocka_unit_test(agents_write_what_they_are_allowed),
        cmocka_unit_test(patterns),
        cmocka_unit_test(sentences),
        cmocka_unit_test(an_empty_policy_allows_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
