#include "rpc_runtime.h"

#include <grpc/support/cpu.h>
#include <grpc/support/log.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "attributes.h"
#include "log.h"

/*
 * gRPC sizes its pools by the machine (a thread for each of up to 32 CPUs, idle for ever), but this
 * program's work on them is small. These two replace libgpr's: a program's own symbols come first,
 * with a shared libgpr as with a static one.
 */
enum { PRETENDED_CPUS = 1 };

unsigned gpr_cpu_num_cores(void)
{
    return PRETENDED_CPUS;
}

unsigned gpr_cpu_current_cpu(void)
{
    int cpu = sched_getcpu();
    return cpu < 0 ? 0 : (unsigned)cpu % PRETENDED_CPUS;
}

/*
 * One of its two executors resolves names, but only where gRPC is built without c-ares; its thread
 * sleeps for ever. Without threads it would do such a job at once. These are not of gRPC's API,
 * hence weak: where they are missing, that thread is there.
 */
void executors_set_threading(_Bool on) __asm__("_ZN9grpc_core8Executor15SetThreadingAllEb")
    __attribute__((weak));
void default_executor_set_threading(_Bool on) __asm__(
    "_ZN9grpc_core8Executor19SetThreadingDefaultEb") __attribute__((weak));

static void stop_resolver_executor(void)
{
    if (executors_set_threading == NULL || default_executor_set_threading == NULL)
        return;
    executors_set_threading(0);
    default_executor_set_threading(1);
}

/* As gRPC 1.51 says it. */
static const struct notice_words {
    const char *words;
    enum rpc_notice notice;
} notice_words[] = {
    {"settings before handshake timeout", RPC_NOTICE_MUTE}, /* of HTTP/2 */
    {"Handshaking failed", RPC_NOTICE_MUTE},                /* of TLS */
    {"Keepalive watchdog fired", RPC_NOTICE_SILENT},
    {"too_many_pings", RPC_NOTICE_PINGING},
    {"send goaway to free memory", RPC_NOTICE_MEMORY},
    {"abandon stream id", RPC_NOTICE_MEMORY},
    {"Failed parsing HTTP/2", RPC_NOTICE_BROKEN},
    {"Received message larger than max", RPC_NOTICE_LARGE},
    {"due to high memory pressure", RPC_NOTICE_MEMORY}, /* of each thousand connections */
};

static atomic_ullong noticed[RPC_NOTICES];

uint64_t rpc_runtime_count(enum rpc_notice notice)
{
    return atomic_load(&noticed[notice]);
}

/* Every failure that matters reaches its caller as a status; what gRPC adds is for debugging, and
 * for counting. */
static void log_of_grpc(gpr_log_func_args *args)
{
    for (size_t i = 0; i < ARRAY_SIZE(notice_words); i++)
        if (strstr(args->message, notice_words[i].words) != NULL)
            atomic_fetch_add(&noticed[notice_words[i].notice], 1);
    log_event(LOG_DEBUG, "grpc", "message=\"%s\"", args->message);
}

static void set_log_function(void)
{
    gpr_set_log_function(log_of_grpc);
    gpr_set_log_verbosity(GPR_LOG_SEVERITY_DEBUG);
}

void rpc_runtime_notice_all(void)
{
    grpc_tracer_set_enabled("resource_quota", 1);
    grpc_tracer_set_enabled("call_error", 1);
}

void rpc_signals_block(sigset_t *ret_before)
{
    sigset_t all;
    sigfillset(&all);
    ASSERT(pthread_sigmask(SIG_SETMASK, &all, ret_before) == 0);
}

void rpc_signals_restore(const sigset_t *before)
{
    ASSERT(pthread_sigmask(SIG_SETMASK, before, NULL) == 0);
}

void rpc_runtime_enter(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    sigset_t before;
    rpc_signals_block(&before);
    pthread_once(&once, set_log_function);
    pthread_mutex_lock(&lock);
    int is_first = !grpc_is_initialized();
    grpc_init();
    if (is_first)
        stop_resolver_executor();
    pthread_mutex_unlock(&lock);
    rpc_signals_restore(&before);
}

void rpc_runtime_leave(void)
{
    sigset_t before;
    rpc_signals_block(&before);
    grpc_shutdown();
    rpc_signals_restore(&before);
}

grpc_arg rpc_arg_number(const char *key, int value)
{
    return (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)key, .value.integer = value};
}
