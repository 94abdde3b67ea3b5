/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stale_sockets: removes the socket files that killed processes have left in the directories that
 * PYSTUCK=1 uses.
 */
#ifndef CLIENT_CONNECT_STALE_SOCKETS_H
#define CLIENT_CONNECT_STALE_SOCKETS_H

/* Removes stale sockets from $XDG_RUNTIME_DIR/pystuck and /tmp/pystuck-UID of the effective user:
 * sockets of this user that are named after a process which does not exist, that are older than two
 * seconds, and on which no process listens. A directory to which another user can write is left
 * alone. Errors are ignored. */
void stale_sockets_remove(void);

#endif
