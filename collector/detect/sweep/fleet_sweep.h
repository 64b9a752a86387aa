/*
 * Feeds the detector from the database and stores what it finds, for every service that this
 * collector has claimed (sweep_claims.h), in turn.
 *
 * A sweep reads what is new since the one before. The detector's state is written down with the
 * claim every fifteenth of the horizon and when we end; whoever has the service next goes on from
 * there, and says what we would have said. Without such a state, or with one of another version of
 * this program, it begins with the newest SWEEP_HORIZONS horizons of history.
 *
 * A collector may stand still for long, and another one take its services over. What it then goes
 * on to write is not written (sweep_claims.h): it is thrown away with the detector, and counted.
 *
 * Blocks; the connection is the caller's and not used by others meanwhile.
 */
#ifndef COLLECTOR_DETECT_SWEEP_FLEET_SWEEP_H
#define COLLECTOR_DETECT_SWEEP_FLEET_SWEEP_H

#include <stdint.h>

#include "detector.h"
#include "status.h"
#include "store.h"
#include "why.h"

enum { SWEEP_HORIZONS = 4 };

struct sweep_config {
    struct detect_config detect;
    uint8_t collector_id[ID_BYTES]; /* random */
    int64_t lease_ms;               /* a claim that is not renewed for so long is anybody's */
};

struct sweep;

struct sweep *sweep_new(const struct sweep_config *config);
void sweep_free(struct sweep *sweep);

/*
 * One round. A service that fails, as one that is too large to be read (LIMIT), is left out, and
 * the others are swept; the status is then the first one's, and `why` names it. A database that is
 * away ends the round (UNAVAILABLE); the next one goes on.
 */
enum status sweep_run(struct sweep *sweep, struct db *db, int64_t now_ms,
                      struct why *why) MUST_CHECK;

/* How often something was judged, or about to be, whose claim was another collector's by then. */
uint64_t sweep_lost(const struct sweep *sweep);

/* From any thread: the round that is under way ends soon, and with it what takes long. What was
 * read is not lost: whoever goes on says the same. For good. */
void sweep_interrupt(struct sweep *sweep);

/* Write every state down and give the claims up, so that others need not wait for the lease; also
 * if a state cannot be written, which the status then says. */
enum status sweep_end(struct sweep *sweep, struct db *db, struct why *why) MUST_CHECK;

#endif
