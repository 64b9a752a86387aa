/* USES query wire common proto */ /* RUNS 200 */
/*
 * Questions: the first byte chooses one, the rest is its message, about a fleet in memory whose
 * processes come and go at all times of two days. Whatever is asked, the answer can be sent, is of
 * bounded size, and has texts that a client takes; a refusal is a sentence.
 */
#include "fake_glance.h"
#include "fuzz.h"
#include "query.h"
#include "wire.h"

enum { ARENA_BYTES = 16 << 20, PROCESSES = 40, SNAPSHOTS_A_PROCESS = 24 };

static const int64_t hour_ms = 3600000;
static const int64_t start_ms = 1795338000000;
static const int64_t now_ms = 1795338000000 + 48 * 3600000LL;

static const struct {
    const ProtobufCMessageDescriptor *request;
    query_answer_fn *answer;
} questions[] = {
    {&heapfleet__v1__list_services_request__descriptor, query_list_services},
    {&heapfleet__v1__list_deployments_request__descriptor, query_list_deployments},
    {&heapfleet__v1__get_top_request__descriptor, query_get_top},
    {&heapfleet__v1__get_history_request__descriptor, query_get_history},
    {&heapfleet__v1__compare_deployments_request__descriptor, query_compare_deployments},
    {&heapfleet__v1__list_leaks_request__descriptor, query_list_leaks},
    {&heapfleet__v1__get_leak_request__descriptor, query_get_leak},
    {&heapfleet__v1__list_instances_request__descriptor, query_list_instances},
    {&heapfleet__v1__get_growth_request__descriptor, query_get_growth},
};

/* Process i of version i % 5: lives one to six hours, snapshots at equal distances, types that
 * come; a tenth of the processes has never sent one. */
static void make_fleet(void)
{
    static char versions[5][8];
    static const char *const names[] = {"dict", "app.Order", "str", "app.\xc3\xa9\"t\n"};
    fake_reset();
    int shop = fake_service("shop", "prod", "");
    int twin = fake_service("shop", "test", "eu");
    (void)fake_service("idle", "prod", "");
    int deployments[5];
    for (int i = 0; i < 5; i++) {
        (void)snprintf(versions[i], sizeof(versions[i]), "v%d", i);
        deployments[i] = fake_deployment(i == 4 ? twin : shop, versions[i]);
    }
    for (int i = 0; i < PROCESSES; i++) {
        int64_t began_ms = start_ms + (int64_t)(i / 5) * 6 * hour_ms + i * 1237;
        int process = fake_instance(deployments[i % 5], began_ms, names[i % 4], names[(i + 1) % 4],
                                    names[(i + 2) % 4], NULL);
        int64_t step_ms = hour_ms * (1 + i % 6) / SNAPSHOTS_A_PROCESS;
        for (int k = 0; k < SNAPSHOTS_A_PROCESS && i % 10 != 9; k++) {
            uint64_t count = (uint64_t)i + (uint64_t)k * (uint64_t)(i % 3);
            struct type_value values[] = {{count, 48 * count}, {7, 700}, {count, INT64_MAX / 64}};
            fake_snapshot(process, began_ms + k * step_ms, k == 0 ? 2 : 3, values);
        }
        if (i % 7 != 0)
            fake.instances[process].ended_ms = began_ms + SNAPSHOTS_A_PROCESS * step_ms;
    }
}

/* What a client does first, which refuses texts that are not UTF-8. */
static void read_again(const ProtobufCMessage *response)
{
    struct buf packed = BUF_INIT;
    struct arena arena;
    ProtobufCMessage *again = NULL;
    wire_pack(response, &packed);
    arena_init(&arena, ARENA_BYTES);
    ASSERT(packed.size <= ARENA_BYTES / 4);
    ASSERT(wire_unpack(response->descriptor, packed.data, packed.size, &arena, &again, NULL) ==
           STATUS_OK);
    arena_done(&arena);
    buf_done(&packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    size_t which = fuzz_take_byte(&input) % ARRAY_SIZE(questions);
    int is_rolled_up = (fuzz_take_byte(&input) & 1) != 0;
    if (fake.service_count == 0)
        make_fleet();
    fake.rolled_until_ms = is_rolled_up ? start_ms + 30 * hour_ms : 0;
    struct arena arena;
    struct why why = {0};
    ProtobufCMessage *request = NULL;
    ProtobufCMessage *response = NULL;
    arena_init(&arena, ARENA_BYTES);
    struct query query = {.arena = &arena, .now_ms = now_ms};
    enum status status =
        wire_unpack(questions[which].request, input.data, input.size, &arena, &request, &why);
    if (status == STATUS_OK)
        status = questions[which].answer(&query, request, &response, &why);
    if (status == STATUS_OK)
        read_again(response);
    else
        ASSERT(*why.text != '\0' && fuzz_is_clean(why.text, strlen(why.text), ""));
    arena_done(&arena);
    return 0;
}
