/*
 * How much CPU time the agent may take: a share of one core, averaged over ten minutes. An account
 * that fills with time and that each census draws on; while it is overdrawn, the next one waits.
 * Pure: times are arguments.
 */
#ifndef AGENT_BUDGET_H
#define AGENT_BUDGET_H

#include <stdint.h>

#include "status.h"
#include "why.h"

enum { BUDGET_WINDOW_MS = 10 * 60 * 1000 };

struct budget {
    double share;      /* of one core; 1 is all of it */
    double balance_ms; /* of CPU time; may be negative */
    int64_t last_ms;
};

/* Full at the start: a first look at everything is not held up. */
void budget_init(struct budget *budget, double share, int64_t now_ms);
void budget_spend(struct budget *budget, double cpu_ms, int64_t now_ms);
/* Milliseconds until the account is no longer overdrawn; 0: now. */
int64_t budget_wait_ms(struct budget *budget, int64_t now_ms);

/* "0.5%", "50%", "100%". STATUS_USAGE otherwise. */
enum status budget_parse_share(const char *text, double *ret, struct why *why) MUST_CHECK;

#endif
