#include "serve_command.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "citus.h"
#include "collector.h"
#include "command_line.h"
#include "door_options.h"
#include "forget.h"
#include "gate.h"
#include "history_options.h"
#include "limit_options.h"
#include "log.h"
#include "open_files.h"
#include "rpc_address.h"
#include "store.h"

struct serve_options {
    const char *listen, *http, *dsn, *data_dir, *bin_dir, *log_level, *log_format;
    char usual_data_dir[PATH_MAX];
    int64_t horizon_ms, sweep_every_ms, batch_every_ms;
    uint64_t pending_bytes;
    struct door_settings door;
    struct alert_config alert;
    struct limit_settings limits;
    struct history_settings history;
};

/* ---- which database ------------------------------------------------------------------------- */

/* NULL: none is named. "": libpq's own variables name it. Where it is found, in words, to `ret`. */
static const char *dsn_of_environment(const char **ret)
{
    const char *url = getenv("DATABASE_URL");
    *ret = "is hidden: DATABASE_URL has it";
    if (url != NULL && url[0] != '\0')
        return url;
    static const char *const names[] = {"PGHOST", "PGHOSTADDR", "PGSERVICE"};
    *ret = "is what libpq makes of PGHOST, PGSERVICE and their kin";
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != '\0')
            return "";
    }
    return NULL;
}

/* Our own server is reached as we say: a PGSERVICE or PGHOSTADDR that is meant for another one must
 * not lead elsewhere. */
static void forget_libpq_environment(void)
{
    for (char **entry = environ; *entry != NULL;) {
        char name[64];
        size_t size = strcspn(*entry, "=");
        if (strncmp(*entry, "PG", 2) != 0 || size >= sizeof(name)) {
            entry++;
            continue;
        }
        memcpy(name, *entry, size);
        name[size] = '\0';
        (void)unsetenv(name); /* moves the following entries to here */
    }
}

static enum status default_data_dir(char *ret, size_t size, struct why *why)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int used;
    if (geteuid() == 0)
        used = snprintf(ret, size, "/var/lib/heapfleet");
    else if (state != NULL && state[0] == '/')
        used = snprintf(ret, size, "%s/heapfleet", state);
    else if (home != NULL && home[0] == '/')
        used = snprintf(ret, size, "%s/.local/state/heapfleet", home);
    else
        return why_fail(why, STATUS_USAGE,
                        "there is no HOME to keep a database in: give --data-dir or --dsn");
    if (used < 0 || (size_t)used >= size)
        return why_fail(why, STATUS_USAGE, "HOME is too long: give --data-dir or --dsn");
    return STATUS_OK;
}

/* Both may be said in different places: a flag is meant for now, an image's variable for ever. */
static enum status settle_conflict(struct serve_options *options, struct command_line *line,
                                   struct why *why)
{
    int winner = command_line_prefers(line, "dsn", "data-dir");
    if (winner == 0)
        return why_fail(why, STATUS_USAGE,
                        "%s names a database and %s asks for a private one: give one of them",
                        command_line_place(line, "dsn"), command_line_place(line, "data-dir"));
    if (winner > 0) {
        options->data_dir = NULL;
        command_line_note(line, "data-dir", "is not used: dsn names a database");
    } else {
        options->dsn = NULL;
        command_line_note(line, "dsn", "is not used: data-dir asks for a private database");
    }
    return STATUS_OK;
}

/* --dsn or --data-dir, then the environment's database, then the usual place for our own. */
static enum status choose_database(struct serve_options *options, struct command_line *line,
                                   struct why *why)
{
    const char *words = NULL;
    if (options->dsn != NULL && options->data_dir != NULL)
        return settle_conflict(options, line, why);
    if (options->dsn == NULL && options->data_dir == NULL) {
        options->dsn = dsn_of_environment(&words);
        if (options->dsn != NULL)
            command_line_note(line, "dsn", words);
    }
    if (options->dsn != NULL || options->data_dir != NULL)
        return STATUS_OK;
    options->data_dir = options->usual_data_dir;
    return default_data_dir(options->usual_data_dir, sizeof(options->usual_data_dir), why);
}

