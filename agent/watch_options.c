#include "watch_options.h"

#include <limits.h>
#include <string.h>

#include "attributes.h"
#include "budget.h"
#include "collectors.h"
#include "log.h"
#include "parse.h"

enum {
    FLUSH_MS_MACHINE = 5000,
    FLUSH_MS_COMMAND = 2000,
    INTERVAL_MS_MIN = 100,
    INTERVAL_MS_DEFAULT = 60000,
    SPOOL_BYTES_MIN = 1 << 20,
    SPOOL_BYTES_DEFAULT = 16 << 20,
    SAMPLE_ABOVE_BYTES_DEFAULT = 1 << 30,
    SPOOL_DISK_BYTES_DEFAULT = 256 << 20,
};
#define INTERVAL_MS_MAX ((int64_t)24 * 3600 * 1000)
#define SPOOL_BYTES_MAX ((uint64_t)1 << 34)

static void make_table(struct watch_options *options, enum watch_mode mode, struct option *ret)
{
    struct identity_options *identity = &options->identity;
    const struct option table[] = {
        {"collector", 'c', OPTION_TEXT, &options->collector, "HOST:PORT[,...]",
         "where snapshots are sent, or several, tried in this order; required", NULL},
        {"interval", 'i', OPTION_DURATION, &options->interval_ms, "TIME",
         "between two snapshots of a process", "60s"},
        {"cpu-budget", 0, OPTION_TEXT, &options->cpu_budget, "SHARE",
         "of one core, averaged over ten minutes; the interval is stretched to stay below it",
         "0.5%"},
        {"sample-above", 0, OPTION_BYTES, &options->sample_above_bytes, "SIZE",
         "of a heap larger than this read about as much, and estimate the rest; 0: never", "1G"},
        {"service", 0, OPTION_TEXT, &options->identity.service, "NAME",
         "name of the service; otherwise OTEL_SERVICE_NAME, DD_SERVICE, ... of the process", NULL},
        {"service-version", 0, OPTION_TEXT, &identity->version, "VERSION", "of the service", NULL},
        {"version-from", 0, OPTION_TEXT, &identity->version_from, "NAME|file:PATH",
         "take the version from this environment variable or file of the process", NULL},
        {"namespace", 0, OPTION_TEXT, &identity->service_namespace, "NAME", "of the service", NULL},
        {"environment", 0, OPTION_TEXT, &identity->environment, "NAME",
         "such as production or staging", NULL},
        {"host", 0, OPTION_TEXT, &identity->host, "NAME", "of this machine or node", NULL},
        {"attr", 0, OPTION_LIST, &identity->attributes, "KEY=VALUE",
         "a further attribute; may be repeated", NULL},
        {"flush", 0, OPTION_DURATION, &options->flush_ms, "TIME",
         "at the end, deliver for at most this long", mode == WATCH_MACHINE ? "5s" : "2s"},
        {"spool", 0, OPTION_BYTES, &options->spool_bytes, "SIZE",
         "memory for what waits while no collector answers", "16M"},
        {"spool-dir", 0, OPTION_TEXT, &options->spool_dir, "DIR",
         "let it wait in files there instead, from which the next agent takes it up", NULL},
        {"spool-bytes", 0, OPTION_BYTES, &options->spool_disk_bytes, "SIZE",
         "at most this much in --spool-dir; the oldest is dropped first", "256M"},
        {"tls-ca", 0, OPTION_FILE, &options->tls_ca, "FILE", "connect with TLS and trust this CA",
         NULL},
        {"tls-cert", 0, OPTION_FILE, &options->tls_cert, "FILE", "certificate of this agent", NULL},
        {"tls-key", 0, OPTION_FILE, &options->tls_key, "FILE", "its private key", NULL},
        {"token", 0, OPTION_SECRET, &options->token, "TEXT",
         "sent to the collector with every connection", NULL},
        {"insecure", 0, OPTION_FLAG, &options->insecure, NULL,
         "connect to another machine without TLS: the network protects it", NULL},
        {"log-level", 0, OPTION_TEXT, &options->log_level, "LEVEL", "debug, info, warn or error",
         "info"},
        {"log-format", 0, OPTION_TEXT, &options->log_format, "FORMAT", "text or json", "text"},
        {"pid", 'p', OPTION_LIST, &options->pids, "PID", "watch only this process; may be repeated",
         NULL},
        {0},
    };
    _Static_assert(ARRAY_SIZE(table) <= WATCH_OPTIONS_MAX, "room for the table");
    memcpy(ret, table, sizeof(table));
    if (mode == WATCH_COMMAND)
        ret[ARRAY_SIZE(table) - 2] = (struct option){0};
}

void watch_options_init(struct watch_options *options, enum watch_mode mode, struct option *ret)
{
    *options = (struct watch_options){
        .interval_ms = INTERVAL_MS_DEFAULT,
        .flush_ms = mode == WATCH_MACHINE ? FLUSH_MS_MACHINE : FLUSH_MS_COMMAND,
        .cpu_budget = "0.5%",
        .sample_above_bytes = SAMPLE_ABOVE_BYTES_DEFAULT,
        .spool_bytes = SPOOL_BYTES_DEFAULT,
        .spool_disk_bytes = SPOOL_DISK_BYTES_DEFAULT,
        .log_level = "info",
        .log_format = "text",
    };
    make_table(options, mode, ret);
}

