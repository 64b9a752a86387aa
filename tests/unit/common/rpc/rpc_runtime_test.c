#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "rpc_scene.h"

/* The line of a thread's status that begins with `key`, behind it; empty if the thread has ended.
 */
static void read_status(const char *thread, const char *key, char *ret, size_t capacity)
{
    char path[300], line[256];
    ret[0] = 0;
    snprintf(path, sizeof(path), "/proc/self/task/%s/status", thread);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, key, strlen(key)) == 0)
            snprintf(ret, capacity, "%s", line + strlen(key));
    if (file != NULL)
        fclose(file);
}

struct threads {
    int count;
    int pool; /* of gRPC's event engine */
};

/* Every thread but this one must leave the signals to it. */
static struct threads look_at_threads(void)
{
    struct threads threads = {0};
    char self[32];
    snprintf(self, sizeof(self), "%ld", syscall(SYS_gettid));
    DIR *directory = opendir("/proc/self/task");
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, self) == 0)
            continue;
        char mask[64], name[64];
        read_status(entry->d_name, "SigBlk:", mask, sizeof(mask));
        read_status(entry->d_name, "Name:", name, sizeof(name));
        if (mask[0] == 0)
            continue;
        unsigned long long blocked = strtoull(mask, NULL, 16);
        threads.count++;
        threads.pool += strstr(name, "event_engine") != NULL;
        static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGUSR1};
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
            if (!(blocked >> (signals[i] - 1) & 1))
                fail_msg("thread %s takes signal %d", name, signals[i]);
    }
    closedir(directory);
    return threads;
}

static void threads_of_grpc_are_few_and_take_no_signals(void **state)
{
    (void)state;
    struct served served = {0};
    struct rpc_server *server = scene_start_plain(&served);
    look_at_threads();
    struct rpc_channel *channel = scene_connect_port(rpc_server_port(server));
    struct seen seen = {.loop = loop_new(), .keep_asking = 1};
    static const uint8_t piece[64 << 10];
    for (int round = 0; round < 20; round++) {
        char answer[WHY_CAPACITY];
        assert_int_equal(scene_call(channel, "/test/Answer", "x", answer), STATUS_OK);
        seen.closed = 0;
        seen_open(&seen, channel, "/test/Echo");
        rpc_stream_read(seen.stream);
        for (int i = 0; i < 20; i++)
            rpc_stream_send(seen.stream, piece, sizeof(piece));
        rpc_stream_half_close(seen.stream);
        seen_run_to_the_end(&seen);
        assert_in_range(look_at_threads().pool, 0, 2);
    }
    rpc_channel_free(channel);
    rpc_server_stop(server, 30000);
    loop_free(seen.loop);

    sigset_t own;
    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &own), 0);
    assert_false(sigismember(&own, SIGTERM));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_of_grpc_are_few_and_take_no_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
