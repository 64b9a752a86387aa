/* USES query store rpc wire */
/* StreamHistory as a peer sees it, and what it leaves behind on the server's side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "query.pb-c.h"
#include "query_scene.h"
#include "rpc_scene.h"
#include "wire.h"

/* More than any window between the two ends: a stream that nobody reads comes to a halt. */
enum { PROCESSES = 60, POINTS = PROCESSES * 61, PAGE = 50, PAGES = (POINTS + PAGE - 1) / PAGE };
enum { STREAMS_MAX = 32 }; /* of query_service.c */

static struct query_scene scene;

/* A Query service whose streams are watched. */
static struct rpc_method watched; /* as it is without that */
static atomic_int streams_asked, pages_sent, streams_closed;

struct watch {
    struct query_service *service;
    struct rpc_server *server;
    struct rpc_channel *channel;
};

static void count_asked(struct rpc_call *call, const uint8_t *data, size_t size)
{
    watched.message(call, data, size);
    atomic_fetch_add(&streams_asked, 1);
}

static void count_sent(struct rpc_call *call)
{
    watched.sent(call);
    atomic_fetch_add(&pages_sent, 1);
}

static void count_closed(struct rpc_call *call)
{
    watched.closed(call);
    atomic_fetch_add(&streams_closed, 1);
}

static int start_all(void **state)
{
    (void)state;
    query_scene_start(&scene);
    for (int i = 0; i < PROCESSES; i++)
        query_scene_process(&scene, "crowd", "prod", "v1", scene.now_ms - scene_hour_ms + i, 3, 0);
    return 0;
}

static int stop_all(void **state)
{
    (void)state;
    query_scene_stop(&scene);
    return 0;
}

static int start(void **state)
{
    static struct watch watch;
    struct rpc_method methods[QUERY_METHODS];
    watch.service = query_service_new(scene.store.dsn);
    size_t count = query_service_methods(watch.service, methods, QUERY_METHODS);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(methods[i].path, "/heapfleet.v1.Query/StreamHistory") != 0)
            continue;
        watched = methods[i];
        methods[i].message = count_asked;
        methods[i].sent = count_sent;
        methods[i].closed = count_closed;
    }
    atomic_store(&streams_asked, 0);
    atomic_store(&pages_sent, 0);
    atomic_store(&streams_closed, 0);
    const struct rpc_server_options options = {.listen = "127.0.0.1:0"};
    if (rpc_server_start(&options, methods, count, &watch.server, NULL) != STATUS_OK)
        return -1;
    query_service_set_server(watch.service, watch.server);
    watch.channel = scene_connect_port(rpc_server_port(watch.server));
    *state = &watch;
    return 0;
}

/* Frees what is left of the streams, or an assertion of the service's fails. */
static int stop(void **state)
{
    struct watch *watch = *state;
    rpc_channel_free(watch->channel);
    rpc_server_stop(watch->server, 20000);
    query_service_free(watch->service);
    return 0;
}

/* ---- asking --------------------------------------------------------------------------------- */

struct asked {
    Heapfleet__V1__ServiceRef ref;
    Heapfleet__V1__GetHistoryRequest request;
};

static struct asked *ask_for(struct asked *asked)
{
    heapfleet__v1__service_ref__init(&asked->ref);
    heapfleet__v1__get_history_request__init(&asked->request);
    asked->ref.name = "crowd";
    asked->request.service = &asked->ref;
    asked->request.from_ms = scene.now_ms - 2 * scene_hour_ms;
    asked->request.to_ms = scene.now_ms + scene_minute_ms;
    asked->request.raw = 1;
    asked->request.page_size = PAGE;
    return asked;
}

/* A stream's client: all messages, one behind the other. */
struct reader {
    struct loop *loop;
    struct rpc_stream *stream;
    int messages, is_closed;
    struct buf bytes;
    enum rpc_code code;
    char text[WHY_CAPACITY];
};

static void take_message(void *user, const uint8_t *data, size_t size)
{
    struct reader *reader = user;
    reader->messages++;
    buf_append(&reader->bytes, data, size);
    rpc_stream_read(reader->stream);
}

