/*
 * A question's way:
 *
 *     server's thread            a worker's thread            server's thread
 *     on_message                 run                          reply
 *       hold the call   --job-->   open the database  --job-->  send and finish, if anybody
 *       pick a worker              unpack, answer, pack         still listens; release
 *
 * A stream goes this way once a page: what its reply sends is not the end, and when that has left
 * (on_sent), a worker is picked again.
 *
 * `struct job` belongs to one thread at a time: whoever it was posted to, but for `is_gone`. The
 * service's own fields belong to the server's thread.
 */
#include "query_service.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "query_page.h"
#include "wire.h"

enum {
    WORKERS = 3,
    QUESTIONS_MAX = 64, /* under way at once, */
    STREAMS_MAX = 32,   /* and these beside them, so that neither keeps the other out */
    REQUEST_BYTES_MAX = 8192,
    ARENA_BYTES_MAX = 128 * 1024 * 1024, /* of one question */
};

struct question {
    const char *path;
    const ProtobufCMessageDescriptor *request;
    query_answer_fn *answer; /* of a stream: once a page */
    /* Whose clock tells what is now: findings open and close, and mutes end, by the database's. */
    enum { OWN_CLOCK, DATABASE_CLOCK } clock;
};

static const struct question questions[QUERY_METHODS] = {
    {"/heapfleet.v1.Query/ListServices", &heapfleet__v1__list_services_request__descriptor,
     query_list_services, OWN_CLOCK},
    {"/heapfleet.v1.Query/ListDeployments", &heapfleet__v1__list_deployments_request__descriptor,
     query_list_deployments, OWN_CLOCK},
    {"/heapfleet.v1.Query/GetTop", &heapfleet__v1__get_top_request__descriptor, query_get_top,
     OWN_CLOCK},
    {"/heapfleet.v1.Query/GetHistory", &heapfleet__v1__get_history_request__descriptor,
     query_get_history, OWN_CLOCK},
    {"/heapfleet.v1.Query/CompareDeployments",
     &heapfleet__v1__compare_deployments_request__descriptor, query_compare_deployments, OWN_CLOCK},
    {"/heapfleet.v1.Query/ListLeaks", &heapfleet__v1__list_leaks_request__descriptor,
     query_list_leaks, DATABASE_CLOCK},
    {"/heapfleet.v1.Query/GetLeak", &heapfleet__v1__get_leak_request__descriptor, query_get_leak,
     DATABASE_CLOCK},
    {"/heapfleet.v1.Query/ListMutes", &heapfleet__v1__list_mutes_request__descriptor,
     query_list_mutes, DATABASE_CLOCK},
    {"/heapfleet.v1.Query/JudgeDeployment", &heapfleet__v1__judge_deployment_request__descriptor,
     query_judge_deployment, OWN_CLOCK},
    {"/heapfleet.v1.Admin/AcknowledgeLeak", &heapfleet__v1__acknowledge_leak_request__descriptor,
     query_acknowledge_leak, DATABASE_CLOCK},
    {"/heapfleet.v1.Admin/MuteLeaks", &heapfleet__v1__mute_leaks_request__descriptor,
     query_mute_leaks, DATABASE_CLOCK},
    {"/heapfleet.v1.Admin/UnmuteLeaks", &heapfleet__v1__unmute_leaks_request__descriptor,
     query_unmute_leaks, DATABASE_CLOCK},
    {"/heapfleet.v1.Query/ListInstances", &heapfleet__v1__list_instances_request__descriptor,
     query_list_instances, OWN_CLOCK},
    {"/heapfleet.v1.Query/GetGrowth", &heapfleet__v1__get_growth_request__descriptor,
     query_get_growth, OWN_CLOCK},
    {"/heapfleet.v1.Query/StreamHistory", &heapfleet__v1__get_history_request__descriptor,
     query_stream_history, OWN_CLOCK},
};

static int is_stream(const struct question *question)
{
    return question->answer == query_stream_history;
}

struct query_worker {
    struct worker *thread;
    struct db *db;   /* the worker's thread; NULL until it could be opened */
    const char *dsn; /* constant */
    uint32_t jobs;   /* the server's thread */
};

/* A row of the method table: what rpc_call_user gives back. */
struct query_method {
    struct query_service *service;
    const struct question *question;
};

struct query_service {
    struct rpc_server *server;  /* the server's thread; NULL until it is known */
    struct rpc_server *adopted; /* on its way there */
    char *dsn;
    struct query_method methods[QUERY_METHODS];
    struct query_worker workers[WORKERS];
    uint32_t question_count, stream_count;
    struct job *streams;
    int is_draining;
    atomic_llong tick_ms; /* any thread */
};

