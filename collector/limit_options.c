#include "limit_options.h"

#include <stddef.h>
#include <string.h>

/* The smallest message that a keyframe of many types fits into, and what gRPC's lengths hold. */
enum {
    MESSAGE_BYTES_LEAST = 16 * 1024,
    MESSAGE_BYTES_MOST = 64 * 1024 * 1024,
    CHAIN_MOST = 1000000
};

static const int64_t minute_ms = (int64_t)60 * 1000;
static const int64_t year_ms = (int64_t)366 * 24 * 3600 * 1000;

struct limit_settings limit_settings_usual(void)
{
    const struct ingest_limits usual = ingest_limits_usual();
    return (struct limit_settings){
        .message_bytes = usual.message_bytes_max,
        .types = usual.session.types_max,
        .name_bytes = usual.session.name_bytes_max,
        .processes = usual.session.processes_max,
        .chain = usual.session.chain_snapshots_max,
        .streams_of_peer = usual.streams_of_peer_max,
        .snapshots_per_s = usual.snapshots_per_s_max,
        .heap_bytes = usual.heap_bytes_max,
        .clock_ahead_ms = usual.session.clock_ahead_ms,
        .clock_behind_ms = usual.session.clock_behind_ms,
        .sequence_ahead_ms = usual.session.sequence_ahead_ms,
    };
}

void limit_options(struct limit_settings *settings, struct option ret[LIMIT_OPTIONS])
{
    const struct option table[LIMIT_OPTIONS] = {
        {"max-message-size", 0, OPTION_BYTES, &settings->message_bytes, "SIZE",
         "of one message of an agent", "256K"},
        {"max-processes", 0, OPTION_U64, &settings->processes, "N", "of one stream", "4096"},
        {"max-types", 0, OPTION_U64, &settings->types, "N", "of one process", "16384"},
        {"max-name-length", 0, OPTION_U64, &settings->name_bytes, "BYTES", "of a type's name",
         "512"},
        {"max-chain", 0, OPTION_U64, &settings->chain, "N",
         "changes in a row before a keyframe is asked for", "256"},
        {"max-clock-ahead", 0, OPTION_DURATION, &settings->clock_ahead_ms, "TIME",
         "of an agent's clock before ours", "10m"},
        {"max-clock-behind", 0, OPTION_DURATION, &settings->clock_behind_ms, "TIME",
         "of a snapshot's time behind now", "30d"},
        {"max-sequence-ahead", 0, OPTION_DURATION, &settings->sequence_ahead_ms, "TIME",
         "of a sequence number, which counts from a time", "1d"},
        {"max-snapshot-rate", 0, OPTION_U64, &settings->snapshots_per_s, "N",
         "a second of one stream; above it is read more slowly; 0: any", "5000"},
        {"max-streams-per-peer", 0, OPTION_U64, &settings->streams_of_peer, "N",
         "of one address; 0: any number", "16384"},
        {"max-heap-memory", 0, OPTION_BYTES, &settings->heap_bytes, "SIZE",
         "for the heaps of all streams together; 0: any", "1G"},
    };
    memcpy(ret, table, sizeof(table));
}

static enum status check_range(const struct command_line *line, const char *name, uint64_t value,
                               uint64_t least, uint64_t most, struct why *why)
{
    if (value >= least && value <= most)
        return STATUS_OK;
    return why_fail(why, STATUS_USAGE, "%s is between %llu and %llu",
                    command_line_place(line, name), (unsigned long long)least,
                    (unsigned long long)most);
}

static enum status check_time(const struct command_line *line, const char *name, int64_t ms,
                              struct why *why)
{
    if (ms >= minute_ms && ms <= year_ms)
        return STATUS_OK;
    return why_fail(why, STATUS_USAGE, "%s is between 1m and 366d", command_line_place(line, name));
}

static enum status check_numbers(const struct limit_settings *settings,
                                 const struct command_line *line, struct why *why)
{
    const struct {
        const char *name;
        uint64_t value, least, most;
    } ranges[] = {
        {"max-message-size", settings->message_bytes, MESSAGE_BYTES_LEAST, MESSAGE_BYTES_MOST},
        {"max-processes", settings->processes, 1, UINT32_MAX},
        {"max-types", settings->types, 1, SNAPSHOT_TYPES_MAX},
        {"max-name-length", settings->name_bytes, 1, SNAPSHOT_NAME_BYTES_MAX},
        {"max-chain", settings->chain, 1, CHAIN_MOST},
        {"max-snapshot-rate", settings->snapshots_per_s, 0, UINT32_MAX},
        {"max-streams-per-peer", settings->streams_of_peer, 0, UINT32_MAX},
        {"max-heap-memory", settings->heap_bytes, 0, (uint64_t)1 << 60},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
        enum status status = check_range(line, ranges[i].name, ranges[i].value, ranges[i].least,
                                         ranges[i].most, why);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

enum status limit_settings_check(const struct limit_settings *settings,
                                 const struct command_line *line, struct ingest_limits *ret,
                                 struct why *why)
{
    enum status status = check_numbers(settings, line, why);
    if (status == STATUS_OK)
        status = check_time(line, "max-clock-ahead", settings->clock_ahead_ms, why);
    if (status == STATUS_OK)
        status = check_time(line, "max-clock-behind", settings->clock_behind_ms, why);
    if (status == STATUS_OK)
        status = check_time(line, "max-sequence-ahead", settings->sequence_ahead_ms, why);
    if (status != STATUS_OK)
        return status;
    struct ingest_limits limits = ingest_limits_usual();
    limits.message_bytes_max = (uint32_t)settings->message_bytes;
    limits.streams_of_peer_max = (uint32_t)settings->streams_of_peer;
    limits.snapshots_per_s_max = (uint32_t)settings->snapshots_per_s;
    limits.heap_bytes_max = settings->heap_bytes;
    limits.session.processes_max = (uint32_t)settings->processes;
    limits.session.types_max = (uint32_t)settings->types;
    limits.session.name_bytes_max = (uint32_t)settings->name_bytes;
    limits.session.chain_snapshots_max = (uint32_t)settings->chain;
    limits.session.clock_ahead_ms = settings->clock_ahead_ms;
    limits.session.clock_behind_ms = settings->clock_behind_ms;
    limits.session.sequence_ahead_ms = settings->sequence_ahead_ms;
    *ret = limits;
    return STATUS_OK;
}