/* ---- which address -------------------------------------------------------------------------- */

static enum status check_http(const struct serve_options *options, const struct command_line *line,
                              struct why *why)
{
    struct rpc_address address;
    if (options->http == NULL)
        return STATUS_OK;
    enum status status = rpc_address_parse(options->http, &address, why);
    if (status == STATUS_OK && address.is_unix)
        status = why_fail(why, STATUS_INVALID, "%s is not HOST:PORT", options->http);
    if (status == STATUS_OK)
        return STATUS_OK;
    why_prefix(why, "%s", command_line_place(line, "http"));
    return STATUS_USAGE;
}

static enum status check_times(const struct serve_options *options, const struct command_line *line,
                               struct why *why)
{
    const struct {
        const char *option;
        int64_t ms, least, most;
        const char *words;
    } rows[] = {
        {"batch-every", options->batch_every_ms, 1, 10000, "between 1ms and 10s"},
        {"sweep-every", options->sweep_every_ms, 100, INT64_MAX, "at least 100ms"},
        {"horizon", options->horizon_ms, 1000, INT64_MAX, "at least 1s"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].ms < rows[i].least || rows[i].ms > rows[i].most)
            return why_fail(why, STATUS_USAGE, "%s is %s", command_line_place(line, rows[i].option),
                            rows[i].words);
    }
    return STATUS_OK;
}

/* ---- serve ---------------------------------------------------------------------------------- */

enum { SERVE_OPTIONS_MAX = 60 };

static const struct serve_options serve_defaults = {
    .listen = "127.0.0.1:4777",
    .log_level = "info",
    .log_format = "text",
    .horizon_ms = (int64_t)30 * 3600 * 1000,
    .sweep_every_ms = (int64_t)5 * 60 * 1000,
    .batch_every_ms = 250,
    .alert = {.severity = "confirmed", .every_ms = 5000},
};

static void make_serve_table(struct serve_options *options, struct option ret[SERVE_OPTIONS_MAX])
{
    options->limits = limit_settings_usual();
    options->history = history_settings_usual();
    options->door = door_settings_usual();
    const struct option table[] = {
        {"listen", 'l', OPTION_TEXT, &options->listen, "HOST:PORT",
         "where agents and the command line connect", "127.0.0.1:4777"},
        {"http", 0, OPTION_TEXT, &options->http, "HOST:PORT",
         "answer /metrics, /healthz and /readyz here, to anybody", NULL},
        {"dsn", 0, OPTION_SECRET, &options->dsn, "DSN",
         "PostgreSQL to use, as a URI or keywords of libpq", NULL},
        {"data-dir", 0, OPTION_TEXT, &options->data_dir, "DIR",
         "where a private PostgreSQL keeps its data", NULL},
        {"postgres-bin", 0, OPTION_TEXT, &options->bin_dir, "DIR",
         "where its initdb and postgres are", "/usr/lib/postgresql/N/bin"},
        {"horizon", 0, OPTION_DURATION, &options->horizon_ms, "TIME",
         "uptime after which growth is judged", "30h"},
        {"sweep-every", 0, OPTION_DURATION, &options->sweep_every_ms, "TIME",
         "between two searches for leaks", "5m"},
        {"batch-every", 0, OPTION_DURATION, &options->batch_every_ms, "TIME", "between two commits",
         "250ms"},
        {"pending-bytes", 0, OPTION_BYTES, &options->pending_bytes, "SIZE",
         "facts in memory before agents are held back", "32M"},
        {"alert-webhook", 0, OPTION_TEXT, &options->alert.webhook, "URL",
         "is told of leaks, as JSON", NULL},
        {"alert-webhook-secret", 0, OPTION_SECRET, &options->alert.webhook_secret, "TEXT",
         "signs what it is told (Heapfleet-Signature)", NULL},
        {"alertmanager", 0, OPTION_TEXT, &options->alert.alertmanager, "URL",
         "of an Alertmanager that is told of leaks", NULL},
        {"alert-severity", 0, OPTION_TEXT, &options->alert.severity, "LEAST",
         "what is told: watch, suspect or confirmed", "confirmed"},
        {"alert-every", 0, OPTION_DURATION, &options->alert.every_ms, "TIME",
         "between two looks for what is to be told", "5s"},
        {"log-level", 0, OPTION_TEXT, &options->log_level, "LEVEL", "debug, info, warn, error",
         "info"},
        {"log-format", 0, OPTION_TEXT, &options->log_format, "FORMAT", "text or json", "text"},
    };
    enum { OWN = ARRAY_SIZE(table) };
    _Static_assert(OWN + HISTORY_OPTIONS + LIMIT_OPTIONS + DOOR_OPTIONS < SERVE_OPTIONS_MAX,
                   "room for the table");
    memcpy(ret, table, sizeof(table));
    history_options(&options->history, ret + OWN);
    limit_options(&options->limits, ret + OWN + HISTORY_OPTIONS);
    door_options(&options->door, ret + OWN + HISTORY_OPTIONS + LIMIT_OPTIONS);
    ret[OWN + HISTORY_OPTIONS + LIMIT_OPTIONS + DOOR_OPTIONS] = (struct option){0};
}

