/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Starts native threads that do not handle the program's signals. Does not use Python.
 */
#ifndef PS_NATIVE_THREAD_H
#define PS_NATIVE_THREAD_H

#include <pthread.h>
#include <signal.h>

/* Blocks all signals except those of faults (SIGSEGV, SIGBUS, SIGFPE, SIGILL). The server's threads
 * call this function while they run no Python. Stores the earlier mask in *old, unless old is
 * NULL. */
void ps_block_signals(sigset_t *old);

/* Starts a thread that has all signals blocked except those of faults. Returns 0 or an errno. */
int ps_start_thread(pthread_t *thread, void *(*run)(void *), void *arg);

#endif
