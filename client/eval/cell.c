/* SPDX-License-Identifier: BSD-3-Clause */
#include "eval/cell.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "clean.h"
#include "eval/sent_module.h"
#include "eval/wait.h"
#include "queue.h"

/* The name of the function in which run_cell.py is sent. */
#define BOOTSTRAP_NAME "_pystuck_cells"

static const char bootstrap[] = SENT_MODULE_BEGIN(BOOTSTRAP_NAME)
#include "eval/run_cell.inc"
    SENT_MODULE_END;

/* The state that is shared by all functions of the client that the server holds. The server may
 * call and release these functions even after cells_close. */
struct callbacks {
    int count;           /* number of these functions that are not released yet */
    struct cells *cells; /* NULL after cells_close */
};

/* A helper that was sent to the server. */
struct sent_helper {
    const struct cell_helper *helper;
    rpyc_value *object;
    SLIST_ENTRY(sent_helper) next;
};

struct cells {
    rpyc_conn *conn; /* borrowed */
    struct cell_io io;
    struct callbacks *callbacks;
    int waiting;       /* number of running cells_wait calls; input is read only while there is
                        * one */
    rpyc_value *begun; /* the tuple that is the value of run_cell.py */
    rpyc_value *run;   /* the function `run` in it; borrowed from begun */
    rpyc_pending *beginning; /* the request of cells_begin_chain, or NULL */
    SLIST_HEAD(, sent_helper) helpers;
    int number;     /* the number of the next cell */
    int64_t thread; /* ident of the server's thread that runs the cells */
};

/* ---- The client's functions, which the server calls ------------------------------------------ */

/* Returns the cells that a function belongs to. After cells_close, returns NULL with err. */
static struct cells *cells_of(void *self, struct rpyc_error *err)
{
    const struct callbacks *callbacks = self;

    if (!callbacks->cells)
        rpyc_raise(err, "EOFError", "the client has ended");
    return callbacks->cells;
}

static int pass_on(struct cells *c, rpyc_value *args, bool is_error, struct rpyc_error *err)
{
    size_t len;
    const char *text = rpyc_str(rpyc_item(args, 0), &len);

    if (!c)
        return -1;
    if (!text)
        return rpyc_raise(err, "TypeError", "expected a str");
    c->io.write(c->io.arg, is_error, text, len);
    return 0;
}

static int write_out(void *self, const char *method, rpyc_value *args, rpyc_value *kwargs,
                     rpyc_value **out, struct rpyc_error *err)
{
    (void)method;
    (void)kwargs;
    (void)out;
    return pass_on(cells_of(self, err), args, false, err);
}

static int write_err(void *self, const char *method, rpyc_value *args, rpyc_value *kwargs,
                     rpyc_value **out, struct rpyc_error *err)
{
    (void)method;
    (void)kwargs;
    (void)out;
    return pass_on(cells_of(self, err), args, true, err);
}

/* Reads a line for a cell. Raises OSError if no cell runs, because only a running cell may read the
 * client's standard input. */
static int read_line(void *self, const char *method, rpyc_value *args, rpyc_value *kwargs,
                     rpyc_value **out, struct rpyc_error *err)
{
    struct cells *c = cells_of(self, err);
    char *line = NULL;
    ssize_t len;
    int result;

    (void)method;
    (void)args;
    (void)kwargs;
    if (!c)
        return -1;
    if (c->waiting == 0)
        return rpyc_raise(err, "OSError",
                          "only a running cell may read the client's standard input");
    len = c->io.read_line(c->io.arg, &line);
    if (len < 0 && errno == EINTR)
        result = 0; /* returns None, so run_cell.py raises KeyboardInterrupt */
    else if (len < 0)
        result = rpyc_raise(err, "OSError", "the client cannot read its standard input");
    else
        result = rpyc_build(out, err, "z", line ? line : "", (size_t)len);
    free(line);
    return result;
}

static int tell_thread(void *self, const char *method, rpyc_value *args, rpyc_value *kwargs,
                       rpyc_value **out, struct rpyc_error *err)
{
    struct cells *c = cells_of(self, err);

    (void)method;
    (void)kwargs;
    (void)out;
    return c ? rpyc_int64(rpyc_item(args, 0), &c->thread, err) : -1;
}

static void release_function(void *self)
{
    struct callbacks *callbacks = self;

    if (--callbacks->count == 0 && !callbacks->cells)
        free(callbacks);
}

/* The operations of an object that is a function of the client. Every version of rpyc knows the
 * class builtins.function, and that its objects can be called. */
#define FUNCTION(function)                                                                         \
    {                                                                                              \
        .class_name = "builtins.function", .call = (function), .destroy = release_function         \
    }

