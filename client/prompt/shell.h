/* SPDX-License-Identifier: BSD-3-Clause
 *
 * shell: the state of the prompt that its commands use: the connection, the evaluator, and the
 * cells that were typed. Runs cells, prints their results, and can connect again.
 */
#ifndef CLIENT_PROMPT_SHELL_H
#define CLIENT_PROMPT_SHELL_H

#include <rpyc.h>

#include "eval/cell.h"
#include "eval/evaluator.h"
#include "options.h"
#include "prompt/cell_history.h"
#include "prompt/editor.h"

struct shell {
    const struct options *options;
    rpyc_conn *conn;             /* NULL: the connection is lost */
    struct evaluator *evaluator; /* NULL: the connection is lost, or shell_is_blocked() */
    rpyc_pending *probe;   /* if blocked: a pending request that needs Python; NULL: the pending
                            * request is the one for the root */
    struct editor *editor; /* borrowed; NULL before the first line is read */
    struct cell_history history; /* of this prompt */
    int ran; /* the number of the cell that the last typed line ran, or CELL_HISTORY_NO_CELL */
    /* Whether and when the running cell was interrupted by Ctrl-C. */
    bool interrupted;
    int64_t interrupted_at; /* the time of this Ctrl-C, as clock_ms; 0: give the cell up at once */
    bool left_input;        /* Ctrl-C was pressed in input() */
};

/* Prepares the connection for cells, if the program can run Python code now; otherwise the shell is
 * blocked. *shell must not move. Borrows conn until shell_close. After shell_close, the caller
 * closes shell->conn, which may be another connection than conn by then. */
int shell_open(struct shell *shell, rpyc_conn *conn, const struct options *options,
               struct rpyc_error *err);
void shell_close(struct shell *shell);

/* True if there is a connection, but the program cannot run Python code, for example because
 * another thread holds the GIL. shell_serve() prepares the connection for cells when the program
 * can run Python again. */
bool shell_is_blocked(const struct shell *shell);

/* True if the program can run code. Otherwise returns false and prints why the program cannot run
 * code or, if there is no connection, how to connect again. */
bool shell_is_connected(struct shell *shell);

/* Closes the connection and opens a new connection, with a new namespace. Prints an error if
 * connecting fails.
 */
void shell_reconnect(struct shell *shell);

/* Call when the connection is lost. Prints err and closes the connection. */
void shell_report_loss(struct shell *shell, const struct rpyc_error *err);

/* Handles messages that have arrived on the connection. Returns true if there may be more messages;
 * in this case, call the function again. */
bool shell_serve(struct shell *shell);

/* Prints `what` and the text of err as one line on stderr. */
void shell_complain(const char *what, const struct rpyc_error *err);

/* Runs a cell and prints its result. shell_is_connected() must be true. Returns false if mode is
 * CELL_TYPED and the user must type more lines. */
bool shell_run(struct shell *shell, const char *cell, enum cell_mode mode);

/* Adds code to the history and runs the code as a cell. */
void shell_run_code(struct shell *shell, const char *code);

/* Calls a helper as cells_call_helper does, and prints the result. If the helper cannot be called,
 * prints why. */
void shell_call_helper(struct shell *shell, const struct cell_helper *helper, const char *function,
                       const char *argument, const char *source);

/* Adds a typed line or cell to the history of cells and to the editor's history. code: the Python
 * code in the typed text; NULL: the text has none. */
void shell_remember(struct shell *shell, const char *typed, const char *code);

#endif
