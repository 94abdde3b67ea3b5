/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "stream.h"

#define AUTO_STREAM _cleanup_(stream_close) struct stream

/* Deadlines: long enough for what must succeed, short for what must fail. */
#define SOON deadline_in(60000)

/* ---- Servers to connect to ------------------------------------------------------------------ */

/* Returns a listening socket on a port that the kernel selects. */
struct server {
    int fd;
    char port[8];
};

static void server_close(struct server *s)
{
    close(s->fd);
}

#define AUTO_SERVER _cleanup_(server_close) struct server

static int listen_on(const char *address, uint16_t port, int backlog, struct rpyc_error *err)
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

static uint16_t port_of(int fd)
{
    struct sockaddr_in6 a = {0};
    socklen_t len = sizeof(a);

    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    return ntohs(a.sin6_port); /* at the same offset in an IPv4 address */
}

static struct server serve(const char *address, int backlog)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct server s = {.fd = listen_on(address, 0, backlog, &err)};

    if (s.fd < 0)
        fail_msg("%s", err.text);
    snprintf(s.port, sizeof(s.port), "%u", port_of(s.fd));
    return s;
}

/* A port without a listener, reserved so that no other program can use it. */
static struct server hold_port(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct server s = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};

    assert_int_equal(bind(s.fd, (struct sockaddr *)&in, sizeof(in)), 0);
    snprintf(s.port, sizeof(s.port), "%u", port_of(s.fd));
    return s;
}

static bool have_ipv6(void)
{
    AUTO_FD fd = listen_on("::1", 0, 1, NULL);

    if (fd < 0)
        print_message("skipped: no IPv6 on this machine\n");
    return fd >= 0;
}

/* Makes two connected streams. */
struct pair {
    struct stream a, b;
};

static void pair_close(struct pair *p)
{
    stream_close(&p->a);
    stream_close(&p->b);
}

#define AUTO_PAIR _cleanup_(pair_close) struct pair

static struct pair unix_pair(void)
{
    struct pair p;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    stream_open(&p.a, fds[0]);
    stream_open(&p.b, fds[1]);
    return p;
}

static struct pair tcp_pair(void)
{
    AUTO_SERVER s = serve("127.0.0.1", 1);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct pair p;

    assert_ok(stream_connect_tcp(&p.a, "127.0.0.1", s.port, SOON, &err), &err);
    stream_open(&p.b, accept4(s.fd, NULL, NULL, SOCK_CLOEXEC));
    return p;
}

/* Checks that bytes sent at one end arrive at the other. */
static void assert_connected(struct stream *a, struct stream *b)
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

