/* Status codes of gRPC (grpc/grpc, doc/statuscodes.md); the numbers are the protocol's. */
#ifndef COMMON_RPC_RPC_CODE_H
#define COMMON_RPC_RPC_CODE_H

#include "status.h"

enum rpc_code {
    RPC_OK = 0,
    RPC_CANCELLED = 1,
    RPC_UNKNOWN = 2,
    RPC_INVALID_ARGUMENT = 3,
    RPC_DEADLINE_EXCEEDED = 4,
    RPC_NOT_FOUND = 5,
    RPC_ALREADY_EXISTS = 6,
    RPC_PERMISSION_DENIED = 7,
    RPC_RESOURCE_EXHAUSTED = 8,
    RPC_FAILED_PRECONDITION = 9,
    RPC_ABORTED = 10,
    RPC_OUT_OF_RANGE = 11,
    RPC_UNIMPLEMENTED = 12,
    RPC_INTERNAL = 13,
    RPC_UNAVAILABLE = 14,
    RPC_DATA_LOSS = 15,
    RPC_UNAUTHENTICATED = 16,
};

/* "UNAVAILABLE"; "UNKNOWN" for a number that gRPC does not define. */
const char *rpc_code_name(int code);

enum rpc_code rpc_code_of_status(enum status status);
enum status rpc_status_of_code(int code);

#endif
