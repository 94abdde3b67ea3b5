/* SPDX-License-Identifier: BSD-3-Clause
 *
 * patient: starts a new thread for work that may block. If the thread blocks, the caller returns
 * after a timeout and leaves the thread behind. Reading the memory of another process, or its files
 * `cmdline`, `environ` and `maps` in /proc, may block: the kernel takes the lock of the process's
 * memory (mmap_lock), and a process that is stuck in the kernel may hold this lock for ever.
 * Opening a file may also block, if the file server does not answer. These functions use heap
 * memory.
 */
#ifndef PROCFS_PATIENT_H
#define PROCFS_PATIENT_H

#include <stddef.h>
#include <sys/types.h>

/* Starts a detached thread. The thread has all signals blocked, so that other threads handle the
 * signals of the process. Returns 0 or an errno. */
int procfs_start_thread(void *(*run)(void *), void *arg);

/* Calls run(arg) on a new thread, and waits until run returns. Gives up if the thread is blocked:
 * if it has used no CPU time for timeout_ms, and does not wait for a CPU. Returns 0 or an errno:
 *
 *     ETIMEDOUT  the thread is left behind and still uses arg. When run has returned, the thread
 *                calls release(arg) and ends. The thread does not keep the process from ending.
 *     others     the thread cannot be started
 *
 * release is called only if the result is ETIMEDOUT. */
int procfs_run_patiently(void (*run)(void *arg), void (*release)(void *arg), void *arg,
                         int timeout_ms);

/* Like procfs_read(), but returns -1 with errno ETIMEDOUT if reading the file is blocked for
 * timeout_ms. Returns -1 with another errno if no thread can be started. */
ssize_t procfs_read_patiently(const char *path, char *out, size_t size, int timeout_ms);

#endif
