/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/outside: reads the stacks of a process from its memory. The process needs no server.
 * Reading does not change or stop the process, and runs none of its code.
 */
#ifndef CLIENT_STACKS_OUTSIDE_H
#define CLIENT_STACKS_OUTSIDE_H

#include <stdbool.h>
#include <sys/types.h>

#include "report.h"

#define OUTSIDE_TEXT_SIZE 1024

enum outside_result {
    OUTSIDE_READ,
    OUTSIDE_NO_PYTHON, /* the process runs no Python whose stacks can be read */
    OUTSIDE_NOT_ALLOWED,
    OUTSIDE_NO_PROCESS, /* there is no such process, or it has ended meanwhile */
    OUTSIDE_FAILED
};

struct outside {
    enum outside_result result;
    bool has_pystuck;             /* the process has loaded the extension module of pystuck */
    char also[OUTSIDE_TEXT_SIZE]; /* a sentence about other Pythons in the process; "": none */
    char why[OUTSIDE_TEXT_SIZE];  /* a sentence about the process, if its stacks were not read */
};

/* How long the reading may be blocked in the kernel if the user has not given a time, in ms. */
#define OUTSIDE_TIMEOUT_MS 3000

/* Adds a process, and the findings about it, to the report. Adds nothing if the process cannot be
 * read. The caller needs the right to trace the process, see ptrace(2). Gives up if the kernel
 * blocks the reading for timeout_ms (0: for OUTSIDE_TIMEOUT_MS). If the function gives up, the
 * thread that reads is left behind. This thread does not keep pystuck from ending. locals: true if
 * local variables must be read, too. Returns out->result. */
enum outside_result outside_read(struct report *report, pid_t pid, int timeout_ms, bool locals,
                                 struct outside *out);

/* Draws the conclusions that concern several processes of the report, and sets report->findings to
 * these conclusions. */
void outside_conclude(struct report *report);

#endif
