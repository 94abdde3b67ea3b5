/* SPDX-License-Identifier: BSD-3-Clause
 *
 * script: cells that nobody types: those of -c, or of a script on standard input.
 *
 * What they print goes to standard output and standard error as it is, values are printed without a
 * prompt, and the first exception is the end, with its traceback on standard error.
 */
#ifndef CLIENT_EVAL_SCRIPT_H
#define CLIENT_EVAL_SCRIPT_H

#include <rpyc.h>

#include "options.h"

/* Whether something is to be read on standard input within so many ms, if only its end. */
bool script_comes(int ms);

/* Whether there is something on standard input that can be read now: a file, or a pipe with text in
 * it. Nothing is read, nor waited for. */
bool script_is_there(void);

/* Reads standard input to its end. 0, with the script, for free(), or NULL where there is nothing
 * in it but blanks, or nothing can be read; -1 with errno, EILSEQ for a NUL character. */
int script_read(char **script);

/* Runs the cells of -c and then, if it is not NULL, the script, whose expression statements each
 * have their value printed. Ctrl-C interrupts the cell over there; pressed again it ends us. The
 * exit status: 0, 1 after an exception, 128 + SIGINT after an interruption. *err is filled where
 * the connection failed or, without cells, a step was interrupted. */
int script_run(rpyc_conn *conn, const struct options *options, const char *script,
               struct rpyc_error *err);

#endif
