/* SPDX-License-Identifier: BSD-3-Clause */
#include "stream.h"

#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS 1000000LL

/* ---- Time ----------------------------------------------------------------------------------- */

static int64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

deadline_t deadline_in(int ms)
{
    return ms < 0 ? DEADLINE_NEVER : now() + ms * NS_PER_MS;
}

/* Returns the time until the deadline in ms, rounded up, as a timeout of poll(2); -1: no limit. */
static int time_left(deadline_t deadline)
{
    int64_t left;

    if (deadline == DEADLINE_NEVER)
        return -1;
    left = deadline - now();
    if (left <= 0)
        return 0;
    left = (left + NS_PER_MS - 1) / NS_PER_MS;
    return left > INT_MAX ? INT_MAX : (int)left;
}

int stream_wait(int fd, short events, const struct stream_watch *watch, deadline_t deadline,
                struct rpyc_error *err)
{
    struct pollfd p[1 + STREAM_WATCH_MAX] = {{.fd = fd, .events = events}};
    nfds_t count = 1;
    int n;

    for (size_t i = 0; watch && i < watch->count; i++)
        p[count++] = (struct pollfd){.fd = watch->fds[i], .events = POLLIN};
    n = poll(p, count, time_left(deadline));
    if (n > 0 && p[0].revents)
        return 0;
    if (n > 0)
        return error_set(err, RPYC_ECANCELED,
                         "the wait was cancelled: another connection has input");
    if (n == 0)
        return error_set(err, RPYC_ETIMEOUT, "timed out");
    if (errno == EINTR)
        return error_set(err, RPYC_EINTERRUPT, "interrupted by a signal");
    return error_system(err, errno, "poll");
}

/* ---- The socket ----------------------------------------------------------------------------- */

static bool is_loopback(const struct sockaddr_storage *a)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)a;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)a;

    if (a->ss_family == AF_UNIX)
        return true;
    if (a->ss_family == AF_INET)
        return ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    if (a->ss_family != AF_INET6)
        return false;
    return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr) ||
           (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) && in6->sin6_addr.s6_addr[12] == IN_LOOPBACKNET);
}

/* Lets the kernel detect within two minutes that the peer's machine has disappeared: by probes if
 * the connection is idle, by a missing acknowledgement otherwise. Has no effect if the socket is
 * not TCP. */
static void keep_alive(int fd)
{
    int on = 1, idle = 60, interval = 15, probes = 4, unanswered_ms = 120000;

    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered_ms, sizeof(unanswered_ms));
}

void stream_open(struct stream *s, int fd)
{
    struct sockaddr_storage peer = {0};
    socklen_t len = sizeof(peer);
    struct stat st;
    int on = 1;

    *s = (struct stream){.fd = fd};
    s->inode = fstat(fd, &st) == 0 ? st.st_ino : 0;
    s->local = getpeername(fd, (struct sockaddr *)&peer, &len) == 0 && is_loopback(&peer);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    keep_alive(fd);
}

