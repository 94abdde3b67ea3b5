/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/print_stack: prints one stack as text.
 */
#ifndef CLIENT_STACKS_PRINT_STACK_H
#define CLIENT_STACKS_PRINT_STACK_H

#include <stdbool.h>
#include <stdio.h>

#include "report.h"

/* How text is printed. */
struct printer {
    FILE *stream;
    void (*name)(FILE *stream, const char *text, size_t len); /* prints a text of the report */
    bool is_plain;  /* FORMAT_PLAIN: no colours, and only the stacks */
    bool is_full;   /* leave out no frames, and merge no threads */
    bool no_locals; /* print no local variables, because they belong to one of several threads */
    bool is_brief;  /* only what has notes, with one frame: the innermost of the program's code */
    int indent;     /* the number of spaces in front of each line of a title, frames or notes */
};

/* Print a text of the report, or "?" if the text is unknown. print_title prints the text as a title
 * on a line of its own, followed by the remark. */
void print_name(const struct printer *p, struct report_text text);
void print_title(const struct printer *p, struct report_text title, const char *remark);

/* Prints a title, a remark, and for how long the stack has not changed. unchanged_ms: this time, as
 * in report_thread. If it is REPORT_UNKNOWN or 0, prints only the title and the remark. */
void print_thread_title(const struct printer *p, struct report_text title, const char *remark,
                        int64_t unchanged_ms);

/* Prints the frames of a stack, the innermost last. Unless p is plain or full, leaves out the
 * outermost frames if they only start the thread or the program. If p is brief, prints one frame.
 */
void print_frames(const struct printer *p, const report_frames *frames);

/* Prints notes below the frames, each on a line that begins with "  # ". */
void print_notes(const struct printer *p, const report_texts *notes);

#endif
