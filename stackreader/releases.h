/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Whether the code of a frame may have released a lock that the frame holds by a `with`.
 */
#ifndef STACKREADER_RELEASES_H
#define STACKREADER_RELEASES_H

#include "value_stack.h"

/* True if the frame may have accessed the attribute `release` of an object since it executed the
 * instruction at offset `since` (in bytes; -1: since it began). True also if the code accesses this
 * attribute of an object that is not known. To find out of which object, uses the present values of
 * variables and attributes. */
bool may_release(const struct python *py, struct value_room *room, const struct raw_frame *frame,
                 int64_t since, uint64_t object);

#endif
