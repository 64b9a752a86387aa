#include "ingest_metrics.h"

#include "attributes.h"

#define PREFIX "heapfleet_collector_"

static const char *const fault_labels[] = {
#define X(name, label) "reason=\"" label "\"",
    INGEST_FAULT_MAP(X)
#undef X
};

static void make_streams(struct metrics *metrics, struct ingest_metrics *ret)
{
    ret->streams =
        metrics_gauge(metrics, PREFIX "streams", NULL, "Streams of agents that are open.");
    ret->streams_total = metrics_counter(metrics, PREFIX "streams_opened_total", NULL,
                                         "Streams of agents that were ever opened.");
    ret->messages =
        metrics_counter(metrics, PREFIX "messages_total", NULL, "Messages that agents have sent.");
    ret->message_bytes =
        metrics_counter(metrics, PREFIX "message_bytes_total", NULL, "Bytes of these messages.");
    ret->throttled =
        metrics_counter(metrics, PREFIX "throttled_total", NULL,
                        "Times that a stream was read more slowly for sending too fast.");
}

static void make_facts(struct metrics *metrics, struct ingest_metrics *ret)
{
    static const char snapshots[] = PREFIX "snapshots_total";
    static const char help[] = "Snapshots by what became of them; refused ones are in "
                               "heapfleet_collector_refusals_total.";
    ret->stored = metrics_counter(metrics, snapshots, "result=\"taken\"", help);
    ret->repeated = metrics_counter(metrics, snapshots, "result=\"repeated\"", help);
    for (int i = 0; i < INGEST_FAULTS; i++)
        ret->faults[i] =
            metrics_counter(metrics, PREFIX "refusals_total", fault_labels[i],
                            "Streams, processes and facts that were refused, by the reason.");
    ret->keyframes_asked = metrics_counter(metrics, PREFIX "keyframes_asked_total", NULL,
                                           "Keyframes that were asked for.");
}

static void make_store(struct metrics *metrics, struct ingest_metrics *ret)
{
    static const double seconds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                     0.1,   0.25,   0.5,   1,    2.5,   10};
    static const char commits[] = PREFIX "commits_total";
    static const char help[] = "Batches handed to the database, by what became of them.";
    ret->held_bytes = metrics_gauge(metrics, PREFIX "heap_memory_bytes", NULL,
                                    "Upper bound of what the heaps of all streams take.");
    ret->held_bytes_max = metrics_gauge(metrics, PREFIX "heap_memory_limit_bytes", NULL,
                                        "What they may take: --max-heap-memory.");
    ret->pending_bytes =
        metrics_gauge(metrics, PREFIX "pending_bytes", NULL, "Facts that are not yet committed.");
    ret->pending_bytes_max = metrics_gauge(metrics, PREFIX "pending_limit_bytes", NULL,
                                           "What they may take: --pending-bytes.");
    ret->commits = metrics_counter(metrics, commits, "result=\"ok\"", help);
    ret->commits_failed = metrics_counter(metrics, commits, "result=\"failed\"", help);
    ret->commit_seconds = metrics_histogram(metrics, PREFIX "commit_seconds", NULL,
                                            "Duration of a commit.", seconds, ARRAY_SIZE(seconds));
    ret->acks = metrics_counter(metrics, PREFIX "acknowledgements_total", NULL,
                                "Acknowledgements that were sent; each is cumulative.");
    ret->store_up = metrics_gauge(metrics, PREFIX "store_up", NULL,
                                  "1 if the latest commit went well, 0 while it is tried again.");
    metric_set(ret->store_up, 1);
}

struct ingest_metrics ingest_metrics_make(struct metrics *metrics)
{
    struct ingest_metrics made = {.streams = NULL};
    if (metrics == NULL)
        return made;
    make_streams(metrics, &made);
    make_facts(metrics, &made);
    make_store(metrics, &made);
    return made;
}
