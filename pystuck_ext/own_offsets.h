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

#endif
