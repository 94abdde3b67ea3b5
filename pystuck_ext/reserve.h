/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the process keeps aside for a client that connects when the program has used up all
 * descriptors, threads or memory: PS_RESERVE_DESCRIPTORS descriptors, one thread that waits, and
 * address space. There is one reserve for all servers of the process. Does not use Python.
 *
 * A part of the reserve that is used is replaced when that is possible again: when a client leaves,
 * and when one connects. Nothing runs in between.
 */
#ifndef PS_RESERVE_H
#define PS_RESERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One for the client's socket, and two for what has to be opened to admit it and to answer it. */
#define PS_RESERVE_DESCRIPTORS 3

/* Bytes of address space: enough for a session and for the answer to STACKS. No page of it is used,
 * so it takes no memory. */
#define PS_RESERVE_MEMORY ((size_t)24 << 20)

/* Call when a server has started, and when it is closed. The first server fills the reserve; the
 * last one gives it back and waits for the thread, unless that serves a client. What cannot be kept
 * aside is missing; there is no error. */
void ps_reserve_begin(void);
void ps_reserve_end(void);

/* ---- Descriptors ----------------------------------------------------------------------------- */

/* Accepts a client on a listening socket; uses a descriptor of the reserve if there is no other
 * one. Returns the client's socket; -1 with errno, which is EMFILE or ENFILE also if an earlier
 * client still uses the reserve: after it has left, the next call succeeds. */
int ps_reserve_accept(int listener);

/* Makes sure that one or two descriptors can be opened: closes as many of the reserve if no others
 * are free. Call ps_reserve_take_back() when the descriptors have been closed: false if the reserve
 * is not full then, because the program has no free descriptors. */
void ps_reserve_lend(unsigned count);
bool ps_reserve_take_back(void);

/* ---- Clients --------------------------------------------------------------------------------- */

/* Call when a client was accepted: gives back the address space of the reserve if there is no other
 * one. Call ps_reserve_left() when the client's socket is closed and nothing runs for it. */
void ps_reserve_came(void);
void ps_reserve_left(void);

/* Returns how many bytes of address space have been given back, for shortage_find(). */
int64_t ps_reserve_given(void);

/* Runs a function on a new thread. If none can be started, the thread of the reserve runs it, after
 * those that it was given before. Returns 0 or an errno. The thread has all signals blocked but
 * those of faults; the function has to leave no state in thread-local variables. */
int ps_reserve_run(void *(*run)(void *), void *arg);

/* ---- Fork ------------------------------------------------------------------------------------ */

/* Call before a fork, and after it in the parent and in the child. The child has no reserve until a
 * server begins there; the function for the child is async-signal-safe. */
void ps_reserve_before_fork(void);
void ps_reserve_after_fork_in_parent(void);
void ps_reserve_after_fork_in_child(void);

#endif
