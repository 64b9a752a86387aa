#include "measure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "attributes.h"
#include "remote_ops.h"

/* A page with forbidden ground on both sides, and an object of any kind at either end of it. */
struct scene {
    uint8_t *pages;
    struct remote_image image;
    struct remote_regions regions;
    struct present_map present;
    struct type_entry entry;
    struct type_facts facts;
    struct type_table types;
    struct late_sizes *late;
    struct sweep sweep;
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    size_t page = REMOTE_PAGE_BYTES;
    scene->pages = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(scene->pages, MAP_FAILED);
    assert_int_equal(mprotect(scene->pages + page, page, PROT_READ | PROT_WRITE), 0);
    present_map_init(&scene->present, remote_open_image(&scene->image), &scene->regions);
    scene->types = (struct type_table){
        .entries = &scene->entry, .facts = &scene->facts, .present = &scene->present};
    scene->late = late_sizes_new(&scene->types, &scene->present);
    scene->sweep = (struct sweep){
        .types = &scene->types, .present = &scene->present, .late = scene->late, .chunk = NULL};
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    late_sizes_free(scene->late);
    remote_close(scene->present.remote);
    munmap(scene->pages, (size_t)3 * REMOTE_PAGE_BYTES);
    free(scene);
    return 0;
}

/* Both ends of the page, filled with `fill`. */
static void measure_at_the_ends(struct scene *scene, uint8_t fill)
{
    uint8_t *page = scene->pages + REMOTE_PAGE_BYTES;
    const uint8_t *const places[] = {page + SWEEP_LEAD_BYTES,
                                     page + REMOTE_PAGE_BYTES - SWEEP_AHEAD_BYTES};
    memset(page, fill, REMOTE_PAGE_BYTES);
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        struct object object = {
            .at = UINT64_C(0x7f0000001000), .bytes = places[i], .entry = &scene->entry};
        (void)!measure_object(&scene->sweep, &object);
        (void)!measure_values(&scene->sweep, &object);
        scene->late->count = 0;
    }
}

/* The name of a type decides its kind, but anybody may call a class "_pickle.Pickler". */
static void a_kind_of_any_size_is_measured_within_bounds(void **state)
{
    static const uint8_t fills[] = {0, 1, 0x7f, 0xff};
    struct scene *scene = *state;
    for (uint32_t version = 8; version <= 15; version++) {
        const struct cpython_layout *layout = cpython_layout_find(0x030000f0 | version << 16);
        assert_non_null(layout);
        scene->types.layout = scene->sweep.layout = layout;
        for (int kind = KIND_PLAIN; kind <= KIND_QUEUE; kind++) {
            for (uint32_t size = OBJECT_BYTES; size < 400; size++) {
                scene->entry = (struct type_entry){
                    .basic_size = size, .root_size = size, .kind = (uint8_t)kind};
                for (size_t i = 0; i < ARRAY_SIZE(fills); i++)
                    measure_at_the_ends(scene, fills[i]);
            }
        }
    }
}

/* ---- what is not present --------------------------------------------------------------------- */

static size_t gathered;

static size_t gather(struct remote *remote, const struct remote_range *ranges, size_t count,
                     void *to)
{
    (void)remote;
    gathered += count;
    memset(to, 1, (size_t)(ranges[0].end - ranges[0].start));
    return (size_t)(ranges[0].end - ranges[0].start);
}

static size_t quietly;

static enum status quiet(struct remote *remote, struct remote_range range, void *to, int as_linked)
{
    (void)remote, (void)as_linked;
    quietly++;
    memset(to, 1, (size_t)(range.end - range.start));
    return STATUS_OK;
}

static size_t none_present(struct remote *remote, addr_t start, addr_t end,
                           struct remote_range *ret, size_t capacity, addr_t *ret_next,
                           int with_file_pages)
{
    (void)remote, (void)start, (void)ret, (void)capacity, (void)with_file_pages;
    *ret_next = end;
    return 0;
}

/* The description of an array lies in constant data; a false one must not fault a page in. */
static void an_array_reads_no_page_that_is_not_present(void **state)
{
    (void)state;
    static const struct remote_ops ops = {
        .gather = gather, .quiet = quiet, .present = none_present};
    struct remote remote = {.ops = &ops};
    struct remote_region region = {0x7f0000000000, 0x7f0000100000, 0};
    const struct remote_regions regions = {.items = &region, .count = 1};
    struct present_map present;
    present_map_init(&present, &remote, &regions);
    struct late_sizes *late = late_sizes_new(NULL, &present);
    assert_int_equal(late_array_bytes(late, region.start + 0x5008, 10), 0);
    assert_int_equal(gathered, 0);
    assert_int_equal(late_array_bytes(late, region.end + 0x5010, 10), 0);
    assert_int_equal(quietly, 1);
    assert_int_equal(gathered, 0);
    late_sizes_free(late);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_kind_of_any_size_is_measured_within_bounds, set_up,
                                        tear_down),
        cmocka_unit_test(an_array_reads_no_page_that_is_not_present),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
