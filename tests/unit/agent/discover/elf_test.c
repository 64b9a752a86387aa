#include "elf.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "attributes.h"
#include "pagemap.h"

enum { PAGE = REMOTE_PAGE_BYTES };

static uint8_t *pages(size_t count)
{
    uint8_t *made =
        mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(made, MAP_FAILED);
    assert_int_equal(madvise(made, count * PAGE, MADV_NOHUGEPAGE), 0);
    return made;
}

/* The page of zeros that a read puts there counts, too. */
static int is_present(const uint8_t *at)
{
    FILE *file = fopen("/proc/self/pagemap", "re");
    assert_non_null(file);
    struct pagemap pagemap = {.fd = fileno(file)};
    enum page page = pagemap_page(&pagemap, (addr_t)(uintptr_t)at);
    fclose(file);
    return page == PAGE_PRESENT;
}

/* One page that says that its dynamic section is at `dynamic`. */
static void write_headers(uint8_t *page, const uint8_t *dynamic)
{
    Elf64_Ehdr header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB},
                         .e_phoff = sizeof(header),
                         .e_phentsize = sizeof(Elf64_Phdr),
                         .e_phnum = 2,
                         .e_machine = EM_X86_64};
    Elf64_Phdr segments[2] = {
        {.p_type = PT_LOAD},
        {.p_type = PT_DYNAMIC, .p_vaddr = (Elf64_Addr)(dynamic - page), .p_memsz = 64}};
    memcpy(page, &header, sizeof(header));
    memcpy(page + sizeof(header), segments, sizeof(segments));
}

/* A module may point anywhere: at memory that was never touched, too. */
static void touches_nothing(void **state)
{
    (void)state;
    uint8_t *made = pages(3);
    struct elf_module module;
    struct remote *remote;
    assert_int_equal(remote_open(getpid(), &remote, NULL), STATUS_OK);
    assert_int_equal(elf_open(remote, (addr_t)(uintptr_t)made, &module), STATUS_INVALID);
    assert_false(is_present(made));
    write_headers(made, made + 2 * PAGE);
    assert_int_equal(elf_open(remote, (addr_t)(uintptr_t)made, &module), STATUS_UNSUPPORTED);
    assert_false(is_present(made + 2 * PAGE));

    module = (struct elf_module){.symbols = (addr_t)(uintptr_t)made,
                                 .strings = (addr_t)(uintptr_t)made,
                                 .gnu_hash = (addr_t)(uintptr_t)made + PAGE};
    assert_int_equal(elf_symbol(&module, remote, "PyType_Type"), 0);
    module.gnu_hash = 0;
    module.sysv_hash = (addr_t)(uintptr_t)made + PAGE;
    assert_int_equal(elf_symbol(&module, remote, "PyType_Type"), 0);
    assert_false(is_present(made + PAGE));
    remote_close(remote);
    munmap(made, 3 * PAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(touches_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
