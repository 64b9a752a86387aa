/*
 * heapfleet-swarm: many virtual agents in one process, against a collector that is running.
 *
 *   heapfleet-swarm --target 127.0.0.1:4777 --agents 200 --interval 100ms --duration 5s
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "attributes.h"
#include "buf.h"
#include "options.h"
#include "snapshot_codec.h"
#include "swarm.h"

struct settings {
    struct swarm_options swarm;
    struct option_list targets;
    uint64_t agents, connections, connecting, processes, services, types, window, restarts, watched;
    const char *tls_ca, *tls_certificate, *tls_key, *format;
    int help;
};

/* ---- the report ----------------------------------------------------------------------------- */

struct figure {
    const char *key, *title;
    double value;
    int digits;
};

static double per(double value, double count)
{
    return count > 0 ? value / count : 0;
}

enum { FIGURES = 35 };

static void gather(const struct settings *settings, const struct swarm_result *result,
                   struct figure ret[FIGURES])
{
    const struct swarm_stats *stats = &result->stats;
    double samples = (double)result->run_samples, taken = (double)result->run_acknowledged;
    double cpu_s = result->watch_end.cpu_s - result->watch_run.cpu_s;
    const struct figure figures[FIGURES] = {
        {"agents", "agents", (double)settings->agents, 0},
        {"connections", "connections while running", result->connections, 0},
        {"processes", "processes, all that ever ran", (double)stats->processes, 0},
        {"restarts", "of them replaced", (double)stats->restarts, 0},
        {"connect_s", "seconds until all were served", result->connect_s, 2},
        {"run_s", "seconds of running", result->run_s, 2},
        {"snapshots", "snapshots made", (double)stats->snapshots, 0},
        {"acknowledged", "snapshots acknowledged", (double)stats->acknowledged, 0},
        {"refused", "snapshots refused", (double)stats->refused, 0},
        {"dropped", "snapshots not made, the window being full", (double)stats->dropped, 0},
        {"resent", "snapshots sent again", (double)stats->resent, 0},
        {"keyframes", "keyframes among the snapshots", (double)stats->keyframes, 0},
        {"keyframes_asked", "keyframes asked for", (double)stats->keyframes_asked, 0},
        {"disconnects", "streams that broke", (double)stats->disconnects, 0},
        {"unserved_s", "longest time that not all were served, s", result->longest_unserved_s, 2},
        {"flush_s", "seconds until nothing waited", result->flush_s, 2},
        {"run_acknowledged", "acknowledged while running", taken, 0},
        {"rate", "acknowledged a second", per(taken, result->run_s), 1},
        {"sample_rate", "samples a second", per(samples, result->run_s), 0},
        {"p50_ms", "latency to acknowledgement, median, ms", swarm_latency_ms(&stats->latency, 0.5),
         1},
        {"p99_ms", "99 % below, ms", swarm_latency_ms(&stats->latency, 0.99), 1},
        {"body_bytes_per_sample", "bytes a sample: snapshot bodies",
         per((double)stats->body_bytes, (double)stats->samples), 3},
        {"message_bytes_per_sample", "messages", per((double)result->run_message_bytes, samples),
         3},
        {"wire_bytes_per_sample", "TCP payload", per((double)result->run_sent_bytes, samples), 3},
        {"late_ms", "the most that a snapshot was late, ms", result->late_ms, 1},
        {"run_cpu_s", "the swarm's own CPU while running, s", result->run_cpu_s, 2},
        {"cpu_us_per_snapshot", "a snapshot, us", per(result->run_cpu_s * 1e6, taken), 2},
        {"cpu_s", "in all, s", result->cpu_s, 2},
        {"collector_cpu_s", "the collector's CPU while running, s", cpu_s, 3},
        {"collector_share", "of one core, %", per(cpu_s * 100, result->run_s), 2},
        {"collector_us_per_snapshot", "a snapshot, us", per(cpu_s * 1e6, taken), 2},
        {"collector_ns_per_sample", "a sample, ns", per(cpu_s * 1e9, samples), 2},
        {"collector_connect_cpu_s", "until all were served, s",
         result->watch_run.cpu_s - result->watch_start.cpu_s, 2},
        {"collector_rss_mb", "its resident memory, MB", (double)result->watch_end.rss_bytes / 1e6,
         1},
        {"collector_rss_peak_mb", "at its peak, MB", (double)result->watch_end.rss_peak_bytes / 1e6,
         1},
    };
    for (int i = 0; i < FIGURES; i++)
        ret[i] = figures[i];
}

static void print_table(const struct figure figures[FIGURES])
{
    for (int i = 0; i < FIGURES; i++)
        (void)printf("%-42s %14.*f\n", figures[i].title, figures[i].digits, figures[i].value);
}

