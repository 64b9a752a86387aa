#include "token_command.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "access_policy.h"
#include "command_line.h"
#include "digest.h"

struct token_options {
    const char *role, *services, *name;
};

/* 256 random bits; the prefix lets scanners for leaked secrets recognise it. */
static enum status draw_token(char ret[DIGEST_DIGITS + 8], struct why *why)
{
    uint8_t bytes[DIGEST_BYTES];
    char digits[DIGEST_DIGITS + 1];
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return why_fail(why, STATUS_FAILED, "the system gives no random bytes");
    digest_hex(bytes, digits);
    (void)snprintf(ret, DIGEST_DIGITS + 8, "hf_%s", digits);
    return STATUS_OK;
}

static void make_line(const struct token_options *options, const char *token, char *ret,
                      size_t size)
{
    uint8_t digest[DIGEST_BYTES];
    char digits[DIGEST_DIGITS + 1];
    digest_sha256(token, strlen(token), digest);
    digest_hex(digest, digits);
    int is_agent = strcmp(options->role, "agent") == 0;
    (void)snprintf(ret, size, "sha256:%s  %s%s%s  %s", digits, options->role, is_agent ? "  " : "",
                   is_agent ? options->services : "", options->name);
}

/* The token on standard output, so that it can go into a file; the line for people behind it. */
static enum status make_token(const struct token_options *options, struct why *why)
{
    char token[DIGEST_DIGITS + 8], line[1024];
    struct access_policy *policy = NULL;
    enum status status = draw_token(token, why);
    if (status != STATUS_OK)
        return status;
    make_line(options, token, line, sizeof(line));
    status = access_policy_parse(line, strlen(line), &policy, why);
    if (status != STATUS_OK)
        return status;
    access_policy_free(policy);
    (void)printf("%s\n", token);
    (void)fflush(stdout);
    (void)fprintf(
        stderr,
        "\nKeep the token in a file that only its user can read (--token-file FILE). It is "
        "shown once.\nThe line for the collector's file (--access FILE), which does not "
        "betray it:\n\n%s\n",
        line);
    return STATUS_OK;
}

/* Each of them is a word of the line; one that is empty, or two, would give another right than was
 * meant. */
static enum status check_words(const struct token_options *options, const struct command_line *line,
                               struct why *why)
{
    if (line->operand_count != 1 || strcmp(line->operands[0], "new") != 0)
        return why_fail(why, STATUS_USAGE, "what to do is missing: heapfleet-collector token new");
    const struct {
        const char *name, *text;
    } words[] = {{"role", options->role}, {"services", options->services}, {"name", options->name}};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (words[i].text[0] == '\0' || words[i].text[strcspn(words[i].text, " \t\r\n#")] != '\0')
            return why_fail(why, STATUS_USAGE, "%s cannot be '%s': it is one word, without # in it",
                            command_line_place(line, words[i].name), words[i].text);
    }
    return STATUS_OK;
}

int token_command(int argc, char **argv)
{
    struct token_options options = {.role = "agent", .services = "*", .name = "unnamed"};
    const struct option table[] = {
        {"role", 0, OPTION_TEXT, &options.role, "ROLE", "agent, read or admin", "agent"},
        {"services", 0, OPTION_TEXT, &options.services, "NAMES",
         "that an agent may write: shop-*,cart", "*"},
        {"name", 0, OPTION_TEXT, &options.name, "NAME", "whose it is, for the log", "unnamed"},
        {0},
    };
    struct command_line line = {
        .name = "heapfleet-collector token",
        .help = "usage: heapfleet-collector token new [--role ROLE] [--services NAMES] [--name "
                "NAME]\n\nPrints a new token, and the line that lets its bearer in.\n",
        .options = table,
        .operands_max = 1,
    };
    struct why why = {""};
    int code = command_line_read(&line, argc, argv);
    if (code < 0)
        code = command_line_settle(&line, check_words(&options, &line, &why), &why);
    if (code < 0)
        code = command_line_end(&line, make_token(&options, &why), &why);
    command_line_done(&line);
    return code;
}
