/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cell: a piece of Python, run in the debuggee, and what comes of it. Works on every classic
 * service: what it needs over there is Python source that goes along (bootstrap.py).
 *
 * Cells share one namespace, the connection's own, with `modules`, `In`, `Out`, `_` and so on in
 * it. What a cell prints, and no other thread of the debuggee's, comes here while it runs, and what
 * it reads from sys.stdin is read here. Its value is shown as pprint would; the objects stay there.
 */
#ifndef CLIENT_EVAL_CELL_H
#define CLIENT_EVAL_CELL_H

#include <sys/types.h>

#include <rpyc.h>

/* Where the output of cells goes, and their input comes from. Called by the thread that is in
 * cells_run. */
struct cell_io {
    void (*write)(void *arg, bool is_error, const char *text, size_t len);
    /* A line with its newline in *line, for free(); its length, 0 at the end, -1 with errno, where
     * EINTR becomes a KeyboardInterrupt in the cell. */
    ssize_t (*read_line)(void *arg, char **line);
    void *arg;
};

/* A session of cells on one connection. */
struct cells;

/* Starts one: one round trip, and nothing is imported that a server does not have already. io is
 * copied. Errors: those of rpyc_execute; RPYC_EREMOTE with AttributeError where the service has no
 * execute. */
int cells_open(struct cells **out, rpyc_conn *conn, const struct cell_io *io,
               struct rpyc_error *err);
void cells_close(struct cells *cells);

/* How a cell came about. */
enum cell_mode {
    CELL_LAST, /* it is given: the value of its last statement, if that is an expression, is shown
                */
    CELL_EACH, /* it is a script: the value of each expression statement is printed as it comes */
    CELL_TYPED /* as CELL_LAST; but there may be more to come, and then nothing is run */
};

/* What came of a cell. */
struct cell_result {
    bool incomplete;  /* CELL_TYPED: nothing came of it yet */
    bool numbered;    /* it has taken a number: text is its value, or why it has none */
    bool failed;      /* it raised an exception, also for bad syntax: text is the traceback */
    rpyc_value *text; /* what is to be shown, a str, or NULL for nothing; to be unref'ed */
};

/* What interrupts a cell. */
struct cell_interrupt {
    /* Asked several times a second while a cell runs; true once for each interruption. */
    bool (*wanted)(void *arg);
    /* Asked as often: true gives the cell up, which goes on over there. May be NULL. */
    bool (*given_up)(void *arg);
    /* Makes a second connection to the same server. */
    int (*reconnect)(void *arg, rpyc_conn **out, struct rpyc_error *err);
    void *arg;
};

/* Runs a cell, however long it takes. One round trip, and one more for each line that it prints.
 *   width      columns that its value may take
 *   interrupt  raises KeyboardInterrupt in the cell when it is wanted, by a second connection;
 *              what waits in C over there goes on until it is done with that. NULL: nothing does
 * Errors: those of the connection; RPYC_ECANCELED where it was given up: cells is of no more use
 * then. */
int cells_run(struct cells *cells, const char *source, int width, enum cell_mode mode,
              const struct cell_interrupt *interrupt, struct cell_result *result,
              struct rpyc_error *err);

/* Has something looked at, or run in a way of its own: see the functions do_... in inspection.py.
 *   argument  of that function
 *   source    the text of a file, where that is what it is about, else ""
 * The other arguments, and errors, are those of cells_run. Where the result is numbered, it was as
 * a cell; else text is all there is to say, or, in one line if it was no exception, why it failed.
 */
int cells_inspect(struct cells *cells, const char *function, const char *argument,
                  const char *source, int width, const struct cell_interrupt *interrupt,
                  struct cell_result *result, struct rpyc_error *err);

/* The number of the next cell, from 0. */
int cells_number(const struct cells *cells);

/* Waits, however long it takes, for a request that was begun: as cells_run does. */
int cells_wait(struct cells *cells, rpyc_pending *pending, const struct cell_interrupt *interrupt,
               rpyc_value **out, struct rpyc_error *err);

/* ---- Chains: what is a cell to the user, and evaluated on this side (proxy.h) ---- */

/* The namespace of the cells, a dict: borrowed. */
rpyc_value *cells_namespace(const struct cells *cells);

/* A call by a proxy is to come: what it prints shall come here, and what it reads be read here.
 * Waits for nothing; one of the next two functions ends it. */
void cells_begin_chain(struct cells *cells);

/* The chain has this value: shows it, and remembers it as that of a cell. As cells_run. */
int cells_end_chain(struct cells *cells, const char *source, int width, bool quiet,
                    rpyc_value *value, const struct cell_interrupt *interrupt,
                    struct cell_result *result, struct rpyc_error *err);

/* The chain has raised an exception. Errors: those of the connection. */
int cells_fail_chain(struct cells *cells, const char *source, struct rpyc_error *err);

/* What else is done over there, by Python of ours that goes along when it is first wanted. */
enum cells_helper {
    CELLS_COMPLETION, /* completion.py */
    CELLS_INSPECTION, /* inspection.py */
    CELLS_HELPERS     /* how many there are */
};

/* The function that a helper is, see its source: borrowed, for as long as cells is there. NULL with
 * err filled: errors as of cells_open. */
rpyc_value *cells_helper(struct cells *cells, enum cells_helper which, struct rpyc_error *err);

#endif
