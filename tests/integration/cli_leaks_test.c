/* USES cli query store rpc */
/* heapfleet leaks show, ack, mute, unmute, mutes: what they print, and what the next one sees. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli_scene.h"
#include "utf8.h"

/* The id of the scene's only leak. */
static const char *leak_id(void)
{
    static char id[9];
    prints("leaks -o csv", "shop.cart.CartLine");
    const char *line = strchr(outcome.out, '\n');
    assert_non_null(line);
    (void)snprintf(id, sizeof(id), "%s", line + 1);
    return id;
}

static const char *with_id(const char *before, const char *after)
{
    static char line[256];
    (void)snprintf(line, sizeof(line), "%s %s%s", before, leak_id(), after);
    return line;
}

static void shown_with_its_evidence(void **state)
{
    (void)state;
    const char *line = with_id("leaks show", "");
    prints(line, "shop.cart.CartLine in shop, prod: confirmed, open (");
    prints(line, "what grows             objects that are kept\n");
    prints(line, "introduced in          v2\n");
    prints(line, "objects of a process   +900/h\n");
    prints(line, "container full in      1d 6h\n");
    prints(line, "with it grow           dict\n");
    prints(line, "  v1           ▁");
    prints(line, "█  ");
    prints(line, "evidence, by rule A\n\n  reason               a line, not a curve\n");
    prints(line, "  second half          0.51\n");
    prints(line, "  opened: confirmed\n");
    prints(with_id("leaks show", " -o csv"),
           "id,service,type,version,instances,uptime_ms,count,bytes\n");
}

static void *take_all(void *arg)
{
    char *text = outcome.out;
    ssize_t size;
    while ((size = read(*(int *)arg, text,
                        (size_t)(outcome.out + sizeof(outcome.out) - text - 1))) > 0)
        text += size;
    *text = '\0';
    return NULL;
}

/* What it prints on a terminal of so many columns. */
static void run_on_terminal(char *line, unsigned short columns)
{
    const struct winsize window = {.ws_col = columns, .ws_row = 24};
    char *argv[] = {"heapfleet", "leaks", "show", line};
    int ours = posix_openpt(O_RDWR | O_NOCTTY);
    pthread_t reader;
    assert_true(ours >= 0 && grantpt(ours) == 0 && unlockpt(ours) == 0);
    int theirs = open(ptsname(ours), O_RDWR | O_NOCTTY);
    assert_true(theirs >= 0 && ioctl(theirs, TIOCSWINSZ, &window) == 0);
    (void)fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    assert_true(saved >= 0 && dup2(theirs, STDOUT_FILENO) >= 0);
    (void)close(theirs);
    assert_int_equal(pthread_create(&reader, NULL, take_all, &ours), 0);
    int exit_code = cli_run(4, argv);
    (void)fflush(stdout);
    (void)dup2(saved, STDOUT_FILENO); /* the last to have the terminal open: it ends */
    (void)close(saved);
    assert_int_equal(pthread_join(reader, NULL), 0);
    (void)close(ours);
    assert_int_equal(exit_code, 0);
}

/* No line is longer than the terminal is wide, nor is anything lost. */
static void shown_in_as_much_room_as_there_is(void **state)
{
    (void)state;
    static const unsigned short widths[] = {80, 60, 200};
    char id[16];
    (void)snprintf(id, sizeof(id), "%s", leak_id());
    for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
        run_on_terminal(id, widths[i]);
        size_t longest = 0;
        char *rest = NULL;
        for (char *line = strtok_r(outcome.out, "\r\n", &rest); line != NULL;
             line = strtok_r(NULL, "\r\n", &rest)) {
            size_t columns = utf8_columns(line, strlen(line));
            longest = columns > longest ? columns : longest;
        }
        assert_in_range(longest, 60, widths[i] < 100 ? widths[i] : 100);
    }
}

/* One object, so that a program has what people read. */
static void shown_to_programs(void **state)
{
    (void)state;
    const char *line = with_id("leaks show", " -o json");
    prints(line, "{\"id\":\"");
    prints(line, "\"service\":\"shop\",\"environment\":\"prod\",\"service_namespace\":\"\","
                 "\"type\":\"shop.cart.CartLine\",\"severity\":\"confirmed\",\"state\":\"open\"");
    prints(line, "\"companions\":[\"dict\"],\"acknowledged\":null,\"acknowledged_by\":\"\"");
    prints(line, "\"evidence\":{\"reason\":\"a line, not a curve\",\"second_half\":\"0.51\"");
    prints(line, "\"event\":\"opened\",\"detail\":\"confirmed\",\"actor\":\"\"}");
    prints(line, "\"curves\":[{\"version\":\"v1\",\"instances\":2,\"points\":[{\"uptime_ms\":");
}

