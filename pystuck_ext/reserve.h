/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the process keeps aside for a client that connects when the program has used up all
 * descriptors, threads or memory: PS_RESERVE_DESCRIPTORS descriptors, one thread that waits, and
 * address space. While it waits, the thread also calls functions at a set time (ps_timer). There is
 * one reserve for all servers of the process. Does not use Python.
 *
 * When a part of the reserve has been used, it is replaced as soon as a client leaves or connects
 * and the replacement is possible. No thread or timer tries to replace it at other times.
 */
#ifndef PS_RESERVE_H
#define PS_RESERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue.h"

/* One descriptor for the client's socket, and two for the files and sockets that are opened to
 * admit the client and to answer it. */
#define PS_RESERVE_DESCRIPTORS 3

/* Bytes of address space: enough for a session and for the answer to STACKS. No page of it is used,
 * so it takes no memory. */
#define PS_RESERVE_MEMORY ((size_t)24 << 20)

/* Call ps_reserve_begin when a server has started, and ps_reserve_end when it is closed. The first
 * server fills the reserve. When the last server is closed, ps_reserve_end frees the reserve. If
 * the reserve's thread is idle, ps_reserve_end also waits until this thread has ended. If a part
 * cannot be kept aside, the reserve has no such part; that is not an error. */
void ps_reserve_begin(void);
void ps_reserve_end(void);

/* ---- Descriptors ----------------------------------------------------------------------------- */

/* Accepts a client on a listening socket. Uses a descriptor of the reserve if no other is free.
 * Returns the client's socket, or -1 with errno. errno is EMFILE or ENFILE also if an earlier
 * client still uses the reserve; after that client has left, the next call succeeds. */
int ps_reserve_accept(int listener);

/* Closes the socket of a client. If the reserve is not full, adds the descriptor to the reserve.
 * The descriptor is never free meanwhile, so a program that opens descriptors in a loop cannot get
 * the descriptor. */
void ps_reserve_close(int fd);

/* ps_reserve_lend makes sure that `count` descriptors (one or two) can be opened: if they are not
 * free, it closes the same number of descriptors of the reserve. Call ps_reserve_take_back when the
 * opened descriptors have been closed. ps_reserve_take_back fills the reserve again, and returns
 * false if the program has no free descriptors for the reserve. */
void ps_reserve_lend(unsigned count);
bool ps_reserve_take_back(void);

/* ---- Clients --------------------------------------------------------------------------------- */

/* Call ps_reserve_came when a client was accepted. ps_reserve_came frees the address space of the
 * reserve if the program cannot get as much address space as the reserve has. Call ps_reserve_left
 * when the client's socket is closed and nothing runs for the client. */
void ps_reserve_came(void);
void ps_reserve_left(void);

/* Returns how many bytes of address space the reserve has freed for clients; shortage_find() needs
 * the number. */
int64_t ps_reserve_given(void);

/* Runs a function on a new thread. The thread of the reserve runs the function instead if no thread
 * can be started, or if address space is short and the thread of the reserve is idle. The thread of
 * the reserve runs its functions one after another. Returns 0 or an errno. On either thread, all
 * signals are blocked except those of faults. The function must not leave state in thread-local
 * variables. */
int ps_reserve_run(void *(*run)(void *), void *arg);

/* ---- Timers ---------------------------------------------------------------------------------- */

/* A timer. If it is not stopped in time, the thread of the reserve calls `run`. A struct that is
 * filled with zeros is a timer that does not run. */
struct ps_timer {
    /* Called with the lock of the reserve held, so it must not wait, and must call no function of
     * this file. */
    void (*run)(struct ps_timer *timer);

    /* Only reserve.c uses the members below. */
    bool runs;
    unsigned forks;
    int64_t due; /* ns of CLOCK_MONOTONIC */
    TAILQ_ENTRY(ps_timer) entry;
};

/* How long a timer runs, in ms. */
#define PS_TIMER_MS 100

/* ps_timer_start: unless ps_timer_stop is called within PS_TIMER_MS, calls timer->run(timer).
 * timer->run is not called while the thread of the reserve serves a client, or if the reserve has
 * no thread. When ps_timer_stop returns, timer->run is not called any more. */
void ps_timer_start(struct ps_timer *timer);
void ps_timer_stop(struct ps_timer *timer);

/* ---- Fork ------------------------------------------------------------------------------------ */

/* Call before a fork, and after it in the parent and in the child. The child has no reserve until a
 * server is started in it. The function for the child is async-signal-safe. */
void ps_reserve_before_fork(void);
void ps_reserve_after_fork_in_parent(void);
void ps_reserve_after_fork_in_child(void);

#endif
