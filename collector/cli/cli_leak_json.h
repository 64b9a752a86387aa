/* `heapfleet leaks show -o json`. */
#ifndef COLLECTOR_CLI_CLI_LEAK_JSON_H
#define COLLECTOR_CLI_CLI_LEAK_JSON_H

#include "cli.h"

/*
 * One object, appended to `ret` with a line feed: the fields of `leaks -o json`, what people said
 * of it, and "evidence", "events" and "curves". `answer->leak` is not NULL. Times are UTC texts;
 * null is not known.
 */
void cli_leak_json(const Heapfleet__V1__GetLeakResponse *answer, struct buf *ret);

#endif
