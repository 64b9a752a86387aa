#include "remote.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "pagemap.h"

enum { PAGE = REMOTE_PAGE_BYTES };

/* ---- an image ----------------------------------------------------------------------------------
 */

static uint8_t bytes[4 * PAGE];
static const struct remote_region regions[] = {{0x10000, 0x20000, 0}};
static const struct remote_range present[] = {
    {0x10000, 0x12000}, {0x12000, 0x13000}, {0x18000, 0x19000}};

static struct remote *open_image(void)
{
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i / PAGE + 1);
    struct remote_image image = {regions, 1, present, 3, bytes};
    return remote_open_image(&image);
}

static void an_image_reads_what_is_present(void **state)
{
    (void)state;
    struct remote *remote = open_image();
    uint8_t read[2 * PAGE];
    assert_int_equal(remote_read(remote, 0x11ff0, read, 32), STATUS_OK);
    assert_int_equal(read[15], 2);
    assert_int_equal(read[16], 3); /* over the seam of two ranges */
    assert_int_equal(remote_read(remote, 0x12ff0, read, 32), STATUS_INVALID);
    assert_int_equal(remote_read(remote, 0x17ff0, read, 32), STATUS_INVALID);
    assert_int_equal(remote_read(remote, UINT64_MAX - 8, read, 32), STATUS_INVALID);
    assert_int_equal(remote_state(remote), STATUS_OK);
    remote_close(remote);
}

static void a_gather_stops_where_it_must(void **state)
{
    (void)state;
    struct remote *remote = open_image();
    uint8_t read[64];
    struct remote_range ranges[] = {
        {0x10000, 0x10008}, {0x18000, 0x18010}, {0x19000, 0x19001}, {0x10000, 0x10001}};
    assert_int_equal(remote_gather(remote, ranges, 4, read), 24);
    assert_int_equal(read[7], 1);
    assert_int_equal(read[8], 4);
    remote_close(remote);
}

static void an_image_tells_its_pages_in_any_portion(void **state)
{
    (void)state;
    struct remote *remote = open_image();
    for (size_t capacity = 1; capacity <= 4; capacity++) {
        struct remote_range found[4];
        addr_t at = 0x11000;
        uint64_t sum = 0;
        while (at < 0x18800) {
            size_t count = remote_present(remote, at, 0x18800, found, capacity, &at);
            for (size_t i = 0; i < count; i++)
                sum += found[i].end - found[i].start;
        }
        assert_int_equal(sum, 2 * PAGE + 0x800);
    }
    remote_close(remote);
}

/* ---- a live process ----------------------------------------------------------------------------
 */

/* Pages 1, 2 and 5 of eight are touched. */
static uint8_t *sparse(void)
{
    uint8_t *made =
        mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(made, MAP_FAILED);
    assert_int_equal(madvise(made, 8 * PAGE, MADV_NOHUGEPAGE), 0);
    made[1 * PAGE] = made[2 * PAGE] = made[5 * PAGE] = 7;
    return made;
}

static void check_sparse(size_t count, const struct remote_range *found, addr_t at)
{
    assert_int_equal(count, 2);
    assert_int_equal(found[0].start, at + 1 * PAGE);
    assert_int_equal(found[0].end, at + 3 * PAGE);
    assert_int_equal(found[1].start, at + 5 * PAGE);
    assert_int_equal(found[1].end, at + 6 * PAGE);
}

static void finds_present_pages_and_makes_none(void **state)
{
    (void)state;
    uint8_t *made = sparse();
    addr_t at = (addr_t)(uintptr_t)made, next;
    struct remote_range found[8];
    struct remote *remote;
    assert_int_equal(remote_open(getpid(), &remote, NULL), STATUS_OK);
    for (int again = 0; again < 2; again++) {
        size_t count = remote_present(remote, at, at + 8 * PAGE, found, 8, &next);
        assert_int_equal(next, at + 8 * PAGE);
        check_sparse(count, found, at);
    }
    remote_close(remote);
    munmap(made, 8 * PAGE);
}