bool stream_is_ours(const struct stream *s)
{
    struct stat st;

    return s->fd >= 0 && fstat(s->fd, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_ino == s->inode;
}

void stream_acknowledge(const struct stream *s)
{
    int on = 1;

    if (stream_is_ours(s))
        setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

/* Fills err for a stream whose fd is not its socket any more. Returns -1. */
static int lost(struct rpyc_error *err)
{
    return error_set(err, RPYC_ECLOSED, "other code of this process closed the socket");
}

ssize_t stream_receive(struct stream *s, void *bytes, size_t n, deadline_t deadline,
                       struct rpyc_error *err)
{
    int flags = deadline == DEADLINE_NEVER ? 0 : MSG_DONTWAIT;
    ssize_t got;

    if (s->tls)
        return s->tls->receive(s, bytes, n, deadline, err);
    for (;;) {
        if (!stream_is_ours(s))
            return lost(err);
        if (flags && stream_wait(s->fd, POLLIN, NULL, deadline, err) < 0)
            return -1;
        got = recv(s->fd, bytes, n, flags);
        if (got >= 0)
            return got;
        if (errno == EINTR)
            return error_set(err, RPYC_EINTERRUPT, "interrupted by a signal");
        if (errno == ECONNRESET)
            return error_set(err, RPYC_ECLOSED, "the peer reset the connection");
        if (errno != EAGAIN)
            return error_system(err, errno, "receiving");
        flags = MSG_DONTWAIT; /* no data yet: poll before the next recv */
    }
}

ssize_t stream_send_some(struct stream *s, const void *bytes, size_t n, deadline_t deadline,
                         struct rpyc_error *err)
{
    int flags = MSG_NOSIGNAL | (deadline == DEADLINE_NEVER ? 0 : MSG_DONTWAIT);
    struct rpyc_error why = RPYC_ERROR_INIT;
    ssize_t sent;

    if (s->tls)
        return s->tls->send_some(s, bytes, n, deadline, err);
    for (;;) {
        if (!stream_is_ours(s))
            return lost(err);
        sent = send(s->fd, bytes, n, flags);
        if (sent >= 0)
            return sent;
        if (errno == EINTR)
            return error_set(err, RPYC_EINTERRUPT, "interrupted by a signal");
        if (errno == EPIPE || errno == ECONNRESET)
            return error_set(err, RPYC_ECLOSED, "the peer closed the connection");
        if (errno != EAGAIN)
            return error_system(err, errno, "sending");
        if (stream_wait(s->fd, POLLOUT, NULL, deadline, &why) < 0)
            return error_set(err, why.code, "sending: %s", why.text);
    }
}

int stream_send(struct stream *s, const void *bytes, size_t n, deadline_t deadline,
                struct rpyc_error *err)
{
    struct rpyc_error why = RPYC_ERROR_INIT;
    const uint8_t *p = bytes;
    ssize_t sent;

    while (n > 0) {
        sent = stream_send_some(s, p, n, deadline, &why);
        if (sent < 0 && why.code != RPYC_EINTERRUPT)
            return error_copy(err, &why);
        if (sent > 0) {
            p += sent;
            n -= (size_t)sent;
        }
    }
    return 0;
}

void stream_shutdown(struct stream *s)
{
    if (stream_is_ours(s))
        shutdown(s->fd, SHUT_RDWR);
}

void stream_drop(struct stream *s)
{
    if (stream_is_ours(s) && s->close)
        s->close(s->fd);
    else if (stream_is_ours(s))
        close(s->fd);
    s->fd = -1;
}

void stream_reset(struct stream *s)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};

    if (stream_is_ours(s))
        setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    stream_close(s);
}

void stream_close(struct stream *s)
{
    stream_drop(s);
    if (s->tls)
        s->tls->free(s->tls_state);
    s->tls = NULL;
    s->tls_state = NULL;
}

/* ---- Connecting ----------------------------------------------------------------------------- */

static int set_blocking(int fd, bool blocking)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0)
        return -1;
    return fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

/* Waits until a connect(2) in progress has ended. Returns 0 if it succeeded, -1 with err filled if
 * it failed. */
static int finish_connect(int fd, const struct stream_watch *watch, deadline_t deadline,
                          struct rpyc_error *err)
{
    int result = 0;
    socklen_t len = sizeof(result);

    do {
        rpyc_error_clear(err);
        if (stream_wait(fd, POLLOUT, watch, deadline, err) == 0)
            break;
        if (err->code != RPYC_EINTERRUPT)
            return -1;
    } while (true);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &len) < 0)
        result = errno;
    return result == 0 ? 0 : error_system(err, result, "connect");
}

/* Connects a TCP socket. The socket is non-blocking while it connects, and blocking when it is
 * connected. */
static int connect_tcp(int fd, const struct sockaddr *address, socklen_t len,
                       const struct stream_watch *watch, deadline_t deadline,
                       struct rpyc_error *err)
{
    if (set_blocking(fd, false) < 0)
        return error_system(err, errno, "fcntl");
    if (connect(fd, address, len) < 0) {
        if (errno != EINPROGRESS && errno != EINTR)
            return error_system(err, errno, "connect");
        if (finish_connect(fd, watch, deadline, err) < 0)
            return -1;
    }
    return set_blocking(fd, true) < 0 ? error_system(err, errno, "fcntl") : 0;
}

/* Sets the socket's send timeout to the time until the deadline. Returns -1 if the deadline has
 * passed. */
static int set_send_timeout(int fd, deadline_t deadline)
{
    int ms = time_left(deadline);
    struct timeval left = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000L};

    if (ms < 0)
        return 0;
    return ms == 0 ? -1 : setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof(left));
}

/* Connects a Unix socket, which is in blocking mode. If the server's backlog is full, connect(2)
 * itself has to wait: it would fail at once on a non-blocking socket, and poll(2) cannot wait for
 * room in a backlog. */
