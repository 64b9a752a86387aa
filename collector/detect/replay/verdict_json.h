/* A verdict as one line of JSON. */
#ifndef COLLECTOR_DETECT_REPLAY_VERDICT_JSON_H
#define COLLECTOR_DETECT_REPLAY_VERDICT_JSON_H

#include "buf.h"
#include "verdict.h"

/* With its line feed. */
void verdict_json_append(struct buf *buf, const char *service, const struct verdict *verdict);

#endif
