#include "ingest_opener.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"

enum { PAUSE_FIRST_MS = 100, PAUSE_LAST_MS = 5000 };

struct ingest_opener {
    struct ingest_opener_options options;
    struct ingest_lookup *first, **end; /* waiting, oldest first */
    struct ingest_lookup *asked;        /* on the worker; NULL: none */
    int64_t pause_ms, again_at_ms;
    int canceled;
};

struct ingest_opener *ingest_opener_new(const struct ingest_opener_options *options)
{
    struct ingest_opener *opener = calloc(1, sizeof(*opener));
    ASSERT(opener != NULL);
    opener->options = *options;
    opener->end = &opener->first;
    return opener;
}

void ingest_opener_free(struct ingest_opener *opener)
{
    if (opener == NULL)
        return;
    ASSERT(opener->first == NULL && opener->asked == NULL);
    free(opener);
}

static int64_t mono_ms(void)
{
    return clock_mono_ns() / 1000000;
}

static struct ingest_lookup *take_first(struct ingest_opener *opener)
{
    struct ingest_lookup *lookup = opener->first;
    opener->first = lookup->next;
    if (opener->first == NULL)
        opener->end = &opener->first;
    return lookup;
}

static void put_back(struct ingest_opener *opener, struct ingest_lookup *lookup)
{
    lookup->next = opener->first;
    opener->first = lookup;
    if (lookup->next == NULL)
        opener->end = &lookup->next;
}

static void answer(struct ingest_opener *opener, struct ingest_lookup *lookup)
{
    arena_done(&lookup->texts);
    opener->options.answered(opener->options.user, lookup);
}

static void pump(struct ingest_opener *opener);

/* On the rpc thread again. */
static void lookup_done(void *arg)
{
    struct ingest_opener *opener = arg;
    struct ingest_lookup *lookup = opener->asked;
    opener->asked = NULL;
    if (lookup->status == STATUS_UNAVAILABLE && !opener->canceled) {
        opener->pause_ms = opener->pause_ms > 0 ? opener->pause_ms * 2 : PAUSE_FIRST_MS;
        if (opener->pause_ms > PAUSE_LAST_MS)
            opener->pause_ms = PAUSE_LAST_MS;
        opener->again_at_ms = mono_ms() + opener->pause_ms;
        put_back(opener, lookup);
        return;
    }
    opener->pause_ms = 0;
    answer(opener, lookup);
    pump(opener);
}

/* On the worker. */
static void look_up(void *arg)
{
    struct ingest_opener *opener = arg;
    struct ingest_lookup *lookup = opener->asked;
    if (lookup->is_agent)
        lookup->status = agent_high_water(opener->options.db, lookup->agent_id,
                                          &lookup->committed_sequence, &lookup->why);
    else
        lookup->status =
            instance_open(opener->options.db, &lookup->identity, &lookup->state, &lookup->why);
    opener->options.post(opener->options.user, lookup_done, opener);
}

static void pump(struct ingest_opener *opener)
{
    if (opener->asked != NULL || opener->first == NULL)
        return;
    if (opener->pause_ms > 0 && mono_ms() < opener->again_at_ms)
        return;
    opener->asked = take_first(opener);
    worker_post(opener->options.worker, look_up, opener);
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
    *lookup = (struct ingest_lookup){.is_agent = 1};
    arena_init(&lookup->texts, 0);
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
                               const struct process_identity *identity)
{
    *lookup = (struct ingest_lookup){.is_agent = 0, .identity = *identity};
    arena_init(&lookup->texts, SIZE_MAX);
    struct process_identity *own = &lookup->identity;
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

void ingest_opener_tick(struct ingest_opener *opener)
{
    pump(opener);
}

void ingest_opener_cancel(struct ingest_opener *opener)
{
    opener->canceled = 1;
    while (opener->first != NULL) {
        struct ingest_lookup *lookup = take_first(opener);
        lookup->status = STATUS_CANCELED;
        answer(opener, lookup);
    }
}
