#include "identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "resource_list.h"
#include "service_name.h"

static struct arena *new_arena(void **state)
{
    struct arena *arena = *state;
    arena_reset(arena);
    return arena;
}

static int setup(void **state)
{
    struct arena *arena = malloc(sizeof(*arena));
    arena_init(arena, IDENTITY_BYTES_MAX);
    *state = arena;
    return 0;
}

static int teardown(void **state)
{
    arena_done(*state);
    free(*state);
    return 0;
}

/* A literal with zeros inside, its last zero included. */
#define BLOCK(literal) (literal), sizeof(literal)

static void resolve(struct arena *arena, const char *environment, size_t size,
                    const struct identity_options *options, struct identity *ret)
{
    static const char arguments[] = "/usr/bin/python3\0/srv/shop/worker.py\0--fast";
    const struct identity_sources sources = {
        .environment = environment,
        .environment_size = size,
        .arguments = arguments,
        .arguments_size = sizeof(arguments),
        .container_id = "c0ffee",
        .host_name = "node-1",
    };
    identity_resolve(options, &sources, arena, ret);
}

static const struct identity_options no_options;

static void falls_back_to_the_script(void **state)
{
    struct identity identity;
    resolve(new_arena(state), BLOCK("PATH=/bin\0HOSTNAME=x"), &no_options, &identity);
    assert_string_equal(identity.field[IDENTITY_SERVICE], "worker");
    assert_string_equal(identity.field[IDENTITY_VERSION], "");
    assert_string_equal(identity.field[IDENTITY_CONTAINER], "c0ffee");
    assert_string_equal(identity.field[IDENTITY_HOST], "node-1");
    assert_string_equal(identity.field[IDENTITY_POD], "");
    assert_int_equal(identity.attribute_count, 0);
}

#define EVERYTHING                                                                                 \
    "OTEL_SERVICE_NAME=otel-env\0"                                                                 \
    "OTEL_RESOURCE_ATTRIBUTES=service.name=otel-list,service.version=2.0%2Bb,team=a%20b,"          \
    "deployment.environment.name=prod,service.namespace=ns\0"                                      \
    "DD_SERVICE=dd\0DD_VERSION=3\0DD_ENV=dd-env\0POD_NAME=pay-7d9c5b6f4d-x2x9z\0"                  \
    "CONTAINER_IMAGE=reg:5000/t/pay:4.1@sha256:00\0NODE_NAME=n7\0GIT_SHA=abc\n\0HOSTNAME=h"

static void the_first_source_wins(void **state)
{
    struct identity identity;
    resolve(new_arena(state), BLOCK(EVERYTHING), &no_options, &identity);
    assert_string_equal(identity.field[IDENTITY_SERVICE], "otel-env");
    assert_string_equal(identity.field[IDENTITY_VERSION], "2.0+b");
    assert_string_equal(identity.field[IDENTITY_ENVIRONMENT], "prod");
    assert_string_equal(identity.field[IDENTITY_NAMESPACE], "ns");
    assert_string_equal(identity.field[IDENTITY_POD], "pay-7d9c5b6f4d-x2x9z");
    assert_string_equal(identity.field[IDENTITY_HOST], "n7");
    assert_string_equal(identity.field[IDENTITY_IMAGE], "reg:5000/t/pay:4.1@sha256:00");
    assert_int_equal(identity.attribute_count, 1);
    assert_string_equal(identity.attributes[0].key, "team");
    assert_string_equal(identity.attributes[0].value, "a b");
}

static void flags_win_over_all(void **state)
{
    const struct identity_options options = {
        .service = "flag",
        .version_from = "GIT_SHA",
        .environment = "e",
        .host = "h9",
        .service_namespace = "n",
        .attributes = {.items = {"team=mine", "zone=1"}, .count = 2},
    };
    struct identity identity;
    resolve(new_arena(state), BLOCK(EVERYTHING), &options, &identity);
    assert_string_equal(identity.field[IDENTITY_SERVICE], "flag");
    assert_string_equal(identity.field[IDENTITY_VERSION], "abc"); /* without its line end */
    assert_string_equal(identity.field[IDENTITY_ENVIRONMENT], "e");
    assert_string_equal(identity.field[IDENTITY_HOST], "h9");
    assert_string_equal(identity.field[IDENTITY_NAMESPACE], "n");
    assert_int_equal(identity.attribute_count, 2);
    assert_string_equal(identity.attributes[0].value, "mine");
}

static void one_bad_pair_discards_the_list(void **state)
{
    static const char block[] = "OTEL_RESOURCE_ATTRIBUTES=service.name=a,service.version=%zz\0"
                                "DD_SERVICE=dd\0DD_VERSION=3";
    struct identity identity;
    resolve(new_arena(state), block, sizeof(block), &no_options, &identity);
    assert_string_equal(identity.field[IDENTITY_SERVICE], "dd");
    assert_string_equal(identity.field[IDENTITY_VERSION], "3");
}

