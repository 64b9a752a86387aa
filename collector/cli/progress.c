/* A loop of its own on a thread of its own, since the one who waits is blocked. */
#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loop.h"
#include "terminal.h"
#include "utf8.h"

enum { EVERY_MS = 1000, COLUMNS_DEFAULT = 80, TEXT_BYTES = 256 };

struct progress {
    struct loop *loop;
    struct loop_timer *timer;
    struct worker *worker;
    unsigned seconds; /* the worker's, as long as it runs */
    char text[TEXT_BYTES];
};

static void show(void *arg)
{
    struct progress *progress = arg;
    progress->seconds++;
    int room = terminal_columns(STDERR_FILENO, COLUMNS_DEFAULT) - (int)sizeof(", 12345 s");
    (void)fprintf(stderr, "\r%.*s, %u s", room > 0 ? room : 0, progress->text, progress->seconds);
    (void)fflush(stderr);
}

static void run(void *arg)
{
    loop_run(arg);
}

struct progress *progress_start(const char *text)
{
    if (isatty(STDERR_FILENO) != 1)
        return NULL;
    struct progress *progress = calloc(1, sizeof(*progress));
    ASSERT(progress != NULL);
    (void)snprintf(progress->text, sizeof(progress->text), "%s", text);
    utf8_scrub(progress->text, strlen(progress->text));
    progress->loop = loop_new();
    progress->timer = loop_timer_new(progress->loop, show, progress);
    loop_timer_start(progress->timer, EVERY_MS, EVERY_MS);
    progress->worker = worker_new("progress");
    worker_post(progress->worker, run, progress->loop);
    return progress;
}

void progress_stop(struct progress *progress)
{
    if (progress == NULL)
        return;
    loop_stop(progress->loop);
    worker_free(progress->worker);
    if (progress->seconds > 0)
        (void)fputs("\r\033[K", stderr);
    loop_timer_free(progress->timer);
    loop_free(progress->loop);
    free(progress);
}