static void does_without_the_scan_call(void **state)
{
    (void)state;
    uint8_t *made = sparse();
    addr_t at = (addr_t)(uintptr_t)made, next;
    struct remote_range found[8];
    FILE *file = fopen("/proc/self/pagemap", "re");
    assert_non_null(file);
    struct pagemap pagemap = {.fd = fileno(file), .without_scan = 1};
    check_sparse(pagemap_present(&pagemap, at, at + 8 * PAGE, found, 8, &next), found, at);
    assert_int_equal(next, at + 8 * PAGE);
    assert_int_equal(pagemap_present(&pagemap, at, at + 8 * PAGE, found, 1, &next), 1);
    assert_int_equal(next, at + 5 * PAGE);
    fclose(file);
    munmap(made, 8 * PAGE);
}

/* A page of zeros that a read put there counts, too. */
static int page_count(const uint8_t *at, size_t size)
{
    FILE *file = fopen("/proc/self/pagemap", "re");
    assert_non_null(file);
    struct pagemap pagemap = {.fd = fileno(file)};
    int count = 0;
    for (size_t i = 0; i < size; i += PAGE)
        count += pagemap_page(&pagemap, (addr_t)(uintptr_t)at + i) == PAGE_PRESENT;
    fclose(file);
    return count;
}

/* Private memory that was never touched has nothing to be read, and stays untouched. */
static void a_quiet_read_makes_no_page_present(void **state)
{
    (void)state;
    uint8_t *made = sparse(), read[2 * PAGE];
    addr_t at = (addr_t)(uintptr_t)made;
    struct remote *remote;
    assert_int_equal(remote_open(getpid(), &remote, NULL), STATUS_OK);
    assert_int_equal(remote_read_quietly(remote, at + PAGE, read, 2 * PAGE), STATUS_OK);
    assert_int_equal(read[PAGE], 7);
    assert_int_equal(remote_read_quietly(remote, at + 2 * PAGE, read, 2 * PAGE), STATUS_INVALID);
    assert_int_equal(remote_read_linked(remote, at, read, 8), STATUS_INVALID);
    assert_int_equal(page_count(made, 8 * PAGE), 3);
    assert_int_equal(remote_read_quietly(remote, UINT64_MAX - 8, read, 32), STATUS_INVALID);
    for (unsigned bit = 40; bit < 64; bit++) /* above what any process has, too */
        assert_int_equal(remote_read_quietly(remote, (addr_t)1 << bit, read, 8), STATUS_INVALID);
    assert_int_equal(remote_state(remote), STATUS_OK);
    assert_int_equal(remote_lacked(remote), 0);
    remote_close(remote);
    munmap(made, 8 * PAGE);
}

static uint8_t *map_file(const char *path, int flags)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    uint8_t *made = mmap(NULL, 2 * PAGE, PROT_READ, flags, fd, 0);
    assert_ptr_not_equal(made, MAP_FAILED);
    close(fd);
    return made;
}

/* What a page of a file holds is read from the file, if it is that file. */
static void a_quiet_read_asks_the_file(void **state)
{
    (void)state;
    char path[] = "/tmp/remote_test.XXXXXX";
    uint8_t page[PAGE], read[16];
    struct remote *remote;
    int fd = mkstemp(path);
    memset(page, 9, sizeof(page));
    assert_int_equal(pwrite(fd, page, PAGE, PAGE), PAGE);
    uint8_t *ours = map_file(path, MAP_PRIVATE), *shared = map_file(path, MAP_SHARED);
    addr_t at = (addr_t)(uintptr_t)ours + PAGE + 100;
    assert_int_equal(remote_open(getpid(), &remote, NULL), STATUS_OK);
    assert_int_equal(remote_read_quietly(remote, at, read, sizeof(read)), STATUS_OK);
    assert_int_equal(read[15], 9);
    assert_int_equal(remote_read_quietly(remote, at - 104, read, sizeof(read)), STATUS_OK);
    assert_int_equal(read[3], 0);
    assert_int_equal(read[4], 9);
    assert_int_equal(remote_read_quietly(remote, (addr_t)(uintptr_t)shared, read, sizeof(read)),
                     STATUS_INVALID);
    remote_close(remote);

    /* another file in its place; none */
    assert_int_equal(unlink(path), 0);
    int other = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_int_equal(pwrite(other, page, PAGE, PAGE), PAGE);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(remote_open(getpid(), &remote, NULL), STATUS_OK);
        assert_int_equal(remote_read_quietly(remote, at, read, sizeof(read)), STATUS_UNAVAILABLE);
        assert_int_equal(remote_lacked(remote), 1);
        assert_int_equal(page_count(ours, 2 * PAGE), 0);
        assert_int_equal(page_count(shared, 2 * PAGE), 0);
        remote_close(remote);
        (void)unlink(path);
    }
    munmap(ours, 2 * PAGE);
    munmap(shared, 2 * PAGE);
    close(other);
    close(fd);
}

