/* SPDX-License-Identifier: BSD-3-Clause
 *
 * patient: reads a file of /proc that may block. A new thread reads the file. If the reading
 * blocks, the caller returns after a timeout and leaves the thread behind. The kernel takes the
 * lock of a process's memory (mmap_lock) to read `cmdline`, `environ` and `maps`, and a process
 * that is stuck in the kernel may hold this lock for ever.
 */
#ifndef PROCFS_PATIENT_H
#define PROCFS_PATIENT_H

#include <stddef.h>
#include <sys/types.h>

/* Starts a detached thread. The thread has all signals blocked, so that other threads handle the
 * signals of the process. Returns 0 or an errno. */
int procfs_start_thread(void *(*run)(void *), void *arg);

/* Like procfs_read(), but if the file has not been read after timeout_ms, returns -1 with errno
 * ETIMEDOUT. Returns -1 with another errno if no thread can be started. A thread that still reads
 * after the timeout ends when the file can be read. This thread has all signals blocked and does
 * not keep the process from ending. Uses heap memory. */
ssize_t procfs_read_patiently(const char *path, char *out, size_t size, int timeout_ms);

#endif
