#include "serve_command.h"

#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "collector.h"
#include "log.h"
#include "options.h"
#include "rpc_address.h"
#include "store.h"

struct serve_options {
    const char *listen, *dsn, *data_dir, *bin_dir, *log_level, *log_format;
    char usual_data_dir[PATH_MAX];
    int64_t horizon_ms, sweep_every_ms, batch_every_ms;
    uint64_t pending_bytes;
    int insecure, help;
};

static int fail(enum status status, const struct why *why)
{
    (void)fprintf(stderr, "heapfleet-collector: %s\n", why->text);
    return status_exit_code(status);
}

/* ---- which database ------------------------------------------------------------------------- */

/* NULL: none is named. "": libpq's own variables name it. */
static const char *dsn_of_environment(void)
{
    const char *url = getenv("DATABASE_URL");
    if (url != NULL && url[0] != '\0')
        return url;
    static const char *const names[] = {"PGHOST", "PGHOSTADDR", "PGSERVICE"};
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

/* --dsn, then --data-dir, then the environment's database, then the usual place for our own. */
static enum status choose_database(struct serve_options *options, struct why *why)
{
    if (options->dsn != NULL && options->data_dir != NULL)
        return why_fail(why, STATUS_USAGE,
                        "--dsn names a database and --data-dir asks for a private one: give one of "
                        "them");
    if (options->dsn == NULL && options->data_dir == NULL)
        options->dsn = dsn_of_environment();
    if (options->dsn != NULL || options->data_dir != NULL)
        return STATUS_OK;
    options->data_dir = options->usual_data_dir;
    return default_data_dir(options->usual_data_dir, sizeof(options->usual_data_dir), why);
}

/* ---- which address -------------------------------------------------------------------------- */

static int is_loopback(const struct rpc_address *address)
{
    struct in_addr four;
    struct in6_addr six;
    if (address->is_unix || strcmp(address->host, "localhost") == 0)
        return 1;
    if (inet_pton(AF_INET, address->host, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, address->host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

static enum status check_listen(const struct serve_options *options, struct why *why)
{
    struct rpc_address address;
    enum status status = rpc_address_parse(options->listen, &address, why);
    if (status != STATUS_OK) {
        why_prefix(why, "--listen");
        return STATUS_USAGE;
    }
    if (options->insecure || is_loopback(&address))
        return STATUS_OK;
    return why_fail(why, STATUS_USAGE,
                    "--listen %s is open to other machines and nothing protects it: say --insecure "
                    "if the network does",
                    options->listen);
}

static enum status check_times(const struct serve_options *options, struct why *why)
{
    if (options->batch_every_ms < 1 || options->batch_every_ms > 10000)
        return why_fail(why, STATUS_USAGE, "--batch-every is between 1ms and 10s");
    if (options->sweep_every_ms < 100)
        return why_fail(why, STATUS_USAGE, "--sweep-every is at least 100ms");
    if (options->horizon_ms < 1000)
        return why_fail(why, STATUS_USAGE, "--horizon is at least 1s");
    return STATUS_OK;
}

static enum status set_up_log(const struct serve_options *options, struct why *why)
{
    enum log_level level;
    if (log_level_parse(options->log_level, &level) != 0)
        return why_fail(why, STATUS_USAGE, "--log-level is debug, info, warn or error");
    int is_json = strcmp(options->log_format, "json") == 0;
    if (!is_json && strcmp(options->log_format, "text") != 0)
        return why_fail(why, STATUS_USAGE, "--log-format is text or json");
    log_setup(level, is_json ? LOG_JSON : LOG_TEXT);
    return STATUS_OK;
}

/* Every connection is a descriptor, and a listener that runs out of them dies for good. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* ---- serve ---------------------------------------------------------------------------------- */

static int run(struct serve_options *options)
{
    struct why why = {""};
    enum status status = set_up_log(options, &why);
    if (status == STATUS_OK)
        status = check_listen(options, &why);
    if (status == STATUS_OK)
        status = check_times(options, &why);
    if (status == STATUS_OK)
        status = choose_database(options, &why);
    if (status != STATUS_OK)
        return fail(status, &why);
    raise_descriptor_limit();
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
    };
    status = collector_run(&config, &why);
    return status == STATUS_OK ? 0 : fail(status, &why);
}

static void print_serve_help(const struct option *table)
{
    (void)puts(
        "usage: heapfleet-collector serve [--listen HOST:PORT] [--dsn DSN | --data-dir DIR]\n"
        "\n"
        "Takes what agents send, keeps it in PostgreSQL, looks for leaks, answers questions.\n"
        "Without a database (--dsn, DATABASE_URL, or PGHOST and the like) it runs a private\n"
        "PostgreSQL under the data directory.\n");
    options_print_help(table);
}

int serve_command(int argc, char **argv)
{
    struct serve_options options = {
        .listen = "127.0.0.1:4777",
        .log_level = "info",
        .log_format = "text",
        .horizon_ms = (int64_t)30 * 3600 * 1000,
        .sweep_every_ms = (int64_t)5 * 60 * 1000,
        .batch_every_ms = 250,
    };
    const struct option table[] = {
        {"listen", 'l', OPTION_TEXT, &options.listen, "HOST:PORT",
         "where agents and the command line connect", "127.0.0.1:4777"},
        {"dsn", 0, OPTION_TEXT, &options.dsn, "DSN",
         "PostgreSQL to use, as a URI or keywords of libpq", NULL},
        {"data-dir", 0, OPTION_TEXT, &options.data_dir, "DIR",
         "where a private PostgreSQL keeps its data", NULL},
        {"postgres-bin", 0, OPTION_TEXT, &options.bin_dir, "DIR",
         "where its initdb and postgres are", "/usr/lib/postgresql/N/bin"},
        {"horizon", 0, OPTION_DURATION, &options.horizon_ms, "TIME",
         "uptime after which growth is judged", "30h"},
        {"sweep-every", 0, OPTION_DURATION, &options.sweep_every_ms, "TIME",
         "between two searches for leaks", "5m"},
        {"batch-every", 0, OPTION_DURATION, &options.batch_every_ms, "TIME", "between two commits",
         "250ms"},
        {"pending-bytes", 0, OPTION_BYTES, &options.pending_bytes, "SIZE",
         "facts in memory before agents are held back", "32M"},
        {"insecure", 0, OPTION_FLAG, &options.insecure, NULL,
         "allow an address that other machines reach, without TLS", NULL},
        {"log-level", 0, OPTION_TEXT, &options.log_level, "LEVEL", "debug, info, warn, error",
         "info"},
        {"log-format", 0, OPTION_TEXT, &options.log_format, "FORMAT", "text or json", "text"},
        {"help", 'h', OPTION_FLAG, &options.help, NULL, "show this", NULL},
        {0},
    };
    struct why why = {""};
    const char *operand;
    int operands = 0, rest = 0;
    enum status status = options_parse(table, argc, argv, &operand, 0, &operands, &rest, &why);
    if (status != STATUS_OK)
        return fail(status, &why);
    if (options.help) {
        print_serve_help(table);
        return 0;
    }
    return run(&options);
}

/* ---- migrate -------------------------------------------------------------------------------- */

static enum status migrate(const char *dsn, struct why *why)
{
    struct db *db = NULL;
    enum status status = db_open(dsn, &db, why);
    if (status == STATUS_OK)
        status = migrate_up(db, why);
    db_close(db);
    return status;
}

int migrate_command(int argc, char **argv)
{
    const char *dsn = NULL;
    int help = 0;
    const struct option table[] = {
        {"dsn", 0, OPTION_TEXT, &dsn, "DSN", "PostgreSQL to bring up to date", NULL},
        {"help", 'h', OPTION_FLAG, &help, NULL, "show this", NULL},
        {0},
    };
    struct why why = {""};
    const char *operand;
    int operands = 0, rest = 0;
    enum status status = options_parse(table, argc, argv, &operand, 0, &operands, &rest, &why);
    if (status != STATUS_OK)
        return fail(status, &why);
    if (help) {
        (void)puts("usage: heapfleet-collector migrate --dsn DSN\n\nCreates or updates the schema "
                   "\"heapfleet\"; serve does the same when it starts.\n");
        options_print_help(table);
        return 0;
    }
    if (dsn == NULL)
        dsn = dsn_of_environment();
    if (dsn == NULL) {
        why_set(&why, "no database is named: give --dsn, DATABASE_URL or PGHOST");
        return fail(STATUS_USAGE, &why);
    }
    status = migrate(dsn, &why);
    return status == STATUS_OK ? 0 : fail(status, &why);
}