static int connect_unix(int fd, const struct sockaddr *address, socklen_t len, deadline_t deadline,
                        struct rpyc_error *err)
{
    do {
        if (set_send_timeout(fd, deadline) < 0)
            return error_set(err, RPYC_ETIMEOUT, "timed out");
        if (connect(fd, address, len) == 0)
            break;
        if (errno == EAGAIN)
            return error_set(err, RPYC_ETIMEOUT, "timed out");
        if (errno != EINTR)
            return error_system(err, errno, "connect");
    } while (true);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){0, 0}, sizeof(struct timeval));
    return 0;
}

/* Connects a Unix socket; fails at once if the server's backlog is full. */
static int connect_unix_now(int fd, const struct sockaddr *address, socklen_t len,
                            struct rpyc_error *err)
{
    if (set_blocking(fd, false) < 0)
        return error_system(err, errno, "fcntl");
    if (connect(fd, address, len) < 0) {
        if (errno == EAGAIN)
            return error_set(err, RPYC_ETIMEOUT, "timed out");
        return error_system(err, errno, "connect");
    }
    return set_blocking(fd, true) < 0 ? error_system(err, errno, "fcntl") : 0;
}

/* Connects to one address. On failure err has only the reason; the caller adds the address. */
static int connect_address(struct stream *s, const struct sockaddr *address, socklen_t len,
                           const struct stream_watch *watch, deadline_t deadline,
                           struct rpyc_error *err)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result;

    if (fd < 0)
        return error_system(err, errno, "socket");
    if (address->sa_family != AF_UNIX)
        result = connect_tcp(fd, address, len, watch, deadline, err);
    else if (watch)
        result = connect_unix_now(fd, address, len, err);
    else
        result = connect_unix(fd, address, len, deadline, err);
    if (result < 0)
        close(fd);
    else
        stream_open(s, fd);
    return result;
}

/* Fills err with the address and the reason. Returns -1. */
static int connect_error(const char *where, const struct rpyc_error *why, struct rpyc_error *err)
{
    if (why->code == RPYC_ESYSTEM && why->sys_errno == ECONNRESET)
        return error_set(err, RPYC_ECLOSED, "%s closed the connection at once", where);
    if (why->code == RPYC_ESYSTEM)
        return error_system(err, why->sys_errno, "cannot connect to %s", where);
    return error_set(err, why->code, "cannot connect to %s: %s", where, why->text);
}

static void free_addresses(struct addrinfo **list)
{
    if (*list)
        freeaddrinfo(*list);
}

/* True if port is a number up to 65535, or if it may be a service name. getaddrinfo does not check
 * this: it accepts "", and takes 65536 for 0. */
static bool is_port(const char *port)
{
    size_t digits = strspn(port, "0123456789");

    return port[0] != '\0' &&
           (port[digits] != '\0' || (digits < 10 && strtol(port, NULL, 10) <= 65535));
}

