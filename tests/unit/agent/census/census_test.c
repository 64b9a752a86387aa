/* A census of a heap whose every byte the test chose. */
#include "census.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "fake_heap.h"

#define OBJECTS (FAKE_BASE + FAKE_OBJECTS)

struct scene {
    struct fake_heap heap;
    addr_t of_int, of_str, of_list, of_dict, of_tuple, of_float;
    struct census *census;
    struct census_result result;
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    struct fake_heap *heap = &scene->heap;
    fake_heap_init(heap);
    scene->of_int = fake_type(heap, "int", 24, 4, TYPE_INT);
    scene->of_str = fake_type(heap, "str", 80, 0, TYPE_STR);
    scene->of_list = fake_type(heap, "list", 40, 0, TYPE_LIST | TYPE_HAS_GC);
    scene->of_dict = fake_type(heap, "dict", 48, 0, TYPE_DICT_TYPE | TYPE_HAS_GC);
    scene->of_tuple = fake_type(heap, "tuple", 24, 8, TYPE_TUPLE | TYPE_HAS_GC);
    scene->of_float = fake_type(heap, "float", 24, 0, 0);
    heap->process.builtins[PYTHON_STR] = scene->of_str;
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    census_free(scene->census);
    census_result_done(&scene->result);
    fake_heap_done(&scene->heap);
    free(scene);
    return 0;
}

static void run(struct scene *scene)
{
    struct why why = {0};
    if (!scene->census)
        assert_int_equal(census_new_over(fake_heap_open(&scene->heap), &scene->heap.process,
                                         &scene->census, &why),
                         STATUS_OK);
    assert_int_equal(census_run(scene->census, &scene->result, &why), STATUS_OK);
}

static struct type_value find(const struct scene *scene, const char *name)
{
    for (uint32_t i = 0; i < census_type_count(scene->census); i++) {
        if (strcmp(census_type_name(scene->census, i), name) == 0)
            return scene->result.values.values[i];
    }
    return (struct type_value){0};
}

static void expect(const struct scene *scene, const char *name, uint64_t count, uint64_t bytes)
{
    struct type_value value = find(scene, name);
    if (value.count != count || value.bytes != bytes)
        fail_msg("%s: %llu objects of %llu bytes, expected %llu of %llu", name,
                 (unsigned long long)value.count, (unsigned long long)value.bytes,
                 (unsigned long long)count, (unsigned long long)bytes);
}

static void put_float(struct scene *scene, addr_t at, uint64_t count)
{
    fake_object(&scene->heap, at, count, scene->of_float);
    fake_put(&scene->heap, at + 16, 0x3ff0000000000000);
}

/* An object with a GC head that a list of the collector holds. */
static void put_tracked(struct scene *scene, addr_t at, addr_t type)
{
    fake_put(&scene->heap, at - 16, at + 0x100);
    fake_put(&scene->heap, at - 8, at + 0x200);
    fake_object(&scene->heap, at, 1, type);
}

static void put_tuple(struct scene *scene, addr_t at, uint64_t items)
{
    put_tracked(scene, at, scene->of_tuple);
    fake_put(&scene->heap, at + 16, items);
}

static void counts_types_alone(void **state)
{
    run(*state);
    expect(*state, "type", 8, 8 * 408); /* static types have no GC head */
}

static void counts_objects_by_type(void **state)
{
    struct scene *scene = *state;
    for (uint64_t i = 0; i < 100; i++)
        put_float(scene, OBJECTS + i * 32, 1 + i);
    for (uint64_t i = 0; i < 50; i++)
        put_tuple(scene, OBJECTS + 0x4010 + i * 256, i % 8);
    run(scene);
    expect(scene, "float", 100, 100 * 24);
    expect(scene, "tuple", 50, 50 * (24 + 16) + 8 * (6 * (0 + 1 + 2 + 3 + 4 + 5 + 6 + 7) + 0 + 1));
    run(scene); /* again the same */
    expect(scene, "float", 100, 100 * 24);
}

