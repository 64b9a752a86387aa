#include "doctor_command.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "attributes.h"
#include "diagnosis.h"
#include "facts.h"
#include "options.h"
#include "parse.h"
#include "report.h"

enum { SURVEY_MAX = 100 };

static const char *const verdicts[] = {
    [DOCTOR_OK] = "ok", [DOCTOR_NOTE] = "note", [DOCTOR_BAD] = "BAD"};

struct remedy {
    const char *where, *text;
};

/* For people: a line a check, and under a bad one what to do. */
static void print_text(const struct doctor_finding *findings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct doctor_finding *finding = &findings[i];
        struct why clean; /* names of processes may hold anything */
        why_set(&clean, "%s", finding->text);
        printf("%-4s  %-10s  %s\n", verdicts[finding->verdict], finding->check, clean.text);
        const struct remedy remedies[] = {
            {"fix", finding->general},
            {"Docker", finding->docker},
            {"Kubernetes", finding->kubernetes},
            {"systemd", finding->systemd},
        };
        for (size_t j = 0; j < ARRAY_SIZE(remedies) && finding->verdict == DOCTOR_BAD; j++) {
            if (remedies[j].text != NULL)
                printf("      %-10s  %s\n", remedies[j].where, remedies[j].text);
        }
    }
}

static void print_report(const struct doctor_finding *findings, size_t count,
                         enum report_format format)
{
    static const struct report_column columns[] = {
        {"check", "CHECK", REPORT_PLAIN},     {"verdict", "VERDICT", REPORT_PLAIN},
        {"finding", "FINDING", REPORT_PLAIN}, {"fix", "FIX", REPORT_PLAIN},
        {"docker", "DOCKER", REPORT_PLAIN},   {"kubernetes", "KUBERNETES", REPORT_PLAIN},
        {"systemd", "SYSTEMD", REPORT_PLAIN},
    };
    static const char *const words[] = {
        [DOCTOR_OK] = "ok", [DOCTOR_NOTE] = "note", [DOCTOR_BAD] = "bad"};
    struct report report;
    report_begin(&report, format, columns, ARRAY_SIZE(columns));
    for (size_t i = 0; i < count; i++) {
        const struct doctor_finding *finding = &findings[i];
        const char *const texts[] = {finding->general, finding->docker, finding->kubernetes,
                                     finding->systemd};
        report_text(&report, finding->check);
        report_text(&report, words[finding->verdict]);
        report_text(&report, finding->text);
        for (size_t j = 0; j < ARRAY_SIZE(texts); j++)
            report_text(&report,
                        texts[j] == NULL || finding->verdict != DOCTOR_BAD ? "" : texts[j]);
    }
    report_end(&report, "");
}

static enum status examine(pid_t pid, const char *output, struct why *why)
{
    enum report_format format = REPORT_TABLE;
    struct doctor_facts facts;
    struct doctor_finding findings[DOCTOR_FINDINGS_MAX + SURVEY_MAX];
    enum status status = report_format_parse(output, &format, why);
    if (status == STATUS_OK)
        status = doctor_gather(pid, &facts, why);
    if (status != STATUS_OK)
        return status;
    size_t count = doctor_diagnose(&facts, findings);
    if (pid == 0)
        count += doctor_survey(findings + count, SURVEY_MAX);
    if (format == REPORT_TABLE)
        print_text(findings, count);
    else
        print_report(findings, count, format);
    status = doctor_outcome(&facts, findings, count);
    why_set(why, "%s", ""); /* all has been said */
    return status;
}

int doctor_command(int argc, char **argv)
{
    const char *output = "table";
    int help = 0;
    const struct option options[] = {
        {"output", 'o', OPTION_TEXT, &output, "FORMAT", "table, json or csv", "table"},
        {"help", 'h', OPTION_FLAG, &help, NULL, "this text", NULL},
        {0},
    };
    const char *operand = NULL;
    struct why why = {""};
    int operands = 0;
    int rest = argc;
    uint64_t pid = 0;
    enum status status = options_parse(options, argc, argv, &operand, 1, &operands, &rest, &why);
    if (status == STATUS_OK && help) {
        printf(
            "usage: heapfleet-agent doctor [PID] [OPTION ...]\n\n"
            "Check what counting a process needs: user, dumpable, Yama, capability, seccomp,\n"
            "namespaces, version. For what is wrong, print the fix for Docker, Kubernetes and\n"
            "systemd. Without a PID, what holds for the whole machine, and whether each Python on\n"
            "it can be counted. Exit codes: 0 all is well, 3 no such process, 4 no permission,\n"
            "5 not a Python that can be counted, 7 some of the machine's can and some cannot.\n\n");
        options_print_help(options);
        return 0;
    }
    if (status == STATUS_OK && operands == 1 && parse_u64(operand, 1, INT_MAX, &pid) != STATUS_OK)
        status = why_fail(&why, STATUS_USAGE, "cannot use \"%s\" as a process id", operand);
    if (status == STATUS_OK)
        status = examine((pid_t)pid, output, &why);
    if (status != STATUS_OK && why.text[0] != '\0')
        fprintf(stderr, "heapfleet-agent doctor: %s\n", why.text);
    return status_exit_code(status);
}
