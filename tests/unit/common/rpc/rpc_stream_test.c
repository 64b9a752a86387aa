#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rpc_scene.h"

/* A question and the read of its answer go in one operation; what is no question waits for none. */
static void a_read_waits_for_a_question(void **state)
{
    (void)state;
    struct served served = {0};
    struct rpc_server *server = scene_start_plain(&served);
    struct rpc_channel *channel = scene_connect_port(rpc_server_port(server));
    struct seen seen = {.loop = loop_new(), .stop_at = 1};
    seen_open(&seen, channel, "/test/Echo");
    rpc_stream_read_with_question(seen.stream);
    rpc_stream_send(seen.stream, (const uint8_t *)"a", 1);
    while (seen.writable == 0)
        seen_run_for(&seen, 1);
    wait_for(&served.messages, 1);
    seen_run_for(&seen, 20);
    assert_int_equal(seen.messages, 0);

    rpc_stream_ask(seen.stream, (const uint8_t *)"b", 1);
    rpc_stream_send(seen.stream, (const uint8_t *)"c", 1); /* behind a question that goes alone */
    loop_run(seen.loop);
    assert_int_equal(seen.messages, 1);
    assert_int_equal(seen.last_byte, 'a'); /* it had lain there */

    seen.keep_asking = 1;
    seen.stop_at = 3;
    rpc_stream_read(seen.stream);
    loop_run(seen.loop);
    assert_int_equal(seen.last_byte, 'c');
    rpc_stream_half_close(seen.stream);
    seen_run_to_the_end(&seen);
    assert_int_equal(seen.code, RPC_OK);
    assert_int_equal(seen.messages, 3);
    rpc_channel_free(channel);
    rpc_server_stop(server, 30000);
    loop_free(seen.loop);
}

/* However a stream ends while a read waits for a question, or a question for its answer. */
static void a_waiting_read_holds_nothing_up(void **state)
{
    (void)state;
    enum { HALF_CLOSE, CANCEL, SERVER_ENDS, CANCEL_ASKED, WAYS };
    for (int way = 0; way < WAYS; way++) {
        struct served served = {0};
        struct rpc_server *server = scene_start_plain(&served);
        struct rpc_channel *channel = scene_connect_port(rpc_server_port(server));
        struct seen seen = {.loop = loop_new()};
        seen_open(&seen, channel, way == HALF_CLOSE ? "/test/Echo" : "/test/Silent");
        rpc_stream_read_with_question(seen.stream);
        if (way == CANCEL_ASKED)
            rpc_stream_ask(seen.stream, (const uint8_t *)"b", 1);
        wait_for(&served.opened, 1);
        if (way == HALF_CLOSE)
            rpc_stream_half_close(seen.stream);
        else if (way == SERVER_ENDS)
            rpc_server_stop(server, 0);
        else
            rpc_stream_cancel(seen.stream);
        seen_run_to_the_end(&seen);
        assert_int_equal(seen.closed, 1);
        assert_int_equal(seen.messages, 0);
        rpc_channel_free(channel);
        if (way != SERVER_ENDS)
            rpc_server_stop(server, 30000);
        loop_free(seen.loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_waits_for_a_question),
        cmocka_unit_test(a_waiting_read_holds_nothing_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
