/*
 * The state as bytes: structs as they lie in memory, so that it is for the same program on the same
 * kind of machine only. None of them has padding, in which what once lay there would be saved, too.
 * Whatever differs - sizes, the horizon, a bit - is refused, and the state
 * built anew from history. The sum keeps a damaged state from being believed; it is no protection
 * from somebody who may write the database, who could as well write findings.
 *
 *     head | types: size, name | tracks | versions | lives: struct, chunk numbers, chunks |
 *     findings | candidates | held
 */
#include <stdlib.h>
#include <string.h>

#include "attributes.h"
#include "detector_state.h"

NO_PADDING_BEGIN
struct state_head {
    uint32_t magic, life_size, chunk_size, finding_size, version_size, track_size;
    uint32_t candidate_size, candidate_count, held_count, zero;
    int64_t horizon_ms;
    uint64_t sum, body_bytes; /* of what follows */
    int64_t now_ms, last_pass_ms;
    uint32_t version_order, life_count, finding_count, type_count;
};
NO_PADDING_END

struct state_reader {
    const uint8_t *at;
    size_t left;
};

static const uint32_t magic = 0x4846440a; /* changes with what the numbers mean */

uint64_t detector_state_sum(const uint8_t *data, size_t size)
{
    uint64_t sum = 0xcbf29ce484222325U; /* FNV-1a, eight bytes at a time */
    size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        uint64_t word;
        memcpy(&word, data + i, 8);
        sum = (sum ^ word) * 0x100000001b3U;
        sum ^= sum >> 29;
    }
    for (; i < size; i++)
        sum = (sum ^ data[i]) * 0x100000001b3U;
    return sum;
}

static struct state_head head_of(const struct detector *detector)
{
    return (struct state_head){
        .magic = magic,
        .life_size = sizeof(struct life),
        .chunk_size = sizeof(struct life_chunk),
        .finding_size = sizeof(struct finding),
        .version_size = sizeof(struct version),
        .track_size = sizeof(struct track),
        .candidate_size = sizeof(struct candidate),
        .candidate_count = detector->candidate_count,
        .held_count = detector->held_count,
        .horizon_ms = detector->config.horizon_ms,
        .now_ms = detector->now_ms,
        .last_pass_ms = detector->last_pass_ms,
        .version_order = detector->version_order,
        .life_count = detector->life_count,
        .finding_count = detector->finding_count,
        .type_count = detector->types.count,
    };
}

static void save_life(const struct life *life, struct buf *ret)
{
    struct life copy = *life;
    copy.chunks = NULL;
    buf_append(ret, &copy, sizeof(copy));
    for (uint32_t i = 0; i < life->chunk_count; i++) {
        buf_append_byte(ret, life->chunks[i] != NULL);
        if (life->chunks[i] != NULL)
            buf_append(ret, life->chunks[i], sizeof(*life->chunks[i]));
    }
}

void detector_save(const struct detector *detector, struct buf *ret)
{
    struct state_head head = head_of(detector);
    size_t head_at = ret->size;
    buf_append(ret, &head, sizeof(head));
    for (uint32_t i = 0; i < detector->types.count; i++) {
        buf_append(ret, &detector->types.sizes[i], sizeof(uint32_t));
        buf_append(ret, detector->types.names[i], detector->types.sizes[i]);
    }
    buf_append(ret, detector->tracks, detector->types.count * sizeof(*detector->tracks));
    buf_append(ret, detector->versions, sizeof(detector->versions));
    for (uint32_t i = 0; i < detector->life_count; i++)
        save_life(&detector->lives[i], ret);
    buf_append(ret, detector->findings, detector->finding_count * sizeof(struct finding));
    buf_append(ret, detector->candidates, detector->candidate_count * sizeof(struct candidate));
    buf_append(ret, detector->held, detector->held_count * sizeof(struct candidate));
    head.body_bytes = ret->size - head_at - sizeof(head);
    head.sum = detector_state_sum(ret->data + head_at + sizeof(head), head.body_bytes);
    memcpy(ret->data + head_at, &head, sizeof(head));
}

/* ---- loading --------------------------------------------------------------------------------- */

static int take(struct state_reader *reader, void *ret, size_t size)
{
    if (reader->left < size)
        return 0;
    if (size > 0)
        memcpy(ret, reader->at, size);
    reader->at += size;
    reader->left -= size;
    return 1;
}

static int load_types(struct detector *detector, struct state_reader *reader, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t size;
        if (!take(reader, &size, sizeof(size)) || reader->left < size ||
            detector_type(detector, (const char *)reader->at, size) != (int)i)
            return 0;
        reader->at += size;
        reader->left -= size;
    }
    return take(reader, detector->tracks, count * sizeof(*detector->tracks));
}

