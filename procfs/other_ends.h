/* SPDX-License-Identifier: BSD-3-Clause
 *
 * other_ends: which processes have the other ends of pipes and sockets. Uses no heap memory, and
 * one descriptor at a time. Only processes whose descriptors this process may read are searched.
 */
#ifndef PROCFS_OTHER_ENDS_H
#define PROCFS_OTHER_ENDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* An end that is searched for. */
struct other_end {
    char link[40]; /* its link in /proc/PID/fd, "pipe:[4711]"; "": no search
                    */
    mode_t access; /* S_IWUSR: it can be written to; S_IRUSR: it can be read; 0: either */
    pid_t first;   /* a process that has the end, but not the own one; 0: none found */
    bool several;  /* more than one such process has it */
    bool is_own;   /* the own process has the end itself */
};

/* Searches all processes for the ends in `ends`. own: the process that has the near ends, that is,
 * the descriptors whose other ends are searched for. Returns false if the search was
 * not completed before the deadline, in ms of CLOCK_MONOTONIC. */
bool other_ends_search(struct other_end *ends, size_t count, pid_t own, int64_t deadline);

/* Returns the process that has the end. If exactly one process other than `own` has the end,
 * returns that process. If no other process has it but `own` does, returns `own`. Returns 0 if no
 * process was found, or if several other processes have the end. */
pid_t other_end_process(const struct other_end *end, pid_t own);

#endif
