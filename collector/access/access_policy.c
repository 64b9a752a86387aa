#include "access_policy.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "attributes.h"
#include "digest.h"
#include "utf8.h"

enum { WORDS_MAX = 4, ARENA_BYTES_MAX = 16 << 20 };

enum who_kind { WHO_LOCAL, WHO_TOKEN, WHO_NAME };

struct rule {
    enum who_kind kind;
    const char *name_kind, *pattern; /* WHO_NAME */
    uint8_t digest[DIGEST_BYTES];    /* WHO_TOKEN */
    enum access_role role;
    const char *services; /* of agents: patterns with commas between */
    const char *name;     /* for the log */
};

struct access_policy {
    struct arena arena; /* the texts */
    struct rule *rules;
    size_t count, capacity;
    int has_tokens;
};

static const struct {
    const char *word;
    enum access_role role;
} roles[] = {{"agent", ACCESS_AGENT}, {"read", ACCESS_READ}, {"admin", ACCESS_ADMIN}};

/* ---- patterns ------------------------------------------------------------------------------- */

/* `size` bytes of pattern. Only the last star is ever tried again. */
static int matches(const char *pattern, size_t size, const char *text)
{
    size_t at = 0, star = size;
    const char *after_star = NULL;
    while (*text != '\0') {
        if (at < size && pattern[at] == '*') {
            star = at++;
            after_star = text;
        } else if (at < size && pattern[at] == *text) {
            at++;
            text++;
        } else if (star < size) {
            at = star + 1;
            text = ++after_star;
        } else {
            return 0;
        }
    }
    while (at < size && pattern[at] == '*')
        at++;
    return at == size;
}

int access_pattern_matches(const char *pattern, const char *text)
{
    return matches(pattern, strlen(pattern), text);
}

static int any_matches(const char *patterns, const char *text)
{
    for (;;) {
        size_t size = strcspn(patterns, ",");
        if (matches(patterns, size, text))
            return 1;
        if (patterns[size] == '\0')
            return 0;
        patterns += size + 1;
    }
}

/* ---- reading -------------------------------------------------------------------------------- */

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return -1;
}

static enum status parse_digest(const char *hex, uint8_t ret[DIGEST_BYTES], struct why *why)
{
    size_t size = strlen(hex);
    for (size_t i = 0; i < size && size == DIGEST_DIGITS; i += 2) {
        int high = hex_digit(hex[i]), low = hex_digit(hex[i + 1]);
        if (high < 0 || low < 0)
            size = 0;
        else
            ret[i / 2] = (uint8_t)(high << 4 | low);
    }
    if (size == DIGEST_DIGITS)
        return STATUS_OK;
    return why_fail(why, STATUS_USAGE,
                    "behind \"sha256:\" stand %d digits 0-9 and a-f: \"heapfleet-collector token "
                    "new\" makes such a line",
                    DIGEST_DIGITS);
}

static enum status parse_who(const char *word, struct rule *rule, struct why *why)
{
    static const char token[] = "sha256:", spiffe[] = "spiffe://", san[] = "san:", cn[] = "cn:";
    rule->kind = WHO_NAME;
    if (strcmp(word, "local") == 0) {
        rule->kind = WHO_LOCAL;
        return STATUS_OK;
    }
    if (strncmp(word, token, sizeof(token) - 1) == 0) {
        rule->kind = WHO_TOKEN;
        return parse_digest(word + sizeof(token) - 1, rule->digest, why);
    }
    if (strncmp(word, spiffe, sizeof(spiffe) - 1) == 0) {
        rule->name_kind = "spiffe";
        rule->pattern = word;
    } else if (strncmp(word, san, sizeof(san) - 1) == 0) {
        rule->name_kind = "san";
        rule->pattern = word + sizeof(san) - 1;
    } else if (strncmp(word, cn, sizeof(cn) - 1) == 0) {
        rule->name_kind = "cn";
        rule->pattern = word + sizeof(cn) - 1;
    } else {
        return why_fail(why, STATUS_USAGE,
                        "'%s' is nobody: san:NAME, cn:NAME, spiffe://..., sha256:DIGEST or local "
                        "is expected",
                        word);
    }
    if (rule->pattern[0] == '\0')
        return why_fail(why, STATUS_USAGE, "'%s' has no name behind it", word);
    return STATUS_OK;
}

static enum status parse_role(const char *word, struct rule *rule, struct why *why)
{
    for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
        if (strcmp(word, roles[i].word) == 0) {
            rule->role = roles[i].role;
            return STATUS_OK;
        }
    }
    return why_fail(why, STATUS_USAGE, "'%s' is no role: agent, read or admin is expected", word);
}

/* WHO ROLE [SERVICES] [NAME]; only agents have services. */
static enum status parse_rule(char *const *words, size_t count, struct rule *ret, struct why *why)
{
    struct rule rule = {.services = "", .name = ""};
    if (count < 2)
        return why_fail(why, STATUS_USAGE, "who and what are expected: \"cn:alice read\"");
    enum status status = parse_who(words[0], &rule, why);
    if (status == STATUS_OK)
        status = parse_role(words[1], &rule, why);
    if (status != STATUS_OK)
        return status;
    size_t at = 2;
    if (rule.role == ACCESS_AGENT) {
        if (count <= at)
            return why_fail(why, STATUS_USAGE,
                            "the services are missing that the agent may write; * is all");
        rule.services = words[at++];
    }
    rule.name = count > at ? words[at++] : words[0];
    if (count > at)
        return why_fail(why, STATUS_USAGE, "'%s' is one word too many", words[at]);
    *ret = rule;
    return STATUS_OK;
}

