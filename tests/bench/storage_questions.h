/* The questions of `./dev bench storage`, asked in process: what a person waits for, less the
 * network. */
#ifndef TESTS_BENCH_STORAGE_QUESTIONS_H
#define TESTS_BENCH_STORAGE_QUESTIONS_H

#include "fleet_load.h"
#include "store.h"

/* Print `"name": milliseconds` for each question, comma between: warm medians. When the fleet lived
 * too short for one, it is left out. */
enum status storage_ask(struct db *db, const struct fleet_shape *shape, int64_t now_ms,
                        struct why *why) MUST_CHECK;

#endif
