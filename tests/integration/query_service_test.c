/* USES query store rpc wire */
/* The Query service as a peer sees it: several questions at once, and requests that are none. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "query.pb-c.h"
#include "query_scene.h"
#include "rpc_client.h"
#include "wire.h"

static struct query_scene scene;

static int start(void **state)
{
    (void)state;
    query_scene_start(&scene);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    query_scene_stop(&scene);
    return 0;
}

static enum status ask(const char *target, const char *method, const struct buf *request,
                       struct buf *ret, struct why *why)
{
    struct rpc_channel_options options = {.target = target};
    struct rpc_channel *channel = NULL;
    char path[64];
    (void)snprintf(path, sizeof(path), "/heapfleet.v1.Query/%s", method);
    enum status status = rpc_channel_new(&options, &channel, why);
    if (status == STATUS_OK)
        status = rpc_channel_call(channel, path, request, 20000, ret, why);
    rpc_channel_free(channel);
    return status;
}

/* ---- many at once --------------------------------------------------------------------------- */

enum { ASKERS = 8, QUESTIONS = 20 };

struct asker {
    long wrong;
    struct why why; /* of the last that was refused */
};

/* Of processes that have ended: whether one is still live goes by the clock, and these differ. */
static void *ask_often(void *arg)
{
    struct asker *asker = arg;
    for (int i = 0; i < QUESTIONS; i++) {
        Heapfleet__V1__ServiceRef ref = HEAPFLEET__V1__SERVICE_REF__INIT;
        ref.name = "shop";
        Heapfleet__V1__GetTopRequest request = HEAPFLEET__V1__GET_TOP_REQUEST__INIT;
        request.service = &ref;
        request.version = "v1";
        struct buf question = BUF_INIT;
        struct buf bytes = BUF_INIT;
        struct arena arena;
        arena_init(&arena, 1 << 20);
        ProtobufCMessage *message = NULL;
        wire_pack(&request.base, &question);
        if (ask(scene.target, "GetTop", &question, &bytes, &asker->why) != STATUS_OK ||
            wire_unpack(&heapfleet__v1__get_top_response__descriptor, bytes.data, bytes.size,
                        &arena, &message, &asker->why) != STATUS_OK) {
            asker->wrong++;
        } else {
            const Heapfleet__V1__GetTopResponse *answer = (const void *)message;
            asker->wrong += answer->n_types != SCENE_TYPES || answer->types[0]->count != 300000;
        }
        arena_done(&arena);
        buf_done(&question);
        buf_done(&bytes);
    }
    return NULL;
}

static void many_ask_at_once(void **state)
{
    (void)state;
    pthread_t threads[ASKERS];
    struct asker askers[ASKERS] = {0};
    for (int i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, &askers[i]), 0);
    for (int i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < ASKERS; i++) {
        if (askers[i].wrong > 0)
            fail_msg("%ld wrong: %s", askers[i].wrong, askers[i].why.text);
    }
}

/* ---- bad requests --------------------------------------------------------------------------- */

static void refuses(const char *method, const void *bytes, size_t size, enum status status,
                    const char *sentence)
{
    struct buf request = BUF_INIT;
    struct buf answer = BUF_INIT;
    struct why why = {0};
    buf_append(&request, bytes, size);
    assert_int_equal(ask(scene.target, method, &request, &answer, &why), status);
    assert_int_equal(answer.size, 0);
    if (strstr(why.text, sentence) == NULL)
        fail_msg("%s", why.text);
    buf_done(&request);
    buf_done(&answer);
}

static void requests_that_are_none(void **state)
{
    (void)state;
    refuses("ListServices", "\xff\xff\xff", 3, STATUS_INVALID, "is not a protobuf message");
    refuses("ListServices", "\x0a\x02\xc3\x28", 4, STATUS_INVALID,
            "field environment is not UTF-8");
    refuses("GetTop", "\x0a\x04\x0a\x02\xff\xff", 6, STATUS_INVALID, "field name is not UTF-8");
    refuses("DropAll", "", 0, STATUS_UNSUPPORTED, "");
    static char large[9000];
    memset(large, 'x', sizeof(large));
    static const uint8_t head[] = {0x0a, 0xa5, 0x46}; /* an environment of 8,997 bytes */
    memcpy(large, head, sizeof(head));
    refuses("ListServices", large, sizeof(large), STATUS_INVALID, "more than 8192 bytes");
    refuses("ListDeployments", "", 0, STATUS_INVALID, "names no service");
}

static void every_changed_byte(void **state)
{
    (void)state;
    Heapfleet__V1__ServiceRef ref = HEAPFLEET__V1__SERVICE_REF__INIT;
    ref.name = "shop";
    Heapfleet__V1__GetHistoryRequest request = HEAPFLEET__V1__GET_HISTORY_REQUEST__INIT;
    request.service = &ref;
    request.type = "dict";
    request.step_ms = 60000;
    request.from_ms = scene.now_ms - scene_hour_ms;
    struct buf question = BUF_INIT;
    wire_pack(&request.base, &question);
    struct rpc_channel_options options = {.target = scene.target};
    struct rpc_channel *channel = NULL;
    assert_int_equal(rpc_channel_new(&options, &channel, NULL), STATUS_OK);
    for (size_t i = 0; i < question.size; i++) {
        for (int bit = 0; bit < 8; bit++) {
            struct buf answer = BUF_INIT;
            question.data[i] ^= (uint8_t)(1 << bit);
            enum status status = rpc_channel_call(channel, "/heapfleet.v1.Query/GetHistory",
                                                  &question, 20000, &answer, NULL);
            assert_true(status == STATUS_OK || status == STATUS_INVALID ||
                        status == STATUS_NOT_FOUND);
            question.data[i] ^= (uint8_t)(1 << bit);
            buf_done(&answer);
        }
    }
    rpc_channel_free(channel);
    buf_done(&question);
}

/* ---- no database ---------------------------------------------------------------------------- */

static void a_database_that_is_away(void **state)
{
    (void)state;
    struct rpc_method methods[QUERY_METHODS];
    struct query_service *service =
        query_service_new("host=127.0.0.1 port=1 dbname=x connect_timeout=2");
    assert_int_equal(query_service_methods(service, methods, QUERY_METHODS), QUERY_METHODS);
    struct rpc_server *server = NULL;
    struct rpc_server_options options = {.listen = "127.0.0.1:0"};
    assert_int_equal(rpc_server_start(&options, methods, QUERY_METHODS, &server, NULL), STATUS_OK);
    char target[32];
    (void)snprintf(target, sizeof(target), "127.0.0.1:%d", rpc_server_port(server));
    struct buf request = BUF_INIT;
    struct buf answer = BUF_INIT;
    struct why why = {0};
    assert_int_equal(ask(target, "ListServices", &request, &answer, &why), STATUS_UNAVAILABLE);
    assert_non_null(strstr(why.text, "the collector is starting"));
    query_service_set_server(service, server);
    assert_int_equal(ask(target, "ListServices", &request, &answer, &why), STATUS_UNAVAILABLE);
    assert_null(strstr(why.text, "is starting"));
    rpc_server_stop(server, 1000);
    query_service_free(service);
    query_service_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_ask_at_once),
        cmocka_unit_test(requests_that_are_none),
        cmocka_unit_test(every_changed_byte),
        cmocka_unit_test(a_database_that_is_away),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
