#include "pg_ahead.h"

#include <string.h>

/* Two questions are the same if these bytes are. */
static void write_question(const char *sql, const struct pg_params *params, struct buf *ret)
{
    buf_append(ret, sql, strlen(sql) + 1);
    for (int i = 0; i < params->count; i++) {
        const void *value = params->values[i] != NULL ? (const void *)params->values[i]
                                                      : (const void *)&params->numbers[i];
        buf_append(ret, &params->types[i], sizeof(params->types[i]));
        buf_append(ret, &params->sizes[i], sizeof(params->sizes[i]));
        buf_append(ret, value, (size_t)params->sizes[i]);
    }
}

void pg_ahead_drop(struct pg *pg)
{
    struct pg_ahead *ahead = &pg->ahead;
    for (int i = 0; i < ahead->count; i++) {
        buf_done(&ahead->list[i].question);
        PQclear(ahead->list[i].answer);
    }
    *ahead = (struct pg_ahead){.is_asking = ahead->is_asking};
}

/* ---- asking --------------------------------------------------------------------------------- */

static int can_ask(struct pg *pg)
{
    if (!pg->ahead.is_open)
        pg_wire_drop_if_stale(pg);
    return pg->conn != NULL && pg->is_direct && !pg->in_transaction && !pg->plans_are_old &&
           pg->session_ms == pg->deadline_ms && !pg->ahead.is_synced &&
           pg->ahead.count < PG_AHEAD_MAX;
}

/* Of the questions of before those are kept whose answers nobody took yet. */
static void begin(struct pg_ahead *ahead)
{
    int kept = 0;
    for (int i = 0; i < ahead->count; i++) {
        if (ahead->list[i].answer != NULL)
            ahead->list[kept++] = ahead->list[i];
        else
            buf_done(&ahead->list[i].question);
    }
    memset(&ahead->list[kept], 0, (size_t)(PG_AHEAD_MAX - kept) * sizeof(ahead->list[0]));
    ahead->count = ahead->answered = kept;
}

enum status pg_ahead_ask(struct pg *pg, const char *sql, const struct pg_params *params)
{
    struct pg_ahead *ahead = &pg->ahead;
    if (!ahead->is_open)
        begin(ahead);
    if (!can_ask(pg))
        return STATUS_UNAVAILABLE;
    int place = pg_statements_find(&pg->statements, sql, params);
    if (place < 0 || !pg->statements.list[place].is_prepared)
        return STATUS_UNAVAILABLE;
    if (!ahead->is_open && !PQenterPipelineMode(pg->conn))
        return STATUS_UNAVAILABLE;
    ahead->is_open = 1;
    if (!pg_wire_send(pg, sql, place, params))
        return pg_wire_lost(pg, NULL);
    write_question(sql, params, &ahead->list[ahead->count++].question);
    return STATUS_UNAVAILABLE;
}

/* ---- answers -------------------------------------------------------------------------------- */

static enum status sync_once(struct pg *pg, struct why *why)
{
    if (!pg->ahead.is_synced && !PQpipelineSync(pg->conn))
        return pg_wire_lost(pg, why);
    pg->ahead.is_synced = 1;
    return STATUS_OK;
}

/* The next statement's answer; one that is a failure is not kept. */
static enum status receive(struct pg *pg, int64_t deadline_ns, struct why *why)
{
    PGresult *answer = NULL, *none = NULL;
    enum status status = pg_wire_next(pg, deadline_ns, &answer, why);
    if (status == STATUS_OK && answer != NULL)
        status = pg_wire_next(pg, deadline_ns, &none, why);
    if (status != STATUS_OK || answer == NULL || none != NULL || !pg_wire_is_success(answer)) {
        PQclear(answer);
        answer = NULL;
    }
    PQclear(none);
    if (status == STATUS_OK)
        pg->ahead.list[pg->ahead.answered++].answer = answer;
    return status;
}

/* Behind the last answer: back to one statement at a time. */
static enum status leave(struct pg *pg, int64_t deadline_ns, struct why *why)
{
    PGresult *sync = NULL;
    enum status status = pg_wire_next(pg, deadline_ns, &sync, why);
    int is_sync = status == STATUS_OK && PQresultStatus(sync) == PGRES_PIPELINE_SYNC;
    PQclear(sync);
    if (status != STATUS_OK)
        return status;
    if (!is_sync || !PQexitPipelineMode(pg->conn))
        return pg_wire_lost(pg, why);
    pg->ahead.is_open = pg->ahead.is_synced = 0;
    return STATUS_OK;
}

/* As far as the answer at `place`; behind the last one, to the end. */
static enum status receive_until(struct pg *pg, int place, struct why *why)
{
    struct pg_ahead *ahead = &pg->ahead;
    if (!ahead->is_open)
        return STATUS_OK;
    int64_t deadline_ns = pg_wire_deadline(pg);
    enum status status = sync_once(pg, why);
    while (status == STATUS_OK && ahead->answered <= place && ahead->answered < ahead->count)
        status = receive(pg, deadline_ns, why);
    if (status == STATUS_OK && ahead->answered == ahead->count)
        status = leave(pg, deadline_ns, why);
    return status;
}

enum status pg_ahead_settle(struct pg *pg, struct why *why)
{
    return receive_until(pg, PG_AHEAD_MAX, why);
}

static int find(const struct pg_ahead *ahead, const struct buf *question)
{
    for (int i = 0; i < ahead->count; i++) {
        const struct buf *asked = &ahead->list[i].question;
        if (asked->size == question->size &&
            memcmp(asked->data, question->data, question->size) == 0)
            return i;
    }
    return -1;
}

enum status pg_ahead_take(struct pg *pg, const char *sql, const struct pg_params *params,
                          PGresult **ret, struct why *why)
{
    struct pg_ahead *ahead = &pg->ahead;
    *ret = NULL;
    if (ahead->count == 0)
        return STATUS_OK;
    struct buf question = BUF_INIT;
    write_question(sql, params, &question);
    int place = find(ahead, &question);
    buf_done(&question);
    enum status status = receive_until(pg, place >= 0 ? place : PG_AHEAD_MAX, why);
    if (status != STATUS_OK || place < 0)
        return status;
    *ret = ahead->list[place].answer;
    ahead->list[place].answer = NULL;
    buf_done(&ahead->list[place].question);
    return *ret != NULL ? STATUS_OK : pg_ahead_settle(pg, why);
}

void pg_ask_ahead(struct pg *pg, int is_asking)
{
    pg->ahead.is_asking += is_asking ? 1 : -1;
    ASSERT(pg->ahead.is_asking >= 0);
}

void pg_flush_ahead(struct pg *pg)
{
    if (pg->ahead.is_open && !pg->ahead.is_synced)
        (void)PQsendFlushRequest(pg->conn); /* without it, later */
}

void pg_forget_ahead(struct pg *pg)
{
    if (pg->ahead.is_asking == 0 && (pg->conn == NULL || pg_ahead_settle(pg, NULL) == STATUS_OK))
        pg_ahead_drop(pg);
}
