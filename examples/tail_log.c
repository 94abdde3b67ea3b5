/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Prints the log messages of a Python program as they are logged, until SIGINT or SIGTERM:
 *
 *     tail_log localhost 6666 [LOGGER]
 *
 * It adds a logging.StreamHandler to the program, whose stream is a C object of tail_log. If
 * tail_log is killed before it removes the handler, logging handles the errors of the stream; the
 * program's own calls do not fail.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <rpyc.h>

/* The methods that logging calls on a stream. */
static const char *const methods[] = {"write", "flush", NULL};

static int stream_call(void *self, const char *method, rpyc_value *args, rpyc_value *kwargs,
                       rpyc_value **out, struct rpyc_error *err)
{
    const char *text;

    (void)kwargs;
    if (!method) /* the object itself is called, not a method */
        return rpyc_raise(err, "TypeError", "a stream cannot be called");
    if (strcmp(method, "flush") == 0) {
        fflush(self);
        return rpyc_build(out, err, "N");
    }
    text = rpyc_length(args) == 1 ? rpyc_str(rpyc_item(args, 0), NULL) : NULL;
    if (!text)
        return rpyc_raise(err, "TypeError", "write takes a str");
    fputs(text, self);
    return rpyc_build(out, err, "N");
}

static const struct rpyc_ops stream_ops = {
    .class_name = "tail_log.Stream", .methods = methods, .call = stream_call};

/* Serves the program's requests. Returns 0 when a signal arrives, -1 when the connection is lost.
 * Calls rpyc_process before poll: an earlier request may have read more than its reply, and such
 * data is no longer in the socket. */
static int tail(rpyc_conn *conn, int signals, struct rpyc_error *err)
{
    struct pollfd polled[] = {{.fd = rpyc_fd(conn), .events = POLLIN},
                              {.fd = signals, .events = POLLIN}};

    while (!polled[1].revents) {
        if (rpyc_process(conn, 0, err) < 0)
            return -1;
        poll(polled, 2, -1);
    }
    return 0;
}

static int run(rpyc_conn *conn, const char *name, int signals, struct rpyc_error *err)
{
    rpyc_value *stream = NULL, *logging = NULL, *logger = NULL, *handler = NULL, *format = NULL;
    int result = -1;

    if (rpyc_object(&stream, &stream_ops, stdout, err) == 0 &&
        rpyc_module(conn, "logging", &logging, err) == 0 &&
        rpyc_callattr(logging, "getLogger", &logger, err, "s", name) == 0 &&
        rpyc_callattr(logging, "StreamHandler", &handler, err, "O", stream) == 0 &&
        rpyc_callattr(logging, "Formatter", &format, err, "s",
                      "%(levelname)s %(name)s: %(message)s") == 0 &&
        rpyc_callattr(handler, "setFormatter", NULL, err, "O", format) == 0 &&
        rpyc_callattr(logger, "addHandler", NULL, err, "O", handler) == 0) {
        fprintf(stderr, "tailing\n");
        result = tail(conn, signals, err);
        if (result == 0) /* serves messages that are still logged while it waits */
            result = rpyc_callattr(logger, "removeHandler", NULL, err, "O", handler);
    }
    rpyc_unref(format);
    rpyc_unref(handler);
    rpyc_unref(logger);
    rpyc_unref(logging);
    rpyc_unref(stream); /* the handler may keep the stream longer */
    return result;
}

int main(int argc, char **argv)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    sigset_t set;
    int signals, status = 0;

    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: %s HOST PORT [LOGGER]\n", argv[0]);
        return 2;
    }
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL); /* read from a descriptor instead */
    signals = signalfd(-1, &set, SFD_CLOEXEC);
    if (signals < 0) {
        perror("signalfd");
        return 1;
    }
    if (rpyc_connect_tcp(&conn, argv[1], argv[2], NULL, &err) < 0 ||
        run(conn, argc == 4 ? argv[3] : NULL, signals, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        status = 1;
    }
    rpyc_close(conn);
    rpyc_error_clear(&err);
    close(signals);
    return status;
}
