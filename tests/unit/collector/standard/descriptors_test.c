#include "descriptors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "attributes.h"
#include "buf.h"
#include "descriptor_set.h"

static struct descriptors all(void)
{
    return (struct descriptors){descriptor_set, descriptor_set_size};
}

static void note(void *arg, const char *name)
{
    buf_printf(arg, "%s;", name);
}

static void the_services_are_listed(void **state)
{
    (void)state;
    const struct descriptors set = all();
    struct buf names = BUF_INIT;
    descriptors_each_service(&set, note, &names);
    assert_string_equal(buf_text(&names),
                        "heapfleet.v1.Ingest;heapfleet.v1.Query;heapfleet.v1.Admin;"
                        "grpc.health.v1.Health;grpc.reflection.v1alpha.ServerReflection;");
    buf_done(&names);
}

/* Each symbol leads to the very bytes of its file; what is only near to one, to none. */
static void symbols_lead_to_their_files(void **state)
{
    (void)state;
    static const struct {
        const char *symbol, *file; /* NULL: there is none */
    } rows[] = {
        {"heapfleet.v1.Ingest", "heapfleet/v1/ingest.proto"},
        {"heapfleet.v1.Ingest.Stream", "heapfleet/v1/ingest.proto"},
        {"heapfleet.v1.Snapshot", "heapfleet/v1/ingest.proto"},
        {"heapfleet.v1.EndReason", "heapfleet/v1/ingest.proto"},
        {"heapfleet.v1.Admin.MuteLeaks", "heapfleet/v1/query.proto"},
        {"grpc.health.v1.HealthCheckResponse.ServingStatus", "grpc/health/v1/health.proto"},
        {"heapfleet.v1", NULL},
        {"heapfleet.v1.", NULL},
        {"heapfleet.v1.Inges", NULL},
        {"heapfleet.v1.Ingest.", NULL},
        {"heapfleet.v1.Ingest.Stream.x", NULL},
        {"Ingest", NULL},
        {"", NULL},
    };
    const struct descriptors set = all();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct descriptor_file by_symbol = {0}, by_name = {0};
        int is_found = descriptors_find_symbol(&set, rows[i].symbol, &by_symbol);
        assert_int_equal(is_found, rows[i].file != NULL);
        if (!is_found)
            continue;
        assert_true(descriptors_find_file(&set, rows[i].file, &by_name));
        assert_ptr_equal(by_symbol.data, by_name.data);
        assert_int_equal(by_symbol.size, by_name.size);
    }
    struct descriptor_file file;
    assert_false(descriptors_find_file(&set, "heapfleet/v1/ingest.prot", &file));
    assert_false(descriptors_find_file(&set, "", &file));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_services_are_listed),
        cmocka_unit_test(symbols_lead_to_their_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
