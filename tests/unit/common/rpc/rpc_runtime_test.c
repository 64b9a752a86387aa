#include <dirent.h>
#include <dlfcn.h>
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

/* Every thread but this one must leave the signals to it. */
static void look_at_threads(void)
{
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
        static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGUSR1};
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
            if (!(blocked >> (signals[i] - 1) & 1))
                fail_msg("thread %s takes signal %d", name, signals[i]);
    }
    closedir(directory);
}

static void threads_of_grpc_take_no_signals(void **state)
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
        look_at_threads();
    }
    rpc_channel_free(channel);
    rpc_server_stop(server, 30000);
    loop_free(seen.loop);

    sigset_t own;
    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &own), 0);
    assert_false(sigismember(&own, SIGTERM));
}

/* gRPC's libraries must find our count of CPUs, not their own. */
static void the_program_says_how_many_cpus_there_are(void **state)
{
    (void)state;
    struct served served = {0};
    rpc_server_stop(scene_start_plain(&served), 0); /* links the module in */
    static const char *const names[] = {"gpr_cpu_num_cores", "gpr_cpu_current_cpu"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        void *function = dlsym(RTLD_DEFAULT, names[i]);
        Dl_info where;
        assert_non_null(function);
        assert_int_not_equal(dladdr(function, &where), 0);
        assert_null(strstr(where.dli_fname, "libgpr"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_of_grpc_take_no_signals),
        cmocka_unit_test(the_program_says_how_many_cpus_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