enum { WRITE_OUT, WRITE_ERR, READ_LINE, TELL_THREAD, FUNCTIONS };

static const struct rpyc_ops functions[FUNCTIONS] = {
    [WRITE_OUT] = FUNCTION(write_out),
    [WRITE_ERR] = FUNCTION(write_err),
    [READ_LINE] = FUNCTION(read_line),
    [TELL_THREAD] = FUNCTION(tell_thread),
};

static int make_function(struct cells *c, int which, rpyc_value **out, struct rpyc_error *err)
{
    if (rpyc_object(out, &functions[which], c->callbacks, err) < 0)
        return -1;
    c->callbacks->count++;
    return 0;
}

/* ---- Opening and closing --------------------------------------------------------------------- */

/* The indexes of the items in the tuple that run_cell.py returns as its `value`. */
enum begun {
    BEGUN_RUN,
    BEGUN_THREAD,
    BEGUN_NAMESPACE,
    BEGUN_BEGIN_CHAIN,
    BEGUN_END_CHAIN,
    BEGUN_FAIL_CHAIN
};

static rpyc_value *begun(const struct cells *c, enum begun which)
{
    return rpyc_item(c->begun, which);
}

/* Removes a function from the connection's namespace and returns the function. The function must
 * have been defined there by Python source that the client sent before. Uses no builtin, since the
 * user may have assigned to the builtin's name in the namespace. */
static int take_function(rpyc_conn *conn, const char *name, rpyc_value **out,
                         struct rpyc_error *err)
{
    char code[100];

    snprintf(code, sizeof(code), "%s.__globals__.pop('%s')", name, name);
    return rpyc_eval(conn, code, out, err);
}

/* Calls the function in which run_cell.py was sent, and passes it the client's functions. */
static int begin(struct cells *c, rpyc_value *function, struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *to_out = NULL;
    CLEAN_VALUE rpyc_value *to_err = NULL;
    CLEAN_VALUE rpyc_value *line = NULL;
    CLEAN_VALUE rpyc_value *tell = NULL;

    if (make_function(c, WRITE_OUT, &to_out, err) < 0 ||
        make_function(c, WRITE_ERR, &to_err, err) < 0 ||
        make_function(c, READ_LINE, &line, err) < 0 ||
        make_function(c, TELL_THREAD, &tell, err) < 0 ||
        rpyc_call(function, &c->begun, err, "OOOO", to_out, to_err, line, tell) < 0)
        return -1;
    c->run = begun(c, BEGUN_RUN);
    return rpyc_int64(begun(c, BEGUN_THREAD), &c->thread, err);
}

static struct cells *new_cells(rpyc_conn *conn, const struct cell_io *io)
{
    struct cells *c = calloc(1, sizeof(*c));
    struct callbacks *callbacks = calloc(1, sizeof(*callbacks));

    if (!c || !callbacks) {
        free(c);
        free(callbacks);
        return NULL;
    }
    c->conn = conn;
    c->io = *io;
    c->callbacks = callbacks;
    callbacks->cells = c;
    SLIST_INIT(&c->helpers);
    return c;
}

int cells_open(struct cells **out, rpyc_conn *conn, const struct cell_io *io,
               struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *function = NULL;
    struct cells *c;

    if (rpyc_execute(conn, bootstrap, err) < 0 ||
        take_function(conn, BOOTSTRAP_NAME, &function, err) < 0)
        return -1;
    c = new_cells(conn, io);
    if (!c)
        return rpyc_raise(err, "MemoryError", "out of memory");
    if (begin(c, function, err) < 0) {
        cells_close(c);
        return -1;
    }
    *out = c;
    return 0;
}

void cells_close(struct cells *c)
{
    struct sent_helper *sent;

    if (!c)
        return;
    while ((sent = SLIST_FIRST(&c->helpers))) {
        SLIST_REMOVE_HEAD(&c->helpers, next);
        rpyc_unref(sent->object);
        free(sent);
    }
    rpyc_pending_free(c->beginning);
    rpyc_unref(c->begun);
    c->callbacks->cells = NULL;
    if (c->callbacks->count == 0)
        free(c->callbacks);
    free(c);
}

/* ---- Helpers --------------------------------------------------------------------------------- */

/* Sends the source of a helper and calls its function. */
static int make_helper(struct cells *c, const struct cell_helper *helper, rpyc_value **out,
                       struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *make = NULL;

    if (rpyc_execute(c->conn, helper->source, err) < 0 ||
        take_function(c->conn, helper->name, &make, err) < 0)
        return -1;
    if (!helper->argument)
        return rpyc_call(make, out, err, "O", c->run);
    return rpyc_call(make, out, err, "Os", c->run, helper->argument);
}

