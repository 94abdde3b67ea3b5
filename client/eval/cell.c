/* SPDX-License-Identifier: BSD-3-Clause */
#include "eval/cell.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "clean.h"
#include "collector.h"

/* How often a cell that runs is asked about, in ms. */
#define LOOK_EVERY_MS 50

static const char bootstrap[] =
#include "eval/bootstrap.inc"
    ;
static const char completion[] =
#include "prompt/completion.inc"
    ;
static const char inspection[] =
#include "prompt/inspection.inc"
    ;

/* Takes the function that a source defines out of the connection's namespace again. The name of no
 * builtin is used for that: the user may have given it to something else there. */
#define TAKE(name) name ".__globals__.pop('" name "')"

static const struct {
    const char *source;
    const char *take;
    const char *argument; /* of the function, a second one; NULL: none */
} helpers[CELLS_HELPERS] = {
    [CELLS_COMPLETION] = {completion, TAKE("_pystuck_completion"), NULL},
    [CELLS_INSPECTION] = {inspection, TAKE("_pystuck_inspection"), collector_source},
};

/* What functions of ours that the other side holds have in common: they may be called when there
 * are no cells any more, for it gives them back when it likes. */
struct link {
    int functions;       /* how many there are */
    struct cells *cells; /* NULL: no more */
};

struct cells {
    rpyc_conn *conn; /* borrowed */
    struct cell_io io;
    struct link *link;
    int waiting;                        /* for what was typed: input is read for it, and else not */
    rpyc_value *begun;                  /* what the bootstrap returned */
    rpyc_value *run;                    /* the function over there, of it */
    rpyc_pending *beginning;            /* of a chain */
    rpyc_value *helpers[CELLS_HELPERS]; /* more of them; NULL: not wanted yet */
    int number;                         /* of the next cell */
    int64_t thread;                     /* over there, on which cells run: its ident */
};

/* ---- What a cell asks of us ------------------------------------------------------------------ */

/* The cells that a function is of; NULL with err filled: there are none any more. */
static struct cells *cells_of(void *self, struct rpyc_error *err)
{
    const struct link *link = self;

    if (!link->cells)
        rpyc_raise(err, "EOFError", "the client has ended this session");
    return link->cells;
}

static int pass_on(struct cells *c, rpyc_value *args, bool is_error, struct rpyc_error *err)
{
    size_t len;
    const char *text = rpyc_str(rpyc_item(args, 0), &len);

    if (!c)
        return -1;
    if (!text)
        return rpyc_raise(err, "TypeError", "a str is wanted");
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

/* What is typed at the prompt, or is on standard input for others, is nobody's over there. */
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
        return rpyc_raise(err, "OSError", "no cell runs that could read the client's input");
    len = c->io.read_line(c->io.arg, &line);
    if (len < 0 && errno == EINTR)
        result = 0; /* None: it raises KeyboardInterrupt itself */
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

static void unlink_function(void *self)
{
    struct link *link = self;

    if (--link->functions == 0 && !link->cells)
        free(link);
}

/* A class that every stock peer knows and takes for something to be called. */
#define FUNCTION(function)                                                                         \
    {                                                                                              \
        .class_name = "builtins.function", .call = (function), .destroy = unlink_function          \
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
    if (rpyc_object(out, &functions[which], c->link, err) < 0)
        return -1;
    c->link->functions++;
    return 0;
}

/* ---- A session ------------------------------------------------------------------------------- */

/* What the bootstrap returns, in this order. */
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

/* Calls the function that the bootstrap defines, with functions of ours. */
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
    struct link *link = calloc(1, sizeof(*link));

    if (!c || !link) {
        free(c);
        free(link);
        return NULL;
    }
    c->conn = conn;
    c->io = *io;
    c->link = link;
    link->cells = c;
    return c;
}

int cells_open(struct cells **out, rpyc_conn *conn, const struct cell_io *io,
               struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *function = NULL;
    struct cells *c;

    if (rpyc_execute(conn, bootstrap, err) < 0 ||
        rpyc_eval(conn, TAKE("_pystuck_cells"), &function, err) < 0)
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
    size_t i;

    if (!c)
        return;
    for (i = 0; i < CELLS_HELPERS; i++)
        rpyc_unref(c->helpers[i]);
    rpyc_pending_free(c->beginning);
    rpyc_unref(c->begun);
    c->link->cells = NULL;
    if (c->link->functions == 0)
        free(c->link);
    free(c);
}

