/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Connecting, and the end of a connection.
 */
#include "librpyc_user.h"

CASE(says_hello)
{
    rpyc_value *one = eval("1");

    CHECK(take_int(one) == 1);
    OK(rpyc_ping(conn, "abc", 3, &err));
    OK(rpyc_ping(conn, NULL, 0, &err));
    OK(rpyc_ping(conn, NULL, 0, NULL));
}

/* Compares the detected version with the version that rpyc in the stock server reports. */
CASE(finds_out_the_generation)
{
    enum rpyc_generation found = rpyc_conn_generation(conn);
    const struct rpyc_options options = {
        .generation = found,
        .bind_threads = rpyc_conn_envelope(conn).bind_threads,
    };
    rpyc_conn *second = NULL;
    rpyc_value *v;

    execute("import sys");
    v = eval("int(sys.modules['rpyc'].__version__.split('.')[0]) if 'rpyc' in sys.modules else 0");
    CHECK(rpyc_type_of(v) == RPYC_INT);
    switch (take_int(v)) {
    case 5:
        CHECK(found == RPYC_GENERATION_5);
        break;
    default:
        CHECK(found == RPYC_GENERATION_6);
    }
    OK(connect_anew(&second, &options));
    CHECK(rpyc_conn_generation(second) == found);
    OK(rpyc_ping(second, "x", 1, &err));
    rpyc_close(second);
}

/* The first connect finds out the envelope, the next ones use it. A wrong one is corrected. */
CASE(remembers_how_a_server_speaks)
{
    const struct rpyc_envelope here = rpyc_conn_envelope(conn);
    struct rpyc_envelope memory = {0}, found;
    const struct rpyc_options options = {.remembered = &memory};
    enum rpyc_generation g;
    rpyc_conn *second = NULL;
    int bound;

    CHECK(here.generation == rpyc_conn_generation(conn));
    OK(connect_anew(&second, &options));
    CHECK(memory.generation == here.generation && memory.bind_threads == here.bind_threads);
    rpyc_close(second);
    for (g = RPYC_GENERATION_5; g <= RPYC_GENERATION_6; g++) {
        for (bound = 0; bound <= 1; bound++) {
            memory = (struct rpyc_envelope){g, bound};
            OK(connect_anew(&second, &options));
            OK(rpyc_ping(second, "x", 1, &err));
            found = rpyc_conn_envelope(second);
            CHECK(memory.generation == found.generation);
            CHECK(memory.bind_threads == found.bind_threads);
            rpyc_close(second);
        }
    }
}

CASE(takes_a_connected_socket)
{
    struct rpyc_options options = {.generation = RPYC_GENERATION_AUTO};
    rpyc_conn *second = NULL;
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    rpyc_value *v = NULL;
    int fd;

    OK(getpeername(rpyc_fd(conn), (struct sockaddr *)&address, &len));
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    FAILS(rpyc_connect_fd(&second, fd, &options, &err), RPYC_EINVAL);
    CHECK(close(fd) == -1 && errno == EBADF); /* the connection owns fd and has closed it */
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    OK(connect(fd, (struct sockaddr *)&address, len));
    options.generation = rpyc_conn_generation(conn);
    options.bind_threads = rpyc_conn_envelope(conn).bind_threads;
    OK(rpyc_connect_fd(&second, fd, &options, &err));
    CHECK(rpyc_fd(second) == fd);
    OK(rpyc_eval(second, "6 * 7", &v, &err));
    CHECK(take_int(v) == 42);
    rpyc_close(second);
}

CASE(says_why_it_cannot_connect)
{
    const struct rpyc_options given = {.generation = RPYC_GENERATION_6, .connect_timeout_ms = 50};
    rpyc_conn *none = NULL;
    int pair[2];

    FAILS(rpyc_connect_unix(&none, "/nonexistent/socket", NULL, &err), RPYC_ESYSTEM);
    CHECK(err.sys_errno == ENOENT);
    FAILS(rpyc_connect_unix(&none, "@librpyc-user-no-listener", NULL, &err), RPYC_ESYSTEM);
    CHECK(err.sys_errno == ECONNREFUSED);
    FAILS(rpyc_connect_tcp(&none, "127.0.0.1", "no-such-service", NULL, &err), RPYC_ERESOLVE);
    OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
    FAILS(rpyc_connect_fd(&none, pair[0], &given, &err), RPYC_ETIMEOUT);
    close(pair[1]);
    CHECK(none == NULL);
}

CASE(keeps_to_its_options)
{
    const struct rpyc_options options = {.max_frame = 100000, .request_timeout_ms = -1};
    rpyc_conn *small = NULL;
    rpyc_value *v = NULL;

    OK(connect_anew(&small, &options));
    OK(rpyc_eval(small, "'x' * 1000", &v, &err));
    rpyc_unref(v);
    v = NULL;
    FAILS(rpyc_eval(small, "__import__('os').urandom(200000)", &v, &err), RPYC_ELIMIT);
    OK(rpyc_ping(small, "x", 1, &err)); /* the connection still works */
    CHECK(v == NULL);
    rpyc_close(small);
    rpyc_close(NULL);
}

CASE(fails_after_it_is_closed)
{
    rpyc_conn *second = NULL;
    rpyc_value *list = NULL, *v = NULL;
    rpyc_pending *pending = NULL;

    OK(connect_anew(&second, NULL));
    OK(rpyc_eval(second, "[1]", &list, &err));
    OK(rpyc_start_callattr(list, "pop", &pending, &err, NULL));
    rpyc_close(second);
    FAILS(rpyc_pending_wait(pending, 0, NULL, &err), RPYC_ECLOSED);
    rpyc_pending_free(pending);
    FAILS(rpyc_getattr(list, "append", &v, &err), RPYC_ECLOSED);
    FAILS(rpyc_repr(list, &v, NULL), err.code);
    CHECK(strcmp(rpyc_class_name(list), "builtins.list") == 0);
    rpyc_unref(list);
}

CASE(notices_that_the_server_hung_up)
{
    rpyc_conn *second = NULL;
    int64_t deadline = now_ms() + PATIENCE_MS;
    int n;

    OK(connect_anew(&second, NULL));
    CHECK(shutdown(rpyc_fd(second), SHUT_WR) == 0);
    do
        n = rpyc_process(second, 1000, &err);
    while (n >= 0 && now_ms() < deadline);
    CHECK(n == -1);
    CHECK(err.code == RPYC_ECLOSED);
    FAILS(rpyc_ping(second, "x", 1, &err), RPYC_ECLOSED);
    rpyc_close(second);
}
