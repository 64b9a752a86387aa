/* How history is kept, as options of `serve`. */
#ifndef COLLECTOR_HISTORY_OPTIONS_H
#define COLLECTOR_HISTORY_OPTIONS_H

#include "command_line.h"
#include "keep_house.h"
#include "options.h"

/* What the options write to; the text of each is in its table. */
struct history_settings {
    struct keep_house_config config;
    int64_t compact_every_ms;
};

enum { HISTORY_OPTIONS = 5 };

struct history_settings history_settings_usual(void);
void history_options(struct history_settings *settings, struct option ret[HISTORY_OPTIONS]);
/* USAGE with a sentence that names the option that is out of range. */
enum status history_settings_check(const struct history_settings *settings,
                                   const struct command_line *line, struct why *why) MUST_CHECK;

#endif
