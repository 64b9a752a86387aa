#include "reflection.h"

#include <string.h>

#include "arena.h"
#include "descriptor_set.h"
#include "descriptors.h"
#include "reflection.pb-c.h"
#include "wire.h"

enum {
    REQUEST_BYTES_MAX = 64 * 1024, /* unpacked */
    UNSENT_BYTES_MAX = 1 << 20,
    SERVICES_MAX = 16,
};

typedef Grpc__Reflection__V1alpha__ServerReflectionRequest request_t;
typedef Grpc__Reflection__V1alpha__ServerReflectionResponse response_t;
typedef Grpc__Reflection__V1alpha__ServiceResponse service_t;

/* An answer while it is made. */
struct answer {
    response_t response;
    Grpc__Reflection__V1alpha__FileDescriptorResponse files;
    Grpc__Reflection__V1alpha__ListServiceResponse list;
    Grpc__Reflection__V1alpha__ErrorResponse error;
    ProtobufCBinaryData file;
    service_t services[SERVICES_MAX];
    service_t *service_list[SERVICES_MAX];
    struct arena *arena;
};

static struct descriptors all(void)
{
    return (struct descriptors){descriptor_set, descriptor_set_size};
}

static void answer_error(struct answer *answer, enum rpc_code code, const char *text)
{
    answer->error.error_code = (int32_t)code;
    answer->error.error_message = (char *)text;
    answer->response.message_response_case =
        GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
    answer->response.error_response = &answer->error;
}

static void answer_file(struct answer *answer, int is_found, const struct descriptor_file *file)
{
    if (!is_found) {
        answer_error(answer, RPC_NOT_FOUND, "there is no such thing here");
        return;
    }
    answer->file = (ProtobufCBinaryData){.len = file->size, .data = (uint8_t *)file->data};
    answer->files.n_file_descriptor_proto = 1;
    answer->files.file_descriptor_proto = &answer->file;
    answer->response.message_response_case =
        GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
    answer->response.file_descriptor_response = &answer->files;
}

static void add_service(void *arg, const char *name)
{
    struct answer *answer = arg;
    size_t at = answer->list.n_service;
    ASSERT(at < SERVICES_MAX);
    answer->services[at] = (service_t)GRPC__REFLECTION__V1ALPHA__SERVICE_RESPONSE__INIT;
    answer->services[at].name = arena_strndup(answer->arena, name, strlen(name));
    ASSERT(answer->services[at].name != NULL);
    answer->service_list[at] = &answer->services[at];
    answer->list.n_service++;
}

static void answer_services(struct answer *answer)
{
    const struct descriptors set = all();
    answer->list.service = answer->service_list;
    descriptors_each_service(&set, add_service, answer);
    answer->response.message_response_case =
        GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
    answer->response.list_services_response = &answer->list;
}

static void answer_request(struct answer *answer, const request_t *request)
{
    const struct descriptors set = all();
    struct descriptor_file file = {0};
    switch (request->message_request_case) {
    case GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
        answer_services(answer);
        return;
    case GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
        answer_file(answer, descriptors_find_file(&set, request->file_by_filename, &file), &file);
        return;
    case GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
        answer_file(answer, descriptors_find_symbol(&set, request->file_containing_symbol, &file),
                    &file);
        return;
    default: /* extensions: there are none */
        answer_error(answer, RPC_NOT_FOUND, "there is no such thing here");
    }
}

static void send_answer(struct rpc_call *call, request_t *request, struct arena *arena)
{
    struct answer answer = {
        .response = GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_RESPONSE__INIT,
        .files = GRPC__REFLECTION__V1ALPHA__FILE_DESCRIPTOR_RESPONSE__INIT,
        .list = GRPC__REFLECTION__V1ALPHA__LIST_SERVICE_RESPONSE__INIT,
        .error = GRPC__REFLECTION__V1ALPHA__ERROR_RESPONSE__INIT,
        .arena = arena,
    };
    struct buf packed = BUF_INIT;
    answer.response.valid_host = request->host;
    answer.response.original_request = request;
    answer_request(&answer, request);
    wire_pack(&answer.response.base, &packed);
    rpc_call_send(call, packed.data, packed.size);
    buf_done(&packed);
}

static void opened(struct rpc_call *call)
{
    rpc_call_read(call);
}

static void message(struct rpc_call *call, const uint8_t *data, size_t size)
{
    struct arena arena;
    struct why why = {""};
    ProtobufCMessage *request = NULL;
    if (rpc_call_unsent_bytes(call) > UNSENT_BYTES_MAX) {
        rpc_call_abort(call, RPC_RESOURCE_EXHAUSTED, "the peer does not read");
        return;
    }
    arena_init(&arena, REQUEST_BYTES_MAX);
    enum status status =
        wire_unpack(&grpc__reflection__v1alpha__server_reflection_request__descriptor, data, size,
                    &arena, &request, &why);
    if (status == STATUS_OK) {
        send_answer(call, (request_t *)request, &arena);
        rpc_call_read(call);
    } else {
        rpc_call_finish(call, rpc_code_of_status(status), why.text);
    }
    arena_done(&arena);
}

static void half_closed(struct rpc_call *call)
{
    rpc_call_finish(call, RPC_OK, NULL);
}

void reflection_methods(struct rpc_method ret[REFLECTION_METHODS])
{
    static const char *const paths[REFLECTION_METHODS] = {
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"};
    for (size_t i = 0; i < REFLECTION_METHODS; i++)
        ret[i] = (struct rpc_method){
            .path = paths[i], .opened = opened, .message = message, .half_closed = half_closed};
}