static void assert_accepts(int listener, struct stream *client)
{
    AUTO_STREAM accepted;

    stream_open(&accepted, accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    assert_connected(client, &accepted);
}

static bool closes_on_exec(int fd)
{
    return fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

/* A directory for socket files. */
struct directory {
    char path[64];
    char file[80];
};

static struct directory directory_make(void)
{
    struct directory d = {"/tmp/pystuck-test-XXXXXX", ""};

    assert_non_null(mkdtemp(d.path));
    snprintf(d.file, sizeof(d.file), "%s/socket", d.path);
    return d;
}

static void directory_remove(struct directory *d)
{
    unlink(d->file);
    rmdir(d->path);
}

#define AUTO_DIRECTORY _cleanup_(directory_remove) struct directory

static int listen_unix(const char *path, int backlog, struct rpyc_error *err)
{
    struct sockaddr_un address;
    socklen_t len;

    assert_int_equal(stream_unix_address(&address, &len, path, err), 0);
    return stream_listen((struct sockaddr *)&address, len,
                         &(struct stream_listening){.backlog = backlog, .reuse = true}, err);
}

static const char *abstract_name(void)
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

/* ---- Connecting ----------------------------------------------------------------------------- */

TEST(an_ipv4_address_can_be_connected_to)
{
    AUTO_SERVER s = serve("127.0.0.1", 1);
    AUTO_STREAM c = STREAM_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_ok(stream_connect_tcp(&c, "127.0.0.1", s.port, SOON, &err), &err);
    assert_accepts(s.fd, &c);
}

TEST(an_ipv6_address_can_be_connected_to)
{
    AUTO_STREAM c = STREAM_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    if (!have_ipv6())
        skip();
    AUTO_SERVER s = serve("::1", 1);
    assert_ok(stream_connect_tcp(&c, "::1", s.port, SOON, &err), &err);
    assert_true(c.local);
    assert_accepts(s.fd, &c);
}

TEST(a_name_can_be_connected_to)
{
    AUTO_SERVER s = serve("127.0.0.1", 1);
    AUTO_STREAM c = STREAM_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_ok(stream_connect_tcp(&c, "localhost", s.port, SOON, &err), &err);
    assert_accepts(s.fd, &c);
}

TEST(every_address_of_a_name_is_tried)
{
    const char *addresses[] = {"127.0.0.1", "127.0.0.2", "127.0.0.3"};
    size_t i;

    for (i = 0; i < 3; i++) {
        AUTO_SERVER s = serve(addresses[i], 1);
        AUTO_STREAM c = STREAM_INIT;
        AUTO_ERROR err = RPYC_ERROR_INIT;

        assert_ok(stream_connect_tcp(&c, "three-addresses.test", s.port, SOON, &err), &err);
        assert_accepts(s.fd, &c);
        assert_int_equal(err.code, RPYC_OK);
    }
}

TEST(a_name_none_of_whose_addresses_answers_is_an_error)
{
    AUTO_SERVER s = hold_port();
    AUTO_STREAM c = STREAM_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(stream_connect_tcp(&c, "three-addresses.test", s.port, SOON, &err), -1);
    assert_error(&err, RPYC_ESYSTEM, "cannot connect to three-addresses.test:");
    assert_int_equal(err.sys_errno, ECONNREFUSED);
}

TEST(a_socket_file_can_be_connected_to)
{
    AUTO_DIRECTORY d = directory_make();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    AUTO_FD listener = listen_unix(d.file, 1, &err);
    AUTO_STREAM c = STREAM_INIT;

    assert_ok(stream_connect_unix(&c, d.file, SOON, &err), &err);
    assert_true(c.local);
    assert_accepts(listener, &c);
}

TEST(an_abstract_name_can_be_connected_to)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    AUTO_FD listener = listen_unix(abstract_name(), 1, &err);
    AUTO_STREAM c = STREAM_INIT;

    assert_true(listener >= 0);
    assert_int_equal(access(abstract_name(), F_OK), -1);
    assert_ok(stream_connect_unix(&c, abstract_name(), SOON, &err), &err);
    assert_accepts(listener, &c);
}

TEST(a_port_without_a_listener_refuses)
{
    AUTO_SERVER s = hold_port();
    AUTO_STREAM c = {.fd = 7, .local = true};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    char text[128];

    assert_int_equal(stream_connect_tcp(&c, "127.0.0.1", s.port, SOON, &err), -1);
    snprintf(text, sizeof(text), "cannot connect to 127.0.0.1:%s: Connection refused", s.port);
    assert_error(&err, RPYC_ESYSTEM, text);
    assert_int_equal(err.sys_errno, ECONNREFUSED);
    assert_int_equal(c.fd, -1);
}

TEST(a_socket_file_that_does_not_exist_is_an_error)
{
    AUTO_DIRECTORY d = directory_make();
    AUTO_STREAM c = {.fd = 7, .local = true};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    char text[256];

    assert_int_equal(stream_connect_unix(&c, d.file, SOON, &err), -1);
    snprintf(text, sizeof(text), "cannot connect to %s: No such file or directory", d.file);
    assert_error(&err, RPYC_ESYSTEM, text);
    assert_int_equal(err.sys_errno, ENOENT);
    assert_int_equal(c.fd, -1);
}

TEST(a_socket_file_that_was_left_behind_refuses)
{
    AUTO_DIRECTORY d = directory_make();
    AUTO_STREAM c = STREAM_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    close(listen_unix(d.file, 1, &err));
    assert_int_equal(stream_connect_unix(&c, d.file, SOON, &err), -1);
    assert_int_equal(err.code, RPYC_ESYSTEM);
    assert_int_equal(err.sys_errno, ECONNREFUSED);
}

TEST(a_service_that_does_not_exist_is_not_resolved)
{
    const char *ports[] = {"no-such-service", "66x", "-1", "6666 "};
    size_t i;

    for (i = 0; i < sizeof(ports) / sizeof(*ports); i++) {
        AUTO_STREAM c = {.fd = 7, .local = true};
        AUTO_ERROR err = RPYC_ERROR_INIT;

        assert_int_equal(stream_connect_tcp(&c, "127.0.0.1", ports[i], SOON, &err), -1);
        assert_error(&err, RPYC_ERESOLVE, "cannot connect to 127.0.0.1:");
        assert_non_null(strstr(err.text, ports[i]));
        assert_int_equal(c.fd, -1);
    }
}

/* The C library treats 65536 + n as n, and "" as 0. */
TEST(a_port_beyond_65535_is_refused)
{
    AUTO_SERVER s = serve("127.0.0.1", 1);
    char beyond[16];
    const char *ports[] = {beyond, "65536", "99999999999999999999", ""};
    size_t i;

    snprintf(beyond, sizeof(beyond), "%u", 65536u + port_of(s.fd));
    for (i = 0; i < sizeof(ports) / sizeof(*ports); i++) {
        AUTO_STREAM c = STREAM_INIT;
        AUTO_ERROR err = RPYC_ERROR_INIT;
        char text[128];

        assert_int_equal(stream_connect_tcp(&c, "127.0.0.1", ports[i], SOON, &err), -1);
        snprintf(text, sizeof(text),
                 "cannot connect to 127.0.0.1:%s: the port must be a number from 1 to 65535 "
                 "or a service name",
                 ports[i]);
        assert_error(&err, RPYC_EINVAL, text);
    }
}

TEST(names_of_unix_sockets_that_do_not_fit_are_refused)
{
    struct sockaddr_un address;
    char name[sizeof(address.sun_path) + 1];
    AUTO_STREAM c = STREAM_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    socklen_t len;

    memset(name, 'x', sizeof(name));
    name[sizeof(address.sun_path)] = '\0';
    assert_int_equal(stream_unix_address(&address, &len, name, &err), -1);
    assert_error(&err, RPYC_EINVAL, "the name of a Unix socket has 1 to 107 bytes: 'xxx");
    assert_int_equal(stream_connect_unix(&c, name, SOON, &err), -1);
    assert_error(&err, RPYC_EINVAL, "the name of a Unix socket has 1 to 107 bytes: 'xxx");
    assert_int_equal(stream_connect_unix(&c, "", SOON, &err), -1);
    assert_error(&err, RPYC_EINVAL, "the name of a Unix socket has 1 to 107 bytes: ''");
    assert_int_equal(c.fd, -1);
}

TEST(the_longest_name_of_a_unix_socket_fits)
{
    struct sockaddr_un address;
    char name[sizeof(address.sun_path)];
    AUTO_ERROR err = RPYC_ERROR_INIT;
    socklen_t len;

    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(stream_unix_address(&address, &len, name, &err), 0);
    assert_int_equal(len, sizeof(address));
    assert_string_equal(address.sun_path, name);
}

TEST(an_abstract_name_has_its_exact_length)
{
    struct sockaddr_un address;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    socklen_t len;

    assert_int_equal(stream_unix_address(&address, &len, "@ab", &err), 0);
    assert_int_equal(len, offsetof(struct sockaddr_un, sun_path) + 3);
    assert_memory_equal(address.sun_path, "\0ab", 3);
    assert_int_equal(address.sun_family, AF_UNIX);
}

/* Connects until the backlog is full; the next client gets no answer. */
struct crowd {
    int fds[64];
    size_t count;
};

static void crowd_leave(struct crowd *c)
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

#define AUTO_CROWD _cleanup_(crowd_leave) struct crowd

static void crowd_fill_tcp(struct crowd *c, const struct server *s)
{
    struct sockaddr_in in;
    socklen_t len = sizeof(in);

    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&in, &len), 0);
    crowd_fill(c, (struct sockaddr *)&in, len);
}

