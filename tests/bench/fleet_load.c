#include "fleet_load.h"

#include <stdio.h>
#include <stdlib.h>

enum { SHARED_KINDS = 100, JITTER_MS = 20, LEAK_SERVICES = 5 };

struct fleet_load {
    struct fleet_shape shape;
    struct fleet_process *processes;
    struct heap_values before;
    struct buf body;
    int is_keyframe;
};

/* ---- chance --------------------------------------------------------------------------------- */

static uint64_t draw(uint64_t *state) /* splitmix64 */
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* 0 .. below - 1 */
static uint32_t draw_below(uint64_t *state, uint32_t below)
{
    return (uint32_t)((draw(state) >> 32) * below >> 32);
}

/* Always the same for the same two numbers. */
static uint64_t fixed(uint64_t a, uint64_t b)
{
    uint64_t state = a * 0x2545f4914f6cdd1du + b;
    (void)draw(&state);
    return draw(&state);
}

/* ---- what a type does ----------------------------------------------------------------------- */

/* Of 25 types that many change with this chance a snapshot: (2 * 1 + 2 * 0.4 + 4 * 0.1) / 25 is
 * 0.128. */
static const struct activity {
    uint32_t until; /* of 25 */
    uint32_t per_thousand;
    uint32_t step; /* the largest change of a count */
} activities[] = {{2, 1000, 40}, {4, 400, 24}, {8, 100, 12}, {25, 0, 0}};

struct behaviour {
    const struct activity *activity;
    uint64_t base; /* objects */
    uint32_t unit; /* bytes of an object */
    int sizes_vary;
    int leaks;
};

static struct behaviour behaviour_of(uint32_t container, uint32_t kind)
{
    uint32_t service = container / FLEET_SERVICE_CONTAINERS;
    uint64_t bits = fixed(kind < SHARED_KINDS ? 0 : service + 1, kind);
    uint32_t rank = 0;
    while (kind % 25 >= activities[rank].until)
        rank++;
    return (struct behaviour){
        .activity = &activities[rank],
        .base = (uint64_t)(20 + bits % 97) << (bits >> 32) % 12,
        .unit = 16 * (uint32_t)(1 + (bits >> 40) % 20),
        .sizes_vary = kind % 10 < 3,
        .leaks = service % LEAK_SERVICES == 0 && kind == SHARED_KINDS,
    };
}

/* Around the base; what has wandered far is drawn back. */
static void change(struct type_value *value, const struct behaviour *is, uint64_t *random)
{
    uint32_t step = is->activity->step;
    int64_t by = 1 + (int64_t)draw_below(random, step);
    int64_t room = 8 * (int64_t)step;
    int64_t off = (int64_t)value->count - (int64_t)is->base;
    int down = off > room || (off > -room && (draw(random) & 1) != 0);
    if (down && !is->leaks)
        by = (int64_t)value->count >= by ? -by : 1;
    value->count += (uint64_t)by;
    value->bytes += (uint64_t)(by * (int64_t)is->unit);
    if (is->sizes_vary) {
        uint64_t floor = value->count * is->unit;
        int64_t noise = 8 * ((int64_t)draw_below(random, 65) - 32);
        if ((int64_t)(value->bytes - floor) + noise >= 0)
            value->bytes += (uint64_t)noise;
    }
}

static void change_all(struct fleet_process *process)
{
    for (uint32_t i = 0; i < process->values.types; i++) {
        struct behaviour is = behaviour_of(process->container, process->kinds[i]);
        if (is.activity->per_thousand == 0 ||
            draw_below(&process->random, 1000) >= is.activity->per_thousand)
            continue;
        change(&process->values.values[i], &is, &process->random);
    }
}

static void add_types(struct fleet_process *process, uint32_t types)
{
    uint32_t i = process->values.types;
    heap_values_resize(&process->values, types);
    for (; i < types; i++) {
        struct behaviour is = behaviour_of(process->container, process->kinds[i]);
        process->values.values[i] = (struct type_value){is.base, is.base * is.unit};
        if (is.sizes_vary)
            process->values.values[i].bytes += 4096;
    }
}

/* ---- lives ---------------------------------------------------------------------------------- */

static void shuffle_kinds(struct fleet_process *process, uint32_t types)
{
    for (uint32_t i = 0; i < types; i++)
        process->kinds[i] = (uint16_t)i;
    for (uint32_t i = types; i > 1; i--) {
        uint32_t other = draw_below(&process->random, i);
        uint16_t kept = process->kinds[i - 1];
        process->kinds[i - 1] = process->kinds[other];
        process->kinds[other] = kept;
    }
}

