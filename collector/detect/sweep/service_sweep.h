/* One service that we judge: its detector, and how far each process has been read. */
#ifndef COLLECTOR_DETECT_SWEEP_SERVICE_SWEEP_H
#define COLLECTOR_DETECT_SWEEP_SERVICE_SWEEP_H

#include "buf.h"
#include "fleet_sweep.h"

struct service_sweep;

/* From a state that was saved, or (size 0, or it cannot be used) from nothing. */
struct service_sweep *service_sweep_new(const struct detect_config *config, int64_t service_id,
                                        const uint8_t *state, size_t size);
void service_sweep_free(struct service_sweep *service);

int64_t service_sweep_id(const struct service_sweep *service);
struct detector *service_sweep_detector(struct service_sweep *service);

/* Read what is new up to `now_ms`, and judge as often as it is due. `*ret_passed`: at least once.
 */
enum status service_sweep_read(struct service_sweep *service, struct db *db, int64_t now_ms,
                               int *ret_passed, struct why *why) MUST_CHECK;

void service_sweep_save(const struct service_sweep *service, struct buf *ret);

#endif
