#include "ingest_opener.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"

enum { PAUSE_FIRST_MS = 100, PAUSE_LAST_MS = 5000 };
enum { TOGETHER_MAX = 256, PROCESSES_MAX = 64 };

struct lane {
    struct ingest_opener *opener;
    struct db *db;
    struct worker *worker;
    /* On the worker, all with the same question, linked; NULL: none. */
    struct ingest_lookup *asked;
};

struct ingest_opener {
    struct ingest_opener_options options;
    struct lane lanes[OPENER_LANES];
    struct ingest_lookup *first, **end; /* waiting, oldest first */
    int64_t pause_ms, again_at_ms;
    int canceled;
};

struct ingest_opener *ingest_opener_new(const struct ingest_opener_options *options)
{
    struct ingest_opener *opener = calloc(1, sizeof(*opener));
    ASSERT(opener != NULL);
    opener->options = *options;
    opener->end = &opener->first;
    for (int i = 0; i < OPENER_LANES; i++)
        opener->lanes[i] = (struct lane){opener, options->db[i], options->worker[i], NULL};
    return opener;
}

void ingest_opener_free(struct ingest_opener *opener)
{
    if (opener == NULL)
        return;
    ASSERT(opener->first == NULL);
    for (int i = 0; i < OPENER_LANES; i++)
        ASSERT(opener->lanes[i].asked == NULL);
    free(opener);
}

/* The oldest one that is not to wait; NULL: there is none. */
static struct ingest_lookup **find_due(struct ingest_opener *opener)
{
    int64_t now_ms = clock_mono_ms();
    struct ingest_lookup **at = &opener->first;
    while (*at != NULL && (*at)->again_at_ms > now_ms)
        at = &(*at)->next;
    return *at != NULL ? at : NULL;
}

static struct ingest_lookup *take_out(struct ingest_opener *opener, struct ingest_lookup **at)
{
    struct ingest_lookup *lookup = *at;
    *at = lookup->next;
    if (*at == NULL)
        opener->end = at;
    return lookup;
}

/* How many go together with the oldest one. Processes that are there already come with their heaps,
 * one after the other: the lanes share them, and none takes too many. */
static size_t share_of(const struct ingest_lookup *oldest)
{
    if (oldest->is_alone)
        return 1;
    if (oldest->question != ASK_PROCESS)
        return TOGETHER_MAX;
    size_t waiting = 0;
    for (const struct ingest_lookup *lookup = oldest; lookup != NULL; lookup = lookup->next)
        waiting += lookup->question == ASK_PROCESS;
    size_t share = (waiting + OPENER_LANES - 1) / OPENER_LANES;
    return share < PROCESSES_MAX ? share : PROCESSES_MAX;
}

/* The one at `at`, with those behind it that have the same question: a stream has one at a time, so
 * that none overtakes another of its own. */
static struct ingest_lookup *take_some(struct ingest_opener *opener, struct ingest_lookup **at)
{
    size_t most = share_of(*at);
    struct ingest_lookup *first = take_out(opener, at), *last = first;
    for (size_t n = 1; n < most && *at != NULL;) {
        struct ingest_lookup *lookup = *at;
        if (lookup->question != first->question || lookup->is_alone) {
            at = &lookup->next;
            continue;
        }
        last = last->next = take_out(opener, at);
        n++;
    }
    last->next = NULL;
    return first;
}

/* A list of them, from `first` to the one whose `next` is `end`. */
static void put_back(struct ingest_opener *opener, struct ingest_lookup *first,
                     struct ingest_lookup **end)
{
    if (first == NULL)
        return;
    *end = opener->first;
    opener->first = first;
    if (*end == NULL)
        opener->end = end;
}

static void answer(struct ingest_opener *opener, struct ingest_lookup *lookup)
{
    arena_done(&lookup->texts);
    lookup->names = NULL;
    opener->options.answered(opener->options.user, lookup);
}

static void pump(struct ingest_opener *opener);

static int64_t next_pause_ms(int64_t pause_ms)
{
    int64_t next_ms = pause_ms > 0 ? pause_ms * 2 : PAUSE_FIRST_MS;
    return next_ms < PAUSE_LAST_MS ? next_ms : PAUSE_LAST_MS;
}

/* The database is away, or a person must see to it: what is asked waits, and is asked again. */
static void make_pause(struct ingest_opener *opener, const struct ingest_lookup *lookup)
{
    if (opener->pause_ms == 0)
        log_event(lookup->status == STATUS_UNAVAILABLE ? LOG_WARN : LOG_ERROR, "lookup.away",
                  "reason=\"%s\" action=\"streams wait\"", lookup->why.text);
    opener->pause_ms = next_pause_ms(opener->pause_ms);
    opener->again_at_ms = clock_mono_ms() + opener->pause_ms;
}