static void print_json(const struct figure figures[FIGURES])
{
    for (int i = 0; i < FIGURES; i++)
        (void)printf("%s\"%s\":%.*f", i == 0 ? "{" : ",", figures[i].key, figures[i].digits,
                     figures[i].value);
    (void)puts("}");
}

/* ---- options -------------------------------------------------------------------------------- */

static enum status read_pem(const char *path, const char **ret, struct why *why)
{
    if (path == NULL)
        return STATUS_OK;
    struct buf text = BUF_INIT;
    char part[4096];
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return why_fail(why, STATUS_USAGE, "cannot read %s", path);
    for (size_t got = sizeof(part); got == sizeof(part);) {
        got = fread(part, 1, sizeof(part), file);
        buf_append(&text, part, got);
    }
    (void)fclose(file);
    (void)buf_text(&text);
    size_t size;
    *ret = (const char *)buf_detach(&text, &size);
    return STATUS_OK;
}

static enum status check_count(const char *name, uint64_t value, uint64_t least, uint64_t most,
                               struct why *why)
{
    if (value >= least && value <= most)
        return STATUS_OK;
    return why_fail(why, STATUS_USAGE, "--%s is between %llu and %llu", name,
                    (unsigned long long)least, (unsigned long long)most);
}

static enum status check(struct settings *settings, struct why *why)
{
    const struct {
        const char *name;
        uint64_t value, least, most;
        uint32_t *to;
    } counts[] = {
        {"agents", settings->agents, 1, 1000 * 1000, &settings->swarm.agents},
        {"connections", settings->connections, 0, settings->agents, &settings->swarm.connections},
        {"processes", settings->processes, 1, 4096, &settings->swarm.processes},
        {"services", settings->services, 1, 100 * 1000, &settings->swarm.services},
        {"types", settings->types, 30, SNAPSHOT_TYPES_MAX, &settings->swarm.types},
        {"window", settings->window, 1, 100 * 1000, &settings->swarm.window},
        {"restarts", settings->restarts, 0, 1000 * 1000, &settings->swarm.restart_per_million},
        {"connecting", settings->connecting, 0, 1000 * 1000, &settings->swarm.greeting_max},
        {"watch", settings->watched, 0, INT32_MAX, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        enum status status =
            check_count(counts[i].name, counts[i].value, counts[i].least, counts[i].most, why);
        if (status != STATUS_OK)
            return status;
        if (counts[i].to != NULL)
            *counts[i].to = (uint32_t)counts[i].value;
    }
    if (settings->swarm.connections == 0)
        settings->swarm.connections = settings->swarm.agents;
    if (settings->targets.count == 0 || settings->targets.count > SWARM_TARGETS_MAX)
        return why_fail(why, STATUS_USAGE, "give --target HOST:PORT, %d times at most",
                        SWARM_TARGETS_MAX);
    settings->swarm.watched = (int)settings->watched;
    settings->swarm.target_count = (uint32_t)settings->targets.count;
    for (int i = 0; i < settings->targets.count; i++)
        settings->swarm.targets[i] = settings->targets.items[i];
    return STATUS_OK;
}

static enum status read_pems(struct settings *settings, struct why *why)
{
    enum status status = read_pem(settings->tls_ca, &settings->swarm.tls_ca, why);
    if (status == STATUS_OK)
        status = read_pem(settings->tls_certificate, &settings->swarm.tls_certificate, why);
    if (status == STATUS_OK)
        status = read_pem(settings->tls_key, &settings->swarm.tls_key, why);
    return status;
}

static void free_pems(struct settings *settings)
{
    free((void *)settings->swarm.tls_ca);
    free((void *)settings->swarm.tls_certificate);
    free((void *)settings->swarm.tls_key);
}

/* ---- main ----------------------------------------------------------------------------------- */

static enum status run_and_print(const struct settings *settings, struct why *why)
{
    struct figure figures[FIGURES];
    struct swarm_result result = {.connect_s = 0};
    enum status status = swarm_run(&settings->swarm, &result, why);
    if (status != STATUS_OK && status != STATUS_FAILED) /* it did not even begin */
        return status;
    gather(settings, &result, figures);
    if (strcmp(settings->format, "json") == 0)
        print_json(figures);
    else
        print_table(figures);
    for (int i = 0; i < COMPLAINTS_MAX && result.stats.complaints[i].count > 0; i++)
        (void)fprintf(stderr, "heapfleet-swarm: %llu times %s\n",
                      (unsigned long long)result.stats.complaints[i].count,
                      result.stats.complaints[i].text);
    return status;
}

static int run(struct settings *settings)
{
    struct why why = {""};
    enum status status = check(settings, &why);
    if (status == STATUS_OK)
        status = read_pems(settings, &why);
    if (status == STATUS_OK)
        status = run_and_print(settings, &why);
    free_pems(settings);
    if (status == STATUS_OK)
        return 0;
    (void)fprintf(stderr, "heapfleet-swarm: %s\n", why.text);
    return status_exit_code(status);
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static const struct settings usual = {
    .agents = 100,
    .processes = 1,
    .services = 20,
    .types = 300,
    .window = 64,
    .restarts = 500,
    .format = "table",
    .swarm =
        {.interval_ms = 1000, .run_ms = 10000, .patience_ms = 120000, .retry_ms = 200, .seed = 1},
};

/* Ends the program when help was asked for. */
static enum status parse(int argc, char **argv, struct settings *settings, struct why *why)
{
    struct swarm_options *swarm = &settings->swarm;
    const struct option table[] = {
        {"target", 0, OPTION_LIST, &settings->targets, "HOST:PORT", "a collector; may be repeated",
         NULL},
        {"agents", 'n', OPTION_U64, &settings->agents, "N", "virtual agents", "100"},
        {"connections", 0, OPTION_U64, &settings->connections, "N",
         "shared by the agents; 0: each its own", "0"},
        {"processes", 0, OPTION_U64, &settings->processes, "N", "of an agent", "1"},
        {"services", 0, OPTION_U64, &settings->services, "N", "that the processes belong to", "20"},
        {"types", 0, OPTION_U64, &settings->types, "N", "of a process", "300"},
        {"interval", 'i', OPTION_DURATION, &swarm->interval_ms, "TIME",
         "between two snapshots of a process; 0: as fast as they are taken", "1s"},
        {"duration", 'd', OPTION_DURATION, &swarm->run_ms, "TIME", "once all are served", "10s"},
        {"ramp", 0, OPTION_DURATION, &swarm->ramp_ms, "TIME", "over which agents come", "0"},
        {"reconnect-after", 0, OPTION_DURATION, &swarm->reconnect_ms, "TIME",
         "cut all streams at once, so far into the run", NULL},
        {"retry", 0, OPTION_DURATION, &swarm->retry_ms, "TIME",
         "bound of the first random pause before a reconnect; 0: none at all", "200ms"},
        {"connecting", 0, OPTION_U64, &settings->connecting, "N",
         "agents at a time that connect and wait for the welcome; 0: any number. This program is "
         "one machine where they are many: what it cannot carry, it begins over and over",
         "0"},
        {"deploy-every", 0, OPTION_DURATION, &swarm->deploy_every_ms, "TIME",
         "a service gets a new version; its processes restart", NULL},
        {"restarts", 0, OPTION_U64, &settings->restarts, "N",
         "of a million snapshots, those before which the process restarts", "500"},
        {"window", 0, OPTION_U64, &settings->window, "N", "unacknowledged snapshots of an agent",
         "64"},
        {"patience", 0, OPTION_DURATION, &swarm->patience_ms, "TIME", "for each phase", "2m"},
        {"seed", 0, OPTION_U64, &swarm->seed, "N", "decides the heaps and who they are", "1"},
        {"tls-ca", 0, OPTION_TEXT, &settings->tls_ca, "FILE", "who vouches for the collector",
         NULL},
        {"tls-cert", 0, OPTION_TEXT, &settings->tls_certificate, "FILE", "the agents'", NULL},
        {"tls-key", 0, OPTION_TEXT, &settings->tls_key, "FILE", "its key", NULL},
        {"ledger", 0, OPTION_TEXT, &swarm->ledger, "FILE",
         "what was acknowledged: uuid, snapshots, objects, bytes a line", NULL},
        {"watch", 0, OPTION_U64, &settings->watched, "PID", "the collector, whose cost is told",
         NULL},
        {"output", 'o', OPTION_TEXT, &settings->format, "FORMAT", "table or json", "table"},
        {"help", 'h', OPTION_FLAG, &settings->help, NULL, "show this", NULL},
        {0},
    };
    const char *operand;
    int operands = 0, rest = 0;
    enum status status = options_parse(table, argc, argv, &operand, 0, &operands, &rest, why);
    if (status == STATUS_OK && settings->help) {
        (void)puts("usage: heapfleet-swarm --target HOST:PORT [options]\n");
        options_print_help(table);
        exit(0);
    }
    return status;
}

int main(int argc, char **argv)
{
    struct settings settings = usual;
    struct why why = {""};
    enum status status = parse(argc, argv, &settings, &why);
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "heapfleet-swarm: %s\n", why.text);
        return status_exit_code(status);
    }
    raise_descriptor_limit();
    return run(&settings);
}