static void lists_private_writable_memory(void **state)
{
    (void)state;
    static uint64_t in_data = 1;
    struct remote_regions found = {0};
    struct remote *remote;
    int data = 0, stack = 0;
    assert_int_equal(remote_open(getpid(), &remote, NULL), STATUS_OK);
    assert_int_equal(remote_regions(remote, &found, NULL), STATUS_OK);
    for (size_t i = 0; i < found.count; i++) {
        addr_t at = (addr_t)(uintptr_t)&in_data;
        if (found.items[i].start <= at && at < found.items[i].end) {
            data++;
            assert_true(found.items[i].flags & (REMOTE_FILE | REMOTE_BSS));
        }
        /* not a local variable: the address sanitizer may keep those elsewhere */
        at = (addr_t)(uintptr_t)__builtin_frame_address(0);
        stack += found.items[i].start <= at && at < found.items[i].end;
    }
    assert_int_equal(data, 1);
    assert_int_equal(stack, 0);
    remote_regions_done(&found);
    remote_close(remote);
}

static void tells_which_regions_are_new(void **state)
{
    (void)state;
    struct remote_region before_items[] = {
        {0x1000, 0x3000, 0}, {0x5000, 0x6000, 0}, {0x9000, 0xa000, 0}};
    struct remote_region now_items[] = {{0x1000, 0x3000, 0},          /* the same */
                                        {0x4000, 0x7000, REMOTE_BRK}, /* grew on both sides */
                                        {0xb000, 0xc000, REMOTE_BSS}};
    const struct remote_regions before = {before_items, 3, 3, 0}, now = {now_items, 3, 3, 0};
    const struct remote_region expected[] = {
        {0x4000, 0x5000, REMOTE_BRK}, {0x6000, 0x7000, REMOTE_BRK}, {0xb000, 0xc000, REMOTE_BSS}};
    struct remote_regions found = {0};
    remote_regions_new(&before, &before, &found);
    assert_int_equal(found.count, 0);
    remote_regions_new(&now, &before, &found);
    assert_int_equal(found.count, 3);
    for (size_t i = 0; i < found.count; i++) {
        assert_int_equal(found.items[i].start, expected[i].start);
        assert_int_equal(found.items[i].end, expected[i].end);
        assert_int_equal(found.items[i].flags, expected[i].flags);
    }
    remote_regions_done(&found);
}

static void notices_the_end_of_the_process(void **state)
{
    (void)state;
    uint64_t word;
    struct remote *remote;
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    assert_int_equal(remote_open(child, &remote, NULL), STATUS_OK);
    assert_int_equal(remote_read(remote, (addr_t)(uintptr_t)bytes, &word, sizeof(word)), STATUS_OK);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(remote_read_quietly(remote, (addr_t)(uintptr_t)bytes, &word, sizeof(word)),
                     STATUS_GONE);
    assert_int_equal(remote_read(remote, (addr_t)(uintptr_t)bytes, &word, sizeof(word)),
                     STATUS_GONE);
    assert_int_equal(remote_state(remote), STATUS_GONE);
    remote_close(remote);
    assert_int_equal(remote_open(child, &remote, NULL), STATUS_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_reads_what_is_present),
        cmocka_unit_test(a_gather_stops_where_it_must),
        cmocka_unit_test(an_image_tells_its_pages_in_any_portion),
        cmocka_unit_test(finds_present_pages_and_makes_none),
        cmocka_unit_test(does_without_the_scan_call),
        cmocka_unit_test(a_quiet_read_makes_no_page_present),
        cmocka_unit_test(a_quiet_read_asks_the_file),
        cmocka_unit_test(lists_private_writable_memory),
        cmocka_unit_test(tells_which_regions_are_new),
        cmocka_unit_test(notices_the_end_of_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
