/*
 * The detector and its rivals on simulated services, one line a (detector, service) on stdout:
 *
 *     detector,scenario,class,seed,found,false_flags,delay_hours,dated,cpu_ms,series,bytes
 *
 * detect_fleet FROM COUNT [--rivals] [--only SUBSTRING] [--stress NAME] [--verbose]
 *
 * found: the leaking type was confirmed after the leak began, or creep found in it. false_flags:
 * the same of any other (service, type), and of the leaking type before the leak. dated: 1 right
 * version, 0 wrong, -1 not asked. detect_bench.py makes the table.
 */
#include <time.h>

#include "attributes.h"
#include "detector.h"
#include "fleet_rivals.h"
#include "fleet_scenarios.h"

enum { OURS = RIVALS, DETECTORS };
static const char *const detector_names[DETECTORS] = {
    [RIVAL_OLS] = "ols", [RIVAL_MK] = "mk", [RIVAL_PIVOT] = "pivot", [OURS] = "heapfleet"};
static const char *const class_names[] = {"healthy", "leak", "apart"};

struct score {
    int found, false_flags, dated;
    double delay_hours;
    char flagged[SIM_TYPES_MAX];
};

struct run {
    const struct sim_service *service;
    struct detector *detector;
    struct rivals *rivals;
    int types[SIM_TYPES_MAX];
    int lives[SIM_CONTAINERS_MAX];
    uint32_t numbers[SIM_CONTAINERS_MAX];
    struct score scores[DETECTORS];
    double cpu_ms;
    uint64_t limit_bytes;                    /* of a process's part of its container */
    uint64_t held_bytes[SIM_CONTAINERS_MAX]; /* by each process, newest */
    int verbose;
};

static uint64_t size_of(uint32_t type)
{
    return 48 + 8 * (type % 20);
}

/* Of the container: what is killed for memory is killed there; others have some headroom. */
static uint64_t plan_limit(const struct sim_service *service, uint64_t first_bytes)
{
    static const double drag[] = {1, 1, 1, 4, 2, 1};
    double subject = 0;
    for (uint32_t i = 0; i < ARRAY_SIZE(drag); i++)
        subject += drag[i] * service->base[0] * (double)size_of(i);
    if (service->killed_at > 0)
        return first_bytes + (uint64_t)(service->killed_at * subject);
    double kept = service->fill_amount + service->step_amount + service->ramp_amount +
                  service->saw_amount + service->level_shift;
    uint64_t state = service->random;
    return (uint64_t)(((double)first_bytes + kept * subject) * sim_uniform(&state, 1.3, 3));
}

