#include <pthread.h>
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
    EXPIRED_SERVER_CERTIFICATE,
    EXPIRED_SERVER_KEY,
    EXPIRED_CLIENT_CERTIFICATE,
    EXPIRED_CLIENT_KEY,
    SPIFFE_CERTIFICATE,
    SPIFFE_KEY,
    PEM_COUNT
};

static const char *const pem_files[PEM_COUNT] = {
    "ca.pem",
    "stranger_ca.pem",
    "server.pem",
    "server.key",
    "elsewhere.pem",
    "elsewhere.key",
    "client.pem",
    "client.key",
    "stranger.pem",
    "stranger.key",
    "expired_server.pem",
    "expired_server.key",
    "expired_client.pem",
    "expired_client.key",
    "spiffe.pem",
    "spiffe.key",
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
    static const char *const names[] = {"ca",        "stranger_ca",    "server",
                                        "elsewhere", "client",         "stranger",
                                        "spiffe",    "expired_server", "expired_client"};
    static const char *const endings[] = {"pem", "key"};
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

static void what_has_expired_is_refused(void **state)
{
    (void)state;
    struct rpc_server_options server = {.listen = "127.0.0.1:0",
                                        .tls_certificate = pems[EXPIRED_SERVER_CERTIFICATE],
                                        .tls_key = pems[EXPIRED_SERVER_KEY]};
    char text[WHY_CAPACITY];
    assert_int_equal(call(&server, CA, NONE, NONE, text), STATUS_UNAVAILABLE);
    assert_non_null(strstr(text, "its certificate does not come from the given authority"));

    server.tls_certificate = pems[SERVER_CERTIFICATE];
    server.tls_key = pems[SERVER_KEY];
    server.tls_client_ca = pems[CA];
    assert_int_equal(call(&server, CA, EXPIRED_CLIENT_CERTIFICATE, EXPIRED_CLIENT_KEY, text),
                     STATUS_UNAVAILABLE);
}

/* ---- who calls ------------------------------------------------------------------------------ */

/* What `admit` is told of the peer, and what it answers. */
struct door {
    enum rpc_code code;
    const char *message;
    char names[1024];
    char authorization[64];
    int is_local;
    int asked;
};

static pthread_mutex_t door_lock = PTHREAD_MUTEX_INITIALIZER; /* of every door */

static enum rpc_code ask_door(void *user, struct rpc_call *call, const struct rpc_method *method,
                              const char **ret_message)
{
    struct door *door = user;
    size_t index = 0, used = 0;
    const char *kind, *name, *header = rpc_call_header(call, "authorization");
    assert_int_equal(method->path[0], '/');
    pthread_mutex_lock(&door_lock);
    door->names[0] = '\0';
    while ((name = rpc_call_peer_name(call, &index, &kind)) != NULL)
        used +=
            (size_t)snprintf(door->names + used, sizeof(door->names) - used, "%s=%s;", kind, name);
    snprintf(door->authorization, sizeof(door->authorization), "%s", header ? header : "");
    door->is_local = rpc_call_peer_is_local(call);
    door->asked++;
    *ret_message = door->message;
    enum rpc_code code = door->code;
    pthread_mutex_unlock(&door_lock);
    return code;
}

/* What it has been told. gRPC orders the threads too, but in code that the sanitizer does not see.
 */
static struct door look(const struct door *door)
{
    pthread_mutex_lock(&door_lock);
    struct door copy = *door;
    pthread_mutex_unlock(&door_lock);
    return copy;
}

static void change(struct door *door, enum rpc_code code, const char *message)
{
    pthread_mutex_lock(&door_lock);
    door->code = code;
    door->message = message;
    pthread_mutex_unlock(&door_lock);
}

static void the_door_is_told_who_comes(void **state)
{
    (void)state;
    struct door door = {.code = RPC_OK};
    const struct rpc_server_options server = {.listen = "127.0.0.1:0",
                                              .tls_certificate = pems[SERVER_CERTIFICATE],
                                              .tls_key = pems[SERVER_KEY],
                                              .tls_client_ca = pems[CA],
                                              .tls_client_optional = 1,
                                              .admit = ask_door,
                                              .admit_user = &door};
    char text[WHY_CAPACITY];
    assert_int_equal(call(&server, CA, CLIENT_CERTIFICATE, CLIENT_KEY, text), STATUS_OK);
    assert_string_equal(look(&door).names, "san=client.example;cn=client;");
    assert_int_equal(call(&server, CA, SPIFFE_CERTIFICATE, SPIFFE_KEY, text), STATUS_OK);
    assert_string_equal(look(&door).names, "spiffe=spiffe://example.org/ns/shop/sa/agent;"
                                           "san=spiffe://example.org/ns/shop/sa/agent;cn=spiffe;");
    assert_int_equal(call(&server, CA, NONE, NONE, text), STATUS_OK); /* optional */
    assert_string_equal(look(&door).names, "");
    assert_true(look(&door).is_local);
    assert_int_equal(call(&server, CA, STRANGER_CERTIFICATE, STRANGER_KEY, text),
                     STATUS_UNAVAILABLE);
    assert_int_equal(look(&door).asked, 3);
}

static void a_closed_door_says_why(void **state)
{
    (void)state;
    struct door door = {.code = RPC_PERMISSION_DENIED, .message = "not today"};
    struct served served = {0};
    struct rpc_server *server = scene_start(&(struct rpc_server_options){.listen = "127.0.0.1:0",
                                                                         .admit = ask_door,
                                                                         .admit_user = &door},
                                            &served);
    char target[32], text[WHY_CAPACITY];
    snprintf(target, sizeof(target), "127.0.0.1:%d", rpc_server_port(server));
    struct rpc_channel *channel =
        scene_connect(&(struct rpc_channel_options){.target = target, .token = "abc"});
    assert_int_equal(scene_call(channel, "/test/Answer", "x", text), STATUS_DENIED);
    assert_non_null(strstr(text, "not today"));
    assert_string_equal(look(&door).authorization, "Bearer abc");
    assert_int_equal(served.opened, 0);
    assert_int_equal(scene_call(channel, "/test/Nothing", "x", text), STATUS_UNSUPPORTED);
    assert_int_equal(look(&door).asked, 1); /* what nobody serves needs no permission */

    struct why why = {""};
    assert_int_equal(rpc_channel_set_token(channel, "a b", &why), STATUS_INVALID);
    assert_int_equal(rpc_channel_set_token(channel, "new", &why), STATUS_OK);
    assert_int_equal(scene_call(channel, "/test/Answer", "x", text), STATUS_DENIED);
    assert_string_equal(look(&door).authorization, "Bearer new");
    assert_int_equal(rpc_channel_set_token(channel, NULL, &why), STATUS_OK);
    assert_int_equal(scene_call(channel, "/test/Answer", "x", text), STATUS_DENIED);
    assert_string_equal(look(&door).authorization, "");
    rpc_channel_free(channel);
    rpc_server_stop(server, 30000);
}

static void plaintext_stays_on_the_machine(void **state)
{
    (void)state;
    static const struct {
        struct rpc_channel_options options;
        enum status status;
    } rows[] = {
        {{.target = "10.0.0.1:1", .token = "t"}, STATUS_USAGE},
        {{.target = "example.org:1", .token = "t"}, STATUS_USAGE},
        {{.target = "10.0.0.1:1", .token = "t", .plaintext = 1}, STATUS_OK},
        {{.target = "10.0.0.1:1"}, STATUS_USAGE},
        {{.target = "10.0.0.1:1", .plaintext = 1}, STATUS_OK},
        {{.target = "127.0.0.1:1", .token = "t"}, STATUS_OK},
        {{.target = "[::1]:1", .token = "t"}, STATUS_OK},
        {{.target = "unix:/x", .token = "t"}, STATUS_OK},
        {{.target = "127.0.0.1:1", .token = "t\n"}, STATUS_INVALID},
        {{.target = "127.0.0.1:1", .token = ""}, STATUS_INVALID},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rpc_channel *channel = NULL;
        struct why why = {""};
        assert_int_equal(rpc_channel_new(&rows[i].options, &channel, &why), rows[i].status);
        rpc_channel_free(channel);
    }
}

/* ---- new certificates ----------------------------------------------------------------------- */

static struct rpc_tls_texts texts(int certificate, int key, int ca)
{
    return (struct rpc_tls_texts){
        .certificate = (char *)pem(certificate), .key = (char *)pem(key), .ca = (char *)pem(ca)};
}

static void review(void *arg)
{
    rpc_server_review(arg);
}

/* Garbage, halves and pairs that do not belong together. */
static void assert_garbage_changes_nothing(struct rpc_server *server, struct rpc_channel *channel)
{
    char text[WHY_CAPACITY];
    struct why why = {""};
    const struct rpc_tls_texts bad[] = {
        texts(SERVER_CERTIFICATE, CLIENT_KEY, CA),
        texts(SERVER_CERTIFICATE, NONE, CA),
        texts(NONE, NONE, CA),
        texts(NONE, NONE, NONE),
        texts(SERVER_CERTIFICATE, SERVER_KEY, NONE),
        {"-----BEGIN CERTIFICATE-----\nx", pems[SERVER_KEY], pems[CA]}};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(rpc_server_set_tls(server, &bad[i], &why), STATUS_INVALID);
        assert_non_null(strstr(why.text, "TLS"));
    }
    const struct rpc_tls_texts halves = texts(CLIENT_CERTIFICATE, SERVER_KEY, CA);
    assert_int_equal(rpc_channel_set_tls(channel, &halves, &why), STATUS_INVALID);
    assert_int_equal(scene_call(channel, "/test/Answer", "x", text), STATUS_OK);
}

