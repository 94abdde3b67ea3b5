/* SPDX-License-Identifier: BSD-3-Clause
 *
 * repl: the loop of the prompt: reads a cell from the terminal, runs it, and prints the result.
 */
#ifndef CLIENT_PROMPT_REPL_H
#define CLIENT_PROMPT_REPL_H

#include <rpyc.h>

#include "options.h"

/* Opens a prompt. Returns the exit status when the user leaves the prompt, or if the prompt cannot
 * be opened. If the connection is lost or replaced, closes *conn. Sets *conn to the connection that
 * is open at the end, or to NULL. */
int repl_run(rpyc_conn **conn, const struct options *options);

#endif
