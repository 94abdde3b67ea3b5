/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Bytes to and from a peer: TCP over IPv4 and IPv6, and Unix sockets. Every fd is close-on-exec.
 * Nothing here raises SIGPIPE.
 */
#ifndef RPYC_STREAM_H
#define RPYC_STREAM_H

#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "error.h"

/* A point of CLOCK_MONOTONIC in nanoseconds at which a call gives up with RPYC_ETIMEOUT. */
typedef int64_t deadline_t;
#define DEADLINE_NEVER INT64_MAX

/* `ms` milliseconds from now; negative: never. */
deadline_t deadline_in(int ms);

struct stream_tls;

/* Sockets whose input, or end, makes a wait on another one give up with RPYC_ECANCELED. */
#define STREAM_WATCH_MAX 4
struct stream_watch {
    int fds[STREAM_WATCH_MAX];
    size_t count;
};

struct stream {
    int fd;
    bool local;  /* a Unix socket or the loopback: compressing would only cost time */
    ino_t inode; /* which socket it was when it was opened: see stream_is_ours */
    const struct stream_tls *tls; /* over TLS: see tls.h. NULL: plain */
    void *tls_state;
    const struct stream_watch *watch; /* during a TLS handshake: gives it up; else NULL */
};

#define STREAM_INIT ((struct stream){.fd = -1})

/* Wraps a connected socket: takes fd, finds out whether it is local, turns Nagle's algorithm off
 * and keepalive on: a TCP peer that is gone without a word is noticed after two minutes. */
void stream_open(struct stream *s, int fd);

/* Whether the fd still is the socket that was opened. In a library one does not own the process:
 * programs close every fd that they do not know (os.closerange), and the number comes back as
 * something of theirs. Every call below looks first. */
bool stream_is_ours(const struct stream *s);

/* Waits for events (POLLIN, POLLOUT) on an fd; watch may be NULL. Errors: RPYC_ETIMEOUT,
 * RPYC_EINTERRUPT, RPYC_ECANCELED (a watched socket has input, and fd no events), RPYC_ESYSTEM. */
int stream_wait(int fd, short events, const struct stream_watch *watch, deadline_t deadline,
                struct rpyc_error *err);

/* Connects. host and port as for getaddrinfo, every address in turn; path is a file's name or
 * "@name" for an abstract one. Errors: RPYC_ERESOLVE, RPYC_ESYSTEM, RPYC_ETIMEOUT. */
int stream_connect_tcp(struct stream *s, const char *host, const char *port, deadline_t deadline,
                       struct rpyc_error *err);
int stream_connect_unix(struct stream *s, const char *path, deadline_t deadline,
                        struct rpyc_error *err);

/* Connects to the address of a server that another stream is connected to already: path as above,
 * or NULL for the TCP peer of `first`. Gives up with RPYC_ECANCELED when a watched socket has
 * input. Does not wait for a Unix server whose backlog is full: RPYC_ETIMEOUT. */
int stream_connect_again(struct stream *s, const struct stream_watch *watch,
                         const struct sockaddr_storage *peer, const char *path, deadline_t deadline,
                         struct rpyc_error *err);

/* Fills a sockaddr_un for path ("@name": abstract); RPYC_EINVAL if it is empty or does not fit. */
int stream_unix_address(struct sockaddr_un *address, socklen_t *len, const char *path,
                        struct rpyc_error *err);

/* How to listen. */
struct stream_listening {
    int backlog;
    bool reuse;       /* TCP: also where connections of a former one linger (SO_REUSEADDR) */
    mode_t unix_mode; /* of a Unix socket's file, whatever the umask; 0: its owner's alone, 0600 */
    bool has_unix_group;
    gid_t unix_group; /* ... which it is given to */
};

/* A listening socket for one address: its fd, or -1 with RPYC_ESYSTEM. */
int stream_listen(const struct sockaddr *address, socklen_t len, const struct stream_listening *how,
                  struct rpyc_error *err);

/* Receives what is there, at least one byte and at most n. Returns how many; 0 at the end of file;
 * -1 with RPYC_ETIMEOUT, RPYC_EINTERRUPT (a signal came; call again to go on) or RPYC_ESYSTEM. */
ssize_t stream_receive(struct stream *s, void *bytes, size_t n, deadline_t deadline,
                       struct rpyc_error *err);

/* Sends some of n bytes, at least one. Returns how many; -1 with RPYC_ECLOSED (the peer is gone, or
 * the fd is no longer ours), RPYC_ETIMEOUT, RPYC_EINTERRUPT (a signal came; call again to go on) or
 * RPYC_ESYSTEM. */
ssize_t stream_send_some(struct stream *s, const void *bytes, size_t n, deadline_t deadline,
                         struct rpyc_error *err);

/* Sends all n bytes, whatever signals come. After an error the stream is of no more use, for a part
 * may have gone out. Errors as above. */
int stream_send(struct stream *s, const void *bytes, size_t n, deadline_t deadline,
                struct rpyc_error *err);

/* Lets a TCP peer know at once that what has been received is here. Otherwise that goes along with
 * the next data to it, or after 40 ms; until then a peer with Nagle's algorithm on, which is every
 * stock rpyc, does not send what it has next. For where nothing is going to be sent. */
void stream_acknowledge(const struct stream *s);

/* Wakes up every thread that waits on the stream: they see its end. The fd stays. */
void stream_shutdown(struct stream *s);

/* Closes with a reset of the TCP connection, so that the peer's poll(2) reports an error and not
 * the end of input: a stock ThreadPoolServer drops a connection at an error, whatever state it is
 * in. A Unix socket is just closed. */
void stream_reset(struct stream *s);

/* Closes the fd, and frees what TLS keeps. Twice is allowed. stream_drop only closes the fd, as a
 * child after a fork does: async-signal-safe. */
void stream_close(struct stream *s);
void stream_drop(struct stream *s);

#endif
