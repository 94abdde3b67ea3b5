/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Hand-made reports about threads that wait for objects and hold them.
 */
#ifndef WAITING_H
#define WAITING_H

#include "reports.h"

#define WAITING_MAX 12

/* A report with one process. Threads and objects are named by letters and numbers. The file of all
 * frames is bank.py. */
struct waiting {
    struct report r;
    struct report_process *p;
};

#define AUTO_WAITING _cleanup_(waiting_free) struct waiting

/* A report on which a process has neither threads nor objects. */
struct waiting waiting_make(void);
void waiting_free(struct waiting *w);

/* Return a thread or an object, which they add if there is none with this name. The id of thread
 * "a" is "thread:a", that of object "x" is "obj:x". An object is a Lock. A new thread has one
 * frame, in line 1. */
struct report_thread *thread_of(struct waiting *w, const char *name);
struct report_object *object_of(struct waiting *w, const char *name);

/* Gives a thread a stack: files and functions, the outermost first. The lines are 1, 2 and so on.
 */
void set_stack(struct waiting *w, struct report_thread *t, const char *const (*calls)[2],
               size_t count);

/* The folder of the standard library. */
#define LIB "/usr/lib/python3.11/"

/* Adds the hold of an object since a line, seen by `with`, and makes the thread the object's
 * holder: the only one if it has none yet, else one of several that may have it. */
struct report_hold *hold(struct waiting *w, const char *thread, const char *object, int64_t line);

/* Lets a thread wait in a line for an object (seen), or for the end of a thread if the id begins
 * with "thread:". */
struct report_wait *wait_for(struct waiting *w, const char *thread, const char *id, int64_t line);

/* Draws all conclusions. */
void conclude(struct waiting *w);

/* Draws all conclusions, and checks the findings: their texts and lines, in order, each with a
 * newline behind it. */
void assert_findings(struct waiting *w, const char *wanted);

/* Checks the notes of a thread in the same way. */
void assert_notes(struct waiting *w, const char *thread, const char *wanted);

#endif