static void append(struct access_policy *policy, const struct rule *rule)
{
    if (policy->count == policy->capacity) {
        policy->capacity = policy->capacity == 0 ? 16 : policy->capacity * 2;
        policy->rules = realloc(policy->rules, policy->capacity * sizeof(*policy->rules));
        ASSERT(policy->rules != NULL);
    }
    policy->rules[policy->count++] = *rule;
    policy->has_tokens |= rule->kind == WHO_TOKEN;
}

/* `line` is ours and written to. */
static enum status take_line(struct access_policy *policy, char *line, struct why *why)
{
    static const char blanks[] = " \t\r";
    char *words[WORDS_MAX + 1];
    size_t count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(line, blanks, &rest); word != NULL && word[0] != '#';
         word = strtok_r(NULL, blanks, &rest)) {
        if (count == WORDS_MAX)
            return why_fail(why, STATUS_USAGE, "'%s' is one word too many", word);
        words[count++] = word;
    }
    if (count == 0)
        return STATUS_OK;
    struct rule rule = {0};
    enum status status = parse_rule(words, count, &rule, why);
    if (status != STATUS_OK)
        return status;
    if (policy->count == ACCESS_RULES_MAX)
        return why_fail(why, STATUS_USAGE, "there are more than %d rules", ACCESS_RULES_MAX);
    append(policy, &rule);
    return STATUS_OK;
}

static enum status take_lines(struct access_policy *policy, const char *text, size_t size,
                              struct why *why)
{
    for (int number = 1; size > 0; number++) {
        const char *end = memchr(text, '\n', size);
        size_t length = end != NULL ? (size_t)(end - text) : size;
        char *line = arena_strndup(&policy->arena, text, length);
        enum status status = STATUS_OK;
        if (line == NULL)
            status = why_fail(why, STATUS_LIMIT, "the file is too long");
        else if (memchr(text, 0, length) != NULL || !utf8_valid(text, length))
            status = why_fail(why, STATUS_USAGE, "the line is not text");
        else
            status = take_line(policy, line, why);
        if (status != STATUS_OK) {
            why_prefix(why, "line %d", number);
            return status;
        }
        length += end != NULL;
        text += length;
        size -= length;
    }
    return STATUS_OK;
}

enum status access_policy_parse(const char *text, size_t size, struct access_policy **ret,
                                struct why *why)
{
    struct access_policy *policy = calloc(1, sizeof(*policy));
    ASSERT(policy != NULL);
    arena_init(&policy->arena, ARENA_BYTES_MAX);
    enum status status = take_lines(policy, text, size, why);
    if (status == STATUS_OK)
        *ret = policy;
    else
        access_policy_free(policy);
    return status;
}

void access_policy_free(struct access_policy *policy)
{
    if (policy == NULL)
        return;
    arena_done(&policy->arena);
    free(policy->rules);
    free(policy);
}

size_t access_policy_rules(const struct access_policy *policy)
{
    return policy->count;
}

int access_policy_has_tokens(const struct access_policy *policy)
{
    return policy->has_tokens;
}

/* ---- asking --------------------------------------------------------------------------------- */

static int has_name(const struct access_peer *peer, const struct rule *rule)
{
    for (size_t i = 0; i < peer->name_count; i++) {
        if (strcmp(peer->names[i].kind, rule->name_kind) == 0 &&
            access_pattern_matches(rule->pattern, peer->names[i].name))
            return 1;
    }
    return 0;
}

static int is_meant(const struct rule *rule, const struct access_peer *peer, const uint8_t *digest)
{
    switch (rule->kind) {
    case WHO_LOCAL:
        return peer->is_local;
    case WHO_TOKEN:
        return digest != NULL && digest_equals(rule->digest, digest);
    case WHO_NAME:
        return has_name(peer, rule);
    }
    return 0;
}

unsigned access_policy_roles(const struct access_policy *policy, const struct access_peer *peer,
                             const char *service, const char **ret_rule)
{
    uint8_t bytes[DIGEST_BYTES];
    const uint8_t *digest = NULL;
    if (peer->token != NULL && policy->has_tokens) {
        digest_sha256(peer->token, strlen(peer->token), bytes);
        digest = bytes;
    }
    unsigned found = 0;
    const char *name = "";
    for (size_t i = 0; i < policy->count; i++) {
        const struct rule *rule = &policy->rules[i];
        if (!is_meant(rule, peer, digest))
            continue;
        if (name[0] == '\0')
            name = rule->name;
        if (rule->role != ACCESS_AGENT || service == NULL || any_matches(rule->services, service))
            found |= (unsigned)rule->role;
    }
    if (ret_rule != NULL)
        *ret_rule = name;
    return found;
}
