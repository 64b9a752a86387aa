#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cmocka.h>

#include "rpc_scene.h"

static enum status try_listen(const char *listen, struct why *why)
{
    struct rpc_server *server = NULL;
    enum status status =
        rpc_server_start(&(struct rpc_server_options){.listen = listen}, NULL, 0, &server, why);
    if (status == STATUS_OK)
        rpc_server_stop(server, 0);
    else
        assert_null(server);
    return status;
}

static void assert_serves(const char *target)
{
    struct rpc_channel *channel =
        scene_connect(&(struct rpc_channel_options){.target = target, .plaintext = 1});
    char answer[WHY_CAPACITY];
    assert_int_equal(scene_call(channel, "/test/Answer", "x", answer), STATUS_OK);
    rpc_channel_free(channel);
}

static void the_kernel_may_choose_the_port(void **state)
{
    (void)state;
    struct served served = {0};
    struct rpc_server *server = scene_start_plain(&served);
    assert_in_range(rpc_server_port(server), 1024, 65535);
    char target[32];
    snprintf(target, sizeof(target), "127.0.0.1:%d", rpc_server_port(server));
    assert_serves(target);
    snprintf(target, sizeof(target), "localhost:%d", rpc_server_port(server));
    assert_serves(target);
    rpc_server_stop(server, 30000);
}

static void a_port_belongs_to_one_server(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "localhost", "0.0.0.0"};
    for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
        struct served served = {0};
        char listen[32];
        snprintf(listen, sizeof(listen), "%s:0", hosts[i]);
        struct rpc_server *server =
            scene_start(&(struct rpc_server_options){.listen = listen}, &served);
        snprintf(listen, sizeof(listen), "%s:%d", hosts[i], rpc_server_port(server));
        struct why why = {""};
        assert_int_equal(try_listen(listen, &why), STATUS_CONFLICT);
        assert_non_null(strstr(why.text, listen));
        assert_serves(listen);
        rpc_server_stop(server, 30000);
        assert_int_equal(try_listen(listen, NULL), STATUS_OK); /* and is free after it */
    }
}

/* Somebody else's listener on the port, which does not share it. */
static void a_foreign_listener_is_a_conflict(void **state)
{
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    char text[32];
    snprintf(text, sizeof(text), "127.0.0.1:%d", ntohs(address.sin_port));
    struct why why = {""};
    assert_int_equal(try_listen(text, &why), STATUS_CONFLICT);
    close(fd);
    assert_int_equal(try_listen(text, &why), STATUS_OK);
}

static void a_bad_address_is_invalid(void **state)
{
    (void)state;
    static const char *const texts[] = {"nonsense",
                                        ":4777",
                                        "127.0.0.1:99999",
                                        "::1:4777",
                                        "192.0.2.1:4777" /* of documentation: nobody has it */,
                                        "unix:/nonexistent/directory/socket"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct why why = {""};
        assert_int_equal(try_listen(texts[i], &why), STATUS_INVALID);
        assert_non_null(strstr(why.text, texts[i]));
    }
}

/* ----- a listener that dies ----- */

/* The descriptor that listens on the port, of this process. */
static int listener_of(int port)
{
    for (int fd = 3; fd < 1024; fd++) {
        struct sockaddr_in6 address = {0}; /* gRPC maps IPv4 */
        socklen_t size = sizeof(address);
        int listens = 0;
        socklen_t one = sizeof(listens);
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &one) == 0 && listens &&
            getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
            address.sin6_family == AF_INET6 && ntohs(address.sin6_port) == port)
            return fd;
    }
    return -1;
}

struct relisten {
    struct rpc_server *server;
    enum status status;
    struct why why;
    atomic_int done;
};

static void listen_again(void *arg)
{
    struct relisten *again = arg;
    again->status = rpc_server_listen_again(again->server, &again->why);
    again->done++;
}

static void relisten(struct relisten *again, int times)
{
    rpc_server_post(again->server, listen_again, again);
    wait_for(&again->done, times);
}

static void send_one(struct seen *seen)
{
    rpc_stream_send(seen->stream, (const uint8_t *)"x", 1);
    rpc_stream_read(seen->stream);
    seen->stop_at = seen->messages + 1;
    seen_run_for(seen, 20000);
    assert_int_equal(seen->messages, seen->stop_at);
}

static void a_dead_listener_is_replaced(void **state)
{
    (void)state;
    struct pair pair;
    pair_start(&pair);
    struct seen seen = {.loop = loop_new()};
    seen_open(&seen, pair.channel, "/test/Echo");
    send_one(&seen);
    struct relisten again = {.server = pair.server};
    int port = rpc_server_port(pair.server);
    char target[32];
    snprintf(target, sizeof(target), "127.0.0.1:%d", port);
    for (int round = 1; round <= 3; round++) {
        int fd = listener_of(port);
        assert_true(fd >= 0);
        assert_int_equal(shutdown(fd, SHUT_RDWR), 0); /* accept fails for good */
        send_one(&seen);
        relisten(&again, round);
        assert_int_equal(again.status, STATUS_OK);
        assert_int_equal(rpc_server_port(pair.server), port);
        assert_serves(target);
        send_one(&seen); /* which is still on its old connection */
    }
    assert_int_equal(pair.served.closed, 3);
    rpc_stream_cancel(seen.stream);
    seen_run_to_the_end(&seen);
    pair_stop(&pair);
    loop_free(seen.loop);
}

