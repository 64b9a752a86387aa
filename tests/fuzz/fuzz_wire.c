/* USES wire proto */
/*
 * The first byte chooses the type of the message and, by its top bit, a small arena. A message that
 * is taken is packed and taken again; its strings are UTF-8 all the way down.
 */
#include "fuzz.h"
#include "ingest.pb-c.h"
#include "query.pb-c.h"
#include "wire.h"

enum { SMALL_BYTES = 4096, LARGE_BYTES = 1 << 20 };

static const ProtobufCMessageDescriptor *const descriptors[] = {
    &heapfleet__v1__agent_message__descriptor,
    &heapfleet__v1__collector_message__descriptor,
    &heapfleet__v1__list_services_request__descriptor,
    &heapfleet__v1__list_services_response__descriptor,
    &heapfleet__v1__list_deployments_request__descriptor,
    &heapfleet__v1__list_deployments_response__descriptor,
    &heapfleet__v1__get_top_request__descriptor,
    &heapfleet__v1__get_top_response__descriptor,
    &heapfleet__v1__get_history_request__descriptor,
    &heapfleet__v1__get_history_response__descriptor,
    &heapfleet__v1__compare_deployments_request__descriptor,
    &heapfleet__v1__compare_deployments_response__descriptor,
    &heapfleet__v1__list_leaks_request__descriptor,
    &heapfleet__v1__list_leaks_response__descriptor,
};

/* Fields that we do not know are carried along, but protobuf-c takes some with a number that is not
 * allowed, which it then would refuse. We never send on what we have received. */
static void forget_unknown(ProtobufCMessage *message)
{
    message->n_unknown_fields = 0;
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        char *base = (char *)message;
        void *at = base + field->offset;
        void *quantifier = base + field->quantifier_offset;
        int in_oneof = (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
        if (field->type != PROTOBUF_C_TYPE_MESSAGE ||
            (in_oneof && *(uint32_t *)quantifier != field->id))
            continue;
        int repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
        ProtobufCMessage **inner = repeated ? *(ProtobufCMessage ***)at : at;
        size_t count = repeated ? *(size_t *)quantifier : 1;
        for (size_t k = 0; k < count; k++) {
            if (inner[k] != NULL)
                forget_unknown(inner[k]);
        }
    }
}

static void check_taken(ProtobufCMessage *message, struct arena *arena)
{
    struct buf first = BUF_INIT;
    struct buf second = BUF_INIT;
    ProtobufCMessage *again = NULL;
    forget_unknown(message);
    wire_pack(message, &first);
    ASSERT(wire_unpack(message->descriptor, first.data, first.size, arena, &again, NULL) ==
           STATUS_OK);
    wire_pack(again, &second);
    ASSERT(first.size == second.size);
    ASSERT(first.size == 0 || memcmp(first.data, second.data, first.size) == 0);
    buf_done(&first);
    buf_done(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    uint8_t choice = fuzz_take_byte(&input);
    struct arena arena;
    struct arena room; /* for the second time: as much again is always enough */
    arena_init(&arena, choice & 0x80 ? SMALL_BYTES : LARGE_BYTES);
    arena_init(&room, LARGE_BYTES);
    ProtobufCMessage *message = NULL;
    struct why why = {""};
    enum status status = wire_unpack(descriptors[(choice & 0x7f) % ARRAY_SIZE(descriptors)],
                                     input.data, input.size, &arena, &message, &why);
    ASSERT(status == STATUS_OK || status == STATUS_INVALID || status == STATUS_LIMIT);
    ASSERT((status == STATUS_OK) == (why.text[0] == '\0'));
    ASSERT(arena.used_bytes <= arena.cap_bytes);
    if (status == STATUS_OK)
        check_taken(message, &room);
    arena_done(&arena);
    arena_done(&room);
    return 0;
}
