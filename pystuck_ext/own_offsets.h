/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The offsets of the CPython that the extension was built for, from its own headers.
 */
#ifndef PYSTUCK_OWN_OFFSETS_H
#define PYSTUCK_OWN_OFFSETS_H

#include "offsets.h"

/* The offsets. The member `minor` is 0 if CPython's internal headers were not installed when the
 * extension was built, or if its version is not supported. */
extern const struct offsets ps_own_offsets;

/* True if these offsets do not contradict the running Python, which may be another release than the
 * headers. From 3.13 on, Python publishes some of its own offsets (_Py_DebugOffsets); these must be
 * equal. Needs no GIL. */
bool ps_offsets_agree(const struct offsets *o);

#endif
