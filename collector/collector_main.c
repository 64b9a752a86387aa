/* heapfleet-collector: the word after the program's name chooses the command. */
#include <stdio.h>
#include <string.h>

#include "replay_command.h"
#include "serve_command.h"
#include "status.h"
#include "suggest.h"
#include "token_command.h"
#include "version.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"serve", serve_command, "take what agents send, and answer questions"},
    {"replay", replay_command, "run the detector over a file of snapshots"},
    {"migrate", migrate_command, "bring a database's schema up to date"},
    {"forget", forget_command, "delete all that is known of a service"},
    {"token", token_command, "make a token for an agent or a person"},
};

static void print_help(FILE *to)
{
    (void)fputs("usage: heapfleet-collector COMMAND [options]\n\n", to);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        (void)fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].help);
    (void)fputs(
        "\nheapfleet-collector COMMAND --help tells more; --version tells which one this is.\n",
        to);
}

static void refuse(const char *word)
{
    const char *nearest = NULL;
    int best = SUGGEST_FAR;
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        int distance = suggest_distance(word, commands[i].name);
        if (distance < best) {
            best = distance;
            nearest = commands[i].name;
        }
    }
    (void)fprintf(stderr, "heapfleet-collector: there is no command '%s': ", word);
    if (nearest != NULL)
        (void)fprintf(stderr, "did you mean '%s'?\n", nearest);
    else
        (void)fputs("heapfleet-collector --help lists them\n", stderr);
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(word, commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    if (strcmp(word, "--version") == 0) {
        (void)printf("heapfleet-collector %s (%s)\n", HEAPFLEET_VERSION, HEAPFLEET_COMMIT);
        return 0;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        print_help(stdout);
        return 0;
    }
    if (word[0] != '\0')
        refuse(word);
    else
        print_help(stderr);
    return status_exit_code(STATUS_USAGE);
}
