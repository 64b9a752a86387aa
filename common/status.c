#include "status.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *name;
    int exit_code;
} rows[] = {
#define X(name, exit_code, reaction) {#name, exit_code},
    STATUS_MAP(X)
#undef X
};

const char *status_name(enum status status)
{
    ASSERT((unsigned)status < ARRAY_SIZE(rows));
    return rows[status].name;
}

int status_exit_code(enum status status)
{
    ASSERT((unsigned)status < ARRAY_SIZE(rows));
    return rows[status].exit_code;
}

void assert_failed(const char *condition, const char *file, int line, const char *function)
{
    (void)fprintf(stderr, "%s:%d: %s: this is a bug in heapfleet: %s does not hold\n", file, line,
                  function, condition);
    abort();
}
