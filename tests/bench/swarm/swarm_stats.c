#include "swarm_stats.h"

#include <dirent.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "parse.h"

/* ---- latency -------------------------------------------------------------------------------- */

/* Octave and step: the number's highest bit, and the five behind it. */
static uint32_t bucket_of(uint64_t us)
{
    if (us < LATENCY_STEPS)
        return (uint32_t)us;
    uint32_t high = 63 - (uint32_t)__builtin_clzll(us);
    uint32_t bucket =
        (high - 4) * LATENCY_STEPS + (uint32_t)(us >> (high - 5) & (LATENCY_STEPS - 1));
    uint32_t last = LATENCY_OCTAVES * LATENCY_STEPS - 1;
    return bucket < last ? bucket : last;
}

/* The smallest number of the bucket behind it. */
static double bucket_end_us(uint32_t bucket)
{
    if (bucket < LATENCY_STEPS)
        return bucket + 1;
    uint32_t high = bucket / LATENCY_STEPS + 4;
    return (double)((uint64_t)(LATENCY_STEPS + bucket % LATENCY_STEPS + 1) << (high - 5));
}

void swarm_latency_add(struct swarm_latency *latency, int64_t ns)
{
    latency->counts[bucket_of(ns > 0 ? (uint64_t)ns / 1000 : 0)]++;
    latency->total++;
}

double swarm_latency_ms(const struct swarm_latency *latency, double share)
{
    uint64_t below = 0, wanted = (uint64_t)(share * (double)latency->total);
    for (uint32_t i = 0; i < LATENCY_OCTAVES * LATENCY_STEPS; i++) {
        below += latency->counts[i];
        if (latency->counts[i] > 0 && below >= wanted)
            return bucket_end_us(i) / 1000;
    }
    return 0;
}

void swarm_complain(struct swarm_stats *stats, const char *kind, const char *text)
{
    char whole[COMPLAINT_BYTES];
    (void)snprintf(whole, sizeof(whole), "%s: %s", kind, text);
    int place = 0;
    while (place < COMPLAINTS_MAX - 1 && stats->complaints[place].count > 0 &&
           strcmp(stats->complaints[place].text, whole) != 0)
        place++;
    memcpy(stats->complaints[place].text, whole, sizeof(whole));
    stats->complaints[place].count++;
}

/* ---- the wire ------------------------------------------------------------------------------- */

static void add_connection(struct swarm_wire *wire, int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        size < offsetof(struct tcp_info, tcpi_bytes_sent) + sizeof(info.tcpi_bytes_sent))
        return;
    wire->sent += info.tcpi_bytes_sent;
    wire->received += info.tcpi_bytes_received;
    wire->connections++;
}

struct swarm_wire swarm_wire_now(void)
{
    struct swarm_wire wire = {0};
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return wire;
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        uint64_t fd;
        if (parse_u64(entry->d_name, 0, INT32_MAX, &fd) == STATUS_OK)
            add_connection(&wire, (int)fd);
    }
    closedir(folder);
    return wire;
}