struct job {
    struct query_service *service;
    struct rpc_server *server;
    struct query_worker *worker;
    const struct question *question;
    struct rpc_call *call; /* held; touched on the server's thread only */
    struct buf request, response;
    enum status status;
    struct why why;
    int64_t now_ms;     /* of the answer; 0: nobody has begun with it */
    atomic_int is_gone; /* any thread: nobody waits for the answer any more */

    /* the server's thread */
    int is_under_way; /* with a worker, or on the way to it or back */
    /* of a stream */
    char place[QUERY_TOKEN_BYTES];
    int64_t sent_ms; /* when its page was sent that has not left yet */
    struct job *next, *previous;
};

/* ---- a worker's thread ---------------------------------------------------------------------- */

static enum status read_clock(const struct job *job, int64_t *ret_ms, struct why *why)
{
    if (job->question->clock == DATABASE_CLOCK)
        return db_clock(job->worker->db, ret_ms, why);
    *ret_ms = clock_wall_ms();
    return STATUS_OK;
}

static enum status answer(struct job *job, struct arena *arena)
{
    struct query_worker *worker = job->worker;
    ProtobufCMessage *request = NULL;
    ProtobufCMessage *response = NULL;
    enum status status = STATUS_OK;
    if (atomic_load(&job->is_gone))
        return STATUS_CANCELED;
    if (job->request.size > REQUEST_BYTES_MAX)
        return why_fail(&job->why, STATUS_INVALID, "the request has more than %d bytes",
                        REQUEST_BYTES_MAX);
    status = wire_unpack(job->question->request, job->request.data, job->request.size, arena,
                         &request, &job->why);
    if (status == STATUS_OK && worker->db == NULL)
        status = db_open(worker->dsn, &worker->db, &job->why);
    if (status == STATUS_OK && job->now_ms == 0) /* the pages of a stream are of one moment */
        status = read_clock(job, &job->now_ms, &job->why);
    if (status != STATUS_OK)
        return status;
    struct query query = {
        .db = worker->db, .arena = arena, .now_ms = job->now_ms, .place = job->place};
    status = job->question->answer(&query, request, &response, &job->why);
    if (status == STATUS_OK)
        wire_pack(response, &job->response);
    return status;
}

static call_fn reply;

static void run(void *arg)
{
    struct job *job = arg;
    struct arena arena;
    arena_init(&arena, ARENA_BYTES_MAX);
    job->status = answer(job, &arena);
    arena_done(&arena);
    rpc_server_post(job->server, reply, job);
}

/* Posted to each worker when the service ends. */
static void close_db(void *arg)
{
    struct query_worker *worker = arg;
    db_close(worker->db);
    worker->db = NULL;
}

/* ---- the server's thread -------------------------------------------------------------------- */

static struct query_worker *least_busy(struct query_service *service)
{
    struct query_worker *least = &service->workers[0];
    for (int i = 1; i < WORKERS; i++) {
        if (service->workers[i].jobs < least->jobs)
            least = &service->workers[i];
    }
    return least;
}

static void send_to_worker(struct job *job)
{
    job->worker = least_busy(job->service);
    job->worker->jobs++;
    job->is_under_way = 1;
    worker_post(job->worker->thread, run, job);
}

static void free_job(struct job *job)
{
    struct query_service *service = job->service;
    if (is_stream(job->question)) {
        if (job->next != NULL)
            job->next->previous = job->previous;
        if (job->previous != NULL)
            job->previous->next = job->next;
        else
            service->streams = job->next;
        service->stream_count--;
    } else {
        service->question_count--;
    }
    rpc_call_set_data(job->call, NULL);
    rpc_call_release(job->call);
    buf_done(&job->request);
    buf_done(&job->response);
    free(job);
}

static void finish(struct job *job, enum rpc_code code, const char *message)
{
    rpc_call_finish(job->call, code, message);
    free_job(job);
}

static void finish_drained(struct job *job)
{
    finish(job, RPC_UNAVAILABLE, "this collector is shutting down: go on from the newest page");
}

static void reply(void *arg)
{
    struct job *job = arg;
    job->worker->jobs--;
    job->is_under_way = 0;
    if (job->status != STATUS_OK) {
        finish(job, rpc_code_of_status(job->status), job->why.text);
        return;
    }
    rpc_call_send(job->call, job->response.data, job->response.size);
    buf_done(&job->response);
    if (job->place[0] == '\0' || rpc_call_is_closed(job->call))
        finish(job, RPC_OK, NULL);
    else if (job->service->is_draining)
        finish_drained(job);
    else
        job->sent_ms = clock_mono_ms(); /* on_sent or on_closed goes on */
}

static void on_sent(struct rpc_call *call)
{
    struct job *job = rpc_call_data(call);
    if (job != NULL)
        send_to_worker(job);
}

static void on_closed(struct rpc_call *call)
{
    struct job *job = rpc_call_data(call);
    if (job == NULL)
        return;
    if (job->is_under_way)
        atomic_store(&job->is_gone, 1);
    else
        free_job(job);
}

