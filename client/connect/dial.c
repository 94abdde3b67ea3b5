/* SPDX-License-Identifier: BSD-3-Clause */
#include "connect/dial.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "connect/namespaces.h"
#include "connect/peer.h"

int dial_server(rpyc_conn **out, const struct address *address, const struct rpyc_options *how,
                struct rpyc_error *err)
{
    struct namespaces_visit visit CLEAN_VISIT = NAMESPACES_VISIT_INIT;
    struct rpyc_options checked = *how;

    checked.check = peer_check;
    checked.check_data = (void *)address;
    if (namespaces_enter(&visit, address, err) < 0)
        return -1;
    if (address->path)
        return rpyc_connect_unix(out, namespaces_path(&visit, address), &checked, err);
    return rpyc_connect_tcp(out, address->host, address->port, &checked, err);
}

static bool is_connected(int fd, int timeout_ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    socklen_t len = sizeof(int);
    int why = 0;

    return errno == EINPROGRESS && poll(&wait, 1, timeout_ms) == 1 &&
           getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len) == 0 && why == 0;
}

static int open_socket(const struct sockaddr *socket_address, socklen_t len, int timeout_ms)
{
    int fd = socket(socket_address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    if (connect(fd, socket_address, len) == 0 || is_connected(fd, timeout_ms))
        return fd;
    close(fd);
    return -1;
}

static int open_unix(const char *path, int timeout_ms)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t len = strlen(path);

    if (len >= sizeof(un.sun_path))
        return -1;
    memcpy(un.sun_path, path, len);
    len += offsetof(struct sockaddr_un, sun_path) + 1;
    if (path[0] == '@') {
        un.sun_path[0] = '\0';
        len--;
    }
    return open_socket((struct sockaddr *)&un, (socklen_t)len, timeout_ms);
}

static int open_tcp(const char *host, const char *port, int timeout_ms)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list, *a;
    int fd = -1;

    if (getaddrinfo(host, port, &hints, &list) != 0)
        return -1;
    for (a = list; a && fd < 0; a = a->ai_next)
        fd = open_socket(a->ai_addr, a->ai_addrlen, timeout_ms);
    freeaddrinfo(list);
    return fd;
}

int dial_socket(const struct address *address, int timeout_ms)
{
    struct namespaces_visit visit CLEAN_VISIT = NAMESPACES_VISIT_INIT;
    struct rpyc_error unused = RPYC_ERROR_INIT;
    int fd;

    if (namespaces_enter(&visit, address, &unused) < 0)
        return -1;
    fd = address->path ? open_unix(namespaces_path(&visit, address), timeout_ms)
                       : open_tcp(address->host, address->port, timeout_ms);
    if (fd < 0 || peer_check(fd, (void *)address, &unused) == 0)
        return fd;
    close(fd);
    return -1;
}
