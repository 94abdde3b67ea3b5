/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The memory of another process. Reading changes nothing in the process and does not stop it.
 */
#ifndef STACKREADER_MEMORY_PID_H
#define STACKREADER_MEMORY_PID_H

#include "memory.h"

/* A thread of the process. */
struct memory_pid_thread {
    /* The ID that the caller has for the thread, and the ID that the thread's process has for it.
     * They differ if the process is in another PID namespace, such as a container. */
    pid_t ours, theirs;

    /* The latest activity of the thread (see memory.h), and how many times the thread had got a CPU
     * until then. starts is 0 if the activity is not known. */
    int64_t activity, starts;
    int schedstat; /* the open file of this name, or -1 */
};

struct memory_pid {
    pid_t pid;  /* the ID that the caller has for the process */
    pid_t live; /* a thread that has not ended: the main thread may end before others */
    int folder; /* /proc/PID/task. The descriptor refers to this process even if another process
                 * gets the same ID later */
    int file;   /* /proc/PID/mem, if process_vm_readv(2) is not allowed; -1: not open */
    struct memory_pid_thread *threads; /* sorted by `theirs` */
    size_t thread_count;
};

/* Opens the memory of a process, and lists its threads. Returns 0 or an errno: ESRCH if there is no
 * such process, ENOMEM. Does not find out whether the memory may be read. Call memory_pid_close in
 * both cases. */
int memory_pid_open(struct memory_pid *m, pid_t pid);

void memory_pid_close(struct memory_pid *m);

/* Writes the path of a file of /proc that belongs to the process, such as "maps", to `out`. */
void memory_pid_path(const struct memory_pid *m, const char *name, char *out, size_t size);

/* Tries to read the memory at an address that is mapped. Returns 0 or an errno: EPERM if reading is
 * not allowed, ESRCH if the process has ended, EFAULT if the address is not readable. */
int memory_pid_try(struct memory_pid *m, uint64_t address);

/* Returns functions that read this memory. *m must not be moved or freed while the functions are
 * used. */
struct memory memory_pid(const struct memory_pid *m);

/* Returns the ID that the caller has for a thread; 0: there is no such thread. theirs: the ID that
 * the process has for the thread. */
pid_t memory_pid_thread(const struct memory_pid *m, pid_t theirs);

/* Returns the activity of a thread (see memory.h) if the thread has not run since its activity was
 * read last. Returns -1 if it has run, or if finding this out takes longer than reading the
 * activity again. ours: the ID that the caller has for the thread. */
int64_t memory_pid_switches(const struct memory_pid *m, pid_t ours);

#endif