static void measures_what_lies_elsewhere(void **state)
{
    struct scene *scene = *state;
    addr_t dict = OBJECTS + 0x10, keys = OBJECTS + 0x200000, list = OBJECTS + 0x110;
    put_tracked(scene, dict, scene->of_dict);
    fake_put(&scene->heap, dict + DICT_KEYS, keys); /* in another chunk */
    fake_put(&scene->heap, keys, 1);
    fake_put(&scene->heap, keys + 8, 0x010504); /* 16 slots, 32 bytes of them; names for keys */
    put_tracked(scene, list, scene->of_list);
    fake_put(&scene->heap, list + 16, 3);
    fake_put(&scene->heap, list + 32, 4);
    fake_object(&scene->heap, OBJECTS + 0x200, 1, scene->of_int);
    fake_put(&scene->heap, OBJECTS + 0x210, (uint64_t)-3);
    fake_object(&scene->heap, OBJECTS + 0x300, 1, scene->of_str);
    fake_put(&scene->heap, OBJECTS + 0x310, 5);
    fake_put(&scene->heap, OBJECTS + 0x320, 1 << 2 | 1 << 5 | 1 << 6 | 1 << 7);
    run(scene);
    expect(scene, "dict", 1, 48 + 16 + 32 + 32 + 10 * 16);
    expect(scene, "list", 1, 40 + 16 + 32);
    expect(scene, "int", 1, 36);
    expect(scene, "str", 1, 48 + 6);
}

static void leaves_out_what_is_dead(void **state)
{
    struct scene *scene = *state;
    put_float(scene, OBJECTS, 0);                   /* freed */
    put_float(scene, OBJECTS + 32, 0x7f0000123450); /* the allocator's link */
    put_tuple(scene, OBJECTS + 0x110, 2);           /* left behind by realloc: */
    fake_put(&scene->heap, OBJECTS + 0x108, 0);     /* a link, but no previous */
    put_tuple(scene, OBJECTS + 0x210, 2);           /* while a collection counts */
    fake_put(&scene->heap, OBJECTS + 0x208, 2);
    put_tuple(scene, OBJECTS + 0x410, 2); /* links that are digits of a freed int */
    fake_put(&scene->heap, OBJECTS + 0x400, 0x18);
    fake_put(&scene->heap, OBJECTS + 0x408, 0x23a94c673212f593);
    put_tuple(scene, OBJECTS + 0x310, 2); /* not tracked */
    fake_put(&scene->heap, OBJECTS + 0x300, 0);
    fake_put(&scene->heap, OBJECTS + 0x308, 0);
    run(scene);
    expect(scene, "float", 0, 0);
    expect(scene, "tuple", 2, 2 * (24 + 16 + 16));
}

static void jumps_over_what_lies_inside(void **state)
{
    struct scene *scene = *state;
    put_tuple(scene, OBJECTS + 0x10, 9);
    for (addr_t at = OBJECTS + 0x30; at + 16 <= OBJECTS + 0x10 + 24 + 72; at += 16)
        fake_object(&scene->heap, at, 1, scene->of_float);
    run(scene);
    expect(scene, "tuple", 1, 24 + 16 + 72);
    expect(scene, "float", 0, 0);
}

/* Sizes beyond all memory, and types that point to themselves or into nothing. */
static void believes_no_liar(void **state)
{
    struct scene *scene = *state;
    addr_t fake = OBJECTS + 0x8000;
    put_tuple(scene, OBJECTS + 0x10, UINT64_MAX / 16);
    put_tuple(scene, OBJECTS + 0x210, 1 << 18); /* larger than a block can be here */
    put_tracked(scene, OBJECTS + 0x410, scene->of_list);
    fake_put(&scene->heap, OBJECTS + 0x430, UINT64_MAX / 8);
    fake_object(&scene->heap, OBJECTS + 0x500, 1, fake);
    fake_object(&scene->heap, fake, 1, fake); /* its own type, but not `type` */
    fake_put(&scene->heap, fake + TYPE_BASIC_SIZE, 64);
    fake_put(&scene->heap, fake + TYPE_FLAGS, TYPE_READY | TYPE_TYPE);
    fake_object(&scene->heap, OBJECTS + 0x600, 1, 0x7fffffffff00);
    put_float(scene, OBJECTS + 0x700, 1);
    run(scene);
    expect(scene, "tuple", 0, 0);
    expect(scene, "list", 1, 40 + 16);
    expect(scene, "float", 1, 24);
    assert_int_equal(find(scene, "type").count, 8);
}

