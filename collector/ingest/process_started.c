#include "process_started.h"

#include <string.h>

#include "json.h"

typedef Heapfleet__V1__ProcessStarted started_message;

static enum status check_text(const char *name, const char *text,
                              const struct session_limits *limits, struct why *why)
{
    if (strnlen(text, (size_t)limits->text_bytes_max + 1) > limits->text_bytes_max)
        return why_fail(why, STATUS_LIMIT, "the %s of the process is longer than %u bytes", name,
                        limits->text_bytes_max);
    return STATUS_OK;
}

static enum status check_texts(const started_message *started, const struct session_limits *limits,
                               struct why *why)
{
    const struct {
        const char *name, *text;
    } texts[] = {
        {"service", started->service},
        {"service namespace", started->service_namespace},
        {"version", started->version},
        {"environment", started->environment},
        {"host", started->host},
        {"pod", started->pod},
        {"container id", started->container_id},
        {"image", started->image},
        {"runtime", started->runtime},
        {"runtime version", started->runtime_version},
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        enum status status = check_text(texts[i].name, texts[i].text, limits, why);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status check_attributes(const started_message *started,
                                    const struct session_limits *limits, struct why *why)
{
    if (started->n_attributes > limits->attributes_max)
        return why_fail(why, STATUS_LIMIT, "the process has more than %u attributes",
                        limits->attributes_max);
    for (size_t i = 0; i < started->n_attributes; i++) {
        enum status status = check_text("attribute", started->attributes[i]->key, limits, why);
        if (status == STATUS_OK)
            status = check_text("attribute", started->attributes[i]->value, limits, why);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

enum status process_started_check(const started_message *started,
                                  const struct session_limits *limits, int64_t now_ms,
                                  struct why *why)
{
    if (started->service[0] == '\0')
        return why_fail(why, STATUS_INVALID, "the process has no service name");
    if (started->started_ms <= 0)
        return why_fail(why, STATUS_INVALID, "the process has no start time");
    if (started->started_ms > now_ms + limits->clock_ahead_ms)
        return why_fail(why, STATUS_INVALID,
                        "the process started in the future: set the clock of its host");
    enum status status = check_texts(started, limits, why);
    return status == STATUS_OK ? check_attributes(started, limits, why) : status;
}

static void append_attributes(const started_message *started, struct buf *json)
{
    buf_append_byte(json, '{');
    for (size_t i = 0; i < started->n_attributes; i++) {
        const Heapfleet__V1__Attribute *attribute = started->attributes[i];
        if (i > 0)
            buf_append_byte(json, ',');
        json_append_string(json, attribute->key, strlen(attribute->key));
        buf_append_byte(json, ':');
        json_append_string(json, attribute->value, strlen(attribute->value));
    }
    buf_append_byte(json, '}');
}

void process_started_visit(const started_message *started, int64_t clock_behind_ms,
                           void (*visit)(void *user, const struct process_identity *identity),
                           void *user)
{
    struct buf attributes = BUF_INIT;
    append_attributes(started, &attributes);
    struct process_identity identity = {
        .service = started->service,
        .service_namespace = started->service_namespace,
        .environment = started->environment,
        .version = started->version,
        .host = started->host,
        .pod = started->pod,
        .container_id = started->container_id,
        .image = started->image,
        .runtime = started->runtime,
        .runtime_version = started->runtime_version,
        .pid = started->pid,
        .started_ms = started->started_ms,
        .clock_behind_ms = clock_behind_ms,
        .attributes_json = buf_text(&attributes),
    };
    memcpy(identity.instance_uuid, started->instance_id.data, ID_BYTES);
    visit(user, &identity);
    buf_done(&attributes);
}