static void on_opened(struct rpc_call *call)
{
    rpc_call_read(call);
}

static int is_full(const struct query_service *service, const struct question *question)
{
    return is_stream(question) ? service->stream_count >= STREAMS_MAX
                               : service->question_count >= QUESTIONS_MAX;
}

static void list_stream(struct job *job)
{
    struct query_service *service = job->service;
    job->next = service->streams;
    if (job->next != NULL)
        job->next->previous = job;
    service->streams = job;
    service->stream_count++;
}

static void on_message(struct rpc_call *call, const uint8_t *data, size_t size)
{
    const struct query_method *method = rpc_call_user(call);
    struct query_service *service = method->service;
    if (service->server == NULL) {
        rpc_call_finish(call, RPC_UNAVAILABLE, "the collector is starting");
        return;
    }
    if (is_full(service, method->question)) {
        rpc_call_finish(call, RPC_RESOURCE_EXHAUSTED,
                        is_stream(method->question) ? "too many streams at once; ask again"
                                                    : "too many questions at once; ask again");
        return;
    }
    struct job *job = calloc(1, sizeof(*job));
    ASSERT(job != NULL);
    job->service = service;
    job->server = service->server;
    job->question = method->question;
    job->call = call;
    buf_append(&job->request, data, size);
    rpc_call_hold(call);
    rpc_call_set_data(call, job);
    if (is_stream(job->question))
        list_stream(job);
    else
        service->question_count++;
    send_to_worker(job);
}

/* Instead of a message: the one that we asked for does not come. */
static void on_half_closed(struct rpc_call *call)
{
    rpc_call_finish(call, RPC_INVALID_ARGUMENT, "the call ended without a request");
}

/* Without a farewell that the peer would read. */
static void end_slow(struct job *job)
{
    static const char reason[] = "the client does not read what it is sent";
    log_event(LOG_WARN, "query.ended", "peer=%s reason=\"%s\"", rpc_call_peer(job->call), reason);
    rpc_call_abort(job->call, RPC_RESOURCE_EXHAUSTED, reason);
    free_job(job);
}

static void tick(void *arg)
{
    struct query_service *service = arg;
    int64_t now_ms = atomic_load(&service->tick_ms);
    for (struct job *job = service->streams, *next = NULL; job != NULL; job = next) {
        next = job->next;
        if (!job->is_under_way && now_ms - job->sent_ms > QUERY_PATIENCE_MS)
            end_slow(job);
    }
}

static void drain(void *arg)
{
    struct query_service *service = arg;
    service->is_draining = 1;
    for (struct job *job = service->streams, *next = NULL; job != NULL; job = next) {
        next = job->next;
        if (!job->is_under_way)
            finish_drained(job);
    }
}

static void adopt(void *arg)
{
    struct query_service *service = arg;
    service->server = service->adopted;
}

/* --------------------------------------------------------------------------------------------- */

struct query_service *query_service_new(const char *dsn)
{
    struct query_service *service = calloc(1, sizeof(*service));
    ASSERT(service != NULL);
    service->dsn = strdup(dsn);
    ASSERT(service->dsn != NULL);
    for (int i = 0; i < QUERY_METHODS; i++)
        service->methods[i] = (struct query_method){service, &questions[i]};
    for (int i = 0; i < WORKERS; i++) {
        service->workers[i].dsn = service->dsn;
        service->workers[i].thread = worker_new("query");
    }
    return service;
}

size_t query_service_methods(struct query_service *service, struct rpc_method *ret, size_t max)
{
    for (size_t i = 0; i < QUERY_METHODS && i < max; i++) {
        ret[i] = (struct rpc_method){
            .path = questions[i].path,
            .user = &service->methods[i],
            .opened = on_opened,
            .message = on_message,
            .half_closed = on_half_closed,
            .closed = on_closed,
            .sent = is_stream(&questions[i]) ? on_sent : NULL,
        };
    }
    return QUERY_METHODS;
}

void query_service_set_server(struct query_service *service, struct rpc_server *server)
{
    service->adopted = server;
    rpc_server_post(server, adopt, service);
}

void query_service_tick(struct query_service *service, int64_t now_ms)
{
    atomic_store(&service->tick_ms, now_ms);
    rpc_server_post(service->adopted, tick, service);
}

void query_service_drain(struct query_service *service)
{
    rpc_server_post(service->adopted, drain, service);
}

void query_service_free(struct query_service *service)
{
    if (service == NULL)
        return;
    ASSERT(service->question_count == 0 && service->stream_count == 0);
    for (int i = 0; i < WORKERS; i++) {
        worker_post(service->workers[i].thread, close_db, &service->workers[i]);
        worker_free(service->workers[i].thread);
    }
    free(service->dsn);
    free(service);
}