TEST(a_connect_gives_up_at_its_deadline)
{
    AUTO_SERVER s = serve("127.0.0.1", 0);
    AUTO_CROWD crowd = {0};
    AUTO_STREAM c = {.fd = 7, .local = true};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int64_t start;

    crowd_fill_tcp(&crowd, &s);
    start = clock_ms();
    assert_int_equal(stream_connect_tcp(&c, "127.0.0.1", s.port, deadline_in(60), &err), -1);
    assert_error(&err, RPYC_ETIMEOUT, "cannot connect to 127.0.0.1:");
    assert_error(&err, RPYC_ETIMEOUT, "timed out");
    assert_true(clock_ms() - start >= 59);
    assert_true(clock_ms() - start < 5000);
    assert_int_equal(c.fd, -1);
}

TEST(the_deadline_of_a_connect_is_for_all_addresses)
{
    AUTO_SERVER s = serve("127.0.0.3", 0);
    AUTO_CROWD crowd = {0};
    AUTO_STREAM c = STREAM_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int64_t start;

    crowd_fill_tcp(&crowd, &s);
    start = clock_ms();
    assert_int_equal(stream_connect_tcp(&c, "three-addresses.test", s.port, deadline_in(60), &err),
                     -1);
    assert_true(clock_ms() - start < 5000);
}

TEST(signals_do_not_end_a_connect)
{
    AUTO_SERVER s = serve("127.0.0.1", 0);
    AUTO_CROWD crowd = {0};
    AUTO_STREAM c = STREAM_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct nagger n;

    crowd_fill_tcp(&crowd, &s);
    nagger_start(&n, pthread_self());
    assert_int_equal(stream_connect_tcp(&c, "127.0.0.1", s.port, deadline_in(60), &err), -1);
    assert_true(nagger_stop(&n) > 0);
    assert_int_equal(err.code, RPYC_ETIMEOUT);
}

/* A listening Unix socket whose backlog is full. */
static int listen_unix_crowded(struct crowd *crowd)
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

/* The watched connection gets its answer while another one is being opened. */
TEST(a_second_connect_ends_when_the_first_connection_has_input)
{
    AUTO_SERVER s = serve("127.0.0.1", 0);
    AUTO_CROWD crowd = {0};
    AUTO_PAIR first = tcp_pair();
    AUTO_STREAM c = STREAM_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct stream_watch watch = {.fds = {first.a.fd}, .count = 1};
    struct sockaddr_storage peer = {0};
    socklen_t len = sizeof(peer);

    crowd_fill_tcp(&crowd, &s);
    assert_int_equal(getsockname(s.fd, (struct sockaddr *)&peer, &len), 0);
    assert_int_equal(stream_connect_again(&c, &watch, &peer, NULL, deadline_in(60), &err), -1);
    assert_int_equal(err.code, RPYC_ETIMEOUT);
    assert_int_equal(send(first.b.fd, "x", 1, 0), 1);
    rpyc_error_clear(&err);
    assert_int_equal(stream_connect_again(&c, &watch, &peer, NULL, DEADLINE_NEVER, &err), -1);
    assert_int_equal(err.code, RPYC_ECANCELED);
}

TEST(another_connect_does_not_wait_for_a_full_backlog_of_a_unix_socket)
{
    AUTO_CROWD crowd = {0};
    AUTO_STREAM c = STREAM_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct stream_watch watch = {.count = 0};
    int listener = listen_unix_crowded(&crowd);

    assert_int_equal(stream_connect_again(&c, &watch, NULL, abstract_name(), DEADLINE_NEVER, &err),
                     -1);
    assert_int_equal(err.code, RPYC_ETIMEOUT);
    close(listener);
}

