#include "query_find.h"

#include <stdio.h>

#include "suggest.h"

enum { NAMES_MAX = 8, INSTANCE_DIGITS_MIN = 4 };

/* ---- sentences ------------------------------------------------------------------------------ */

/* "a, b, c and 4 more" */
struct name_list {
    struct buf text;
    size_t count;
};

static void list_name(struct name_list *list, const char *name)
{
    if (list->count < NAMES_MAX)
        buf_printf(&list->text, "%s'%s'", list->count > 0 ? ", " : "", name);
    list->count++;
}

static const char *list_end(struct name_list *list)
{
    if (list->count > NAMES_MAX)
        buf_printf(&list->text, " and %zu more", list->count - NAMES_MAX);
    return buf_text(&list->text);
}

/* The nearest of the names offered so far to the one that does not exist. */
struct nearest {
    const char *word, *name;
    int distance;
};

static void offer(struct nearest *nearest, const char *name)
{
    int distance = suggest_distance(nearest->word, name);
    if (distance < nearest->distance) {
        nearest->distance = distance;
        nearest->name = name;
    }
}

/* ---- services ------------------------------------------------------------------------------- */

int query_wants(const char *wanted, const char *text)
{
    return *wanted == '\0' || strcmp(wanted, text) == 0 ||
           (*text == '\0' && strcmp(wanted, QUERY_NONE) == 0);
}

int query_matches(const Heapfleet__V1__ServiceRef *ref, const char *name, const char *environment,
                  const char *service_namespace)
{
    return ref == NULL ||
           (query_wants(ref->name, name) && query_wants(ref->environment, environment) &&
            query_wants(ref->service_namespace, service_namespace));
}

static enum status no_such_service(const char *name, const struct service_row *rows, size_t count,
                                   struct why *why)
{
    struct nearest nearest = {.word = name, .distance = SUGGEST_FAR};
    struct name_list list = {0};
    const char *last = "";
    for (size_t i = 0; i < count; i++) {
        offer(&nearest, rows[i].name);
        if (strcmp(rows[i].name, last) != 0)
            list_name(&list, rows[i].name);
        last = rows[i].name;
    }
    if (count == 0)
        why_set(why, "there is no service '%s': no service has reported yet", name);
    else if (nearest.name != NULL && strcmp(nearest.name, name) == 0)
        why_set(why, "there is a service '%s', but not in that environment or namespace", name);
    else if (nearest.name != NULL)
        why_set(why, "there is no service '%s': did you mean '%s'?", name, nearest.name);
    else
        why_set(why, "there is no service '%s': there is %s", name, list_end(&list));
    buf_done(&list.text);
    return STATUS_NOT_FOUND;
}

static enum status several_services(const Heapfleet__V1__ServiceRef *ref,
                                    const struct service_row *rows, size_t count, struct why *why)
{
    struct name_list list = {0};
    int namespaces = 0;
    const struct service_row *first = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!query_matches(ref, rows[i].name, rows[i].environment, rows[i].service_namespace))
            continue;
        if (first == NULL)
            first = &rows[i];
        if (strcmp(rows[i].service_namespace, first->service_namespace) != 0)
            namespaces = 1;
    }
    for (size_t i = 0; i < count; i++) {
        const char *name = namespaces ? rows[i].service_namespace : rows[i].environment;
        if (query_matches(ref, rows[i].name, rows[i].environment, rows[i].service_namespace))
            list_name(&list, *name != '\0' ? name : QUERY_NONE);
    }
    why_set(why, "service '%s' is in several %s: %s; name one of them", ref->name,
            namespaces ? "namespaces" : "environments", list_end(&list));
    buf_done(&list.text);
    return STATUS_INVALID;
}

enum status query_find_service(struct query *query, const Heapfleet__V1__ServiceRef *ref,
                               struct service_row *ret, struct why *why)
{
    if (ref == NULL || *ref->name == '\0')
        return why_fail(why, STATUS_INVALID, "the request names no service");
    struct service_row *rows = NULL;
    size_t count = 0;
    enum status status = service_list(query->db, query->arena, &rows, &count, why);
    if (status != STATUS_OK)
        return status;
    const struct service_row *found = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!query_matches(ref, rows[i].name, rows[i].environment, rows[i].service_namespace))
            continue;
        if (found != NULL)
            return several_services(ref, rows, count, why);
        found = &rows[i];
    }
    if (found == NULL)
        return no_such_service(ref->name, rows, count, why);
    *ret = *found;
    return STATUS_OK;
}

