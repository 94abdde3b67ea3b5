/* SPDX-License-Identifier: BSD-3-Clause
 *
 * traceback: the traceback of a chain that raised an exception, as a cell's would be.
 */
#ifndef CLIENT_EVAL_TRACEBACK_H
#define CLIENT_EVAL_TRACEBACK_H

#include <rpyc.h>

/* The traceback of the error of cell `number`, which was this source: a new reference to a str, or
 * NULL without memory. What the server's own frames say is left out. */
rpyc_value *traceback_text(const struct rpyc_error *error, int number, const char *source);

#endif
