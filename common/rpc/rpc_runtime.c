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
    sigset_t before;
    rpc_signals_block(&before);
    pthread_once(&once, set_log_function);
    grpc_init();
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
