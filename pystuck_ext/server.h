/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Listening: one native thread that accepts, one for each client, and their lifetime. Knows no
 * Python: what a client is served with is a function that it is given.
 *
 * The debuggee may do anything to us: fork, close every fd, exit without a word. So: a child after
 * a fork closes our sockets and has no threads of ours; a fd is looked at before it is used;
 * nothing waits for our threads at exit.
 */
#ifndef PS_SERVER_H
#define PS_SERVER_H

#include <pthread.h>
#include <signal.h>
#include <sys/queue.h>

#include "admission.h"
#include "conn.h"
#include "log_limit.h"

struct ps_server;

/* One client that has been let in. */
struct ps_client {
    struct ps_server *server;
    struct stream stream;
    struct conn *conn;       /* over that stream; NULL until ps_client_set_conn */
    void *session;           /* ... and who serves it */
    uint64_t id;             /* a number of its own */
    bool hung_up;            /* the client, as the listener has seen, or we */
    struct ps_source source; /* who it is, for the log */
    LIST_ENTRY(ps_client) entry;
};

/* Serves a client from its first byte to its last, on a thread of its own. Takes client->stream.
 * Calls ps_client_left and, once it runs nothing for the client any more, ps_client_done. */
typedef void (*ps_serve_client)(void *context, struct ps_client *client);

/* Told that a client has hung up, once, by the listener, which must not wait: the session may be
 * busy and not look. */
typedef void (*ps_hung_up)(void *session);

/* Told what happens, in words: a warning where a client is refused, an error where the server can
 * not go on. source: who has caused it; NULL: no client has. By any thread, with locks held, so it
 * must not wait. */
typedef void (*ps_tell)(void *context, bool is_error, const struct ps_source *source,
                        const char *text);

/* What a server is to do, beside listening. */
struct ps_server_options {
    ps_serve_client serve;
    ps_hung_up hung_up;
    ps_tell tell;
    void *context; /* for serve and tell */
    struct stream_listening listening;
    bool anyone; /* TCP: clients of every user are served; who they are, serve finds out */
    struct ps_allowed allowed; /* its users are borrowed, for good */
    size_t max_clients;        /* at a time; as many who have hung up may still be served */
};

/* Starts to listen on one address (loopback or Unix, or else with anyone; the caller has made sure)
 * and returns when clients can connect. A Unix path where nobody listens any more is replaced.
 * Errors: RPYC_ESYSTEM with the errno that bind gave; RPYC_ENOMEM. One reference, for
 * ps_server_unref. */
int ps_server_start(struct ps_server **out, const struct sockaddr *address, socklen_t len,
                    const struct ps_server_options *options, struct rpyc_error *err);

/* Stops listening, removes the Unix socket, hangs up on the clients, and waits for the listener
 * (not for the clients' threads). Twice is allowed; in a child after a fork it does nothing. */
void ps_server_close(struct ps_server *server);

/* The same for every server of the process, at the end of Python, but leaves the files of Unix
 * sockets as a process that ends does. */
void ps_server_close_all(void);

void ps_server_unref(struct ps_server *server);

/* The address that it listens on: with port 0, the one that the kernel chose. */
socklen_t ps_server_address(const struct ps_server *server, struct sockaddr_storage *address);

/* Whether it has been closed, in a child after a fork: before that. */
bool ps_server_is_closed(struct ps_server *server);

/* How many clients there are that have not hung up. */
size_t ps_server_clients(struct ps_server *server);

/* Whether no client's thread is left, not even one's that has hung up and is still being served. */
bool ps_server_is_deserted(struct ps_server *server);

/* The signal mask of whoever started the server: what requests run with. */
const sigset_t *ps_server_caller_mask(const struct ps_server *server);

/* Says which connection a client has, for a fork to find, and who serves it, for a hang-up to be
 * told to: a reference to the one, borrowed the other, until ps_client_done. */
void ps_client_set_conn(struct ps_client *client, struct conn *conn, void *session);

/* Hangs up on a client that is not going to have a connection. */
void ps_client_turn_away(struct ps_client *client);

/* The client's socket is closed, or about to be. It is still counted among those who are served. */
void ps_client_left(struct ps_client *client);

/* Everything that was done for the client is over. Frees it. After ps_client_left. */
void ps_client_done(struct ps_client *client);

/* Blocks all signals but those of a thread's own faults, as the server's threads do while they run
 * no Python. old, which may be NULL, gets the mask that was. */
void ps_block_signals(sigset_t *old);

/* Starts a thread with those signals blocked. 0, or an errno. */
int ps_start_thread(pthread_t *thread, void *(*run)(void *), void *arg);

/* How often this process is a child by fork since the first server was started. What was made
 * before a fork must not be used after it: its threads and the holders of its locks stayed with the
 * parent. */
unsigned ps_fork_count(void);

#endif