static void ignore_writable(void *user)
{
    (void)user;
}

static void take_end(void *user, enum rpc_code code, const char *text)
{
    struct reader *reader = user;
    reader->is_closed = 1;
    reader->code = code;
    (void)snprintf(reader->text, sizeof(reader->text), "%s", text);
    loop_stop(reader->loop);
}

static const struct rpc_stream_events events = {take_message, ignore_writable, take_end};

/* Nothing is read yet. */
static void reader_open(struct reader *reader, const struct watch *watch, const void *request,
                        size_t size)
{
    *reader = (struct reader){.loop = loop_new()};
    reader->stream = rpc_stream_open(watch->channel, "/heapfleet.v1.Query/StreamHistory",
                                     reader->loop, &events, reader);
    rpc_stream_send(reader->stream, request, size);
    rpc_stream_half_close(reader->stream);
}

static void reader_ask(struct reader *reader, const struct watch *watch, const struct asked *asked)
{
    struct buf packed = BUF_INIT;
    wire_pack(&asked->request.base, &packed);
    reader_open(reader, watch, packed.data, packed.size);
    buf_done(&packed);
}

static void reader_read(struct reader *reader)
{
    rpc_stream_read(reader->stream);
    while (!reader->is_closed)
        loop_run(reader->loop);
}

static void reader_cancel(struct reader *reader)
{
    rpc_stream_cancel(reader->stream);
    while (!reader->is_closed)
        loop_run(reader->loop);
}

static void reader_done(struct reader *reader)
{
    loop_free(reader->loop);
    buf_done(&reader->bytes);
}

/* The pages of GetHistory behind each other in `ret`, how many there are, and where page `keep`
 * ends. */
static int ask_pages(const struct watch *watch, struct asked *asked, struct buf *ret, int keep,
                     char token[64], size_t *ret_at)
{
    char next[64] = "";
    int pages = 0;
    do {
        struct buf question = BUF_INIT, answer = BUF_INIT;
        struct arena arena;
        ProtobufCMessage *message = NULL;
        struct why why = {""};
        arena_init(&arena, 1 << 24);
        asked->request.page_token = next;
        wire_pack(&asked->request.base, &question);
        private_store_must(rpc_channel_call(watch->channel, "/heapfleet.v1.Query/GetHistory",
                                            &question, 20000, &answer, &why),
                           &why);
        private_store_must(wire_unpack(&heapfleet__v1__get_history_response__descriptor,
                                       answer.data, answer.size, &arena, &message, &why),
                           &why);
        buf_append(ret, answer.data, answer.size);
        (void)snprintf(next, sizeof(next), "%s",
                       ((Heapfleet__V1__GetHistoryResponse *)(void *)message)->next_page_token);
        if (++pages == keep) {
            memcpy(token, next, sizeof(next));
            *ret_at = ret->size;
        }
        arena_done(&arena);
        buf_done(&question);
        buf_done(&answer);
    } while (next[0] != '\0');
    asked->request.page_token = (char *)protobuf_c_empty_string;
    return pages;
}

/* ---- what comes ----------------------------------------------------------------------------- */

static void the_messages_are_the_pages(void **state)
{
    const struct watch *watch = *state;
    struct asked asked;
    struct buf pages = BUF_INIT;
    char token[64];
    size_t at = 0;
    assert_int_equal(ask_pages(watch, ask_for(&asked), &pages, 3, token, &at), PAGES);
    struct reader whole, rest;
    reader_ask(&whole, watch, &asked);
    reader_read(&whole);
    assert_int_equal(whole.code, RPC_OK);
    assert_int_equal(whole.messages, PAGES);
    assert_int_equal(whole.bytes.size, pages.size);
    assert_memory_equal(whole.bytes.data, pages.data, pages.size);
    asked.request.page_token = token;
    reader_ask(&rest, watch, &asked);
    reader_read(&rest);
    assert_int_equal(rest.code, RPC_OK);
    assert_int_equal(rest.messages, PAGES - 3);
    assert_int_equal(rest.bytes.size, pages.size - at);
    assert_memory_equal(rest.bytes.data, pages.data + at, pages.size - at);
    reader_done(&whole);
    reader_done(&rest);
    buf_done(&pages);
}