enum status query_read_service(struct query *query, const Heapfleet__V1__ServiceRef *ref,
                               struct fleet *ret, struct why *why)
{
    struct fleet fleet = {0};
    enum status status = query_find_service(query, ref, &fleet.service, why);
    if (status == STATUS_OK)
        status = deployment_versions(query->db, fleet.service.id, query->arena, &fleet.deployments,
                                     &fleet.deployment_count, why);
    if (status == STATUS_OK)
        *ret = fleet;
    return status;
}

enum status query_read_processes(struct query *query, const struct instance_filter *filter,
                                 struct fleet *fleet, struct why *why)
{
    return instance_list_some(query->db, fleet->service.id, filter, query->arena, &fleet->instances,
                              &fleet->instance_count, why);
}

enum status query_read_versions(struct query *query, const struct deployment_row *one,
                                const struct deployment_row *other, struct fleet *fleet,
                                struct why *why)
{
    const int64_t ids[] = {one->id, other->id};
    const struct instance_filter filter = {.deployment_ids = ids,
                                           .deployment_count = ARRAY_SIZE(ids)};
    return query_read_processes(query, &filter, fleet, why);
}

/* ---- versions ------------------------------------------------------------------------------- */

enum status query_find_version(const struct fleet *fleet, const char *version,
                               const struct deployment_row **ret, struct why *why)
{
    struct nearest nearest = {.word = version, .distance = SUGGEST_FAR};
    struct name_list list = {0};
    for (size_t i = fleet->deployment_count; i > 0; i--) { /* newest first */
        const struct deployment_row *row = &fleet->deployments[i - 1];
        if (strcmp(row->version, version) == 0) {
            buf_done(&list.text);
            *ret = row;
            return STATUS_OK;
        }
        list_name(&list, row->version);
        offer(&nearest, row->version);
    }
    why_set(why, "service '%s' has no version '%s': it has %s", fleet->service.name, version,
            list.count > 0 ? list_end(&list) : "none yet");
    buf_done(&list.text);
    return STATUS_NOT_FOUND;
}

const char *query_version_of(const struct fleet *fleet, int64_t deployment_id)
{
    for (size_t i = 0; i < fleet->deployment_count; i++) {
        if (fleet->deployments[i].id == deployment_id)
            return fleet->deployments[i].version;
    }
    return "";
}

/* ---- types ---------------------------------------------------------------------------------- */

struct type_value query_value_of(const struct history_snapshot *snapshot, uint32_t index)
{
    if (index >= snapshot->values->types)
        return (struct type_value){0};
    return snapshot->values->values[index];
}

/* "shop.models.Order" for "Order" */
static int ends_with_name(const char *full, const char *name)
{
    size_t full_size = strlen(full);
    size_t size = strlen(name);
    return full_size > size && full[full_size - size - 1] == '.' &&
           strcmp(full + full_size - size, name) == 0;
}

/* The types of the newest process stand for those of the service. */
static enum status no_such_type(struct query *query, const struct fleet *fleet, const char *type,
                                struct why *why)
{
    const struct instance_row *newest =
        fleet->instance_count > 0 ? &fleet->instances[fleet->instance_count - 1] : NULL;
    const char **names = NULL;
    size_t count = newest == NULL ? 0 : newest->type_count;
    if (count > 0) {
        enum status status =
            type_names(query->db, newest->type_ids, count, query->arena, &names, why);
        if (status != STATUS_OK)
            return status;
    }
    struct nearest nearest = {.word = type, .distance = SUGGEST_FAR};
    struct name_list endings = {0};
    for (size_t i = 0; i < count; i++) {
        offer(&nearest, names[i]);
        if (ends_with_name(names[i], type))
            list_name(&endings, names[i]);
    }
    if (endings.count > 0)
        why_set(why, "service '%s' has no type '%s': did you mean %s?", fleet->service.name, type,
                list_end(&endings));
    else if (nearest.name != NULL)
        why_set(why, "service '%s' has no type '%s': did you mean '%s'?", fleet->service.name, type,
                nearest.name);
    else
        why_set(why, "service '%s' has no type '%s': its largest are in the top list",
                fleet->service.name, type);
    buf_done(&endings.text);
    return STATUS_NOT_FOUND;
}

