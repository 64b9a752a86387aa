/*
 * What the integration tests of the store share: a private PostgreSQL for the whole program, and
 * processes in it. Uses the module store.
 */
#ifndef TESTS_SUPPORT_STORE_SCENE_H
#define TESTS_SUPPORT_STORE_SCENE_H

#include <string.h>

#include "pg.h"
#include "private_store.h"

static struct private_store store;

static inline int store_scene_start(void **state)
{
    (void)state;
    private_store_start(&store);
    return 0;
}

static inline int store_scene_stop(void **state)
{
    (void)state;
    private_store_stop(&store);
    return 0;
}

/* The call may use `&why`. */
#define OK(call)                                                                                   \
    do {                                                                                           \
        struct why why = {""};                                                                     \
        enum status outcome = (call);                                                              \
        if (outcome != STATUS_OK)                                                                  \
            fail_msg("%s: %s: %s", #call, status_name(outcome), why.text);                         \
    } while (0)

/* The number makes the UUID; none is 0. */
static inline struct process_identity identity_of(const char *service, const char *version,
                                                  uint32_t number)
{
    struct process_identity identity = {
        .service = service,
        .service_namespace = "",
        .environment = "prod",
        .version = version,
        .host = "node-1",
        .pod = "",
        .container_id = "",
        .image = "",
        .runtime = "cpython",
        .runtime_version = "3.11.2",
        .pid = number,
        .started_ms = 1000000 + number,
        .attributes_json = "{\"k\": \"v\"}",
    };
    memset(identity.instance_uuid, (int)number, ID_BYTES);
    memcpy(identity.instance_uuid, &number, sizeof(number));
    return identity;
}

static inline struct instance_state open_instance(const struct process_identity *identity)
{
    struct instance_state state;
    OK(instance_open(store.db, identity, &state, &why));
    return state;
}

/* One or more statements, as the owner of the schema. */
static inline void must_run(const char *dsn, const char *sql)
{
    struct pg *pg = pg_new(dsn);
    OK(pg_script(pg, sql, &why));
    pg_free(pg);
}

/* The first number that a query returns. */
static inline int64_t number_of(const char *dsn, const char *sql)
{
    struct pg *pg = pg_new(dsn);
    struct pg_rows rows;
    OK(pg_run(pg, sql, NULL, &rows, &why));
    int64_t number = rows.count > 0 ? pg_i64(&rows, 0, 0) : 0;
    pg_rows_done(&rows);
    pg_free(pg);
    return number;
}

#endif
