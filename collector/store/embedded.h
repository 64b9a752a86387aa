/*
 * A private PostgreSQL under a data directory: made on first start, reachable through a UNIX socket
 * only, ended with us.
 *
 *     DIR/lock          flock: one collector a directory
 *     DIR/postgres/     the cluster (initdb into postgres.tmp, then renamed)
 *     DIR/socket/       mode 0700
 *     DIR/postgres.log
 *
 * The server works in open descriptors of its folders, so that DIR may lie below directories that
 * the service user cannot enter, and as deep as the file system allows.
 */
#ifndef COLLECTOR_STORE_EMBEDDED_H
#define COLLECTOR_STORE_EMBEDDED_H

#include "status.h"
#include "why.h"

struct embedded;

/*
 * Start it and wait until it answers (at most 60 s, longer while it recovers from a crash).
 * `bin_dir`: where initdb and postgres are, NULL to look in /usr/lib/postgresql/N/bin (the major
 * version that made the directory, else the highest). As root both run as the unprivileged user
 * `postgres`, else `nobody`. CONFLICT: another collector has the directory. FAILED: anything a
 * person must see to.
 */
enum status embedded_start(const char *data_dir, const char *bin_dir, struct embedded **ret,
                           struct why *why) MUST_CHECK;

const char *embedded_dsn(const struct embedded *embedded); /* valid until stop */

/* 1 while the server process runs; reaps it when it has ended. */
int embedded_is_running(struct embedded *embedded);

/* After embedded_is_running said 0: start the server again, at the same DSN. Blocks like
 * embedded_start; the server is tied to the life of the calling thread. */
enum status embedded_restart(struct embedded *embedded, struct why *why) MUST_CHECK;

/* Fast shutdown (SIGINT), then immediate (SIGQUIT). Blocks. NULL is fine. */
void embedded_stop(struct embedded *embedded);

#endif
