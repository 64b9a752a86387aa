/*
 * A line on standard error that says what is waited for, once it takes more than a second:
 *
 *     asking 127.0.0.1:4777: 12,000 rows so far, 3 s
 *
 * Only on a terminal, and gone when the waiting ends.
 */
#ifndef COLLECTOR_CLI_PROGRESS_H
#define COLLECTOR_CLI_PROGRESS_H

struct progress;

/* `text` is copied. NULL, which is fine for progress_stop, when nobody would see it. */
struct progress *progress_start(const char *text);
void progress_stop(struct progress *progress);

#endif
