/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The socket of a stream: its options, and how it ends.
 */
#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

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
