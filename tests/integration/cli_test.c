/* USES cli query store rpc */
/*
 * The command line against a real collector's reading half: what is printed, where, and with which
 * exit code.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli_scene.h"

/* ---- what it prints ------------------------------------------------------------------------- */

static void tables(void **state)
{
    (void)state;
    prints("services", "SERVICE  ENVIRONMENT  VERSION  LIVE  TOTAL  OBJECTS    BYTES  LEAKS");
    prints("services", "shop     prod         v2          2      4  363,920  26.4 MB      1");
    prints("services -e staging", "search   staging      v7          1      1  180,160");
    prints("deployments shop", "v2          2      2  181,960  13.2 MB  +100.8 kB/h");
    prints("top shop", "shop v2, 2 processes\n\nTYPE ");
    prints("top shop --by growth --limit 1", "dict  43,800");
    prints("top shop --version v1", "shop v1, 2 processes");
    prints("top shop -n 0", "shop v2, 2 processes\n\nTYPE ");
    prints("top shop -n 5000000000", "shop v2, 2 processes\n\nTYPE ");
    prints("compare shop v1 v2", "shop after 1h: mean of 2 processes of v1, of 2 of v2\n\n"
                                 "TYPE                COUNT v1  COUNT v2  BYTES v1");
    prints(
        "leaks",
        "shop     prod         shop.cart.CartLine  confirmed  open   v2      +900/h  +43.2 kB/h");
    prints("leaks", "shop: with shop.cart.CartLine grow dict");
    prints("leaks --service search", "no leak found");
    prints("history shop shop.cart.CartLine", "▲v2");
    prints("history shop shop.cart.CartLine",
           "96.0 kB to 182.4 kB in 2h; now 3,800 objects, 182.4 kB in 2 processes\n");
    prints("history shop dict --by count --since 30m", "count of dict in shop");
    prints("history shop dict --version v1 --since 1m", "no snapshot of it in this span");
    prints("history shop dict --from 4m --step 5m", "one point in this span, at ");
    prints("history shop", "bytes of all types in shop\n");
    prints("history shop --resolution hour", "bytes of all types in shop, means of hours\n");
    prints("history shop str --from 2h --to 90m --instance 0101", "in 1 process\n");
}

static void processes(void **state)
{
    (void)state;
    prints("containers shop", "INSTANCE      HOST    PID  VERSION  STARTED");
    prints("containers shop --by started -n 1", "040404040404  node-1    4  v2");
    prints("containers shop -n 1", "3 more: --limit 0 shows all\n");
    prints("containers shop --type shop.cart.CartLine --by type -n 1",
           "COUNT OF TYPE  BYTES OF TYPE\n040404040404");
    prints("containers shop --version v1", "exited");
    prints("containers search -e staging -o csv", "06060606060606060606060606060606,,node-1,6,v7,");
    prints("containers shop --live --version v1", "no process of it is alive\n");
    refuses("containers shop --by size", 2,
            "heapfleet: containers cannot be listed: --by cannot be 'size': it takes bytes, rss, "
            "type or started\n");
    refuses("containers shop --by type", 2,
            "heapfleet: containers cannot be listed: --by type needs a --type\n");
}

static void growth(void **state)
{
    (void)state;
    prints("top shop --from 2h", "shop, a process's mean: ");
    prints("top shop --from 0 -n 1",
           "TYPE  COUNT THEN  COUNT NOW  BYTES THEN  BYTES NOW  DIFFERENCE\n"
           "dict");
    prints("top shop --from 0 --by count -o csv --limit 0", "\nshop.cart.CartLine,1000,");
    refuses("top shop --to 1h", 2, "heapfleet: types cannot be listed: --to needs a --from\n");
    refuses("top shop --from 1h --to 2h", 2,
            "heapfleet: types cannot be listed: the span ends before it begins\n");
    refuses("top shop --from 2099-01-01 --to 2099-01-02", 2,
            "heapfleet: types cannot be listed: the span begins in the future\n");
    refuses("history shop str --from yesterday", 2,
            "heapfleet: --from: 'yesterday' is no time: write how long ago (90m, 7d), or "
            "2026-11-22T09:30 (local; with a Z: UTC)\n");
}