/* In a pool an object begins where a block does, or right behind a GC head there. */
static void looks_at_blocks_of_pools_only(void **state)
{
    struct scene *scene = *state;
    addr_t pool = FAKE_BASE + 0x40000;
    fake_put(&scene->heap, pool, 3);
    fake_put(&scene->heap, pool + 32, (uint64_t)3 << 32); /* blocks of 64 bytes */
    fake_put(&scene->heap, pool + 40, (uint64_t)(16384 - 64) << 32 | (48 + 4 * 64));
    put_float(scene, pool + 48, 1);
    put_float(scene, pool + 48 + 32, 1);       /* not at a begin */
    put_tuple(scene, pool + 48 + 64 + 16, 1);  /* 16 + 32 bytes */
    put_tuple(scene, pool + 48 + 128 + 16, 9); /* does not fit */
    put_float(scene, pool + 48 + 4 * 64, 1);   /* beyond what was ever in use */
    run(scene);
    expect(scene, "float", 1, 24);
    expect(scene, "tuple", 1, 16 + 24 + 8);
}

/* From 16 KiB on an object looks like a block, or begins where pages do, or has what such objects
 * have. */
static void looks_into_what_is_large(void **state)
{
    struct scene *scene = *state;
    addr_t true_one = OBJECTS + 0x210, false_one = OBJECTS + 0x40210, block = OBJECTS + 0x80210;
    put_tuple(scene, true_one, 4000); /* as in an allocator that we do not know */
    for (addr_t at = true_one + 24; at < true_one + 24 + 32000; at += 8)
        fake_put(&scene->heap, at, scene->of_float);
    put_tuple(scene, false_one, 4000); /* of zeros */
    put_tuple(scene, block, 4000);     /* of zeros, in a block of malloc */
    fake_put(&scene->heap, block - 24, 16 + 24 + 32000 + 8 + 1);
    run(scene);
    expect(scene, "tuple", 2, 2 * (16 + 24 + 32000));
}

/* The heads of generations may lie at any fourth byte of the interpreter's memory: in a module's
 * data or, of a sub-interpreter, in a block of malloc. */
static void knows_the_last_of_a_generation(void **state)
{
    struct scene *scene = *state;
    static const addr_t heads[] = {FAKE_BASE + FAKE_BYTES + 0x80004, FAKE_BASE + 0x80004};
    put_tracked(scene, OBJECTS + 0x210, scene->of_list);
    put_tracked(scene, OBJECTS + 0x310, scene->of_list);
    for (uint64_t is_memory = 0; is_memory < 2; is_memory++) {
        fake_put(&scene->heap, OBJECTS + 0x200, heads[is_memory]);
        fake_put(&scene->heap, OBJECTS + 0x308, heads[is_memory]);
        run(scene);
        expect(scene, "list", 2 * is_memory, 2 * is_memory * (16 + 40));
    }
}

static void finds_objects_on_the_seams_of_chunks(void **state)
{
    struct scene *scene = *state;
    uint64_t count = 0;
    for (addr_t seam = FAKE_BASE + 0x100000; seam < FAKE_BASE + FAKE_BYTES; seam += 0x100000) {
        for (addr_t at = seam - 0x200; at < seam + 0x200; at += 32, count++)
            put_float(scene, at, 1);
    }
    run(scene);
    expect(scene, "float", count, count * 24);
}

static void skips_what_is_not_present(void **state)
{
    struct scene *scene = *state;
    put_float(scene, OBJECTS, 1);
    scene->heap.present.start = FAKE_BASE;
    scene->heap.present.end = OBJECTS; /* types only */
    run(scene);
    expect(scene, "float", 0, 0);
    expect(scene, "type", 8, 8 * 408);
}

/* It may have been swapped out as a whole, and comes back. */
static void a_process_of_which_nothing_is_present_is_not_gone(void **state)
{
    struct scene *scene = *state;
    const addr_t end = scene->heap.present.end;
    struct why why = {0};
    run(scene);
    scene->heap.present.end = scene->heap.present.start;
    assert_int_equal(census_run(scene->census, &scene->result, &why), STATUS_UNAVAILABLE);
    assert_non_null(strstr(why.text, "swapped out"));
    scene->heap.present.end = end;
    run(scene);
    expect(scene, "type", 8, 8 * 408);
}

