/* SPDX-License-Identifier: BSD-3-Clause
 *
 * find: the processes of this machine that have a server of ours, wherever it listens.
 *
 * A server's listener is a thread whose name has the inode of its socket ("pystuck:1s9k", see
 * name_listener in pystuck_ext/server.c), which /proc shows to everyone; and the kernel's tables
 * have the address of each inode. Anyone may call a thread like that, so the socket has to be the
 * process's own.
 */
#ifndef CLIENT_CONNECT_FIND_H
#define CLIENT_CONNECT_FIND_H

#include <rpyc.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

#include "connect/address.h"

/* Whether a server is the process's whose thread says so. */
enum server_is { SERVER_IS_NONE, SERVER_IS_LIKELY, SERVER_IS_OWN };

/* A server. A process may have several. */
struct server {
    pid_t pid, tid;      /* of the process, and the listener's thread */
    unsigned long inode; /* of the socket that it listens on; 0: the thread does not tell */
    time_t since;
    uid_t user;       /* who may connect, beside root: the one as whom the process acts */
    char *command;    /* the command line, with blanks in between and nothing that breaks lines */
    bool has_address; /* whether the tables know the socket, */
    uid_t owner;      /* ... and as whom it was made */
    enum server_is is;
    bool other_network; /* it is in a network namespace that is not ours */
    struct sockaddr_storage address;
};

struct servers {
    struct server *all; /* by pid */
    size_t count;
    size_t hidden;  /* how many processes could not be looked into */
    size_t dropped; /* how many threads are called like a listener, and the socket is another
                     * process's, or that is not known */
};

/* Finds all, or those of one process. What vanishes meanwhile is left out. */
void find_all(struct servers *out);

/* The same with those that are likely, for messages: who may connect, say. */
void find_likely(struct servers *out);

/* Errors: RPYC_EINVAL, with a whole sentence: there is no such process, or no server in it. */
int find_of_process(struct servers *out, pid_t pid, struct rpyc_error *err);

/* How many bytes of a command line a sentence has room for: for "%.*s". */
int find_brief(const char *command);

void find_free(struct servers *servers);

/* Where to connect to a server whose address is known; text holds the strings. */
void find_address(struct address *out, struct address_text *text, const struct server *server);

/* The one to which a connection to that address comes, or NULL. Looks names up. */
const struct server *find_at(const struct servers *servers, const struct address *address);

#endif
