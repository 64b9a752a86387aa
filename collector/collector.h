/*
 * The collector as a whole: database, ingest, queries and sweeps, from start to orderly end. The
 * only file that knows all the parts.
 */
#ifndef COLLECTOR_COLLECTOR_H
#define COLLECTOR_COLLECTOR_H

#include <stddef.h>
#include <stdint.h>

#include "alert.h"
#include "door_options.h"
#include "gate.h"
#include "ingest.h"
#include "keep_house.h"
#include "status.h"
#include "why.h"

struct collector_config {
    const char *listen; /* "127.0.0.1:4777" */
    const char *dsn;    /* NULL: a private PostgreSQL under data_dir */
    const char *data_dir;
    const char *bin_dir; /* of PostgreSQL; NULL: found */
    int64_t horizon_ms;  /* detection: uptime that a deployment must have reached */
    int64_t sweep_every_ms;
    int64_t batch_every_ms;
    size_t pending_bytes_max; /* 0: the default */
    struct alert_config alert;
    struct ingest_limits limits;
    const char *http; /* where to answer machines that watch; NULL: nowhere */
    struct keep_house_config history;
    int64_t compact_every_ms;

    const struct door_settings *door; /* its limits */
    struct gate *gate;                /* the door; outlives the run */

    void (*reload)(void *arg); /* on SIGHUP, on the main thread; NULL: nothing */
    void *reload_arg;
};

/*
 * Serve until SIGTERM or SIGINT, then commit, acknowledge and end; a second signal ends the process
 * at once. SIGHUP reloads. Logs `collector.ready listen=HOST:PORT` when it can be used. Blocks;
 * once a process.
 */
enum status collector_run(const struct collector_config *config, struct why *why) MUST_CHECK;

#endif
