#include "ingest_probe.h"

#include "attributes.h"
#include "clock.h"

enum {
    ASK_EVERY_MS = 2000,
    SILENCE_MS = 10 * 1000, /* of the database, until it counts as away */
    STILL_MS = 30 * 1000,   /* of the rpc thread, until it counts as stuck */
};

void ingest_probe_init(struct ingest_probe *probe, struct db *db, struct worker *worker)
{
    probe->db = db;
    probe->worker = worker;
    probe->is_up = 1;
    probe->beat_ms = clock_mono_ms();
    probe->asked_ms = probe->beat_ms;
}

/* On the worker. */
static void ask(void *arg)
{
    struct ingest_probe *probe = arg;
    struct why why;
    int takes_writes = 0;
    probe->is_up = db_takes_writes(probe->db, &takes_writes, &why) == STATUS_OK;
    probe->is_read_only = probe->is_up && !takes_writes;
    probe->is_busy = 0;
}

void ingest_probe_tick(struct ingest_probe *probe)
{
    int64_t now_ms = clock_mono_ms();
    probe->beat_ms = now_ms;
    if (probe->is_busy || now_ms - probe->asked_ms < ASK_EVERY_MS)
        return;
    probe->asked_ms = now_ms;
    probe->is_busy = 1;
    worker_post(probe->worker, ask, probe);
}

void ingest_probe_drain(struct ingest_probe *probe)
{
    probe->is_draining = 1;
}

int ingest_probe_is_alive(const struct ingest_probe *probe, struct why *why)
{
    int64_t still_ms = clock_mono_ms() - probe->beat_ms;
    if (still_ms < STILL_MS)
        return 1;
    why_set(why, "the rpc thread has stood still for %lld s", (long long)still_ms / 1000);
    return 0;
}

int ingest_probe_is_ready(const struct ingest_probe *probe, struct why *why)
{
    if (!ingest_probe_is_alive(probe, why))
        return 0;
    if (probe->is_draining) {
        why_set(why, "this collector is shutting down");
        return 0;
    }
    int is_silent = probe->is_busy && clock_mono_ms() - probe->asked_ms > SILENCE_MS;
    if (probe->is_up && !is_silent && !probe->is_read_only)
        return 1;
    why_set(why, probe->is_read_only ? "the database takes no writes: is it a standby?"
                                     : "the database does not answer");
    return 0;
}