TEST(a_stream_that_is_reset_is_an_error_for_its_peer_and_not_the_end_of_input)
{
    AUTO_PAIR p = tcp_pair();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct pollfd ready = {.fd = p.b.fd};
    char byte;

    stream_reset(&p.a);
    assert_int_equal(p.a.fd, -1);
    assert_int_equal(poll(&ready, 1, 10000), 1);
    assert_true(ready.revents & POLLERR);
    assert_int_equal(stream_receive(&p.b, &byte, 1, SOON, &err), -1);
    assert_error(&err, RPYC_ECLOSED, "the peer reset the connection");
}

TEST(a_connect_to_a_unix_socket_gives_up_at_its_deadline)
{
    AUTO_CROWD crowd = {0};
    AUTO_FD listener = listen_unix_crowded(&crowd);
    AUTO_STREAM c = STREAM_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int64_t start = clock_ms();

    assert_true(listener >= 0);
    assert_int_equal(stream_connect_unix(&c, abstract_name(), deadline_in(60), &err), -1);
    assert_error(&err, RPYC_ETIMEOUT, "cannot connect to @pystuck-test-");
    assert_error(&err, RPYC_ETIMEOUT, "timed out");
    assert_true(clock_ms() - start >= 59);
    assert_true(clock_ms() - start < 5000);
    assert_int_equal(stream_connect_unix(&c, abstract_name(), 0, &err), -1);
    assert_int_equal(err.code, RPYC_ETIMEOUT);
}

TEST(signals_do_not_lengthen_the_deadline_of_a_connect_to_a_unix_socket)
{
    AUTO_CROWD crowd = {0};
    AUTO_FD listener = listen_unix_crowded(&crowd);
    AUTO_STREAM c = STREAM_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int64_t start = clock_ms();
    struct nagger n;

    assert_true(listener >= 0);
    nagger_start(&n, pthread_self());
    assert_int_equal(stream_connect_unix(&c, abstract_name(), deadline_in(60), &err), -1);
    assert_true(nagger_stop(&n) > 0);
    assert_int_equal(err.code, RPYC_ETIMEOUT);
    assert_true(clock_ms() - start < 5000);
}

struct connector {
    struct stream stream;
    struct rpyc_error err;
    int result;
};

static void connect_unix(void *arg)
{
    struct connector *c = arg;

    c->result = stream_connect_unix(&c->stream, abstract_name(), SOON, &c->err);
}

TEST(a_full_backlog_of_a_unix_socket_is_waited_for)
{
    AUTO_CROWD crowd = {0};
    AUTO_FD listener = listen_unix_crowded(&crowd);
    struct connector c = {STREAM_INIT, RPYC_ERROR_INIT, 0};
    struct timeval timeout;
    socklen_t len = sizeof(timeout);
    struct thread t;
    size_t i;

    thread_start(&t, connect_unix, &c);
    thread_wait_asleep(&t);
    for (i = 1; i < crowd.count; i++) /* the last one did not fit in the backlog */
        close(accept(listener, NULL, NULL));
    thread_join(&t);
    assert_ok(c.result, &c.err);
    assert_int_equal(getsockopt(c.stream.fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, &len), 0);
    assert_true(timeout.tv_sec == 0 && timeout.tv_usec == 0);
    assert_accepts(listener, &c.stream);
    stream_close(&c.stream);
}

TEST(a_deadline_is_so_many_milliseconds_away)
{
    int64_t before = clock_ms(), deadline = deadline_in(1000) / 1000000;

    assert_true(deadline >= before + 1000);
    assert_true(deadline <= clock_ms() + 1001);
    assert_true(deadline_in(0) / 1000000 <= clock_ms());
    assert_true(deadline_in(-1) == DEADLINE_NEVER);
    assert_true(deadline_in(INT32_MAX) < DEADLINE_NEVER);
}

/* ---- What a stream is like ------------------------------------------------------------------ */

TEST(every_fd_is_closed_on_exec)
{
    AUTO_DIRECTORY d = directory_make();
    AUTO_SERVER s = serve("127.0.0.1", 1);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    AUTO_FD listener = listen_unix(d.file, 1, &err);
    AUTO_STREAM tcp = STREAM_INIT, local = STREAM_INIT;

    assert_ok(stream_connect_tcp(&tcp, "127.0.0.1", s.port, SOON, &err), &err);
    assert_ok(stream_connect_unix(&local, d.file, SOON, &err), &err);
    assert_true(closes_on_exec(s.fd));
    assert_true(closes_on_exec(listener));
    assert_true(closes_on_exec(tcp.fd));
    assert_true(closes_on_exec(local.fd));
}

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);

    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

TEST(a_connected_socket_blocks_and_does_not_wait_to_fill_packets)
{
    AUTO_PAIR p = tcp_pair();
    const struct stream *ends[] = {&p.a, &p.b};
    size_t i;

    for (i = 0; i < 2; i++) {
        assert_false(fcntl(ends[i]->fd, F_GETFL) & O_NONBLOCK);
        assert_true(option(ends[i]->fd, IPPROTO_TCP, TCP_NODELAY));
    }
}

TEST(a_peer_that_is_gone_without_a_word_is_noticed_after_two_minutes)
{
    AUTO_PAIR p = tcp_pair();
    int fd = p.a.fd;

    assert_true(option(fd, SOL_SOCKET, SO_KEEPALIVE));
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE) +
                         option(fd, IPPROTO_TCP, TCP_KEEPINTVL) *
                             option(fd, IPPROTO_TCP, TCP_KEEPCNT),
                     120);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 120000);
}

