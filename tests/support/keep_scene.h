/* A store with models of processes in it, and the rounds that keep its house. */
#ifndef TESTS_SUPPORT_KEEP_SCENE_H
#define TESTS_SUPPORT_KEEP_SCENE_H

#include "heap_model.h"
#include "keep_house.h"

#define MINUTE_MS ((int64_t)60 * 1000)
#define HOUR_MS (60 * MINUTE_MS)
#define SLOT_MS (4 * HOUR_MS)
#define DAY_MS (24 * HOUR_MS)
#define MIDNIGHT (20000 * DAY_MS) /* some day in 2024 */

static inline struct keep_house_report keep_and_report(int64_t now_ms)
{
    struct keep_house_report report;
    struct keep_house_config config = KEEP_HOUSE_DEFAULT;
    OK(keep_house(store.db, &config, now_ms, &report, &why));
    return report;
}

static inline int64_t number(const char *sql)
{
    return number_of(store.dsn, sql);
}

#endif
