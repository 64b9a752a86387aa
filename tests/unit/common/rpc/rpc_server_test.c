#include <arpa/inet.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "rpc_scene.h"

/* ----- calls ----- */

static void an_unknown_method_is_unimplemented(void **state)
{
    (void)state;
    struct pair pair;
    pair_start(&pair);
    char answer[WHY_CAPACITY];
    static const char *const paths[] = {"/test/Nothing", "/test/Answer/", "/test/Answe", "/"};
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        assert_int_equal(scene_call(pair.channel, paths[i], "x", answer), STATUS_UNSUPPORTED);
        assert_non_null(strstr(answer, "does not know the method"));
    }
    struct seen seen = {.loop = loop_new()};
    seen_open(&seen, pair.channel, "/test/Nothing");
    rpc_stream_send(seen.stream, (const uint8_t *)"x", 1);
    seen_run_to_the_end(&seen);
    assert_int_equal(seen.code, RPC_UNIMPLEMENTED);
    loop_free(seen.loop);
    pair_stop(&pair);
    assert_int_equal(pair.served.opened, 0);
}

static void a_failure_brings_its_message(void **state)
{
    (void)state;
    struct pair pair;
    pair_start(&pair);
    char answer[WHY_CAPACITY];
    assert_int_equal(scene_call(pair.channel, "/test/Fail", "no such thing", answer),
                     STATUS_NOT_FOUND);
    assert_non_null(strstr(answer, "no such thing"));
    pair_stop(&pair);
}

static void headers_and_the_peer_are_known(void **state)
{
    (void)state;
    struct pair pair;
    pair_start(&pair);
    char answer[WHY_CAPACITY];
    assert_int_equal(scene_call(pair.channel, "/test/Header", "user-agent", answer), STATUS_OK);
    assert_non_null(strstr(answer, "grpc"));
    assert_int_equal(scene_call(pair.channel, "/test/Header", "user-agen", answer), STATUS_OK);
    assert_string_equal(answer, "(none)");
    assert_int_equal(scene_call(pair.channel, "/test/Header", "", answer), STATUS_OK);
    assert_string_equal(answer, "(none)");
    assert_int_equal(scene_call(pair.channel, "/test/Peer", "", answer), STATUS_OK);
    assert_memory_equal(answer, "ipv4:127.0.0.1:", 15);
    pair_stop(&pair);
}

static enum status call_with_size(struct rpc_channel *channel, size_t size)
{
    struct buf request = BUF_INIT, answer = BUF_INIT;
    buf_reserve(&request, size);
    memset(request.data, 'x', size);
    request.size = size;
    struct why why = {""};
    enum status status = rpc_channel_call(channel, "/test/Answer", &request, 20000, &answer, &why);
    if (status == STATUS_OK)
        assert_int_equal(answer.size, size + 4);
    buf_done(&request);
    buf_done(&answer);
    return status;
}

static void a_message_above_the_limit_is_refused(void **state)
{
    (void)state;
    struct pair pair;
    pair_start(&pair);
    assert_int_equal(call_with_size(pair.channel, 256 << 10), STATUS_OK);
    assert_int_equal(call_with_size(pair.channel, (256 << 10) + 1), STATUS_LIMIT);
    assert_int_equal(call_with_size(pair.channel, 8 << 20), STATUS_LIMIT);
    assert_int_equal(pair.served.messages, 1);
    pair_stop(&pair);
    assert_int_equal(pair.served.closed, 3);

    struct served served = {0};
    struct rpc_server *server = scene_start(
        &(struct rpc_server_options){.listen = "127.0.0.1:0", .message_bytes_max = 1000}, &served);
    struct rpc_channel *channel = scene_connect_port(rpc_server_port(server));
    assert_int_equal(call_with_size(channel, 1000), STATUS_OK);
    assert_int_equal(call_with_size(channel, 1001), STATUS_LIMIT);
    rpc_channel_free(channel);
    rpc_server_stop(server, 30000);
}

