#include "tls_files.h"

#include <stdlib.h>
#include <string.h>

#include "attributes.h"
#include "log.h"

struct tls_files {
    struct rpc_tls_paths paths;
    struct uplink *uplink;
    struct loop_timer *timer;
    struct rpc_tls_texts now;
    struct why said; /* what was wrong at the last look */
};

static void complain(struct tls_files *files, const struct why *why)
{
    if (strcmp(files->said.text, why->text) != 0)
        log_event(LOG_WARN, "files.refused", "reason=\"%s\" action=\"the old ones stay in force\"",
                  why->text);
    files->said = *why;
}

void tls_files_look(struct tls_files *files)
{
    struct rpc_tls_texts fresh = {0};
    struct why why = {""};
    enum status status = rpc_tls_texts_read(&files->paths, &fresh, &why);
    int is_new = status == STATUS_OK && !rpc_tls_texts_equal(&fresh, &files->now);
    if (is_new)
        status = uplink_set_tls(files->uplink, &fresh, &why);
    if (is_new && status == STATUS_OK) {
        struct rpc_tls_texts old = files->now;
        files->now = fresh;
        fresh = old;
        log_event(LOG_INFO, "files.reloaded", "certificates=new");
    }
    if (status != STATUS_OK)
        complain(files, &why);
    else
        files->said = (struct why){""};
    rpc_tls_texts_done(&fresh);
}

static void on_timer(void *arg)
{
    tls_files_look(arg);
}

struct tls_files *tls_files_new(struct loop *loop, const struct rpc_tls_paths *paths,
                                struct uplink *uplink)
{
    struct tls_files *files = calloc(1, sizeof(*files));
    ASSERT(files != NULL);
    files->paths = *paths;
    files->uplink = uplink;
    if (rpc_tls_texts_read(paths, &files->now, &files->said) != STATUS_OK)
        files->now = (struct rpc_tls_texts){0}; /* gone since they were checked: a look says it */
    files->timer = loop_timer_new(loop, on_timer, files);
    if (paths->ca != NULL)
        loop_timer_start(files->timer, TLS_FILES_EVERY_MS, TLS_FILES_EVERY_MS);
    return files;
}

void tls_files_free(struct tls_files *files)
{
    if (files == NULL)
        return;
    loop_timer_free(files->timer);
    rpc_tls_texts_done(&files->now);
    free(files);
}
