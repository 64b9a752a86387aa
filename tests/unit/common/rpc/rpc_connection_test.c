#include "rpc_connection.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "rpc_accept.h"
#include "rpc_scene.h"

/* ----- a peer that speaks HTTP/2 by hand, and acknowledges no settings ----- */

enum { HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, END_HEADERS = 4 };

static void append_frame(struct buf *ret, uint8_t kind, uint8_t flags, uint32_t stream,
                         const void *payload, size_t size)
{
    const uint8_t head[9] = {(uint8_t)(size >> 16),
                             (uint8_t)(size >> 8),
                             (uint8_t)size,
                             kind,
                             flags,
                             (uint8_t)(stream >> 24),
                             (uint8_t)(stream >> 16),
                             (uint8_t)(stream >> 8),
                             (uint8_t)stream};
    buf_append(ret, head, sizeof(head));
    buf_append(ret, payload, size);
}

static void append_header(struct buf *ret, const char *name, const char *value)
{
    buf_append_byte(ret, 0);
    buf_append_byte(ret, (uint8_t)strlen(name));
    buf_append_text(ret, name);
    buf_append_byte(ret, (uint8_t)strlen(value));
    buf_append_text(ret, value);
}

static void append_call(struct buf *ret, uint32_t stream)
{
    struct buf headers = BUF_INIT;
    buf_append(&headers, "\x83\x86", 2); /* POST, http */
    append_header(&headers, ":path", "/test/Echo");
    append_header(&headers, ":authority", "x");
    append_header(&headers, "content-type", "application/grpc");
    append_header(&headers, "te", "trailers");
    append_frame(ret, HEADERS, END_HEADERS, stream, headers.data, headers.size);
    buf_done(&headers);
}

static int connect_raw(const struct rpc_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)rpc_server_port(server))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    const struct timeval patience = {.tv_sec = 20};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* Opens so many calls; 0: the server hung up meanwhile. */
static int send_calls(int fd, uint32_t count, int take_back)
{
    static const uint8_t cancel[4] = {0, 0, 0, 8};
    struct buf bytes = BUF_INIT;
    buf_append_text(&bytes, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    append_frame(&bytes, SETTINGS, 0, 0, "", 0);
    for (uint32_t i = 0; i < count; i++) {
        append_call(&bytes, 2 * i + 1);
        if (take_back)
            append_frame(&bytes, RST_STREAM, 0, 2 * i + 1, cancel, sizeof(cancel));
    }
    size_t sent = 0;
    while (sent < bytes.size) {
        ssize_t size = send(fd, bytes.data + sent, bytes.size - sent, MSG_NOSIGNAL);
        if (size <= 0)
            break;
        sent += (size_t)size;
    }
    int is_whole = sent == bytes.size;
    buf_done(&bytes);
    return is_whole;
}

/* ----- tests ----- */

static void calls_that_are_taken_back_cut_their_connection(void **state)
{
    (void)state;
    struct pair pair;
    pair_start(&pair);
    struct rpc_connection_counts before = rpc_connection_counts();
    uint64_t cut_before = rpc_accept_counts().cut;
    char answer[WHY_CAPACITY];
    assert_int_equal(scene_call(pair.channel, "/test/Answer", "x", answer), STATUS_OK);
    int fd = connect_raw(pair.server);
    (void)send_calls(fd, 100000, 1);
    uint8_t bytes[4096];
    while (recv(fd, bytes, sizeof(bytes), 0) > 0)
        ;
    close(fd);
    assert_int_equal(scene_call(pair.channel, "/test/Answer", "x", answer), STATUS_OK);
    struct rpc_connection_counts after = rpc_connection_counts();
    assert_int_equal(rpc_accept_counts().cut - cut_before, 1);
    assert_int_equal(after.used - before.used, 2);
    assert_true(after.too_fast > before.too_fast);
    pair_stop(&pair);
    assert_true(pair.served.opened <= 2 * 1024 + 2);
}

/* Far fewer than it may open. */
static void calls_that_say_nothing_cut_their_connection(void **state)
{
    (void)state;
    struct pair pair;
    pair_start(&pair);
    uint64_t cut_before = rpc_accept_counts().cut;
    int few = connect_raw(pair.server), many = connect_raw(pair.server);
    assert_true(send_calls(few, 100, 1));
    wait_for(&pair.served.closed, 100);
    assert_int_equal(rpc_accept_counts().cut, cut_before);
    (void)send_calls(many, 400, 1);
    uint8_t bytes[4096];
    while (recv(many, bytes, sizeof(bytes), 0) > 0)
        ;
    assert_int_equal(rpc_accept_counts().cut, cut_before + 1);
    close(few);
    close(many);
    pair_stop(&pair);
}

/* A peer that waits is never refused (rpc_server_test.c). */
static void who_does_not_wait_is_refused(void **state)
{
    (void)state;
    enum { MOST = 8, CALLS = 400 };
    struct served served = {0};
    struct rpc_server *server = scene_start(
        &(struct rpc_server_options){.listen = "127.0.0.1:0", .streams_max = MOST}, &served);
    struct rpc_connection_counts before = rpc_connection_counts();
    int fd = connect_raw(server);
    assert_true(send_calls(fd, CALLS, 0));
    struct rpc_connection_counts after = rpc_connection_counts();
    for (int i = 0; i < 10000 && after.too_many - before.too_many < CALLS - MOST - 64; i++) {
        usleep(1000);
        after = rpc_connection_counts();
    }
    assert_in_range(after.too_many - before.too_many, CALLS - MOST - 64, CALLS - MOST);
    assert_true(after.full > before.full);
    assert_int_equal(after.too_fast, before.too_fast);
    assert_in_range(served.opened, MOST, MOST + 64);
    close(fd);
    rpc_server_stop(server, 0);
    assert_int_equal(served.closed, served.opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_that_are_taken_back_cut_their_connection),
        cmocka_unit_test(calls_that_say_nothing_cut_their_connection),
        cmocka_unit_test(who_does_not_wait_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
