/* SPDX-License-Identifier: BSD-3-Clause
 *
 * namespaces: enters the network namespace of another process, and finds the Unix sockets of that
 * process.
 */
#ifndef CLIENT_CONNECT_NAMESPACES_H
#define CLIENT_CONNECT_NAMESPACES_H

#include <rpyc.h>

#include "connect/address.h"

/* What namespaces_leave() restores or closes. */
struct namespaces_visit {
    int home;      /* the client's own network namespace; -1: the thread did not leave it */
    int file;      /* the file of the Unix socket (O_PATH); -1: not opened */
    char path[64]; /* a path in /proc that leads to `file` */
};

#define NAMESPACES_VISIT_INIT                                                                      \
    {                                                                                              \
        .home = -1, .file = -1                                                                     \
    }
#define CLEAN_VISIT __attribute__((cleanup(namespaces_leave)))

/* Makes the address reachable from the calling thread. Enters the network namespace of the server's
 * process if necessary. Opens the file of the address's Unix socket if the process has another file
 * system than the client, or if the path is relative. Does nothing for an address without a pid.
 * Returns 0, or -1 with RPYC_EINVAL and a sentence. Call namespaces_leave() in both cases. */
int namespaces_enter(struct namespaces_visit *visit, const struct address *address,
                     struct rpyc_error *err);

/* Returns the path with which to connect to the address. The address must be that of a Unix socket.
 * Valid until namespaces_leave(). */
const char *namespaces_path(const struct namespaces_visit *visit, const struct address *address);

/* Opens the root directory of a process. Returns a descriptor (O_PATH), or -1 with errno. */
int namespaces_open_root(pid_t pid);

/* Opens a file by its absolute path in a root directory that namespaces_open_root() has opened.
 * Links with absolute paths are resolved in this directory too. Returns a descriptor (O_PATH), or
 * -1 with errno. */
int namespaces_open_in_root(int root, const char *path);

/* Makes the calling thread return to the client's own network namespace, and closes the
 * descriptors. */
void namespaces_leave(struct namespaces_visit *visit);

#endif
