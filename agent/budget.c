#include "budget.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void fill(struct budget *budget, int64_t now_ms)
{
    double most = budget->share * BUDGET_WINDOW_MS;
    if (now_ms > budget->last_ms)
        budget->balance_ms += budget->share * (double)(now_ms - budget->last_ms);
    if (budget->balance_ms > most)
        budget->balance_ms = most;
    budget->last_ms = now_ms;
}

void budget_init(struct budget *budget, double share, int64_t now_ms)
{
    *budget =
        (struct budget){.share = share, .balance_ms = share * BUDGET_WINDOW_MS, .last_ms = now_ms};
}

void budget_spend(struct budget *budget, double cpu_ms, int64_t now_ms)
{
    fill(budget, now_ms);
    budget->balance_ms -= cpu_ms;
}

int64_t budget_wait_ms(struct budget *budget, int64_t now_ms)
{
    fill(budget, now_ms);
    if (budget->balance_ms >= 0)
        return 0;
    double wait = -budget->balance_ms / budget->share;
    return wait < 1 ? 1 : (int64_t)ceil(wait);
}

enum status budget_parse_share(const char *text, double *ret, struct why *why)
{
    size_t digits = strspn(text, "0123456789.");
    char *end = NULL;
    double percent = strtod(text, &end);
    if (digits == 0 || digits > 12 || end != text + digits || strcmp(end, "%") != 0 ||
        !(percent >= 0.01 && percent <= 100)) {
        return why_fail(
            why, STATUS_USAGE,
            "cannot use \"%s\" as a CPU budget: a share of one core from 0.01%% to 100%% "
            "is wanted, such as 0.5%%",
            text);
    }
    *ret = percent / 100;
    return STATUS_OK;
}
