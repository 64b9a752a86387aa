#include "rpc_address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "attributes.h"
#include "parse.h"

static const char unix_prefix[] = "unix:";

static enum status parse_unix(const char *text, struct rpc_address *ret, struct why *why)
{
    const char *path = text + sizeof(unix_prefix) - 1;
    size_t size = strlen(path);
    if (size == 0)
        return why_fail(why, STATUS_INVALID, "\"%s\" is not an address: a path is missing", text);
    if (size >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return why_fail(why, STATUS_INVALID,
                        "\"%s\" is not an address: the path has %zu bytes, "
                        "and a socket's may have %zu",
                        text, size, sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
    *ret = (struct rpc_address){.is_unix = 1};
    memcpy(ret->host, path, size + 1);
    return STATUS_OK;
}

/* Letters, digits and what else a name or a number address is made of. */
static int host_is_plausible(const char *host, size_t size, int bracketed)
{
    for (size_t i = 0; i < size; i++) {
        const char *others = bracketed ? ":.%-_" : ".-_";
        if (!isalnum((unsigned char)host[i]) && strchr(others, host[i]) == NULL)
            return 0;
    }
    return size > 0 && size < RPC_HOST_BYTES;
}

enum status rpc_address_parse(const char *text, struct rpc_address *ret, struct why *why)
{
    if (strncmp(text, unix_prefix, sizeof(unix_prefix) - 1) == 0)
        return parse_unix(text, ret, why);

    const char *host = text, *colon = strrchr(text, ':');
    size_t size = colon == NULL ? 0 : (size_t)(colon - text);
    int bracketed = size >= 2 && text[0] == '[' && text[size - 1] == ']';
    if (bracketed) {
        host = text + 1;
        size -= 2;
    }
    uint64_t port = 0;
    if (!host_is_plausible(host, size, bracketed) ||
        parse_u64(colon + 1, 0, 65535, &port) != STATUS_OK)
        return why_fail(
            why, STATUS_INVALID,
            "\"%s\" is not an address: HOST:PORT, [IPV6]:PORT or unix:PATH is expected, "
            "such as 127.0.0.1:4777",
            text);

    *ret = (struct rpc_address){.port = (int)port};
    memcpy(ret->host, host, size);
    return STATUS_OK;
}

int rpc_address_is_local(const struct rpc_address *address)
{
    struct in_addr four;
    struct in6_addr six;
    if (address->is_unix || strcmp(address->host, "localhost") == 0)
        return 1;
    if (inet_pton(AF_INET, address->host, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, address->host, &six) != 1)
        return 0;
    return IN6_IS_ADDR_LOOPBACK(&six) || (IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr[12] == 127);
}

socklen_t rpc_address_loopback(const struct rpc_address *address, int port,
                               struct sockaddr_in6 *ret)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, address->host, &four.sin_addr) == 1) {
        if (four.sin_addr.s_addr == htonl(INADDR_ANY))
            four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        memcpy(ret, &four, sizeof(four));
        return sizeof(four);
    }
    if (inet_pton(AF_INET6, address->host, &six.sin6_addr) != 1)
        return 0;
    if (IN6_IS_ADDR_UNSPECIFIED(&six.sin6_addr))
        six.sin6_addr = in6addr_loopback;
    *ret = six;
    return sizeof(six);
}
