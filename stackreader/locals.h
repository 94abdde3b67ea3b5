/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The local variables of the frames of a thread. No code of the program runs, and frame.f_locals,
 * which may change the program, is not used.
 *
 * The variables of a module or of the body of a class are in a dict, and are not read.
 */
#ifndef STACKREADER_LOCALS_H
#define STACKREADER_LOCALS_H

#include "report.h"
#include "value_stack.h"

#define LOCAL_NAMES_MAX 256 /* the most variables of one frame that are read */

/* Reads the names of the local variables of a code object, in the order of their slots. Writes the
 * addresses of at most LOCAL_NAMES_MAX str objects to `to`. Returns the number of addresses.
 * Returns 0 if there are more names, or if some of the names cannot be read. */
size_t locals_names(const struct python *py, const struct code_shape *shape, uint64_t *to);

/* Sets *value to the address of the value of a local variable, also if the value is in a cell.
 * Returns false if the variable has no value, or if the value cannot be found. */
bool locals_value(const struct python *py, const struct raw_frame *frame, size_t index,
                  uint64_t *value);

/* Sets `locals` of a frame of a report: the variables that have a value, in the order of the code.
 * `status` of a variable is STATUS_ERROR if its value cannot be read. Leaves `locals` unknown if
 * the names cannot be read, if there are more than LOCAL_NAMES_MAX, or if the arena is full. */
void locals_read(const struct python *py, struct value_room *room, struct arena *arena,
                 const struct raw_frame *frame, struct report_frame *to);

#endif