void watch_options_done(struct watch_options *options)
{
    rpc_tls_texts_done(&options->tls);
}

struct command_line watch_options_line(const char *name, enum watch_mode mode,
                                       const struct option *table)
{
    /* Named as OpenTelemetry's exporters name them; those themselves are the service's. */
    static const struct option_alias aliases[] = {
        {"tls-ca", "HEAPFLEET_CERTIFICATE"},
        {"tls-cert", "HEAPFLEET_CLIENT_CERTIFICATE"},
        {"tls-key", "HEAPFLEET_CLIENT_KEY"},
        {0},
    };
    static const struct option only_in_watch[] = {{.name = "pid", .kind = OPTION_LIST}, {0}};
    static const char *const reloadable[] = {"interval",  "cpu-budget", "flush", "token",
                                             "log-level", "log-format", NULL};
    return (struct command_line){
        .name = name,
        .options = table,
        .has_config = 1,
        .takes_rest = 1,
        .advice = mode == WATCH_COMMAND ? ": put -- before the command" : NULL,
        .aliases = aliases,
        .elsewhere = mode == WATCH_COMMAND ? only_in_watch : NULL,
        .reloadable = reloadable,
    };
}

static enum status resolve_tls(struct watch_options *options, struct agent_options *ret,
                               struct why *why)
{
    if (options->tls_ca == NULL && (options->tls_cert != NULL || options->tls_key != NULL))
        return why_fail(why, STATUS_USAGE, "--tls-cert and --tls-key need --tls-ca");
    if ((options->tls_cert == NULL) != (options->tls_key == NULL))
        return why_fail(why, STATUS_USAGE, "--tls-cert and --tls-key go together");
    ret->tls = (struct rpc_tls_paths){
        .certificate = options->tls_cert, .key = options->tls_key, .ca = options->tls_ca};
    enum status status = rpc_tls_texts_read(&ret->tls, &options->tls, why);
    ret->channel.tls_ca = options->tls.ca;
    ret->channel.tls_certificate = options->tls.certificate;
    ret->channel.tls_key = options->tls.key;
    return status;
}

static enum status resolve_pids(const struct option_list *pids, struct scout_options *ret,
                                struct why *why)
{
    for (int i = 0; i < pids->count; i++) {
        uint64_t pid = 0;
        if (parse_u64(pids->items[i], 1, INT_MAX, &pid) != STATUS_OK)
            return why_fail(why, STATUS_USAGE, "cannot use \"%s\" as a process id", pids->items[i]);
        ret->pids[ret->pid_count++] = (pid_t)pid;
    }
    return STATUS_OK;
}

static enum status check_numbers(const struct watch_options *options, struct why *why)
{
    if (options->interval_ms < INTERVAL_MS_MIN || options->interval_ms > INTERVAL_MS_MAX)
        return why_fail(why, STATUS_USAGE, "the interval must be between 100ms and 24h");
    if (options->spool_bytes < SPOOL_BYTES_MIN || options->spool_bytes > SPOOL_BYTES_MAX)
        return why_fail(why, STATUS_USAGE, "the spool must be between 1M and 16G");
    if (options->sample_above_bytes && options->sample_above_bytes < CENSUS_SAMPLE_BYTES_MIN)
        return why_fail(why, STATUS_USAGE,
                        "--sample-above must be at least 16M: of less, no estimate can be made");
    if (options->spool_disk_bytes < SPOOL_BYTES_MIN || options->spool_disk_bytes > SPOOL_BYTES_MAX)
        return why_fail(why, STATUS_USAGE, "--spool-bytes must be between 1M and 16G");
    if (options->flush_ms > INTERVAL_MS_MAX)
        return why_fail(why, STATUS_USAGE, "--flush must be at most 24h");
    return STATUS_OK;
}

enum status watch_options_resolve(struct watch_options *options, const struct command_line *line,
                                  struct agent_options *ret, struct why *why)
{
    if (options->collector == NULL)
        return why_fail(why, STATUS_USAGE,
                        "no collector is given: add --collector HOST:PORT, or set "
                        "HEAPFLEET_COLLECTOR");
    *ret = (struct agent_options){
        .channel = {.target = options->collector,
                    .token = options->token,
                    .plaintext = options->insecure},
        .scout = {.identity = options->identity, .sample_above_bytes = options->sample_above_bytes},
        .interval_ms = options->interval_ms,
        .spool_bytes = options->spool_bytes,
        .spool_dir = options->spool_dir,
        .spool_disk_bytes = options->spool_disk_bytes,
    };
    enum status status = check_numbers(options, why);
    if (status == STATUS_OK)
        status = identity_check_options(&options->identity, why);
    if (status == STATUS_OK)
        status = budget_parse_share(options->cpu_budget, &ret->cpu_share, why);
    if (status == STATUS_OK)
        status = resolve_pids(&options->pids, &ret->scout, why);
    if (status == STATUS_OK)
        status = log_setup_words(options->log_level, options->log_format, why);
    if (status == STATUS_OK)
        status = resolve_tls(options, ret, why);
    if (status == STATUS_OK && collectors_check(&ret->channel, why) != STATUS_OK) {
        why_prefix(why, "%s", command_line_place(line, "collector"));
        return STATUS_USAGE;
    }
    return status;
}