/* What a reload may change. */
static const char *const reloadable[] = {"log-level", "log-format", "tls-cert", "tls-key",
                                         "tls-ca",    "access",     NULL};

static enum status check_serve(const struct serve_options *options, const struct command_line *line,
                               struct why *why)
{
    enum status status = door_settings_check(&options->door, options->listen, line, why);
    if (status == STATUS_OK)
        status = check_http(options, line, why);
    if (status == STATUS_OK)
        status = check_times(options, line, why);
    if (status == STATUS_OK)
        status = history_settings_check(&options->history, line, why);
    if (status == STATUS_OK)
        status = alert_check(&options->alert, why);
    struct ingest_limits limits;
    if (status == STATUS_OK)
        status = limit_settings_check(&options->limits, line, &limits, why);
    if (status == STATUS_OK)
        status = log_setup_words(options->log_level, options->log_format, why);
    return status;
}

/* A command that runs. */
struct serve {
    struct serve_options options;
    struct command_line *line;
    struct gate *gate;
};

/* ---- SIGHUP --------------------------------------------------------------------------------- */

static void log_change(void *arg, const char *option, int is_reloadable)
{
    int *changes = arg;
    *changes += is_reloadable;
    if (!is_reloadable)
        log_event(LOG_WARN, "config.ignored", "option=%s reason=\"needs a restart\"", option);
}

/* What is wrong leaves everything as it is. */
static enum status read_again(const struct serve *serve, struct command_line *again,
                              struct serve_options *options, struct why *why)
{
    enum status status = command_line_read_again(serve->line, again, why);
    if (status == STATUS_OK)
        status = check_serve(options, again, why);
    const struct gate_options files = door_settings_gate(&options->door);
    if (status == STATUS_OK)
        status = gate_set_paths(serve->gate, &files, why);
    return status;
}

static void reload(void *arg)
{
    const struct serve *serve = arg;
    struct serve_options options = serve_defaults;
    struct option table[SERVE_OPTIONS_MAX];
    struct why why = {""};
    int changes = 0;
    make_serve_table(&options, table);
    struct command_line again = *serve->line;
    again.options = table;
    enum status status = read_again(serve, &again, &options, &why);
    if (status == STATUS_OK) {
        command_line_compare(serve->line, &again, log_change, &changes);
        log_event(LOG_INFO, "config.reloaded", "changes=%d", changes);
    } else {
        log_event(LOG_WARN, "config.refused", "reason=\"%s\"", why.text);
    }
    command_line_done(&again);
    gate_reload(serve->gate);
}

/* --------------------------------------------------------------------------------------------- */

