#include "census_print.h"

#include "attributes.h"
#include "buf.h"
#include "clock.h"
#include "json.h"

/* A line to print: a type, by what it is sorted, and its values. */
struct line {
    uint32_t type;
    int64_t weight;
    struct type_value now;
    int64_t count_change, bytes_change;
};

static int heavier(const void *left, const void *right)
{
    const struct line *a = left, *b = right;
    if (a->weight != b->weight)
        return a->weight > b->weight ? -1 : 1;
    if (a->now.count != b->now.count)
        return a->now.count > b->now.count ? -1 : 1;
    return a->type < b->type ? -1 : a->type > b->type;
}

static size_t sort_lines(struct line *lines, size_t count, uint64_t top)
{
    qsort(lines, count, sizeof(lines[0]), heavier);
    return top && top < count ? (size_t)top : count;
}

static struct line *new_lines(uint32_t types)
{
    struct line *lines = calloc(types + 1, sizeof(lines[0]));
    ASSERT(lines);
    return lines;
}

static void append_head(struct buf *buf, const struct python_process *process,
                        const struct census_result *result)
{
    char time[CLOCK_TEXT_BYTES];
    clock_format_utc(result->time_ms, time);
    buf_printf(buf, "{\"pid\":%d,\"runtime\":\"cpython\",\"version\":", (int)process->pid);
    json_append_string(buf, process->version, strlen(process->version));
    buf_printf(buf, ",\"time\":\"%s\",\"objects\":%llu,\"bytes\":%llu", time,
               (unsigned long long)result->objects, (unsigned long long)result->bytes);
    buf_printf(buf, ",\"elapsed_ms\":%.3f,\"cpu_ms\":%.3f,\"rss_anon_bytes\":%llu",
               (double)result->elapsed_ns / 1e6, (double)result->cpu_ns / 1e6,
               (unsigned long long)result->rss_anon_bytes);
    buf_printf(buf, ",\"pool_bytes\":%llu,\"pool_free_bytes\":%llu",
               (unsigned long long)result->pool_bytes, (unsigned long long)result->pool_free_bytes);
    buf_printf(buf, ",\"not_objects_bytes\":%llu,\"malloc_free_bytes\":%llu",
               (unsigned long long)census_not_objects_bytes(result),
               (unsigned long long)result->malloc_free_bytes);
    buf_printf(buf, ",\"read_bytes\":%llu,\"coverage\":%.4f",
               (unsigned long long)result->read_bytes, result->coverage / 10000.0);
    if (result->types_folded)
        buf_printf(buf, ",\"types_folded\":%u", result->types_folded);
    if (result->is_sample)
        buf_printf(buf, ",\"objects_error\":%llu,\"bytes_error\":%llu",
                   (unsigned long long)result->total_error.count,
                   (unsigned long long)result->total_error.bytes);
}

static void append_type(struct buf *buf, const struct census *census,
                        const struct census_result *result, const struct line *line)
{
    const char *name = census_type_name(census, line->type);
    buf_append_text(buf, "{\"type\":");
    json_append_string(buf, name, strlen(name));
    buf_printf(buf, ",\"count\":%llu,\"bytes\":%llu", (unsigned long long)line->now.count,
               (unsigned long long)line->now.bytes);
    if (result->is_sample)
        buf_printf(buf, ",\"count_error\":%llu,\"bytes_error\":%llu",
                   (unsigned long long)result->errors.values[line->type].count,
                   (unsigned long long)result->errors.values[line->type].bytes);
}

static void put(struct buf *buf)
{
    fwrite(buf->data, 1, buf->size, stdout);
    buf_done(buf);
}

/* What is not Python objects, and what can be told of it. */
static void print_rest(const struct census_result *result)
{
    uint64_t rest = census_not_objects_bytes(result);
    const struct {
        const char *words;
        uint64_t bytes;
    } parts[] = {
        {"not Python objects: ", rest},
        {"; free in pools: ", result->pool_free_bytes},
        {", free in malloc: ", result->malloc_free_bytes},
        {", native: ", rest - result->pool_free_bytes - result->malloc_free_bytes},
    };
    struct buf text = BUF_INIT;
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        buf_append_text(&text, parts[i].words);
        report_format_number(&text, (double)parts[i].bytes, REPORT_BYTES);
    }
    printf("%s\n", buf_text(&text));
    buf_done(&text);
}

