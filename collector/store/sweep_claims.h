/*
 * Several collectors share the judging of services: each service is claimed by one of them, for a
 * while that it renews; a dead one's services are taken over when its time is up. Times are the
 * database's.
 *
 * A collector may stand still at any moment, and go on when another one has its service. So nothing
 * is written but in a transaction that begins by locking the claim and finding it as it was taken:
 *
 *     sweep_write_begin     BEGIN; the service is kept from being forgotten, the claim locked and
 * renewed findings_replace ...  sweep_state_write ... sweep_write_commit    sweep_write_end in any
 * case
 *
 * The service is locked first, as service_forget does it. Who takes claims passes over those that
 * are locked: a collector that stands still in such a transaction holds up nobody, and its session
 * ends by itself (pg.h).
 */
#ifndef COLLECTOR_STORE_SWEEP_CLAIMS_H
#define COLLECTOR_STORE_SWEEP_CLAIMS_H

#include "store.h"

struct sweep_claim {
    int64_t service_id;
    int64_t epoch; /* how often the service was taken: whoever had it before has another one */
};

/*
 * Say that we live, renew our claims for `lease_ms`, give up what is more than our share, and take
 * what is free up to it. `*ret`: what is ours now, ascending by service, in the arena.
 */
enum status sweep_claims_renew(struct db *db, const uint8_t collector_id[ID_BYTES],
                               int64_t lease_ms, struct arena *arena, struct sweep_claim **ret,
                               size_t *ret_count, struct why *why) MUST_CHECK;

/* In the middle of something long: say that we live, and renew what is ours. */
enum status sweep_claims_keep(struct db *db, const uint8_t collector_id[ID_BYTES], int64_t lease_ms,
                              struct why *why) MUST_CHECK;

/* Renew one; never for a shorter time than it has. GONE: it is not ours any more. */
enum status sweep_claim_hold(struct db *db, const uint8_t collector_id[ID_BYTES],
                             const struct sweep_claim *claim, int64_t lease_ms,
                             struct why *why) MUST_CHECK;

/* Give up everything: we end. */
enum status sweep_claims_release(struct db *db, const uint8_t collector_id[ID_BYTES],
                                 struct why *why) MUST_CHECK;

/* GONE: the claim is not ours any more, or the service was forgotten. */
enum status sweep_write_begin(struct db *db, const uint8_t collector_id[ID_BYTES],
                              const struct sweep_claim *claim, int64_t lease_ms,
                              struct why *why) MUST_CHECK;
enum status sweep_write_commit(struct db *db, struct why *why) MUST_CHECK;
/* Takes back what was not committed. */
void sweep_write_end(struct db *db);

#endif