static void the_pod_and_the_image_name_what_nobody_named(void **state)
{
    struct identity identity;
    resolve(new_arena(state),
            BLOCK("KUBERNETES_SERVICE_HOST=10.0.0.1\0HOSTNAME=pay-7d9c5b6f4d-x2x9z"), &no_options,
            &identity);
    assert_string_equal(identity.field[IDENTITY_POD], "pay-7d9c5b6f4d-x2x9z");
    assert_string_equal(identity.field[IDENTITY_SERVICE], "pay");

    resolve(new_arena(state), BLOCK("POD_NAME=pay-main-0"), &no_options, &identity);
    assert_string_equal(identity.field[IDENTITY_SERVICE], "worker");

    resolve(new_arena(state), BLOCK("CONTAINER_IMAGE=reg:5000/t/pay:4.1"), &no_options, &identity);
    assert_string_equal(identity.field[IDENTITY_SERVICE], "pay");
    assert_string_equal(identity.field[IDENTITY_VERSION], "4.1");

    resolve(new_arena(state), BLOCK("CONTAINER_IMAGE=reg:5000/t/pay:latest"), &no_options,
            &identity);
    assert_string_equal(identity.field[IDENTITY_VERSION], "");
}

static void unacceptable_text_is_passed_over(void **state)
{
    struct identity identity;
    resolve(new_arena(state),
            BLOCK("OTEL_SERVICE_NAME=a\x1b[31mb\0DD_SERVICE=\xff\xfe\0K8S_DEPLOYMENT_NAME=good"),
            &no_options, &identity);
    assert_string_equal(identity.field[IDENTITY_SERVICE], "good");

    char block[4096] = "OTEL_SERVICE_NAME=";
    memset(block + strlen(block), 'x', 2000);
    resolve(new_arena(state), block, strlen(block) + 1, &no_options, &identity);
    assert_string_equal(identity.field[IDENTITY_SERVICE], "worker");
    /* nor is its beginning taken, should it end where blanks are */
    memset(strchr(block, '=') + 1 + IDENTITY_VALUE_BYTES_MAX, ' ', 10);
    resolve(new_arena(state), block, strlen(block) + 1, &no_options, &identity);
    assert_string_equal(identity.field[IDENTITY_SERVICE], "worker");
}

/* However long a list is, whatever size would just fill the arena: the other values have room. */
static void a_long_list_costs_no_other_value(void **state)
{
    static const char begin[] = "OTEL_RESOURCE_ATTRIBUTES=a=";
    const size_t most = IDENTITY_BYTES_MAX + sizeof(begin);
    char *block = malloc(most);
    memset(block, 'x', most);
    memcpy(block, begin, sizeof(begin) - 1);
    for (size_t size = most; size > most - 200; size--) {
        struct identity identity;
        block[size - 1] = '\0';
        resolve(new_arena(state), block, size, &no_options, &identity);
        assert_string_equal(identity.field[IDENTITY_SERVICE], "worker");
        assert_string_equal(identity.field[IDENTITY_HOST], "node-1");
    }
    free(block);
}

/* The longest list that is taken, with a key and a value of full length in each pair. */
static void the_longest_list_fits(void **state)
{
    enum { PAIR_BYTES = 2 * IDENTITY_VALUE_BYTES_MAX + 2 };
    char *text = malloc(RESOURCE_PAIRS_MAX * PAIR_BYTES + 64);
    memset(text, 'x', RESOURCE_PAIRS_MAX * PAIR_BYTES + 64);
    memcpy(text, "OTEL_RESOURCE_ATTRIBUTES=", 25);
    for (size_t i = 0; i < RESOURCE_PAIRS_MAX; i++) {
        char *pair = text + 25 + i * PAIR_BYTES;
        pair[0] = (char)('a' + i % 26);
        pair[1] = (char)('a' + i / 26);
        pair[IDENTITY_VALUE_BYTES_MAX] = '=';
        pair[PAIR_BYTES - 1] = ',';
    }
    text[25 + RESOURCE_PAIRS_MAX * PAIR_BYTES - 1] = '\0';
    struct identity identity;
    resolve(new_arena(state), text, strlen(text) + 1, &no_options, &identity);
    assert_int_equal(identity.attribute_count, IDENTITY_ATTRIBUTES_MAX);
    assert_string_equal(identity.field[IDENTITY_SERVICE], "worker");
    free(text);
}