/* A server and a client change to another authority's pair and back while a stream is open. */
static void certificates_change_under_a_stream(void **state)
{
    (void)state;
    struct served served = {0};
    struct door door = {.code = RPC_OK};
    struct rpc_server *server =
        scene_start(&(struct rpc_server_options){.listen = "localhost:0",
                                                 .tls_certificate = pems[SERVER_CERTIFICATE],
                                                 .tls_key = pems[SERVER_KEY],
                                                 .tls_client_ca = pems[CA],
                                                 .admit = ask_door,
                                                 .admit_user = &door},
                    &served);
    char target[32], text[WHY_CAPACITY];
    struct why why = {""};
    snprintf(target, sizeof(target), "localhost:%d", rpc_server_port(server));
    struct rpc_channel *channel =
        scene_connect(&(struct rpc_channel_options){.target = target,
                                                    .tls_ca = pems[CA],
                                                    .tls_certificate = pems[CLIENT_CERTIFICATE],
                                                    .tls_key = pems[CLIENT_KEY]});
    struct seen seen = {.loop = loop_new(), .keep_asking = 1, .stop_at = 1};
    seen_open(&seen, channel, "/test/Echo");
    rpc_stream_read(seen.stream);
    rpc_stream_send(seen.stream, (const uint8_t *)"a", 1);
    seen_run_for(&seen, 15000);
    assert_int_equal(seen.messages, 1);

    assert_garbage_changes_nothing(server, channel);

    /* Now the server trusts strangers only, for new connections. */
    const struct rpc_tls_texts strange = texts(SERVER_CERTIFICATE, SERVER_KEY, STRANGER_CA);
    assert_int_equal(rpc_server_set_tls(server, &strange, &why), STATUS_OK);
    assert_int_equal(scene_call(channel, "/test/Answer", "x", text), STATUS_OK);
    const struct rpc_tls_texts client = texts(CLIENT_CERTIFICATE, CLIENT_KEY, CA);
    assert_int_equal(rpc_channel_set_tls(channel, &client, &why), STATUS_OK); /* reconnects */
    assert_int_equal(scene_call(channel, "/test/Answer", "x", text), STATUS_UNAVAILABLE);
    const struct rpc_tls_texts stranger = texts(STRANGER_CERTIFICATE, STRANGER_KEY, CA);
    assert_int_equal(rpc_channel_set_tls(channel, &stranger, &why), STATUS_OK);
    assert_int_equal(scene_call(channel, "/test/Answer", "x", text), STATUS_OK);
    assert_string_equal(look(&door).names, "san=stranger.example;cn=stranger;");

    /* The stream never noticed; until the door is asked again. */
    seen.stop_at = 2;
    rpc_stream_send(seen.stream, (const uint8_t *)"b", 1);
    seen_run_for(&seen, 15000);
    assert_int_equal(seen.messages, 2);
    change(&door, RPC_PERMISSION_DENIED, "no more");
    rpc_server_post(server, review, server);
    seen_run_to_the_end(&seen);
    assert_int_equal(seen.code, RPC_PERMISSION_DENIED);
    assert_non_null(strstr(seen.text, "no more"));
    loop_free(seen.loop);
    rpc_channel_free(channel);
    rpc_server_stop(server, 30000);
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
        cmocka_unit_test(what_has_expired_is_refused),
        cmocka_unit_test(the_door_is_told_who_comes),
        cmocka_unit_test(a_closed_door_says_why),
        cmocka_unit_test(plaintext_stays_on_the_machine),
        cmocka_unit_test(certificates_change_under_a_stream),
        cmocka_unit_test(bad_pems_stop_a_server),
        cmocka_unit_test(bad_pems_stop_a_client),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