/* One unary call of a client that compresses; our own client cannot. */
static grpc_status_code call_compressed(int port)
{
    char target[32];
    snprintf(target, sizeof(target), "127.0.0.1:%d", port);
    grpc_arg arg = {.type = GRPC_ARG_INTEGER,
                    .key = (char *)GRPC_COMPRESSION_CHANNEL_DEFAULT_ALGORITHM,
                    .value.integer = GRPC_COMPRESS_GZIP};
    grpc_channel_args args = {1, &arg};
    grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
    grpc_channel *channel = grpc_channel_create(target, credentials, &args);
    grpc_completion_queue *cq = grpc_completion_queue_create_for_pluck(NULL);
    grpc_call *call = grpc_channel_create_call(channel, NULL, 0, cq,
                                               grpc_slice_from_static_string("/test/Answer"), NULL,
                                               gpr_inf_future(GPR_CLOCK_REALTIME), NULL);

    char zeros[10000] = {0};
    grpc_slice slice = grpc_slice_from_static_buffer(zeros, sizeof(zeros));
    grpc_byte_buffer *request = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_metadata_array initial, trailing;
    grpc_metadata_array_init(&initial);
    grpc_metadata_array_init(&trailing);
    grpc_status_code code = GRPC_STATUS_OK;
    grpc_slice details = grpc_empty_slice();
    grpc_op ops[] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},
        {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = request},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
        {.op = GRPC_OP_RECV_INITIAL_METADATA, .data.recv_initial_metadata = {&initial}},
        {.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
         .data.recv_status_on_client = {&trailing, &code, &details, NULL}},
    };
    assert_int_equal(grpc_call_start_batch(call, ops, ARRAY_SIZE(ops), ops, NULL), GRPC_CALL_OK);
    grpc_completion_queue_pluck(cq, ops, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);

    grpc_metadata_array_destroy(&initial);
    grpc_metadata_array_destroy(&trailing);
    grpc_slice_unref(details);
    grpc_byte_buffer_destroy(request);
    grpc_call_unref(call);
    grpc_completion_queue_shutdown(cq);
    grpc_completion_queue_destroy(cq);
    grpc_channel_destroy(channel);
    grpc_channel_credentials_release(credentials);
    return code;
}

static void a_compressed_message_is_refused(void **state)
{
    (void)state;
    struct pair pair;
    pair_start(&pair);
    assert_int_equal(call_compressed(rpc_server_port(pair.server)), GRPC_STATUS_UNIMPLEMENTED);
    pair_stop(&pair);
    assert_int_equal(pair.served.messages, 0);
}

static void streams_of_a_connection_are_limited(void **state)
{
    (void)state;
    struct served served = {0};
    struct rpc_server *server = scene_start(
        &(struct rpc_server_options){.listen = "127.0.0.1:0", .streams_max = 2}, &served);
    struct rpc_channel *channel = scene_connect_port(rpc_server_port(server));
    struct loop *loop = loop_new();
    struct seen seen[3] = {{.loop = loop}, {.loop = loop}, {.loop = loop}};
    for (int i = 0; i < 3; i++) {
        seen_open(&seen[i], channel, "/test/Echo");
        rpc_stream_read(seen[i].stream);
        rpc_stream_send(seen[i].stream, (const uint8_t *)"x", 1);
        while (i < 2 && seen[i].messages == 0)
            seen_run_for(&seen[i], 10);
    }
    seen_run_for(&seen[2], 100);
    assert_int_equal(seen[2].messages, 0);
    assert_int_equal(served.opened, 2);
    rpc_stream_cancel(seen[0].stream); /* makes room */
    seen_run_to_the_end(&seen[0]);
    while (seen[2].messages == 0)
        seen_run_for(&seen[2], 10);
    assert_int_equal(served.opened, 3);
    rpc_stream_cancel(seen[1].stream);
    rpc_stream_cancel(seen[2].stream);
    seen_run_to_the_end(&seen[1]);
    seen_run_to_the_end(&seen[2]);
    rpc_channel_free(channel);
    rpc_server_stop(server, 30000);
    loop_free(loop);
}

/* ----- backpressure ----- */

enum { PIECE = 64 << 10, PIECES = 64, WINDOW = 512 << 10 };

static void read_all(void *arg)
{
    struct served *served = arg;
    rpc_call_read(served->last);
}

