/*
 * What is usually done instead, over hourly and five-minute floors of each (container, type):
 *
 *     OLS      a line over the newest 6 h with R2 > 0.95, in half of the containers
 *     MK+TS    Mann-Kendall and Theil-Sen over 24 h of hourly floors, in half of the containers
 *     PIVOT    buckets of a day as RESIN (Lou et al., OSDI 2022) describes them, simplified: the
 *              newest 12 h lie above what the 24 h before them allow, and go on rising
 */
#ifndef TESTS_SUPPORT_FLEET_RIVALS_H
#define TESTS_SUPPORT_FLEET_RIVALS_H

#include "fleet_sim.h"
#include "trend.h"

enum rival { RIVAL_OLS, RIVAL_MK, RIVAL_PIVOT, RIVALS };

enum { RIVAL_FINE = 72, RIVAL_HOURS = 37 };

/* One container: rings of its newest floors. */
struct rival_life {
    uint32_t number;
    uint32_t bins;                            /* seen */
    float fine[SIM_TYPES_MAX][RIVAL_FINE];    /* five minutes each, ring */
    float hourly[SIM_TYPES_MAX][RIVAL_HOURS]; /* ring */
};

struct rivals {
    struct rival_life lives[SIM_CONTAINERS_MAX];
};

static void rivals_see(struct rivals *rivals, const struct sim_service *service,
                       const struct sim_sight *sight)
{
    struct rival_life *life = &rivals->lives[sight->life->container];
    if (life->number != sight->life->number + 1) {
        life->number = sight->life->number + 1;
        life->bins = 0;
    }
    uint32_t hour = life->bins / SIM_BINS_PER_HOUR % RIVAL_HOURS;
    for (uint32_t type = 0; type < service->types; type++) {
        float count = (float)sight->counts[type];
        life->fine[type][life->bins % RIVAL_FINE] = count;
        float *floor = &life->hourly[type][hour];
        *floor = life->bins % SIM_BINS_PER_HOUR == 0 ? count : fminf(*floor, count);
    }
    life->bins++;
}

/* The newest `count` of a ring in the order of time. */
static void rival_read(const float *ring, uint32_t room, uint32_t end, uint32_t count, double *ret)
{
    for (uint32_t i = 0; i < count; i++)
        ret[i] = (double)ring[(end + room - count + i) % room];
}

static int rival_ols(const struct rival_life *life, uint32_t type)
{
    double y[RIVAL_FINE];
    double sx = 0, sy = 0, xx = 0, xy = 0, yy = 0;
    if (life->bins < RIVAL_FINE)
        return 0;
    rival_read(life->fine[type], RIVAL_FINE, life->bins % RIVAL_FINE, RIVAL_FINE, y);
    for (uint32_t i = 0; i < RIVAL_FINE; i++) {
        sx += i;
        sy += y[i];
    }
    for (uint32_t i = 0; i < RIVAL_FINE; i++) {
        double dx = i - sx / RIVAL_FINE;
        double dy = y[i] - sy / RIVAL_FINE;
        xx += dx * dx;
        xy += dx * dy;
        yy += dy * dy;
    }
    return xy > 0 && y[RIVAL_FINE - 1] >= 10 && yy > 0 && xy * xy / (xx * yy) > 0.95;
}

static int rival_mk(const struct rival_life *life, uint32_t type)
{
    enum { hours = 24 };
    double y[hours];
    uint32_t done = life->bins / SIM_BINS_PER_HOUR;
    if (done < hours)
        return 0;
    rival_read(life->hourly[type], RIVAL_HOURS, done % RIVAL_HOURS, hours, y);
    double slope = trend_slope(y, hours);
    int sum = 0;
    for (int i = 0; i < hours; i++)
        for (int j = i + 1; j < hours; j++)
            sum += (y[j] > y[i]) - (y[j] < y[i]);
    double z = sum / sqrt(hours * (hours - 1.0) * (2 * hours + 5) / 18);
    return z > 3.1 && y[hours - 1] >= 10 && slope * hours > 0.03 * y[0];
}

static int rival_pivot(const struct rival_life *life, uint32_t type)
{
    enum { hours = 36, newest = 12 };
    double y[hours];
    uint32_t done = life->bins / SIM_BINS_PER_HOUR;
    if (done < hours)
        return 0;
    rival_read(life->hourly[type], RIVAL_HOURS, done % RIVAL_HOURS, hours, y);
    double mean = 0, square = 0, first = 0, second = 0;
    for (int i = 0; i < hours - newest; i++)
        mean += y[i] / (hours - newest);
    for (int i = 0; i < hours - newest; i++)
        square += (y[i] - mean) * (y[i] - mean) / (hours - newest - 1);
    for (int i = 0; i < newest / 2; i++) {
        first += y[hours - newest + i] / (newest / 2);
        second += y[hours - newest / 2 + i] / (newest / 2);
    }
    double bound = mean + 2 * sqrt(square);
    return first > bound && second > first * 1.005 && second >= 10;
}

/* In at least half of the containers that can be judged. */
static int rival_flags(const struct rivals *rivals, const struct sim_service *service,
                       enum rival rival, uint32_t type)
{
    static int (*const tests[RIVALS])(const struct rival_life *, uint32_t) = {
        [RIVAL_OLS] = rival_ols, [RIVAL_MK] = rival_mk, [RIVAL_PIVOT] = rival_pivot};
    uint32_t flagged = 0;
    for (uint32_t i = 0; i < service->containers; i++)
        flagged += (uint32_t)(rivals->lives[i].bins > 0 && tests[rival](&rivals->lives[i], type));
    return flagged * 2 >= service->containers;
}

#endif
