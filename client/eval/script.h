/* SPDX-License-Identifier: BSD-3-Clause
 *
 * script: runs the cells of -c, and a script on standard input.
 *
 * Their output goes to standard output and standard error. Values are printed without Out[N]. The
 * run ends at the first exception, whose traceback is printed on standard error.
 */
#ifndef CLIENT_EVAL_SCRIPT_H
#define CLIENT_EVAL_SCRIPT_H

#include <rpyc.h>

#include "options.h"

/* True if standard input becomes readable or reaches its end within `ms` milliseconds. */
bool script_comes(int ms);

/* True if standard input is not a terminal and has bytes to read now. Does not read and does not
 * wait. */
bool script_is_there(void);

/* Reads standard input to its end. Returns 0 with the script in *script, for free(). *script is
 * NULL if the input is blank or its first bytes cannot be read. Returns -1 with errno if reading
 * fails later, or with EILSEQ if there is a NUL character. */
int script_read(char **script);

/* Runs the cells of -c, and then the script if it is not NULL. In the script, the value of each
 * expression statement is printed. The first Ctrl-C interrupts the cell, the second one ends the
 * client. Returns the exit status: 0 if all cells ended well, 1 after an exception, 128 + SIGINT
 * after an interruption. *err is filled if the connection failed, or if a cell took longer than
 * --timeout (RPYC_ETIMEOUT). It is also filled if a step of a chain was interrupted and the server
 * refuses to run code. */
int script_run(rpyc_conn *conn, const struct options *options, const char *script,
               struct rpyc_error *err);

#endif
