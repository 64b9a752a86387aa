#include "rpc_tls.h"

#include <grpc/grpc.h>
#include <grpc/support/time.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attributes.h"
#include "rpc_runtime.h"

/*
 * gRPC would find bad texts too, a server's when it binds and a client's when it connects, but not
 * say which. The usual mistakes are a path in the place of the text, and a pair that is half there.
 */
static enum status check_pem(const char *what, const char *text, const char *mark, struct why *why)
{
    if (text == NULL || strstr(text, mark) != NULL)
        return STATUS_OK;
    return why_fail(why, STATUS_INVALID,
                    "TLS: the %s is not a PEM text: it has no line with \"%s\"", what, mark);
}

static enum status check(const char *certificate, const char *key, const char *authority,
                         struct why *why)
{
    static const char certificate_mark[] = "BEGIN CERTIFICATE", key_mark[] = "PRIVATE KEY";
    if ((certificate == NULL) != (key == NULL))
        return why_fail(why, STATUS_INVALID,
                        "TLS: a certificate and its key come together: the %s "
                        "is missing",
                        certificate == NULL ? "certificate" : "key");
    enum status status = check_pem("certificate", certificate, certificate_mark, why);
    if (status == STATUS_OK)
        status = check_pem("key", key, key_mark, why);
    if (status == STATUS_OK)
        status = check_pem("authority's certificate", authority, certificate_mark, why);
    return status;
}

/*
 * Whether gRPC takes the pair (and the authority): it tells nobody why not, and only when a server
 * binds. An abstract UNIX socket that nobody knows is bound for a moment.
 */
