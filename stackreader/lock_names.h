/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the code of a frame calls an object: "lock", "self.pool._lock", "accounts[3].lock".
 */
#ifndef STACKREADER_LOCK_NAMES_H
#define STACKREADER_LOCK_NAMES_H

#include "report.h"
#include "value_stack.h"

#define LOCK_NAME_MAX 120 /* bytes */

/* Finds an expression that leads to an object, and returns the expression as text, for example
 * "self.lock". The expression starts at a local variable of the frame, or at a global variable that
 * the frame's code names, and has up to three attributes and items. Attributes and items are looked
 * up in dicts, slots, lists and tuples, so no code of the process runs. Returns an unknown text if
 * no expression is found within a limited number of reads. */
struct report_text lock_name(const struct python *py, struct value_room *room, struct arena *arena,
                             const struct raw_frame *frame, uint64_t object);

#endif