/* Has a helper made: its source defines a function that makes it. */
static int make_helper(struct cells *c, enum cells_helper which, struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *make = NULL;

    if (rpyc_execute(c->conn, helpers[which].source, err) < 0 ||
        rpyc_eval(c->conn, helpers[which].take, &make, err) < 0)
        return -1;
    if (!helpers[which].argument)
        return rpyc_call(make, &c->helpers[which], err, "O", c->run);
    return rpyc_call(make, &c->helpers[which], err, "Os", c->run, helpers[which].argument);
}

rpyc_value *cells_helper(struct cells *c, enum cells_helper which, struct rpyc_error *err)
{
    if (!c->helpers[which] && make_helper(c, which, err) < 0)
        return NULL;
    return c->helpers[which];
}

/* ---- Running --------------------------------------------------------------------------------- */

/* Raises KeyboardInterrupt on a thread, if it is in a cell or in a call by a proxy: it might have
 * been done with it just now, and a stock server does not survive what comes then; nor does it a
 * KeyboardInterrupt from a call, but one of a derived class. Our own server lets none through that
 * comes late. */
static const char interrupt_thread[] =
    "def _pystuck_interrupt(ident):\n"
    "    import ctypes, sys\n"
    "    exception = None\n"
    "    if '_pystuck' in sys.modules and ident in sys.modules['_pystuck'].own_threads():\n"
    "        exception = KeyboardInterrupt\n"
    "    frame = sys._current_frames().get(ident)\n"
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

/* Raises KeyboardInterrupt in the cell. */
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

static int wait_for(struct cells *c, rpyc_pending *pending, const struct cell_interrupt *interrupt,
                    rpyc_value **answer, struct rpyc_error *err)
{
    struct rpyc_error why = RPYC_ERROR_INIT;
    int wait_ms = interrupt ? LOOK_EVERY_MS : -1;

    while (rpyc_pending_wait(pending, wait_ms, answer, &why) < 0) {
        if (why.code != RPYC_ETIMEOUT && why.code != RPYC_EINTERRUPT) {
            *err = why;
            return -1;
        }
        rpyc_error_clear(&why);
        if (!interrupt)
            continue;
        if (interrupt->given_up && interrupt->given_up(interrupt->arg)) {
            err->code = RPYC_ECANCELED;
            return -1;
        }
        if (interrupt->wanted(interrupt->arg))
            interrupt_cell(c, interrupt);
    }
    return 0;
}

int cells_wait(struct cells *c, rpyc_pending *pending, const struct cell_interrupt *interrupt,
               rpyc_value **answer, struct rpyc_error *err)
{
    int status;

    c->waiting++;
    status = wait_for(c, pending, interrupt, answer, err);
    c->waiting--;
    return status;
}

/* Reads whether it went well, and the text. */
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

/* Checks that an answer is a tuple of so many. */
static int check_answer(rpyc_value *answer, size_t count, struct rpyc_error *err)
{
    if (rpyc_type_of(answer) == RPYC_TUPLE && rpyc_length(answer) == count)
        return 0;
    err->code = RPYC_EPROTOCOL;
    snprintf(err->text, sizeof(err->text), "the server's answer to a cell makes no sense");
    return -1;
}

/* Reads (whether it went well, the text): None for both, where there is more to be typed. */
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

/* Reads (whether it has taken a number, whether it went well, the text). */
static int read_inspection(struct cells *c, rpyc_value *answer, struct cell_result *result,
                           struct rpyc_error *err)
{
    *result = (struct cell_result){0};
    if (check_answer(answer, 3, err) < 0 ||
        rpyc_truth(rpyc_item(answer, 0), &result->numbered, err) < 0)
        return -1;
    c->number += result->numbered;
    return read_outcome(rpyc_item(answer, 1), rpyc_item(answer, 2), result, err);
}

/* Waits for what comes of a cell, and takes pending. */
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

int cells_inspect(struct cells *c, const char *function, const char *argument, const char *source,
                  int width, const struct cell_interrupt *interrupt, struct cell_result *result,
                  struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *answer = NULL;
    rpyc_value *inspect = cells_helper(c, CELLS_INSPECTION, err);
    rpyc_pending *pending;
    int status;

    if (!inspect || rpyc_start_call(inspect, &pending, err, "siiss", function, c->number, width,
                                    argument, source) < 0)
        return -1;
    status = cells_wait(c, pending, interrupt, &answer, err);
    rpyc_pending_free(pending);
    return status < 0 ? -1 : read_inspection(c, answer, result, err);
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

/* There is nothing to be said of how a chain has begun. */
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
