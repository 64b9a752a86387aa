#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "rpc_scene.h"

/* A loopback socket that is bound, and listens or does not. */
static int bind_loopback(int listening, int *ret_port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    if (listening)
        assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

/* ----- blocking calls ----- */

static void a_call_is_answered(void **state)
{
    (void)state;
    struct served served = {0};
    struct rpc_server *server = scene_start_plain(&served);
    struct rpc_channel *channel = scene_connect_port(rpc_server_port(server));
    char answer[WHY_CAPACITY];
    for (int i = 0; i < 100; i++) {
        assert_int_equal(scene_call(channel, "/test/Answer", "hello", answer), STATUS_OK);
        assert_string_equal(answer, "re: hello");
    }
    assert_int_equal(scene_call(channel, "/test/Answer", "", answer), STATUS_OK);
    assert_string_equal(answer, "re: ");
    rpc_channel_free(channel);
    rpc_server_stop(server, 30000);
    assert_int_equal(served.opened, 101);
    assert_int_equal(served.closed, 101);
}

static void an_answer_is_appended(void **state)
{
    (void)state;
    struct served served = {0};
    struct rpc_server *server = scene_start_plain(&served);
    struct rpc_channel *channel = scene_connect_port(rpc_server_port(server));
    struct buf request = BUF_INIT, answer = BUF_INIT;
    buf_append_text(&answer, "before ");
    assert_int_equal(rpc_channel_call(channel, "/test/Answer", &request, 20000, &answer, NULL),
                     STATUS_OK);
    assert_string_equal(buf_text(&answer), "before re: ");
    assert_int_equal(rpc_channel_call(channel, "/test/Fail", &request, 20000, &answer, NULL),
                     STATUS_NOT_FOUND);
    assert_string_equal(buf_text(&answer), "before re: ");
    buf_done(&answer);
    rpc_channel_free(channel);
    rpc_server_stop(server, 30000);
}

struct caller {
    struct rpc_channel *channel;
    int answered;
};

static void *call_often(void *arg)
{
    struct caller *caller = arg;
    struct buf request = BUF_INIT;
    for (int i = 0; i < 200; i++) {
        struct buf answer = BUF_INIT;
        caller->answered += rpc_channel_call(caller->channel, "/test/Answer", &request, 60000,
                                             &answer, NULL) == STATUS_OK;
        buf_done(&answer);
    }
    return NULL;
}

static void threads_may_share_a_channel(void **state)
{
    (void)state;
    enum { THREADS = 8 };
    struct served served = {0};
    struct rpc_server *server = scene_start_plain(&served);
    struct rpc_channel *channel = scene_connect_port(rpc_server_port(server));
    pthread_t threads[THREADS];
    struct caller callers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        callers[i] = (struct caller){.channel = channel};
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, &callers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(callers[i].answered, 200);
    }
    rpc_channel_free(channel);
    rpc_server_stop(server, 30000);
}

static void a_deadline_ends_a_call(void **state)
{
    (void)state;
    struct served served = {0};
    struct rpc_server *server = scene_start_plain(&served);
    struct rpc_channel *channel = scene_connect_port(rpc_server_port(server));
    struct buf request = BUF_INIT, answer = BUF_INIT;
    struct why why = {""};
    assert_int_equal(rpc_channel_call(channel, "/test/Silent", &request, 100, &answer, &why),
                     STATUS_UNAVAILABLE);
    assert_non_null(strstr(why.text, "did not answer in time"));
    assert_int_equal(answer.size, 0);
    rpc_channel_free(channel);
    rpc_server_stop(server, 30000);
    assert_int_equal(served.closed, served.opened);
}

static void an_answer_above_the_limit_is_refused(void **state)
{
    (void)state;
    struct served served = {0};
    struct rpc_server *server = scene_start_plain(&served);
    char target[32], answer[WHY_CAPACITY];
    snprintf(target, sizeof(target), "127.0.0.1:%d", rpc_server_port(server));
    struct rpc_channel *channel =
        scene_connect(&(struct rpc_channel_options){.target = target, .message_bytes_max = 8});
    assert_int_equal(scene_call(channel, "/test/Answer", "1234", answer), STATUS_OK);
    assert_int_equal(scene_call(channel, "/test/Answer", "12345", answer), STATUS_LIMIT);
    rpc_channel_free(channel);
    rpc_server_stop(server, 30000);
}

/* ----- nobody there ----- */