/* The server reads nothing; then, all of it. */
static void a_peer_that_is_not_read_stops(void **state)
{
    (void)state;
    struct pair pair;
    pair_start(&pair);
    struct seen seen = {.loop = loop_new()};
    seen_open(&seen, pair.channel, "/test/Silent");
    static const uint8_t piece[PIECE];
    for (int i = 0; i < PIECES; i++)
        rpc_stream_send(seen.stream, piece, sizeof(piece));
    wait_for(&pair.served.opened, 1);
    seen_run_for(&seen, 300);
    assert_true(rpc_stream_unsent_bytes(seen.stream) > PIECES * PIECE - WINDOW);
    assert_int_equal(seen.writable, 0);

    rpc_server_post(pair.server, read_all, &pair.served);
    while (seen.writable == 0)
        seen_run_for(&seen, 10);
    assert_int_equal(rpc_stream_unsent_bytes(seen.stream), 0);
    wait_for(&pair.served.messages, PIECES);
    rpc_stream_cancel(seen.stream);
    seen_run_to_the_end(&seen);
    loop_free(seen.loop);
    pair_stop(&pair);
}

struct flood {
    struct served served;
    atomic_int unsent_bytes;
};

static void flood_opened(struct rpc_call *call)
{
    struct flood *flood = rpc_call_user(call);
    static const uint8_t piece[PIECE];
    for (int i = 0; i < PIECES; i++)
        rpc_call_send(call, piece, sizeof(piece));
    flood->served.last = call;
    flood->served.opened++;
}

static void flood_closed(struct rpc_call *call)
{
    struct flood *flood = rpc_call_user(call);
    flood->served.closed++;
}

static void flood_look(void *arg)
{
    struct flood *flood = arg;
    flood->unsent_bytes = (int)rpc_call_unsent_bytes(flood->served.last);
    flood->served.messages++;
}

static void flood_abort(void *arg)
{
    struct flood *flood = arg;
    rpc_call_abort(flood->served.last, RPC_RESOURCE_EXHAUSTED, "you do not read");
    rpc_call_abort(flood->served.last, RPC_INTERNAL, "twice");
}

static void a_client_that_does_not_read_can_be_dropped(void **state)
{
    (void)state;
    struct flood flood = {0};
    struct rpc_method method = {"/test/Flood", &flood,       flood_opened, scene_echo,
                                NULL,          flood_closed, NULL};
    struct rpc_server *server = NULL;
    assert_int_equal(rpc_server_start(&(struct rpc_server_options){.listen = "127.0.0.1:0"},
                                      &method, 1, &server, NULL),
                     STATUS_OK);
    struct rpc_channel *channel = scene_connect_port(rpc_server_port(server));
    struct seen seen = {.loop = loop_new()};
    seen_open(&seen, channel, "/test/Flood");
    wait_for(&flood.served.opened, 1);
    seen_run_for(&seen, 300);
    rpc_server_post(server, flood_look, &flood);
    wait_for(&flood.served.messages, 1);
    assert_true(flood.unsent_bytes > PIECES * PIECE - WINDOW);

    rpc_server_post(server, flood_abort, &flood);
    wait_for(&flood.served.closed, 1);
    seen.keep_asking = 1;
    rpc_stream_read(seen.stream);
    seen_run_to_the_end(&seen);
    assert_int_equal(seen.code, RPC_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(seen.text, "you do not read"));
    assert_true(seen.messages < PIECES);
    loop_free(seen.loop);
    rpc_channel_free(channel);
    rpc_server_stop(server, 30000);
}

static void last_words_opened(struct rpc_call *call)
{
    rpc_call_read(call);
    flood_opened(call);
}

static void finish_last(void *arg)
{
    struct flood *flood = arg;
    rpc_call_finish(flood->served.last, RPC_OK, NULL);
}

