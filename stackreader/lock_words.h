/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the code of a frame calls an object: "lock", "self.pool._lock", "accounts[3].lock".
 */
#ifndef STACKREADER_LOCK_WORDS_H
#define STACKREADER_LOCK_WORDS_H

#include "report.h"
#include "value_stack.h"

#define LOCK_WORDS_MAX 120 /* bytes */

/* Looks for an object among the local variables of a frame, the global variables that the code of
 * the frame names, and the objects in these variables: a path may consist of a variable and up to
 * three attributes and items. Attributes and items are looked up in dicts, slots, lists and tuples,
 * so no code runs. Returns an unknown text if the object is not found within a limited number of
 * reads. */
struct report_text lock_words(const struct python *py, struct value_room *room, struct arena *arena,
                              const struct raw_frame *frame, uint64_t object);

#endif
