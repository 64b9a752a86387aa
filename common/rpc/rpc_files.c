#include "rpc_files.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "file.h"

enum { PEM_BYTES_MAX = 256 * 1024 };

static enum status read_one(const char *path, char **ret, struct why *why)
{
    struct buf text = BUF_INIT;
    if (path == NULL)
        return STATUS_OK;
    enum status status = file_read(path, PEM_BYTES_MAX, &text, why);
    if (status != STATUS_OK) {
        buf_done(&text);
        return status;
    }
    buf_append_byte(&text, 0); /* what stands behind a zero in the file is not looked at */
    size_t size = 0;
    *ret = (char *)buf_detach(&text, &size);
    return STATUS_OK;
}

enum status rpc_tls_texts_read(const struct rpc_tls_paths *paths, struct rpc_tls_texts *ret,
                               struct why *why)
{
    struct rpc_tls_texts texts = {0};
    enum status status = read_one(paths->certificate, &texts.certificate, why);
    if (status == STATUS_OK)
        status = read_one(paths->key, &texts.key, why);
    if (status == STATUS_OK)
        status = read_one(paths->ca, &texts.ca, why);
    if (status == STATUS_OK)
        *ret = texts;
    else
        rpc_tls_texts_done(&texts);
    return status;
}

static int same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

int rpc_tls_texts_equal(const struct rpc_tls_texts *a, const struct rpc_tls_texts *b)
{
    return same(a->certificate, b->certificate) && same(a->key, b->key) && same(a->ca, b->ca);
}

void rpc_tls_texts_done(struct rpc_tls_texts *texts)
{
    free(texts->certificate);
    free(texts->key);
    free(texts->ca);
    *texts = (struct rpc_tls_texts){0};
}
