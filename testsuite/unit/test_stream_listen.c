/* SPDX-License-Identifier: BSD-3-Clause */
#include "sockets.h"

#include <errno.h>
#include <sys/stat.h>

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
