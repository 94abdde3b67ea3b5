/* SPDX-License-Identifier: BSD-3-Clause */
#include "sockets.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>

void server_close(struct server *s)
{
    close(s->fd);
}

int listen_on(const char *address, uint16_t port, int backlog, struct rpyc_error *err)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    if (inet_pton(AF_INET, address, &in.sin_addr) == 1)
        return stream_listen((struct sockaddr *)&in, sizeof(in),
                             &(struct stream_listening){.backlog = backlog, .reuse = true}, err);
    assert_int_equal(inet_pton(AF_INET6, address, &in6.sin6_addr), 1);
    return stream_listen((struct sockaddr *)&in6, sizeof(in6),
                         &(struct stream_listening){.backlog = backlog, .reuse = true}, err);
}

uint16_t port_of(int fd)
{
    struct sockaddr_in6 a = {0};
    socklen_t len = sizeof(a);

    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    return ntohs(a.sin6_port); /* at the same offset in an IPv4 address */
}

struct server serve(const char *address, int backlog)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct server s = {.fd = listen_on(address, 0, backlog, &err)};

    if (s.fd < 0)
        fail_msg("%s", err.text);
    snprintf(s.port, sizeof(s.port), "%u", port_of(s.fd));
    return s;
}

struct server hold_port(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct server s = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};

    assert_int_equal(bind(s.fd, (struct sockaddr *)&in, sizeof(in)), 0);
    snprintf(s.port, sizeof(s.port), "%u", port_of(s.fd));
    return s;
}

bool have_ipv6(void)
{
    AUTO_FD fd = listen_on("::1", 0, 1, NULL);

    if (fd < 0)
        print_message("skipped: no IPv6 on this machine\n");
    return fd >= 0;
}

void pair_close(struct pair *p)
{
    stream_close(&p->a);
    stream_close(&p->b);
}

struct pair unix_pair(void)
{
    struct pair p;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    stream_open(&p.a, fds[0]);
    stream_open(&p.b, fds[1]);
    return p;
}

struct pair tcp_pair(void)
{
    AUTO_SERVER s = serve("127.0.0.1", 1);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct pair p;

    assert_ok(stream_connect_tcp(&p.a, "127.0.0.1", s.port, SOON, &err), &err);
    stream_open(&p.b, accept4(s.fd, NULL, NULL, SOCK_CLOEXEC));
    return p;
}

void assert_connected(struct stream *a, struct stream *b)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    char got[8];

    assert_ok(stream_send(a, "ping", 4, SOON, &err), &err);
    assert_int_equal(stream_receive(b, got, sizeof(got), SOON, &err), 4);
    assert_memory_equal(got, "ping", 4);
    assert_ok(stream_send(b, "pong", 4, DEADLINE_NEVER, &err), &err);
    assert_int_equal(stream_receive(a, got, sizeof(got), DEADLINE_NEVER, &err), 4);
    assert_memory_equal(got, "pong", 4);
}

void assert_accepts(int listener, struct stream *client)
{
    AUTO_STREAM accepted;

    stream_open(&accepted, accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    assert_connected(client, &accepted);
}

bool closes_on_exec(int fd)
{
    return fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

struct directory directory_make(void)
{
    struct directory d = {"/tmp/pystuck-test-XXXXXX", ""};

    assert_non_null(mkdtemp(d.path));
    snprintf(d.file, sizeof(d.file), "%s/socket", d.path);
    return d;
}

void directory_remove(struct directory *d)
{
    unlink(d->file);
    rmdir(d->path);
}

int listen_unix(const char *path, int backlog, struct rpyc_error *err)
{
    struct sockaddr_un address;
    socklen_t len;

    assert_int_equal(stream_unix_address(&address, &len, path, err), 0);
    return stream_listen((struct sockaddr *)&address, len,
                         &(struct stream_listening){.backlog = backlog, .reuse = true}, err);
}

const char *abstract_name(void)
{
    static char name[64];

    snprintf(name, sizeof(name), "@pystuck-test-%d", (int)getpid());
    return name;
}

/* Replaces the resolver, so that a name has several addresses without a network. */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **list)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    int result;

    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (strcmp(host, "three-addresses.test") != 0)
        return real(host, service, hints, list);
    result = real("127.0.0.3", service, hints, list);
    if (result == 0)
        result = real("127.0.0.2", service, hints, &(*list)->ai_next);
    if (result == 0)
        result = real("127.0.0.1", service, hints, &(*list)->ai_next->ai_next);
    return result;
}

void crowd_leave(struct crowd *c)
{
    while (c->count > 0)
        close(c->fds[--c->count]);
}

static void crowd_fill(struct crowd *c, const struct sockaddr *address, socklen_t len)
{
    int result = 0;

    while (result == 0 && c->count < 64) {
        int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        struct pollfd p = {.fd = fd, .events = POLLOUT};

        c->fds[c->count++] = fd;
        result = connect(fd, address, len);
        if (result < 0 && errno == EINPROGRESS && poll(&p, 1, 50) == 1)
            result = 0;
    }
    assert_true(c->count < 64);
}

void crowd_fill_tcp(struct crowd *c, const struct server *s)
{
    struct sockaddr_in in;
    socklen_t len = sizeof(in);

    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&in, &len), 0);
    crowd_fill(c, (struct sockaddr *)&in, len);
}

int listen_unix_crowded(struct crowd *crowd)
{
    struct sockaddr_un address;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int listener = listen_unix(abstract_name(), 0, &err);
    socklen_t len;

    if (listener < 0)
        fail_msg("%s", err.text);
    stream_unix_address(&address, &len, abstract_name(), NULL);
    crowd_fill(crowd, (struct sockaddr *)&address, len);
    return listener;
}