/* What the kernel says of the process and its container. */
static void print_memory(const struct memory_facts *memory)
{
    const struct {
        const char *words;
        uint64_t bytes;
    } parts[] = {
        {"proportional share", memory->pss_bytes},
        {"swapped", memory->swap_bytes},
        {"used by its control group", memory->container.usage_bytes},
        {"allowed to that", memory->container.limit_bytes},
    };
    struct buf text = BUF_INIT;
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        if (parts[i].bytes == 0)
            continue;
        buf_append_text(&text, text.size > 0 ? ", " : "memory: ");
        report_format_number(&text, (double)parts[i].bytes, REPORT_BYTES);
        buf_printf(&text, " %s", parts[i].words);
    }
    if (memory->container.oom_kills > 0)
        buf_printf(
            &text, "%skilled for want of memory there: %llu",
            text.size > 0 ? ", " : "memory: ", (unsigned long long)memory->container.oom_kills);
    if (text.size > 0)
        printf("%s\n", buf_text(&text));
    buf_done(&text);
}

static void append_memory(struct buf *buf, const struct memory_facts *memory)
{
    buf_printf(buf, ",\"pss_bytes\":%llu,\"swap_bytes\":%llu",
               (unsigned long long)memory->pss_bytes, (unsigned long long)memory->swap_bytes);
    buf_printf(buf,
               ",\"container_usage_bytes\":%llu,\"container_limit_bytes\":%llu,"
               "\"container_oom_kills\":%llu",
               (unsigned long long)memory->container.usage_bytes,
               (unsigned long long)memory->container.limit_bytes,
               (unsigned long long)memory->container.oom_kills);
}

static void print_summary(const struct python_process *process, const struct census_result *result)
{
    struct buf text = BUF_INIT;
    report_format_number(&text, (double)result->objects, REPORT_PLAIN);
    buf_append_text(&text, " objects, ");
    report_format_number(&text, (double)result->bytes, REPORT_BYTES);
    printf("process %d, CPython %s: %s; ", (int)process->pid, process->version, buf_text(&text));
    buf_clear(&text);
    report_format_number(&text, (double)result->rss_anon_bytes, REPORT_BYTES);
    printf("%s resident; read in %.0f ms\n", buf_text(&text), (double)result->elapsed_ns / 1e6);
    print_rest(result);
    if (result->types_folded)
        printf("%u types more than have room are counted in \"(other)\"\n", result->types_folded);
    if (result->is_sample) {
        buf_clear(&text);
        report_format_number(&text, (double)result->total_error.count, REPORT_PLAIN);
        buf_append_text(&text, " objects, ");
        report_format_number(&text, (double)result->total_error.bytes, REPORT_BYTES);
        printf("an estimate from %.1f %% of the heap: off by at most %s, 19 times of 20\n",
               result->coverage / 100.0, buf_text(&text));
    }
    buf_done(&text);
}

static void print_json(const struct python_process *process, const struct census *census,
                       const struct census_result *result, const struct memory_facts *memory,
                       const struct line *lines, size_t count)
{
    struct buf buf = BUF_INIT;
    append_head(&buf, process, result);
    append_memory(&buf, memory);
    buf_append_text(&buf, ",\"types\":[");
    for (size_t i = 0; i < count; i++) {
        buf_append_text(&buf, i ? "," : "");
        append_type(&buf, census, result, &lines[i]);
        buf_append_text(&buf, "}");
    }
    buf_append_text(&buf, "]}\n");
    put(&buf);
}

void census_print(const struct python_process *process, const struct census *census,
                  const struct census_result *result, const struct memory_facts *memory,
                  enum report_format format, uint64_t top)
{
    static const struct report_column columns[] = {
        {"type", "TYPE", REPORT_PLAIN},
        {"count", "COUNT", REPORT_PLAIN},
        {"bytes", "BYTES", REPORT_BYTES},
        {"count_error", "COUNT +-", REPORT_PLAIN},
        {"bytes_error", "BYTES +-", REPORT_BYTES},
    };
    struct line *lines = new_lines(result->values.types);
    struct report report;
    size_t count = 0;
    for (uint32_t i = 0; i < result->values.types; i++) {
        struct type_value value = result->values.values[i];
        if (value.count || value.bytes)
            lines[count++] = (struct line){.type = i, .weight = (int64_t)value.bytes, .now = value};
    }
    count = sort_lines(lines, count, top);
    if (format == REPORT_JSON) {
        print_json(process, census, result, memory, lines, count);
    } else {
        if (format == REPORT_TABLE) {
            print_summary(process, result);
            print_memory(memory);
        }
        report_begin(&report, format, columns, ARRAY_SIZE(columns) - (result->is_sample ? 0 : 2));
        for (size_t i = 0; i < count; i++) {
            report_text(&report, census_type_name(census, lines[i].type));
            report_uint(&report, lines[i].now.count);
            report_uint(&report, lines[i].now.bytes);
            if (result->is_sample) {
                report_uint(&report, result->errors.values[lines[i].type].count);
                report_uint(&report, result->errors.values[lines[i].type].bytes);
            }
        }
        report_end(&report, "no Python object was found");
    }
    free(lines);
}

