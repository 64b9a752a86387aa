#include "rpc_bytes.h"

#include <grpc/byte_buffer_reader.h>
#include <stdlib.h>

#include "attributes.h"

struct rpc_waiting {
    struct rpc_waiting *next;
    grpc_byte_buffer *message;
    size_t size;
};

grpc_slice rpc_bytes_join(grpc_byte_buffer *message)
{
    grpc_byte_buffer_reader reader;
    ASSERT(grpc_byte_buffer_reader_init(&reader, message));
    grpc_slice *piece;
    grpc_slice whole;
    /* Most messages are one piece: no copy. */
    if (grpc_byte_buffer_reader_peek(&reader, &piece) &&
        GRPC_SLICE_LENGTH(*piece) == grpc_byte_buffer_length(message)) {
        whole = grpc_slice_ref(*piece);
    } else {
        grpc_byte_buffer_reader_destroy(&reader);
        ASSERT(grpc_byte_buffer_reader_init(&reader, message));
        whole = grpc_byte_buffer_reader_readall(&reader);
    }
    grpc_byte_buffer_reader_destroy(&reader);
    return whole;
}

grpc_byte_buffer *rpc_bytes_new(const uint8_t *data, size_t size)
{
    grpc_slice slice = grpc_slice_from_copied_buffer((const char *)data, size);
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return message;
}

void rpc_outbox_push(struct rpc_outbox *outbox, const uint8_t *data, size_t size)
{
    struct rpc_waiting *waiting = malloc(sizeof(*waiting));
    ASSERT(waiting != NULL);
    *waiting = (struct rpc_waiting){.message = rpc_bytes_new(data, size), .size = size};
    if (outbox->last != NULL)
        outbox->last->next = waiting;
    else
        outbox->first = waiting;
    outbox->last = waiting;
    outbox->bytes += size;
}

grpc_byte_buffer *rpc_outbox_first(struct rpc_outbox *outbox)
{
    return outbox->first == NULL ? NULL : outbox->first->message;
}

int rpc_outbox_holds_one(const struct rpc_outbox *outbox)
{
    return outbox->first != NULL && outbox->first == outbox->last;
}

void rpc_outbox_pop(struct rpc_outbox *outbox)
{
    struct rpc_waiting *waiting = outbox->first;
    outbox->first = waiting->next;
    if (outbox->first == NULL)
        outbox->last = NULL;
    outbox->bytes -= waiting->size;
    grpc_byte_buffer_destroy(waiting->message);
    free(waiting);
}

void rpc_outbox_clear(struct rpc_outbox *outbox)
{
    while (outbox->first != NULL)
        rpc_outbox_pop(outbox);
}