static void named_wrongly(void **state)
{
    (void)state;
    refuses("leaks show zzzzzzzz", 3,
            "heapfleet: the leak cannot be shown: there is no leak 'zzzzzzzz': heapfleet leaks "
            "lists them\n");
    refuses("leaks shwo 12", 2,
            "heapfleet: there is no command 'leaks shwo': did you mean 'leaks show'?\n");
    refuses("leaks 12", 2, "heapfleet: unexpected argument '12'\n");
    refuses("leaks show", 2, "heapfleet: an argument is missing: heapfleet leaks show ID\n");
    refuses("leaks --severity bad", 2,
            "heapfleet: leaks cannot be listed: a severity is watch, suspect or confirmed, not "
            "'bad'\n");
    refuses("leaks mute shop", 2,
            "heapfleet: the service cannot be muted: say why with --reason: somebody will ask\n");
    refuses("leaks unmute shop", 3,
            "heapfleet: the service cannot be unmuted: there is no such mute: heapfleet leaks "
            "mutes lists them\n");
    run("leaks mute shop --reason x --type shop.cart.CartLin");
    assert_int_equal(outcome.exit_code, 3);
    assert_non_null(strstr(outcome.err, "shop.cart.CartLine"));
}

static void muted_and_unmuted(void **state)
{
    (void)state;
    run("leaks --exit-code");
    assert_int_equal(outcome.exit_code, 6);
    prints("leaks mute shop --type shop.cart.CartLine --reason cache --for 2d --actor ann",
           "muted: shop.cart.CartLine in shop, for 2d; open findings that it silences: 1\n");
    prints("leaks --exit-code", "muted");
    prints("leaks mutes", "shop     prod         shop.cart.CartLine  ");
    prints("leaks mutes -o csv", ",ann,cache,");
    prints(with_id("leaks show", ""), "muted by ann: cache\n");
    prints("leaks unmute shop --type shop.cart.CartLine", "unmuted: shop.cart.CartLine in shop\n");
    prints("leaks mutes", "nothing is muted");
    prints("leaks mute shop --reason cache", "muted: every type in shop, until it is unmuted");
    prints("leaks mutes", "(all)");
    prints("leaks unmute shop", "unmuted: every type in shop");
}

/* A finding may be about memory that is no type of any process. */
static void native_memory_can_be_muted(void **state)
{
    (void)state;
    assert_int_equal(setenv("HEAPFLEET_TYPE", "(native memory)", 1),
                     0); /* run() splits at blanks */
    prints("leaks mute shop --reason pools", "muted: (native memory) in shop, until it is unmuted");
    prints("leaks mutes", "(native memory)");
    prints("leaks unmute shop", "unmuted: (native memory) in shop");
    assert_int_equal(unsetenv("HEAPFLEET_TYPE"), 0);
}

static void acknowledged(void **state)
{
    (void)state;
    prints(with_id("leaks ack", " --note fix-is-on-its-way --actor bob"),
           "acknowledged: shop.cart.CartLine in shop (");
    prints("leaks", "acknowledged");
    prints(with_id("leaks show", ""), "acknowledged           by bob: fix-is-on-its-way\n");
    prints(with_id("leaks show", ""), "  acknowledged by bob: fix-is-on-its-way\n");
}

/* The leak of the scene, and a type that is only watched. The last test: it changes the scene. */
static void watched_types_are_listed_when_asked_for(void **state)
{
    (void)state;
    struct finding_row rows[2] = {{.type = "shop.cart.CartLine",
                                   .severity = "suspect",
                                   .introduced_in = "v2",
                                   .companions_json = "[]",
                                   .evidence_json = "{\"why\": \"less sure now\"}"},
                                  {.type = "shop.Session",
                                   .severity = "watch",
                                   .introduced_in = "",
                                   .count_per_hour = 30,
                                   .bytes_per_hour = 3000,
                                   .companions_json = "[]",
                                   .evidence_json = "{\"why\": \"it may fill up\", "
                                                    "\"dBIC, line against filling up\": 8}"}};
    struct finding_row *found = NULL;
    struct arena arena;
    struct why why = {""};
    size_t count = 0;
    const struct finding_filter open = {0};
    arena_init(&arena, 1 << 20);
    private_store_must(
        findings_list(scene.store.db, &open, scene.now_ms, &arena, &found, &count, &why), &why);
    assert_int_equal(count, 1);
    private_store_must(replace_findings(scene.store.db, found[0].service_id, rows, 2, NULL, 0,
                                        scene.now_ms + 1, &why),
                       &why);
    arena_done(&arena);
    prints("leaks", "shop.cart.CartLine");
    assert_null(strstr(outcome.out, "shop.Session"));
    prints("leaks -o json", "\"severity\": \"suspect\"");
    prints("services -o csv", ",26385600,1,"); /* a watch is no leak */
    prints("leaks --severity watch", "shop.Session");
    prints("leaks --severity watch",
           "watch     open          -  "); /* since when, nobody knows yet */
    prints("leaks --severity watch -o csv", ",shop.Session,watch,open,");
    const char *line = strstr(outcome.out, "shop.Session");
    while (line > outcome.out && line[-1] != '\n')
        line--;
    char show[64];
    (void)snprintf(show, sizeof(show), "leaks show %.8s", line);
    prints(show, "shop.Session in shop, prod: watch, open (");
    prints(show, "introduced in          not known yet\n");
    prints(show, "  dBIC, line against filling up  8\n"
                 "  why                            it may fill up\n");
    prints(show, "  opened: watch\n");
    prints(with_id("leaks show", ""), "  severity: confirmed to suspect: less sure now\n");
    run("leaks --severity confirmed --exit-code");
    assert_int_equal(outcome.exit_code, 0);
}

