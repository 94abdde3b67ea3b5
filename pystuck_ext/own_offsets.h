/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The offsets of the CPython that the extension was built for, from its own headers.
 */
#ifndef PYSTUCK_OWN_OFFSETS_H
#define PYSTUCK_OWN_OFFSETS_H

#include "offsets.h"

/* The member `minor` is 0 if CPython's internal headers were not installed when the extension was
 * built, or if its version is not supported. */
extern const struct offsets ps_own_offsets;

/* True if the running Python does not contradict these offsets. From 3.13 on, it tells some of its
 * own offsets (_Py_DebugOffsets); it may be another release than the headers. Needs no GIL. */
bool ps_offsets_agree(const struct offsets *o);

#endif
