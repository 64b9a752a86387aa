/* The rest of fake_store.h, which this includes: the fleet at a glance. */
#ifndef TESTS_SUPPORT_FAKE_GLANCE_H
#define TESTS_SUPPORT_FAKE_GLANCE_H

#include "fake_store.h"
#include "glance.h"

enum status glance_processes(struct db *db, int64_t now_ms, const struct service_row *services,
                             size_t service_count, struct arena *arena, struct process_glance **ret,
                             size_t *ret_count, struct why *why)
{
    (void)db;
    (void)now_ms;
    (void)services;
    (void)service_count;
    struct process_glance found[FAKE_MAX];
    size_t count = 0;
    for (int s = 0; s < fake.service_count; s++) {
        for (int i = 0; i < fake.instance_count; i++) {
            if (fake.deployment_service[fake.instances[i].deployment_id - 1] == s)
                found[count++] = (struct process_glance){s + 1, fake.instances[i]};
        }
    }
    return fake_answer(arena, found, count * sizeof(*found), count, ret, ret_count, why);
}

static inline struct version_glance fake_version(int64_t service_id, int64_t deployment_id)
{
    struct version_glance version = {service_id, deployment_id,
                                     fake.deployments[deployment_id - 1].version, 0, 0};
    for (int i = 0; i < fake.instance_count; i++) {
        const struct instance_row *row = &fake.instances[i];
        if (row->deployment_id != deployment_id)
            continue;
        if (version.instances++ == 0 || row->started_ms < version.first_seen_ms)
            version.first_seen_ms = row->started_ms;
    }
    return version;
}

enum status glance_versions(struct db *db, struct arena *arena, struct version_glance **ret,
                            size_t *ret_count, struct why *why)
{
    (void)db;
    struct version_glance found[FAKE_MAX];
    size_t count = 0;
    for (int s = 0; s < fake.service_count; s++) {
        for (int i = 0; i < fake.deployment_count; i++) {
            if (fake.deployment_service[i] == s)
                found[count++] = fake_version(s + 1, i + 1);
        }
    }
    return fake_answer(arena, found, count * sizeof(*found), count, ret, ret_count, why);
}

enum status glance_findings(struct db *db, struct arena *arena, struct finding_glance **ret,
                            size_t *ret_count, struct why *why)
{
    (void)db;
    struct finding_glance found[FAKE_MAX];
    size_t count = 0;
    for (int s = 0; s < fake.service_count; s++) {
        found[count] = (struct finding_glance){s + 1, 0};
        for (int i = 0; i < fake.finding_count; i++)
            found[count].open += fake.findings[i].service_id == s + 1;
        count += found[count].open > 0;
    }
    return fake_answer(arena, found, count * sizeof(*found), count, ret, ret_count, why);
}

void glance_ask(struct db *db, int64_t now_ms)
{
    (void)db;
    (void)now_ms;
}

#endif
