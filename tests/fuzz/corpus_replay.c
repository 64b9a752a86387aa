/*
 * A driver's main where there is no libFuzzer: every file of a corpus folder, as it is and with a
 * bounded number of small changes, always the same ones. So a bug that was found once is looked for
 * in every `./dev test`, with and without sanitizers.
 *
 *     changes of one file = its beginnings, then each byte replaced by each of `bytes`, then a
 * stretch taken out, then one said twice. A file of many bytes has them at equal distances.
 *
 * Whatever ends the program says which file and change it was, and leaves the bytes in a file.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fuzz.h"

enum {
    FILE_BYTES_MAX = 1 << 20,
    PLACES_MAX = 256,   /* at which a file is changed */
    WORK_MAX = 1 << 24, /* bytes of all the runs of one file: large ones have fewer */
    RUNS_A_PLACE = 16,  /* about: 1 + 8 + 3 + 2 */
    FILE_SECONDS = 120,
    MEMORY_BYTES_MAX = 512 << 20,
};

static const uint8_t bytes[] = {0x00, 0x01, 0x20, 0x2f, 0x30, 0x7f, 0x80, 0xff};

/* What runs now, for the last words. */
static struct {
    const char *driver, *file;
    char crash_path[PATH_MAX];
    unsigned change;
    const uint8_t *data;
    size_t size;
} now;

/* These three do only what a signal handler may do. */
static void say(const char *text)
{
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written;
}

static void say_number(unsigned number)
{
    char digits[16];
    size_t at = sizeof(digits) - 1;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    say(digits + at);
}

static void say_last_words(void)
{
    int fd = open(now.crash_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ssize_t written = fd < 0 ? 0 : write(fd, now.data, now.size);
    (void)written;
    if (fd >= 0)
        close(fd);
    say(now.driver);
    say(": died of ");
    say(now.file);
    say(", change ");
    say_number(now.change);
    say("; the bytes are in ");
    say(now.crash_path);
    say("\n");
}

static void on_signal(int number)
{
    say_last_words();
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

/* The address sanitizer ends a program without a signal. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

static void watch_for_the_end(void)
{
    static const int signals[] = {SIGABRT, SIGALRM, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP};
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        (void)signal(signals[i], on_signal);
    if (__sanitizer_set_death_callback != NULL)
        __sanitizer_set_death_callback(say_last_words);
}

/* ---- one run ----------------------------------------------------------------------------------
 */

/* In a block of its very size, so that the sanitizer sees a step beyond it. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    ASSERT(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    now.data = copy;
    now.size = size;
    now.change++;
    ASSERT(LLVMFuzzerTestOneInput(copy, size) == 0);
    now.size = 0;
    free(copy);
}

static void run_truncated(const uint8_t *data, size_t size, size_t step)
{
    for (size_t at = 0; at < size; at += step)
        run(data, at);
}

static void run_flipped(uint8_t *data, size_t size, size_t step)
{
    for (size_t at = 0; at < size; at += step) {
        uint8_t byte = data[at];
        for (size_t i = 0; i < ARRAY_SIZE(bytes); i++) {
            data[at] = bytes[i];
            run(data, size);
        }
        for (unsigned bit = 1; bit < 256; bit *= 8) { /* three of the eight */
            data[at] = (uint8_t)(byte ^ bit);
            run(data, size);
        }
        data[at] = byte;
    }
}

/* `changed` has room for twice the size. */
static void run_cut_and_doubled(const uint8_t *data, size_t size, size_t step, uint8_t *changed)
{
    for (size_t at = 0; at < size; at += step) {
        size_t part = step < size - at ? step : size - at;
        memcpy(changed, data, at);
        memcpy(changed + at, data + at + part, size - at - part);
        run(changed, size - part);
        memcpy(changed, data, at + part);
        memcpy(changed + at + part, data + at, size - at);
        run(changed, size + part);
    }
}

/* ---- one file ---------------------------------------------------------------------------------
 */

static uint8_t *read_file(const char *path, size_t *ret_size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(1); /* NOLINT(concurrency-mt-unsafe): one thread */
    }
    uint8_t *data = malloc(FILE_BYTES_MAX + 1);
    ASSERT(data != NULL);
    *ret_size = fread(data, 1, FILE_BYTES_MAX + 1, file);
    ASSERT(*ret_size <= FILE_BYTES_MAX && !ferror(file));
    (void)fclose(file);
    return data;
}

static void replay_file(const char *folder, const char *name, size_t runs_max)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    now.file = path;
    now.change = 0;
    (void)alarm(FILE_SECONDS);
    size_t size = 0;
    uint8_t *data = read_file(path, &size);
    run(data, size);
    size_t runs = WORK_MAX / (size + 1) < runs_max ? WORK_MAX / (size + 1) : runs_max;
    size_t places = runs / RUNS_A_PLACE < PLACES_MAX ? runs / RUNS_A_PLACE : PLACES_MAX;
    if (places > 0 && size > 0) {
        size_t step = (size + places - 1) / places;
        uint8_t *changed = malloc(size * 2);
        ASSERT(changed != NULL);
        run_truncated(data, size, step);
        run_flipped(data, size, step);
        run_cut_and_doubled(data, size, step, changed);
        free(changed);
    }
    free(data);
    (void)alarm(0);
}

static int is_a_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static size_t memory_used(void)
{
    struct rusage usage = {0};
    ASSERT(getrusage(RUSAGE_SELF, &usage) == 0);
    return (size_t)usage.ru_maxrss * 1024;
}

int main(int argc, char **argv)
{
    ASSERT(argc == 3); /* FOLDER RUNS */
    size_t runs_max = strtoul(argv[2], NULL, 10);
    const char *slash = strrchr(argv[0], '/');
    now.driver = slash == NULL ? argv[0] : slash + 1;
    (void)snprintf(now.crash_path, sizeof(now.crash_path), "%s/tests/crash-%s", BINARY_ROOT,
                   now.driver);
    now.file = "the empty input";
    watch_for_the_end();
    struct dirent **files = NULL;
    int count = scandir(argv[1], &files, is_a_file, alphasort);
    if (count <= 0) {
        (void)fprintf(stderr, "%s: there is no corpus in %s\n", now.driver, argv[1]);
        return 1;
    }
    run((const uint8_t *)"", 0);
    for (int i = 0; i < count; i++) {
        replay_file(argv[1], files[i]->d_name, runs_max);
        free(files[i]);
    }
    free(files);
    if (memory_used() > MEMORY_BYTES_MAX) {
        (void)fprintf(stderr, "%s: took %zu MiB of memory\n", now.driver, memory_used() >> 20);
        return 1;
    }
    (void)printf("[  PASSED  ] %d test(s).\n", count);
    return 0;
}
