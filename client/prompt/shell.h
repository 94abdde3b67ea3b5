/* SPDX-License-Identifier: BSD-3-Clause
 *
 * shell: the state of the prompt that commands use: the connection, the evaluator, the cells that
 * were typed. Runs cells, prints their results, and connects again.
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
    rpyc_pending *probe;   /* if blocked: a request that needs Python; NULL: the one for the root */
    struct editor *editor; /* borrowed; NULL before the first line is read */
    struct cell_history history; /* since the prompt was opened */
    int ran; /* number of the cell that the last typed line has run; CELL_HISTORY_NO_CELL: none */
    /* The interruption of the cell that runs. */
    bool interrupted;
    int64_t interrupted_at; /* clock_ms; 0: give the cell up at once */
    bool left_input;        /* Ctrl-C was pressed in input() */
};

/* Prepares the connection for cells, if the program runs Python code now. *shell must stay at its
 * address. Borrows conn until shell_close; shell->conn may be another connection then, which the
 * caller has to close. */
int shell_open(struct shell *shell, rpyc_conn *conn, const struct options *options,
               struct rpyc_error *err);
void shell_close(struct shell *shell);

/* True if there is a connection, but the program cannot run Python code: another thread holds the
 * GIL. shell_serve() prepares the connection when it can. */
bool shell_is_blocked(const struct shell *shell);

/* True if the program can run code. Else prints why not, or what to do. */
bool shell_is_connected(struct shell *shell);

/* Closes the connection and opens another one, with a new namespace. Prints errors. */
void shell_reconnect(struct shell *shell);

/* Call when the connection is lost: prints a line and closes it. */
void shell_report_loss(struct shell *shell, const struct rpyc_error *err);

/* Handles messages that arrived on the connection. True: call again, there may be more. */
bool shell_serve(struct shell *shell);

/* Prints `what` and the text of err in one line on stderr. */
void shell_complain(const char *what, const struct rpyc_error *err);

/* Runs a cell and prints its result. Requires a connection. False: mode is CELL_TYPED and the user
 * must type more lines. */
bool shell_run(struct shell *shell, const char *cell, enum cell_mode mode);

/* Adds code to the history and runs it as a cell. */
void shell_run_code(struct shell *shell, const char *code);

/* Calls a helper as cells_call_helper does, and prints the result; or prints why it cannot. */
void shell_call_helper(struct shell *shell, const struct cell_helper *helper, const char *function,
                       const char *argument, const char *source);

/* Adds a typed line or cell to the histories. code: the Python in it; NULL: none. */
void shell_remember(struct shell *shell, const char *typed, const char *code);

#endif
