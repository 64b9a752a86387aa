/*
 * A line:  36 35 0:41 /root /mount/point rw,noatime master:1 - fuse.sshfs source rw
 *                major:minor            any number of these ^   blanks in names are escaped
 */
#include "mounts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *mounts_parse_line(char *line, uint64_t device)
{
    char wanted[32];
    char *rest = NULL;
    snprintf(wanted, sizeof(wanted), "%" PRIu64 ":%" PRIu64, device >> 32, device & UINT32_MAX);
    char *separator = strstr(line, " - ");
    if (separator == NULL)
        return NULL;
    *separator = '\0';
    const char *number = strtok_r(line, " ", &rest);
    for (int i = 0; number != NULL && i < 2; i++)
        number = strtok_r(NULL, " ", &rest);
    if (number == NULL || strcmp(number, wanted) != 0)
        return NULL;
    char *type = separator + strlen(" - ");
    type[strcspn(type, " \n")] = '\0';
    return type;
}

/* 1: as one that is no FUSE; 0: as one, or not at all. */
static int is_harmless_in(pid_t pid, uint64_t device)
{
    char path[64];
    char *line = NULL;
    size_t capacity = 0;
    const char *type = NULL;
    snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    for (int i = 0; i < MOUNTS_LINES_MAX && type == NULL && getline(&line, &capacity, file) > 0;
         i++)
        type = mounts_parse_line(line, device);
    int is_harmless = type != NULL && strncmp(type, "fuse", 4) != 0;
    free(line);
    (void)fclose(file);
    return is_harmless;
}

int mounts_may_wait(pid_t pid, uint64_t device)
{
    if (device >> 32 != 0) /* a disk: only who may mount one puts FUSE on it */
        return 0;
    return !is_harmless_in(pid, device) && !is_harmless_in(getpid(), device);
}
