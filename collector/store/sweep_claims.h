/*
 * Several collectors share the judging of services: each service is claimed by one of them, for a
 * while that it renews; a dead one's services are taken over when its time is up. Times are the
 * database's.
 */
#ifndef COLLECTOR_STORE_SWEEP_CLAIMS_H
#define COLLECTOR_STORE_SWEEP_CLAIMS_H

#include "store.h"

/*
 * Say that we live, renew our claims for `lease_ms`, give up what is more than our share, and take
 * what is free up to it. `*ret`: the services that are ours now, ascending, in the arena.
 */
enum status sweep_claims_renew(struct db *db, const uint8_t collector_id[ID_BYTES],
                               int64_t lease_ms, struct arena *arena, int64_t **ret,
                               size_t *ret_count, struct why *why) MUST_CHECK;

/* Renew one. GONE: somebody else has it. */
enum status sweep_claim_hold(struct db *db, const uint8_t collector_id[ID_BYTES],
                             int64_t service_id, int64_t lease_ms, struct why *why) MUST_CHECK;

/* Give up everything: we end. */
enum status sweep_claims_release(struct db *db, const uint8_t collector_id[ID_BYTES],
                                 struct why *why) MUST_CHECK;

/* Keep the detector's state with the claim. GONE: it is not ours any more. */
enum status sweep_state_write(struct db *db, const uint8_t collector_id[ID_BYTES],
                              int64_t service_id, const void *state, size_t size,
                              struct why *why) MUST_CHECK;

/* In the arena; size 0: there is none. LIMIT: it does not fit. */
enum status sweep_state_read(struct db *db, int64_t service_id, struct arena *arena,
                             const uint8_t **ret, size_t *ret_size, struct why *why) MUST_CHECK;

#endif
