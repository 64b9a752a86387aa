/* How many streams each peer has: an address without its port, or a UNIX socket. */
#ifndef COLLECTOR_INGEST_PEER_COUNT_H
#define COLLECTOR_INGEST_PEER_COUNT_H

#include <stdint.h>

struct peer_counts;

struct peer_counts *peer_counts_new(void);
void peer_counts_free(struct peer_counts *counts); /* when all have left */

/* One more stream of `peer`, as rpc_call_peer names it ("ipv4:127.0.0.1:51234"); how many it has
 * now. */
uint32_t peer_counts_enter(struct peer_counts *counts, const char *peer);
void peer_counts_leave(struct peer_counts *counts, const char *peer);

#endif
