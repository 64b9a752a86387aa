/* What the agent logs that needs nothing of its state. */
#ifndef AGENT_AGENT_LOG_H
#define AGENT_AGENT_LOG_H

#include <stddef.h>

#include "uplink.h"

/* What on this machine will keep us from seeing or reading processes; to be said once. */
void agent_log_obstacles(void);

/* Of struct uplink_events; `user` is not looked at. */
void agent_log_spool_changed(void *user, const char *reason);
void agent_log_spool_restored(void *user, const struct spool_restored *restored, size_t runs);
void agent_log_given_up(void *user, size_t facts, const char *reason);

#endif
