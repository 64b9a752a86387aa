#include "peer_count.h"

#include <stdlib.h>
#include <string.h>

#include "attributes.h"

enum { BUCKETS = 4096 };

struct peer {
    struct peer *next;
    uint32_t streams;
    size_t size;
    char name[];
};

struct peer_counts {
    struct peer *buckets[BUCKETS];
};

struct peer_counts *peer_counts_new(void)
{
    struct peer_counts *counts = calloc(1, sizeof(*counts));
    ASSERT(counts != NULL);
    return counts;
}

void peer_counts_free(struct peer_counts *counts)
{
    if (counts == NULL)
        return;
    for (int i = 0; i < BUCKETS; i++)
        ASSERT(counts->buckets[i] == NULL);
    free(counts);
}

/* The port tells connections apart, not peers. */
static size_t name_size(const char *peer)
{
    const char *colon = strrchr(peer, ':');
    if (strncmp(peer, "ipv", 3) != 0 || colon == NULL)
        return strlen(peer);
    return (size_t)(colon - peer);
}

/* Where the peer is, or belongs. */
static struct peer **find(struct peer_counts *counts, const char *name, size_t size)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (uint8_t)name[i]) * 16777619u;
    struct peer **at = &counts->buckets[hash % BUCKETS];
    while (*at != NULL && ((*at)->size != size || memcmp((*at)->name, name, size) != 0))
        at = &(*at)->next;
    return at;
}

uint32_t peer_counts_enter(struct peer_counts *counts, const char *peer)
{
    size_t size = name_size(peer);
    struct peer **at = find(counts, peer, size);
    if (*at == NULL) {
        *at = calloc(1, sizeof(struct peer) + size);
        ASSERT(*at != NULL);
        (*at)->size = size;
        memcpy((*at)->name, peer, size);
    }
    return ++(*at)->streams;
}

void peer_counts_leave(struct peer_counts *counts, const char *peer)
{
    struct peer **at = find(counts, peer, name_size(peer));
    ASSERT(*at != NULL);
    struct peer *found = *at;
    if (--found->streams > 0)
        return;
    *at = found->next;
    free(found);
}
