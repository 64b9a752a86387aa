#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "rpc_scene.h"

/* ----- posting and holding ----- */

enum { THREADS = 4, POSTS = 2000 };

struct poster {
    struct rpc_server *server;
    int next[THREADS];
    atomic_int total;
    struct post {
        struct poster *poster;
        int thread, number;
    } of[THREADS][POSTS];
};

static void take_post(void *arg)
{
    struct post *post = arg;
    ASSERT(post->number == post->poster->next[post->thread]++); /* not on cmocka's thread */
    post->poster->total++;
}

static void *post_all(void *arg)
{
    struct post *own = arg;
    for (int i = 0; i < POSTS; i++)
        rpc_server_post(own->poster->server, take_post, &own[i]);
    return NULL;
}

static void posts_of_each_thread_run_in_order(void **state)
{
    (void)state;
    static struct poster poster;
    struct served served = {0};
    poster.server = scene_start_plain(&served);
    pthread_t threads[THREADS];
    for (int t = 0; t < THREADS; t++) {
        for (int i = 0; i < POSTS; i++)
            poster.of[t][i] = (struct post){&poster, t, i};
        assert_int_equal(pthread_create(&threads[t], NULL, post_all, poster.of[t]), 0);
    }
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    rpc_server_stop(poster.server, 0); /* what was posted before the stop runs */
    assert_int_equal(poster.total, THREADS * POSTS);
}

/* A call whose answer is made by a worker, as a database's would be. */
struct desk {
    struct served served;
    struct rpc_server *server;
    struct worker *worker;
    atomic_int may_answer, released, was_closed;
};

static void desk_release(void *arg)
{
    struct rpc_call *call = arg;
    struct desk *desk = rpc_call_user(call);
    desk->was_closed += rpc_call_is_closed(call);
    rpc_call_send(call, (const uint8_t *)"late", 4);
    rpc_call_finish(call, RPC_OK, NULL);
    rpc_call_read(call);
    rpc_call_abort(call, RPC_OK, NULL);
    assert_non_null(rpc_call_peer(call));
    rpc_call_release(call);
    desk->released++;
}

static void desk_work(void *arg)
{
    struct rpc_call *call = arg;
    struct desk *desk = rpc_call_data(call);
    wait_for(&desk->may_answer, 1);
    rpc_server_post(desk->server, desk_release, call);
}

static void desk_message(struct rpc_call *call, const uint8_t *data, size_t size)
{
    (void)data;
    (void)size;
    struct desk *desk = rpc_call_user(call);
    desk->served.messages++;
    rpc_call_set_data(call, desk);
    rpc_call_hold(call);
    worker_post(desk->worker, desk_work, call);
}

static void desk_start(struct desk *desk, struct rpc_channel **ret_channel)
{
    struct rpc_method method = {.path = "/test/Desk",
                                .user = desk,
                                .opened = scene_opened,
                                .message = desk_message,
                                .closed = scene_closed};
    desk->worker = worker_new("desk");
    assert_int_equal(rpc_server_start(&(struct rpc_server_options){.listen = "127.0.0.1:0"},
                                      &method, 1, &desk->server, NULL),
                     STATUS_OK);
    *ret_channel = scene_connect_port(rpc_server_port(desk->server));
}

static void a_held_call_outlives_its_end(void **state)
{
    (void)state;
    struct desk desk = {0};
    struct rpc_channel *channel;
    desk_start(&desk, &channel);
    struct seen seen = {.loop = loop_new()};
    seen_open(&seen, channel, "/test/Desk");
    rpc_stream_send(seen.stream, (const uint8_t *)"x", 1);
    wait_for(&desk.served.messages, 1);
    rpc_stream_cancel(seen.stream);
    seen_run_to_the_end(&seen);
    assert_int_equal(seen.code, RPC_CANCELLED);
    wait_for(&desk.served.closed, 1);
    desk.may_answer = 1;
    wait_for(&desk.released, 1);
    assert_int_equal(desk.was_closed, 1);
    rpc_channel_free(channel);
    rpc_server_stop(desk.server, 30000);
    worker_free(desk.worker);
    loop_free(seen.loop);
}

static void *answer_later(void *arg)
{
    struct desk *desk = arg;
    usleep(50000);
    desk->may_answer = 1;
    return NULL;
}

