#include "rpc_runtime.h"

#include <grpc/support/cpu.h>
#include <grpc/support/log.h>
#include <pthread.h>
#include <sched.h>

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

/* Every failure that matters reaches its caller as a status; what gRPC adds is for debugging. */
static void log_of_grpc(gpr_log_func_args *args)
{
    log_event(LOG_DEBUG, "grpc", "message=\"%s\"", args->message);
}

static void set_log_function(void)
{
    gpr_set_log_function(log_of_grpc);
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
