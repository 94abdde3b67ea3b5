/* SPDX-License-Identifier: BSD-3-Clause
 *
 * patient: reads a file of /proc that may block, on a thread that is left behind if it does. The
 * kernel takes the lock of a process's memory (mmap_lock) for `cmdline`, `environ` and `maps`; a
 * process that is stuck in the kernel may hold this lock for ever.
 */
#ifndef PROCFS_PATIENT_H
#define PROCFS_PATIENT_H

#include <stddef.h>
#include <sys/types.h>

/* Like procfs_read(), but returns -1 with ETIMEDOUT after timeout_ms, and with another errno if no
 * thread can be started. The thread that is left behind has all signals blocked, ends when the file
 * can be read, and does not keep the process from ending. Uses heap memory. */
ssize_t procfs_read_patiently(const char *path, char *out, size_t size, int timeout_ms);

#endif