static void a_stop_waits_for_held_calls(void **state)
{
    (void)state;
    struct desk desk = {0};
    struct rpc_channel *channel;
    desk_start(&desk, &channel);
    struct seen seen = {.loop = loop_new()};
    seen_open(&seen, channel, "/test/Desk");
    rpc_stream_send(seen.stream, (const uint8_t *)"x", 1);
    wait_for(&desk.served.messages, 1);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, answer_later, &desk), 0);
    rpc_server_stop(desk.server, 0);
    assert_int_equal(desk.released, 1);
    assert_int_equal(desk.served.closed, 1);
    pthread_join(thread, NULL);
    seen_run_to_the_end(&seen);
    rpc_channel_free(channel);
    worker_free(desk.worker);
    loop_free(seen.loop);
}

/* ----- stopping ----- */

static void finish_last(void *arg)
{
    struct served *served = arg;
    rpc_call_finish(served->last, RPC_UNAVAILABLE, "going down");
}

static void a_stop_lets_calls_finish(void **state)
{
    (void)state;
    struct pair pair;
    pair_start(&pair);
    struct seen seen = {.loop = loop_new(), .keep_asking = 1};
    seen_open(&seen, pair.channel, "/test/Echo");
    rpc_stream_read(seen.stream);
    rpc_stream_send(seen.stream, (const uint8_t *)"x", 1);
    wait_for(&pair.served.messages, 1);
    rpc_server_post(pair.server, finish_last, &pair.served);
    rpc_server_stop(pair.server, 30000);
    assert_int_equal(pair.served.closed, 1);
    seen_run_to_the_end(&seen);
    assert_int_equal(seen.messages, 1);
    assert_int_equal(seen.code, RPC_UNAVAILABLE);
    assert_non_null(strstr(seen.text, "going down"));
    rpc_channel_free(pair.channel);
    loop_free(seen.loop);
}

static void a_stop_cancels_what_does_not_finish(void **state)
{
    (void)state;
    enum { STREAMS = 20 };
    struct pair pair;
    pair_start(&pair);
    struct loop *loop = loop_new();
    struct seen seen[STREAMS];
    for (int i = 0; i < STREAMS; i++) {
        seen[i] = (struct seen){.loop = loop, .keep_asking = 1};
        seen_open(&seen[i], pair.channel, i % 2 ? "/test/Echo" : "/test/Silent");
        rpc_stream_read(seen[i].stream);
    }
    wait_for(&pair.served.opened, STREAMS);
    rpc_server_stop(pair.server, 20);
    assert_int_equal(pair.served.closed, STREAMS);
    for (int i = 0; i < STREAMS; i++) {
        seen_run_to_the_end(&seen[i]);
        assert_int_not_equal(seen[i].code, RPC_OK);
        assert_int_equal(seen[i].closed, 1);
    }
    rpc_channel_free(pair.channel);
    loop_free(loop);
}

static void an_idle_server_stops(void **state)
{
    (void)state;
    struct served served = {0};
    for (int i = 0; i < 20; i++) {
        rpc_server_stop(scene_start_plain(&served), i % 2 ? 0 : 30000);
        struct pair pair;
        pair_start(&pair);
        char answer[WHY_CAPACITY];
        assert_int_equal(scene_call(pair.channel, "/test/Answer", "x", answer), STATUS_OK);
        rpc_server_stop(pair.server, 30000); /* the connection is still there */
        rpc_channel_free(pair.channel);
    }
    rpc_server_stop(NULL, 0);
}

/* A stop does not spend its grace on a connection without calls. */
static void a_stop_drops_silent_connections(void **state)
{
    (void)state;
    struct served served = {0};
    struct rpc_server *server = scene_start_plain(&served);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)rpc_server_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    /* A connection preface and empty settings; it will never acknowledge anything. */
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
    assert_int_equal(send(fd, preface, sizeof(preface), MSG_NOSIGNAL), sizeof(preface));
    struct rpc_channel *channel = scene_connect_port(rpc_server_port(server));
    char answer[WHY_CAPACITY];
    assert_int_equal(scene_call(channel, "/test/Answer", "x", answer), STATUS_OK);
    rpc_server_stop(server, 3000000); /* much longer than a test may take */
    rpc_channel_free(channel);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posts_of_each_thread_run_in_order),
        cmocka_unit_test(a_held_call_outlives_its_end),
        cmocka_unit_test(a_stop_waits_for_held_calls),
        cmocka_unit_test(a_stop_lets_calls_finish),
        cmocka_unit_test(a_stop_cancels_what_does_not_finish),
        cmocka_unit_test(an_idle_server_stops),
        cmocka_unit_test(a_stop_drops_silent_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
