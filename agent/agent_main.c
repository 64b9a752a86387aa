#include <stdio.h>
#include <string.h>

#include "attributes.h"
#include "census_command.h"
#include "doctor_command.h"
#include "run_command.h"
#include "suggest.h"
#include "version.h"
#include "watch_command.h"

enum { EXIT_USAGE = 2 };

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"census", census_command, "count the heap of one process, by type"},
    {"track", track_command, "count again and again, and show what grew"},
    {"watch", watch_command, "find the processes of this machine and stream to a collector"},
    {"run", run_command, "start a command and watch what it starts"},
    {"doctor", doctor_command, "what is in the way of counting a process, and the fix"},
};

static void print_help(void)
{
    printf("usage: heapfleet-agent COMMAND [OPTION ...]\n\n"
           "What fills the heaps of live CPython processes: read from outside, without stopping "
           "them.\n\n");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        printf("  %-8s %s\n", commands[i].name, commands[i].help);
    printf("\n  heapfleet-agent COMMAND --help says more; --version prints the version.\n"
           "  Exit codes: 0 ok, 1 failed, 2 usage, 3 no such process, 4 no permission,\n"
           "  5 not supported, 7 partial result.\n");
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
    fprintf(stderr, "heapfleet-agent: ");
    if (*word == '\0')
        fprintf(stderr, "a command is missing: heapfleet-agent --help lists them\n");
    else if (nearest != NULL)
        fprintf(stderr, "there is no command '%s': did you mean '%s'?\n", word, nearest);
    else
        fprintf(stderr, "there is no command '%s': heapfleet-agent --help lists them\n", word);
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        print_help();
        return 0;
    }
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        printf("heapfleet-agent %s (%s)\n", HEAPFLEET_VERSION, HEAPFLEET_COMMIT);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(word, commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    refuse(word);
    return EXIT_USAGE;
}
