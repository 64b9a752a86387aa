/* heapfleet containers: the processes of a service, one by one. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { PAGE_ROWS = 500 };

static const struct report_column columns[] = {
    {"instance", "INSTANCE", REPORT_PLAIN},
    {"pod", "POD", REPORT_PLAIN},
    {"host", "HOST", REPORT_PLAIN},
    {"pid", "PID", REPORT_ID},
    {"version", "VERSION", REPORT_PLAIN},
    {"started", "STARTED", REPORT_TIME},
    {"state", "STATE", REPORT_PLAIN},
    {"objects", "OBJECTS", REPORT_PLAIN},
    {"bytes", "BYTES", REPORT_BYTES},
    {"rss_anon_bytes", "RSS", REPORT_BYTES},
    {"container_usage_bytes", "CONTAINER", REPORT_BYTES},
    {"container_limit_bytes", "LIMIT", REPORT_BYTES},
    /* with --type; what comes behind is for programs */
    {"type_count", "COUNT OF TYPE", REPORT_PLAIN},
    {"type_bytes", "BYTES OF TYPE", REPORT_BYTES},
    {"container_id", "", REPORT_PLAIN},
    {"runtime_version", "", REPORT_PLAIN},
    {"ended", "", REPORT_TIME},
    {"last_seen", "", REPORT_TIME},
};
enum { TABLE_COLUMNS = 12, TABLE_TYPE_COLUMNS = 14, SHORT_DIGITS = 12 };

/* ---- all pages ------------------------------------------------------------------------------ */

struct listing {
    Heapfleet__V1__Instance **rows; /* in the arena, as all that they hold */
    size_t count, capacity;
};

static void append_page(struct cli *cli, struct listing *listing,
                        const Heapfleet__V1__ListInstancesResponse *page)
{
    if (listing->count + page->n_instances > listing->capacity) {
        size_t capacity = 2 * listing->capacity + page->n_instances;
        Heapfleet__V1__Instance **rows = arena_must(&cli->arena, capacity * sizeof(void *));
        if (listing->count > 0)
            memcpy(rows, listing->rows, listing->count * sizeof(void *));
        listing->rows = rows;
        listing->capacity = capacity;
    }
    for (size_t i = 0; i < page->n_instances; i++)
        listing->rows[listing->count++] = page->instances[i];
}

static enum status fetch(struct cli *cli, struct listing *ret, struct why *why)
{
    Heapfleet__V1__ListInstancesRequest request = HEAPFLEET__V1__LIST_INSTANCES_REQUEST__INIT;
    Heapfleet__V1__ServiceRef ref = cli_service_ref(cli, cli->operands[0]);
    request.service = &ref;
    request.version = cli_string(cli->version);
    request.type = cli_string(cli->type);
    request.live_only = cli->live;
    request.page_size = PAGE_ROWS;
    int needs_all = strcmp(cli->by, "started") != 0;
    do {
        ProtobufCMessage *message = NULL;
        cli->rows_so_far = ret->count;
        enum status status =
            cli_ask(cli, "ListInstances", &request.base,
                    &heapfleet__v1__list_instances_response__descriptor, &message, why);
        if (status != STATUS_OK)
            return status;
        const Heapfleet__V1__ListInstancesResponse *page = (const void *)message;
        append_page(cli, ret, page);
        request.page_token = page->next_page_token;
    } while (*request.page_token != '\0' &&
             (needs_all || cli->limit == 0 || ret->count < cli->limit));
    return STATUS_OK;
}

/* ---- order ---------------------------------------------------------------------------------- */

static uint64_t by_bytes(const Heapfleet__V1__Instance *row)
{
    return row->bytes;
}

static uint64_t by_rss(const Heapfleet__V1__Instance *row)
{
    return row->rss_anon_bytes;
}

static uint64_t by_type(const Heapfleet__V1__Instance *row)
{
    return row->type_bytes;
}

static uint64_t by_start(const Heapfleet__V1__Instance *row)
{
    return row->started_ms > 0 ? (uint64_t)row->started_ms : 0;
}

static const struct order {
    const char *name;
    uint64_t (*weight)(const Heapfleet__V1__Instance *row);
} orders[] = {{"bytes", by_bytes}, {"rss", by_rss}, {"type", by_type}, {"started", by_start}};

