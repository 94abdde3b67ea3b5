/* SPDX-License-Identifier: BSD-3-Clause
 *
 * script: runs the cells of -c, and a script on standard input.
 *
 * Their output goes to standard output and standard error, and values are printed without Out[N].
 * The first exception ends the run, with its traceback on standard error.
 */
#ifndef CLIENT_EVAL_SCRIPT_H
#define CLIENT_EVAL_SCRIPT_H

#include <rpyc.h>

#include "options.h"

/* True if standard input becomes readable, or reaches its end, within `ms` milliseconds. */
bool script_comes(int ms);

/* True if standard input is not a terminal and has bytes to read now. Does not read or wait. */
bool script_is_there(void);

/* Reads standard input to its end. Returns 0 and the script, for free(); *script is NULL if the
 * input is blank or cannot be read. -1 with errno: reading failed in the middle, or EILSEQ for a
 * NUL character. */
int script_read(char **script);

/* Runs the cells of -c and then, if it is not NULL, the script; in the script, the value of each
 * expression statement is printed. The first Ctrl-C interrupts the cell, the second ends the
 * client. Returns the exit status: 0, 1 after an exception, 128 + SIGINT after an interruption.
 * *err is filled if the connection failed, if a cell took longer than --timeout (RPYC_ETIMEOUT), or
 * if a step of a chain was interrupted and the server runs no code. */
int script_run(rpyc_conn *conn, const struct options *options, const char *script,
               struct rpyc_error *err);

#endif
