/*
 * The program of `./dev bench storage`: loads a made-up fleet and says what it cost, as one JSON
 * object on standard output. storage_load.c is the command line.
 */
#ifndef TESTS_BENCH_STORAGE_LOAD_H
#define TESTS_BENCH_STORAGE_LOAD_H

#include "fleet_load.h"
#include "status.h"
#include "why.h"

struct storage_job {
    struct fleet_shape shape;
    uint32_t steps;      /* snapshots of each container */
    const char *folder;  /* empty, ours */
    const char *bin_dir; /* of PostgreSQL; NULL: found */
    int ask;             /* measure the queries too */
    int pause; /* when it is loaded, say where the database is and wait for a line of input */
};

/* Into a private PostgreSQL, through the write path and the compaction of collector/store. */
enum status storage_heapfleet(const struct storage_job *job, struct why *why) MUST_CHECK;

/* The questions again, of a folder that storage_heapfleet has filled; `shape` and `steps` are those
 * that it was filled with. */
enum status storage_ask_again(const struct storage_job *job, struct why *why) MUST_CHECK;

/* As Prometheus remote-write requests on standard output: each a length (4 bytes, little-endian)
 * and that many bytes, compressed with snappy. A request is one snapshot: two series a type. */
enum status storage_remote_write(const struct storage_job *job, struct why *why) MUST_CHECK;

#endif
