#include "footprint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { FILE_BYTES = 2 * FOOTPRINT_FILE_BYTES_MAX };

/* Holds an address: in a page that relocation has written. */
static const char *const relocated[] = {"one", "two"};
static int written = 1;

/* A file, all of it resident: what a large program's code would be. */
static char *map_a_file(void)
{
    char name[] = "/tmp/heapfleet-test-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(unlink(name), 0);
    assert_int_equal(ftruncate(fd, FILE_BYTES), 0);
    char *file = mmap(NULL, FILE_BYTES, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    assert_ptr_not_equal(file, MAP_FAILED);
    close(fd);
    return file;
}

static void leaves_little_alone(void **state)
{
    (void)state;
    footprint_init();
    uint64_t resident = footprint_file_bytes();
    assert_true(resident > 0);
    assert_int_equal(footprint_trim(),
                     resident > FOOTPRINT_FILE_BYTES_MAX); /* a sanitizer's is large */
}

static void gives_code_back_and_runs_on(void **state)
{
    (void)state;
    char *file = map_a_file();
    written = 2;
    uint64_t before = footprint_file_bytes();
    assert_true(before >= FILE_BYTES);
    assert_int_equal(footprint_trim(), 1);
    assert_true(footprint_file_bytes() < before);
    assert_string_equal(relocated[written - 1], "two"); /* what was written is still there */
    assert_int_equal(file[FILE_BYTES - 1], 0);
    assert_int_equal(munmap(file, FILE_BYTES), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_little_alone),
        cmocka_unit_test(gives_code_back_and_runs_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
