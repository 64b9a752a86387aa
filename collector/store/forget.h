/* Taking a service out of the database, on request. */
#ifndef COLLECTOR_STORE_FORGET_H
#define COLLECTOR_STORE_FORGET_H

#include "store.h"

/*
 * Delete all that is known of a service, in one transaction: history of every level, processes,
 * versions, findings. NOT_FOUND if there is none of that name. The stream of an agent that still
 * sends for it is ended without an Ack (see write_batch_forgotten), so that it is announced anew.
 */
enum status service_forget(struct db *db, const char *name, const char *service_namespace,
                           const char *environment, struct why *why) MUST_CHECK;

#endif
