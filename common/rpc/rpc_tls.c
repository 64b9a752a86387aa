#include "rpc_tls.h"

#include <string.h>

#include "attributes.h"

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

enum status rpc_tls_for_server(const struct rpc_server_options *options,
                               grpc_server_credentials **ret, struct why *why)
{
    const char *certificate = options->tls_certificate, *key = options->tls_key;
    enum status status = check(certificate, key, options->tls_client_ca, why);
    if (status != STATUS_OK)
        return status;
    if (certificate == NULL && options->tls_client_ca != NULL)
        return why_fail(why, STATUS_INVALID,
                        "TLS: to verify clients, the server needs a certificate and a key itself");
    if (certificate == NULL) {
        *ret = grpc_insecure_server_credentials_create();
        return STATUS_OK;
    }
    grpc_ssl_pem_key_cert_pair pair = {key, certificate};
    *ret = grpc_ssl_server_credentials_create_ex(
        options->tls_client_ca, &pair, 1,
        options->tls_client_ca == NULL ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                       : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY,
        NULL);
    return STATUS_OK;
}

enum status rpc_tls_for_channel(const struct rpc_channel_options *options,
                                grpc_channel_credentials **ret, struct why *why)
{
    const char *certificate = options->tls_certificate, *key = options->tls_key;
    enum status status = check(certificate, key, options->tls_ca, why);
    if (status != STATUS_OK)
        return status;
    if (options->tls_ca == NULL && certificate != NULL)
        return why_fail(
            why, STATUS_INVALID,
            "TLS: the authority's certificate, which vouches for the server, is missing");
    if (options->tls_ca == NULL) {
        *ret = grpc_insecure_credentials_create();
        return STATUS_OK;
    }
    grpc_ssl_pem_key_cert_pair pair = {key, certificate};
    *ret = grpc_ssl_credentials_create_ex(options->tls_ca, certificate == NULL ? NULL : &pair, NULL,
                                          NULL);
    return STATUS_OK;
}
