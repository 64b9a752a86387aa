#include "follower.h"

#include <stdlib.h>
#include <string.h>

static int compare_followers(const void *left, const void *right)
{
    int64_t a = ((const struct follower *)left)->instance_id;
    int64_t b = ((const struct follower *)right)->instance_id;
    return (a > b) - (a < b);
}

static struct follower *find(struct follower *list, uint32_t count, int64_t instance_id)
{
    const struct follower key = {.instance_id = instance_id};
    return count == 0 ? NULL : bsearch(&key, list, count, sizeof(*list), compare_followers);
}

struct follower *followers_find(struct followers *followers, int64_t instance_id)
{
    return find(followers->list, followers->count, instance_id);
}

static void add(struct followers *followers, int64_t instance_id, int64_t read_ms)
{
    if (followers->count == followers->room) {
        followers->room = followers->room == 0 ? 16 : followers->room * 2;
        followers->list = realloc(followers->list, followers->room * sizeof(*followers->list));
        ASSERT(followers->list != NULL);
    }
    followers->list[followers->count++] =
        (struct follower){.instance_id = instance_id, .read_ms = read_ms};
}

void followers_match(struct followers *followers, const struct instance_row *instances,
                     size_t count, int64_t read_ms)
{
    uint32_t kept = 0;
    uint32_t known = followers->count;
    for (uint32_t i = 0; i < known; i++)
        followers->list[i].seen = 0;
    for (size_t i = 0; i < count; i++) {
        struct follower *follower = find(followers->list, known, instances[i].id);
        if (follower != NULL)
            follower->seen = 1;
        else
            add(followers, instances[i].id, read_ms);
    }
    for (uint32_t i = 0; i < followers->count; i++)
        if (i >= known || followers->list[i].seen)
            followers->list[kept++] = followers->list[i];
    followers->count = kept;
    if (kept > 1)
        qsort(followers->list, kept, sizeof(*followers->list), compare_followers);
}

int follower_is_placed(const struct follower *follower)
{
    static const struct detect_key none;
    return memcmp(&follower->container, &none, sizeof(none)) != 0;
}

void follower_place(struct follower *follower, const struct instance_about *about)
{
    const char *name = about->container_id;
    follower->container = *name != '\0' ? detect_key_of(name, strlen(name))
                                        : detect_key_of((const char *)&follower->instance_id,
                                                        sizeof(follower->instance_id));
}