static void a_bad_target_is_a_usage_error(void **state)
{
    (void)state;
    static const char *const targets[] = {
        "", "nonsense", "http://127.0.0.1:4777", "dns:///localhost:4777", "unix:", "::1:4777"};
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        struct rpc_channel *channel = NULL;
        struct why why = {""};
        assert_int_equal(
            rpc_channel_new(&(struct rpc_channel_options){.target = targets[i]}, &channel, &why),
            STATUS_USAGE);
        assert_null(channel);
        assert_non_null(strstr(why.text, "is not an address"));
    }
    rpc_channel_free(NULL);
}

static void a_dead_port_is_reported_at_once(void **state)
{
    (void)state;
    int port, fd = bind_loopback(0, &port); /* bound, so that nobody else can listen */
    struct rpc_channel *channel = scene_connect_port(port);
    char expected[WHY_CAPACITY], answer[WHY_CAPACITY];
    snprintf(expected, sizeof(expected),
             "nobody answers at 127.0.0.1:%d: connection refused; is heapfleet-collector running "
             "there?",
             port);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(scene_call(channel, "/test/Answer", "x", answer), STATUS_UNAVAILABLE);
        assert_string_equal(answer, expected);
    }
    struct seen seen = {.loop = loop_new()};
    seen_open(&seen, channel, "/test/Echo");
    rpc_stream_read(seen.stream);
    rpc_stream_send(seen.stream, (const uint8_t *)"x", 1);
    seen_run_to_the_end(&seen);
    assert_int_equal(seen.code, RPC_UNAVAILABLE);
    assert_string_equal(seen.text, expected);
    loop_free(seen.loop);
    rpc_channel_free(channel);
    close(fd);

    channel = scene_connect(&(struct rpc_channel_options){.target = "unix:/nonexistent/socket"});
    assert_int_equal(scene_call(channel, "/test/Answer", "x", answer), STATUS_UNAVAILABLE);
    assert_string_equal(answer, "nobody answers at unix:/nonexistent/socket: no such file or "
                                "directory; is heapfleet-collector running there?");
    rpc_channel_free(channel);
}

/* Something accepts connections and says nothing: a stream has no deadline, yet it must end. */
static void a_silent_listener_is_given_up(void **state)
{
    (void)state;
    int port, fd = bind_loopback(1, &port);
    struct rpc_channel *channel = scene_connect_port(port);
    struct seen seen = {.loop = loop_new()};
    seen_open(&seen, channel, "/test/Echo");
    seen_run_to_the_end(&seen);
    assert_int_equal(seen.code, RPC_UNAVAILABLE);
    assert_non_null(strstr(seen.text, "nobody answers at 127.0.0.1:"));
    loop_free(seen.loop);
    rpc_channel_free(channel);
    close(fd);
}

static struct rpc_server *start_at(int port, struct served *served)
{
    char listen[32];
    snprintf(listen, sizeof(listen), "127.0.0.1:%d", port);
    return scene_start(&(struct rpc_server_options){.listen = listen}, served);
}

/* No waiting anywhere here: the first attempt after the server is back succeeds. */
static void a_restarted_server_is_found_by_the_same_channel(void **state)
{
    (void)state;
    struct served served = {0};
    struct rpc_server *server = scene_start_plain(&served);
    int port = rpc_server_port(server);
    struct rpc_channel *channel = scene_connect_port(port);
    struct seen seen = {.loop = loop_new(), .keep_asking = 1, .stop_at = 1};
    char answer[WHY_CAPACITY];
    for (int i = 0; i < 5; i++) {
        seen.closed = seen.messages = 0;
        seen_open(&seen, channel, "/test/Echo");
        rpc_stream_read(seen.stream);
        rpc_stream_send(seen.stream, (const uint8_t *)"x", 1);
        loop_run(seen.loop);
        assert_int_equal(seen.messages, 1);
        rpc_server_stop(server, 0);
        seen_run_to_the_end(&seen);
        assert_int_equal(seen.code, RPC_UNAVAILABLE);
        assert_int_equal(scene_call(channel, "/test/Answer", "x", answer), STATUS_UNAVAILABLE);
        server = start_at(port, &served);
        assert_int_equal(scene_call(channel, "/test/Answer", "x", answer), STATUS_OK);
    }
    rpc_channel_free(channel);
    rpc_server_stop(server, 30000);
    loop_free(seen.loop);
}

/* A channel that has failed goes on trying by itself; another one to the same place is unaffected.
 */
