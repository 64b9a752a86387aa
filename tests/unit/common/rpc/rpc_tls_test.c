#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "rpc_scene.h"

/* PEM texts by name, made anew for each run by tests/support/make_certificates.sh. */
enum pem {
    CA,
    STRANGER_CA,
    SERVER_CERTIFICATE,
    SERVER_KEY,
    ELSEWHERE_CERTIFICATE,
    ELSEWHERE_KEY,
    CLIENT_CERTIFICATE,
    CLIENT_KEY,
    STRANGER_CERTIFICATE,
    STRANGER_KEY,
    PEM_COUNT
};

static const char *const pem_files[PEM_COUNT] = {
    "ca.pem",        "stranger_ca.pem", "server.pem", "server.key",   "elsewhere.pem",
    "elsewhere.key", "client.pem",      "client.key", "stranger.pem", "stranger.key",
};

static char pems[PEM_COUNT][8192];
static char folder[64];

static void run(const char *program, const char *argument)
{
    char *argv[] = {(char *)program, (char *)argument, NULL};
    pid_t pid;
    int status = -1;
    assert_int_equal(posix_spawn(&pid, program, NULL, NULL, argv, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static int make_certificates(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/rpc_tls_test.XXXXXX");
    assert_non_null(mkdtemp(folder));
    run(SOURCE_ROOT "/tests/support/make_certificates.sh", folder);
    for (int i = 0; i < PEM_COUNT; i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", folder, pem_files[i]);
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        assert_true(fread(pems[i], 1, sizeof(pems[i]) - 1, file) > 100);
        fclose(file);
    }
    return 0;
}

static int remove_certificates(void **state)
{
    (void)state;
    static const char *const names[] = {"ca",        "stranger_ca", "server",
                                        "elsewhere", "client",      "stranger"};
    static const char *const endings[] = {"pem", "key", "csr", "ext", "srl"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        for (size_t j = 0; j < ARRAY_SIZE(endings); j++) {
            char path[128];
            snprintf(path, sizeof(path), "%s/%s.%s", folder, names[i], endings[j]);
            unlink(path);
        }
    return rmdir(folder);
}

static const char *pem(int which)
{
    return which < 0 ? NULL : pems[which];
}

/* One call of a client with these PEMs (-1: none) to a server with those. */
static enum status call(const struct rpc_server_options *options, int ca, int certificate, int key,
                        char *ret_text)
{
    struct served served = {0};
    struct rpc_server *server = scene_start(options, &served);
    char target[32];
    snprintf(target, sizeof(target), "127.0.0.1:%d", rpc_server_port(server));
    struct rpc_channel *channel =
        scene_connect(&(struct rpc_channel_options){.target = target,
                                                    .tls_ca = pem(ca),
                                                    .tls_certificate = pem(certificate),
                                                    .tls_key = pem(key)});
    enum status status = scene_call(channel, "/test/Answer", "x", ret_text);
    if (status == STATUS_OK)
        assert_string_equal(ret_text, "re: x");
    rpc_channel_free(channel);
    rpc_server_stop(server, 30000);
    assert_int_equal(served.opened, status == STATUS_OK);
    return status;
}

enum { NONE = -1 };

static void a_client_verifies_the_server(void **state)
{
    (void)state;
    const struct rpc_server_options server = {.listen = "127.0.0.1:0",
                                              .tls_certificate = pems[SERVER_CERTIFICATE],
                                              .tls_key = pems[SERVER_KEY]};
    char text[WHY_CAPACITY];
    assert_int_equal(call(&server, CA, NONE, NONE, text), STATUS_OK);
    assert_int_equal(call(&server, CA, CLIENT_CERTIFICATE, CLIENT_KEY, text), STATUS_OK);

    assert_int_equal(call(&server, STRANGER_CA, NONE, NONE, text), STATUS_UNAVAILABLE);
    assert_non_null(strstr(text, "its certificate does not come from the given authority"));
    assert_int_equal(call(&server, NONE, NONE, NONE, text), STATUS_UNAVAILABLE);
    assert_non_null(strstr(text, "it may want TLS, or another client certificate"));
}

static void the_servers_name_counts(void **state)
{
    (void)state;
    const struct rpc_server_options server = {.listen = "127.0.0.1:0",
                                              .tls_certificate = pems[ELSEWHERE_CERTIFICATE],
                                              .tls_key = pems[ELSEWHERE_KEY]};
    char text[WHY_CAPACITY];
    assert_int_equal(call(&server, CA, NONE, NONE, text), STATUS_UNAVAILABLE);
    assert_non_null(strstr(text, "its certificate is for another name"));
}

static void a_server_verifies_its_clients(void **state)
{
    (void)state;
    const struct rpc_server_options server = {.listen = "127.0.0.1:0",
                                              .tls_certificate = pems[SERVER_CERTIFICATE],
                                              .tls_key = pems[SERVER_KEY],
                                              .tls_client_ca = pems[CA]};
    char text[WHY_CAPACITY];
    assert_int_equal(call(&server, CA, CLIENT_CERTIFICATE, CLIENT_KEY, text), STATUS_OK);

    assert_int_equal(call(&server, CA, NONE, NONE, text), STATUS_UNAVAILABLE);
    assert_non_null(strstr(text, "it may want TLS, or another client certificate"));
    assert_int_equal(call(&server, CA, STRANGER_CERTIFICATE, STRANGER_KEY, text),
                     STATUS_UNAVAILABLE);
    assert_non_null(strstr(text, "it may want TLS, or another client certificate"));
    assert_int_equal(call(&server, NONE, NONE, NONE, text), STATUS_UNAVAILABLE);
}

static void a_tls_client_refuses_a_plain_server(void **state)
{
    (void)state;
    const struct rpc_server_options server = {.listen = "127.0.0.1:0"};
    char text[WHY_CAPACITY];
    assert_int_equal(call(&server, CA, NONE, NONE, text), STATUS_UNAVAILABLE);
    assert_non_null(strstr(text, "it does not speak TLS"));
}

/* What cannot be a certificate or a key is found when the server starts, not when a client comes.
 */
static void bad_pems_stop_a_server(void **state)
{
    (void)state;
    static const char junk[] = "not a PEM text";
    const struct {
        const char *certificate, *key, *client_ca;
    } rows[] = {
        {junk, pems[SERVER_KEY], NULL},
        {pems[SERVER_CERTIFICATE], junk, NULL},
        {pems[SERVER_CERTIFICATE], "", NULL},
        {pems[SERVER_CERTIFICATE], pems[CLIENT_KEY], NULL},
        {pems[SERVER_CERTIFICATE], pems[SERVER_KEY], junk},
        {pems[SERVER_CERTIFICATE], pems[SERVER_KEY], ""},
        {pems[SERVER_CERTIFICATE], NULL, NULL},
        {NULL, pems[SERVER_KEY], NULL},
        {NULL, NULL, pems[CA]},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rpc_server *server = NULL;
        struct why why = {""};
        enum status status =
            rpc_server_start(&(struct rpc_server_options){.listen = "127.0.0.1:0",
                                                          .tls_certificate = rows[i].certificate,
                                                          .tls_key = rows[i].key,
                                                          .tls_client_ca = rows[i].client_ca},
                             NULL, 0, &server, &why);
        assert_int_equal(status, STATUS_INVALID);
        assert_non_null(strstr(why.text, "TLS"));
    }
}

static void bad_pems_stop_a_client(void **state)
{
    (void)state;
    static const char junk[] = "not a PEM text";
    const struct {
        const char *ca, *certificate, *key;
    } rows[] = {
        {junk, NULL, NULL},
        {"", NULL, NULL},
        {pems[CA], junk, pems[CLIENT_KEY]},
        {pems[CA], pems[CLIENT_CERTIFICATE], junk},
        {pems[CA], pems[CLIENT_CERTIFICATE], NULL},
        {pems[CA], NULL, pems[CLIENT_KEY]},
        {NULL, pems[CLIENT_CERTIFICATE], pems[CLIENT_KEY]},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rpc_channel *channel = NULL;
        struct why why = {""};
        enum status status =
            rpc_channel_new(&(struct rpc_channel_options){.target = "127.0.0.1:1",
                                                          .tls_ca = rows[i].ca,
                                                          .tls_certificate = rows[i].certificate,
                                                          .tls_key = rows[i].key},
                            &channel, &why);
        assert_int_equal(status, STATUS_INVALID);
        assert_non_null(strstr(why.text, "TLS"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_verifies_the_server),
        cmocka_unit_test(the_servers_name_counts),
        cmocka_unit_test(a_server_verifies_its_clients),
        cmocka_unit_test(a_tls_client_refuses_a_plain_server),
        cmocka_unit_test(bad_pems_stop_a_server),
        cmocka_unit_test(bad_pems_stop_a_client),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
