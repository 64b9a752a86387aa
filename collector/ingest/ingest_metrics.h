/* What the Ingest service counts. All zeros: nothing is counted. */
#ifndef COLLECTOR_INGEST_INGEST_METRICS_H
#define COLLECTOR_INGEST_INGEST_METRICS_H

#include "ingest_fault.h"
#include "metrics.h"

struct ingest_metrics {
    struct metric *streams, *streams_total;
    struct metric *messages, *message_bytes;
    struct metric *stored, *repeated; /* snapshots that were taken, or were here already */
    struct metric *faults[INGEST_FAULTS];
    struct metric *keyframes_asked, *throttled;
    struct metric *held_bytes, *held_bytes_max, *pending_bytes, *pending_bytes_max;
    struct metric *commits, *commits_failed, *commit_seconds, *acks;
    struct metric *store_up;
};

/* NULL: all zeros. */
struct ingest_metrics ingest_metrics_make(struct metrics *metrics);

#endif