static void channels_do_not_share_their_failures(void **state)
{
    (void)state;
    struct served served = {0};
    struct rpc_server *server = scene_start_plain(&served);
    int port = rpc_server_port(server);
    rpc_server_stop(server, 0);
    struct rpc_channel *failed = scene_connect_port(port);
    char answer[WHY_CAPACITY];
    assert_int_equal(scene_call(failed, "/test/Answer", "x", answer), STATUS_UNAVAILABLE);
    server = start_at(port, &served);
    struct rpc_channel *other = scene_connect_port(port);
    assert_int_equal(scene_call(other, "/test/Answer", "x", answer), STATUS_OK);
    rpc_channel_free(failed);
    rpc_channel_free(other);
    rpc_server_stop(server, 30000);
}

/* ----- streams ----- */

static void a_stream_echoes(void **state)
{
    (void)state;
    struct served served = {0};
    struct rpc_server *server = scene_start_plain(&served);
    struct rpc_channel *channel = scene_connect_port(rpc_server_port(server));
    struct seen seen = {.loop = loop_new(), .keep_asking = 1};
    seen_open(&seen, channel, "/test/Echo");
    rpc_stream_read(seen.stream);
    for (int i = 0; i < 1000; i++) {
        uint8_t bytes[3000] = {0};
        size_t size = (size_t)(3000 - i % 2);
        bytes[size - 1] = (uint8_t)(i + 1);
        rpc_stream_send(seen.stream, bytes, size);
    }
    assert_true(rpc_stream_unsent_bytes(seen.stream) > 0);
    rpc_stream_half_close(seen.stream);
    rpc_stream_send(seen.stream, (const uint8_t *)"ignored", 7);
    seen_run_to_the_end(&seen);
    assert_int_equal(seen.closed, 1);
    assert_int_equal(seen.code, RPC_OK);
    assert_string_equal(seen.text, "");
    assert_int_equal(seen.messages, 1000);
    assert_int_equal(seen.bytes, 500 * 3000 + 500 * 2999);
    assert_int_equal(seen.last_byte, (uint8_t)1000);
    rpc_channel_free(channel);
    rpc_server_stop(server, 30000);
    assert_int_equal(served.half_closed, 1);
    assert_int_equal(served.closed, 1);
    loop_free(seen.loop);
}

static void writable_comes_when_nothing_waits(void **state)
{
    (void)state;
    struct served served = {0};
    struct rpc_server *server = scene_start_plain(&served);
    struct rpc_channel *channel = scene_connect_port(rpc_server_port(server));
    struct seen seen = {.loop = loop_new(), .keep_asking = 1, .stop_at = 3};
    seen_open(&seen, channel, "/test/Echo");
    rpc_stream_read(seen.stream);
    for (int i = 0; i < 3; i++)
        rpc_stream_send(seen.stream, (const uint8_t *)"x", 1);
    loop_run(seen.loop);
    while (seen.writable == 0)
        seen_run_for(&seen, 1);
    assert_int_equal(seen.writable, 1);
    assert_int_equal(rpc_stream_unsent_bytes(seen.stream), 0);
    rpc_stream_half_close(seen.stream);
    seen_run_to_the_end(&seen);
    assert_int_equal(seen.writable, 1);
    rpc_channel_free(channel);
    rpc_server_stop(server, 30000);
    loop_free(seen.loop);
}

static void a_stream_may_be_closed_unused(void **state)
{
    (void)state;
    struct served served = {0};
    struct rpc_server *server = scene_start_plain(&served);
    struct rpc_channel *channel = scene_connect_port(rpc_server_port(server));
    struct seen seen = {.loop = loop_new()};
    seen_open(&seen, channel, "/test/Echo");
    rpc_stream_half_close(seen.stream);
    seen_run_to_the_end(&seen);
    assert_int_equal(seen.code, RPC_OK);

    seen.closed = 0;
    seen_open(&seen, channel, "/test/Echo");
    rpc_stream_cancel(seen.stream);
    rpc_stream_cancel(seen.stream);
    rpc_stream_send(seen.stream, (const uint8_t *)"x", 1);
    rpc_stream_read(seen.stream);
    rpc_stream_half_close(seen.stream);
    seen_run_to_the_end(&seen);
    assert_int_equal(seen.code, RPC_CANCELLED);
    assert_int_equal(seen.messages, 0);
    loop_free(seen.loop);
    rpc_channel_free(channel);
    rpc_server_stop(server, 30000);
}

/* Everything that a callback may do to its own stream and channel. */
static void reopen_at_end(void *user, enum rpc_code code, const char *text);
static const struct rpc_stream_events reopening = {seen_message, seen_writable, reopen_at_end};

struct reopen {
    struct seen seen; /* first: `user` of the callbacks */
    struct rpc_channel *channel;
    int left;
};

