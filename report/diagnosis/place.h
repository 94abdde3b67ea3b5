/* SPDX-License-Identifier: BSD-3-Clause
 *
 * place: where in the program's code a stack is, in a few words: "re.match (rules.py:41)".
 *
 * The first part is the innermost Python function. A function of a library has the name of its
 * module in front. A library is the standard library or an installed package: the file is in
 * lib/pythonX.Y, in site-packages or in dist-packages, or is frozen into Python ("<frozen os>").
 * The part in parentheses is the file, without its folder, and the line of the innermost frame of
 * the program's own code; if the stack has only frames of libraries, of the innermost frame. The
 * code of a module itself has no function: "rules.py:41".
 */
#ifndef REPORT_DIAGNOSIS_PLACE_H
#define REPORT_DIAGNOSIS_PLACE_H

#include "buffer.h"
#include "report.h"

/* Appends the place of a stack with one frame or more. is_about: the line may have changed while
 * the stack was read: "re.match (about rules.py:41)". */
void place_put(struct buffer *out, const report_frames *frames, bool is_about);

#endif