static void end_pause(struct ingest_opener *opener)
{
    if (opener->pause_ms > 0)
        log_event(LOG_INFO, "lookup.back", NULL);
    opener->pause_ms = 0;
}

static int is_away(const struct ingest_lookup *lookup)
{
    return lookup->status == STATUS_UNAVAILABLE || lookup->status == STATUS_FAILED;
}

/* One that failed by itself has a pause of its own, too: that of all ends as soon as another one is
 * answered, and what fails at once and for ever would be asked as often as others are. */
static void make_own_pause(struct ingest_lookup *lookup)
{
    lookup->pause_ms = next_pause_ms(lookup->pause_ms);
    lookup->again_at_ms = clock_mono_ms() + lookup->pause_ms;
}

/* Take those out of a list that are to be asked again, one by one: of a group, one may have to wait
 * (for a lock, say, until its statement's time is over), and those with it need not. */
static struct ingest_lookup *sort_out(struct ingest_lookup *first, struct ingest_lookup **ret_again,
                                      struct ingest_lookup ***ret_again_end)
{
    struct ingest_lookup *rest = NULL, **end = &rest, **again = ret_again;
    int is_alone = first->is_alone || first->next != NULL;
    if (first->next == NULL && is_away(first))
        make_own_pause(first);
    *ret_again = NULL;
    for (struct ingest_lookup *lookup = first; lookup != NULL; lookup = lookup->next) {
        struct ingest_lookup ***list = is_away(lookup) ? &again : &end;
        lookup->is_alone = is_alone;
        **list = lookup;
        *list = &lookup->next;
    }
    *end = NULL;
    *ret_again_end = again;
    return rest;
}

static void answer_all(struct ingest_opener *opener, struct ingest_lookup *first)
{
    while (first != NULL) {
        struct ingest_lookup *lookup = first;
        first = lookup->next; /* once it is answered, the memory is the asker's */
        if (opener->canceled && is_away(lookup))
            lookup->status = STATUS_CANCELED;
        answer(opener, lookup);
    }
}

/* On the rpc thread again. */
static void lookup_done(void *arg)
{
    struct lane *lane = arg;
    struct ingest_opener *opener = lane->opener;
    struct ingest_lookup *first = lane->asked, *again = NULL, **end = NULL;
    lane->asked = NULL;
    if (!opener->canceled)
        first = sort_out(first, &again, &end);
    if (again != NULL) {
        make_pause(opener, again);
        put_back(opener, again, end);
    } else if (!is_away(first)) {
        end_pause(opener);
    }
    answer_all(opener, first);
    pump(opener);
}

static size_t count_lookups(const struct ingest_lookup *first)
{
    size_t count = 1; /* an asked question, and those behind it */
    for (const struct ingest_lookup *lookup = first; lookup->next != NULL; lookup = lookup->next)
        count++;
    return count;
}

static void look_up_agents(struct db *db, struct ingest_lookup *first)
{
    size_t count = count_lookups(first), i = 0;
    uint8_t(*agent_ids)[ID_BYTES] = calloc(count, sizeof(*agent_ids));
    uint64_t *sequences = calloc(count, sizeof(*sequences));
    ASSERT(agent_ids != NULL && sequences != NULL);
    for (const struct ingest_lookup *lookup = first; lookup != NULL; lookup = lookup->next)
        memcpy(agent_ids[i++], lookup->agent_id, ID_BYTES);
    struct why why = {""};
    enum status status =
        agent_high_waters(db, (const uint8_t(*)[ID_BYTES])agent_ids, count, sequences, &why);
    i = 0;
    for (struct ingest_lookup *lookup = first; lookup != NULL; lookup = lookup->next) {
        lookup->status = status;
        lookup->why = why;
        lookup->committed_sequence = sequences[i++];
    }
    free(agent_ids);
    free(sequences);
}

/* The agents' high waters are read after the processes, so that they cover what the processes have
 * of them. */
static void look_up_processes(struct db *db, struct ingest_lookup *first)
{
    size_t count = count_lookups(first), i = 0;
    struct instance_opening *openings = calloc(count, sizeof(*openings));
    ASSERT(openings != NULL);
    for (const struct ingest_lookup *lookup = first; lookup != NULL; lookup = lookup->next)
        openings[i++].identity = &lookup->identity;
    instance_open_all(db, openings, count);
    int any = 0;
    for (i = 0; i < count; i++)
        any |= openings[i].status == STATUS_OK;
    if (any)
        look_up_agents(db, first);
    i = 0;
    for (struct ingest_lookup *lookup = first; lookup != NULL; lookup = lookup->next) {
        struct instance_opening *opening = &openings[i++];
        if (opening->status != STATUS_OK) {
            lookup->status = opening->status;
            lookup->why = opening->why;
        } else if (lookup->status != STATUS_OK) {
            instance_state_done(&opening->state);
        } else {
            lookup->state = opening->state;
        }
    }
    free(openings);
}

