/* One service that we judge: its detector, and how far each process has been read. */
#ifndef COLLECTOR_DETECT_SWEEP_SERVICE_SWEEP_H
#define COLLECTOR_DETECT_SWEEP_SERVICE_SWEEP_H

#include "buf.h"
#include "fleet_sweep.h"

struct service_sweep;

enum { SWEEP_AHEAD_BYTES = 64 << 20 };

/*
 * From a state that was saved, or (size 0, or it cannot be used) from nothing. `ahead_bytes`: what
 * may be kept of history that is read before its turn; less of it means that a sweep that is far
 * behind reads more often.
 */
struct service_sweep *service_sweep_new(const struct detect_config *config, int64_t service_id,
                                        size_t ahead_bytes, const uint8_t *state, size_t size);
void service_sweep_free(struct service_sweep *service);

int64_t service_sweep_id(const struct service_sweep *service);
struct detector *service_sweep_detector(struct service_sweep *service);

/* It was judged, and what was found is not written into findings yet; saved with the state, so that
 * whoever goes on says it, even if the service never sends again. */
int service_sweep_is_unsaid(const struct service_sweep *service);
void service_sweep_set_unsaid(struct service_sweep *service, int unsaid);

/* When it began without a state, by the clock of its sweeps; saved with the state. */
int64_t service_sweep_made_ms(const struct service_sweep *service);

/* How often history has been read. */
uint64_t service_sweep_reads(const struct service_sweep *service);

/* Called between all pieces of a reading, when the connection is free. Anything but OK ends it. */
struct sweep_keeper {
    enum status (*keep)(void *user, struct why *why);
    void *user;
};

/* Read what is new up to `now_ms`, and judge as often as it is due. `*ret_passed`: at least once.
 */
enum status service_sweep_read(struct service_sweep *service, struct db *db, int64_t now_ms,
                               const struct sweep_keeper *keeper, int *ret_passed,
                               struct why *why) MUST_CHECK;

void service_sweep_save(const struct service_sweep *service, struct buf *ret);

#endif