static void forgets_a_type_that_has_ended(void **state)
{
    struct scene *scene = *state;
    put_float(scene, OBJECTS, 1);
    run(scene);
    expect(scene, "float", 1, 24);
    uint32_t names = census_type_count(scene->census);
    fake_put(&scene->heap, scene->of_float + TYPE_NAME, fake_text(&scene->heap, "double"));
    run(scene);
    expect(scene, "float", 0, 0); /* the name stays, for the wire */
    expect(scene, "double", 1, 24);
    assert_int_equal(census_type_count(scene->census), names + 1);
}

/* Slice by slice, each as short as can be, comes to the same as all at once. */
static void counts_in_slices(void **state)
{
    struct scene *scene = *state;
    struct why why = {0};
    unsigned slices = 1;
    int more = 0;
    for (uint64_t i = 0; i < 100; i++)
        put_float(scene, OBJECTS + i * 32 * 1000, 1 + i);
    run(scene);
    uint64_t objects = scene->result.objects, bytes = scene->result.bytes;
    expect(scene, "float", 100, 100 * 24);
    for (int round = 0; round < 2; round++) {
        scene->result.objects = 0;
        assert_int_equal(census_slice(scene->census, 0, &scene->result, &more, &why), STATUS_OK);
        for (; more; slices++) {
            assert_int_equal(scene->result.objects, 0);
            assert_int_equal(census_slice(scene->census, 0, &scene->result, &more, &why),
                             STATUS_OK);
        }
        assert_true(slices > 2);
        assert_int_equal(scene->result.objects, objects);
        assert_int_equal(scene->result.bytes, bytes);
    }
    assert_int_equal(census_slice(scene->census, 0, &scene->result, &more, &why), STATUS_OK);
    assert_int_equal(more, 1); /* and one that is given up */
    run(scene);
    assert_int_equal(scene->result.objects, objects);
}

/* What a size lies in may be freed until the next slice, and be something else then. */
static void measures_within_the_slice(void **state)
{
    struct scene *scene = *state;
    struct why why = {0};
    addr_t dict = OBJECTS + 0x10, keys = OBJECTS + 0x200000;
    int more = 0;
    put_tracked(scene, dict, scene->of_dict);
    fake_put(&scene->heap, dict + DICT_KEYS, keys);
    fake_put(&scene->heap, keys, 1);
    fake_put(&scene->heap, keys + 8, 0x010504); /* 16 slots, 32 bytes of them; names for keys */
    run(scene);
    assert_int_equal(census_slice(scene->census, 0, &scene->result, &more, &why), STATUS_OK);
    assert_int_equal(more, 1);
    fake_put(&scene->heap, keys + 8, 0x010403);
    while (more)
        assert_int_equal(census_slice(scene->census, 0, &scene->result, &more, &why), STATUS_OK);
    expect(scene, "dict", 1, 48 + 16 + 32 + 32 + 10 * 16);
}

/* A heap of three mappings: that of a text, which moves, and the two that it stays between. */
struct moving {
    struct remote_region regions[3];
    struct remote_range present[3];
    struct remote_image image;
};

enum { TEXT_BYTES = 2 << 20, TAIL_BYTES = 4096, TEXT_AT = FAKE_BYTES - TEXT_BYTES - TAIL_BYTES };

static void map(struct moving *moving, size_t index, addr_t at, size_t size)
{
    moving->regions[index] = (struct remote_region){at, at + size, 0};
    moving->present[index] = (struct remote_range){at, at + size};
}

static void put_text(struct scene *scene, struct moving *moving, addr_t at)
{
    map(moving, 1, at, TEXT_BYTES);
    fake_object(&scene->heap, FAKE_BASE + TEXT_AT + 16, 1, scene->of_str);
    fake_put(&scene->heap, FAKE_BASE + TEXT_AT + 32, 2000000); /* characters */
    fake_put(&scene->heap, FAKE_BASE + TEXT_AT + 48, 0x64);    /* ASCII, in itself */
}

static void start_moving(struct scene *scene, struct moving *moving, addr_t at)
{
    struct why why = {0};
    map(moving, 0, FAKE_BASE, TEXT_AT);
    map(moving, 2, FAKE_BASE + ((addr_t)2 << 30), TAIL_BYTES);
    put_text(scene, moving, at);
    moving->image =
        (struct remote_image){moving->regions, 3, moving->present, 3, scene->heap.bytes};
    assert_int_equal(census_new_over(remote_open_image(&moving->image), &scene->heap.process,
                                     &scene->census, &why),
                     STATUS_OK);
}