/* The finish waits behind the flood; what the client says meanwhile is not heard. */
static void nothing_is_heard_after_a_finish(void **state)
{
    (void)state;
    struct flood flood = {0};
    struct rpc_method method = {
        "/test/LastWords", &flood, last_words_opened, scene_echo, scene_echo_end,
        flood_closed,      NULL};
    struct rpc_server *server = NULL;
    assert_int_equal(rpc_server_start(&(struct rpc_server_options){.listen = "127.0.0.1:0"},
                                      &method, 1, &server, NULL),
                     STATUS_OK);
    struct rpc_channel *channel = scene_connect_port(rpc_server_port(server));
    struct seen seen = {.loop = loop_new(), .keep_asking = 1};
    seen_open(&seen, channel, "/test/LastWords");
    wait_for(&flood.served.opened, 1);
    rpc_server_post(server, finish_last, &flood);
    rpc_server_post(server, flood_look, &flood);
    wait_for(&flood.served.messages, 1); /* the look is counted as one */
    rpc_stream_send(seen.stream, (const uint8_t *)"x", 1);
    seen_run_for(&seen, 100);
    rpc_stream_read(seen.stream);
    seen_run_to_the_end(&seen);
    assert_int_equal(seen.code, RPC_OK);
    assert_int_equal(seen.messages, PIECES);
    loop_free(seen.loop);
    rpc_channel_free(channel);
    rpc_server_stop(server, 30000);
    assert_int_equal(flood.served.messages, 1);
    assert_int_equal(flood.served.half_closed, 0);
    assert_int_equal(flood.served.closed, 1);
}

/* ----- finishing ----- */

static void ask_again(struct rpc_call *call)
{
    struct served *served = rpc_call_user(call);
    served->half_closed++;
    rpc_call_read(call);
}

static void a_half_close_is_told_once(void **state)
{
    (void)state;
    struct served served = {0};
    struct rpc_method method = {"/test/Stubborn", &served,      scene_opened, scene_echo,
                                ask_again,        scene_closed, NULL};
    struct rpc_server *server = NULL;
    assert_int_equal(rpc_server_start(&(struct rpc_server_options){.listen = "127.0.0.1:0"},
                                      &method, 1, &server, NULL),
                     STATUS_OK);
    struct rpc_channel *channel = scene_connect_port(rpc_server_port(server));
    struct seen seen = {.loop = loop_new()};
    seen_open(&seen, channel, "/test/Stubborn");
    rpc_stream_half_close(seen.stream);
    wait_for(&served.half_closed, 1);
    seen_run_for(&seen, 20);
    rpc_stream_cancel(seen.stream);
    seen_run_to_the_end(&seen);
    loop_free(seen.loop);
    rpc_channel_free(channel);
    rpc_server_stop(server, 30000);
    assert_int_equal(served.half_closed, 1);
    assert_int_equal(served.closed, 1);
}

static void greedy_message(struct rpc_call *call, const uint8_t *data, size_t size)
{
    struct served *served = rpc_call_user(call);
    served->messages++;
    rpc_call_read(call);
    rpc_call_read(call);
    rpc_call_send(call, data, size);
    rpc_call_send(call, data, size);
    rpc_call_finish(call, RPC_OUT_OF_RANGE, "enough");
    rpc_call_finish(call, RPC_OK, "ignored");
    rpc_call_send(call, data, size); /* ignored */
    rpc_call_read(call);             /* ignored */
}

static void what_was_sent_arrives_before_the_finish(void **state)
{
    (void)state;
    struct served served = {0};
    struct rpc_method method = {"/test/Greedy", &served,      scene_opened, greedy_message,
                                scene_echo_end, scene_closed, NULL};
    struct rpc_server *server = NULL;
    assert_int_equal(rpc_server_start(&(struct rpc_server_options){.listen = "127.0.0.1:0"},
                                      &method, 1, &server, NULL),
                     STATUS_OK);
    struct rpc_channel *channel = scene_connect_port(rpc_server_port(server));
    struct seen seen = {.loop = loop_new(), .keep_asking = 1};
    seen_open(&seen, channel, "/test/Greedy");
    rpc_stream_read(seen.stream);
    for (int i = 0; i < 10; i++)
        rpc_stream_send(seen.stream, (const uint8_t *)"abc", 3);
    rpc_stream_half_close(seen.stream);
    seen_run_to_the_end(&seen);
    assert_int_equal(seen.code, RPC_OUT_OF_RANGE);
    assert_non_null(strstr(seen.text, "enough"));
    assert_int_equal(seen.messages, 2);
    loop_free(seen.loop);
    rpc_channel_free(channel);
    rpc_server_stop(server, 30000);
    assert_int_equal(served.messages, 1);
    assert_int_equal(served.half_closed, 0);
    assert_int_equal(served.closed, 1);
}

