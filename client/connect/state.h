/* SPDX-License-Identifier: BSD-3-Clause
 *
 * state: reads from the kernel why a process of this machine does not answer.
 */
#ifndef CLIENT_CONNECT_STATE_H
#define CLIENT_CONNECT_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "connect/find.h"

#define STATE_TEXT_SIZE 768

/* Writes what follows "process 7 (python3 x.py) " in a sentence: "is stopped: continue it with
 * 'kill -CONT 7'". Only says what the kernel shows:
 *
 *     the server's thread or the process is gone, stopped, stopped by a debugger, frozen, or in
 *     uninterruptible sleep
 *     a resource is used up, see procfs/shortage.h
 *     connections wait that the server does not accept
 *     a thread of the program runs, or none does
 *
 * Always writes something. Takes up to half a second. */
void state_describe(const struct server *server, char *out);

/* The connections that wait until the program accepts them, and how many may wait. */
struct state_queue {
    unsigned waiting, most;
};

/* Reads the queue of the socket that listens at an address in the client's own network namespace.
 * False if there is no such socket, or if the kernel does not tell. */
bool state_queue_at(const struct address *address, struct state_queue *out);

#endif
