/* How a session is reached: what we ask of libpq unless the DSN or the environment says otherwise.
 */
#ifndef COLLECTOR_STORE_PG_CONNECT_H
#define COLLECTOR_STORE_PG_CONNECT_H

struct pg_conn; /* libpq's PGconn */

/* Never NULL: PQstatus tells whether it is connected. The caller ends it with PQfinish. */
struct pg_conn *pg_connect_to(const char *dsn);

#endif
