/*
 * Is this collector of use? Whether the database answers and takes writes, asked every few seconds
 * on a worker that blocks for it, and whether the rpc thread still turns. The answers may be read
 * on any thread.
 */
#ifndef COLLECTOR_INGEST_INGEST_PROBE_H
#define COLLECTOR_INGEST_INGEST_PROBE_H

#include <stdatomic.h>
#include <stdint.h>

#include "loop.h"
#include "store.h"

struct ingest_probe {
    struct db *db; /* used on the worker only */
    struct worker *worker;
    atomic_int is_busy, is_up, is_read_only, is_draining;
    atomic_llong asked_ms, beat_ms; /* monotonic */
};

/* The database has just been opened. */
void ingest_probe_init(struct ingest_probe *probe, struct db *db, struct worker *worker);
/* On the rpc thread, regularly. */
void ingest_probe_tick(struct ingest_probe *probe);
void ingest_probe_drain(struct ingest_probe *probe); /* from now on: not ready */

/* 0 and a sentence if the rpc thread stands still. */
int ingest_probe_is_alive(const struct ingest_probe *probe, struct why *why);
/* 0 and a sentence if agents had better go elsewhere. */
int ingest_probe_is_ready(const struct ingest_probe *probe, struct why *why);

#endif