/* Somebody else takes the address meanwhile: it is tried again later. */
static void a_taken_address_is_waited_for(void **state)
{
    (void)state;
    struct pair pair;
    pair_start(&pair);
    struct relisten again = {.server = pair.server};
    int port = rpc_server_port(pair.server);
    int died = listener_of(port);
    assert_true(died >= 0);
    int usurper = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(setsockopt(usurper, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    assert_int_equal(shutdown(died, SHUT_RDWR), 0);
    assert_int_equal(bind(usurper, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(usurper, 1), 0);
    relisten(&again, 1);
    assert_int_equal(again.status, STATUS_CONFLICT);
    close(usurper);
    relisten(&again, 2);
    assert_int_equal(again.status, STATUS_OK);
    char target[32];
    snprintf(target, sizeof(target), "127.0.0.1:%d", port);
    assert_serves(target);
    pair_stop(&pair);
}

/* ----- IPv6 ----- */

static void ipv6_is_served(void **state)
{
    (void)state;
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int missing = fd < 0 || bind(fd, (struct sockaddr *)&loopback, sizeof(loopback)) != 0;
    if (fd >= 0)
        close(fd);
    if (missing) {
        print_message("this machine has no IPv6 loopback\n");
        skip();
    }
    struct served served = {0};
    struct rpc_server *server =
        scene_start(&(struct rpc_server_options){.listen = "[::1]:0"}, &served);
    char target[32];
    snprintf(target, sizeof(target), "[::1]:%d", rpc_server_port(server));
    assert_serves(target);
    assert_int_equal(try_listen(target, NULL), STATUS_CONFLICT);
    rpc_server_stop(server, 30000);
}

/* ----- UNIX sockets ----- */

struct folder {
    char path[64], socket[80], address[96];
};

static void folder_make(struct folder *folder)
{
    snprintf(folder->path, sizeof(folder->path), "/tmp/rpc_listen_test.XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    snprintf(folder->socket, sizeof(folder->socket), "%s/socket", folder->path);
    snprintf(folder->address, sizeof(folder->address), "unix:%s", folder->socket);
}

static void folder_remove(struct folder *folder)
{
    unlink(folder->socket);
    assert_int_equal(rmdir(folder->path), 0);
}

static void a_unix_socket_is_served_by_one(void **state)
{
    (void)state;
    struct folder folder;
    folder_make(&folder);
    struct served served = {0};
    struct rpc_server *server =
        scene_start(&(struct rpc_server_options){.listen = folder.address}, &served);
    assert_int_equal(rpc_server_port(server), 0);
    assert_serves(folder.address);
    struct why why = {""};
    assert_int_equal(try_listen(folder.address, &why), STATUS_CONFLICT);
    assert_serves(folder.address);
    rpc_server_stop(server, 30000);
    folder_remove(&folder);
}

static void a_dead_servers_socket_is_replaced(void **state)
{
    (void)state;
    struct folder folder;
    folder_make(&folder);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", folder.socket);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
    struct served served = {0};
    struct rpc_server *server =
        scene_start(&(struct rpc_server_options){.listen = folder.address}, &served);
    assert_serves(folder.address);
    rpc_server_stop(server, 30000);
    folder_remove(&folder);
}

static void a_file_in_the_way_is_left_alone(void **state)
{
    (void)state;
    struct folder folder;
    folder_make(&folder);
    FILE *file = fopen(folder.socket, "w");
    assert_non_null(file);
    fclose(file);
    struct why why = {""};
    assert_int_equal(try_listen(folder.address, &why), STATUS_INVALID);
    assert_non_null(strstr(why.text, "not a socket"));
    assert_int_equal(access(folder.socket, F_OK), 0);
    folder_remove(&folder);
}

/* Root may write everywhere, so root becomes somebody else for the attempt. */
static void a_forbidden_directory_is_denied(void **state)
{
    (void)state;
    struct folder folder;
    folder_make(&folder);
    assert_int_equal(chmod(folder.path, 0555), 0);
    int was_root = geteuid() == 0;
    if (was_root)
        assert_int_equal(seteuid(65534), 0);
    struct why why = {""};
    enum status status = try_listen(folder.address, &why);
    if (was_root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(status, STATUS_DENIED);
    assert_non_null(strstr(why.text, "permission denied"));
    folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernel_may_choose_the_port),
        cmocka_unit_test(a_port_belongs_to_one_server),
        cmocka_unit_test(a_foreign_listener_is_a_conflict),
        cmocka_unit_test(a_bad_address_is_invalid),
        cmocka_unit_test(a_dead_listener_is_replaced),
        cmocka_unit_test(a_taken_address_is_waited_for),
        cmocka_unit_test(ipv6_is_served),
        cmocka_unit_test(a_unix_socket_is_served_by_one),
        cmocka_unit_test(a_dead_servers_socket_is_replaced),
        cmocka_unit_test(a_file_in_the_way_is_left_alone),
        cmocka_unit_test(a_forbidden_directory_is_denied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
