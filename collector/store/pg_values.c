/* Values in PostgreSQL's binary format: integers and doubles are big-endian, texts are bare. */
#include <endian.h>
#include <libpq-fe.h>
#include <string.h>

#include "pg.h"

enum {
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_FLOAT4 = 700,
    OID_FLOAT8 = 701,
    OID_UUID = 2950
};

static const struct {
    unsigned element, array;
} oids[] = {
    [PG_I32] = {OID_INT4, 1007},   [PG_I64] = {OID_INT8, 1016},  [PG_F32] = {OID_FLOAT4, 1021},
    [PG_F64] = {OID_FLOAT8, 1022}, [PG_TEXT] = {OID_TEXT, 1009}, [PG_BYTES] = {OID_BYTEA, 1001},
    [PG_UUID] = {OID_UUID, 2951},
};

/* ---- parameters ----------------------------------------------------------------------------- */

static void param(struct pg_params *params, unsigned oid, const void *value, size_t size)
{
    ASSERT(params->count < PG_PARAMS_MAX && size <= INT32_MAX);
    int i = params->count++;
    params->types[i] = oid;
    params->values[i] = value;
    params->sizes[i] = (int)size;
}

/* The caller puts the number, big-endian, at the start of the slot that this returns. */
static void param_number(struct pg_params *params, unsigned oid, const void *big, size_t size)
{
    param(params, oid, NULL, size);
    memcpy(&params->numbers[params->count - 1], big, size);
}

void pg_param_i32(struct pg_params *params, int32_t value)
{
    uint32_t big = htobe32((uint32_t)value);
    param_number(params, OID_INT4, &big, sizeof(big));
}

void pg_param_i64(struct pg_params *params, int64_t value)
{
    uint64_t big = htobe64((uint64_t)value);
    param_number(params, OID_INT8, &big, sizeof(big));
}

static uint64_t big_of_double(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return htobe64(bits);
}

void pg_param_f64(struct pg_params *params, double value)
{
    uint64_t big = big_of_double(value);
    param_number(params, OID_FLOAT8, &big, sizeof(big));
}

void pg_param_text(struct pg_params *params, const char *text)
{
    param(params, OID_TEXT, text, strlen(text));
}

void pg_param_bytes(struct pg_params *params, const void *data, size_t size)
{
    param(params, OID_BYTEA, size > 0 ? data : "", size);
}

void pg_param_uuid(struct pg_params *params, const uint8_t uuid[16])
{
    param(params, OID_UUID, uuid, 16);
}

/* ---- arrays --------------------------------------------------------------------------------- */

static void append_u32(struct buf *buf, uint32_t value)
{
    uint32_t big = htobe32(value);
    buf_append(buf, &big, sizeof(big));
}

/*
 *     dimensions | has nulls | element type | length | lower bound | (size, bytes) *
 */
void pg_array_begin(struct buf *array, enum pg_element element, size_t count)
{
    ASSERT(count <= INT32_MAX);
    buf_clear(array);
    append_u32(array, count > 0);
    append_u32(array, 0);
    append_u32(array, oids[element].element);
    if (count == 0)
        return;
    append_u32(array, (uint32_t)count);
    append_u32(array, 1);
}

void pg_array_bytes(struct buf *array, const void *data, size_t size)
{
    ASSERT(size <= INT32_MAX);
    append_u32(array, (uint32_t)size);
    buf_append(array, data, size);
}

void pg_array_i32(struct buf *array, int32_t value)
{
    uint32_t big = htobe32((uint32_t)value);
    pg_array_bytes(array, &big, sizeof(big));
}

void pg_array_i64(struct buf *array, int64_t value)
{
    uint64_t big = htobe64((uint64_t)value);
    pg_array_bytes(array, &big, sizeof(big));
}

void pg_array_null(struct buf *array)
{
    append_u32(array, UINT32_MAX);
}

void pg_array_f32(struct buf *array, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    bits = htobe32(bits);
    pg_array_bytes(array, &bits, sizeof(bits));
}

void pg_array_f64(struct buf *array, double value)
{
    uint64_t big = big_of_double(value);
    pg_array_bytes(array, &big, sizeof(big));
}

void pg_array_text(struct buf *array, const char *text)
{
    pg_array_bytes(array, text, strlen(text));
}

void pg_param_array(struct pg_params *params, enum pg_element element, const struct buf *array)
{
    param(params, oids[element].array, array->data, array->size);
}

/* ---- COPY ----------------------------------------------------------------------------------- */

static void append_u16(struct buf *buf, uint16_t value)
{
    uint16_t big = htobe16(value);
    buf_append(buf, &big, sizeof(big));
}

void pg_copy_begin(struct buf *copy)
{
    static const char header[19] = "PGCOPY\n\377\r\n"; /* no flags, no extension */
    buf_clear(copy);
    buf_append(copy, header, sizeof(header));
}

