#include "replay_command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command_line.h"
#include "replayer.h"
#include "verdict_json.h"

enum { READ_BYTES = 1 << 18 };

/* As of a live collector; what is shorter than a minute may have been meant as hours. */
enum { HORIZON_MIN_MS = 1000, HORIZON_USUAL_MS = 60000 };

static const char help[] =
    "usage: heapfleet-collector replay [options] FILE|-\n\n"
    "Runs the detector over a file of snapshots and prints what it would have said, one line of\n"
    "JSON a leak, as it is confirmed or resolved, or suspect if each version starts with more "
    "of it\nthan the one before. Lines of the file, times ascending:\n\n"
    "  time,service,version,instance,type,count,bytes\n\n"
    "with the time in seconds; the type @cpu_ms gives the CPU time of the process so far, @end "
    "its\n"
    "end (count 1: killed for memory). These have two numbers:\n\n"
    "  type        count                             bytes\n"
    "  @rss        bytes of the process in memory    those that are not Python objects\n"
    "  @container  bytes of its container in memory  the container's limit, 0: none\n\n"
    "Processes of one container name it in an eighth field.\n";

struct replay_options {
    int64_t horizon_ms;
    int every_tier;
};

struct output {
    struct buf line;
    int failed;
};

static void tell(void *user, const char *service, const struct verdict *verdict)
{
    struct output *output = user;
    buf_clear(&output->line);
    verdict_json_append(&output->line, service, verdict);
    if (fwrite(output->line.data, 1, output->line.size, stdout) != output->line.size ||
        fflush(stdout) != 0)
        output->failed = 1;
}

static enum status read_file(int fd, struct replay *replay, const struct output *output,
                             struct why *why)
{
    char *data = malloc(READ_BYTES);
    enum status status = STATUS_OK;
    ASSERT(data != NULL);
    while (status == STATUS_OK) {
        ssize_t size = read(fd, data, READ_BYTES);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            status = why_fail(why, STATUS_FAILED, "cannot read: %s", strerror(errno));
        if (size <= 0)
            break;
        status = replay_feed(replay, data, (size_t)size, why);
        if (status == STATUS_OK && output->failed)
            status = why_fail(why, STATUS_FAILED, "cannot write to standard output");
    }
    free(data);
    if (status == STATUS_OK)
        status = replay_finish(replay, why);
    return status;
}

/* In a file that is not sorted no leak is found, which is no good news. */
static void warn_of_order(const struct replay *replay)
{
    uint64_t behind = replay_lines_behind(replay);
    if (behind > 0)
        (void)fprintf(stderr,
                      "heapfleet-collector replay: %llu of %llu lines are of a time before that "
                      "of lines before them: sort the file first (sort -s -t, -k1,1n)\n",
                      (unsigned long long)behind, (unsigned long long)replay_lines(replay));
}

static enum status run(const struct replay_options *options, const char *path, struct why *why)
{
    struct output output = {.line = BUF_INIT};
    const struct replay_config config = {
        .detect = {.horizon_ms = options->horizon_ms},
        .every_tier = options->every_tier,
        .user = &output,
        .tell = tell,
    };
    int is_input = strcmp(path, "-") == 0;
    int fd = is_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return why_fail(why, STATUS_NOT_FOUND, "cannot open %s: %s", path, strerror(errno));
    struct replay *replay = replay_new(&config);
    enum status status = read_file(fd, replay, &output, why);
    if (status != STATUS_OK)
        why_prefix(why, "%s", is_input ? "standard input" : path);
    warn_of_order(replay);
    replay_free(replay);
    buf_done(&output.line);
    if (!is_input)
        (void)close(fd);
    return status;
}

static enum status check(const struct replay_options *options, const struct command_line *line,
                         struct why *why)
{
    if (line->operand_count != 1)
        return why_fail(why, STATUS_USAGE, "one FILE is needed, or - for standard input");
    if (options->horizon_ms < HORIZON_MIN_MS)
        return why_fail(why, STATUS_USAGE, "%s is at least 1s",
                        command_line_place(line, "horizon"));
    if (options->horizon_ms < HORIZON_USUAL_MS)
        (void)fprintf(stderr,
                      "heapfleet-collector replay: the horizon is %lld s; a number without a unit "
                      "is seconds: 30h is 30 hours\n",
                      (long long)options->horizon_ms / 1000);
    return STATUS_OK;
}

int replay_command(int argc, char **argv)
{
    struct replay_options options = {.horizon_ms = DETECT_HORIZON_DEFAULT_MS};
    const struct option table[] = {
        {"horizon", 0, OPTION_DURATION, &options.horizon_ms, "TIME",
         "uptime after which growth is judged", "30h"},
        {"tiers", 0, OPTION_FLAG, &options.every_tier, NULL,
         "also tell of what is watched or suspect", NULL},
        {0},
    };
    struct command_line line = {
        .name = "heapfleet-collector replay",
        .help = help,
        .options = table,
        .operands_max = 1,
    };
    struct why why = {""};
    int code = command_line_read(&line, argc, argv);
    if (code < 0)
        code = command_line_settle(&line, check(&options, &line, &why), &why);
    if (code < 0)
        code = command_line_end(&line, run(&options, line.operands[0], &why), &why);
    command_line_done(&line);
    return code;
}