static void finish_opened(struct rpc_call *call)
{
    rpc_call_finish(call, RPC_FAILED_PRECONDITION, "not now");
}

static void a_call_may_be_finished_at_once(void **state)
{
    (void)state;
    struct served served = {0};
    struct rpc_method method = {"/test/Never", &served,      finish_opened, scene_echo,
                                NULL,          scene_closed, NULL};
    struct rpc_server *server = NULL;
    assert_int_equal(rpc_server_start(&(struct rpc_server_options){.listen = "127.0.0.1:0"},
                                      &method, 1, &server, NULL),
                     STATUS_OK);
    struct rpc_channel *channel = scene_connect_port(rpc_server_port(server));
    char answer[WHY_CAPACITY];
    for (int i = 0; i < 50; i++) {
        assert_int_equal(scene_call(channel, "/test/Never", "x", answer), STATUS_FAILED);
        assert_non_null(strstr(answer, "not now"));
    }
    rpc_channel_free(channel);
    rpc_server_stop(server, 30000);
    assert_int_equal(served.closed, 50);
}

/* ----- strangers ----- */

/* What is sent to a port that the whole network can reach. The server outlives it and goes on. */
static void bytes_that_are_not_grpc_do_no_harm(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = {
        {"", 0},
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27},
        {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff", 33},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x01\x01\x05\0\0\0\x01\xff", 34},
    };
    struct pair pair;
    pair_start(&pair);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)rpc_server_port(pair.server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char answer[WHY_CAPACITY], drain[4096];
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(send(fd, rows[i].bytes, rows[i].size, MSG_NOSIGNAL), rows[i].size);
        shutdown(fd, SHUT_WR);
        while (recv(fd, drain, sizeof(drain), 0) > 0)
            ; /* until the server hangs up */
        close(fd);
        assert_int_equal(scene_call(pair.channel, "/test/Answer", "x", answer), STATUS_OK);
    }
    pair_stop(&pair);
}

/* A peer that does not read is not sent more than its window and what is in flight. */
static void sent_comes_when_nothing_waits(void **state)
{
    (void)state;
    struct pair pair;
    pair_start(&pair);
    struct seen seen = {.loop = loop_new(), .keep_asking = 1};
    seen_open(&seen, pair.channel, "/test/Paced");
    rpc_stream_send(seen.stream, (const uint8_t *)"go", 2);
    wait_for(&pair.served.paced, 2);
    assert_true(atomic_load(&pair.served.paced) < SCENE_BURST);
    rpc_stream_read(seen.stream);
    seen_run_to_the_end(&seen);
    assert_int_equal(seen.messages, SCENE_BURST);
    assert_int_equal(seen.code, RPC_UNAVAILABLE);
    assert_int_equal(pair.served.paced, SCENE_BURST); /* and not once more after the end */
    loop_free(seen.loop);
    pair_stop(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_method_is_unimplemented),
        cmocka_unit_test(a_failure_brings_its_message),
        cmocka_unit_test(headers_and_the_peer_are_known),
        cmocka_unit_test(a_message_above_the_limit_is_refused),
        cmocka_unit_test(a_compressed_message_is_refused),
        cmocka_unit_test(streams_of_a_connection_are_limited),
        cmocka_unit_test(a_peer_that_is_not_read_stops),
        cmocka_unit_test(a_client_that_does_not_read_can_be_dropped),
        cmocka_unit_test(nothing_is_heard_after_a_finish),
        cmocka_unit_test(a_half_close_is_told_once),
        cmocka_unit_test(what_was_sent_arrives_before_the_finish),
        cmocka_unit_test(a_call_may_be_finished_at_once),
        cmocka_unit_test(bytes_that_are_not_grpc_do_no_harm),
        cmocka_unit_test(sent_comes_when_nothing_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
