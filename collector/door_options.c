#include "door_options.h"

#include <stddef.h>
#include <string.h>

#include "rpc_address.h"

enum { MANY = 1000000000 };

struct door_settings door_settings_usual(void)
{
    return (struct door_settings){.reflection = 1,
                                  .handshake_ms = 30000,
                                  .keepalive_ms = 60000,
                                  .keepalive_timeout_ms = 20000};
}

void door_options(struct door_settings *settings, struct option ret[DOOR_OPTIONS])
{
    const struct option table[DOOR_OPTIONS] = {
        {"tls-cert", 0, OPTION_FILE, &settings->tls_cert, "FILE",
         "certificate to show, with its chain; read again when it changes", NULL},
        {"tls-key", 0, OPTION_FILE, &settings->tls_key, "FILE", "its private key", NULL},
        {"tls-ca", 0, OPTION_FILE, &settings->tls_ca, "FILE",
         "peers must show a certificate of one of these authorities", NULL},
        {"tls-client-optional", 0, OPTION_FLAG, &settings->tls_client_optional, NULL,
         "peers may show a token instead", NULL},
        {"access", 0, OPTION_FILE, &settings->access, "FILE",
         "who may do what; read again when it changes", NULL},
        {"max-connections", 0, OPTION_U64, &settings->connections, "N",
         "at a time; otherwise what the limit of open files leaves", NULL},
        {"max-streams-per-connection", 0, OPTION_U64, &settings->streams, "N", "at a time", "1024"},
        {"max-network-memory", 0, OPTION_BYTES, &settings->network_memory, "SIZE",
         "for what is on its way", "1G"},
        {"handshake-timeout", 0, OPTION_DURATION, &settings->handshake_ms, "TIME",
         "for a connection to begin", "30s"},
        {"keepalive", 0, OPTION_DURATION, &settings->keepalive_ms, "TIME",
         "between two pings of a silent peer", "60s"},
        {"keepalive-timeout", 0, OPTION_DURATION, &settings->keepalive_timeout_ms, "TIME",
         "for its answer to a ping; then it is taken for dead", "20s"},
        {"reflection", 0, OPTION_FLAG, &settings->reflection, NULL,
         "tell tools such as grpcurl what is served; --reflection=off hides it", NULL},
        {"insecure", 0, OPTION_FLAG, &settings->insecure, NULL,
         "the network protects us: allow any address without TLS or --access", NULL},
    };
    memcpy(ret, table, sizeof(table));
}

static enum status check_listen(const struct door_settings *settings, const char *listen,
                                const struct command_line *line, struct why *why)
{
    struct rpc_address address;
    const char *place = command_line_place(line, "listen");
    enum status status = rpc_address_parse(listen, &address, why);
    if (status != STATUS_OK) {
        why_prefix(why, "%s", place);
        return STATUS_USAGE;
    }
    if (settings->insecure || rpc_address_is_local(&address))
        return STATUS_OK;
    if (settings->tls_cert == NULL)
        return why_fail(why, STATUS_USAGE,
                        "%s: %s is open to other machines and nothing protects it: give --tls-cert "
                        "and --tls-key, or say --insecure if the network does",
                        place, listen);
    if (settings->access == NULL)
        return why_fail(why, STATUS_USAGE,
                        "%s: at %s nobody from another machine may do anything: give --access, a "
                        "file that says who may do what",
                        place, listen);
    return STATUS_OK;
}

static enum status check_tls(const struct door_settings *settings, const struct command_line *line,
                             struct why *why)
{
    if ((settings->tls_cert == NULL) != (settings->tls_key == NULL))
        return why_fail(why, STATUS_USAGE, "%s needs %s beside it",
                        command_line_place(line, settings->tls_cert ? "tls-cert" : "tls-key"),
                        settings->tls_cert ? "--tls-key" : "--tls-cert");
    if (settings->tls_ca != NULL && settings->tls_cert == NULL)
        return why_fail(why, STATUS_USAGE, "%s needs --tls-cert and --tls-key beside it",
                        command_line_place(line, "tls-ca"));
    if (settings->tls_client_optional && settings->tls_ca == NULL)
        return why_fail(why, STATUS_USAGE, "%s needs --tls-ca beside it",
                        command_line_place(line, "tls-client-optional"));
    return STATUS_OK;
}

static enum status check_ranges(const struct door_settings *settings,
                                const struct command_line *line, struct why *why)
{
    const struct {
        const char *option;
        int64_t value, least, most;
        const char *words;
    } rows[] = {
        {"handshake-timeout", settings->handshake_ms, 100, 600000, "between 100ms and 10m"},
        {"max-connections", (int64_t)settings->connections, 0, MANY, "at most 1000000000"},
        {"max-streams-per-connection", (int64_t)settings->streams, 0, MANY, "at most 1000000000"},
        {"max-network-memory", (int64_t)settings->network_memory, 0, INT64_MAX / 2, "at most 4E"},
        {"keepalive", settings->keepalive_ms, 1000, 86400000, "between 1s and 1d"},
        {"keepalive-timeout", settings->keepalive_timeout_ms, 1000, 86400000, "between 1s and 1d"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].value < rows[i].least || rows[i].value > rows[i].most)
            return why_fail(why, STATUS_USAGE, "%s is %s", command_line_place(line, rows[i].option),
                            rows[i].words);
    }
    return STATUS_OK;
}

enum status door_settings_check(const struct door_settings *settings, const char *listen,
                                const struct command_line *line, struct why *why)
{
    enum status status = check_tls(settings, line, why);
    if (status == STATUS_OK)
        status = check_listen(settings, listen, line, why);
    if (status == STATUS_OK)
        status = check_ranges(settings, line, why);
    return status;
}

struct gate_options door_settings_gate(const struct door_settings *settings)
{
    return (struct gate_options){
        .tls = {.certificate = settings->tls_cert,
                .key = settings->tls_key,
                .ca = settings->tls_ca},
        .access = settings->access,
        .is_open = settings->insecure,
        .client_optional = settings->tls_client_optional,
    };
}

void door_settings_limit(const struct door_settings *settings, struct rpc_server_options *ret)
{
    ret->streams_max = (uint32_t)settings->streams;
    ret->connections_max = (uint32_t)settings->connections;
    ret->handshake_ms = (int)settings->handshake_ms;
    ret->keepalive_ms = (int)settings->keepalive_ms;
    ret->keepalive_timeout_ms = (int)settings->keepalive_timeout_ms;
    ret->memory_max = settings->network_memory;
}