static void survives_hostile_blocks(void **state)
{
    static const char *const blocks[] = {"",
                                         "=",
                                         "====",
                                         "OTEL_SERVICE_NAME",
                                         "OTEL_SERVICE_NAME=",
                                         "OTEL_RESOURCE_ATTRIBUTES=%",
                                         "OTEL_RESOURCE_ATTRIBUTES=,,,=,"};
    for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
        size_t size = strlen(blocks[i]);
        char *copy = malloc(size + 1); /* not even a zero at its end */
        memcpy(copy, blocks[i], size);
        struct identity identity;
        resolve(new_arena(state), copy, size, &no_options, &identity);
        assert_string_equal(identity.field[IDENTITY_SERVICE], "worker");
        free(copy);
    }
}

static void a_full_arena_only_loses_values(void **state)
{
    (void)state;
    for (size_t cap = 0; cap < 3000; cap += 50) {
        struct arena small;
        arena_init(&small, cap);
        struct identity identity;
        resolve(&small, BLOCK(EVERYTHING), &no_options, &identity);
        for (size_t i = 0; i < IDENTITY_FIELDS; i++)
            assert_non_null(identity.field[i]);
        arena_done(&small);
    }
}

/* ----- the list ----- */

static void decodes_the_list(void **state)
{
    struct resource_list list;
    struct arena *arena = new_arena(state);
    assert_int_equal(resource_list_parse(" a = 1 ,b=%C3%A9,c=x=y,d=,a=2,", arena, &list),
                     STATUS_OK);
    assert_int_equal(list.count, 5);
    assert_string_equal(resource_list_get(&list, "a"), "2");
    assert_string_equal(resource_list_get(&list, "b"), "\xc3\xa9");
    assert_string_equal(resource_list_get(&list, "c"), "x=y");
    assert_string_equal(resource_list_get(&list, "d"), "");
    assert_null(resource_list_get(&list, "e"));
}

static void refuses_bad_lists(void **state)
{
    static const char *const bad[] = {"a",         "a=1,b", "=1",    "a=%",   "a=%4", "a=%4",
                                      "a=1,b=%GG", "a=%ff", "a=%00", "a=%1b", "a=b%"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct resource_list list = {.count = 9};
        assert_int_equal(resource_list_parse(bad[i], new_arena(state), &list), STATUS_INVALID);
        assert_int_equal(list.count, 0);
    }
}

static void bounds_the_list(void **state)
{
    struct resource_list list;
    char text[2048] = "";
    for (int i = 0; i <= RESOURCE_PAIRS_MAX; i++)
        snprintf(text + strlen(text), 16, "k%d=v,", i);
    assert_int_equal(resource_list_parse(text, new_arena(state), &list), STATUS_LIMIT);
    assert_int_equal(list.count, 0);
}

/* ----- arguments ----- */

static const struct {
    const char *arguments;
    size_t size;
    const char *name;
} argument_cases[] = {
    {BLOCK("python3\0app.py"), "app"},
    {BLOCK("/usr/bin/python3.11\0-u\0-X\0dev\0/srv/shop.py\0-m\0x"), "shop"},
    {BLOCK("python3\0-m\0http.server"), "http.server"},
    {BLOCK("python3\0-Im\0shop.run"), "shop.run"},
    {BLOCK("python3\0-mshop"), "shop"},
    {BLOCK("python3\0-Wignore\0a.py"), "a"},
    {BLOCK("python3\0--check-hash-based-pycs\0never\0a.py"), "a"},
    {BLOCK("python3\0-c\0import secret"), "python"},
    {BLOCK("python3\0-"), "python"},
    {BLOCK("python3"), "python"},
    {BLOCK("python3\0-m"), "python"},
    {BLOCK("python3\0-X"), "python"},
    {BLOCK("python3\0/srv/shop/__main__.py"), "shop"},
    {BLOCK("python3\0/usr/local/bin/gunicorn\0-w\0"
           "4\0shop.wsgi:app"),
     "shop"},
    {BLOCK("python3\0-m\0uvicorn\0--port\0"
           "80\0pay.main:app"),
     "pay"},
    {BLOCK("python3\0/usr/bin/gunicorn\0-b\0"
           "127.0.0.1:80\0--config\0/etc/g:x"),
     "gunicorn"},
    {BLOCK("python3\0/usr/bin/celery\0-A\0jobs.tasks\0worker"), "jobs"},
    {BLOCK("python3\0/usr/bin/celery\0--app=jobs\0worker"), "jobs"},
    {BLOCK("python3\0/usr/bin/celery\0-A"), "celery"},
    {BLOCK("gunicorn: worker [shop]"), "gunicorn"},
    {BLOCK("/usr/sbin/uwsgi\0--ini\0a.ini"), "uwsgi"},
};

static void names_services_by_their_arguments(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(argument_cases); i++) {
        const char *name = service_name_of_arguments(argument_cases[i].arguments,
                                                     argument_cases[i].size, new_arena(state));
        assert_non_null(name);
        assert_string_equal(name, argument_cases[i].name);
    }
    assert_null(service_name_of_arguments("", 0, new_arena(state)));
    assert_null(service_name_of_arguments("\0\0\0", 3, new_arena(state)));
}

