#include "landmarks.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "attributes.h"
#include "heap_image.h"
#include "pagemap.h"

enum { RANGES_MAX = 256 };

static size_t data_of(const struct heap_image *image, struct remote_range *ret)
{
    size_t count = 0;
    for (size_t i = 0; i < image->region_count && count < RANGES_MAX; i++) {
        const struct remote_region *region = &image->regions[i];
        if ((region->flags & (REMOTE_FILE | REMOTE_BSS)) != 0)
            ret[count++] = (struct remote_range){region->start, region->end};
    }
    return count;
}

/* Of a recorded process, whose landmarks are known by their symbols: the search finds the same. */
static void finds_what_the_symbols_say(void **state)
{
    glob_t files;
    int singletons = 0;
    (void)state;
    assert_int_equal(glob(SOURCE_ROOT "/tests/images/*.heap", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        struct heap_image image;
        heap_image_load(files.gl_pathv[i], &image);
        struct remote *remote = heap_image_open(&image);
        struct remote_range data[RANGES_MAX];
        struct python_process found = {.pid = image.process.pid};
        assert_int_equal(landmarks_search(remote, data, data_of(&image, data), &found), STATUS_OK);
        assert_int_equal(found.type_type, image.process.type_type);
        for (size_t j = 0; j < PYTHON_BUILTINS; j++)
            assert_int_equal(found.builtins[j], image.process.builtins[j]);
        if (image.process.version_hex >= 0x030d0000)
            assert_int_equal(found.runtime, image.process.runtime);
        /* an image holds what a census read: not the names of all types */
        assert_true(found.none == 0 || found.none == image.process.none);
        assert_true(found.true_object == 0 || found.true_object == image.process.true_object);
        singletons += found.none != 0 && found.true_object != 0;
        remote_close(remote);
        heap_image_done(&image);
    }
    assert_true(singletons > 0);
    globfree(&files);
}

/* A word that points to itself, as there may be in any program, is no type of types. */
static void believes_no_other_loop(void **state)
{
    enum { WORDS = 512 };
    const addr_t base = 0x10000;
    uint64_t words[WORDS] = {0};
    (void)state;
    words[11] = base + 10 * sizeof(words[0]); /* its own type, */
    words[13] = base + 64 * sizeof(words[0]); /* but called otherwise */
    memcpy(&words[64], "typewriter", sizeof("typewriter"));
    words[21] = base + 20 * sizeof(words[0]);
    words[23] = 0x7fff00000000; /* or with a name that cannot be read */
    const struct remote_range all = {base, base + sizeof(words)};
    const struct remote_region region = {all.start, all.end, REMOTE_FILE};
    const struct remote_image image = {.regions = &region,
                                       .region_count = 1,
                                       .present = &all,
                                       .present_count = 1,
                                       .bytes = (const uint8_t *)words};
    struct remote *remote = remote_open_image(&image);
    struct python_process found = {.pid = 7};
    assert_int_equal(landmarks_search(remote, &all, 1, &found), STATUS_NOT_FOUND);
    assert_int_equal(found.type_type, 0);
    remote_close(remote);
}

/* Its name may point at memory that was never touched: it stays so. */
static void touches_nothing(void **state)
{
    static uint64_t words[64]; /* written below: present */
    enum { PAGE = REMOTE_PAGE_BYTES };
    (void)state;
    char *untouched =
        mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(untouched, MAP_FAILED);
    assert_int_equal(madvise(untouched, 2 * PAGE, MADV_NOHUGEPAGE), 0);
    untouched[PAGE - 2] = 't';
    untouched[PAGE - 1] = 'y'; /* and the rest is on the page that is not there */
    words[11] = (uint64_t)(uintptr_t)&words[10];
    words[13] = (uint64_t)(uintptr_t)untouched + PAGE - 2;
    words[21] = (uint64_t)(uintptr_t)&words[20];
    words[23] = (uint64_t)(uintptr_t)untouched + PAGE;

    const struct remote_range all = {(addr_t)(uintptr_t)words, (addr_t)(uintptr_t)(words + 64)};
    struct remote *remote;
    struct python_process found = {.pid = getpid()};
    assert_int_equal(remote_open(getpid(), &remote, NULL), STATUS_OK);
    assert_int_equal(landmarks_search(remote, &all, 1, &found), STATUS_NOT_FOUND);
    remote_close(remote);
    FILE *file = fopen("/proc/self/pagemap", "re");
    assert_non_null(file);
    struct pagemap pagemap = {.fd = fileno(file)};
    assert_int_equal(pagemap_page(&pagemap, (addr_t)(uintptr_t)untouched + PAGE), PAGE_ABSENT);
    fclose(file);
    munmap(untouched, 2 * PAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_the_symbols_say),
        cmocka_unit_test(believes_no_other_loop),
        cmocka_unit_test(touches_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