rpyc_value *cells_helper(struct cells *c, const struct cell_helper *helper, struct rpyc_error *err)
{
    struct sent_helper *sent;

    SLIST_FOREACH (sent, &c->helpers, next)
        if (sent->helper == helper)
            return sent->object;
    sent = calloc(1, sizeof(*sent));
    if (!sent) {
        rpyc_raise(err, "MemoryError", "out of memory");
        return NULL;
    }
    sent->helper = helper;
    if (make_helper(c, helper, &sent->object, err) < 0) {
        free(sent);
        return NULL;
    }
    SLIST_INSERT_HEAD(&c->helpers, sent, next);
    return sent->object;
}

/* ---- Running --------------------------------------------------------------------------------- */

/* Python source that interrupts the cell, or the call of a chain, that a thread of the server runs.
 *
 * On a thread of a pystuck server, the source raises KeyboardInterrupt in all cases. If the cell or
 * the call has just ended, the server drops the exception.
 *
 * On a thread of a stock server, there are three cases:
 *   - The thread runs a cell. The source raises KeyboardInterrupt.
 *   - The thread runs a call of a chain. The source raises an exception of a class derived from
 *     KeyboardInterrupt, because KeyboardInterrupt itself would end the thread.
 *   - The cell or the call has just ended. The source raises nothing, because any exception would
 *     end the thread. */
static const char interrupt_thread[] =
    "def _pystuck_interrupt(ident):\n"
    "    import ctypes, sys\n"
    "    exception = frame = None\n"
    "    if '_pystuck' in sys.modules and ident in sys.modules['_pystuck'].own_threads():\n"
    "        exception = KeyboardInterrupt\n"
    "    else:\n"
    "        frame = sys._current_frames().get(ident)\n"
    "    while frame is not None and exception is None:\n"
    "        caller, name = frame.f_back, frame.f_code.co_name\n"
    "        if name == '_pystuck_cell':\n"
    "            exception = KeyboardInterrupt\n"
    "        elif name.startswith('_handle_') and caller and caller.f_code.co_name == "
    "'_dispatch_request':\n"
    "            exception = type(\n"
    "                'KeyboardInterrupt', (KeyboardInterrupt,), {'__module__': 'builtins'})\n"
    "        frame = caller\n"
    "    if exception is not None:\n"
    "        ctypes.pythonapi.PyThreadState_SetAsyncExc(\n"
    "            ctypes.c_ulong(ident), ctypes.py_object(exception))\n"
    "_pystuck_interrupt(%" PRId64 ")\n";

/* Raises KeyboardInterrupt in the cell, through a second connection. */
static void interrupt_cell(const struct cells *c, const struct cell_interrupt *interrupt)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    char source[sizeof(interrupt_thread) + 20];

    snprintf(source, sizeof(source), interrupt_thread, c->thread);
    if (interrupt->reconnect(interrupt->arg, &conn, &err) == 0)
        rpyc_execute(conn, source, &err);
    rpyc_close(conn);
}

/* The argument of goes_on(): how to interrupt the request whose reply the client waits for. */
struct waiting {
    const struct cells *cells;
    const struct cell_interrupt *interrupt;
};

/* Interrupts the cell if `wanted` returns true. Returns false if `given_up` returns true, which
 * means that the client must stop waiting. */
static bool goes_on(void *arg)
{
    const struct waiting *w = arg;

    if (w->interrupt->given_up && w->interrupt->given_up(w->interrupt->arg))
        return false;
    if (w->interrupt->wanted(w->interrupt->arg))
        interrupt_cell(w->cells, w->interrupt);
    return true;
}

int cells_wait(struct cells *c, rpyc_pending *pending, const struct cell_interrupt *interrupt,
               rpyc_value **answer, struct rpyc_error *err)
{
    struct waiting waiting = {c, interrupt};
    int status;

    c->waiting++;
    status = wait_for_reply(pending, interrupt ? goes_on : NULL, &waiting, answer, err);
    c->waiting--;
    return status;
}

/* Reads the last two items of an answer. ok: True, or False after an exception. text: a str or
 * None. */
static int read_outcome(rpyc_value *ok, rpyc_value *text, struct cell_result *result,
                        struct rpyc_error *err)
{
    bool well;

    if (rpyc_truth(ok, &well, err) < 0)
        return -1;
    result->failed = !well;
    result->text = rpyc_type_of(text) == RPYC_STR ? rpyc_ref(text) : NULL;
    return 0;
}

