/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/no_server: finds out why a Python process has no pystuck server.
 */
#ifndef CLIENT_STACKS_NO_SERVER_H
#define CLIENT_STACKS_NO_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#define NO_SERVER_TEXT_SIZE 1024

/* Writes a sentence that says why a process has no server, and how to start a server in it.
 * has_pystuck: true if the process has loaded pystuck. Such a process may have been forked by a
 * process that has a server. out has NO_SERVER_TEXT_SIZE bytes. */
void no_server_explain(pid_t pid, bool has_pystuck, char *out);

#endif
