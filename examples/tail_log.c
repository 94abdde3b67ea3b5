/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Prints what a Python program logs, as it does so, until SIGINT or SIGTERM:
 *
 *     tail_log localhost 6666 [LOGGER]
 *
 * The program gets a logging.StreamHandler whose stream is an object of ours. Should we be killed
 * before we could take it away, logging itself deals with the stream that fails, and the program's
 * own calls do not.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <rpyc.h>

/* What logging calls on its stream. */
static const char *const methods[] = {"write", "flush", NULL};

static int stream_call(void *self, const char *method, rpyc_value *args, rpyc_value *kwargs,
                       rpyc_value **out, struct rpyc_error *err)
{
    const char *text;

    (void)kwargs;
    if (!method) /* the object itself, and not one of its methods */
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

/* Serves the program until a signal comes (0) or the program goes away (-1). What a request read
 * along with its answer is not in the socket any more, hence process before poll. */
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
        if (result == 0) /* while this waits, what is still logged is served */
            result = rpyc_callattr(logger, "removeHandler", NULL, err, "O", handler);
    }
    rpyc_unref(format);
    rpyc_unref(handler);
    rpyc_unref(logger);
    rpyc_unref(logging);
    rpyc_unref(stream); /* the handler may hold it longer than we do */
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
    sigprocmask(SIG_BLOCK, &set, NULL); /* they come through a descriptor instead */
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
