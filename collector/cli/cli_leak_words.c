/* heapfleet leaks ack, mute, unmute, mutes: what people say of leaks. */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* Who is at the keyboard. A service, or a container's shell, has no USER. */
static void append_user(struct buf *ret)
{
    const char *user = getenv("SUDO_USER");
    if (user == NULL || *user == '\0')
        user = getenv("USER");
    char texts[4096];
    struct passwd entry;
    struct passwd *found = NULL;
    if ((user == NULL || *user == '\0') &&
        getpwuid_r(geteuid(), &entry, texts, sizeof(texts), &found) == 0 && found != NULL)
        user = entry.pw_name;
    if (user != NULL && *user != '\0')
        buf_printf(ret, "%.100s", user);
    else
        buf_printf(ret, "uid %u", (unsigned)geteuid());
}

/* The user and the machine, unless --actor says another name. */
static char *actor_of(struct cli *cli)
{
    if (*cli->actor != '\0')
        return cli_string(cli->actor);
    char host[64] = "";
    (void)gethostname(host, sizeof(host) - 1);
    struct buf name = BUF_INIT;
    append_user(&name);
    buf_printf(&name, "@%s", host);
    char *text = arena_strndup(&cli->arena, buf_text(&name), name.size);
    ASSERT(text != NULL);
    buf_done(&name);
    return text;
}

enum status cli_leaks_ack(struct cli *cli, struct why *why)
{
    Heapfleet__V1__AcknowledgeLeakRequest request = HEAPFLEET__V1__ACKNOWLEDGE_LEAK_REQUEST__INIT;
    request.id = cli_string(cli->operands[0]);
    request.actor = actor_of(cli);
    request.note = cli_string(cli->text);
    ProtobufCMessage *message = NULL;
    enum status status =
        cli_tell(cli, "AcknowledgeLeak", &request.base,
                 &heapfleet__v1__acknowledge_leak_response__descriptor, &message, why);
    if (status != STATUS_OK)
        return status;
    const Heapfleet__V1__AcknowledgeLeakResponse *answer = (const void *)message;
    if (answer->leak != NULL)
        cli_line("acknowledged: %s in %s (%s)", answer->leak->type, answer->leak->service,
                 answer->leak->id);
    return STATUS_OK;
}

enum status cli_leaks_mute(struct cli *cli, struct why *why)
{
    Heapfleet__V1__MuteLeaksRequest request = HEAPFLEET__V1__MUTE_LEAKS_REQUEST__INIT;
    Heapfleet__V1__ServiceRef ref = cli_service_ref(cli, cli->operands[0]);
    if (*cli->text == '\0')
        return why_fail(why, STATUS_USAGE, "say why with --reason: somebody will ask");
    request.service = &ref;
    request.type = cli_string(cli->type);
    request.actor = actor_of(cli);
    request.reason = cli_string(cli->text);
    request.for_ms = cli->for_ms;
    ProtobufCMessage *message = NULL;
    enum status status = cli_tell(cli, "MuteLeaks", &request.base,
                                  &heapfleet__v1__mute_leaks_response__descriptor, &message, why);
    if (status != STATUS_OK)
        return status;
    const Heapfleet__V1__MuteLeaksResponse *answer = (const void *)message;
    struct buf span = BUF_INIT;
    if (cli->for_ms > 0) {
        buf_append_text(&span, "for ");
        report_format_number(&span, (double)cli->for_ms, REPORT_DURATION);
    } else {
        buf_append_text(&span, "until it is unmuted");
    }
    cli_line("muted: %s in %s, %s; open findings that it silences: %u",
             *cli->type != '\0' ? cli->type : "every type", cli->operands[0], buf_text(&span),
             answer->leaks);
    buf_done(&span);
    return STATUS_OK;
}

enum status cli_leaks_unmute(struct cli *cli, struct why *why)
{
    Heapfleet__V1__UnmuteLeaksRequest request = HEAPFLEET__V1__UNMUTE_LEAKS_REQUEST__INIT;
    Heapfleet__V1__ServiceRef ref = cli_service_ref(cli, cli->operands[0]);
    request.service = &ref;
    request.type = cli_string(cli->type);
    request.actor = actor_of(cli);
    ProtobufCMessage *message = NULL;
    enum status status = cli_tell(cli, "UnmuteLeaks", &request.base,
                                  &heapfleet__v1__unmute_leaks_response__descriptor, &message, why);
    if (status != STATUS_OK)
        return status;
    cli_line("unmuted: %s in %s", *cli->type != '\0' ? cli->type : "every type", cli->operands[0]);
    return STATUS_OK;
}

static const struct report_column mute_columns[] = {
    {"service", "SERVICE", REPORT_PLAIN}, {"environment", "ENVIRONMENT", REPORT_PLAIN},
    {"type", "TYPE", REPORT_PLAIN},       {"until", "UNTIL", REPORT_TIME},
    {"actor", "BY", REPORT_PLAIN},        {"reason", "BECAUSE", REPORT_PLAIN},
    {"created", "SINCE", REPORT_TIME},
};

enum status cli_leaks_mutes(struct cli *cli, struct why *why)
{
    Heapfleet__V1__ListMutesRequest request = HEAPFLEET__V1__LIST_MUTES_REQUEST__INIT;
    ProtobufCMessage *message = NULL;
    enum status status = cli_ask(cli, "ListMutes", &request.base,
                                 &heapfleet__v1__list_mutes_response__descriptor, &message, why);
    if (status != STATUS_OK)
        return status;
    const Heapfleet__V1__ListMutesResponse *answer = (const void *)message;
    struct report report;
    report_begin(&report, cli->format, mute_columns, ARRAY_SIZE(mute_columns));
    report_hide_if_empty(&report, "environment");
    for (size_t i = 0; i < answer->n_mutes; i++) {
        const Heapfleet__V1__Mute *mute = answer->mutes[i];
        report_text(&report, mute->service);
        report_text(&report, mute->environment);
        report_text(&report, cli_is_table(cli) && *mute->type == '\0' ? "(all)" : mute->type);
        if (cli_is_table(cli) && mute->until_ms == 0)
            report_text(&report, "unmuted");
        else
            report_int(&report, mute->until_ms);
        report_text(&report, mute->actor);
        report_text(&report, mute->reason);
        report_int(&report, mute->created_ms);
    }
    report_end(&report, "nothing is muted");
    return STATUS_OK;
}
