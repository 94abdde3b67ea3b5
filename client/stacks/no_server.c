/* SPDX-License-Identifier: BSD-3-Clause */
#include "stacks/no_server.h"

#include <stdio.h>
#include <stdlib.h>

#include "connect/find.h"
#include "process.h"

void no_server_explain(pid_t pid, bool has_pystuck, char *out)
{
    char *command = process_command(pid), name[256];
    pid_t parent = process_parent(pid);

    snprintf(name, sizeof(name), "process %d (%.*s)", (int)pid, command ? find_brief(command) : 0,
             command ? command : "");
    free(command);
    if (has_pystuck && find_is_served(parent))
        snprintf(
            out, NO_SERVER_TEXT_SIZE,
            "%s has no pystuck server: it was forked by process %d, and the server stays there. "
            "With run_server(follow_fork=True), each forked process has its own server",
            name, (int)parent);
    else if (has_pystuck)
        snprintf(out, NO_SERVER_TEXT_SIZE,
                 "%s has loaded pystuck, but has no server: it was forked after run_server(), as "
                 "daemons are, or has stopped its server. Call run_server() after the fork, or "
                 "run_server(follow_fork=True) before the fork",
                 name);
    else
        snprintf(out, NO_SERVER_TEXT_SIZE,
                 "%s has no pystuck server. To open a prompt, the process must run 'import "
                 "pystuck; pystuck.run_server()', or be started with PYSTUCK=1 in the environment",
                 name);
}
