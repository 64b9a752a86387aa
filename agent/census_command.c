#include "census_command.h"

#include <errno.h>

#include "attributes.h"
#include "census.h"
#include "census_print.h"
#include "clock.h"
#include "options.h"
#include "parse.h"
#include "python_process.h"
#include "report.h"

enum { PID_MAX_POSSIBLE = 1 << 22, WAIT_FOR_START_MS = 2000 };

struct command {
    const char *name, *usage, *about;
    const struct option *options;
    const char *output;
    uint64_t top;
    int64_t every_ms;
    uint64_t count;
    uint64_t sample_above_bytes;
    int help;
    enum report_format format;
    struct python_process process;
};

static int fail(const struct command *command, enum status status, const struct why *why)
{
    fprintf(stderr, "heapfleet-agent %s: %s\n", command->name, why->text);
    return status_exit_code(status);
}

static void sleep_ms(int64_t ms)
{
    struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    while (ms > 0 && nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

/* A program that was started a moment ago may not have loaded its interpreter yet. */
static enum status find_process(pid_t pid, struct python_process *ret, struct why *why)
{
    enum status status = python_process_find(pid, ret, why);
    for (int waited = 0; status == STATUS_UNAVAILABLE && waited < WAIT_FOR_START_MS;
         waited += 100) {
        sleep_ms(100);
        status = python_process_find(pid, ret, why);
    }
    return status;
}

static enum status read_command(struct command *command, int argc, char **argv, struct why *why)
{
    const char *operand;
    uint64_t pid;
    int operands, rest;
    enum status status =
        options_parse(command->options, argc, argv, &operand, 1, &operands, &rest, why);
    if (status != STATUS_OK || command->help)
        return status;
    status = report_format_parse(command->output, &command->format, why);
    if (status != STATUS_OK)
        return status;
    if (operands != 1 || rest != argc)
        return why_fail(why, STATUS_USAGE, "name one process by its PID: heapfleet-agent %s %s",
                        command->name, command->usage);
    if (command->sample_above_bytes && command->sample_above_bytes < CENSUS_SAMPLE_BYTES_MIN)
        return why_fail(why, STATUS_USAGE,
                        "--sample-above must be at least 16M: of less, no estimate can be made");
    if (parse_u64(operand, 1, PID_MAX_POSSIBLE, &pid) != STATUS_OK)
        return why_fail(why, STATUS_USAGE, "\"%s\" is no PID: a number from 1 to %d", operand,
                        PID_MAX_POSSIBLE);
    return find_process((pid_t)pid, &command->process, why);
}

/* Everything up to the first census; its exit code when there is nothing to do, else -1. */
static int begin(struct command *command, int argc, char **argv, struct census **ret)
{
    struct why why = {0};
    enum status status = read_command(command, argc, argv, &why);
    if (status == STATUS_OK && command->help) {
        printf("usage: heapfleet-agent %s %s\n\n%s\n\n", command->name, command->usage,
               command->about);
        options_print_help(command->options);
        return 0;
    }
    if (status == STATUS_OK)
        status = census_new(&command->process, ret, &why);
    if (status == STATUS_OK)
        census_sample_above(*ret, command->sample_above_bytes);
    return status == STATUS_OK ? -1 : fail(command, status, &why);
}

/* All zero when it cannot be told. */
static struct memory_facts read_memory(pid_t pid)
{
    struct proc_fs fs;
    struct memory_facts memory = {0};
    if (proc_fs_open("/proc", &fs, NULL) != STATUS_OK)
        return memory;
    if (memory_facts_read(&fs, pid, &memory) != STATUS_OK)
        memory = (struct memory_facts){0};
    proc_fs_close(&fs);
    return memory;
}

int census_command(int argc, char **argv)
{
    struct command command = {
        .name = "census",
        .usage = "PID [-o table|json|csv] [--top N] [--sample-above SIZE]",
        .about =
            "What is in the heap of a running CPython: every type by count and bytes. The process "
            "is only read;\nit is not stopped, signalled or changed.",
        .output = "table",
    };
    const struct option options[] = {
        {"output", 'o', OPTION_TEXT, &command.output, "FORMAT", "table, json or csv", "table"},
        {"top", 'n', OPTION_U64, &command.top, "N", "the N largest types only", "all"},
        {"sample-above", 0, OPTION_BYTES, &command.sample_above_bytes, "SIZE",
         "of a heap larger than this read about as much, and estimate the rest", "never"},
        {"help", 'h', OPTION_FLAG, &command.help, NULL, "print this help", NULL},
        {0},
    };
    struct census_result result = {0};
    struct census *census = NULL;
    struct why why = {0};
    command.options = options;
    int code = begin(&command, argc, argv, &census);
    if (code >= 0)
        return code;
    enum status status = census_run(census, &result, &why);
    struct memory_facts memory = read_memory(command.process.pid);
    if (status == STATUS_OK || status == STATUS_PARTIAL)
        census_print(&command.process, census, &result, &memory, command.format, command.top);
    code = status == STATUS_OK ? 0 : fail(&command, status, &why);
    census_result_done(&result);
    census_free(census);
    return code;
}

/* Censuses until the count is reached or the process has ended. */
static enum status track(struct command *command, struct census *census, struct why *why)
{
    struct census_result now = {0};
    struct heap_values before = HEAP_VALUES_INIT;
    int64_t next_ns = clock_mono_ns();
    enum status status = census_run(census, &now, why);
    for (uint64_t i = 0; status == STATUS_OK || status == STATUS_PARTIAL; i++) {
        heap_values_copy(&before, &now.values);
        if (command->count && i == command->count)
            break;
        next_ns += command->every_ms * 1000000;
        sleep_ms((next_ns - clock_mono_ns()) / 1000000);
        status = census_run(census, &now, why);
        if (status == STATUS_GONE && i > 0) {
            fprintf(stderr, "heapfleet-agent track: %s\n", why->text);
            status = STATUS_OK;
            break;
        }
        if (status == STATUS_OK || status == STATUS_PARTIAL)
            census_print_growth(&command->process, census, &before, &now, command->format,
                                command->top, i == 0);
        fflush(stdout);
    }
    census_result_done(&now);
    heap_values_done(&before);
    return status;
}

int track_command(int argc, char **argv)
{
    struct command command = {
        .name = "track",
        .usage =
            "PID [--every TIME] [--count N] [-o table|json|csv] [--top N] [--sample-above SIZE]",
        .about =
            "What grows in the heap of a running CPython: a census every so often, and the types "
            "that grew since\nthe one before.",
        .output = "table",
        .top = 20,
        .every_ms = 5000,
    };
    const struct option options[] = {
        {"every", 'e', OPTION_DURATION, &command.every_ms, "TIME", "between two censuses", "5s"},
        {"count", 'c', OPTION_U64, &command.count, "N", "end after N comparisons", "no end"},
        {"output", 'o', OPTION_TEXT, &command.output, "FORMAT",
         "table, json (an object a line) or csv", "table"},
        {"top", 'n', OPTION_U64, &command.top, "N", "the N largest growths only; 0: all", "20"},
        {"sample-above", 0, OPTION_BYTES, &command.sample_above_bytes, "SIZE",
         "of a heap larger than this read about as much, and estimate the rest", "never"},
        {"help", 'h', OPTION_FLAG, &command.help, NULL, "print this help", NULL},
        {0},
    };
    struct census *census = NULL;
    struct why why = {0};
    command.options = options;
    int code = begin(&command, argc, argv, &census);
    if (code >= 0)
        return code;
    enum status status = track(&command, census, &why);
    census_free(census);
    return status == STATUS_OK ? 0 : fail(&command, status, &why);
}
