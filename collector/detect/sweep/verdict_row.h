/* A verdict as the database keeps it. */
#ifndef COLLECTOR_DETECT_SWEEP_VERDICT_ROW_H
#define COLLECTOR_DETECT_SWEEP_VERDICT_ROW_H

#include "arena.h"
#include "findings.h"
#include "verdict.h"

/* Texts live in the arena, or are the verdict's. */
void verdict_row_fill(int64_t service_id, const struct verdict *verdict, struct arena *arena,
                      struct finding_row *ret);

#endif
