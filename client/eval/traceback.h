/* SPDX-License-Identifier: BSD-3-Clause
 *
 * traceback: the traceback of a chain that raised an exception, formatted like that of a cell.
 */
#ifndef CLIENT_EVAL_TRACEBACK_H
#define CLIENT_EVAL_TRACEBACK_H

#include <rpyc.h>

/* The traceback of the error of cell `number` with this source, without frames of the server. A new
 * reference to a str; NULL: out of memory. */
rpyc_value *traceback_text(const struct rpyc_error *error, int number, const char *source);

#endif