TEST(loopback_and_unix_sockets_are_local)
{
    AUTO_PAIR tcp = tcp_pair(), local = unix_pair();

    assert_true(tcp.a.local && tcp.b.local);
    assert_true(local.a.local && local.b.local);
}

TEST(a_mapped_ipv4_loopback_address_is_local)
{
    AUTO_SERVER s = serve("127.0.0.1", 1);
    AUTO_STREAM c = STREAM_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    if (!have_ipv6())
        skip();
    assert_ok(stream_connect_tcp(&c, "::ffff:127.0.0.1", s.port, SOON, &err), &err);
    assert_true(c.local);
}

/* A datagram socket has a peer before any packet is sent. */
TEST(another_machine_is_not_local)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(9)};
    AUTO_STREAM s = STREAM_INIT;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    inet_pton(AF_INET, "192.0.2.77", &in.sin_addr);
    if (connect(fd, (struct sockaddr *)&in, sizeof(in)) < 0) {
        close(fd);
        print_message("skipped: no route to anywhere\n");
        skip();
    }
    stream_open(&s, fd);
    assert_false(s.local);
}

TEST(a_stream_can_be_closed_twice)
{
    AUTO_PAIR p = unix_pair();
    int fd = p.a.fd;

    stream_close(&p.a);
    assert_int_equal(p.a.fd, -1);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    stream_close(&p.a);
}

TEST(a_closed_stream_gives_errors)
{
    AUTO_PAIR p = unix_pair();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    char c;

    stream_close(&p.a);
    assert_int_equal(stream_receive(&p.a, &c, 1, SOON, &err), -1);
    assert_int_equal(err.code, RPYC_ECLOSED);
    assert_int_equal(stream_send(&p.a, &c, 1, SOON, &err), -1);
    assert_int_equal(err.code, RPYC_ECLOSED);
    stream_shutdown(&p.a);
}

/* The program has closed all fds, and opened a file of its own. */
TEST(an_fd_that_became_another_is_left_alone)
{
    AUTO_PAIR p = unix_pair();
    AUTO_PAIR other = unix_pair();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int fd = p.a.fd;
    char c = 'x';

    assert_true(stream_is_ours(&p.a));
    assert_int_equal(dup2(other.a.fd, fd), fd);
    assert_false(stream_is_ours(&p.a));
    assert_int_equal(stream_send(&p.a, &c, 1, SOON, &err), -1);
    assert_error(&err, RPYC_ECLOSED, "other code of this process closed the socket");
    assert_ok(stream_send(&other.b, "y", 1, SOON, &err), &err);
    assert_int_equal(stream_receive(&p.a, &c, 1, SOON, &err), -1);
    assert_error(&err, RPYC_ECLOSED, "other code of this process closed the socket");
    stream_shutdown(&p.a);
    stream_close(&p.a);
    assert_int_equal(stream_receive(&other.a, &c, 1, SOON, &err), 1);
    assert_connected(&other.b, &other.a);
    close(fd);
}

TEST(an_fd_that_became_a_file_is_left_alone)
{
    AUTO_PAIR p = unix_pair();
    AUTO_FD null = open("/dev/null", O_RDWR | O_CLOEXEC);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int fd = p.a.fd;
    char c = 'x';

    assert_int_equal(dup2(null, fd), fd);
    assert_int_equal(stream_send(&p.a, &c, 1, SOON, &err), -1);
    assert_int_equal(err.code, RPYC_ECLOSED);
    stream_close(&p.a);
    assert_int_not_equal(fcntl(fd, F_GETFD), -1);
    close(fd);
}

/* ---- Receiving ------------------------------------------------------------------------------ */

TEST(receive_returns_available_bytes_without_waiting_for_more)
{
    AUTO_PAIR p = unix_pair();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    char got[8];

    assert_ok(stream_send(&p.a, "abc", 3, SOON, &err), &err);
    assert_int_equal(stream_receive(&p.b, got, 2, SOON, &err), 2);
    assert_memory_equal(got, "ab", 2);
    assert_int_equal(stream_receive(&p.b, got, sizeof(got), DEADLINE_NEVER, &err), 1);
    assert_int_equal(got[0], 'c');
}

TEST(available_bytes_are_received_after_the_deadline_too)
{
    AUTO_PAIR p = unix_pair();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    char c;

    assert_ok(stream_send(&p.a, "a", 1, SOON, &err), &err);
    assert_int_equal(stream_receive(&p.b, &c, 1, 0, &err), 1);
}

TEST(the_end_of_file_is_zero)
{
    AUTO_PAIR local = unix_pair(), tcp = tcp_pair();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    char c;

    assert_ok(stream_send(&local.a, "a", 1, SOON, &err), &err);
    stream_close(&local.a);
    assert_int_equal(stream_receive(&local.b, &c, 1, SOON, &err), 1);
    assert_int_equal(stream_receive(&local.b, &c, 1, SOON, &err), 0);
    assert_int_equal(stream_receive(&local.b, &c, 1, DEADLINE_NEVER, &err), 0);
    stream_close(&tcp.a);
    assert_int_equal(stream_receive(&tcp.b, &c, 1, DEADLINE_NEVER, &err), 0);
    assert_int_equal(err.code, RPYC_OK);
}