/* ----- options and the instance ----- */

static void checks_the_flags(void **state)
{
    (void)state;
    struct why why;
    assert_int_equal(identity_check_options(&no_options, &why), STATUS_OK);
    const struct identity_options bad[] = {
        {.service = ""},
        {.environment = "a\nb"},
        {.attributes = {.items = {"novalue"}, .count = 1}},
        {.attributes = {.items = {"=x"}, .count = 1}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(identity_check_options(&bad[i], &why), STATUS_USAGE);
    assert_non_null(strstr(why.text, "key=value"));
}

static void the_instance_id_is_fnv(void **state)
{
    (void)state;
    uint8_t id[INSTANCE_ID_BYTES], other[INSTANCE_ID_BYTES];
    identity_instance_id("boot", "pid:[1]", 7, 99, 12345, id);
    /* computed apart from this code, over "boot\npid:[1]\n7\n99\n12345" */
    static const uint8_t expected[INSTANCE_ID_BYTES] = {0x0a, 0x51, 0xd4, 0x09, 0x93, 0xe6,
                                                        0x79, 0xb5, 0x71, 0x58, 0xa5, 0xea,
                                                        0x2b, 0x38, 0xbf, 0x09};
    assert_memory_equal(id, expected, sizeof(id));
    identity_instance_id("boot", "pid:[1]", 79, 9, 12345, other);
    assert_memory_not_equal(id, other, sizeof(id));
    identity_instance_id("boot", "pid:[1]", 7, 99, 12346, other); /* it called exec() */
    assert_memory_not_equal(id, other, sizeof(id));
}

static void reads_this_process(void **state)
{
    struct proc_fs fs;
    assert_int_equal(proc_fs_open("/proc", &fs, NULL), STATUS_OK);
    struct identity identity;
    struct container_memory_path memory;
    assert_int_equal(
        identity_read(&fs, getpid(), &no_options, new_arena(state), &identity, &memory), STATUS_OK);
    assert_string_equal(identity.field[IDENTITY_SERVICE], "identity_test");
    uint8_t id[INSTANCE_ID_BYTES], again[INSTANCE_ID_BYTES];
    assert_int_equal(identity_read_instance_id(&fs, getpid(), 5, 6, id), STATUS_OK);
    assert_int_equal(identity_read_instance_id(&fs, getpid(), 5, 6, again), STATUS_OK);
    assert_memory_equal(id, again, sizeof(id));
    proc_fs_close(&fs);
}

/* The first line of a file of the process; a FIFO in its place holds nobody up. */
static void reads_the_version_from_a_file(void **state)
{
    char path[] = "/tmp/identity_test.XXXXXX";
    char from[64];
    int fd = mkstemp(path);
    assert_int_equal(write(fd, " 4.2 \nmore\n", 11), 11);
    close(fd);
    (void)snprintf(from, sizeof(from), "file:%s", path);
    const struct identity_options options = {.version_from = from};
    struct proc_fs fs;
    struct identity identity;
    struct container_memory_path memory;
    assert_int_equal(proc_fs_open("/proc", &fs, NULL), STATUS_OK);
    assert_int_equal(identity_read(&fs, getpid(), &options, new_arena(state), &identity, &memory),
                     STATUS_OK);
    assert_string_equal(identity.field[IDENTITY_VERSION], "4.2");

    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    (void)alarm(30);
    assert_int_equal(identity_read(&fs, getpid(), &options, new_arena(state), &identity, &memory),
                     STATUS_OK);
    assert_string_equal(identity.field[IDENTITY_VERSION], "");
    (void)alarm(0);
    unlink(path);
    proc_fs_close(&fs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(falls_back_to_the_script),
        cmocka_unit_test(the_first_source_wins),
        cmocka_unit_test(flags_win_over_all),
        cmocka_unit_test(one_bad_pair_discards_the_list),
        cmocka_unit_test(the_pod_and_the_image_name_what_nobody_named),
        cmocka_unit_test(unacceptable_text_is_passed_over),
        cmocka_unit_test(a_long_list_costs_no_other_value),
        cmocka_unit_test(the_longest_list_fits),
        cmocka_unit_test(survives_hostile_blocks),
        cmocka_unit_test(a_full_arena_only_loses_values),
        cmocka_unit_test(decodes_the_list),
        cmocka_unit_test(refuses_bad_lists),
        cmocka_unit_test(bounds_the_list),
        cmocka_unit_test(names_services_by_their_arguments),
        cmocka_unit_test(checks_the_flags),
        cmocka_unit_test(the_instance_id_is_fnv),
        cmocka_unit_test(reads_this_process),
        cmocka_unit_test(reads_the_version_from_a_file),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