static void look_up_types(struct db *db, struct ingest_lookup *first)
{
    size_t count = count_lookups(first), i = 0;
    struct types_addition *additions = calloc(count, sizeof(*additions));
    ASSERT(additions != NULL);
    for (const struct ingest_lookup *lookup = first; lookup != NULL; lookup = lookup->next)
        additions[i++] = (struct types_addition){.service_id = lookup->service_id,
                                                 .instance_id = lookup->instance_id,
                                                 .names = lookup->names,
                                                 .count = lookup->count,
                                                 .places = lookup->places};
    instance_types_add_all(db, additions, count);
    i = 0;
    for (struct ingest_lookup *lookup = first; lookup != NULL; lookup = lookup->next) {
        lookup->status = additions[i].status;
        lookup->why = additions[i++].why;
    }
    free(additions);
}

/* On the worker. */
static void look_up(void *arg)
{
    static void (*const ways[])(struct db * db, struct ingest_lookup * first) = {
        [ASK_AGENT] = look_up_agents,
        [ASK_PROCESS] = look_up_processes,
        [ASK_TYPES] = look_up_types,
    };
    struct lane *lane = arg;
    ways[lane->asked->question](lane->db, lane->asked);
    lane->opener->options.post(lane->opener->options.user, lookup_done, lane);
}

static void pump(struct ingest_opener *opener)
{
    if (opener->pause_ms > 0 && clock_mono_ms() < opener->again_at_ms)
        return;
    for (int i = 0; i < OPENER_LANES; i++) {
        struct lane *lane = &opener->lanes[i];
        struct ingest_lookup **due = lane->asked == NULL ? find_due(opener) : NULL;
        if (due == NULL)
            continue;
        lane->asked = take_some(opener, due);
        worker_post(lane->worker, look_up, lane);
    }
}

static void ask(struct ingest_opener *opener, struct ingest_lookup *lookup)
{
    lookup->next = NULL;
    if (opener->canceled) {
        lookup->status = STATUS_CANCELED;
        answer(opener, lookup);
        return;
    }
    *opener->end = lookup;
    opener->end = &lookup->next;
    pump(opener);
}

void ingest_opener_ask_agent(struct ingest_opener *opener, struct ingest_lookup *lookup,
                             const uint8_t agent_id[ID_BYTES])
{
    *lookup = (struct ingest_lookup){.question = ASK_AGENT};
    memcpy(lookup->agent_id, agent_id, ID_BYTES);
    ask(opener, lookup);
}

static const char *copy(struct ingest_lookup *lookup, const char *text)
{
    char *copied = arena_strndup(&lookup->texts, text, strlen(text));
    ASSERT(copied != NULL); /* the session has checked the lengths */
    return copied;
}

void ingest_opener_ask_process(struct ingest_opener *opener, struct ingest_lookup *lookup,
                               const uint8_t agent_id[ID_BYTES],
                               const struct process_identity *identity)
{
    *lookup = (struct ingest_lookup){.question = ASK_PROCESS, .identity = *identity};
    memcpy(lookup->agent_id, agent_id, ID_BYTES);
    arena_init(&lookup->texts, SIZE_MAX);
    struct process_identity *own = &lookup->identity;
    memcpy(own->agent_id, agent_id, ID_BYTES);
    own->service = copy(lookup, identity->service);
    own->service_namespace = copy(lookup, identity->service_namespace);
    own->environment = copy(lookup, identity->environment);
    own->version = copy(lookup, identity->version);
    own->host = copy(lookup, identity->host);
    own->pod = copy(lookup, identity->pod);
    own->container_id = copy(lookup, identity->container_id);
    own->image = copy(lookup, identity->image);
    own->runtime = copy(lookup, identity->runtime);
    own->runtime_version = copy(lookup, identity->runtime_version);
    own->attributes_json = copy(lookup, identity->attributes_json);
    ask(opener, lookup);
}

void ingest_opener_ask_types(struct ingest_opener *opener, struct ingest_lookup *lookup,
                             int64_t service_id, int64_t instance_id, const char *const *names,
                             uint32_t count)
{
    *lookup = (struct ingest_lookup){.question = ASK_TYPES,
                                     .service_id = service_id,
                                     .instance_id = instance_id,
                                     .names = names,
                                     .count = count,
                                     .places = calloc(count, sizeof(uint32_t))};
    ASSERT(lookup->places != NULL);
    ask(opener, lookup);
}

void ingest_opener_tick(struct ingest_opener *opener)
{
    pump(opener);
}

void ingest_opener_cancel(struct ingest_opener *opener)
{
    opener->canceled = 1;
    while (opener->first != NULL) {
        struct ingest_lookup *lookup = take_out(opener, &opener->first);
        lookup->status = STATUS_CANCELED;
        answer(opener, lookup);
    }
}
