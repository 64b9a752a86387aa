#include "type_pages.h"

#include "layout.h"
#include "type_reader.h"

void type_pages_clear(struct type_pages *pages)
{
    for (size_t i = 0; i < TYPE_PAGES; i++)
        pages->pages[i].at = 0;
}

static uint64_t word_at(const uint8_t *bytes, size_t offset)
{
    uint64_t word;
    memcpy(&word, bytes + offset, sizeof(word));
    return word;
}

int type_pages_may_be(const uint8_t *front)
{
    uint64_t flags = word_at(front, TYPE_FLAGS), basic_size = word_at(front, TYPE_BASIC_SIZE);
    return (flags & TYPE_READY) && flags >> 32 == 0 && basic_size >= OBJECT_BYTES &&
           basic_size <= TYPE_BASIC_SIZE_MAX && word_at(front, TYPE_NAME) != 0;
}

/* Positions that type_pages_may_be must look at; nearly all fail by their flags alone. */
static uint64_t flagged(const uint8_t *bytes)
{
    uint64_t found = 0;
    for (size_t i = 0; i < 64; i++) {
        uint64_t flags = word_at(bytes, 16 * i + TYPE_FLAGS);
        found |= (uint64_t)((flags & (TYPE_READY | ~(uint64_t)UINT32_MAX)) == TYPE_READY) << i;
    }
    return found;
}

/* What is not present is left zero, and so no type. */
static void read_pages(struct type_pages *pages, addr_t at)
{
    struct remote *remote = pages->present->remote;
    memset(pages->bytes, 0, sizeof(pages->bytes));
    if (present_map_has(pages->present, at, TYPE_PAGE_BYTES) &&
        remote_read(remote, at, pages->bytes, TYPE_PAGE_BYTES) == STATUS_OK)
        return;
    for (size_t offset = 0; offset < TYPE_PAGE_BYTES; offset += REMOTE_PAGE_BYTES) {
        if (present_map_has(pages->present, at + offset, REMOTE_PAGE_BYTES) &&
            remote_read(remote, at + offset, pages->bytes + offset, REMOTE_PAGE_BYTES) != STATUS_OK)
            memset(pages->bytes + offset, 0, REMOTE_PAGE_BYTES);
    }
}

/* A front that crosses the end may be a type's. */
static void remember(struct type_pages *pages, struct type_page *page, addr_t at)
{
    *page = (struct type_page){.at = at};
    read_pages(pages, at);
    for (size_t i = 0; i < TYPE_PAGE_SLOTS; i += 64) {
        uint64_t found = flagged(pages->bytes + 16 * i);
        for (; found; found &= found - 1) {
            size_t slot = (size_t)__builtin_ctzll(found);
            if (type_pages_may_be(pages->bytes + 16 * (i + slot)))
                page->may_be[i / 64] |= UINT64_C(1) << slot;
        }
    }
    for (size_t i = TYPE_PAGE_SLOTS - TYPE_FRONT_BYTES / 16; i < TYPE_PAGE_SLOTS; i++)
        page->may_be[i / 64] |= UINT64_C(1) << i % 64;
}

int type_pages_may_hold(struct type_pages *pages, addr_t at)
{
    addr_t base = at & ~(addr_t)(TYPE_PAGE_BYTES - 1);
    struct type_page *page = &pages->pages[at / TYPE_PAGE_BYTES % TYPE_PAGES];
    if (at % 16)
        return at % 8 == 0; /* a static type, not aligned by the compiler: rare */
    if (page->at != base)
        remember(pages, page, base);
    size_t slot = (size_t)(at - base) / 16;
    return page->may_be[slot / 64] >> slot % 64 & 1;
}
