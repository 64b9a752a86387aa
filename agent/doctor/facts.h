/* Gathering what doctor_diagnose wants to know, from /proc and by trying. */
#ifndef AGENT_DOCTOR_FACTS_H
#define AGENT_DOCTOR_FACTS_H

#include <sys/types.h>

#include "diagnosis.h"
#include "status.h"
#include "why.h"

/* pid 0: of the machine and ourselves only. FAILED when there is no /proc to ask. */
enum status doctor_gather(pid_t pid, struct doctor_facts *ret, struct why *why) MUST_CHECK;

/*
 * Try every process that is, or by its name seems to be, a Python: one finding each, at most
 * `most`. Returns how many.
 */
size_t doctor_survey(struct doctor_finding *ret, size_t most);

#endif