static void json(void **state)
{
    (void)state;
    prints("services -o json", "{\"service\": \"search\", \"environment\": \"prod\", ");
    prints("top shop -o json -n 1",
           "[\n  {\"type\": \"str\", \"count\": 300000, \"bytes\": 22000000, "
           "\"count_per_hour\": 0, \"bytes_per_hour\": 0, "
           "\"version\": \"v2\", \"instances\": 2}\n]\n");
    prints("compare shop v1 v2 -o json -n 1",
           "\"at_uptime_ms\": 3600000, \"instances_a\": 2, \"instances_b\": 2}");
    prints("leaks -o json", "\"introduced_in\": \"v2\"");
    prints("leaks --service search -o json", "[]\n");
    prints("history shop str -o json", "\"count\": 300000, \"bytes\": 22000000, \"instances\": 2}");
}

static void csv(void **state)
{
    (void)state;
    prints("history shop shop.cart.CartLine --raw --since 0 -o csv",
           "time,count,bytes,version,instance,sequence\n");
    int lines = 0;
    for (const char *at = outcome.out; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_int_equal(lines, 1 + 4 * 61);
    assert_non_null(strstr(outcome.out, ",2200,105600,v2,04040404040404040404040404040404,"));
    prints("history shop str --instance 03030303030303030303030303030303 -o csv",
           ",150000,11000000,1\n");
}

static void the_gate(void **state)
{
    (void)state;
    run("leaks --exit-code");
    assert_int_equal(outcome.exit_code, 6);
    assert_string_equal(outcome.err, "");
    run("leaks --exit-code --service search -e prod");
    assert_int_equal(outcome.exit_code, 0);
    run("leaks --service nobody --exit-code"); /* a gate that cannot tell is not open */
    assert_int_equal(outcome.exit_code, 3);
}

static void the_command_may_stand_anywhere(void **state)
{
    (void)state;
    prints("-o csv --limit 1 top shop", "type,count,");
    prints("--environment=staging deployments -o csv search", "v7,");
    prints("top -o csv -- shop", "type,count,");
}

/* What bash offers behind these words. */
static void completes(const char *words, const char *expected)
{
    char script[] = "/tmp/heapfleet-completion-XXXXXX";
    char command[512], offered[4096] = "";
    int fd = mkstemp(script);
    assert_true(fd >= 0);
    run("completion bash");
    assert_int_equal(outcome.exit_code, 0);
    assert_int_equal(write(fd, outcome.out, strlen(outcome.out)), strlen(outcome.out));
    (void)close(fd);
    (void)snprintf(command, sizeof(command),
                   "bash -c 'source %s; COMP_WORDS=(heapfleet %s); "
                   "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _heapfleet; echo ${COMPREPLY[*]}'",
                   script, words);
    FILE *shell = popen(command, "re");
    assert_non_null(shell);
    assert_non_null(fgets(offered, sizeof(offered), shell));
    assert_int_equal(pclose(shell), 0);
    (void)unlink(script);
    if (strstr(offered, expected) == NULL)
        fail_msg("heapfleet %s: %s", words, offered);
}

static void shells_complete_what_the_tables_say(void **state)
{
    (void)state;
    completes("\"\"", "services deployments containers top history compare leaks");
    completes("con", "containers\n");
    completes("leaks mu", "mute mutes\n");
    completes("top --by \"\"", "bytes count growth\n");
    completes("history shop -o j", "json\n");
    completes("history --resolution \"\"", "auto minute hour day\n");
    completes("containers shop --li", "--live --limit\n");
    refuses("completion ksh", 2,
            "heapfleet: completions cannot be written: there is no completion for 'ksh': it is "
            "bash, zsh or fish\n");
    prints("completion zsh", "#compdef heapfleet\n");
    prints("completion fish", "-l resolution -x -a 'auto minute hour day' -d");
    prints("manual", ".SS compare SERVICE VERSION_A VERSION_B\n");
    prints("manual", "\\fB\\-\\-exit\\-code\\fR");
}

static void help_and_version(void **state)
{
    (void)state;
    prints("--help", "compare SERVICE VERSION_A VERSION_B  two versions at equal uptime\n");
    prints("compare --help", "usage: heapfleet compare SERVICE VERSION_A VERSION_B [OPTIONS]");
    prints("top -h", "--version V");
    prints("--version", "heapfleet 0.");
}

/* ---- what it refuses ------------------------------------------------------------------------ */

static void wrong_command_lines(void **state)
{
    (void)state;
    refuses("", 2, "heapfleet: a command is missing: heapfleet --help lists them\n");
    refuses("tpo shop", 2, "heapfleet: there is no command 'tpo': did you mean 'top'?\n");
    refuses("dance", 2, "heapfleet: there is no command 'dance': heapfleet --help lists them\n");
    refuses("top", 2, "heapfleet: an argument is missing: heapfleet top SERVICE\n");
    refuses("top shop v2", 2, "heapfleet: unexpected argument 'v2'\n");
    refuses("top -- shop v2", 2, "heapfleet: unexpected argument 'v2'\n");
    refuses("services --limit 3", 2,
            "heapfleet: unknown option '--limit': --help lists the "
            "options\n");
    refuses("top shop --limt 3", 2,
            "heapfleet: unknown option '--limt': did you mean '--limit'?\n");
    refuses("services --tls-cert c", 2,
            "heapfleet: services cannot be listed: --tls-cert and --tls-key need --tls-ca\n");
    refuses("services --tls-ca a --tls-key k", 2,
            "heapfleet: services cannot be listed: --tls-cert and --tls-key go together\n");
    refuses("services -o yaml", 2,
            "heapfleet: there is no output format 'yaml': it is table, json or csv\n");
    refuses("top shop --by age", 2,
            "heapfleet: types cannot be listed: --by cannot be 'age': it "
            "takes bytes, count or growth\n");
    refuses("deployments search", 2,
            "heapfleet: deployments cannot be listed: service 'search' is in several environments: "
            "'prod', 'staging'; name one of them\n");
    refuses("compare shop v1 v2 --at 5h", 2,
            "heapfleet: versions cannot be compared: version 'v1' has not reached an uptime of 5h: "
            "its oldest process has 1h\n");
}

static void names_that_are_not_there(void **state)
{
    (void)state;
    refuses("top shpo", 3,
            "heapfleet: types cannot be listed: there is no service 'shpo': did you "
            "mean 'shop'?\n");
    refuses("history shop CartLine", 3,
            "heapfleet: history cannot be shown: service 'shop' has no type 'CartLine': did you "
            "mean 'shop.cart.CartLine'?\n");
    refuses("compare shop v1 v3", 3,
            "heapfleet: versions cannot be compared: service 'shop' has "
            "no version 'v3': it has 'v2', 'v1'\n");
}

static void nobody_answers(void **state)
{
    (void)state;
    run("services --collector 127.0.0.1:1");
    assert_int_equal(outcome.exit_code, 1);
    assert_non_null(strstr(outcome.err, "heapfleet: services cannot be listed: nobody answers at "
                                        "127.0.0.1:1"));
    run("services --collector nonsense");
    assert_int_equal(outcome.exit_code, 2);
    assert_string_equal(outcome.out, "");
}

enum { WIDE_TYPES = 2300 };

/* A process of as many types, the n-th of n bytes, in an environment of its own. */
static void open_wide(const char *version)
{
    struct why why = {0};
    struct process_identity identity = {
        .service = "wide",
        .service_namespace = "",
        .environment = "",
        .version = version,
        .host = "",
        .pod = "",
        .container_id = "",
        .image = "",
        .runtime = "cpython",
        .runtime_version = "3.11.2",
        .pid = ++scene.processes,
        .started_ms = scene.now_ms - scene_hour_ms,
        .attributes_json = "{}",
    };
    memset(identity.instance_uuid, scene.processes, ID_BYTES);
    struct instance_state at;
    private_store_must(instance_open(scene.store.db, &identity, &at, &why), &why);
    static char texts[WIDE_TYPES][8];
    const char *names[WIDE_TYPES];
    uint32_t places[WIDE_TYPES];
    struct heap_values heap = HEAP_VALUES_INIT;
    heap_values_resize(&heap, WIDE_TYPES);
    for (uint32_t i = 0; i < WIDE_TYPES; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "w%04u", i + 1);
        names[i] = texts[i];
        heap.values[i] = (struct type_value){1, i + 1};
    }
    private_store_must(instance_types_add(scene.store.db, at.service_id, at.instance_id, names,
                                          WIDE_TYPES, places, &why),
                       &why);
    struct buf body = BUF_INIT;
    snapshot_encode_keyframe(&heap, &body);
    struct snapshot_row row = {
        .service_id = at.service_id,
        .instance_id = at.instance_id,
        .sequence = ++scene.sequence,
        .time_ms = scene.now_ms,
        .types = WIDE_TYPES,
        .body = body.data,
        .body_size = body.size,
        .coverage = 10000,
    };
    struct write_batch *batch = write_batch_new();
    write_batch_snapshot(batch, &row);
    private_store_must(write_batch_commit(scene.store.db, batch, &why), &why);
    write_batch_free(batch);
    buf_done(&body);
    heap_values_done(&heap);
    instance_state_done(&at);
}

