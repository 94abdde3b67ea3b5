/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cell: runs pieces of Python (cells) in the debuggee, on every classic service. To run them, the
 * client sends the source of run_cell.py to the server.
 *
 * All cells of a connection share one namespace, that of the connection. This namespace also
 * contains `modules`, `In`, `Out`, `_` and so on. Text that a cell prints is sent to the client
 * while the cell runs. Text that other threads of the debuggee print is not sent. A cell that reads
 * sys.stdin reads from the client. The value of a cell is shown as pprint shows it; the object
 * stays in the debuggee.
 */
#ifndef CLIENT_EVAL_CELL_H
#define CLIENT_EVAL_CELL_H

#include <sys/types.h>

#include <rpyc.h>

/* The output and input of cells. The thread that is in cells_run calls these functions. */
struct cell_io {
    void (*write)(void *arg, bool is_error, const char *text, size_t len);
    /* Reads a line with its newline into *line, for free(). Returns its length, 0 at the end of the
     * input, or -1 with errno. With EINTR, the cell gets KeyboardInterrupt. */
    ssize_t (*read_line)(void *arg, char **line);
    void *arg;
};

/* The cells of one connection. */
struct cells;

/* Prepares the connection for cells, in one round trip. Makes the server import only modules of the
 * standard library. Copies *io. Errors: those of rpyc_execute; RPYC_EREMOTE with AttributeError if
 * the service has no method `execute`. */
int cells_open(struct cells **out, rpyc_conn *conn, const struct cell_io *io,
               struct rpyc_error *err);
void cells_close(struct cells *cells);

enum cell_mode {
    CELL_LAST, /* show the value of the last statement, if it is an expression */
    CELL_EACH, /* a script: print the value of each expression statement */
    CELL_TYPED /* like CELL_LAST, but runs nothing if the user must type more lines */
};

/* The result of a cell. */
struct cell_result {
    bool incomplete;  /* CELL_TYPED: the user must type more lines; nothing was run */
    bool numbered;    /* the cell has got a number; text is its value or traceback */
    bool failed;      /* the cell raised an exception (SyntaxError too); text is the traceback */
    rpyc_value *text; /* a str to show, or NULL; release it with rpyc_unref */
};

/* Functions that decide whether to interrupt a cell. */
struct cell_interrupt {
    /* Called several times a second while a cell runs. If it returns true, the cell is interrupted.
     * Must return true only once for each interruption. */
    bool (*wanted)(void *arg);
    /* Called as often as `wanted`. If it returns true, the client stops waiting for the cell, which
     * keeps running. May be NULL. */
    bool (*given_up)(void *arg);
    /* Opens a second connection to the same server, through which the cell is interrupted. */
    int (*reconnect)(void *arg, rpyc_conn **out, struct rpyc_error *err);
    void *arg;
};

/* Runs a cell, without a time limit. Costs one round trip, and one more for each line that the cell
 * prints.
 *   width      the number of columns for its value
 *   interrupt  may be NULL. When interrupt->wanted returns true, raises KeyboardInterrupt in the
 *              cell, through a second connection. This does not end a call that waits in C.
 * Errors: those of the connection; RPYC_ECANCELED if given_up returned true. After RPYC_ECANCELED,
 * only cells_close may be called. */
int cells_run(struct cells *cells, const char *source, int width, enum cell_mode mode,
              const struct cell_interrupt *interrupt, struct cell_result *result,
              struct rpyc_error *err);

/* Returns the number of the next cell. The first cell is 0. */
int cells_number(const struct cells *cells);

/* Waits for the reply to a request, without a time limit. interrupt and errors: as for cells_run.
 */
int cells_wait(struct cells *cells, rpyc_pending *pending, const struct cell_interrupt *interrupt,
               rpyc_value **out, struct rpyc_error *err);

/* ---- Chains: the client evaluates them (proxy.h); to the user they are cells ----------------- */

/* Returns the namespace of the cells, a dict. Borrowed. */
rpyc_value *cells_namespace(const struct cells *cells);

/* Call before the steps of a chain. Connects sys.stdout, sys.stderr and sys.stdin of the server's
 * thread to the client. Does not wait for the reply. Call cells_end_chain or cells_fail_chain after
 * the steps. */
void cells_begin_chain(struct cells *cells);

/* Ends a chain that has a value. Stores the value like the value of a cell. If quiet is false,
 * makes the text to show. Arguments and errors: as for cells_run. */
int cells_end_chain(struct cells *cells, const char *source, int width, bool quiet,
                    rpyc_value *value, const struct cell_interrupt *interrupt,
                    struct cell_result *result, struct rpyc_error *err);

/* Ends a chain that raised an exception. Errors: those of the connection. */
int cells_fail_chain(struct cells *cells, const char *source, struct rpyc_error *err);

/* ---- Helpers --------------------------------------------------------------------------------- */

/* A helper: Python source that is sent to the debuggee when it is first used. The source defines
 * one function in the namespace. The client removes the function from the namespace and calls it
 * with the function `run` of run_cell.py. The result of this call, the helper's object, is kept. */
struct cell_helper {
    const char *source;
    const char *name;     /* the name of the function */
    const char *argument; /* a str, the function's second argument; NULL: it has none */
};

/* Returns the helper's object, and sends the helper first if necessary. Borrowed, valid until
 * cells_close. *helper must stay valid until cells_close. Returns NULL with err on failure; the
 * errors are those of cells_open. */
rpyc_value *cells_helper(struct cells *cells, const struct cell_helper *helper,
                         struct rpyc_error *err);

/* Calls a helper's object with (function, number of the cell, width, argument, source). The object
 * returns a tuple of three items, see inspection.py: whether the call counts as a cell; True if the
 * call has succeeded, else False; the text to show, or None. If result->numbered is false and
 * result->failed is true, the text is a message of one line or a traceback. The other arguments and
 * errors are those of cells_run. */
int cells_call_helper(struct cells *cells, const struct cell_helper *helper, const char *function,
                      const char *argument, const char *source, int width,
                      const struct cell_interrupt *interrupt, struct cell_result *result,
                      struct rpyc_error *err);

#endif
