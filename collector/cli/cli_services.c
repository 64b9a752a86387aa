/* heapfleet services, heapfleet deployments */
#include "cli.h"

/* ---- services ------------------------------------------------------------------------------- */

static const struct report_column service_columns[] = {
    {"service", "SERVICE", REPORT_PLAIN},
    {"environment", "ENVIRONMENT", REPORT_PLAIN},
    {"service_namespace", "NAMESPACE", REPORT_PLAIN},
    {"latest_version", "VERSION", REPORT_PLAIN},
    {"live_instances", "LIVE", REPORT_PLAIN},
    {"instances", "TOTAL", REPORT_PLAIN},
    {"objects", "OBJECTS", REPORT_PLAIN},
    {"bytes", "BYTES", REPORT_BYTES},
    {"leaks", "LEAKS", REPORT_PLAIN},
    {"last_seen", "LAST SEEN", REPORT_TIME},
};

enum status cli_services(struct cli *cli, struct why *why)
{
    Heapfleet__V1__ListServicesRequest request = HEAPFLEET__V1__LIST_SERVICES_REQUEST__INIT;
    request.environment = cli_string(cli->environment);
    ProtobufCMessage *message = NULL;
    enum status status = cli_ask(cli, "ListServices", &request.base,
                                 &heapfleet__v1__list_services_response__descriptor, &message, why);
    if (status != STATUS_OK)
        return status;
    const Heapfleet__V1__ListServicesResponse *answer = (const void *)message;
    struct report report;
    report_begin(&report, cli->format, service_columns, ARRAY_SIZE(service_columns));
    report_hide_if_empty(&report, "environment");
    report_hide_if_empty(&report, "service_namespace");
    for (size_t i = 0; i < answer->n_services; i++) {
        const Heapfleet__V1__Service *service = answer->services[i];
        report_text(&report, service->name);
        report_text(&report, service->environment);
        report_text(&report, service->service_namespace);
        report_text(&report, service->latest_version);
        report_uint(&report, service->live_instances);
        report_uint(&report, service->instances);
        report_uint(&report, service->objects);
        report_uint(&report, service->bytes);
        report_uint(&report, service->leaks);
        report_int(&report, service->last_seen_ms);
    }
    report_end(&report, *cli->environment != '\0'
                            ? "no service has reported from this environment"
                            : "no service has reported yet: start heapfleet-agent beside one");
    return STATUS_OK;
}

/* ---- deployments ---------------------------------------------------------------------------- */

static const struct report_column deployment_columns[] = {
    {"version", "VERSION", REPORT_PLAIN},     {"live_instances", "LIVE", REPORT_PLAIN},
    {"instances", "TOTAL", REPORT_PLAIN},     {"objects", "OBJECTS", REPORT_PLAIN},
    {"bytes", "BYTES", REPORT_BYTES},         {"bytes_per_hour", "GROWTH", REPORT_BYTE_RATE},
    {"oom_kills", "OOM KILLS", REPORT_PLAIN}, {"first_seen", "FIRST SEEN", REPORT_TIME},
    {"last_seen", "LAST SEEN", REPORT_TIME},
};

enum status cli_deployments(struct cli *cli, struct why *why)
{
    Heapfleet__V1__ListDeploymentsRequest request = HEAPFLEET__V1__LIST_DEPLOYMENTS_REQUEST__INIT;
    Heapfleet__V1__ServiceRef ref = cli_service_ref(cli, cli->operands[0]);
    request.service = &ref;
    ProtobufCMessage *message = NULL;
    enum status status =
        cli_ask(cli, "ListDeployments", &request.base,
                &heapfleet__v1__list_deployments_response__descriptor, &message, why);
    if (status != STATUS_OK)
        return status;
    const Heapfleet__V1__ListDeploymentsResponse *answer = (const void *)message;
    struct report report;
    report_begin(&report, cli->format, deployment_columns, ARRAY_SIZE(deployment_columns));
    for (size_t i = 0; i < answer->n_deployments; i++) {
        const Heapfleet__V1__Deployment *row = answer->deployments[i];
        report_text(&report, row->version);
        report_uint(&report, row->live_instances);
        report_uint(&report, row->instances);
        report_uint(&report, row->objects);
        report_uint(&report, row->bytes);
        report_double(&report, row->bytes_per_hour);
        report_uint(&report, row->oom_kills);
        report_int(&report, row->first_seen_ms);
        report_int(&report, row->last_seen_ms);
    }
    report_end(&report, "no process of this service has been seen yet");
    return STATUS_OK;
}
