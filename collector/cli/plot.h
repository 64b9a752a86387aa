/*
 * A curve over time for a terminal, drawn with braille dots: two by four to a character.
 *
 *      12.3 MB ┤                  ⢀⣀⡠⠤
 *              │         ⣀⣀⠤⠤⠒⠒⠉⠉⠁
 *       1.0 MB ┤⣀⡠⠤⠒⠒⠉⠉
 *              └┬───────────┬───────────┬
 *               09:12:00    │    09:18:00
 *                       ▲ v2
 *
 * Pure: the times are shown in local time, nothing else comes from outside.
 */
#ifndef COLLECTOR_CLI_PLOT_H
#define COLLECTOR_CLI_PLOT_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "report.h"

/* Far beyond any clock, and so that no difference of two times overflows. */
#define PLOT_TIME_MS_MAX ((int64_t)1 << 53)

struct plot_point {
    int64_t time_ms;
    double value;
};

struct plot_mark {
    int64_t time_ms;
    const char *label; /* any text; control characters are shown as '?' */
};

struct plot {
    const struct plot_point *points; /* at least one; times ascending, within PLOT_TIME_MS_MAX */
    size_t count;
    int64_t gap_ms; /* points further apart are not joined */
    enum report_unit unit;
    const struct plot_mark *marks; /* below the axis; those outside its times are left out */
    size_t mark_count;
    int columns; /* of the terminal; used up to a readable width */
    int colours;
};

void plot_draw(const struct plot *plot, struct buf *ret);

#endif
