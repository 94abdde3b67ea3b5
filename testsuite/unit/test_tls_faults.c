/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Servers that break the handshake off, or speak another protocol.
 */
#include "openssl_server.h"

#include <netinet/in.h>

TEST(a_handshake_gives_up_at_its_deadline)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct peer p;
    AUTO_STREAM c = alone(&p);
    int64_t start = clock_ms();

    assert_int_equal(tls_connect(&c, &trusting_ca, "server.test", deadline_in(40), &err), -1);
    assert_error(&err, RPYC_ETIMEOUT, "timed out");
    assert_took(start, 40);
    assert_null(c.tls);
    peer_close(&p);
}

TEST(a_server_that_does_not_speak_tls_is_an_error)
{
    const char *greetings[] = {"SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n"};
    size_t i;

    for (i = 0; i < 2; i++) {
        AUTO_ERROR err = RPYC_ERROR_INIT;
        struct peer p;
        AUTO_STREAM c = alone(&p);

        say_bytes(&p, greetings[i], strlen(greetings[i]));
        assert_int_equal(tls_connect(&c, &trusting_ca, "server.test", SOON, &err), -1);
        assert_error(&err, RPYC_ETLS, "the server does not speak TLS");
        assert_int_equal(err.tls, RPYC_TLS_NOT_SPOKEN);
        peer_close(&p);
    }
}

TEST(a_server_that_is_gone_before_the_handshake_is_an_error)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct peer p;
    AUTO_STREAM c = alone(&p);

    peer_close(&p);
    assert_int_equal(tls_connect(&c, &trusting_ca, "server.test", SOON, &err), -1);
    assert_error(&err, RPYC_ECLOSED, "the peer closed the connection");
}

/* Reads the first message of a handshake and hangs up. */
static void hear_hello_and_hang_up(void *arg)
{
    struct peer *p = arg;
    uint8_t header[5], byte;
    size_t len;

    if (recv(p->fd, header, sizeof(header), MSG_WAITALL) == sizeof(header))
        for (len = header[3] * 256u + header[4]; len > 0 && read(p->fd, &byte, 1) == 1; len--)
            ;
    peer_close(p);
}

/* Hangs up without reading a message, which resets the connection. */
static void reset(void *arg)
{
    struct peer *p = arg;
    struct pollfd ready = {.fd = p->fd, .events = POLLIN};

    poll(&ready, 1, 20000);
    peer_close(p);
}

TEST(a_server_that_hangs_up_during_the_handshake_is_an_error)
{
    void (*const ways[])(void *) = {hear_hello_and_hang_up, reset};
    const char *why[] = {"the peer hung up during the TLS handshake",
                         "the peer closed the connection"};
    size_t i;

    for (i = 0; i < 2; i++) {
        AUTO_ERROR err = RPYC_ERROR_INIT;
        struct thread thread;
        struct peer p;
        AUTO_STREAM c = alone(&p);

        thread_start(&thread, ways[i], &p);
        assert_int_equal(tls_connect(&c, &trusting_ca, "server.test", SOON, &err), -1);
        assert_error(&err, RPYC_ECLOSED, why[i]);
        assert_null(c.tls);
        thread_join(&thread);
    }
}

TEST(a_socket_that_is_not_connected_is_an_error)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    AUTO_STREAM c;

    stream_open(&c, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    assert_int_equal(tls_connect(&c, &trusting_ca, "server.test", SOON, &err), -1);
    assert_error(&err, RPYC_ESYSTEM, "TLS: ");
    assert_int_equal(err.sys_errno, ENOTCONN);
}