static int load_life(struct detector *detector, struct state_reader *reader, struct life *life)
{
    uint32_t chunks_max = DETECT_TYPES_MAX / LIFE_CHUNK;
    if (!take(reader, life, sizeof(*life)))
        return 0;
    if (!life->used) { /* a free place */
        *life = (struct life){0};
        return 1;
    }
    uint32_t count = life->chunk_count;
    life->chunk_count = 0;
    life->chunks = NULL;
    if (count > chunks_max || life->version >= DETECT_VERSIONS_MAX || life->block_bins == 0 ||
        life->bin / life->block_bins >= LIFE_BLOCKS)
        return 0;
    life->chunks = calloc(count + 1, sizeof(struct life_chunk *));
    ASSERT(life->chunks != NULL);
    life->chunk_count = count;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t present;
        if (!take(reader, &present, 1))
            return 0;
        if (!present)
            continue;
        if (reader->left < sizeof(struct life_chunk) || detector->series_room < LIFE_CHUNK)
            return 0;
        life->chunks[i] = malloc(sizeof(struct life_chunk));
        ASSERT(life->chunks[i] != NULL);
        detector->series_room -= LIFE_CHUNK;
        if (!take(reader, life->chunks[i], sizeof(struct life_chunk)))
            return 0;
    }
    return 1;
}

static int load_candidates(const struct detector *detector, const struct state_head *head,
                           struct state_reader *reader, struct candidate *ret, uint32_t count)
{
    if (!take(reader, ret, count * sizeof(*ret)))
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        if (ret[i].type >= head->type_count || ret[i].version >= DETECT_VERSIONS_MAX ||
            ret[i].companion_count > VERDICT_COMPANIONS_MAX ||
            ret[i].look.growing_count > DETECT_LIVES_MAX)
            return 0;
        for (uint32_t k = 0; k < ret[i].look.growing_count; k++)
            if (ret[i].look.growing[k] >= detector->life_count)
                return 0;
    }
    return 1;
}

static int load_body(struct detector *detector, const struct state_head *head,
                     struct state_reader *reader)
{
    if (!load_types(detector, reader, head->type_count) ||
        !take(reader, detector->versions, sizeof(detector->versions)))
        return 0;
    for (uint32_t i = 0; i < head->life_count; i++) {
        detector->life_count = i + 1;
        if (!load_life(detector, reader, &detector->lives[i]))
            return 0;
    }
    detector->finding_count = head->finding_count;
    if (!take(reader, detector->findings, head->finding_count * sizeof(struct finding)))
        return 0;
    for (uint32_t i = 0; i < head->finding_count; i++)
        if (detector->findings[i].type >= head->type_count ||
            detector->findings[i].version >= DETECT_VERSIONS_MAX ||
            detector->findings[i].companion_count > VERDICT_COMPANIONS_MAX)
            return 0;
    detector->candidate_count = head->candidate_count;
    detector->held_count = head->held_count;
    return load_candidates(detector, head, reader, detector->candidates, head->candidate_count) &&
           load_candidates(detector, head, reader, detector->held, head->held_count) &&
           reader->left == 0;
}

static int head_is_ours(const struct state_head *head, const struct detect_config *config)
{
    return head->magic == magic && head->life_size == sizeof(struct life) &&
           head->chunk_size == sizeof(struct life_chunk) &&
           head->finding_size == sizeof(struct finding) &&
           head->version_size == sizeof(struct version) &&
           head->track_size == sizeof(struct track) &&
           head->candidate_size == sizeof(struct candidate) &&
           head->horizon_ms == config->horizon_ms && head->life_count <= DETECT_LIVES_MAX &&
           head->finding_count <= FINDINGS_MAX && head->candidate_count <= CANDIDATES_MAX &&
           head->held_count <= CANDIDATES_MAX && head->type_count >= TYPES_OWN &&
           head->type_count <= DETECT_TYPES_MAX;
}

enum status detector_load(const struct detect_config *config, const uint8_t *data, size_t size,
                          struct detector **ret, struct why *why)
{
    struct state_head head;
    struct state_reader reader = {data, size};
    if (!take(&reader, &head, sizeof(head)) || !head_is_ours(&head, config))
        return why_fail(why, STATUS_INVALID, "the state is of another program version or horizon");
    if (head.body_bytes != reader.left || head.sum != detector_state_sum(reader.at, reader.left))
        return why_fail(why, STATUS_INVALID, "the state is damaged");
    struct detector *detector = detector_new(config);
    if (!load_body(detector, &head, &reader)) {
        detector_free(detector);
        return why_fail(why, STATUS_INVALID, "the state does not add up");
    }
    detector->now_ms = head.now_ms;
    detector->last_pass_ms = head.last_pass_ms;
    detector->version_order = head.version_order;
    *ret = detector;
    return STATUS_OK;
}
