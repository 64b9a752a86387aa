#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rpc_scene.h"

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
    rpc_server_stop(server, 10000);
    assert_int_equal(served.opened, 101);
    assert_int_equal(served.closed, 101);
}

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
        bytes[2999] = (uint8_t)i;
        rpc_stream_send(seen.stream, bytes, (size_t)(3000 - i % 2));
    }
    rpc_stream_half_close(seen.stream);
    loop_run(seen.loop);
    assert_int_equal(seen.closed, 1);
    assert_int_equal(seen.code, RPC_OK);
    assert_string_equal(seen.text, "");
    assert_int_equal(seen.messages, 1000);
    assert_int_equal(seen.bytes, 500 * 3000 + 500 * 2999);
    rpc_channel_free(channel);
    rpc_server_stop(server, 10000);
    assert_int_equal(served.half_closed, 1);
    assert_int_equal(served.closed, 1);
    loop_free(seen.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_answered),
        cmocka_unit_test(a_stream_echoes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
