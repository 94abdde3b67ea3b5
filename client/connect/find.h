/* SPDX-License-Identifier: BSD-3-Clause
 *
 * find: finds the processes of this machine that have a pystuck server, at any address.
 *
 * The thread that listens for a server has the inode of the server's socket in its name
 * ("pystuck:1s9k", see name_listener() in pystuck_ext/server.c). /proc shows the names of threads
 * to all users, and the kernel's tables of sockets have the address for each inode. But any program
 * can give a thread such a name. So a server counts only if the socket belongs to the process of
 * the thread.
 */
#ifndef CLIENT_CONNECT_FIND_H
#define CLIENT_CONNECT_FIND_H

#include <rpyc.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

#include "connect/address.h"

/* Says whether the socket in a thread's name belongs to the process of that thread. SERVER_IS_NONE:
 * it does not belong to the process. SERVER_IS_LIKELY: it probably does. SERVER_IS_OWN: it
 * certainly does. */
enum server_is { SERVER_IS_NONE, SERVER_IS_LIKELY, SERVER_IS_OWN };

/* A server. A process may have several. */
struct server {
    pid_t pid, tid;      /* the process, and its thread that listens */
    unsigned long inode; /* the listening socket; 0: the thread's name has none */
    time_t since;        /* when the thread was started */
    uid_t user;          /* the effective user of the process; this user and root may connect */
    char *command;       /* the command line, as from process_command() */
    bool has_address;    /* the kernel's tables have the socket, so owner and address are valid */
    uid_t owner;         /* the user who created the socket */
    struct sockaddr_storage address;
    bool other_network; /* the process is in another network namespace */
    enum server_is is;
};

struct servers {
    struct server *all; /* sorted by pid */
    size_t count;
    size_t hidden;  /* how many processes /proc does not show */
    size_t dropped; /* how many threads are left out: they are named like a listener, but it is not
                     * certain enough that the socket belongs to their process */
};

/* Finds the servers whose socket certainly belongs to their process. Leaves out processes that end
 * during the search. Free *out with find_free(). */
void find_all(struct servers *out);

/* Like find_all(), but also finds servers whose socket only probably belongs to their process. Use
 * the result only for messages. */
void find_likely(struct servers *out);

/* Finds the servers of one process. Returns 0, or -1 with RPYC_EINVAL and a sentence if there is no
 * such process, if the process has no server, or if the address of its server cannot be found. Call
 * find_free() in all cases. */
int find_of_process(struct servers *out, pid_t pid, struct rpyc_error *err);

/* True if a process has a server, even if its address cannot be found. */
bool find_is_served(pid_t pid);

/* Returns how many bytes of a command line to print in a sentence, for "%.*s". */
int find_brief(const char *command);

void find_free(struct servers *servers);

/* Makes the address of a server. server->has_address must be true. *out points to strings that are
 * stored in *text. */
void find_address(struct address *out, struct address_text *text, const struct server *server);

/* Returns the server that listens at this address, or NULL. Resolves host names. */
const struct server *find_at(const struct servers *servers, const struct address *address);

#endif
