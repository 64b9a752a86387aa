/* A folder for one test below the build directory, with what tests do to the files in it. */
#ifndef TESTS_SUPPORT_SCRATCH_FOLDER_H
#define TESTS_SUPPORT_SCRATCH_FOLDER_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"

enum { SCRATCH_PATH_BYTES = 512 };

static inline void scratch_path(const char *folder, const char *name, char *ret)
{
    (void)snprintf(ret, SCRATCH_PATH_BYTES, "%s/%s", folder, name);
}

static inline void scratch_write(const char *folder, const char *name, const void *data,
                                 size_t size)
{
    char path[SCRATCH_PATH_BYTES];
    scratch_path(folder, name, path);
    FILE *file = fopen(path, "w");
    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        abort();
}

static inline void scratch_read(const char *folder, const char *name, struct buf *ret)
{
    char path[SCRATCH_PATH_BYTES], bytes[4096];
    scratch_path(folder, name, path);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        abort();
    for (size_t got = 1; got > 0;) {
        got = fread(bytes, 1, sizeof(bytes), file);
        buf_append(ret, bytes, got);
    }
    fclose(file);
}

/* fn(folder, name) for each entry; returns how many. */
static inline int scratch_each(const char *folder, void (*fn)(const char *folder, const char *name))
{
    int count = 0;
    DIR *entries = opendir(folder);
    if (entries == NULL)
        return 0;
    for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        count++;
        if (fn != NULL)
            fn(folder, entry->d_name);
    }
    closedir(entries);
    return count;
}

static inline int scratch_count(const char *folder)
{
    return scratch_each(folder, NULL);
}

static inline void scratch_remove(const char *folder, const char *name)
{
    char path[SCRATCH_PATH_BYTES];
    scratch_path(folder, name, path);
    (void)remove(path);
}

static inline void scratch_remove_files(const char *folder)
{
    (void)scratch_each(folder, scratch_remove);
}

static inline int scratch_make(void **state)
{
    char *path = strdup(BINARY_ROOT "/scratch-XXXXXX");
    *state = path;
    return path != NULL && mkdtemp(path) != NULL ? 0 : -1;
}

static inline int scratch_drop(void **state)
{
    char *path = *state;
    scratch_remove_files(path);
    int result = rmdir(path);
    free(path);
    return result;
}

#endif