/* Rows "w0123,", of CSV, which must be n of them: each once, the largest first. */
static void has_wide_rows(int rows, int from, int step)
{
    const char *line = strchr(outcome.out, '\n');
    for (int i = 0; i < rows; i++) {
        char expected[16];
        int size = snprintf(expected, sizeof(expected), "\nw%04d,", from + i * step);
        assert_non_null(line);
        if (strncmp(line, expected, (size_t)size) != 0)
            fail_msg("row %d is not %s:%.40s", i, expected + 1, line);
        line = strchr(line + 1, '\n');
    }
    assert_string_equal(line, "\n");
}

static void answers_of_many_pages(void **state)
{
    (void)state;
    open_wide("v1");
    prints("top wide -n 0 -o csv", "type,count,bytes");
    has_wide_rows(WIDE_TYPES, WIDE_TYPES, -1);
    prints("top wide -n 2001 -o csv", "type,count,bytes");
    has_wide_rows(2001, WIDE_TYPES, -1);
    open_wide("v2");
    prints("compare wide v1 v2 -n 1500 -o csv", "type,count_a");
    has_wide_rows(1500, 1, 1); /* no difference: as they were named */
    prints("compare wide v1 v2 -n 1500",
           "wide after 1h: mean of 1 process of v1, of 1 of v2\n\nTYPE");
}

