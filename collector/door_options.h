/* Who gets in and how many, as options of `serve`. */
#ifndef COLLECTOR_DOOR_OPTIONS_H
#define COLLECTOR_DOOR_OPTIONS_H

#include "command_line.h"
#include "gate.h"
#include "options.h"
#include "rpc_server.h"

/* What the options write to; the text of each is in its table. */
struct door_settings {
    const char *tls_cert, *tls_key, *tls_ca, *access;
    int tls_client_optional, insecure, reflection;
    uint64_t connections, streams, network_memory;
    int64_t handshake_ms, keepalive_ms, keepalive_timeout_ms;
};

enum { DOOR_OPTIONS = 13 };

struct door_settings door_settings_usual(void);
void door_options(struct door_settings *settings, struct option ret[DOOR_OPTIONS]);

/* USAGE with a sentence that names the option: out of range, alone where two belong together, or
 * too little for an address that other machines reach. */
enum status door_settings_check(const struct door_settings *settings, const char *listen,
                                const struct command_line *line, struct why *why) MUST_CHECK;

/* The files among them; the limits among them. */
struct gate_options door_settings_gate(const struct door_settings *settings);
void door_settings_limit(const struct door_settings *settings, struct rpc_server_options *ret);

#endif
