#include "history_options.h"

#include <string.h>

static const int64_t day_ms = (int64_t)24 * 3600 * 1000;

struct history_settings history_settings_usual(void)
{
    return (struct history_settings){.config = KEEP_HOUSE_DEFAULT,
                                     .compact_every_ms = 60 * (int64_t)1000};
}

void history_options(struct history_settings *settings, struct option ret[HISTORY_OPTIONS])
{
    struct keep_house_config *config = &settings->config;
    const struct option table[HISTORY_OPTIONS] = {
        {"retain-exact", 0, OPTION_DURATION, &config->retain_exact_ms, "TIME",
         "how long every snapshot is kept", "30d"},
        {"retain-hourly", 0, OPTION_DURATION, &config->retain_hourly_ms, "TIME",
         "how long means of an hour are kept", "396d"},
        {"retain-daily", 0, OPTION_DURATION, &config->retain_daily_ms, "TIME",
         "how long means of a day are kept, 0: for ever", "0"},
        {"compact-every", 0, OPTION_DURATION, &settings->compact_every_ms, "TIME",
         "between two rounds of compaction and retention", "1m"},
        {"compact-after", 0, OPTION_DURATION, &config->settle_ms, "TIME",
         "how long after its end a stretch of four hours is compacted", "15m"},
    };
    memcpy(ret, table, sizeof(table));
}

enum status history_settings_check(const struct history_settings *settings,
                                   const struct command_line *line, struct why *why)
{
    const struct keep_house_config *config = &settings->config;
    const struct {
        const char *option;
        int64_t ms, least, most;
        const char *words;
    } rows[] = {
        {"retain-exact", config->retain_exact_ms, day_ms, 36500 * day_ms, "between 1d and 36500d"},
        {"retain-hourly", config->retain_hourly_ms, day_ms, 36500 * day_ms,
         "between 1d and 36500d"},
        {"retain-daily", config->retain_daily_ms, 0, 36500 * day_ms, "at most 36500d"},
        {"compact-every", settings->compact_every_ms, 100, day_ms, "between 100ms and 24h"},
        {"compact-after", config->settle_ms, 0, day_ms, "at most 24h"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].ms < rows[i].least || rows[i].ms > rows[i].most)
            return why_fail(why, STATUS_USAGE, "%s is %s", command_line_place(line, rows[i].option),
                            rows[i].words);
    }
    return STATUS_OK;
}
