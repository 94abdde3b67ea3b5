/* SPDX-License-Identifier: BSD-3-Clause
 *
 * find: finds the processes of this machine that have a pystuck server, at any address.
 *
 * The thread of a server that listens has the inode of its socket in its name ("pystuck:1s9k", see
 * name_listener() in pystuck_ext/server.c). /proc shows the names of threads to all users, and the
 * kernel's tables contain the address of each inode. Any program can name a thread like this, so
 * the socket must also belong to the process.
 */
#ifndef CLIENT_CONNECT_FIND_H
#define CLIENT_CONNECT_FIND_H

#include <rpyc.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

#include "connect/address.h"

/* How certain it is that the socket in a thread's name belongs to the process of that thread. */
enum server_is { SERVER_IS_NONE, SERVER_IS_LIKELY, SERVER_IS_OWN };

/* A server. A process may have several. */
struct server {
    pid_t pid, tid;      /* the process, and its thread that listens */
    unsigned long inode; /* the socket that listens; 0: it is not in the thread's name */
    time_t since;        /* the start of the thread */
    uid_t user;          /* the effective user of the process, who may connect, as root may */
    char *command;    /* the command line, with spaces between the words and without line breaks */
    bool has_address; /* the socket is in the kernel's tables, with: */
    uid_t owner;      /* the user who created the socket, */
    struct sockaddr_storage address;
    bool other_network; /* the process is in another network namespace */
    enum server_is is;
};

struct servers {
    struct server *all; /* by pid */
    size_t count;
    size_t hidden;  /* how many processes /proc does not show */
    size_t dropped; /* how many threads have the name of a listener, but a socket of another
                     * process or of an unknown one */
};

/* Finds the servers that certainly belong to their process. Leaves out processes that end
 * meanwhile. */
void find_all(struct servers *out);

/* Like find_all(), and also finds those that probably belong to their process. For messages only.
 */
void find_likely(struct servers *out);

/* Finds the servers of one process. Returns 0, or -1 with RPYC_EINVAL and a sentence: there is no
 * such process, or it has no server. Call find_free() in both cases. */
int find_of_process(struct servers *out, pid_t pid, struct rpyc_error *err);

/* How many bytes of a command line to print in a sentence: for "%.*s". */
int find_brief(const char *command);

void find_free(struct servers *servers);

/* Makes the address of a server that has_address. Keeps the strings in *text. */
void find_address(struct address *out, struct address_text *text, const struct server *server);

/* Returns the server that a connection to this address reaches, or NULL. Resolves host names. */
const struct server *find_at(const struct servers *servers, const struct address *address);

#endif