static void an_answer_of_one_page_is_one_message(void **state)
{
    const struct watch *watch = *state;
    struct asked asked;
    struct buf page = BUF_INIT;
    char token[64];
    size_t at = 0;
    ask_for(&asked)->request.raw = 0;
    asked.request.step_ms = scene_minute_ms;
    asked.request.to_ms = scene.now_ms;
    assert_int_equal(ask_pages(watch, &asked, &page, 0, token, &at), 1);
    struct reader reader;
    reader_ask(&reader, watch, &asked);
    reader_read(&reader);
    assert_int_equal(reader.code, RPC_OK);
    assert_int_equal(reader.messages, 1);
    assert_int_equal(reader.bytes.size, page.size);
    assert_memory_equal(reader.bytes.data, page.data, page.size);
    reader_done(&reader);
    buf_done(&page);
}

/* ---- an end before the end ------------------------------------------------------------------ */

static void a_client_that_does_not_read_is_ended(void **state)
{
    const struct watch *watch = *state;
    struct asked asked;
    struct reader reader;
    reader_ask(&reader, watch, ask_for(&asked));
    wait_for(&pages_sent, 2); /* what the window takes */
    query_service_tick(watch->service, clock_mono_ms());
    for (int i = 0; atomic_load(&streams_closed) == 0; i++) {
        if (i == 30000)
            fail_msg("the stream stays");
        query_service_tick(watch->service, clock_mono_ms() + 2 * QUERY_PATIENCE_MS);
        usleep(1000);
    }
    reader_read(&reader);
    assert_int_equal(reader.code, RPC_RESOURCE_EXHAUSTED);
    assert_true(atomic_load(&pages_sent) < PAGES);
    reader_done(&reader);
}

static void a_cancelled_stream_leaves_nothing(void **state)
{
    const struct watch *watch = *state;
    struct asked asked;
    struct reader reader;
    reader_ask(&reader, watch, ask_for(&asked));
    wait_for(&pages_sent, 2);
    reader_cancel(&reader);
    wait_for(&streams_closed, 1);
    assert_true(atomic_load(&pages_sent) < PAGES);
    reader_done(&reader);
    for (int i = 0; i < 20; i++) { /* wherever its first page is */
        reader_ask(&reader, watch, &asked);
        usleep((useconds_t)i * 500);
        reader_cancel(&reader);
        reader_done(&reader);
    }
}

/* What was cancelled has its place until a worker has seen that. */
static void read_when_there_is_room(const struct watch *watch, const struct asked *asked)
{
    enum rpc_code code = RPC_RESOURCE_EXHAUSTED;
    while (code == RPC_RESOURCE_EXHAUSTED) {
        struct reader reader;
        reader_ask(&reader, watch, asked);
        reader_read(&reader);
        code = reader.code;
        assert_int_equal(reader.messages, code == RPC_OK ? PAGES : 0);
        reader_done(&reader);
    }
    assert_int_equal(code, RPC_OK);
}

static void streams_keep_nobody_out(void **state)
{
    const struct watch *watch = *state;
    struct asked asked;
    struct reader readers[STREAMS_MAX], one_more;
    ask_for(&asked);
    for (int i = 0; i < STREAMS_MAX; i++) {
        reader_ask(&readers[i], watch, &asked);
        wait_for(&streams_asked, i + 1);
    }
    reader_ask(&one_more, watch, &asked);
    reader_read(&one_more);
    assert_int_equal(one_more.code, RPC_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(one_more.text, "too many streams at once; ask again"));
    reader_done(&one_more);

    struct rpc_channel *channel = scene_connect_port(rpc_server_port(watch->server));
    char answer[WHY_CAPACITY];
    assert_int_equal(scene_call(channel, "/heapfleet.v1.Query/ListServices", "", answer),
                     STATUS_OK);
    rpc_channel_free(channel);

    for (int i = 0; i < STREAMS_MAX; i++) {
        reader_cancel(&readers[i]);
        reader_done(&readers[i]);
    }
    wait_for(&streams_closed, STREAMS_MAX + 1);
    read_when_there_is_room(watch, &asked);
}