TEST(a_receive_gives_up_at_its_deadline)
{
    AUTO_PAIR p = unix_pair();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int64_t start = clock_ms();
    char c;

    assert_int_equal(stream_receive(&p.a, &c, 1, deadline_in(30), &err), -1);
    assert_error(&err, RPYC_ETIMEOUT, "timed out");
    assert_true(clock_ms() - start >= 29);
    assert_true(clock_ms() - start < 5000);
    assert_int_equal(stream_receive(&p.a, &c, 1, 0, &err), -1);
    assert_int_equal(err.code, RPYC_ETIMEOUT);
    assert_connected(&p.a, &p.b);
}

TEST(a_reset_is_the_end_of_the_connection)
{
    const struct linger hard = {1, 0};
    AUTO_PAIR p = tcp_pair();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    char c;

    setsockopt(p.a.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    stream_close(&p.a);
    assert_int_equal(stream_receive(&p.b, &c, 1, SOON, &err), -1);
    assert_error(&err, RPYC_ECLOSED, "the peer reset the connection");
}

TEST(a_signal_interrupts_a_receive_which_can_go_on)
{
    const deadline_t deadlines[] = {DEADLINE_NEVER, SOON};
    size_t i;

    for (i = 0; i < 2; i++) {
        AUTO_PAIR p = unix_pair();
        AUTO_ERROR err = RPYC_ERROR_INIT;
        struct nagger n;
        char c;

        nagger_start(&n, pthread_self());
        assert_int_equal(stream_receive(&p.a, &c, 1, deadlines[i], &err), -1);
        assert_true(nagger_stop(&n) > 0);
        assert_error(&err, RPYC_EINTERRUPT, "interrupted by a signal");
        assert_connected(&p.b, &p.a);
    }
}

static void send_a_byte(void *arg)
{
    stream_send(arg, "x", 1, SOON, NULL);
}

TEST(a_non_blocking_socket_is_waited_for_all_the_same)
{
    AUTO_PAIR p = unix_pair();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct thread t;
    char c;

    fcntl(p.a.fd, F_SETFL, O_NONBLOCK);
    thread_start(&t, send_a_byte, &p.b);
    assert_int_equal(stream_receive(&p.a, &c, 1, DEADLINE_NEVER, &err), 1);
    thread_join(&t);
}

struct receiver {
    struct stream *stream;
    deadline_t deadline;
    ssize_t got;
    struct rpyc_error err;
};

static void receive_one(void *arg)
{
    struct receiver *r = arg;
    char c;

    r->got = stream_receive(r->stream, &c, 1, r->deadline, &r->err);
}

TEST(a_shutdown_wakes_a_receiving_thread)
{
    const deadline_t deadlines[] = {DEADLINE_NEVER, SOON};
    size_t i;

    for (i = 0; i < 4; i++) {
        AUTO_PAIR p = i < 2 ? unix_pair() : tcp_pair();
        struct receiver r = {&p.a, deadlines[i % 2], -2, RPYC_ERROR_INIT};
        struct thread t;

        thread_start(&t, receive_one, &r);
        thread_wait_asleep(&t);
        stream_shutdown(&p.a);
        thread_join(&t);
        assert_int_equal(r.got, 0);
        assert_true(stream_is_ours(&p.a));
    }
}

/* ---- Sending -------------------------------------------------------------------------------- */

#define MUCH ((size_t)4 << 20) /* more than a socket buffers */

struct drain {
    struct stream *stream;
    size_t got;
    bool intact;
};

/* Receives in small pieces until the end, and checks that the bytes are those of a counter. */
static void drain(void *arg)
{
    struct drain *d = arg;
    uint8_t piece[3001];
    ssize_t n, i;

    d->intact = true;
    while ((n = stream_receive(d->stream, piece, sizeof(piece), SOON, NULL)) > 0) {
        for (i = 0; i < n; i++)
            d->intact = d->intact && piece[i] == (uint8_t)(d->got++ * 7 >> 3);
    }
}

static struct bytes much(void)
{
    struct bytes b = {malloc(MUCH), MUCH};
    size_t i;

    for (i = 0; i < MUCH; i++)
        b.data[i] = (uint8_t)(i * 7 >> 3);
    return b;
}

static void assert_sends_much(struct pair *p, deadline_t deadline)
{
    AUTO_BYTES bytes = much();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct drain d = {&p->b, 0, false};
    struct thread t;

    thread_start(&t, drain, &d);
    assert_ok(stream_send(&p->a, bytes.data, bytes.len, deadline, &err), &err);
    stream_close(&p->a);
    thread_join(&t);
    assert_int_equal(d.got, MUCH);
    assert_true(d.intact);
}

TEST(all_bytes_are_sent_however_slowly_they_go)
{
    AUTO_PAIR local = unix_pair(), tcp = tcp_pair(), again = unix_pair();

    assert_sends_much(&local, DEADLINE_NEVER);
    assert_sends_much(&tcp, SOON);
    fcntl(again.a.fd, F_SETFL, O_NONBLOCK);
    assert_sends_much(&again, DEADLINE_NEVER);
}

TEST(signals_do_not_end_a_send)
{
    const deadline_t deadlines[] = {DEADLINE_NEVER, SOON};
    size_t i;

    for (i = 0; i < 2; i++) {
        AUTO_PAIR p = unix_pair();
        struct nagger n;

        nagger_start(&n, pthread_self());
        assert_sends_much(&p, deadlines[i]);
        nagger_stop(&n);
    }
}

struct sender {
    struct stream *stream;
    const struct bytes *bytes;
    int result;
    struct rpyc_error err;
};

static void send_all(void *arg)
{
    struct sender *s = arg;

    s->result = stream_send(s->stream, s->bytes->data, s->bytes->len, DEADLINE_NEVER, &s->err);
}

TEST(signals_do_not_end_a_blocked_send)
{
    AUTO_PAIR p = unix_pair();
    AUTO_BYTES bytes = much();
    struct sender s = {&p.a, &bytes, 0, RPYC_ERROR_INIT};
    struct drain d = {&p.b, 0, false};
    struct thread sender, drainer;
    struct nagger n;

    thread_start(&sender, send_all, &s);
    thread_wait_asleep(&sender);
    nagger_start(&n, sender.id);
    while (atomic_load(&signals_seen) < 10)
        sched_yield();
    nagger_stop(&n);
    thread_start(&drainer, drain, &d);
    thread_join(&sender);
    stream_close(&p.a);
    thread_join(&drainer);
    assert_ok(s.result, &s.err);
    assert_int_equal(d.got, MUCH);
    assert_true(d.intact);
}

TEST(send_some_returns_how_many_bytes_it_sent)
{
    const deadline_t deadlines[] = {DEADLINE_NEVER, SOON};
    AUTO_BYTES bytes = much();
    size_t i;

    for (i = 0; i < 2; i++) {
        AUTO_PAIR p = unix_pair();
        AUTO_ERROR err = RPYC_ERROR_INIT;
        char got[8];

        assert_int_equal(stream_send_some(&p.a, "abc", 3, deadlines[i], &err), 3);
        assert_int_equal(stream_receive(&p.b, got, sizeof(got), SOON, &err), 3);
        if (deadlines[i] != DEADLINE_NEVER) {
            ssize_t n = stream_send_some(&p.a, bytes.data, bytes.len, deadlines[i], &err);

            assert_true(n > 0 && (size_t)n < bytes.len);
            assert_int_equal(stream_send_some(&p.a, bytes.data, bytes.len, deadline_in(10), &err),
                             -1);
            assert_error(&err, RPYC_ETIMEOUT, "sending: timed out");
        }
        stream_close(&p.b);
        assert_int_equal(stream_send_some(&p.a, "abc", 3, deadlines[i], &err), -1);
        assert_error(&err, RPYC_ECLOSED, "the peer closed the connection");
    }
}

TEST(a_signal_interrupts_the_sending_of_some_bytes)
{
    const deadline_t deadlines[] = {DEADLINE_NEVER, SOON};
    AUTO_BYTES bytes = much();
    size_t i;

    for (i = 0; i < 2; i++) {
        AUTO_PAIR p = unix_pair();
        AUTO_ERROR err = RPYC_ERROR_INIT;
        struct nagger n;

        while (send(p.a.fd, bytes.data, bytes.len, MSG_DONTWAIT) > 0)
            ;
        nagger_start(&n, pthread_self());
        assert_int_equal(stream_send_some(&p.a, bytes.data, bytes.len, deadlines[i], &err), -1);
        nagger_stop(&n);
        assert_error(&err, RPYC_EINTERRUPT, "interrupted by a signal");
    }
}

TEST(sending_nothing_is_no_error)
{
    AUTO_PAIR p = unix_pair();

    assert_int_equal(stream_send(&p.a, "", 0, SOON, NULL), 0);
    assert_connected(&p.a, &p.b);
}

TEST(a_send_gives_up_at_its_deadline)
{
    AUTO_PAIR p = unix_pair();
    AUTO_BYTES bytes = much();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int64_t start = clock_ms();

    assert_int_equal(stream_send(&p.a, bytes.data, bytes.len, deadline_in(30), &err), -1);
    assert_error(&err, RPYC_ETIMEOUT, "sending: timed out");
    assert_true(clock_ms() - start >= 29);
    assert_true(clock_ms() - start < 5000);
}

TEST(signals_do_not_lengthen_the_deadline_of_a_send)
{
    AUTO_PAIR p = unix_pair();
    AUTO_BYTES bytes = much();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct nagger n;
    int64_t start = clock_ms();

    nagger_start(&n, pthread_self());
    assert_int_equal(stream_send(&p.a, bytes.data, bytes.len, deadline_in(50), &err), -1);
    assert_true(nagger_stop(&n) > 0);
    assert_int_equal(err.code, RPYC_ETIMEOUT);
    assert_true(clock_ms() - start < 5000);
}

static int signals_at_start;

static void count_sigpipe(int number)
{
    (void)number;
    signals_at_start++;
}

TEST(a_peer_that_is_gone_is_an_error_and_no_signal)
{
    const deadline_t deadlines[] = {DEADLINE_NEVER, SOON};
    void (*before)(int) = signal(SIGPIPE, count_sigpipe);
    size_t i;

    signals_at_start = 0;
    for (i = 0; i < 4; i++) {
        AUTO_PAIR p = i < 2 ? unix_pair() : tcp_pair();
        AUTO_ERROR err = RPYC_ERROR_INIT;
        int tries = 0;

        stream_close(&p.b);
        while (stream_send(&p.a, "x", 1, deadlines[i % 2], &err) == 0)
            assert_true(tries++ < 1000000); /* over TCP the reset arrives later */
        assert_error(&err, RPYC_ECLOSED, "the peer closed the connection");
        assert_int_equal(stream_send(&p.a, "x", 1, deadlines[i % 2], &err), -1);
        assert_int_equal(err.code, RPYC_ECLOSED);
    }
    signal(SIGPIPE, before);
    assert_int_equal(signals_at_start, 0);
}

TEST(a_shutdown_wakes_a_sending_thread)
{
    AUTO_BYTES bytes = much();
    size_t i;

    for (i = 0; i < 2; i++) {
        AUTO_PAIR p = i == 0 ? unix_pair() : tcp_pair();
        struct sender s = {&p.a, &bytes, 0, RPYC_ERROR_INIT};
        struct thread t;

        thread_start(&t, send_all, &s);
        thread_wait_asleep(&t);
        stream_shutdown(&p.a);
        thread_join(&t);
        assert_int_equal(s.result, -1);
        assert_int_equal(s.err.code, RPYC_ECLOSED);
    }
}

/* ---- Listening ------------------------------------------------------------------------------ */

TEST(a_port_in_use_is_what_bind_says)
{
    AUTO_SERVER s = serve("127.0.0.1", 1);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(listen_on("127.0.0.1", port_of(s.fd), 1, &err), -1);
    assert_error(&err, RPYC_ESYSTEM, "Address already in use");
    assert_int_equal(err.sys_errno, EADDRINUSE);
}

TEST(an_address_of_another_machine_is_an_error_of_bind)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(listen_on("203.0.113.77", 0, 1, &err), -1);
    assert_int_equal(err.code, RPYC_ESYSTEM);
    assert_int_equal(err.sys_errno, EADDRNOTAVAIL);
}