static void a_full_disk(void **state)
{
    (void)state;
    (void)fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    struct redirection err = redirect(stderr);
    assert_true(dup2(fileno(full), STDOUT_FILENO) >= 0);
    char *argv[] = {"heapfleet", "services"};
    int exit_code = cli_run(2, argv);
    (void)dup2(saved, STDOUT_FILENO);
    clearerr(stdout);
    (void)close(saved);
    (void)fclose(full);
    restore(&err, outcome.err, sizeof(outcome.err));
    assert_int_equal(exit_code, 1);
    assert_string_equal(outcome.err,
                        "heapfleet: output cannot be written: No space left on device\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables),
        cmocka_unit_test(processes),
        cmocka_unit_test(growth),
        cmocka_unit_test(json),
        cmocka_unit_test(csv),
        cmocka_unit_test(the_gate),
        cmocka_unit_test(the_command_may_stand_anywhere),
        cmocka_unit_test(shells_complete_what_the_tables_say),
        cmocka_unit_test(help_and_version),
        cmocka_unit_test(wrong_command_lines),
        cmocka_unit_test(names_that_are_not_there),
        cmocka_unit_test(nobody_answers),
        cmocka_unit_test(a_full_disk),
        cmocka_unit_test(answers_of_many_pages), /* adds a service */
    };
    return cmocka_run_group_tests(tests, cli_scene_start, cli_scene_stop);
}