static void reopen_at_end(void *user, enum rpc_code code, const char *text)
{
    struct reopen *reopen = user;
    (void)text;
    assert_int_equal(code, RPC_CANCELLED);
    if (reopen->left-- > 0) {
        reopen->seen.stream =
            rpc_stream_open(reopen->channel, "/test/Echo", reopen->seen.loop, &reopening, user);
        rpc_stream_cancel(reopen->seen.stream);
        return;
    }
    rpc_channel_free(reopen->channel);
    loop_stop(reopen->seen.loop);
}

static void the_end_may_open_a_stream_or_free_the_channel(void **state)
{
    (void)state;
    struct served served = {0};
    struct rpc_server *server = scene_start_plain(&served);
    struct reopen reopen = {.seen.loop = loop_new(), .left = 20};
    reopen.channel = scene_connect_port(rpc_server_port(server));
    struct rpc_stream *stream =
        rpc_stream_open(reopen.channel, "/test/Echo", reopen.seen.loop, &reopening, &reopen);
    rpc_stream_cancel(stream);
    loop_run(reopen.seen.loop);
    assert_int_equal(reopen.left, -1);
    rpc_server_stop(server, 30000);
    loop_free(reopen.seen.loop);
}

static void cancel_in_message(void *user, const uint8_t *data, size_t size)
{
    seen_message(user, data, size);
    struct seen *seen = user;
    rpc_stream_cancel(seen->stream);
}

static void nothing_but_the_end_follows_a_cancel(void **state)
{
    (void)state;
    static const struct rpc_stream_events events = {cancel_in_message, seen_writable, seen_closed};
    struct served served = {0};
    struct rpc_server *server = scene_start_plain(&served);
    struct rpc_channel *channel = scene_connect_port(rpc_server_port(server));
    struct seen seen = {.loop = loop_new(), .keep_asking = 1};
    seen.stream = rpc_stream_open(channel, "/test/Echo", seen.loop, &events, &seen);
    rpc_stream_read(seen.stream);
    for (int i = 0; i < 100; i++)
        rpc_stream_send(seen.stream, (const uint8_t *)"x", 1);
    seen_run_to_the_end(&seen);
    assert_int_equal(seen.messages, 1);
    assert_int_equal(seen.code, RPC_CANCELLED);
    loop_free(seen.loop);
    rpc_channel_free(channel);
    rpc_server_stop(server, 30000);
}

/* The answer is on its way to the loop already. */
static void a_message_does_not_overtake_a_cancel(void **state)
{
    (void)state;
    struct served served = {0};
    struct rpc_server *server = scene_start_plain(&served);
    struct rpc_channel *channel = scene_connect_port(rpc_server_port(server));
    struct seen seen = {.loop = loop_new()};
    seen_open(&seen, channel, "/test/Echo");
    rpc_stream_read(seen.stream);
    rpc_stream_send(seen.stream, (const uint8_t *)"x", 1);
    wait_for(&served.messages, 1);
    usleep(50000);
    rpc_stream_cancel(seen.stream);
    seen_run_to_the_end(&seen);
    assert_int_equal(seen.messages, 0);
    assert_int_equal(seen.code, RPC_CANCELLED);
    loop_free(seen.loop);
    rpc_channel_free(channel);
    rpc_server_stop(server, 30000);
}

/* The server's messages wait, in the window and in the server, until the client asks for them. */
static void messages_come_one_for_each_read(void **state)
{
    (void)state;
    struct served served = {0};
    struct rpc_server *server = scene_start_plain(&served);
    struct rpc_channel *channel = scene_connect_port(rpc_server_port(server));
    struct seen seen = {.loop = loop_new()};
    seen_open(&seen, channel, "/test/Echo");
    for (int i = 0; i < 10; i++)
        rpc_stream_send(seen.stream, (const uint8_t *)"x", 1);
    while (served.messages < 10)
        seen_run_for(&seen, 1);
    for (int i = 1; i <= 10; i++) {
        seen.stop_at = i;
        rpc_stream_read(seen.stream);
        rpc_stream_read(seen.stream);
        loop_run(seen.loop);
        seen_run_for(&seen, 5);
        assert_int_equal(seen.messages, i);
    }
    seen.stop_at = 0;
    rpc_stream_half_close(seen.stream);
    rpc_stream_read(seen.stream);
    seen_run_to_the_end(&seen);
    assert_int_equal(seen.code, RPC_OK);
    loop_free(seen.loop);
    rpc_channel_free(channel);
    rpc_server_stop(server, 30000);
}

/* ----- streams on the channel's own thread ----- */

enum { LONERS = 8, LONER_MESSAGES = 100 };

struct loner {
    struct rpc_channel *channel;
    struct rpc_stream *stream;
    pthread_t thread; /* of the first callback */
    int messages;
    atomic_int *ended;
};

