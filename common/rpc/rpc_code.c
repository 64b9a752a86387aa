#include "rpc_code.h"

#include <stddef.h>

#include "attributes.h"

static const struct code_row {
    const char *name;
    enum status status; /* what a client makes of it */
} codes[] = {
    [RPC_OK] = {"OK", STATUS_OK},
    [RPC_CANCELLED] = {"CANCELLED", STATUS_CANCELED},
    [RPC_UNKNOWN] = {"UNKNOWN", STATUS_FAILED},
    [RPC_INVALID_ARGUMENT] = {"INVALID_ARGUMENT", STATUS_INVALID},
    [RPC_DEADLINE_EXCEEDED] = {"DEADLINE_EXCEEDED", STATUS_UNAVAILABLE},
    [RPC_NOT_FOUND] = {"NOT_FOUND", STATUS_NOT_FOUND},
    [RPC_ALREADY_EXISTS] = {"ALREADY_EXISTS", STATUS_CONFLICT},
    [RPC_PERMISSION_DENIED] = {"PERMISSION_DENIED", STATUS_DENIED},
    [RPC_RESOURCE_EXHAUSTED] = {"RESOURCE_EXHAUSTED", STATUS_LIMIT},
    [RPC_FAILED_PRECONDITION] = {"FAILED_PRECONDITION", STATUS_FAILED},
    [RPC_ABORTED] = {"ABORTED", STATUS_CONFLICT},
    [RPC_OUT_OF_RANGE] = {"OUT_OF_RANGE", STATUS_INVALID},
    [RPC_UNIMPLEMENTED] = {"UNIMPLEMENTED", STATUS_UNSUPPORTED},
    [RPC_INTERNAL] = {"INTERNAL", STATUS_FAILED},
    [RPC_UNAVAILABLE] = {"UNAVAILABLE", STATUS_UNAVAILABLE},
    [RPC_DATA_LOSS] = {"DATA_LOSS", STATUS_FAILED},
    [RPC_UNAUTHENTICATED] = {"UNAUTHENTICATED", STATUS_DENIED},
};

/* What a server answers. A partial result is an answer, and says itself that it is partial. */
static const enum rpc_code code_of[] = {
    [STATUS_OK] = RPC_OK,
    [STATUS_USAGE] = RPC_INVALID_ARGUMENT,
    [STATUS_INVALID] = RPC_INVALID_ARGUMENT,
    [STATUS_LIMIT] = RPC_RESOURCE_EXHAUSTED,
    [STATUS_NOT_FOUND] = RPC_NOT_FOUND,
    [STATUS_GONE] = RPC_NOT_FOUND,
    [STATUS_DENIED] = RPC_PERMISSION_DENIED,
    [STATUS_UNSUPPORTED] = RPC_UNIMPLEMENTED,
    [STATUS_PARTIAL] = RPC_OK,
    [STATUS_UNAVAILABLE] = RPC_UNAVAILABLE,
    [STATUS_CONFLICT] = RPC_ABORTED,
    [STATUS_CANCELED] = RPC_CANCELLED,
    [STATUS_FAILED] = RPC_INTERNAL,
};

/* Unknown numbers come from outside: a peer may send any. */
static const struct code_row *row_of(int code)
{
    if (code < 0 || (size_t)code >= ARRAY_SIZE(codes))
        return &codes[RPC_UNKNOWN];
    return &codes[code];
}

const char *rpc_code_name(int code)
{
    return row_of(code)->name;
}

enum rpc_code rpc_code_of_status(enum status status)
{
    ASSERT((size_t)status < ARRAY_SIZE(code_of));
    return code_of[status];
}

enum status rpc_status_of_code(int code)
{
    return row_of(code)->status;
}
