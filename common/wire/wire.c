#include "wire.h"

#include "utf8.h"

/* ---- memory --------------------------------------------------------------------------------- */

struct allocation {
    struct arena *arena;
    int refused; /* by the cap */
};

static void *allocate(void *user, size_t size)
{
    struct allocation *allocation = user;
    void *memory = arena_alloc(allocation->arena, size);
    if (memory == NULL)
        allocation->refused = 1;
    return memory;
}

static void keep(void *user, void *memory)
{
    (void)user;
    (void)memory;
}

/* ---- strings -------------------------------------------------------------------------------- */

static const char *bad_string(const ProtobufCMessage *message);

/* The element of a field at `at`: NULL when it is in order, or the name of the field that is not.
 */
static const char *bad_element(const ProtobufCFieldDescriptor *field, const void *at)
{
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *text = *(char *const *)at;
        return text != NULL && utf8_valid(text, strlen(text)) ? NULL : field->name;
    }
    const ProtobufCMessage *inner = *(ProtobufCMessage *const *)at;
    return inner == NULL ? NULL : bad_string(inner);
}

static const char *bad_field(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    const char *base = (const char *)message;
    const char *at = base + field->offset;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t count = *(const size_t *)(const void *)(base + field->quantifier_offset);
        void *const *elements = *(void *const *const *)(const void *)at;
        for (size_t i = 0; i < count; i++) {
            const char *bad = bad_element(field, &elements[i]);
            if (bad != NULL)
                return bad;
        }
        return NULL;
    }
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
        *(const uint32_t *)(const void *)(base + field->quantifier_offset) != field->id)
        return NULL;
    return bad_element(field, at);
}

/* Depth is that of the message types, which do not recurse. */
static const char *bad_string(const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        if (field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        const char *bad = bad_field(message, field);
        if (bad != NULL)
            return bad;
    }
    return NULL;
}

/* --------------------------------------------------------------------------------------------- */

enum status wire_unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes,
                        size_t size, struct arena *arena, ProtobufCMessage **ret, struct why *why)
{
    static const uint8_t nothing = 0;
    struct allocation allocation = {.arena = arena};
    ProtobufCAllocator allocator = {allocate, keep, &allocation};
    ProtobufCMessage *message =
        protobuf_c_message_unpack(descriptor, &allocator, size, size > 0 ? bytes : &nothing);
    if (message == NULL && allocation.refused)
        return why_fail(why, STATUS_LIMIT, "%s cannot be read: it takes more than %zu bytes",
                        descriptor->short_name, arena->cap_bytes);
    if (message == NULL)
        return why_fail(why, STATUS_INVALID, "%s cannot be read: it is not a protobuf message",
                        descriptor->short_name);
    const char *bad = bad_string(message);
    if (bad != NULL)
        return why_fail(why, STATUS_INVALID, "%s cannot be read: field %s is not UTF-8",
                        descriptor->short_name, bad);
    *ret = message;
    return STATUS_OK;
}

void wire_pack(const ProtobufCMessage *message, struct buf *ret)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    if (size == 0)
        return;
    buf_reserve(ret, size);
    size_t written = protobuf_c_message_pack(message, ret->data + ret->size);
    ASSERT(written == size);
    ret->size += size;
}
