/*
 * One connection to PostgreSQL, blocking, with a deadline on every statement. The only code that
 * includes libpq.
 *
 * Values travel in PostgreSQL's binary format in both directions. What comes again is prepared
 * (pg_statements.h) and settings are the session's, unless a pooler stands between us and the
 * server (pgbouncer in transaction mode, which tells a process number of its own): then statements
 * stay unnamed, and every transaction brings its settings.
 *
 * Failures:
 *     UNAVAILABLE  no server, no answer before the deadline, the server shut down, ran out of disk,
 *                  memory or connections, or asked to try again; or nothing was asked in a
 *                  transaction for a deadline, so that a process that stands still holds no lock
 *                  for longer. The connection may have been closed; the next call outside a
 *                  transaction opens it again.
 *     CONFLICT     a unique key exists already.
 *     NOT_FOUND    a partitioned table has no partition for a row.
 *     INVALID      a value that PostgreSQL does not take; another statement may be fine.
 *     FAILED       anything else: rights, a schema that is not ours, a statement that is wrong.
 * One thread at a time.
 */
#ifndef COLLECTOR_STORE_PG_H
#define COLLECTOR_STORE_PG_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "buf.h"
#include "status.h"
#include "why.h"

struct pg;

enum {
    PG_PARAMS_MAX = 24,
    PG_STATEMENT_MS = 30 * 1000,   /* deadline of a statement */
    PG_MIGRATION_MS = 3600 * 1000, /* and of one that may rewrite a table */
    PG_CONNECT_S = 10,
};

/* Remembers `dsn`, does not connect: the first statement does. */
struct pg *pg_new(const char *dsn);
void pg_free(struct pg *pg);

/* Deadline of the statements that follow; PG_STATEMENT_MS at first. */
void pg_set_deadline(struct pg *pg, int deadline_ms);

/* Pointers must stay valid until the statement has run; numbers are copied. */
struct pg_params {
    int count;
    unsigned types[PG_PARAMS_MAX]; /* Oid */
    const char *values[PG_PARAMS_MAX];
    int sizes[PG_PARAMS_MAX];
    uint64_t numbers[PG_PARAMS_MAX];
};

#define PG_PARAMS_INIT ((struct pg_params){.count = 0})

void pg_param_i32(struct pg_params *params, int32_t value);
void pg_param_i64(struct pg_params *params, int64_t value);
void pg_param_f64(struct pg_params *params, double value);
void pg_param_text(struct pg_params *params, const char *text);
void pg_param_bytes(struct pg_params *params, const void *data, size_t size);

/* An array parameter: begin, append exactly `count` elements, then give it as a parameter. */
enum pg_element { PG_I32, PG_I64, PG_F32, PG_F64, PG_TEXT, PG_BYTES, PG_UUID };

void pg_array_begin(struct buf *array, enum pg_element element, size_t count);
void pg_array_i32(struct buf *array, int32_t value);
void pg_array_i64(struct buf *array, int64_t value);
void pg_array_f32(struct buf *array, float value);
void pg_array_f64(struct buf *array, double value);
void pg_array_null(struct buf *array);
void pg_array_text(struct buf *array, const char *text);
void pg_array_bytes(struct buf *array, const void *data, size_t size);
void pg_param_array(struct pg_params *params, enum pg_element element, const struct buf *array);
void pg_param_uuid(struct pg_params *params, const uint8_t uuid[16]);

/* An answer; pg_rows_done frees it and everything that was read from it. */
struct pg_rows {
    void *result;
    int count;
    uint64_t changed; /* rows that an INSERT, UPDATE or DELETE touched */
};

void pg_rows_done(struct pg_rows *rows);
int pg_is_null(const struct pg_rows *rows, int row, int column);
int64_t pg_i64(const struct pg_rows *rows, int row, int column); /* of any integer; NULL is 0 */
double pg_f64(const struct pg_rows *rows, int row, int column);
const char *pg_text(const struct pg_rows *rows, int row, int column); /* NULL is "" */
const uint8_t *pg_bytes(const struct pg_rows *rows, int row, int column, size_t *ret_size);
/* A number as int8send or int4send writes it. */
int64_t pg_read_i64(const uint8_t *at);
int32_t pg_read_i32(const uint8_t *at);
/* An integer[] or bigint[] without NULLs, in the arena; FAILED for anything else, and above
 * `count_max`. */
enum status pg_i32_array(const struct pg_rows *rows, int row, int column, size_t count_max,
                         struct arena *arena, int32_t **ret, size_t *ret_count,
                         struct why *why) MUST_CHECK;
enum status pg_i64_array(const struct pg_rows *rows, int row, int column, size_t count_max,
                         struct arena *arena, int64_t **ret, size_t *ret_count,
                         struct why *why) MUST_CHECK;

/* One statement. `params` NULL: none. `ret` NULL: the answer is of no interest. */
enum status pg_run(struct pg *pg, const char *sql, const struct pg_params *params,
                   struct pg_rows *ret, struct why *why) MUST_CHECK;

/*
 * While this is on, pg_run only puts on its way what it is asked, if it can, and is UNAVAILABLE;
 * asked the same afterwards, it has the answer (pg_ahead.h). What nobody took is forgotten at the
 * end of what it was asked for, since it grows old. A transaction forgets it, too.
 */
void pg_ask_ahead(struct pg *pg, int is_asking);
void pg_forget_ahead(struct pg *pg);
/* The answer to what was asked ahead last is sent off before the next is worked out. */
void pg_flush_ahead(struct pg *pg);

/* A statement asked for so many things at once: plans of before are the sooner made anew, as if
 * each had been asked for by itself (pg_statements.h). */
void pg_count_asked(struct pg *pg, size_t count);

/* Several statements in one text, without parameters and answers. */
enum status pg_script(struct pg *pg, const char *sql, struct why *why) MUST_CHECK;

/* BEGIN, with synchronous_commit at least on, a statement_timeout, and no compiling of queries:
 * what we ask takes less time than that. */
enum status pg_begin(struct pg *pg, struct why *why) MUST_CHECK;
/* UNAVAILABLE: the transaction may have been committed or not. */
enum status pg_commit(struct pg *pg, struct why *why) MUST_CHECK;
/* Ends a transaction that is open, if any. Never fails: a dead connection is closed. */
void pg_rollback(struct pg *pg);

/*
 * The binary form of COPY: begin, then for each row pg_copy_row with its number of fields and
 * exactly as many elements (pg_array_...), then end.
 */
void pg_copy_begin(struct buf *copy);
void pg_copy_row(struct buf *copy, int fields);
void pg_copy_end(struct buf *copy);

/* `sql` is a COPY ... FROM STDIN; `data` is all of it. */
enum status pg_copy_in(struct pg *pg, const char *sql, const struct buf *data,
                       struct why *why) MUST_CHECK;

/* Does the server at `dsn` answer? No connection of ours, no login. */
enum pg_answer { PG_ANSWERS, PG_STARTING, PG_SILENT };
enum pg_answer pg_probe(const char *dsn);

#endif
