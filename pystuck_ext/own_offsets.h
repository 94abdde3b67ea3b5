/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Where the structs of CPython have their members, for the CPython whose headers the extension was
 * built with.
 */
#ifndef PYSTUCK_OWN_OFFSETS_H
#define PYSTUCK_OWN_OFFSETS_H

#include "offsets.h"

/* The offsets of the members. If CPython's internal headers were not installed when the extension
 * was built, `minor` is 0 and no offset is known. */
extern const struct offsets ps_own_offsets;

/* True if the offsets do not contradict the running Python, which may be of another release than
 * the headers. From 3.13 on, Python publishes some of its offsets (_Py_DebugOffsets), and they must
 * be equal. Needs no GIL. */
bool ps_offsets_agree(const struct offsets *o);

#endif
