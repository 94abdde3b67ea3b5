/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cell: runs pieces of Python in the debuggee. Works on every classic service: the Python code that
 * it needs in the debuggee (run_cell.py) is sent as source.
 *
 * All cells of a connection share one namespace, the connection's own, which also contains
 * `modules`, `In`, `Out`, `_` and so on. Text that a cell prints is sent to the client while the
 * cell runs; text that other threads of the debuggee print is not. A cell that reads sys.stdin
 * reads from the client. The value of a cell is shown as pprint shows it; the object stays in the
 * debuggee.
 */
#ifndef CLIENT_EVAL_CELL_H
#define CLIENT_EVAL_CELL_H

#include <sys/types.h>

#include <rpyc.h>

/* The output and input of cells. The functions are called by the thread that runs cells_run. */
struct cell_io {
    void (*write)(void *arg, bool is_error, const char *text, size_t len);
    /* Reads a line with its newline into *line, for free(). Returns its length, 0 at the end of the
     * input, -1 with errno. EINTR raises KeyboardInterrupt in the cell. */
    ssize_t (*read_line)(void *arg, char **line);
    void *arg;
};

/* The cells of one connection. */
struct cells;

/* Prepares the connection for cells, in one round trip. The server imports only modules of the
 * standard library. io is copied. Errors: those of rpyc_execute; RPYC_EREMOTE with AttributeError
 * if the service has no execute. */
int cells_open(struct cells **out, rpyc_conn *conn, const struct cell_io *io,
               struct rpyc_error *err);
void cells_close(struct cells *cells);

enum cell_mode {
    CELL_LAST, /* show the value of the last statement, if it is an expression */
    CELL_EACH, /* a script: print the value of each expression statement */
    CELL_TYPED /* like CELL_LAST; but if the user must type more lines, run nothing */
};

/* The result of a cell. */
struct cell_result {
    bool incomplete;  /* CELL_TYPED: the user must type more lines; nothing was run */
    bool numbered;    /* the cell has used a number; text is its value or traceback */
    bool failed;      /* the cell raised an exception (also SyntaxError); text is the traceback */
    rpyc_value *text; /* a str to show, or NULL; release it with rpyc_unref */
};

/* Functions that decide whether to interrupt a cell. */
struct cell_interrupt {
    /* Called several times a second while a cell runs. Returns true once for each interruption. */
    bool (*wanted)(void *arg);
    /* Called as often. True: stop waiting for the cell, which keeps running. May be NULL. */
    bool (*given_up)(void *arg);
    /* Opens a second connection to the same server. */
    int (*reconnect)(void *arg, rpyc_conn **out, struct rpyc_error *err);
    void *arg;
};

/* Runs a cell, without a time limit. Costs one round trip, and one for each line that it prints.
 *   width      the number of columns for its value
 *   interrupt  may be NULL. When interrupt->wanted returns true, raises KeyboardInterrupt in the
 *              cell, through a second connection. A call that waits in C is not interrupted.
 * Errors: those of the connection; RPYC_ECANCELED if given_up returned true: then only cells_close
 * may be called. */
int cells_run(struct cells *cells, const char *source, int width, enum cell_mode mode,
              const struct cell_interrupt *interrupt, struct cell_result *result,
              struct rpyc_error *err);

/* The number of the next cell, from 0. */
int cells_number(const struct cells *cells);

/* Waits for a pending request, without a time limit. interrupt and errors as in cells_run. */
int cells_wait(struct cells *cells, rpyc_pending *pending, const struct cell_interrupt *interrupt,
               rpyc_value **out, struct rpyc_error *err);

/* ---- Chains: the client evaluates them (proxy.h); to the user they are cells ----------------- */

/* The namespace of the cells, a dict: borrowed. */
rpyc_value *cells_namespace(const struct cells *cells);

/* Call before the steps of a chain: connects the streams of the server's thread to the client. Does
 * not wait. Call one of the next two functions afterwards. */
void cells_begin_chain(struct cells *cells);

/* Shows the value of a chain, and stores it like that of a cell. As cells_run. */
int cells_end_chain(struct cells *cells, const char *source, int width, bool quiet,
                    rpyc_value *value, const struct cell_interrupt *interrupt,
                    struct cell_result *result, struct rpyc_error *err);

/* Ends a chain that has raised an exception. Errors: those of the connection. */
int cells_fail_chain(struct cells *cells, const char *source, struct rpyc_error *err);

/* ---- Helpers --------------------------------------------------------------------------------- */

/* Python source that is sent to the debuggee on first use. It defines one function in the
 * namespace, which is removed and called with run_cell.py's function `run`. The result of that
 * call is kept. */
struct cell_helper {
    const char *source;
    const char *name;     /* the name of that function */
    const char *argument; /* a second argument of the function, a str; NULL: none */
};

/* Returns the result of helper's function: borrowed, valid until cells_close. helper must stay
 * valid until then. NULL with err: as in cells_open. */
rpyc_value *cells_helper(struct cells *cells, const struct cell_helper *helper,
                         struct rpyc_error *err);

/* Calls a helper's object with (function, number of the cell, width, argument, source). It returns
 * (whether that was a cell with a number, True without an exception, text or None), see
 * inspection.py. If result->numbered is false and result->failed is true, the text is one line or a
 * traceback. The other arguments and errors are those of cells_run. */
int cells_call_helper(struct cells *cells, const struct cell_helper *helper, const char *function,
                      const char *argument, const char *source, int width,
                      const struct cell_interrupt *interrupt, struct cell_result *result,
                      struct rpyc_error *err);

#endif
