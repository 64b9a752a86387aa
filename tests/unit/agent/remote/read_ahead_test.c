#include "read_ahead.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "attributes.h"

/* Private memory BASE..END, of which all but the last page is present; CONSTANT is readable and
 * nobody's private memory. */
#define BASE UINT64_C(0x10000)
#define PRESENT_END UINT64_C(0x12000)
#define END UINT64_C(0x13000)
#define CONSTANT UINT64_C(0x20000)

struct scene {
    uint8_t bytes[3 * REMOTE_PAGE_BYTES];
    struct remote_region region;
    struct remote_range ranges[2];
    struct remote_image image;
    struct remote *remote;
    struct remote_regions regions;
    struct present_map present;
    struct read_ahead *ahead;
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    for (size_t i = 0; i < sizeof(scene->bytes); i++)
        scene->bytes[i] = (uint8_t)(i * 7 + i / 256);
    scene->region = (struct remote_region){BASE, END, 0};
    scene->ranges[0] = (struct remote_range){BASE, PRESENT_END};
    scene->ranges[1] = (struct remote_range){CONSTANT, CONSTANT + REMOTE_PAGE_BYTES};
    scene->image = (struct remote_image){.regions = &scene->region,
                                         .region_count = 1,
                                         .present = scene->ranges,
                                         .present_count = 2,
                                         .bytes = scene->bytes};
    scene->remote = remote_open_image(&scene->image);
    assert_int_equal(remote_regions(scene->remote, &scene->regions, NULL), STATUS_OK);
    present_map_init(&scene->present, scene->remote, &scene->regions);
    assert_int_equal(present_map_fill(&scene->present, 0), 1);
    scene->ahead = read_ahead_new(&scene->present);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    read_ahead_free(scene->ahead);
    present_map_done(&scene->present);
    remote_regions_done(&scene->regions);
    remote_close(scene->remote);
    free(scene);
    return 0;
}

/* What lies at `at`, by the image. */
static const uint8_t *truth(const struct scene *scene, addr_t at)
{
    return scene->bytes + (at < CONSTANT ? at - BASE : PRESENT_END - BASE + (at - CONSTANT));
}

static void expect(struct scene *scene, addr_t at, size_t offset, size_t size)
{
    uint8_t got[512];
    assert_int_equal(read_ahead_read(scene->ahead, at, offset, got, size), 1);
    assert_memory_equal(got, truth(scene, at + offset), size);
}

static void reads_what_was_fetched_and_what_was_not(void **state)
{
    struct scene *scene = *state;
    read_ahead_want(scene->ahead, BASE + 8, 100, 0);
    read_ahead_want(scene->ahead, CONSTANT + 40, 60, 0);
    read_ahead_want(scene->ahead, BASE + 8, 100, 0); /* again */
    assert_int_equal(scene->ahead->count, 2);
    assert_null(read_ahead_find(scene->ahead, BASE + 8, 1)); /* not yet */
    read_ahead_fetch(scene->ahead);
    assert_int_equal(scene->ahead->read_bytes, 160);
    expect(scene, BASE + 8, 0, 100);
    expect(scene, BASE + 8, 30, 70);
    expect(scene, CONSTANT + 40, 0, 60);
    assert_int_equal(scene->ahead->read_bytes, 160);
    expect(scene, BASE + 8, 30, 71); /* more than was wanted */
    expect(scene, BASE + 9, 0, 10);  /* nobody wanted it */
    assert_int_equal(scene->ahead->read_bytes, 241);
}

static void goes_on_behind_what_cannot_be_read(void **state)
{
    struct scene *scene = *state;
    read_ahead_want(scene->ahead, 0x70000, 8, 0); /* nowhere */
    read_ahead_want(scene->ahead, BASE, 8, 0);
    read_ahead_want(scene->ahead, CONSTANT + REMOTE_PAGE_BYTES - 4, 8, 0); /* half */
    read_ahead_want(scene->ahead, BASE + 100, 8, 0);
    read_ahead_fetch(scene->ahead);
    assert_null(read_ahead_find(scene->ahead, 0x70000, 1));
    assert_null(read_ahead_find(scene->ahead, CONSTANT + REMOTE_PAGE_BYTES - 4, 1));
    expect(scene, BASE, 0, 8);
    assert_non_null(read_ahead_find(scene->ahead, BASE + 100, 8));
    expect(scene, BASE + 100, 0, 8);
}

static void makes_nothing_present(void **state)
{
    struct scene *scene = *state;
    uint8_t got[16];
    read_ahead_want(scene->ahead, PRESENT_END, 8, 0);
    read_ahead_want(scene->ahead, PRESENT_END - 8, 16, 0);
    assert_int_equal(scene->ahead->count, 0);
    read_ahead_want(scene->ahead, PRESENT_END - 8, 16, 1); /* as far as the page goes */
    assert_int_equal(scene->ahead->places[0].size, 8);
    assert_int_equal(read_ahead_read(scene->ahead, PRESENT_END, 0, got, 8), 0);
    assert_int_equal(read_ahead_read(scene->ahead, BASE, PRESENT_END - BASE - 4, got, 8), 0);
    assert_int_equal(read_ahead_read(scene->ahead, UINT64_MAX - 4, 0, got, 16), 0);
    read_ahead_want(scene->ahead, BASE, 16, 0);
    read_ahead_fetch(scene->ahead);
    assert_int_equal(read_ahead_read(scene->ahead, BASE, SIZE_MAX - 4, got, 16), 0);
}

static void is_bounded(void **state)
{
    struct scene *scene = *state;
    for (addr_t i = 0; i < 2 * READ_AHEAD_PLACES; i++)
        read_ahead_want(scene->ahead, BASE + i, 1, 0);
    assert_int_equal(scene->ahead->count, READ_AHEAD_PLACES);
    read_ahead_fetch(scene->ahead);
    expect(scene, BASE + READ_AHEAD_PLACES - 1, 0, 1);
    expect(scene, BASE + READ_AHEAD_PLACES, 0, 1);
    read_ahead_clear(scene->ahead);
    for (addr_t i = 0; i < 100; i++)
        read_ahead_want(scene->ahead, BASE + i, 4000, 0);
    assert_true(scene->ahead->used <= READ_AHEAD_BYTES);
    read_ahead_fetch(scene->ahead);
    expect(scene, BASE + 3, 10, 400);
    expect(scene, BASE + 99, 10, 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_what_was_fetched_and_what_was_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(goes_on_behind_what_cannot_be_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(makes_nothing_present, set_up, tear_down),
        cmocka_unit_test_setup_teardown(is_bounded, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