static enum status serve(struct serve *serve, struct why *why)
{
    const struct serve_options *options = &serve->options;
    struct ingest_limits limits;
    enum status status = limit_settings_check(&options->limits, serve->line, &limits, why);
    if (status != STATUS_OK)
        return status;
    open_files_raise_limit(); /* every connection is one */
    if (options->dsn == NULL)
        forget_libpq_environment();
    const struct collector_config config = {
        .listen = options->listen,
        .dsn = options->dsn,
        .data_dir = options->data_dir,
        .bin_dir = options->bin_dir,
        .horizon_ms = options->horizon_ms,
        .sweep_every_ms = options->sweep_every_ms,
        .batch_every_ms = options->batch_every_ms,
        .pending_bytes_max = options->pending_bytes,
        .alert = options->alert,
        .limits = limits,
        .http = options->http,
        .history = options->history.config,
        .compact_every_ms = options->history.compact_every_ms,
        .reload = reload,
        .reload_arg = serve,
        .door = &options->door,
        .gate = serve->gate,
    };
    return collector_run(&config, why);
}

static struct command_line serve_line(const struct option *table)
{
    return (struct command_line){
        .name = "heapfleet-collector serve",
        .help =
            "usage: heapfleet-collector serve [--listen HOST:PORT] [--dsn DSN | --data-dir DIR]\n"
            "\n"
            "Takes what agents send, keeps it in PostgreSQL, looks for leaks, answers questions.\n"
            "Without a database (--dsn, DATABASE_URL, or PGHOST and the like) it runs a private\n"
            "PostgreSQL under the data directory.\n",
        .options = table,
        .has_config = 1,
        .reloadable = reloadable,
    };
}

/* Everything that can be known without starting. */
static enum status prepare(struct serve *serve, struct why *why)
{
    enum status status = check_serve(&serve->options, serve->line, why);
    if (status == STATUS_OK)
        status = choose_database(&serve->options, serve->line, why);
    const struct gate_options files = door_settings_gate(&serve->options.door);
    if (status == STATUS_OK)
        status = gate_new(&files, &serve->gate, why);
    return status;
}

int serve_command(int argc, char **argv)
{
    struct serve run = {.options = serve_defaults};
    struct option table[SERVE_OPTIONS_MAX];
    make_serve_table(&run.options, table);
    struct command_line line = serve_line(table);
    run.line = &line;
    struct why why = {""};
    int code = command_line_read(&line, argc, argv);
    if (code < 0)
        code = command_line_settle(&line, prepare(&run, &why), &why);
    if (code < 0)
        code = command_line_end(&line, serve(&run, &why), &why);
    gate_free(run.gate);
    command_line_done(&line);
    return code;
}

/* ---- migrate, forget ------------------------------------------------------------------------ */

struct database_options {
    const char *dsn;
    int citus;
    const char *service, *service_namespace, *environment;
};

typedef enum status database_fn(struct db *db, const struct database_options *options,
                                struct why *why);

static enum status migrate(struct db *db, const struct database_options *options, struct why *why)
{
    struct schema_state before = {0}, after = {0};
    enum status status = schema_look(db, &before, why);
    if (status == STATUS_OK)
        status = migrate_up(db, why);
    if (status == STATUS_OK)
        status = schema_look(db, &after, why);
    if (status == STATUS_OK && options->citus)
        status = citus_distribute(db, why);
    if (status != STATUS_OK)
        return status;
    if (before.found == after.found)
        (void)printf("the schema is %d, as it was", after.found);
    else if (before.found == 0)
        (void)printf("the schema is %d; there was none", after.found);
    else
        (void)printf("the schema is %d; it was %d", after.found, before.found);
    (void)printf("%s\n", options->citus ? "; it is distributed by service" : "");
    return STATUS_OK;
}

/* As tables show what is not there. */
static const char *or_none(const char *name)
{
    return strcmp(name, "-") == 0 ? "" : name;
}