TEST(a_port_can_be_listened_on_again_at_once)
{
    AUTO_SERVER s = serve("127.0.0.1", 1);
    AUTO_STREAM c = STREAM_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    uint16_t port = port_of(s.fd);
    char byte;

    assert_ok(stream_connect_tcp(&c, "127.0.0.1", s.port, SOON, &err), &err);
    close(accept(s.fd, NULL, NULL)); /* leaves the port in TIME_WAIT */
    assert_int_equal(stream_receive(&c, &byte, 1, SOON, &err), 0);
    stream_close(&c);
    close(s.fd);
    s.fd = listen_on("127.0.0.1", port, 1, &err);
    if (s.fd < 0)
        fail_msg("%s", err.text);
}

TEST(ipv6_does_not_take_the_port_of_ipv4)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;

    if (!have_ipv6())
        skip();
    AUTO_SERVER s = serve("0.0.0.0", 1);
    AUTO_FD six = listen_on("::", port_of(s.fd), 1, &err);
    if (six < 0)
        fail_msg("%s", err.text);
}

TEST(a_socket_file_is_for_its_owner_whatever_the_umask)
{
    const mode_t masks[] = {0, 077, 0777};
    size_t i;

    for (i = 0; i < 3; i++) {
        AUTO_DIRECTORY d = directory_make();
        mode_t before = umask(masks[i]);
        AUTO_FD fd = listen_unix(d.file, 1, NULL);
        mode_t after = umask(before);
        struct stat st;

        assert_true(fd >= 0);
        assert_int_equal(after, masks[i]);
        assert_int_equal(stat(d.file, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        assert_int_equal(fstat(fd, &st), 0); /* the mode at creation, before any chmod */
        assert_int_equal(st.st_mode & 0777, 0600);
    }
}

TEST(a_name_in_use_is_what_bind_says)
{
    AUTO_DIRECTORY d = directory_make();
    AUTO_FD fd = listen_unix(d.file, 1, NULL);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_true(fd >= 0);
    assert_int_equal(listen_unix(d.file, 1, &err), -1);
    assert_int_equal(err.code, RPYC_ESYSTEM);
    assert_int_equal(err.sys_errno, EADDRINUSE);
}

/* ---- What the system refuses ---------------------------------------------------------------- */

TEST(a_socket_that_is_not_connected_is_an_error)
{
    AUTO_STREAM s;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    char byte;

    stream_open(&s, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    assert_false(s.local);
    assert_int_equal(stream_receive(&s, &byte, 1, DEADLINE_NEVER, &err), -1);
    assert_error(&err, RPYC_ESYSTEM, "receiving: ");
    assert_int_equal(err.sys_errno, ENOTCONN);
    stream_close(&s);
    stream_open(&s, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    assert_int_equal(stream_send(&s, "x", 1, SOON, &err), -1);
    assert_error(&err, RPYC_ESYSTEM, "sending: ");
}

TEST(a_program_without_a_free_fd_is_told)
{
    AUTO_SERVER server = serve("127.0.0.1", 1);
    AUTO_STREAM c = STREAM_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT, unix_err = RPYC_ERROR_INIT, listen_err = RPYC_ERROR_INIT;
    struct rlimit before, none;
    int tcp, local, listener;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    tcp = stream_connect_tcp(&c, "127.0.0.1", server.port, SOON, &err);
    local = stream_connect_unix(&c, abstract_name(), SOON, &unix_err);
    listener = listen_on("127.0.0.1", 0, 1, &listen_err);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(tcp, -1);
    assert_int_equal(err.code, RPYC_ESYSTEM);
    assert_int_equal(err.sys_errno, EMFILE);
    assert_int_equal(local, -1);
    assert_error(&unix_err, RPYC_ESYSTEM, "cannot connect to @pystuck-test-");
    assert_int_equal(unix_err.sys_errno, EMFILE);
    assert_int_equal(listener, -1);
    assert_error(&listen_err, RPYC_ESYSTEM, "socket: ");
    assert_int_equal(listen_err.sys_errno, EMFILE);
    assert_int_equal(c.fd, -1);
}
