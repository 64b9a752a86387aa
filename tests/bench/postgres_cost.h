/* What a private PostgreSQL has used so far: CPU of all its processes, WAL, disk. */
#ifndef TESTS_BENCH_POSTGRES_COST_H
#define TESTS_BENCH_POSTGRES_COST_H

#include <stdint.h>

#include "pg.h"

struct postgres_cost {
    double cpu_s;
    int64_t wal_bytes;  /* position */
    int64_t disk_bytes; /* of the database, everything in it */
};

/* `folder` as given to embedded_start. */
enum status postgres_cost(struct pg *pg, const char *folder, struct postgres_cost *ret,
                          struct why *why) MUST_CHECK;

#endif
