/* SPDX-License-Identifier: BSD-3-Clause
 *
 * traceback: makes the traceback of a chain that raised an exception, in the format that the
 * traceback of a cell has.
 */
#ifndef CLIENT_EVAL_TRACEBACK_H
#define CLIENT_EVAL_TRACEBACK_H

#include <rpyc.h>

/* Returns the traceback of an error that the source of cell `number` raised, as a new reference to
 * a str. The traceback has no frames of the server. NULL: out of memory. */
rpyc_value *traceback_text(const struct rpyc_error *error, int number, const char *source);

#endif
