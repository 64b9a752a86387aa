/*
 * The limit of any census from outside: read all private writable memory of a process that is
 * present, with process_vm_readv into one chunk, and do nothing with it.
 *
 *   readv_limit PID ROUNDS     prints "BYTES CPU_SECONDS WALL_SECONDS" of the fastest round
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, CHUNK = 256 * 1024, REGIONS_MAX = 65536, PAGES = 512 };

struct region {
    uint64_t start, end;
};

static struct region regions[REGIONS_MAX];
static size_t region_count;
static uint8_t chunk[CHUNK];

static void add(uint64_t start, uint64_t end)
{
    if (region_count && regions[region_count - 1].end == start)
        regions[region_count - 1].end = end;
    else if (region_count < REGIONS_MAX)
        regions[region_count++] = (struct region){start, end};
}

static void add_present(int pagemap, uint64_t start, uint64_t end)
{
    uint64_t entries[PAGES];
    while (start < end) {
        size_t pages = (size_t)((end - start) / PAGE);
        pages = pages < PAGES ? pages : PAGES;
        if (pread(pagemap, entries, pages * 8, (off_t)(start / PAGE * 8)) != (ssize_t)(pages * 8))
            return;
        for (size_t i = 0; i < pages; i++) {
            if (entries[i] >> 63)
                add(start + i * PAGE, start + (i + 1) * PAGE);
        }
        start += pages * PAGE;
    }
}

static void find_regions(int pid)
{
    char path[64], line[4096], flags[8];
    uint64_t start, end;
    snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
    int pagemap = open(path, O_RDONLY | O_CLOEXEC);
    snprintf(path, sizeof(path), "/proc/%d/maps", pid);
    FILE *maps = fopen(path, "re");
    if (!maps || pagemap < 0) {
        perror(path);
        exit(1);
    }
    while (fgets(line, sizeof(line), maps)) {
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &start, &end, flags) == 3 &&
            strncmp(flags, "rw", 2) == 0 && flags[3] == 'p')
            add_present(pagemap, start, end);
    }
    fclose(maps);
    close(pagemap);
}

static uint64_t read_all(int pid)
{
    uint64_t total = 0;
    for (size_t i = 0; i < region_count; i++) {
        for (uint64_t at = regions[i].start; at < regions[i].end; at += CHUNK) {
            uint64_t size = regions[i].end - at < CHUNK ? regions[i].end - at : CHUNK;
            struct iovec here = {chunk, size}, there = {(void *)(uintptr_t)at, size};
            ssize_t got = process_vm_readv(pid, &here, 1, &there, 1, 0);
            total += got > 0 ? (uint64_t)got : 0;
        }
    }
    return total;
}

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    double best_cpu = 1e9, best_wall = 1e9;
    uint64_t bytes = 0;
    if (argc != 3) {
        fprintf(stderr, "usage: readv_limit PID ROUNDS\n");
        return 2;
    }
    int pid = (int)strtol(argv[1], NULL, 10);
    find_regions(pid);
    for (long round = strtol(argv[2], NULL, 10); round > 0; round--) {
        double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
        bytes = read_all(pid);
        cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
        wall = seconds(CLOCK_MONOTONIC) - wall;
        best_cpu = cpu < best_cpu ? cpu : best_cpu;
        best_wall = wall < best_wall ? wall : best_wall;
    }
    printf("%" PRIu64 " %.6f %.6f\n", bytes, best_cpu, best_wall);
    return 0;
}