static void loner_message(void *user, const uint8_t *data, size_t size)
{
    struct loner *loner = user;
    if (loner->messages++ == 0)
        loner->thread = pthread_self();
    if (!pthread_equal(loner->thread, pthread_self()) || size != 1)
        return; /* a message short: the test waits in vain */
    if (loner->messages == LONER_MESSAGES) {
        rpc_stream_half_close(loner->stream);
    } else {
        const uint8_t next = (uint8_t)(data[0] + 1);
        rpc_stream_send(loner->stream, &next, 1);
    }
    rpc_stream_read(loner->stream);
}

static void loner_writable(void *user)
{
    (void)user;
}

static void loner_closed(void *user, enum rpc_code code, const char *text)
{
    struct loner *loner = user;
    (void)text;
    if (code == RPC_OK)
        atomic_fetch_add(loner->ended, 1);
}

static void loner_begin(void *arg)
{
    static const struct rpc_stream_events events = {loner_message, loner_writable, loner_closed};
    struct loner *loner = arg;
    loner->stream = rpc_stream_open(loner->channel, "/test/Echo", NULL, &events, loner);
    rpc_stream_send(loner->stream, (const uint8_t *)"", 1);
    rpc_stream_read(loner->stream);
}

static void channels_may_share_a_thread(void **state)
{
    (void)state;
    struct served served = {0};
    struct rpc_server *server = scene_start_plain(&served);
    struct rpc_channel *first = scene_connect_port(rpc_server_port(server));
    struct loner loners[LONERS];
    atomic_int ended = 0;
    char target[32];
    snprintf(target, sizeof(target), "127.0.0.1:%d", rpc_server_port(server));
    for (int i = 0; i < LONERS; i++) {
        const struct rpc_channel_options options = {.target = target, .thread_of = first};
        loners[i] = (struct loner){.channel = scene_connect(&options), .ended = &ended};
        rpc_channel_post(loners[i].channel, loner_begin, &loners[i]);
    }
    wait_for(&ended, LONERS);
    for (int i = 0; i < LONERS; i++) {
        assert_int_equal(loners[i].messages, LONER_MESSAGES);
        assert_true(pthread_equal(loners[i].thread, loners[0].thread));
        rpc_channel_free(loners[i].channel);
    }
    rpc_channel_free(first);
    rpc_server_stop(server, 30000);
    assert_int_equal(served.closed, LONERS);
}

/* A send fails when the peer ends the call; what it had said before still comes, and then the end.
 */
static void a_failed_send_does_not_stop_the_reading(void **state)
{
    (void)state;
    static const uint8_t load[64 * 1024];
    struct pair pair;
    pair_start(&pair);
    for (int i = 0; i < 50; i++) {
        struct seen seen = {.loop = loop_new(), .keep_asking = 1};
        seen_open(&seen, pair.channel, "/test/Burst");
        rpc_stream_read(seen.stream);
        rpc_stream_send(seen.stream, load, 100);
        for (int j = 0; j < 16; j++) /* more than flow control takes */
            rpc_stream_send(seen.stream, load, sizeof(load));
        seen_run_to_the_end(&seen);
        assert_int_equal(seen.messages, SCENE_BURST);
        assert_int_equal(seen.code, RPC_UNAVAILABLE);
        loop_free(seen.loop);
    }
    pair_stop(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_answered),
        cmocka_unit_test(an_answer_is_appended),
        cmocka_unit_test(threads_may_share_a_channel),
        cmocka_unit_test(a_deadline_ends_a_call),
        cmocka_unit_test(an_answer_above_the_limit_is_refused),
        cmocka_unit_test(a_bad_target_is_a_usage_error),
        cmocka_unit_test(a_dead_port_is_reported_at_once),
        cmocka_unit_test(a_silent_listener_is_given_up),
        cmocka_unit_test(a_restarted_server_is_found_by_the_same_channel),
        cmocka_unit_test(channels_do_not_share_their_failures),
        cmocka_unit_test(a_stream_echoes),
        cmocka_unit_test(writable_comes_when_nothing_waits),
        cmocka_unit_test(a_stream_may_be_closed_unused),
        cmocka_unit_test(the_end_may_open_a_stream_or_free_the_channel),
        cmocka_unit_test(nothing_but_the_end_follows_a_cancel),
        cmocka_unit_test(a_message_does_not_overtake_a_cancel),
        cmocka_unit_test(messages_come_one_for_each_read),
        cmocka_unit_test(channels_may_share_a_thread),
        cmocka_unit_test(a_failed_send_does_not_stop_the_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
