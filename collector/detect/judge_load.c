/*
 * How a type follows the load: over the moves of all lives, each over its own base and its own mean
 * load, and behind its own steady growth, so that a leak neither swells what it is a share of nor
 * looks like a load that rises.
 */
#include <math.h>

#include "judge.h"

static const double moves_min = 12;
static const double errors_min = 3; /* standard errors: beyond chance */
static const double falling_share_min = 0.3;
static const double elasticity_max = 2;
static const int rounds = 3; /* the base depends on the elasticity, and this on the base */

struct line {
    double n, x, y, xx, xy, yy;
};

/* One way of the load, of one life, over its base and mean load. */
static struct line line_of(const struct life_moves *moves, double base, double load)
{
    return (struct line){
        .n = moves->count,
        .x = moves->x / load,
        .y = moves->y / base,
        .xx = moves->xx / load / load,
        .xy = moves->xy / load / base,
        .yy = moves->yy / base / base,
    };
}

/* What the lives' moves say of a type; `error`: standard error of all. */
struct response {
    double all, rising, falling, error;
    double fall; /* as `falling`, of the count itself, growth and all */
    int known;
};

struct sums {
    double n, xx, xy, yy;                  /* about each life's means */
    double up_xx, up_xy, down_xx, down_xy; /* about its growth */
    double fall_xy;                        /* down, growth and all */
};

static void add_life(const struct life *life, uint32_t type, double elasticity, struct sums *sums)
{
    const struct life_series *series = life_find(life, type);
    if (series == NULL || !(series->rising.count + series->falling.count > 1))
        return;
    double base = life_base(life, type, elasticity);
    double load = life_mean_load(life);
    if (!(base > 0) || !(load > 0) || !isfinite(base))
        return;
    struct line up = line_of(&series->rising, base, load);
    struct line down = line_of(&series->falling, base, load);
    double n = up.n + down.n;
    double x = up.x + down.x;
    double y = up.y + down.y;
    double growth = (y - elasticity * x) / n;
    sums->n += n - 1;
    sums->xx += up.xx + down.xx - x * x / n;
    sums->xy += up.xy + down.xy - x * y / n;
    sums->yy += up.yy + down.yy - y * y / n;
    sums->up_xx += up.xx;
    sums->up_xy += up.xy - growth * up.x;
    sums->down_xx += down.xx;
    sums->fall_xy += down.xy;
    sums->down_xy += down.xy - growth * down.x;
}

static struct response response_of(const struct judge *judge, uint32_t type)
{
    struct response ret = {0};
    for (int round = 0; round < rounds; round++) {
        struct sums sums = {0};
        for (uint32_t i = 0; i < judge->life_count; i++)
            add_life(&judge->lives[i], type, fmin(fmax(ret.all, 0), elasticity_max), &sums);
        if (!(sums.n + 1 >= moves_min) || !(sums.up_xx > 0) || !(sums.down_xx > 0) ||
            !(sums.xx > 0) || !isfinite(sums.xy) || !isfinite(sums.yy))
            return (struct response){0};
        double e = sums.xy / sums.xx;
        e = round == 0 ? e : (e + ret.all) / 2; /* one overshoots as far as the other */
        double rest = fmax(sums.yy - e * sums.xy, 0) / sums.n;
        ret = (struct response){
            .all = e,
            .rising = sums.up_xy / sums.up_xx,
            .falling = sums.down_xy / sums.down_xx,
            .error = sqrt(rest / sums.xx),
            .fall = sums.fall_xy / sums.down_xx,
            .known = 1,
        };
    }
    return ret;
}

double judge_usual_load(const struct judge *judge)
{
    double sum = 0;
    uint32_t known = 0;
    for (uint32_t i = 0; i < judge->life_count; i++) {
        double load = judge->lives[i].used ? life_mean_load(&judge->lives[i]) : NAN;
        sum += isfinite(load) ? load : 0;
        known += (uint32_t)isfinite(load);
    }
    return known > 0 ? sum / known : NAN;
}

/* A cache that fills in lives that all begin in the morning gets less and less as the load does;
 * but it never falls. */
double judge_elasticity(const struct judge *judge, uint32_t type)
{
    struct response r = response_of(judge, type);
    return r.known && r.all > errors_min * r.error && r.rising > 0 && r.fall > 0 &&
                   r.falling >= falling_share_min * r.rising
               ? fmin(r.all, elasticity_max)
               : 0;
}

double judge_elasticity_likely(const struct judge *judge, uint32_t type)
{
    struct response r = response_of(judge, type);
    return r.known && r.all > errors_min * r.error ? fmin(r.all, elasticity_max) : 0;
}

double judge_elasticity_most(const struct judge *judge, uint32_t type)
{
    struct response r = response_of(judge, type);
    return r.known ? fmin(fmax(r.all, 0) + 2 * r.error, 1) : 1;
}
