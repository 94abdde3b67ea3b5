/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The listener: one native thread that accepts clients, one thread for each client, and their
 * lifetime. Does not use Python: a function in struct ps_server_options serves the clients.
 *
 * The program may fork, close every descriptor, or exit at any time. So a forked child closes the
 * server's sockets, since the server's threads do not exist in the child. A descriptor is checked
 * before it is used. At exit, nothing waits for the threads.
 */
#ifndef PS_SERVER_H
#define PS_SERVER_H

#include "admission.h"
#include "conn.h"
#include "log_limit.h"
#include "native_thread.h"
#include "queue.h"

struct ps_server;

/* A client that was accepted. It is in the list of its server until ps_client_left(). */
struct ps_client {
    struct ps_server *server;
    struct stream stream;
    struct conn *conn;       /* over the stream; NULL until ps_client_set_conn() */
    void *session;           /* the session that serves it; NULL until ps_client_set_conn() */
    uint64_t id;             /* the client's number in the log */
    bool hung_up;            /* the client or the server has ended the connection */
    struct ps_source source; /* the client's user or address, for the log */
    LIST_ENTRY(ps_client) entry;
};

/* Serves a client on a thread of its own until the connection ends. Takes client->stream. Calls
 * ps_client_left() when the connection has ended, and then ps_client_done() when no thread works
 * for the client any more. */
typedef void (*ps_serve_client)(void *context, struct ps_client *client);

/* Called when a client has hung up, or when the server ends the client's connection. The session
 * may be busy, and not notice this otherwise. Called with a lock held. Must not wait. */
typedef void (*ps_hung_up)(void *session);

/* Logs a line: a warning if a client is refused, an error if the server fails. source: the client
 * that the line is about, or NULL. Called on any thread, with locks held. Must not wait. */
typedef void (*ps_tell)(void *context, bool is_error, const struct ps_source *source,
                        const char *text);

/* How a server listens and what it does with clients. */
struct ps_server_options {
    ps_serve_client serve;
    ps_hung_up hung_up;
    ps_tell tell;
    void *context; /* for serve and tell */
    struct stream_listening listening;
    bool anyone;               /* TCP: admits clients without asking the kernel for their user */
    struct ps_allowed allowed; /* allowed.users is borrowed until the process ends */

    /* The limit for clients that have not hung up. Twice this number is the limit for all clients
     * that are served, including those that have hung up while a request runs. */
    size_t max_clients;
};

/* Listens on an address and returns when clients can connect. The caller has checked that the
 * address is local, or that clients are admitted without asking for their user (anyone). Replaces
 * the file of a Unix socket on which no process listens. Errors: RPYC_ESYSTEM with the errno of
 * bind(); RPYC_ENOMEM. *out is a reference, for ps_server_unref(). */
int ps_server_start(struct ps_server **out, const struct sockaddr *address, socklen_t len,
                    const struct ps_server_options *options, struct rpyc_error *err);

/* Stops listening, removes the file of the Unix socket, hangs up on all clients, and waits for the
 * listener's thread, not for the clients' threads. May be called twice. Does nothing in a forked
 * child. */
void ps_server_close(struct ps_server *server);

/* Closes every server of the process; called at the end of Python. */
void ps_server_close_all(void);

void ps_server_unref(struct ps_server *server);

/* Copies the address on which the server listens, with the port that the kernel has chosen. Returns
 * the length of the address. */
socklen_t ps_server_address(const struct ps_server *server, struct sockaddr_storage *address);

/* True if the server is closed; in a forked child, if it was closed before the fork. */
bool ps_server_is_closed(struct ps_server *server);

/* Returns the number of clients that have not hung up. */
size_t ps_server_clients(struct ps_server *server);

/* True if no client is in the list (see struct ps_client), not even one that has hung up. */
bool ps_server_is_deserted(struct ps_server *server);

/* Returns the signal mask of the thread that started the server. Requests run with it. */
const sigset_t *ps_server_caller_mask(const struct ps_server *server);

/* Sets the client's connection, which a forked child closes, and its session, the argument of
 * hung_up(). Takes a new reference to conn and borrows session, both until ps_client_left(). */
void ps_client_set_conn(struct ps_client *client, struct conn *conn, void *session);

/* Closes the socket of a client for which ps_client_set_conn() was not called. */
void ps_client_turn_away(struct ps_client *client);

/* Removes a client from the list. Call when its socket is closed, or will be closed soon. The
 * client still counts as being served, until ps_client_done(). */
void ps_client_left(struct ps_client *client);

/* Frees a client. Call after ps_client_left(), when no thread works for the client any more. */
void ps_client_done(struct ps_client *client);

/* Returns the number of forks that lead from the first process that called ps_fork_watch, or
 * started a server, to the present process. An object that was made with another count belongs to a
 * parent process. It must not be used: its threads, and the threads that held its locks, exist only
 * in the parent process. */
unsigned ps_fork_count(void);

/* Begins to count forks, if no server was started yet in this process. */
void ps_fork_watch(void);

#endif
