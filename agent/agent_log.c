#include "agent_log.h"

#include "diagnosis.h"
#include "facts.h"
#include "log.h"

void agent_log_obstacles(void)
{
    struct doctor_facts facts;
    struct doctor_finding findings[DOCTOR_FINDINGS_MAX];
    if (doctor_gather(0, &facts, NULL) != STATUS_OK)
        return;
    size_t count = doctor_diagnose(&facts, findings);
    for (size_t i = 0; i < count; i++) {
        if (findings[i].verdict == DOCTOR_BAD)
            log_event(LOG_WARN, "machine.obstacle", "check=%s reason=\"%s; %s\"", findings[i].check,
                      findings[i].text, findings[i].general);
    }
}

void agent_log_spool_changed(void *user, const char *reason)
{
    (void)user;
    if (reason == NULL)
        log_event(LOG_INFO, "spool.writable", NULL);
    else
        log_event(LOG_WARN, "spool.unwritable",
                  "reason=\"%s\" action=\"what waits is kept in memory\"", reason);
}

void agent_log_spool_restored(void *user, const struct spool_restored *restored, size_t runs)
{
    (void)user;
    if (restored->facts > 0)
        log_event(LOG_INFO, "spool.restored", "runs=%zu facts=%zu", runs, restored->facts);
    if (restored->refused > 0 || restored->why.text[0] != '\0')
        log_event(LOG_WARN, "spool.damaged", "facts=%zu bytes=%llu reason=\"%s\"",
                  restored->refused, (unsigned long long)restored->lost_bytes,
                  restored->why.text[0] != '\0' ? restored->why.text : "facts that are not whole");
}

void agent_log_given_up(void *user, size_t facts, const char *reason)
{
    (void)user;
    log_event(LOG_ERROR, "spool.given_up", "facts=%zu reason=\"%s\"", facts, reason);
}
