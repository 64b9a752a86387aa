#include "layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fake_heap.h"
#include "layout_check.h"
#include "object_kind.h"

static void finds_the_row_of_every_supported_release(void **state)
{
    (void)state;
    for (uint32_t minor = 0; minor < 32; minor++) {
        char name[8];
        snprintf(name, sizeof(name), "3.%u", minor);
        const struct cpython_layout *row = cpython_layout_find(0x03000ff0 | minor << 16);
        assert_int_equal(row != NULL, minor >= 8 && minor <= 15);
        if (row)
            assert_string_equal(row->name, name);
    }
    assert_null(cpython_layout_find(0x020712f0));
    assert_null(cpython_layout_find(0x030b00a1)); /* an alpha is no release */
    assert_null(cpython_layout_find(0x040000f0));
}

static void measures_subclasses_as_their_base(void **state)
{
    (void)state;
    assert_int_equal(object_kind_of("int", TYPE_INT, 4, KIND_PLAIN), KIND_INT);
    assert_int_equal(object_kind_of("bool", TYPE_INT, 4, KIND_INT), KIND_INT);
    assert_int_equal(object_kind_of("set", 0, 0, KIND_PLAIN), KIND_SET);
    assert_int_equal(object_kind_of("__main__.Tags", 0, 0, KIND_SET), KIND_SET);
    assert_int_equal(object_kind_of("collections.OrderedDict", TYPE_DICT_TYPE, 0, KIND_DICT),
                     KIND_ORDERED_DICT);
    assert_int_equal(object_kind_of("__main__.Cache", TYPE_DICT_TYPE, 0, KIND_ORDERED_DICT),
                     KIND_ORDERED_DICT);
    assert_int_equal(object_kind_of("tuple", TYPE_TUPLE, 8, KIND_PLAIN), KIND_VARIABLE);
    assert_int_equal(object_kind_of("__main__.set", 0, 0, KIND_PLAIN), KIND_PLAIN);
}

static enum status check(struct fake_heap *heap, char *ret_why, size_t size)
{
    const struct cpython_layout *layout;
    struct why why = {0};
    struct remote *remote = fake_heap_open(heap);
    enum status status = layout_check(remote, &heap->process, &layout, &why);
    remote_close(remote);
    snprintf(ret_why, size, "%s", why.text);
    return status;
}

static void accepts_what_fits_its_row(void **state)
{
    (void)state;
    struct fake_heap heap;
    char why[512];
    fake_heap_init(&heap);
    assert_int_equal(check(&heap, why, sizeof(why)), STATUS_OK);
    fake_heap_done(&heap);
}

/* Each lie about the process is refused with a word on what it is. */
static void refuses_what_does_not(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        uint32_t version_hex;
        int debug_build, free_threaded;
        int type_at, dict_at; /* put a wrong size there */
    } lies[] = {
        {": that Python is too old", 0x030712f0, 0, 0, 0, 0},
        {"; look for a newer heapfleet", 0x031000f0, 0, 0, 0, 0},
        {"debug build", 0x030b07f0, 1, 0, 0, 0},
        {"free-threaded", 0x030b07f0, 0, 1, 0, 0},
        {"laid out differently", 0x030c01f0, 0, 0, 0, 0}, /* 3.12 has larger types */
        {"laid out differently", 0x030b07f0, 0, 0, TYPE_BASIC_SIZE, 0},
        {"laid out differently", 0x030b07f0, 0, 0, OBJECT_TYPE, 0},
        {"laid out differently", 0x030b07f0, 0, 0, TYPE_FLAGS, 0},
        {"laid out differently", 0x030b07f0, 0, 0, TYPE_NAME, 0},
        {"laid out differently", 0x030b07f0, 0, 0, 0, TYPE_BASIC_SIZE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
        struct fake_heap heap;
        char why[512];
        fake_heap_init(&heap);
        heap.process.version_hex = lies[i].version_hex;
        heap.process.debug_build = lies[i].debug_build;
        heap.process.free_threaded = lies[i].free_threaded;
        addr_t dict = fake_type(&heap, "dict", 48, 0, TYPE_DICT_TYPE);
        heap.process.builtins[PYTHON_DICT] = dict;
        if (lies[i].type_at)
            fake_put(&heap, heap.type + (addr_t)lies[i].type_at, 8);
        if (lies[i].dict_at)
            fake_put(&heap, dict + (addr_t)lies[i].dict_at, 56);
        assert_int_equal(check(&heap, why, sizeof(why)), STATUS_UNSUPPORTED);
        assert_non_null(strstr(why, lies[i].word));
        fake_heap_done(&heap);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_row_of_every_supported_release),
        cmocka_unit_test(measures_subclasses_as_their_base),
        cmocka_unit_test(accepts_what_fits_its_row),
        cmocka_unit_test(refuses_what_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