static size_t grown_lines(const struct heap_values *before, const struct heap_values *now,
                          struct line *lines)
{
    size_t count = 0;
    for (uint32_t i = 0; i < now->types; i++) {
        struct type_value old = i < before->types ? before->values[i] : (struct type_value){0};
        struct line line = {
            .type = i,
            .now = now->values[i],
            .count_change = (int64_t)(now->values[i].count - old.count),
            .bytes_change = (int64_t)(now->values[i].bytes - old.bytes),
        };
        line.weight = line.bytes_change;
        if (line.count_change > 0 || line.bytes_change > 0)
            lines[count++] = line;
    }
    return count;
}

static void print_growth_json(const struct python_process *process, const struct census *census,
                              const struct census_result *now, const struct line *lines,
                              size_t count)
{
    struct buf buf = BUF_INIT;
    append_head(&buf, process, now);
    buf_append_text(&buf, ",\"grown\":[");
    for (size_t i = 0; i < count; i++) {
        buf_append_text(&buf, i ? "," : "");
        append_type(&buf, census, now, &lines[i]);
        buf_printf(&buf, ",\"count_change\":%lld,\"bytes_change\":%lld}",
                   (long long)lines[i].count_change, (long long)lines[i].bytes_change);
    }
    buf_append_text(&buf, "]}\n");
    put(&buf);
}

static void print_growth_csv(const struct census *census, const struct census_result *now,
                             const struct line *lines, size_t count, int header)
{
    char time[CLOCK_TEXT_BYTES];
    clock_format_utc(now->time_ms, time);
    if (header)
        printf("time,type,count,bytes,count_change,bytes_change\n");
    struct buf name = BUF_INIT;
    for (size_t i = 0; i < count; i++) {
        buf_clear(&name);
        report_append_csv(&name, census_type_name(census, lines[i].type));
        printf("%s,%s,%llu,%llu,%lld,%lld\n", time, buf_text(&name),
               (unsigned long long)lines[i].now.count, (unsigned long long)lines[i].now.bytes,
               (long long)lines[i].count_change, (long long)lines[i].bytes_change);
    }
    buf_done(&name);
}

static void print_growth_table(const struct python_process *process, const struct census *census,
                               const struct census_result *now, const struct line *lines,
                               size_t count)
{
    static const struct report_column columns[] = {
        {"type", "TYPE", REPORT_PLAIN},
        {"count", "COUNT", REPORT_PLAIN},
        {"bytes", "BYTES", REPORT_BYTES},
        {"count_change", "COUNT GROWTH", REPORT_CHANGE},
        {"bytes_change", "BYTES GROWTH", REPORT_BYTE_CHANGE},
    };
    struct report report;
    char time[CLOCK_TEXT_BYTES];
    clock_format_utc(now->time_ms, time);
    printf("%s ", time);
    print_summary(process, now);
    report_begin(&report, REPORT_TABLE, columns, ARRAY_SIZE(columns));
    for (size_t i = 0; i < count; i++) {
        report_text(&report, census_type_name(census, lines[i].type));
        report_uint(&report, lines[i].now.count);
        report_uint(&report, lines[i].now.bytes);
        report_int(&report, lines[i].count_change);
        report_int(&report, lines[i].bytes_change);
    }
    report_end(&report, "nothing grew");
    printf("\n");
}

void census_print_growth(const struct python_process *process, const struct census *census,
                         const struct heap_values *before, const struct census_result *now,
                         enum report_format format, uint64_t top, int header)
{
    struct line *lines = new_lines(now->values.types);
    size_t count = sort_lines(lines, grown_lines(before, &now->values, lines), top);
    if (format == REPORT_JSON)
        print_growth_json(process, census, now, lines, count);
    else if (format == REPORT_CSV)
        print_growth_csv(census, now, lines, count, header);
    else
        print_growth_table(process, census, now, lines, count);
    free(lines);
}