static void change(const char *sql)
{
    struct why why = {""};
    struct pg *pg = pg_new(scene.store.dsn);
    private_store_must(pg_script(pg, sql, &why), &why);
    pg_free(pg);
}

static void an_error_in_the_middle_ends_it(void **state)
{
    const struct watch *watch = *state;
    struct asked asked;
    struct reader reader;
    reader_ask(&reader, watch, ask_for(&asked));
    wait_for(&pages_sent, 2);
    change("UPDATE heapfleet.service SET name = 'mob' WHERE name = 'crowd'");
    reader_read(&reader);
    change("UPDATE heapfleet.service SET name = 'crowd' WHERE name = 'mob'");
    assert_int_equal(reader.code, RPC_NOT_FOUND);
    assert_non_null(strstr(reader.text, "crowd"));
    assert_true(reader.messages >= 2);
    assert_true(reader.messages < PAGES);
    reader_done(&reader);
}

static void the_end_of_the_collector_ends_it(void **state)
{
    const struct watch *watch = *state;
    struct asked asked;
    struct reader reader;
    reader_ask(&reader, watch, ask_for(&asked));
    wait_for(&pages_sent, 2);
    query_service_drain(watch->service);
    reader_read(&reader);
    assert_int_equal(reader.code, RPC_UNAVAILABLE);
    assert_non_null(strstr(reader.text, "is shutting down"));
    assert_true(reader.messages >= 2);
    assert_true(reader.messages < PAGES);
    reader_done(&reader);
}

/* ---- bad requests --------------------------------------------------------------------------- */

static void refuses(const struct watch *watch, const void *request, size_t size, enum rpc_code code,
                    const char *sentence)
{
    struct reader reader;
    reader_open(&reader, watch, request, size);
    reader_read(&reader);
    assert_int_equal(reader.code, code);
    assert_int_equal(reader.messages, 0);
    if (strstr(reader.text, sentence) == NULL)
        fail_msg("%s", reader.text);
    reader_done(&reader);
}

static void refuses_asked(const struct watch *watch, const struct asked *asked, enum rpc_code code,
                          const char *sentence)
{
    struct buf packed = BUF_INIT;
    wire_pack(&asked->request.base, &packed);
    refuses(watch, packed.data, packed.size, code, sentence);
    buf_done(&packed);
}

static void bad_requests_are_refused(void **state)
{
    const struct watch *watch = *state;
    static uint8_t large[9000];
    struct asked asked;
    refuses(watch, "\xff\xff\xff", 3, RPC_INVALID_ARGUMENT, "is not a protobuf message");
    refuses(watch, large, sizeof(large), RPC_INVALID_ARGUMENT, "more than 8192 bytes");
    ask_for(&asked)->request.page_token = (char *)"nonsense";
    refuses_asked(watch, &asked, RPC_INVALID_ARGUMENT, "'nonsense' is not a page token of ours");
    ask_for(&asked)->request.page_size = 50001;
    refuses_asked(watch, &asked, RPC_INVALID_ARGUMENT, "at most 50000");
    ask_for(&asked)->ref.name = (char *)"nobody";
    refuses_asked(watch, &asked, RPC_NOT_FOUND, "nobody");
}

#define WATCHED(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WATCHED(the_messages_are_the_pages),
        WATCHED(an_answer_of_one_page_is_one_message),
        WATCHED(a_client_that_does_not_read_is_ended),
        WATCHED(a_cancelled_stream_leaves_nothing),
        WATCHED(streams_keep_nobody_out),
        WATCHED(an_error_in_the_middle_ends_it),
        WATCHED(the_end_of_the_collector_ends_it),
        WATCHED(bad_requests_are_refused),
    };
    return cmocka_run_group_tests(tests, start_all, stop_all);
}
