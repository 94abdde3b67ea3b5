/* SPDX-License-Identifier: BSD-3-Clause
 *
 * failure: the traceback of a chain that raised an exception, as a cell's would be.
 */
#ifndef CLIENT_FAILURE_H
#define CLIENT_FAILURE_H

#include <rpyc.h>

/* The traceback of the error of cell `number`, which was this source: a new reference to a str, or
 * NULL without memory. What the server's own frames say is left out. */
rpyc_value *failure_text(const struct rpyc_error *error, int number, const char *source);

#endif
