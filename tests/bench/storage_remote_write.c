/*
 * Prometheus remote write 1.0 (prompb/remote.proto, types.proto), written by hand since it is three
 * messages:
 *
 *     WriteRequest { repeated TimeSeries timeseries = 1; }
 *     TimeSeries   { repeated Label labels = 1; repeated Sample samples = 2; }
 *     Label        { string name = 1; string value = 2; }
 *     Sample       { double value = 1; int64 timestamp = 2; }
 *
 * Labels are sorted by name, as the protocol demands.
 */
#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage_load.h"
#include "varint.h"

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2 };

static void put_varint(struct buf *to, uint64_t value)
{
    uint8_t bytes[VARINT_BYTES_MAX];
    buf_append(to, bytes, varint_write(bytes, value));
}

static void put_key(struct buf *to, unsigned field, unsigned wire)
{
    put_varint(to, field << 3 | wire);
}

static void put_bytes(struct buf *to, unsigned field, const void *data, size_t size)
{
    put_key(to, field, WIRE_BYTES);
    put_varint(to, size);
    buf_append(to, data, size);
}

static void put_label(struct buf *series, const char *name, const char *value)
{
    struct buf label = BUF_INIT;
    put_bytes(&label, 1, name, strlen(name));
    put_bytes(&label, 2, value, strlen(value));
    put_bytes(series, 1, label.data, label.size);
    buf_done(&label);
}

static void put_sample(struct buf *series, double value, int64_t time_ms)
{
    struct buf sample = BUF_INIT;
    put_key(&sample, 1, WIRE_FIXED64);
    buf_append(&sample, &value, sizeof(value)); /* little-endian, as this machine */
    put_key(&sample, 2, WIRE_VARINT);
    put_varint(&sample, (uint64_t)time_ms);
    put_bytes(series, 2, sample.data, sample.size);
    buf_done(&sample);
}

static void put_series(struct buf *request, const struct fleet_process *process, uint32_t kind,
                       const char *metric, uint64_t value)
{
    struct buf series = BUF_INIT;
    char text[FLEET_NAME_BYTES];
    put_label(&series, "__name__", metric);
    (void)snprintf(text, sizeof(text), "c%u-%u", process->container, process->version);
    put_label(&series, "instance", text);
    fleet_service_name(process->container, text);
    put_label(&series, "service", text);
    fleet_type_name(process->container, kind, text);
    put_label(&series, "type", text);
    fleet_version_name(process->version, text);
    put_label(&series, "version", text);
    put_sample(&series, (double)value, process->time_ms);
    put_bytes(request, 1, series.data, series.size);
    buf_done(&series);
}

static enum status send(const struct buf *request, struct why *why)
{
    size_t size = snappy_max_compressed_length(request->size);
    char *frame = malloc(size);
    ASSERT(frame != NULL);
    int failed =
        snappy_compress((const char *)request->data, request->size, frame, &size) != SNAPPY_OK;
    uint32_t length = (uint32_t)size;
    failed = failed || fwrite(&length, sizeof(length), 1, stdout) != 1 ||
             fwrite(frame, size, 1, stdout) != 1;
    free(frame);
    return failed ? why_fail(why, STATUS_FAILED, "a request cannot be written") : STATUS_OK;
}

enum status storage_remote_write(const struct storage_job *job, struct why *why)
{
    struct fleet_load *load = fleet_load_new(&job->shape);
    struct buf request = BUF_INIT;
    enum status status = STATUS_OK;
    for (uint32_t step = 0; step < job->steps && status == STATUS_OK; step++) {
        for (uint32_t c = 0; c < job->shape.containers && status == STATUS_OK; c++) {
            const struct fleet_process *process = fleet_load_step(load, c);
            buf_clear(&request);
            for (uint32_t i = 0; i < process->values.types; i++) {
                const struct type_value *value = &process->values.values[i];
                put_series(&request, process, process->kinds[i], "heap_objects", value->count);
                put_series(&request, process, process->kinds[i], "heap_bytes", value->bytes);
            }
            status = send(&request, why);
        }
    }
    buf_done(&request);
    fleet_load_free(load);
    return status;
}
