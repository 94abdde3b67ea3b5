/* SPDX-License-Identifier: BSD-3-Clause
 *
 * namespaces: enters the network namespace of another process, and finds its Unix sockets.
 */
#ifndef CLIENT_CONNECT_NAMESPACES_H
#define CLIENT_CONNECT_NAMESPACES_H

#include <rpyc.h>

#include "connect/address.h"

/* The state that namespaces_leave() restores. */
struct namespaces_visit {
    int home;      /* the client's own network namespace; -1: the thread never left it */
    int file;      /* the file of the Unix socket; -1: the address's path is used */
    char path[64]; /* a path that leads to file */
};

#define NAMESPACES_VISIT_INIT                                                                      \
    {                                                                                              \
        .home = -1, .file = -1                                                                     \
    }
#define CLEAN_VISIT __attribute__((cleanup(namespaces_leave)))

/* Makes the address reachable from the calling thread: enters the network namespace of the process
 * if necessary, and opens the file of its Unix socket. Does nothing for an address without a pid.
 * Returns 0, or -1 with RPYC_EINVAL and a sentence. Call namespaces_leave() in both cases. */
int namespaces_enter(struct namespaces_visit *visit, const struct address *address,
                     struct rpyc_error *err);

/* The path by which to connect to the address, which must be a Unix socket. Valid during the visit.
 */
const char *namespaces_path(const struct namespaces_visit *visit, const struct address *address);

/* Opens the root directory of a process (O_PATH). -1 with errno. */
int namespaces_open_root(pid_t pid);

/* Finds a file (O_PATH) by its absolute path in such a directory; links with absolute paths are
 * resolved in it. -1 with errno. */
int namespaces_open_in_root(int root, const char *path);

/* Returns to the client's own network namespace. */
void namespaces_leave(struct namespaces_visit *visit);

#endif