static const struct order *find_order(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
        if (strcmp(orders[i].name, name) == 0)
            return &orders[i];
    }
    return NULL;
}

struct weighed {
    uint64_t weight;
    size_t place; /* so that equals keep their order */
    Heapfleet__V1__Instance *row;
};

static int heavier_first(const void *left, const void *right)
{
    const struct weighed *a = left;
    const struct weighed *b = right;
    if (a->weight != b->weight)
        return a->weight > b->weight ? -1 : 1;
    return (a->place > b->place) - (a->place < b->place);
}

static void sort(struct cli *cli, struct listing *listing, const struct order *order)
{
    struct weighed *weighed = arena_must(&cli->arena, (listing->count + 1) * sizeof(*weighed));
    for (size_t i = 0; i < listing->count; i++)
        weighed[i] = (struct weighed){order->weight(listing->rows[i]), i, listing->rows[i]};
    qsort(weighed, listing->count, sizeof(*weighed), heavier_first);
    for (size_t i = 0; i < listing->count; i++)
        listing->rows[i] = weighed[i].row;
}

/* ---- output --------------------------------------------------------------------------------- */

static const char *state_of(const Heapfleet__V1__Instance *row)
{
    if (row->ended_ms != 0)
        return row->end_reason;
    return row->live ? "live" : "silent";
}

static void put_memory(struct report *report, uint64_t bytes)
{
    if (bytes != 0)
        report_uint(report, bytes);
    else
        report_none(report);
}

static void print_row(const struct cli *cli, struct report *report,
                      const Heapfleet__V1__Instance *row)
{
    char digits[SHORT_DIGITS + 1];
    const char *instance = row->instance;
    if (cli_is_table(cli) && strlen(instance) > SHORT_DIGITS) {
        memcpy(digits, instance, SHORT_DIGITS);
        digits[SHORT_DIGITS] = '\0';
        instance = digits;
    }
    report_text(report, instance);
    report_text(report, row->pod);
    report_text(report, row->host);
    report_uint(report, row->pid);
    report_text(report, row->version);
    report_int(report, row->started_ms);
    report_text(report, state_of(row));
    report_uint(report, row->objects);
    report_uint(report, row->bytes);
    put_memory(report, row->rss_anon_bytes);
    put_memory(report, row->container_usage_bytes);
    put_memory(report, row->container_limit_bytes);
    if (cli_is_table(cli) && *cli->type == '\0')
        return;
    report_uint(report, row->type_count);
    report_uint(report, row->type_bytes);
    if (cli_is_table(cli))
        return;
    report_text(report, row->container_id);
    report_text(report, row->runtime_version);
    report_int(report, row->ended_ms);
    report_int(report, row->last_seen_ms);
}

static void print(const struct cli *cli, const struct listing *listing)
{
    size_t shown = ARRAY_SIZE(columns);
    if (cli_is_table(cli))
        shown = *cli->type != '\0' ? TABLE_TYPE_COLUMNS : TABLE_COLUMNS;
    struct report report;
    report_begin(&report, cli->format, columns, shown);
    report_hide_if_empty(&report, "pod");
    report_hide_if_empty(&report, "host");
    report_hide_if_empty(&report, "rss_anon_bytes");
    report_hide_if_empty(&report, "container_usage_bytes");
    report_hide_if_empty(&report, "container_limit_bytes");
    size_t rows = cli->limit > 0 && cli->limit < listing->count ? cli->limit : listing->count;
    for (size_t i = 0; i < rows; i++)
        print_row(cli, &report, listing->rows[i]);
    report_end(&report, cli->live ? "no process of it is alive" : "no process of it has been seen");
    if (cli_is_table(cli) && rows < listing->count)
        cli_line("%zu more: --limit 0 shows all", listing->count - rows);
}

enum status cli_containers(struct cli *cli, struct why *why)
{
    struct listing listing = {0};
    const struct order *order = find_order(cli->by);
    if (order == NULL)
        return why_fail(why, STATUS_USAGE,
                        "--by cannot be '%s': it takes bytes, rss, type or started", cli->by);
    if (order->weight == by_type && *cli->type == '\0')
        return why_fail(why, STATUS_USAGE, "--by type needs a --type");
    enum status status = fetch(cli, &listing, why);
    if (status != STATUS_OK)
        return status;
    sort(cli, &listing, order);
    print(cli, &listing);
    return STATUS_OK;
}
