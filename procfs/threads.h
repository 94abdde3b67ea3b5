/* SPDX-License-Identifier: BSD-3-Clause
 *
 * threads: the state of a thread, and the system call in which it waits. Uses no heap memory except
 * for the report's arena, and one descriptor at a time.
 *
 * folder: the folder of the thread's process, "/proc/self" or "/proc/PID". thread: the thread's ID
 * in the PID namespace of the calling process.
 */
#ifndef PROCFS_THREADS_H
#define PROCFS_THREADS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "procfs/target_process.h"
#include "report.h"

/* True if a process was forked and has not executed a program since. stat: the text of the file
 * /proc/PID/stat. */
bool procfs_is_forked(const char *stat);

/* Returns the state of a thread, an enum report_state; 0 if the state is not known. */
int procfs_thread_state(const char *folder, pid_t thread);

/* Returns the system call in which a thread waits: its name, if known, its arguments, and its
 * descriptor. Returns NULL with errno 0 if the thread runs or is not in a system call. Returns NULL
 * with another errno if the call cannot be read: EACCES or EPERM if the process is not dumpable,
 * for example after setuid(2). */
struct report_syscall *procfs_thread_syscall(const char *folder, pid_t thread, struct arena *arena);

/* Returns the address of the futex for which a thread waits, or 0. text: the thread's file syscall.
 */
uint64_t procfs_futex_of(char *text);

/* True if a thread is in nanosleep(2) or clock_nanosleep(2). text: the thread's file syscall. */
bool procfs_is_sleep(char *text);

/* True if a thread is in the same system call as `call`, with the same arguments. */
bool procfs_thread_is_in(const char *folder, pid_t thread, const struct report_syscall *call);

/* Returns how many times a thread has begun to wait or has lost its CPU. If two calls return the
 * same number, and the thread waited at both times, the thread has not run between the two calls.
 * Returns -1 if the number is not known. */
int64_t procfs_thread_switches(const char *folder, pid_t thread);

/* Returns the CPU time that a thread of this process has used, in ns. Returns -1 if there is no
 * such thread. Needs no descriptor. */
int64_t procfs_own_cpu_ns(pid_t thread);

/* Returns the CPU time that a thread has used, in ns; -1 if it is not known. While a thread of
 * another process runs, the kernel adds to this time at each tick of its clock only, 1 to 10 ms. */
int64_t procfs_thread_cpu_ns(const struct target_process *from, pid_t thread);

/* Returns a number that changes whenever a thread runs: if two calls return the same number, and
 * the thread waited at both times, it has not run between them. Returns -1 if it is not known. */
int64_t procfs_thread_activity(const struct target_process *from, pid_t thread);

#endif