/* What this program does not know could not be forgotten. */
static enum status check_schema(struct db *db, struct why *why)
{
    struct schema_state schema = {0};
    enum status status = schema_look(db, &schema, why);
    if (status != STATUS_OK || schema.found == schema.known)
        return status;
    if (schema.found == 0)
        return why_fail(why, STATUS_FAILED, "there is no schema heapfleet: is it this database?");
    return why_fail(why, STATUS_FAILED,
                    "the database has schema %d, and this program works on %d: "
                    "heapfleet-collector migrate brings it up to date",
                    schema.found, schema.known);
}

static enum status forget(struct db *db, const struct database_options *options, struct why *why)
{
    enum status status = check_schema(db, why);
    if (status == STATUS_OK)
        status = service_forget(db, options->service, or_none(options->service_namespace),
                                or_none(options->environment), why);
    if (status == STATUS_OK)
        (void)printf("all that was known of %s is deleted\n", options->service);
    return status;
}

static enum status check_database(struct database_options *options, struct command_line *line,
                                  struct why *why)
{
    const char *words = NULL;
    if (options->dsn != NULL)
        return STATUS_OK;
    options->dsn = dsn_of_environment(&words);
    if (options->dsn == NULL)
        return why_fail(why, STATUS_USAGE,
                        "no database is named: give --dsn, DATABASE_URL or PGHOST");
    command_line_note(line, "dsn", words);
    return STATUS_OK;
}

static enum status run_on_database(const struct database_options *options, database_fn *run,
                                   struct why *why)
{
    struct db *db = NULL;
    enum status status = db_open(options->dsn, &db, why);
    if (status == STATUS_OK)
        status = run(db, options, why);
    db_close(db);
    return status;
}

static int database_command(struct command_line *line, struct database_options *options,
                            database_fn *run, int argc, char **argv)
{
    struct serve_options unused = serve_defaults;
    struct option elsewhere[SERVE_OPTIONS_MAX];
    struct why why = {""};
    make_serve_table(&unused, elsewhere);
    line->has_config = 1;
    line->elsewhere = elsewhere;
    int code = command_line_read(line, argc, argv);
    if (code < 0) {
        enum status status = check_database(options, line, &why);
        if (status == STATUS_OK && line->operand_count < line->operands_max)
            status = why_fail(&why, STATUS_USAGE, "which service?");
        options->service = line->operands[0];
        code = command_line_settle(line, status, &why);
    }
    if (code < 0)
        code = command_line_end(line, run_on_database(options, run, &why), &why);
    command_line_done(line);
    return code;
}

int migrate_command(int argc, char **argv)
{
    struct database_options options = {.dsn = NULL};
    const struct option table[] = {
        {"dsn", 0, OPTION_SECRET, &options.dsn, "DSN", "PostgreSQL to bring up to date", NULL},
        {"citus", 0, OPTION_FLAG, &options.citus, NULL,
         "distribute it by service; DSN is of the coordinator", NULL},
        {0},
    };
    struct command_line line = {
        .name = "heapfleet-collector migrate",
        .help = "usage: heapfleet-collector migrate --dsn DSN [--citus]\n\nCreates or updates the "
                "schema \"heapfleet\"; serve does the same when it starts.\n",
        .options = table,
    };
    return database_command(&line, &options, migrate, argc, argv);
}

int forget_command(int argc, char **argv)
{
    struct database_options options = {.service_namespace = "", .environment = ""};
    const struct option table[] = {
        {"dsn", 0, OPTION_SECRET, &options.dsn, "DSN", "PostgreSQL that has the history", NULL},
        {"namespace", 0, OPTION_TEXT, &options.service_namespace, "NAME", "of the service", "none"},
        {"environment", 0, OPTION_TEXT, &options.environment, "NAME", "of the service", "none"},
        {0},
    };
    struct command_line line = {
        .name = "heapfleet-collector forget",
        .help = "usage: heapfleet-collector forget SERVICE --dsn DSN\n\nDeletes all that is known "
                "of a service: its history, its processes, its findings. Agents that\nstill watch "
                "it begin anew when they connect again; what they send until then is "
                "lost.\n",
        .options = table,
        .operands_max = 1,
    };
    return database_command(&line, &options, forget, argc, argv);
}