void stream_describe_tcp(char *out, size_t size, const char *host, const char *port)
{
    snprintf(out, size, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

int stream_connect_tcp(struct stream *s, const char *host, const char *port, deadline_t deadline,
                       struct rpyc_error *err)
{
    _cleanup_(free_addresses) struct addrinfo *list = NULL;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *a;
    struct rpyc_error why = RPYC_ERROR_INIT;
    char where[STREAM_WHERE_SIZE];
    int result;

    *s = STREAM_INIT;
    stream_describe_tcp(where, sizeof(where), host, port);
    if (!is_port(port))
        return error_set(
            err, RPYC_EINVAL,
            "cannot connect to %s: the port must be a number from 1 to 65535 or a service name",
            where);
    result = getaddrinfo(host, port, &hints, &list);
    if (result == EAI_SYSTEM)
        return error_system(err, errno, "cannot connect to %s", where);
    if (result != 0)
        return error_set(err, RPYC_ERESOLVE, "cannot connect to %s: %s", where,
                         gai_strerror(result));
    for (a = list; a; a = a->ai_next) {
        if (connect_address(s, a->ai_addr, a->ai_addrlen, NULL, deadline, &why) == 0)
            return 0;
    }
    return connect_error(where, &why, err);
}

int stream_unix_address(struct sockaddr_un *address, socklen_t *len, const char *path,
                        struct rpyc_error *err)
{
    size_t n = strlen(path);

    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (n == 0 || n >= sizeof(address->sun_path))
        return error_set(err, RPYC_EINVAL,
                         "invalid name of a Unix socket '%s': expected 1 to %zu bytes", path,
                         sizeof(address->sun_path) - 1);
    memcpy(address->sun_path, path, n);
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
    if (path[0] == '@') {
        address->sun_path[0] = '\0'; /* an abstract name is not NUL-terminated */
        *len -= 1;
    }
    return 0;
}

int stream_connect_unix(struct stream *s, const char *path, deadline_t deadline,
                        struct rpyc_error *err)
{
    struct rpyc_error why = RPYC_ERROR_INIT;
    struct sockaddr_un address;
    socklen_t len;

    *s = STREAM_INIT;
    if (stream_unix_address(&address, &len, path, err) < 0)
        return -1;
    if (connect_address(s, (struct sockaddr *)&address, len, NULL, deadline, &why) == 0)
        return 0;
    return connect_error(path, &why, err);
}

int stream_connect_again(struct stream *s, const struct stream_watch *watch,
                         const struct sockaddr_storage *peer, const char *path, deadline_t deadline,
                         struct rpyc_error *err)
{
    struct sockaddr_un address;
    socklen_t len;

    *s = STREAM_INIT;
    if (!path)
        return connect_address(s, (const struct sockaddr *)peer, sizeof(*peer), watch, deadline,
                               err);
    if (stream_unix_address(&address, &len, path, err) < 0)
        return -1;
    return connect_address(s, (struct sockaddr *)&address, len, watch, deadline, err);
}

/* ---- Listening ------------------------------------------------------------------------------ */

/* Sets the group and the mode of a Unix socket's file. file: a descriptor of this file. Does not
 * use the name of the file, because users who may write to the directory can replace the file
 * between two calls. */
static int set_rights(int file, const struct stream_listening *how)
{
    mode_t mode = how->unix_mode ? how->unix_mode : 0600;
    char name[40];
    struct stat st;

    if (fstat(file, &st) < 0)
        return -1;
    if ((st.st_mode & 0777) == mode && !how->has_unix_group)
        return 0;
    if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid()) {
        errno = EACCES; /* not the socket that was bound */
        return -1;
    }
    if (how->has_unix_group && fchownat(file, "", (uid_t)-1, how->unix_group, AT_EMPTY_PATH) < 0)
        return -1;
    if ((st.st_mode & 0777) == mode)
        return 0;
    snprintf(name, sizeof(name), "/proc/self/fd/%d",
             file); /* fchmod does not accept an O_PATH descriptor */
    return chmod(name, mode);
}

/* Binds a Unix socket, then sets the group and the mode of its file. bind(2) creates the file with
 * the mode that the socket has, minus the umask. So the mode 0600 of the socket excludes other
 * users from the start. The final mode is set after bind(2), because a umask such as 0777 would
 * exclude the owner too. No client can connect before the caller calls listen(2). */
static int bind_unix(int fd, const struct sockaddr *address, socklen_t len,
                     const struct stream_listening *how)
{
    const char *path = ((const struct sockaddr_un *)address)->sun_path;
    int file, result, saved;

    if (fchmod(fd, 0600) < 0 || bind(fd, address, len) < 0)
        return -1;
    if (!path[0])
        return 0;
    file = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0)
        return -1;
    result = set_rights(file, how);
    saved = errno;
    close(file);
    errno = saved;
    return result;
}

static int bind_tcp(int fd, const struct sockaddr *address, socklen_t len, bool reuse)
{
    int on = 1;

    if (reuse)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (address->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    return bind(fd, address, len);
}

static bool is_bound(int fd)
{
    struct sockaddr_un address;
    socklen_t len = sizeof(address);

    return getsockname(fd, (struct sockaddr *)&address, &len) == 0 &&
           address.sun_family == AF_UNIX && len > offsetof(struct sockaddr_un, sun_path);
}

/* Removes the file of a socket that was bound but cannot be used. */
static void unbind(const struct sockaddr *address)
{
    const char *path = ((const struct sockaddr_un *)address)->sun_path;

    if (address->sa_family == AF_UNIX && path[0])
        unlink(path);
}

int stream_listen(const struct sockaddr *address, socklen_t len, const struct stream_listening *how,
                  struct rpyc_error *err)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result;

    if (fd < 0)
        return error_system(err, errno, "socket");
    if (address->sa_family == AF_UNIX)
        result = bind_unix(fd, address, len, how);
    else
        result = bind_tcp(fd, address, len, how->reuse);
    if (result == 0 && listen(fd, how->backlog) == 0)
        return fd;
    error_system(err, errno, "bind");
    if (is_bound(fd))
        unbind(address);
    close(fd);
    return -1;
}
