/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Streams of bytes: TCP over IPv4 and IPv6, and Unix sockets. Every socket that is created here is
 * close-on-exec. No function here raises SIGPIPE.
 */
#ifndef RPYC_STREAM_H
#define RPYC_STREAM_H

#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "error.h"

/* A point in time, in nanoseconds of CLOCK_MONOTONIC. A call that is not finished by then fails
 * with RPYC_ETIMEOUT. */
typedef int64_t deadline_t;
#define DEADLINE_NEVER INT64_MAX

/* Returns the time `ms` milliseconds from now; DEADLINE_NEVER if ms is negative. */
deadline_t deadline_in(int ms);

struct stream_tls;

/* Sockets that cancel a wait for another socket: if one of them has input or reaches its end, the
 * wait fails with RPYC_ECANCELED. */
#define STREAM_WATCH_MAX 4
struct stream_watch {
    int fds[STREAM_WATCH_MAX];
    size_t count;
};

struct stream {
    int fd;
    bool local;  /* a Unix socket or the loopback: compression would only cost time */
    ino_t inode; /* identifies the socket that was opened: see stream_is_ours */
    const struct stream_tls *tls; /* the functions for TLS, see tls.h; NULL: no TLS */
    void *tls_state;
    const struct stream_watch *watch; /* sockets that cancel a TLS handshake; NULL: none */
    void (*close)(int fd);            /* closes the fd; NULL: close(2) does */
};

#define STREAM_INIT ((struct stream){.fd = -1})

/* Fills *s for a connected socket. Takes fd. Finds out whether the peer is local, disables Nagle's
 * algorithm and enables keepalive. So it is noticed within two minutes if a TCP peer disappears
 * without a message. */
void stream_open(struct stream *s, int fd);

/* True if the fd is still the socket that was opened. Other code in this process may close the
 * socket (os.closerange); the number of its fd may then be given to another file. All functions
 * below that take a stream check this first. */
bool stream_is_ours(const struct stream *s);

/* Waits for events (POLLIN, POLLOUT) on an fd. watch may be NULL. Errors: RPYC_ETIMEOUT,
 * RPYC_EINTERRUPT, RPYC_ECANCELED (a watched socket has input, and fd has no events), RPYC_ESYSTEM.
 * */
int stream_wait(int fd, short events, const struct stream_watch *watch, deadline_t deadline,
                struct rpyc_error *err);

/* Formats the address of a TCP server for messages: "127.0.0.1:6666", "[::1]:6666". */
#define STREAM_WHERE_SIZE 200
void stream_describe_tcp(char *out, size_t size, const char *host, const char *port);

/* Connect to a server. host and port are passed to getaddrinfo, and the addresses that it returns
 * are tried in turn. path is a file name, or "@name" for an abstract socket. Errors: RPYC_EINVAL
 * (port or path), RPYC_ERESOLVE, RPYC_ESYSTEM, RPYC_ECLOSED, RPYC_ETIMEOUT. */
int stream_connect_tcp(struct stream *s, const char *host, const char *port, deadline_t deadline,
                       struct rpyc_error *err);
int stream_connect_unix(struct stream *s, const char *path, deadline_t deadline,
                        struct rpyc_error *err);

/* Opens one more connection to a server: to the Unix socket `path`, or to the TCP address `peer` if
 * path is NULL. If watch is not NULL, fails with RPYC_ECANCELED when a watched socket has input. If
 * watch is not NULL and the backlog of the Unix socket is full, fails at once with RPYC_ETIMEOUT.
 */
int stream_connect_again(struct stream *s, const struct stream_watch *watch,
                         const struct sockaddr_storage *peer, const char *path, deadline_t deadline,
                         struct rpyc_error *err);

/* Fills a sockaddr_un for a path; "@name" means an abstract socket. RPYC_EINVAL: the path is empty
 * or too long. */
int stream_unix_address(struct sockaddr_un *address, socklen_t *len, const char *path,
                        struct rpyc_error *err);

/* Options for stream_listen. */
struct stream_listening {
    int backlog;
    bool reuse;       /* TCP: listen even if old connections are still closing (SO_REUSEADDR) */
    mode_t unix_mode; /* of a Unix socket's file, independent of the umask; 0: 0600 */
    bool has_unix_group;
    gid_t unix_group; /* the group of that file */
};

/* Returns the fd of a listening socket, or -1 with RPYC_ESYSTEM. */
int stream_listen(const struct sockaddr *address, socklen_t len, const struct stream_listening *how,
                  struct rpyc_error *err);

/* Receives at least one and at most n bytes. Returns their number; 0 at the end of the stream; -1
 * with RPYC_ECLOSED (the peer reset the connection, or other code closed the fd), RPYC_ETIMEOUT,
 * RPYC_EINTERRUPT (a signal arrived; call again to continue) or RPYC_ESYSTEM. */
ssize_t stream_receive(struct stream *s, void *bytes, size_t n, deadline_t deadline,
                       struct rpyc_error *err);

/* Sends at least one and at most n bytes. Returns their number; -1 with RPYC_ECLOSED (the peer hung
 * up, or other code closed the fd), RPYC_ETIMEOUT, RPYC_EINTERRUPT (a signal arrived; call again to
 * continue) or RPYC_ESYSTEM. */
ssize_t stream_send_some(struct stream *s, const void *bytes, size_t n, deadline_t deadline,
                         struct rpyc_error *err);

/* Sends all n bytes. Signals do not interrupt it. After an error the stream cannot be used any
 * more, because some bytes may have been sent. Errors: those of stream_send_some. */
int stream_send(struct stream *s, const void *bytes, size_t n, deadline_t deadline,
                struct rpyc_error *err);

/* Acknowledges received TCP data at once. Call this when nothing will be sent soon. Without it, the
 * acknowledgement is sent with the next data or after 40 ms. Until then a peer with Nagle's
 * algorithm, such as every stock rpyc, sends nothing more. */
void stream_acknowledge(const struct stream *s);

/* Shuts down the socket: each thread that waits for it sees the end of the stream. The fd stays
 * open. */
void stream_shutdown(struct stream *s);

/* Closes the stream and resets the TCP connection. The peer's poll(2) then reports an error instead
 * of the end of input, and after an error a stock ThreadPoolServer always drops the connection. A
 * Unix socket is only closed. */
void stream_reset(struct stream *s);

/* stream_close closes the fd and frees the TLS state. It may be called twice. stream_drop only
 * closes the fd: it is for the child of a fork, and async-signal-safe. */
void stream_close(struct stream *s);
void stream_drop(struct stream *s);

#endif
