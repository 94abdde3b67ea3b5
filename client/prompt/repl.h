/* SPDX-License-Identifier: BSD-3-Clause
 *
 * repl: the prompt. Reads a cell from the terminal, has it run in the debuggee, shows what came of
 * it, and so on, as IPython does.
 */
#ifndef CLIENT_PROMPT_REPL_H
#define CLIENT_PROMPT_REPL_H

#include <rpyc.h>

#include "options.h"

/* Goes on until the user leaves. *conn may be another connection in the end, or NULL. The exit
 * status. */
int repl_run(rpyc_conn **conn, const struct options *options);

#endif