static enum status try_pair(const struct rpc_tls_texts *texts, struct why *why)
{
    grpc_ssl_pem_key_cert_pair pair = {texts->key, texts->certificate};
    grpc_server_credentials *credentials = grpc_ssl_server_credentials_create_ex(
        texts->ca, &pair, 1,
        texts->ca == NULL ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                          : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY,
        NULL);
    grpc_arg no_sharing = rpc_arg_number(GRPC_ARG_ALLOW_REUSEPORT, 0);
    grpc_channel_args args = {1, &no_sharing};
    grpc_server *server = grpc_server_create(&args, NULL);
    grpc_completion_queue *cq = grpc_completion_queue_create_for_next(NULL);
    grpc_server_register_completion_queue(server, cq, NULL);
    char address[64];
    (void)snprintf(address, sizeof(address), "unix-abstract:heapfleet-%d-%p", (int)getpid(),
                   (void *)server);
    int usable = grpc_server_add_http2_port(server, address, credentials) != 0;
    grpc_server_shutdown_and_notify(server, cq, &args);
    (void)grpc_completion_queue_next(cq, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    grpc_server_destroy(server);
    grpc_completion_queue_shutdown(cq);
    (void)grpc_completion_queue_next(cq, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    grpc_completion_queue_destroy(cq);
    grpc_server_credentials_release(credentials);
    if (usable)
        return STATUS_OK;
    return why_fail(why, STATUS_INVALID,
                    "TLS: the certificate and the key cannot be used: one is damaged, or they do "
                    "not belong together");
}

/* ---- the server's side ---------------------------------------------------------------------- */

/* One port's question, which remembers what it was answered. */
struct fetcher {
    struct rpc_tls *tls;
    uint64_t delivered; /* generation */
    struct fetcher *next;
};

struct rpc_tls {
    int client_optional;
    struct fetcher *fetchers; /* made while the server binds */
    pthread_mutex_t lock;     /* of what follows */
    struct rpc_tls_texts texts;
    uint64_t generation;
};

static char *copy_text(const char *text)
{
    char *copy = text == NULL ? NULL : strdup(text);
    ASSERT(text == NULL || copy != NULL);
    return copy;
}

static struct rpc_tls_texts copy_texts(const struct rpc_tls_texts *texts)
{
    return (struct rpc_tls_texts){.certificate = copy_text(texts->certificate),
                                  .key = copy_text(texts->key),
                                  .ca = copy_text(texts->ca)};
}

static enum status check_server(const struct rpc_tls_texts *texts, struct why *why)
{
    enum status status = check(texts->certificate, texts->key, texts->ca, why);
    if (status != STATUS_OK)
        return status;
    if (texts->certificate != NULL)
        return try_pair(texts, why);
    if (texts->ca != NULL)
        return why_fail(why, STATUS_INVALID,
                        "TLS: to verify clients, the server needs a certificate and a key itself");
    return STATUS_OK;
}

enum status rpc_tls_texts_try(const struct rpc_tls_texts *texts, struct why *why)
{
    rpc_runtime_enter();
    sigset_t before;
    rpc_signals_block(&before);
    enum status status = check_server(texts, why);
    rpc_signals_restore(&before);
    rpc_runtime_leave();
    return status;
}

enum status rpc_tls_new(const struct rpc_server_options *options, struct rpc_tls **ret,
                        struct why *why)
{
    const struct rpc_tls_texts texts = {.certificate = (char *)options->tls_certificate,
                                        .key = (char *)options->tls_key,
                                        .ca = (char *)options->tls_client_ca};
    enum status status = check_server(&texts, why);
    if (status != STATUS_OK)
        return status;
    struct rpc_tls *tls = calloc(1, sizeof(*tls));
    ASSERT(tls != NULL);
    ASSERT(pthread_mutex_init(&tls->lock, NULL) == 0);
    tls->client_optional = options->tls_client_optional;
    tls->texts = copy_texts(&texts);
    tls->generation = 1;
    *ret = tls;
    return STATUS_OK;
}

void rpc_tls_free(struct rpc_tls *tls)
{
    if (tls == NULL)
        return;
    while (tls->fetchers != NULL) {
        struct fetcher *next = tls->fetchers->next;
        free(tls->fetchers);
        tls->fetchers = next;
    }
    rpc_tls_texts_done(&tls->texts);
    pthread_mutex_destroy(&tls->lock);
    free(tls);
}

enum status rpc_tls_set(struct rpc_tls *tls, const struct rpc_tls_texts *texts, struct why *why)
{
    enum status status = check_server(texts, why);
    if (status != STATUS_OK)
        return status;
    struct rpc_tls_texts fresh = copy_texts(texts);
    pthread_mutex_lock(&tls->lock);
    int same_kind = (fresh.certificate == NULL) == (tls->texts.certificate == NULL) &&
                    (fresh.ca == NULL) == (tls->texts.ca == NULL);
    if (same_kind) {
        struct rpc_tls_texts old = tls->texts;
        tls->texts = fresh;
        fresh = old;
        tls->generation++;
    }
    pthread_mutex_unlock(&tls->lock);
    rpc_tls_texts_done(&fresh);
    if (!same_kind)
        return why_fail(why, STATUS_INVALID,
                        "TLS: whether it is used, and whether clients are verified, cannot change "
                        "while the server runs");
    return STATUS_OK;
}

static grpc_ssl_certificate_config_reload_status fetch(void *arg,
                                                       grpc_ssl_server_certificate_config **ret)
{
    struct fetcher *fetcher = arg;
    struct rpc_tls *tls = fetcher->tls;
    pthread_mutex_lock(&tls->lock);
    int is_new = fetcher->delivered != tls->generation;
    if (is_new) {
        grpc_ssl_pem_key_cert_pair pair = {tls->texts.key, tls->texts.certificate};
        /* gRPC asserts that there is an authority, even where no client is asked for a certificate
         */
        const char *ca = tls->texts.ca != NULL ? tls->texts.ca : tls->texts.certificate;
        *ret = grpc_ssl_server_certificate_config_create(ca, &pair, 1);
        fetcher->delivered = tls->generation;
    }
    pthread_mutex_unlock(&tls->lock);
    return is_new ? GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW
                  : GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
}

grpc_server_credentials *rpc_tls_credentials(struct rpc_tls *tls)
{
    if (tls->texts.certificate == NULL)
        return grpc_insecure_server_credentials_create();
    struct fetcher *fetcher = calloc(1, sizeof(*fetcher));
    ASSERT(fetcher != NULL);
    *fetcher = (struct fetcher){.tls = tls, .next = tls->fetchers};
    tls->fetchers = fetcher;
    grpc_ssl_client_certificate_request_type request = GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
    if (tls->texts.ca != NULL)
        request = tls->client_optional ? GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY
                                       : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
    return grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(request, fetch, fetcher));
}

/* ---- the client's side ---------------------------------------------------------------------- */

enum status rpc_tls_for_channel(const struct rpc_tls_texts *texts, grpc_channel_credentials **ret,
                                struct why *why)
{
    enum status status = check(texts->certificate, texts->key, texts->ca, why);
    if (status != STATUS_OK)
        return status;
    if (texts->ca == NULL && texts->certificate != NULL)
        return why_fail(
            why, STATUS_INVALID,
            "TLS: the authority's certificate, which vouches for the server, is missing");
    if (texts->certificate != NULL && try_pair(texts, why) != STATUS_OK)
        return STATUS_INVALID;
    if (texts->ca == NULL) {
        *ret = grpc_insecure_credentials_create();
        return STATUS_OK;
    }
    grpc_ssl_pem_key_cert_pair pair = {texts->key, texts->certificate};
    *ret = grpc_ssl_credentials_create_ex(texts->ca, texts->certificate == NULL ? NULL : &pair,
                                          NULL, NULL);
    return STATUS_OK;
}