static int any_has_it(const struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->instance_count; i++) {
        if (fleet->instances[i].type_index != UINT32_MAX)
            return 1;
    }
    return 0;
}

/* Another process of the service may have the type, or tell what was meant. */
static enum status find_elsewhere(struct query *query, const struct fleet *fleet, int32_t type_id,
                                  const char *type, struct why *why)
{
    struct fleet all = *fleet;
    struct instance_filter filter = {.of_type = type_id};
    enum status status = STATUS_OK;
    if (type_id != 0) {
        status = query_read_processes(query, &filter, &all, why);
        if (status != STATUS_OK || any_has_it(&all))
            return status;
    }
    filter.of_type = 0;
    status = query_read_processes(query, &filter, &all, why);
    return status == STATUS_OK ? no_such_type(query, &all, type, why) : status;
}

enum status query_find_type(struct query *query, const struct fleet *fleet, const char *type,
                            int32_t *ret, struct why *why)
{
    *ret = 0;
    if (*type == '\0')
        return STATUS_OK;
    enum status status = type_id_find(query->db, type, ret, why);
    if (status == STATUS_NOT_FOUND)
        return find_elsewhere(query, fleet, 0, type, why);
    return status;
}

struct instance_filter query_with_type(const struct instance_filter *filter, int32_t type_id)
{
    struct instance_filter ret = *filter;
    ret.of_type = type_id != 0 ? type_id : INSTANCE_NO_TYPES;
    return ret;
}

enum status query_read_having(struct query *query, const struct instance_filter *filter,
                              const char *type, int32_t type_id, struct fleet *fleet,
                              struct why *why)
{
    struct instance_filter of_type = query_with_type(filter, type_id);
    enum status status = query_read_processes(query, &of_type, fleet, why);
    if (status == STATUS_OK && type_id != 0 && of_type.of_type_from_ms != 0 && !any_has_it(fleet)) {
        of_type.of_type_from_ms = 0;
        status = query_read_processes(query, &of_type, fleet, why);
    }
    if (status != STATUS_OK || type_id == 0 || any_has_it(fleet))
        return status;
    return find_elsewhere(query, fleet, type_id, type, why);
}

enum status query_read_type(struct query *query, const struct instance_filter *filter,
                            const char *type, struct fleet *fleet, int32_t *ret, struct why *why)
{
    enum status status = query_find_type(query, fleet, type, ret, why);
    if (status != STATUS_OK)
        return status;
    return query_read_having(query, filter, type, *ret, fleet, why);
}

/* ---- processes ------------------------------------------------------------------------------ */

void query_instance_digits(const uint8_t *uuid, char *ret)
{
    for (size_t i = 0; i < ID_BYTES; i++)
        (void)snprintf(ret + 2 * i, 3, "%02x", uuid[i]);
}

enum status query_find_instance(const struct fleet *fleet, const char *digits,
                                const struct instance_row **ret, struct why *why)
{
    const struct instance_row *found = NULL;
    size_t size = strlen(digits);
    if (size < INSTANCE_DIGITS_MIN || size > QUERY_INSTANCE_DIGITS ||
        strspn(digits, "0123456789abcdef") != size)
        return why_fail(why, STATUS_INVALID,
                        "instance '%s' is not %d to %d hexadecimal digits in lower case", digits,
                        INSTANCE_DIGITS_MIN, QUERY_INSTANCE_DIGITS);
    for (size_t i = 0; i < fleet->instance_count; i++) {
        char own[QUERY_INSTANCE_DIGITS + 1];
        query_instance_digits(fleet->instances[i].uuid, own);
        if (strncmp(own, digits, size) != 0)
            continue;
        if (found != NULL)
            return why_fail(why, STATUS_INVALID,
                            "several instances of service '%s' begin with '%s': write more digits",
                            fleet->service.name, digits);
        found = &fleet->instances[i];
    }
    if (found == NULL)
        return why_fail(why, STATUS_NOT_FOUND, "service '%s' has no instance '%s'",
                        fleet->service.name, digits);
    *ret = found;
    return STATUS_OK;
}
