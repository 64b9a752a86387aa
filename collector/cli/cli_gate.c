/* heapfleet gate: may a version go on? For pipelines: the exit code is the answer. */
#include "cli.h"

static const struct report_column columns[] = {
    {"outcome", "", REPORT_PLAIN},
    {"reason", "", REPORT_PLAIN},
    {"uptime_ms", "", REPORT_PLAIN},
    {"types", "", REPORT_PLAIN},
};

static const char *outcome_name(Heapfleet__V1__JudgeDeploymentResponse__Outcome outcome)
{
    if (outcome == HEAPFLEET__V1__JUDGE_DEPLOYMENT_RESPONSE__OUTCOME__LEAK)
        return "leak";
    if (outcome == HEAPFLEET__V1__JUDGE_DEPLOYMENT_RESPONSE__OUTCOME__CLEAN)
        return "clean";
    return "too early";
}

static void print_answer(struct cli *cli, const Heapfleet__V1__JudgeDeploymentResponse *answer)
{
    const char **types = arena_must(&cli->arena, (answer->n_leaks + 1) * sizeof(*types));
    for (size_t i = 0; i < answer->n_leaks; i++)
        types[i] = answer->leaks[i]->type;
    if (cli_is_table(cli)) {
        cli_line("%s: %s", outcome_name(answer->outcome), answer->reason);
        for (size_t i = 0; i < answer->n_leaks; i++)
            cli_line("  %s: %s", types[i], answer->leaks[i]->reason);
        return;
    }
    struct report report;
    report_begin(&report, cli->format, columns, ARRAY_SIZE(columns));
    report_text(&report, outcome_name(answer->outcome));
    report_text(&report, answer->reason);
    report_int(&report, answer->uptime_ms);
    report_texts(&report, types, answer->n_leaks);
    report_end(&report, NULL);
}

enum status cli_gate(struct cli *cli, struct why *why)
{
    if (*cli->baseline == '\0' || *cli->candidate == '\0')
        return why_fail(why, STATUS_USAGE,
                        "name two versions: --baseline V1, the old one, and --candidate V2");
    Heapfleet__V1__JudgeDeploymentRequest request = HEAPFLEET__V1__JUDGE_DEPLOYMENT_REQUEST__INIT;
    Heapfleet__V1__ServiceRef ref = cli_service_ref(cli, cli->operands[0]);
    request.service = &ref;
    request.baseline = cli_string(cli->baseline);
    request.candidate = cli_string(cli->candidate);
    request.min_uptime_ms = cli->min_uptime_ms;
    ProtobufCMessage *message = NULL;
    enum status status =
        cli_ask(cli, "JudgeDeployment", &request.base,
                &heapfleet__v1__judge_deployment_response__descriptor, &message, why);
    if (status != STATUS_OK)
        return status;
    const Heapfleet__V1__JudgeDeploymentResponse *answer = (const void *)message;
    print_answer(cli, answer);
    if (answer->outcome == HEAPFLEET__V1__JUDGE_DEPLOYMENT_RESPONSE__OUTCOME__LEAK)
        cli->exit_code = EXIT_LEAK_FOUND;
    else if (answer->outcome != HEAPFLEET__V1__JUDGE_DEPLOYMENT_RESPONSE__OUTCOME__CLEAN)
        cli->exit_code = EXIT_TOO_EARLY;
    return STATUS_OK;
}
