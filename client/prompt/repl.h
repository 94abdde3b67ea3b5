/* SPDX-License-Identifier: BSD-3-Clause
 *
 * repl: the loop of the prompt: reads a cell from the terminal, runs it, prints the result.
 */
#ifndef CLIENT_PROMPT_REPL_H
#define CLIENT_PROMPT_REPL_H

#include <rpyc.h>

#include "options.h"

/* Opens a prompt and returns the exit status when the user leaves it. Takes *conn; sets it to the
 * connection that is open at the end, or NULL. */
int repl_run(rpyc_conn **conn, const struct options *options);

#endif
