/*
 * Findings of a service as a collector writes them: under a claim of its own, which it gives up at
 * once.
 */
#ifndef TESTS_SUPPORT_FINDINGS_SCENE_H
#define TESTS_SUPPORT_FINDINGS_SCENE_H

#include "findings.h"
#include "sweep_claims.h"

static const uint8_t findings_writer[ID_BYTES] = {0xf1};

/* Takes all that is free. A service that was forgotten has a claim that does not hold. */
static inline enum status findings_begin(struct db *db, int64_t service_id, struct why *why)
{
    struct arena arena;
    struct sweep_claim *claims = NULL;
    size_t count = 0;
    struct sweep_claim claim = {service_id, 0};
    arena_init(&arena, 1 << 20);
    enum status status =
        sweep_claims_renew(db, findings_writer, 60000, &arena, &claims, &count, why);
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        if (claims[i].service_id == service_id)
            claim = claims[i];
    arena_done(&arena);
    if (status == STATUS_OK)
        status = sweep_write_begin(db, findings_writer, &claim, 60000, why);
    return status;
}

static inline enum status findings_commit(struct db *db, enum status status, struct why *why)
{
    if (status == STATUS_OK)
        status = sweep_write_commit(db, why);
    sweep_write_end(db);
    struct why other = {""};
    if (sweep_claims_release(db, findings_writer, &other) != STATUS_OK && status == STATUS_OK)
        return STATUS_FAILED;
    return status;
}

static inline enum status replace_findings(struct db *db, int64_t service_id,
                                           const struct finding_row *rows, size_t count,
                                           const struct finding_end *ends, size_t end_count,
                                           int64_t now_ms, struct why *why)
{
    const struct findings_said said = {rows, count, ends, end_count, 0};
    enum status status = findings_begin(db, service_id, why);
    if (status == STATUS_OK)
        status = findings_replace(db, service_id, &said, now_ms, why);
    return findings_commit(db, status, why);
}

static inline enum status end_watches(struct db *db, int64_t service_id, int64_t now_ms,
                                      struct why *why)
{
    enum status status = findings_begin(db, service_id, why);
    if (status == STATUS_OK)
        status = findings_end_watches(db, service_id, now_ms, why);
    return findings_commit(db, status, why);
}

#endif