static double cpu_ms(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void tell_container(const struct run *run, const struct sim_life *life,
                           struct detect_process *process)
{
    uint32_t first = sim_first_process(run->service, life->container);
    for (uint32_t i = first; i < sim_end_process(run->service, life->container); i++) {
        process->container_usage_bytes += run->held_bytes[i];
        process->container_limit_bytes += run->limit_bytes;
    }
    const uint32_t name[2] = {first, life->version}; /* a deployment brings new ones */
    process->container = detect_key_of((const char *)name, sizeof(name));
}

static void feed(struct run *run, const struct sim_service *service, const struct sim_sight *sight)
{
    struct detect_value values[SIM_TYPES_MAX];
    const struct sim_life *life = sight->life;
    double start = cpu_ms();
    if (run->numbers[life->container] != life->number + 1) {
        struct detect_key key = {{0}};
        char version[16];
        memcpy(key.bytes, &life->number, sizeof(life->number));
        key.bytes[15] = 1;
        int size = snprintf(version, sizeof(version), "v%u", life->version + 1);
        run->lives[life->container] =
            detector_life(run->detector, &key, version, (size_t)size, sight->time_ms);
        run->numbers[life->container] = life->number + 1;
    }
    uint64_t total = 0;
    for (uint32_t i = 0; i < service->types; i++) {
        values[i] =
            (struct detect_value){run->types[i], sight->counts[i], sight->counts[i] * size_of(i)};
        total += values[i].bytes;
    }
    if (run->limit_bytes == 0)
        run->limit_bytes = plan_limit(service, total);
    run->held_bytes[life->container] = total;
    struct detect_process process = {.cpu_ms = sight->cpu_ms, .rss_bytes = total};
    tell_container(run, life, &process);
    if (run->lives[life->container] >= 0)
        detector_snapshot(run->detector, run->lives[life->container], sight->time_ms, &process,
                          values, service->types);
    run->cpu_ms += cpu_ms() - start;
}

static void see(void *user, const struct sim_service *service, const struct sim_sight *sight)
{
    struct run *run = user;
    feed(run, service, sight);
    if (run->rivals != NULL)
        rivals_see(run->rivals, service, sight);
}

static void end(void *user, const struct sim_life *life, int64_t time_ms, int oom_killed)
{
    struct run *run = user;
    run->held_bytes[life->container] = 0;
    if (run->lives[life->container] >= 0 && run->numbers[life->container] == life->number + 1)
        detector_end(run->detector, run->lives[life->container], time_ms, oom_killed);
    if (run->rivals != NULL)
        run->rivals->lives[life->container].bins = 0;
}

static void note(struct run *run, int who, uint32_t type, int64_t time_ms)
{
    struct score *score = &run->scores[who];
    const struct sim_scenario *scenario = &run->service->scenario;
    double start_ms = (double)sim_start_ms + (double)run->service->leak_start * SIM_BIN_MS;
    if (score->flagged[type])
        return;
    score->flagged[type] = 1;
    int leaks = scenario->class == SIM_LEAK && type == 0;
    if (scenario->creep[1] > 0)
        start_ms = (double)sim_start_ms;
    if (!leaks || (double)time_ms <= start_ms) {
        score->false_flags++;
        return;
    }
    score->found = 1;
    score->delay_hours = ((double)time_ms - start_ms) / 3600e3;
}

static void check_date(struct run *run, const struct verdict *verdict)
{
    const struct sim_scenario *scenario = &run->service->scenario;
    char truth[16];
    if (scenario->leak_from == 0)
        return;
    (void)snprintf(truth, sizeof(truth), "v%u", scenario->leak_from + 1);
    run->scores[OURS].dated = strcmp(verdict->introduced_in, truth) == 0;
}

static void note_ours(struct run *run, int64_t time_ms)
{
    uint32_t count;
    const struct verdict *verdicts = detector_verdicts(run->detector, &count);
    for (uint32_t i = 0; i < count; i++) {
        int type = detector_type(run->detector, verdicts[i].type, strlen(verdicts[i].type));
        uint32_t place = 0;
        while (place + 1 < run->service->types && run->types[place] != type)
            place++;
        if (verdicts[i].tier == VERDICT_RESOLVED || !verdict_is_settled(&verdicts[i]) ||
            run->scores[OURS].flagged[place])
            continue;
        note(run, OURS, place, time_ms);
        if (place == 0)
            check_date(run, &verdicts[i]);
        if (run->verbose) {
            const struct verdict_evidence *e = &verdicts[i].evidence;
            (void)fprintf(stderr,
                          "  %5.1f h %s rule %s in %s since %s lives %u/%u up %.0f h growth %.3f "
                          "load %.3f e %.2f p %.1e r2 %.4f gain %.1f ph %.2f pt %.2f pj %.2f sat "
                          "%.2f\n",
                          (double)(time_ms - sim_start_ms) / 3600e3, verdicts[i].type,
                          verdict_rule_name(verdicts[i].rule), verdicts[i].still_in,
                          verdicts[i].introduced_in, e->lives_growing, e->lives,
                          (double)e->uptime_ms / 3600e3, e->growth, e->load_growth, e->elasticity,
                          e->p, e->r2, e->line_gain, e->second_half, e->tail, e->jump,
                          e->plateau_share);
        }
    }
}

static void note_rivals(struct run *run, int64_t time_ms)
{
    for (int rival = 0; rival < RIVALS; rival++)
        for (uint32_t type = 0; type < run->service->types; type++)
            if (!run->scores[rival].flagged[type] &&
                rival_flags(run->rivals, run->service, (enum rival)rival, type))
                note(run, rival, type, time_ms);
}

static void tick(void *user, int64_t time_ms)
{
    struct run *run = user;
    double start = cpu_ms();
    int did = detector_advance(run->detector, time_ms);
    run->cpu_ms += cpu_ms() - start;
    if (did & DETECT_CHANGED)
        note_ours(run, time_ms);
    if (run->rivals != NULL && (time_ms - sim_start_ms) % (2 * 3600 * 1000) == 0)
        note_rivals(run, time_ms);
}

static void apply_stress(struct sim_scenario *scenario, const char *stress)
{
    if (strcmp(stress, "few") == 0) {
        scenario->containers[0] = 1;
        scenario->containers[1] = 3;
    } else if (strcmp(stress, "load") == 0) {
        scenario->load_useless = 1;
    } else if (strcmp(stress, "faint") == 0) {
        for (int i = 0; i < 2; i++) {
            scenario->leak_per_hour[i] /= 2;
            scenario->wander[i] *= 2;
        }
    } else if (strcmp(stress, "damage") == 0) {
        scenario->damage = 1;
    }
}

static void run_one(const struct sim_scenario *wanted, uint64_t seed, int rivals,
                    const char *stress, int verbose)
{
    static const struct detect_config config = {.horizon_ms = DETECT_HORIZON_DEFAULT_MS};
    struct sim_scenario scenario = *wanted;
    apply_stress(&scenario, stress);
    struct sim_service *service = sim_service_new(&scenario, seed);
    struct run *run = calloc(1, sizeof(*run));
    ASSERT(run != NULL);
    run->service = service;
    run->verbose = verbose;
    run->detector = detector_new(&config);
    if (rivals) {
        run->rivals = calloc(1, sizeof(*run->rivals));
        ASSERT(run->rivals != NULL);
    }
    for (int i = 0; i < DETECTORS; i++)
        run->scores[i].dated = -1;
    for (uint32_t i = 0; i < service->types; i++)
        run->types[i] = detector_type(run->detector, service->names[i], strlen(service->names[i]));
    if (verbose)
        (void)fprintf(stderr, "%s %llu: %u containers\n", scenario.name, (unsigned long long)seed,
                      service->containers);
    const struct sim_visitor visitor = {run, see, end, tick};
    sim_service_run(service, SIM_BINS, &visitor);
    struct detect_size size = detector_size(run->detector);
    for (int i = rivals ? 0 : OURS; i < DETECTORS; i++) {
        const struct score *score = &run->scores[i];
        (void)printf("%s,\"%s\",%s,%llu,%d,%d,%.2f,%d,%.2f,%llu,%llu\n", detector_names[i],
                     scenario.name, class_names[scenario.class], (unsigned long long)seed,
                     score->found, score->false_flags, score->delay_hours, score->dated,
                     i == OURS ? run->cpu_ms : 0, (unsigned long long)size.series,
                     (unsigned long long)size.bytes);
    }
    detector_free(run->detector);
    free(run->rivals);
    free(run);
    free(service);
}

int main(int argc, char **argv)
{
    const char *only = "";
    const char *stress = "";
    int rivals = 0;
    int verbose = 0;
    if (argc < 3) {
        (void)fputs("usage: detect_fleet FROM COUNT [--rivals] [--only TEXT] [--stress NAME] "
                    "[--verbose]\n",
                    stderr);
        return 2;
    }
    uint64_t from = strtoull(argv[1], NULL, 10);
    uint64_t count = strtoull(argv[2], NULL, 10);
    for (int i = 3; i < argc; i++) {
        rivals |= strcmp(argv[i], "--rivals") == 0;
        verbose |= strcmp(argv[i], "--verbose") == 0;
        if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
            only = argv[++i];
        else if (strcmp(argv[i], "--stress") == 0 && i + 1 < argc)
            stress = argv[++i];
    }
    for (size_t i = 0; i < ARRAY_SIZE(sim_scenarios); i++) {
        if (strstr(sim_scenarios[i].name, only) == NULL)
            continue;
        for (uint64_t seed = from; seed < from + count; seed++)
            run_one(&sim_scenarios[i], seed * 100 + i, rivals, stress, verbose);
    }
    return 0;
}