/* A shop without an environment beside that of prod: `-` names it, and so do its own curves. Behind
 * the last test. */
static void a_service_without_environment_can_be_named(void **state)
{
    (void)state;
    query_scene_process(&scene, "shop", "", "v2", scene.now_ms - scene_hour_ms, 10, 0);
    query_scene_finding(&scene);
    refuses("top shop", 2,
            "heapfleet: types cannot be listed: service 'shop' is in several environments: '-', "
            "'prod'; name one of them\n");
    prints("top shop -e - -n 1", "shop v2, 1 process\n");
    prints("services -e - -o csv", "\nshop,,");
    prints("leaks -e - -o csv", ",shop,,shop.cart.CartLine,");
    char show[64];
    (void)snprintf(show, sizeof(show), "leaks show %.8s", strchr(outcome.out, '\n') + 1);
    prints(show, "shop.cart.CartLine in shop: confirmed, open (");
    prints(show, "  v2           ");
}

/* Memory that is no object has no type, and grows with the uptime all the same. Changes the scene.
 */
static void native_memory_has_its_curve(void **state)
{
    (void)state;
    const struct finding_row row = {.type = "(native memory)",
                                    .severity = "confirmed",
                                    .kind = "native",
                                    .version = "v2",
                                    .introduced_in = "v2",
                                    .companions_json = "[]"};
    struct service_row *services = NULL;
    struct arena arena;
    struct why why = {""};
    size_t count = 0;
    size_t shop = 0;
    arena_init(&arena, 1 << 20);
    private_store_must(service_list(scene.store.db, &arena, &services, &count, &why), &why);
    while (strcmp(services[shop].name, "shop") != 0 || *services[shop].environment == '\0')
        shop++;
    private_store_must(replace_findings(scene.store.db, services[shop].id, &row, 1, NULL, 0,
                                        scene.now_ms + 2, &why),
                       &why);
    arena_done(&arena);
    prints("leaks -e prod -o csv", ",shop,prod,(native memory),");
    char line[64];
    (void)snprintf(line, sizeof(line), "leaks show %.8s", strchr(outcome.out, '\n') + 1);
    prints(line, "(native memory) in shop, prod: confirmed, open (");
    prints(line, "bytes of a process by its uptime, each version on the same scale\n");
    prints(line, "4.0 MB to 4.0 MB in 1h\n"); /* v1 */
    prints(line, "4.0 MB to 7.4 MB in 1h\n");
}

/* v2 of the scene leaks CartLine, v1 does not; both ran for an hour. */
static void a_gate_lets_pass_or_not(void **state)
{
    (void)state;
    run("gate shop --baseline v1 --candidate v2");
    assert_int_equal(outcome.exit_code, 6);
    assert_non_null(strstr(outcome.out, "leak: v2 leaks shop.cart.CartLine: +"));
    assert_non_null(strstr(outcome.out, "which v1 does not at the same uptime"));
    prints("gate shop --baseline v2 --candidate v1",
           "clean: nothing grows in v1 that does not in v2: 2 and 2 processes after ");
    run("gate shop --baseline v1 --candidate v2 --min-uptime 3h -o csv");
    assert_int_equal(outcome.exit_code, 7);
    assert_non_null(strstr(outcome.out, "too early,half of the processes of v1 must have run for "
                                        "3h: they have run for "));
    refuses("gate shop", 2,
            "heapfleet: the versions cannot be judged: name two versions: --baseline V1, the old "
            "one, and --candidate V2\n");
    refuses("gate shop --baseline v1 --candidate v1", 2,
            "heapfleet: the versions cannot be judged: a version cannot be compared with itself\n");
    run("gate shop --baseline v1 --candidate v9");
    assert_int_equal(outcome.exit_code, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shown_with_its_evidence),
        cmocka_unit_test(shown_in_as_much_room_as_there_is),
        cmocka_unit_test(shown_to_programs),
        cmocka_unit_test(named_wrongly),
        cmocka_unit_test(a_gate_lets_pass_or_not),
        cmocka_unit_test(muted_and_unmuted),
        cmocka_unit_test(native_memory_can_be_muted),
        cmocka_unit_test(acknowledged),
        cmocka_unit_test(watched_types_are_listed_when_asked_for),
        cmocka_unit_test(a_service_without_environment_can_be_named),
        cmocka_unit_test(native_memory_has_its_curve),
    };
    return cmocka_run_group_tests(tests, cli_scene_start, cli_scene_stop);
}
