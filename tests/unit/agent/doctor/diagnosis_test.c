#include "diagnosis.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "facts.h"

#define SYS_PTRACE ((uint64_t)1 << 19)
#define DAC_READ_SEARCH ((uint64_t)1 << 2)

/* A process of our own user on a machine where nothing is in the way. */
static struct doctor_facts healthy(void)
{
    struct doctor_facts facts = {
        .uid = 1000,
        .yama_scope = -1,
        .pid = 42,
        .exists = 1,
        .comm = "python3",
        .target_uid = 1000,
        .target_effective_uid = 1000,
        .dumpable = 1,
        .same_user_namespace = 1,
        .same_pid_namespace = 1,
        .python = "3.11.2",
        .objects = 12345,
    };
    return facts;
}

static struct doctor_facts denied(void)
{
    struct doctor_facts facts = healthy();
    facts.find_status = STATUS_DENIED;
    return facts;
}

/* The names of the bad ones, with blanks between. */
static const char *bad_ones(const struct doctor_facts *facts, enum status *ret_outcome)
{
    static char names[256];
    struct doctor_finding findings[DOCTOR_FINDINGS_MAX];
    size_t count = doctor_diagnose(facts, findings);
    names[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        assert_true(findings[i].text[0] != '\0');
        if (findings[i].verdict != DOCTOR_BAD)
            continue;
        snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
                 names[0] == '\0' ? "" : " ", findings[i].check);
    }
    *ret_outcome = doctor_outcome(facts, findings, count);
    return names;
}

static void expect(const struct doctor_facts *facts, const char *bad, enum status outcome)
{
    enum status status = STATUS_OK;
    assert_string_equal(bad_ones(facts, &status), bad);
    assert_int_equal(status, outcome);
}

static void all_is_well(void **state)
{
    (void)state;
    struct doctor_facts facts = healthy();
    expect(&facts, "", STATUS_OK);
    facts.run_status = STATUS_PARTIAL;
    expect(&facts, "", STATUS_OK);
}

static void another_user(void **state)
{
    (void)state;
    struct doctor_facts facts = denied();
    facts.target_uid = 0;
    expect(&facts, "user", STATUS_DENIED);
    facts = denied();
    facts.target_effective_uid = 0; /* setuid */
    expect(&facts, "user", STATUS_DENIED);
    facts.find_status = STATUS_OK;
    facts.capabilities = SYS_PTRACE;
    expect(&facts, "", STATUS_OK);
}

/* A capability over memory is none over files. */
static void another_users_files(void **state)
{
    (void)state;
    struct doctor_facts facts = denied();
    facts.target_uid = facts.target_effective_uid = 2000;
    facts.capabilities = SYS_PTRACE;
    expect(&facts, "files", STATUS_DENIED);
    facts.uid = 0; /* root without capabilities is as anybody */
    expect(&facts, "files", STATUS_DENIED);
    facts.dumpable = 0; /* but then the files are root's */
    expect(&facts, "module", STATUS_DENIED);
    facts.uid = 1000;
    facts.capabilities |= DAC_READ_SEARCH;
    expect(&facts, "module", STATUS_DENIED);
    facts.find_status = STATUS_OK;
    expect(&facts, "", STATUS_OK);
}

static void not_dumpable(void **state)
{
    (void)state;
    struct doctor_facts facts = denied();
    facts.dumpable = 0;
    expect(&facts, "dumpable", STATUS_DENIED);
}

static void yama_in_each_scope(void **state)
{
    (void)state;
    struct doctor_facts facts = denied();
    facts.yama_scope = 1;
    expect(&facts, "yama", STATUS_DENIED);
    facts.yama_scope = 2;
    facts.descends_from_us = 1;
    expect(&facts, "yama", STATUS_DENIED);
    facts.yama_scope = 3;
    facts.capabilities = SYS_PTRACE;
    expect(&facts, "yama", STATUS_DENIED);
    facts.find_status = STATUS_OK;
    facts.yama_scope = 2;
    expect(&facts, "", STATUS_OK);
    facts.capabilities = 0;
    facts.yama_scope = 1;
    expect(&facts, "", STATUS_OK);
}

static void a_capability_of_another_namespace(void **state)
{
    (void)state;
    struct doctor_facts facts = denied();
    facts.capabilities = SYS_PTRACE;
    facts.same_user_namespace = 0;
    facts.target_uid = facts.target_effective_uid = 100000;
    expect(&facts, "user capability", STATUS_DENIED);
}

static void a_filtered_system_call(void **state)
{
    (void)state;
    struct doctor_facts facts = denied();
    facts.self_read_error = EPERM;
    expect(&facts, "seccomp", STATUS_DENIED);
    facts.pid = 0; /* the machine alone shows it */
    expect(&facts, "seccomp", STATUS_DENIED);
}

static void the_last_suspect_is_a_security_module(void **state)
{
    (void)state;
    struct doctor_facts facts = denied();
    snprintf(facts.target_label, sizeof(facts.target_label), "docker-default (enforce)");
    expect(&facts, "module", STATUS_DENIED);
}

static void the_attempt_is_the_proof(void **state)
{
    (void)state;
    struct doctor_facts facts = healthy(); /* it worked, whatever the rules say */
    facts.target_uid = 0;
    facts.yama_scope = 2;
    expect(&facts, "", STATUS_OK);
}

