/*
 * What the detector remembers of a service, kept for whoever judges it next; in pieces, so that
 * neither a statement nor what libpq and the server keep of it grows with the service.
 */
#ifndef COLLECTOR_STORE_SWEEP_STATE_H
#define COLLECTOR_STORE_SWEEP_STATE_H

#include "buf.h"
#include "store.h"

enum { SWEEP_PIECE_BYTES = 4 << 20 };

/* In place of the one that is kept, in the transaction of sweep_write_begin. */
enum status sweep_state_write(struct db *db, int64_t service_id, const void *state, size_t size,
                              struct why *why) MUST_CHECK;

/* Appended to `ret`; nothing: there is none. LIMIT: it is larger than `bytes_max`. Whose claim the
 * service is may ask. */
enum status sweep_state_read(struct db *db, int64_t service_id, size_t bytes_max, struct buf *ret,
                             struct why *why) MUST_CHECK;

#endif
