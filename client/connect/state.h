/* SPDX-License-Identifier: BSD-3-Clause
 *
 * state: finds out from the kernel why a process of this machine does not answer.
 */
#ifndef CLIENT_CONNECT_STATE_H
#define CLIENT_CONNECT_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "connect/find.h"

#define STATE_TEXT_SIZE 768

/* Writes the end of a sentence that begins with "process 7 (python3 x.py) ", for example "is
 * stopped: continue it with 'kill -CONT 7'". Writes the first of these facts that is true:
 *
 *     1. the server's thread or the process has ended, is stopped, is stopped by a debugger, is
 *        frozen, or is in uninterruptible sleep
 *     2. the server does not accept the connections that wait in its queue
 *     3. a thread of the program runs, or no thread of the program runs
 *
 * In cases 2 and 3, the text also names a resource that is used up, see procfs/shortage.h. out must
 * have STATE_TEXT_SIZE bytes. Takes up to half a second. */
void state_describe(const struct server *server, char *out);

/* Like state_describe(), but only in cases 1 and 2, in which it is certain why the server does not
 * answer. Returns false in case 3. */
bool state_describe_certain(const struct server *server, char *out);

/* How many connections wait until the program accepts them, and how many may wait at most. */
struct state_queue {
    unsigned waiting, most;
};

/* Reads the queue of the TCP socket that listens at an address in the client's own network
 * namespace. Returns false if there is no such socket, or if the kernel does not show its queue. */
bool state_queue_at(const struct address *address, struct state_queue *out);

#endif