static void not_a_python_or_an_unknown_one(void **state)
{
    (void)state;
    struct doctor_facts facts = healthy();
    facts.find_status = STATUS_UNSUPPORTED;
    why_set(&facts.why, "it runs /bin/sleep");
    expect(&facts, "python", STATUS_UNSUPPORTED);
    facts = healthy();
    facts.new_status = STATUS_UNSUPPORTED;
    why_set(&facts.why, "CPython 3.99 is not known");
    expect(&facts, "python", STATUS_UNSUPPORTED);
    facts = healthy();
    facts.run_status = STATUS_GONE;
    why_set(&facts.why, "it has ended");
    expect(&facts, "census", STATUS_GONE);
}

static void no_such_process(void **state)
{
    (void)state;
    struct doctor_facts facts = {.pid = 42, .yama_scope = -1};
    expect(&facts, "process", STATUS_NOT_FOUND);
    facts.hidepid = 1;
    expect(&facts, "proc process", STATUS_NOT_FOUND);
}

static void a_survey_is_partial_when_some_can_be_counted(void **state)
{
    (void)state;
    struct doctor_facts machine = {.yama_scope = -1};
    struct doctor_facts good = healthy();
    struct doctor_facts bad = denied();
    why_set(&bad.why, "may not");
    struct doctor_finding findings[2];
    doctor_judge_process(&good, &findings[0]);
    doctor_judge_process(&bad, &findings[1]);
    assert_int_equal(doctor_outcome(&machine, findings, 1), STATUS_OK);
    assert_int_equal(doctor_outcome(&machine, findings, 2), STATUS_PARTIAL);
    assert_int_equal(doctor_outcome(&machine, findings + 1, 1), STATUS_DENIED);
    assert_string_equal(findings[1].general, "heapfleet-agent doctor 42 says what is in the way");
}

/* Whatever the facts: every bad finding says what to do, and nothing overflows. */
static void every_bad_finding_has_a_remedy(void **state)
{
    (void)state;
    uint32_t random = 1;
    for (int round = 0; round < 20000; round++) {
        struct doctor_facts facts = healthy();
        random = random * 1664525u + 1013904223u;
        uint32_t bits = random >> 4;
        facts.capabilities = bits & 1 ? SYS_PTRACE : 0;
        facts.self_read_error = bits & 2 ? ENOSYS : 0;
        facts.yama_scope = (int)(bits >> 2 & 3) - 1 + (int)(bits >> 4 & 1);
        facts.hidepid = (int)(bits >> 5 & 1);
        facts.exists = (int)(bits >> 6 & 7) != 0;
        facts.target_uid = bits >> 9 & 1 ? 0 : 1000;
        facts.dumpable = (int)(bits >> 10 & 3) - 1 > 1 ? 0 : (int)(bits >> 10 & 3) - 1;
        facts.same_user_namespace = (int)(bits >> 12 & 1);
        facts.descends_from_us = (int)(bits >> 13 & 1);
        facts.find_status = bits >> 14 & 1 ? STATUS_DENIED : STATUS_OK;
        memset(facts.label, 'x', sizeof(facts.label) - 1);
        memset(facts.target_label, 'y', sizeof(facts.target_label) - 1);
        struct doctor_finding findings[DOCTOR_FINDINGS_MAX];
        size_t count = doctor_diagnose(&facts, findings);
        int bad = 0;
        for (size_t i = 0; i < count; i++) {
            assert_true(findings[i].verdict != DOCTOR_BAD || findings[i].general != NULL);
            bad += findings[i].verdict == DOCTOR_BAD;
        }
        assert_true(bad > 0 || facts.find_status == STATUS_OK);
        assert_int_equal(doctor_outcome(&facts, findings, count) != STATUS_OK, bad > 0);
    }
}

static void gathers_from_this_machine(void **state)
{
    (void)state;
    struct doctor_facts facts;
    assert_int_equal(doctor_gather(getpid(), &facts, NULL), STATUS_OK);
    assert_true(facts.exists && facts.same_pid_namespace == 1 && facts.same_user_namespace == 1);
    assert_int_equal(facts.target_uid, getuid());
    assert_string_equal(facts.comm, "diagnosis_test");
    assert_int_equal(facts.find_status, STATUS_UNSUPPORTED);
    assert_int_equal(doctor_gather(0, &facts, NULL), STATUS_OK);
    assert_int_equal(facts.self_read_error, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_well),
        cmocka_unit_test(another_user),
        cmocka_unit_test(another_users_files),
        cmocka_unit_test(not_dumpable),
        cmocka_unit_test(yama_in_each_scope),
        cmocka_unit_test(a_capability_of_another_namespace),
        cmocka_unit_test(a_filtered_system_call),
        cmocka_unit_test(the_last_suspect_is_a_security_module),
        cmocka_unit_test(the_attempt_is_the_proof),
        cmocka_unit_test(not_a_python_or_an_unknown_one),
        cmocka_unit_test(no_such_process),
        cmocka_unit_test(a_survey_is_partial_when_some_can_be_counted),
        cmocka_unit_test(every_bad_finding_has_a_remedy),
        cmocka_unit_test(gathers_from_this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