/* Begins a census, lets the text move to `to`, and ends the census. */
static void move_within(struct scene *scene, struct moving *moving, addr_t to)
{
    struct why why = {0};
    int more = 0;
    assert_int_equal(census_slice(scene->census, 0, &scene->result, &more, &why), STATUS_OK);
    assert_int_equal(more, 1);
    put_text(scene, moving, to);
    while (more)
        assert_int_equal(census_slice(scene->census, 0, &scene->result, &more, &why), STATUS_OK);
}

static void finds_what_moves_meanwhile(void **state)
{
    struct scene *scene = *state;
    struct moving moving;
    const addr_t first = FAKE_BASE + ((addr_t)1 << 30), second = first + 2 * TEXT_BYTES;
    put_float(scene, OBJECTS, 1);
    start_moving(scene, &moving, first);
    run(scene);
    expect(scene, "str", 1, 2000049);
    move_within(scene, &moving, second);
    expect(scene, "str", 1, 2000049);
    move_within(scene, &moving, first - TEXT_BYTES); /* to the other side */
    expect(scene, "str", 1, 2000049);
    expect(scene, "float", 1, 24);
    expect(scene, "type", 8, 8 * 408);
    assert_int_equal(scene->result.coverage, 10000);
    run(scene); /* and when it is at rest again */
    expect(scene, "str", 1, 2000049);
    expect(scene, "float", 1, 24);
}

/* It was counted where it was before: once. */
static void counts_once_what_moves_later(void **state)
{
    struct scene *scene = *state;
    struct moving moving;
    struct why why = {0};
    const addr_t first = FAKE_BASE + ((addr_t)1 << 30);
    int more = 1, slices = 0;
    start_moving(scene, &moving, first);
    for (; more; slices++)
        assert_int_equal(census_slice(scene->census, 0, &scene->result, &more, &why), STATUS_OK);
    for (int i = 0; i < slices - 1; i++)
        assert_int_equal(census_slice(scene->census, 0, &scene->result, &more, &why), STATUS_OK);
    assert_int_equal(more, 1); /* all is read, and only the end is not told yet */
    put_text(scene, &moving, first + 2 * TEXT_BYTES);
    assert_int_equal(census_slice(scene->census, 0, &scene->result, &more, &why), STATUS_OK);
    assert_int_equal(more, 0);
    expect(scene, "str", 1, 2000049);
}

/* It goes when its begin is read and its end is not. */
static void counts_once_what_moves_while_it_is_read(void **state)
{
    struct scene *scene = *state;
    struct moving moving;
    struct why why = {0};
    const addr_t first = FAKE_BASE + ((addr_t)1 << 30);
    int more = 0;
    start_moving(scene, &moving, first);
    for (int i = 0; i < 3; i++) /* two chunks in front of it, and its first */
        assert_int_equal(census_slice(scene->census, 0, &scene->result, &more, &why), STATUS_OK);
    put_text(scene, &moving, first + 2 * TEXT_BYTES);
    while (more)
        assert_int_equal(census_slice(scene->census, 0, &scene->result, &more, &why), STATUS_OK);
    expect(scene, "str", 1, 2000049);
}

/* Begins a census, lets the text move down a little, and ends it with a map that is old by then. */
static void move_lower(struct scene *scene, addr_t by)
{
    struct moving moving;
    struct why why = {0};
    const struct timespec longer_than_maps_are_trusted = {.tv_nsec = 60000000};
    const addr_t first = FAKE_BASE + ((addr_t)1 << 30);
    int more = 0;
    start_moving(scene, &moving, first);
    assert_int_equal(census_slice(scene->census, 0, &scene->result, &more, &why), STATUS_OK);
    put_text(scene, &moving, first - by);
    (void)nanosleep(&longer_than_maps_are_trusted, NULL);
    while (more)
        assert_int_equal(census_slice(scene->census, 0, &scene->result, &more, &why), STATUS_OK);
    expect(scene, "str", 1, 2000049);
    expect(scene, "type", 8, 8 * 408);
}

