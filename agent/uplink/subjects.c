#include "subjects.h"

#include <stdlib.h>
#include <string.h>

/* Place of the first subject with a number above `process`. */
static size_t place_after(const struct subjects *subjects, uint32_t process)
{
    size_t low = 0;
    size_t high = subjects->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (subjects->items[middle]->process > process)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void subject_free(struct subject *subject)
{
    buf_done(&subject->announcement);
    buf_done(&subject->names);
    heap_values_done(&subject->latest);
    heap_values_done(&subject->floor);
    free(subject);
}

void subjects_done(struct subjects *subjects)
{
    for (size_t i = 0; i < subjects->count; i++)
        subject_free(subjects->items[i]);
    free(subjects->items);
    *subjects = SUBJECTS_INIT;
}

struct subject *subjects_add(struct subjects *subjects, uint32_t process)
{
    if (subjects->count == SUBJECTS_MAX)
        return NULL;
    ASSERT(process > 0 && subjects_find(subjects, process) == NULL);
    if (subjects->count == subjects->capacity) {
        size_t capacity = subjects->capacity == 0 ? 16 : subjects->capacity * 2;
        struct subject **items = realloc(subjects->items, capacity * sizeof(struct subject *));
        ASSERT(items != NULL);
        subjects->items = items;
        subjects->capacity = capacity;
    }
    struct subject *subject = calloc(1, sizeof(*subject));
    ASSERT(subject != NULL);
    subject->process = process;
    size_t place = place_after(subjects, process);
    memmove(&subjects->items[place + 1], &subjects->items[place],
            (subjects->count - place) * sizeof(struct subject *));
    subjects->items[place] = subject;
    subjects->count++;
    return subject;
}

struct subject *subjects_find(const struct subjects *subjects, uint32_t process)
{
    struct subject *subject = process == 0 ? NULL : subjects_after(subjects, process - 1);
    return subject != NULL && subject->process == process ? subject : NULL;
}

struct subject *subjects_after(const struct subjects *subjects, uint32_t process)
{
    size_t place = place_after(subjects, process);
    return place == subjects->count ? NULL : subjects->items[place];
}

void subjects_remove(struct subjects *subjects, uint32_t process)
{
    size_t place = process == 0 ? subjects->count : place_after(subjects, process - 1);
    ASSERT(place < subjects->count && subjects->items[place]->process == process);
    subject_free(subjects->items[place]);
    memmove(&subjects->items[place], &subjects->items[place + 1],
            (subjects->count - place - 1) * sizeof(struct subject *));
    subjects->count--;
}

void subjects_forget_stream(struct subjects *subjects)
{
    for (size_t i = 0; i < subjects->count; i++) {
        struct subject *subject = subjects->items[i];
        subject->sent_numbers.sequence = 0;
        subject->sent = (struct names_told){0};
        subject->dropped_sequence = 0;
        subject->dropped_told = 0;
    }
}

uint32_t subject_take_names(const struct subject *subject, struct names_told *told,
                            size_t bytes_max, uint32_t *ret_first_index, const char **ret_names)
{
    const char *first = (const char *)subject->names.data + told->bytes;
    size_t taken = 0;
    uint32_t count = 0;
    while (told->types + count < subject->types) {
        size_t size = strlen(first + taken) + 1;
        if (count > 0 && taken + size > bytes_max)
            break;
        taken += size;
        count++;
    }
    *ret_first_index = told->types;
    *ret_names = first;
    told->types += count;
    told->bytes += taken;
    return count;
}