/* Checks that an answer is a tuple with `count` items. */
static int check_answer(rpyc_value *answer, size_t count, struct rpyc_error *err)
{
    if (rpyc_type_of(answer) == RPYC_TUPLE && rpyc_length(answer) == count)
        return 0;
    err->code = RPYC_EPROTOCOL;
    snprintf(err->text, sizeof(err->text),
             "invalid answer to a cell: expected a tuple of %zu items", count);
    return -1;
}

/* Reads the answer of `run` in run_cell.py. (None, None) means that the user must type more lines.
 */
static int read_answer(struct cells *c, rpyc_value *answer, struct cell_result *result,
                       struct rpyc_error *err)
{
    *result = (struct cell_result){0};
    if (check_answer(answer, 2, err) < 0)
        return -1;
    result->incomplete = rpyc_type_of(rpyc_item(answer, 0)) == RPYC_NONE;
    if (result->incomplete)
        return 0;
    result->numbered = true;
    c->number++;
    return read_outcome(rpyc_item(answer, 0), rpyc_item(answer, 1), result, err);
}

/* Reads the answer of a helper, see cells_call_helper. */
static int read_helper_answer(struct cells *c, rpyc_value *answer, struct cell_result *result,
                              struct rpyc_error *err)
{
    *result = (struct cell_result){0};
    if (check_answer(answer, 3, err) < 0 ||
        rpyc_truth(rpyc_item(answer, 0), &result->numbered, err) < 0)
        return -1;
    c->number += result->numbered;
    return read_outcome(rpyc_item(answer, 1), rpyc_item(answer, 2), result, err);
}

/* Waits for the result of a cell. Frees pending. */
static int finish(struct cells *c, rpyc_pending *pending, const struct cell_interrupt *interrupt,
                  struct cell_result *result, struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *answer = NULL;
    int status = cells_wait(c, pending, interrupt, &answer, err);

    rpyc_pending_free(pending);
    return status < 0 ? -1 : read_answer(c, answer, result, err);
}

int cells_number(const struct cells *c)
{
    return c->number;
}

int cells_run(struct cells *c, const char *source, int width, enum cell_mode mode,
              const struct cell_interrupt *interrupt, struct cell_result *result,
              struct rpyc_error *err)
{
    static const char *const modes[] = {
        [CELL_LAST] = "last", [CELL_EACH] = "each", [CELL_TYPED] = "typed"};
    rpyc_pending *pending;

    if (rpyc_start_call(c->run, &pending, err, "isis", c->number, source, width, modes[mode]) < 0)
        return -1;
    return finish(c, pending, interrupt, result, err);
}

int cells_call_helper(struct cells *c, const struct cell_helper *helper, const char *function,
                      const char *argument, const char *source, int width,
                      const struct cell_interrupt *interrupt, struct cell_result *result,
                      struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *answer = NULL;
    rpyc_value *object = cells_helper(c, helper, err);
    rpyc_pending *pending;
    int status;

    if (!object || rpyc_start_call(object, &pending, err, "siiss", function, c->number, width,
                                   argument, source) < 0)
        return -1;
    status = cells_wait(c, pending, interrupt, &answer, err);
    rpyc_pending_free(pending);
    return status < 0 ? -1 : read_helper_answer(c, answer, result, err);
}

/* ---- Chains ---------------------------------------------------------------------------------- */

rpyc_value *cells_namespace(const struct cells *c)
{
    return begun(c, BEGUN_NAMESPACE);
}

void cells_begin_chain(struct cells *c)
{
    if (!c->beginning)
        rpyc_start_call(begun(c, BEGUN_BEGIN_CHAIN), &c->beginning, NULL, "i", c->number);
}

/* Drops the request of cells_begin_chain and its result. */
static void forget_beginning(struct cells *c)
{
    rpyc_pending_free(c->beginning);
    c->beginning = NULL;
}

int cells_end_chain(struct cells *c, const char *source, int width, bool quiet, rpyc_value *value,
                    const struct cell_interrupt *interrupt, struct cell_result *result,
                    struct rpyc_error *err)
{
    rpyc_pending *pending;

    forget_beginning(c);
    if (rpyc_start_call(begun(c, BEGUN_END_CHAIN), &pending, err, "isibO", c->number, source, width,
                        quiet, value) < 0)
        return -1;
    return finish(c, pending, interrupt, result, err);
}

int cells_fail_chain(struct cells *c, const char *source, struct rpyc_error *err)
{
    forget_beginning(c);
    c->number++;
    return rpyc_call(begun(c, BEGUN_FAIL_CHAIN), NULL, err, "s", source);
}
