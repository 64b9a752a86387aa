#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ingest.pb-c.h"

enum { CAP_BYTES = 65536, CAP_BYTES_MAX = 1048576 };

static enum status unpack(const struct buf *bytes, struct arena *arena,
                          Heapfleet__V1__AgentMessage **ret, struct why *why)
{
    ProtobufCMessage *message = NULL;
    enum status status = wire_unpack(&heapfleet__v1__agent_message__descriptor, bytes->data,
                                     bytes->size, arena, &message, why);
    if (status == STATUS_OK)
        *ret = (Heapfleet__V1__AgentMessage *)message;
    return status;
}

/* A message with a oneof, a string, a repeated message with strings. */
static void pack_process(struct buf *ret, char *service, char *attribute)
{
    Heapfleet__V1__Attribute pair = HEAPFLEET__V1__ATTRIBUTE__INIT;
    pair.key = "k";
    pair.value = attribute;
    Heapfleet__V1__Attribute *pairs[] = {&pair};
    Heapfleet__V1__ProcessStarted process = HEAPFLEET__V1__PROCESS_STARTED__INIT;
    process.service = service;
    process.pid = 17;
    process.attributes = pairs;
    process.n_attributes = 1;
    Heapfleet__V1__AgentMessage message = HEAPFLEET__V1__AGENT_MESSAGE__INIT;
    message.sequence = 5;
    message.body_case = HEAPFLEET__V1__AGENT_MESSAGE__BODY_PROCESS_STARTED;
    message.process_started = &process;
    wire_pack(&message.base, ret);
}

static void round_trip(void **state)
{
    (void)state;
    struct buf bytes = BUF_INIT;
    buf_append_byte(&bytes, 0); /* packing appends */
    pack_process(&bytes, "caf\xc3\xa9", "v");
    struct buf packed = {.data = bytes.data + 1, .size = bytes.size - 1};
    struct arena arena;
    arena_init(&arena, CAP_BYTES);
    Heapfleet__V1__AgentMessage *message = NULL;
    assert_int_equal(unpack(&packed, &arena, &message, NULL), STATUS_OK);
    if (message == NULL) /* for the analyser, which does not know that an assertion ends the test */
        return;
    buf_done(&bytes); /* what was unpacked does not depend on it */
    assert_int_equal(message->sequence, 5);
    assert_string_equal(message->process_started->service, "caf\xc3\xa9");
    assert_string_equal(message->process_started->host, "");
    assert_string_equal(message->process_started->attributes[0]->value, "v");
    arena_done(&arena);
}

static void nothing_is_the_empty_message(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, CAP_BYTES);
    struct buf bytes = BUF_INIT;
    Heapfleet__V1__AgentMessage *message = NULL;
    assert_int_equal(unpack(&bytes, &arena, &message, NULL), STATUS_OK);
    if (message == NULL)
        return;
    assert_int_equal(message->body_case, 0);
    wire_pack(&message->base, &bytes);
    assert_int_equal(bytes.size, 0);
    arena_done(&arena);
}

static void strings_must_be_utf8(void **state)
{
    (void)state;
    static char *const rows[][2] = {{"\xff", "v"}, {"s", "\xed\xa0\x80"}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct buf bytes = BUF_INIT;
        pack_process(&bytes, rows[i][0], rows[i][1]);
        struct arena arena;
        arena_init(&arena, CAP_BYTES);
        Heapfleet__V1__AgentMessage *message = NULL;
        struct why why = {0};
        assert_int_equal(unpack(&bytes, &arena, &message, &why), STATUS_INVALID);
        assert_null(message);
        assert_non_null(strstr(why.text, i == 0 ? "service" : "value"));
        arena_done(&arena);
        buf_done(&bytes);
    }
}

/* Every cap from none to enough: LIMIT, then OK, and nothing else. */
static void the_cap_is_a_limit(void **state)
{
    (void)state;
    struct buf bytes = BUF_INIT;
    pack_process(&bytes, "shop", "v");
    int fitted = 0;
    for (size_t cap = 0; cap < 4096; cap += 16) {
        struct arena arena;
        arena_init(&arena, cap);
        Heapfleet__V1__AgentMessage *message = NULL;
        enum status status = unpack(&bytes, &arena, &message, NULL);
        assert_int_equal(status, fitted || status == STATUS_OK ? STATUS_OK : STATUS_LIMIT);
        fitted = status == STATUS_OK;
        arena_done(&arena);
    }
    assert_true(fitted);
    buf_done(&bytes);
}

static void a_bomb_of_empty_submessages(void **state)
{
    (void)state;
    struct buf inner = BUF_INIT;
    for (int i = 0; i < 100000; i++)
        buf_append(&inner, "\x7a\x00", 2); /* ProcessStarted.attributes, empty */
    struct buf bytes = BUF_INIT;
    buf_append(&bytes, "\x1a\xc0\x9a\x0c", 4); /* process_started of 200,000 bytes */
    buf_append(&bytes, inner.data, inner.size);
    struct arena arena;
    arena_init(&arena, CAP_BYTES_MAX);
    Heapfleet__V1__AgentMessage *message = NULL;
    struct why why = {0};
    assert_int_equal(unpack(&bytes, &arena, &message, &why), STATUS_LIMIT);
    assert_in_range(arena.used_bytes, 0, CAP_BYTES_MAX);
    arena_done(&arena);
    buf_done(&inner);
    buf_done(&bytes);
}

static void every_cut_and_every_changed_byte(void **state)
{
    (void)state;
    struct buf bytes = BUF_INIT;
    pack_process(&bytes, "shop", "v");
    struct arena arena;
    arena_init(&arena, CAP_BYTES);
    for (size_t at = 0; at < bytes.size; at++) {
        uint8_t was = bytes.data[at];
        struct buf cut = {.data = bytes.data, .size = at};
        Heapfleet__V1__AgentMessage *message = NULL;
        for (unsigned byte = 0; byte <= 256; byte++) {
            bytes.data[at] = (uint8_t)byte;
            enum status status = unpack(byte == 256 ? &cut : &bytes, &arena, &message, NULL);
            assert_true(status == STATUS_OK || status == STATUS_INVALID || status == STATUS_LIMIT);
            arena_reset(&arena);
        }
        bytes.data[at] = was;
    }
    arena_done(&arena);
    buf_done(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(nothing_is_the_empty_message),
        cmocka_unit_test(strings_must_be_utf8),
        cmocka_unit_test(the_cap_is_a_limit),
        cmocka_unit_test(a_bomb_of_empty_submessages),
        cmocka_unit_test(every_cut_and_every_changed_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
