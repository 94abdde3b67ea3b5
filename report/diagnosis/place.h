/* SPDX-License-Identifier: BSD-3-Clause
 *
 * place: describes in a few words which code of the program a stack is in: "re.match
 * (rules.py:41)".
 *
 * The first part is the innermost Python function. If this function is in a library, the name of
 * its module precedes it. A library is the standard library or an installed package: its files are
 * in lib/pythonX.Y, in site-packages or in dist-packages, or are frozen into Python ("<frozen
 * os>").
 *
 * The part in parentheses is a file, without its folder, and a line. The file and the line are
 * those of the innermost frame of the program's own code, or of the innermost frame if all frames
 * are of libraries.
 *
 * For the code of a module itself, which is not in a function, the text is only "rules.py:41".
 */
#ifndef REPORT_DIAGNOSIS_PLACE_H
#define REPORT_DIAGNOSIS_PLACE_H

#include "buffer.h"
#include "report.h"

/* Appends the description of a stack, which must have at least one frame. is_about: true if the
 * line may have changed while the stack was read. In this case, also writes "about": "re.match
 * (about rules.py:41)". */
void place_put(struct buffer *out, const report_frames *frames, bool is_about);

/* Returns the innermost frame of the program's own code. If there is no such frame, returns the
 * innermost frame of the stack. The stack must have at least one frame. */
const struct report_frame *place_own_frame(const report_frames *frames);

/* True if a frame is in the program's own code, not in a library. */
bool place_is_own(const struct report_frame *frame);

/* Appends a file, without its folder, and a line: "rules.py:41". If line is REPORT_UNKNOWN, appends
 * only the file. */
void place_put_line(struct buffer *out, struct report_text file, int64_t line);

/* True if `file` is the file of `module`, a module of a library. The name of the module has the
 * form of a path, such as "asyncio/events". */
bool place_is_in(struct report_text file, const char *module);

#endif