/* The place of a container in its minute. */
static int64_t place_ms(const struct fleet_shape *shape, uint32_t container)
{
    return (int64_t)(fixed(shape->seed, container) % (uint64_t)(shape->interval_ms - JITTER_MS));
}

static void begin_life(const struct fleet_shape *shape, struct fleet_process *process)
{
    process->random = fixed(shape->seed + process->version, process->container);
    process->snapshots = 0;
    process->started_ms = shape->start_ms + process->steps * shape->interval_ms;
    process->values.types = 0;
    shuffle_kinds(process, shape->types);
}

struct fleet_load *fleet_load_new(const struct fleet_shape *shape)
{
    struct fleet_load *load = calloc(1, sizeof(*load));
    ASSERT(load != NULL && shape->types > FLEET_TYPES_LATE && shape->types <= UINT16_MAX &&
           shape->interval_ms > JITTER_MS);
    load->shape = *shape;
    load->processes = calloc(shape->containers, sizeof(*load->processes));
    ASSERT(load->processes != NULL);
    for (uint32_t i = 0; i < shape->containers; i++) {
        struct fleet_process *process = &load->processes[i];
        process->container = i;
        process->kinds = malloc(shape->types * sizeof(*process->kinds));
        ASSERT(process->kinds != NULL);
        begin_life(shape, process);
    }
    return load;
}

void fleet_load_free(struct fleet_load *load)
{
    for (uint32_t i = 0; i < load->shape.containers; i++) {
        heap_values_done(&load->processes[i].values);
        free(load->processes[i].kinds);
    }
    free(load->processes);
    heap_values_done(&load->before);
    buf_done(&load->body);
    free(load);
}

static uint32_t types_at(const struct fleet_shape *shape, uint32_t snapshots)
{
    uint32_t late = snapshots / 6;
    return shape->types - FLEET_TYPES_LATE + (late < FLEET_TYPES_LATE ? late : FLEET_TYPES_LATE);
}

static void encode(struct fleet_load *load, const struct fleet_process *process)
{
    buf_clear(&load->body);
    load->is_keyframe = process->snapshots % FLEET_KEYFRAME_EVERY == 0;
    if (load->is_keyframe)
        snapshot_encode_keyframe(&process->values, &load->body);
    else
        snapshot_encode_delta(&load->before, &process->values, &load->body);
}

const struct fleet_process *fleet_load_begins(struct fleet_load *load, uint32_t container)
{
    const struct fleet_shape *shape = &load->shape;
    struct fleet_process *process = &load->processes[container];
    if (shape->life_snapshots != 0 && process->snapshots == shape->life_snapshots) {
        process->version++;
        begin_life(shape, process);
    }
    return process->snapshots == 0 ? process : NULL;
}

const struct fleet_process *fleet_load_step(struct fleet_load *load, uint32_t container)
{
    const struct fleet_shape *shape = &load->shape;
    struct fleet_process *process = &load->processes[container];
    (void)fleet_load_begins(load, container);
    heap_values_copy(&load->before, &process->values);
    change_all(process);
    add_types(process, types_at(shape, process->snapshots));
    encode(load, process);
    process->time_ms = shape->start_ms + process->steps * shape->interval_ms +
                       place_ms(shape, container) + draw_below(&process->random, JITTER_MS);
    process->steps++;
    process->snapshots++;
    return process;
}

const struct buf *fleet_load_body(const struct fleet_load *load, int *ret_is_keyframe)
{
    *ret_is_keyframe = load->is_keyframe;
    return &load->body;
}

const struct heap_values *fleet_load_before(const struct fleet_load *load)
{
    return &load->before;
}

/* ---- names ---------------------------------------------------------------------------------- */

void fleet_service_name(uint32_t container, char *ret)
{
    (void)snprintf(ret, FLEET_NAME_BYTES, "service-%u", container / FLEET_SERVICE_CONTAINERS);
}

void fleet_version_name(uint32_t version, char *ret)
{
    (void)snprintf(ret, FLEET_NAME_BYTES, "v%u", version + 1);
}

void fleet_type_name(uint32_t container, uint32_t kind, char *ret)
{
    if (kind < SHARED_KINDS)
        (void)snprintf(ret, FLEET_NAME_BYTES, "library%u.Type%u", kind % 7, kind);
    else
        (void)snprintf(ret, FLEET_NAME_BYTES, "service%u.models.Type%u",
                       container / FLEET_SERVICE_CONTAINERS, kind);
}
