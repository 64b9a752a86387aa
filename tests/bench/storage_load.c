#include "storage_load.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "options.h"

static const struct {
    const char *name;
    enum status (*run)(const struct storage_job *job, struct why *why);
} modes[] = {{"heapfleet", storage_heapfleet},
             {"ask", storage_ask_again},
             {"remote-write", storage_remote_write}};

static enum status run(int argc, char **argv, struct why *why)
{
    uint64_t seed = 1, containers = 100, types = 300, steps = 1440, life = 0;
    int64_t interval_ms = 60000;
    struct storage_job job = {.folder = ""};
    const struct option options[] = {
        {"seed", 0, OPTION_U64, &seed, "N", "of the fleet", "1"},
        {"containers", 0, OPTION_U64, &containers, "N", "of the fleet", "100"},
        {"types", 0, OPTION_U64, &types, "N", "of a process", "300"},
        {"steps", 0, OPTION_U64, &steps, "N", "snapshots of a container", "1440"},
        {"interval", 0, OPTION_DURATION, &interval_ms, "TIME", "between them", "1m"},
        {"life", 0, OPTION_U64, &life, "N", "snapshots until a deployment; 0: none", "0"},
        {"dir", 0, OPTION_TEXT, &job.folder, "DIR", "where the database goes", NULL},
        {"postgres-bin", 0, OPTION_TEXT, &job.bin_dir, "DIR", "where initdb and postgres are",
         NULL},
        {"ask", 0, OPTION_FLAG, &job.ask, NULL, "measure the queries too", NULL},
        {"pause", 0, OPTION_FLAG, &job.pause, NULL, "wait for a line when it is loaded", NULL},
        {0},
    };
    const char *mode = "";
    int operands = 0, rest = 0;
    enum status status = options_parse(options, argc, argv, &mode, 1, &operands, &rest, why);
    if (status != STATUS_OK)
        return status;
    int64_t now_ms = clock_wall_ms();
    int64_t end_ms =
        now_ms - now_ms % (3600 * 1000); /* the fleet's last hour is the last whole one */
    job.steps = (uint32_t)steps;
    job.shape = (struct fleet_shape){
        .seed = seed,
        .containers = (uint32_t)containers,
        .types = (uint32_t)types,
        .start_ms = end_ms - (int64_t)steps * interval_ms,
        .interval_ms = interval_ms,
        .life_snapshots = (uint32_t)life,
    };
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        if (strcmp(modes[i].name, mode) == 0)
            return modes[i].run(&job, why);
    }
    return why_fail(why, STATUS_USAGE, "say heapfleet, ask or remote-write, not '%s'", mode);
}

int main(int argc, char **argv)
{
    struct why why = {""};
    enum status status = run(argc, argv, &why);
    if (status != STATUS_OK)
        (void)fprintf(stderr, "storage_load: %s\n", why.text);
    return status_exit_code(status);
}