/* A field looks like an element of an array: size, bytes. */
void pg_copy_row(struct buf *copy, int fields)
{
    append_u16(copy, (uint16_t)fields);
}

void pg_copy_end(struct buf *copy)
{
    append_u16(copy, UINT16_MAX);
}

/* ---- answers -------------------------------------------------------------------------------- */

void pg_rows_done(struct pg_rows *rows)
{
    PQclear(rows->result);
    *rows = (struct pg_rows){NULL, 0, 0};
}

int pg_is_null(const struct pg_rows *rows, int row, int column)
{
    return PQgetisnull(rows->result, row, column);
}

int64_t pg_i64(const struct pg_rows *rows, int row, int column)
{
    const char *value = PQgetvalue(rows->result, row, column);
    int size = PQgetlength(rows->result, row, column);
    if (size == 8) {
        uint64_t big;
        memcpy(&big, value, sizeof(big));
        return (int64_t)be64toh(big);
    }
    if (size == 4) {
        uint32_t big;
        memcpy(&big, value, sizeof(big));
        return (int32_t)be32toh(big);
    }
    return size == 1 ? value[0] : 0; /* a boolean, or NULL */
}

double pg_f64(const struct pg_rows *rows, int row, int column)
{
    int64_t bits = pg_i64(rows, row, column);
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

const char *pg_text(const struct pg_rows *rows, int row, int column)
{
    return PQgetvalue(rows->result, row, column);
}

const uint8_t *pg_bytes(const struct pg_rows *rows, int row, int column, size_t *ret_size)
{
    *ret_size = (size_t)PQgetlength(rows->result, row, column);
    return (const uint8_t *)PQgetvalue(rows->result, row, column);
}

static uint32_t read_u32(const uint8_t *at)
{
    uint32_t big;
    memcpy(&big, at, sizeof(big));
    return be32toh(big);
}

int64_t pg_read_i64(const uint8_t *at)
{
    uint64_t big;
    memcpy(&big, at, sizeof(big));
    return (int64_t)be64toh(big);
}

int32_t pg_read_i32(const uint8_t *at)
{
    return (int32_t)read_u32(at);
}

/* An array without NULLs: its first element, with four bytes of size before the value. */
struct array_view {
    const uint8_t *at;
    size_t count;
};

static enum status open_array(const struct pg_rows *rows, int row, int column, unsigned element,
                              size_t count_max, struct array_view *ret, struct why *why)
{
    size_t element_size = element == OID_INT8 ? sizeof(int64_t) : sizeof(int32_t);
    enum { HEADER_BYTES = 20 };
    size_t size;
    const uint8_t *data = pg_bytes(rows, row, column, &size);
    size_t count = size >= HEADER_BYTES ? read_u32(data + 12) : 0;
    if (size >= HEADER_BYTES &&
        (read_u32(data) != 1 || read_u32(data + 4) != 0 || read_u32(data + 8) != element ||
         count > count_max || size != HEADER_BYTES + count * (4 + element_size)))
        return why_fail(why, STATUS_FAILED, "an array in the database is not as it was written");
    *ret = (struct array_view){data + HEADER_BYTES, count};
    return STATUS_OK;
}

enum status pg_i32_array(const struct pg_rows *rows, int row, int column, size_t count_max,
                         struct arena *arena, int32_t **ret, size_t *ret_count, struct why *why)
{
    struct array_view view = {NULL, 0};
    enum status status = open_array(rows, row, column, OID_INT4, count_max, &view, why);
    if (status != STATUS_OK)
        return status;
    int32_t *values = arena_alloc(arena, view.count * sizeof(*values));
    if (values == NULL)
        return why_fail(why, STATUS_LIMIT, "the answer does not fit the memory set aside for it");
    for (size_t i = 0; i < view.count; i++, view.at += 8)
        values[i] = (int32_t)read_u32(view.at + 4);
    *ret = values;
    *ret_count = view.count;
    return STATUS_OK;
}

enum status pg_i64_array(const struct pg_rows *rows, int row, int column, size_t count_max,
                         struct arena *arena, int64_t **ret, size_t *ret_count, struct why *why)
{
    struct array_view view = {NULL, 0};
    enum status status = open_array(rows, row, column, OID_INT8, count_max, &view, why);
    if (status != STATUS_OK)
        return status;
    int64_t *values = arena_alloc(arena, view.count * sizeof(*values));
    if (values == NULL)
        return why_fail(why, STATUS_LIMIT, "the answer does not fit the memory set aside for it");
    for (size_t i = 0; i < view.count; i++, view.at += 12)
        values[i] = (int64_t)((uint64_t)read_u32(view.at + 4) << 32 | read_u32(view.at + 8));
    *ret = values;
    *ret_count = view.count;
    return STATUS_OK;
}