/* A larger one in the same hole begins a little below; the map of what is present is old then. */
static void finds_what_begins_lower_meanwhile(void **state)
{
    move_lower(*state, 3 * (addr_t)REMOTE_PAGE_BYTES);
}

/* So much has gone at its other end that new mappings are looked at, too. */
static void counts_once_what_begins_lower(void **state)
{
    move_lower(*state, 128 << 10);
}

/* What is right below a mapping and cannot be written to is no heap, old map or not. */
static void leaves_out_what_cannot_be_written(void **state)
{
    struct scene *scene = *state;
    struct moving moving;
    struct why why = {0};
    const struct timespec longer_than_maps_are_trusted = {.tv_nsec = 60000000};
    const addr_t first = FAKE_BASE + ((addr_t)1 << 30);
    int more = 0;
    start_moving(scene, &moving, first - 3 * (addr_t)REMOTE_PAGE_BYTES);
    moving.regions[1].start = first;
    assert_int_equal(census_slice(scene->census, 0, &scene->result, &more, &why), STATUS_OK);
    (void)nanosleep(&longer_than_maps_are_trusted, NULL);
    while (more)
        assert_int_equal(census_slice(scene->census, 0, &scene->result, &more, &why), STATUS_OK);
    expect(scene, "str", 0, 0);
}

/* A process that waits, and becomes `cat` once it is told to. */
static pid_t start_changeling(int *ret_fd)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char byte;
        (void)dup2(fds[0], STDIN_FILENO);
        (void)close(fds[0]);
        (void)close(fds[1]);
        if (read(STDIN_FILENO, &byte, 1) == 1)
            (void)execlp("cat", "cat", NULL);
        _exit(1);
    }
    assert_true(pid > 0);
    (void)close(fds[0]);
    *ret_fd = fds[1];
    return pid;
}

/* What is left of its heap is not its heap. */
static void a_process_that_becomes_another_program_is_gone(void **state)
{
    struct scene *scene = *state;
    struct python_process *process = &scene->heap.process, now = {0};
    struct why why = {0};
    int more = 0, fd = -1;
    now.pid = process->pid = start_changeling(&fd);
    assert_int_equal(python_process_identify(process), STATUS_OK);
    assert_int_equal(census_new_over(fake_heap_open(&scene->heap), process, &scene->census, &why),
                     STATUS_OK);
    assert_int_equal(census_slice(scene->census, 0, &scene->result, &more, &why), STATUS_OK);
    assert_int_equal(more, 1);
    assert_int_equal(write(fd, "x", 1), 1);
    do {
        assert_int_equal(python_process_identify(&now), STATUS_OK);
    } while (now.image == process->image || now.image == 0);
    enum status status = STATUS_OK;
    while (more)
        status = census_slice(scene->census, 0, &scene->result, &more, &why);
    assert_int_equal(status, STATUS_GONE);
    assert_non_null(strstr(why.text, "has become another program"));
    assert_int_equal(census_run(scene->census, &scene->result, &why), STATUS_GONE);
    (void)close(fd);
    assert_int_equal(waitpid(process->pid, NULL, 0), process->pid);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(counts_types_alone),
        TEST(counts_objects_by_type),
        TEST(measures_what_lies_elsewhere),
        TEST(leaves_out_what_is_dead),
        TEST(jumps_over_what_lies_inside),
        TEST(believes_no_liar),
        TEST(looks_at_blocks_of_pools_only),
        TEST(looks_into_what_is_large),
        TEST(knows_the_last_of_a_generation),
        TEST(finds_objects_on_the_seams_of_chunks),
        TEST(skips_what_is_not_present),
        cmocka_unit_test_setup_teardown(a_process_of_which_nothing_is_present_is_not_gone, set_up,
                                        tear_down),
        TEST(forgets_a_type_that_has_ended),
        cmocka_unit_test_setup_teardown(counts_in_slices, set_up, tear_down),
        cmocka_unit_test_setup_teardown(measures_within_the_slice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(finds_what_moves_meanwhile, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counts_once_what_moves_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counts_once_what_moves_while_it_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(finds_what_begins_lower_meanwhile, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counts_once_what_begins_lower, set_up, tear_down),
        cmocka_unit_test_setup_teardown(leaves_out_what_cannot_be_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_process_that_becomes_another_program_is_gone, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
