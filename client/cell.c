/* SPDX-License-Identifier: BSD-3-Clause */
#include "cell.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define CLEAN_VALUE __attribute__((cleanup(unref_value)))
#define CLEAN_ERROR __attribute__((cleanup(rpyc_error_clear)))

/* How often a cell that runs is asked about, in ms. */
#define LOOK_EVERY_MS 50

static const char bootstrap[] =
#include "bootstrap.inc"
    ;
static const char completion[] =
#include "completion.inc"
    ;
static const char inspection[] =
#include "inspection.inc"
    ;

/* Takes the function that a source defines out of the connection's namespace again. The name of no
 * builtin is used for that: the user may have given it to something else there. */
#define TAKE(name) name ".__globals__.pop('" name "')"

static const struct {
    const char *source;
    const char *take;
} helpers[CELLS_HELPERS] = {
    [CELLS_COMPLETION] = {completion, TAKE("_pystuck_completion")},
    [CELLS_INSPECTION] = {inspection, TAKE("_pystuck_inspection")},
};

struct cells {
    rpyc_conn *conn; /* borrowed */
    struct cell_io io;
    rpyc_value *run;                    /* the function over there */
    rpyc_value *helpers[CELLS_HELPERS]; /* more of them; NULL: not wanted yet */
    int number;                         /* of the next cell */
    int64_t thread;                     /* over there, on which cells run: its ident */
};

static void unref_value(rpyc_value **value)
{
    rpyc_unref(*value);
}

/* ---- What a cell asks of us ------------------------------------------------------------------ */

static int pass_on(struct cells *c, rpyc_value *args, bool is_error, struct rpyc_error *err)
{
    size_t len;
    const char *text = rpyc_str(rpyc_item(args, 0), &len);

    if (!text)
        return rpyc_raise(err, "TypeError", "a str is wanted");
    c->io.write(c->io.arg, is_error, text, len);
    return 0;
}

static int write_out(void *arg, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out,
                     struct rpyc_error *err)
{
    (void)kwargs;
    (void)out;
    return pass_on(arg, args, false, err);
}

static int write_err(void *arg, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out,
                     struct rpyc_error *err)
{
    (void)kwargs;
    (void)out;
    return pass_on(arg, args, true, err);
}

static int read_line(void *arg, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out,
                     struct rpyc_error *err)
{
    struct cells *c = arg;
    char *line = NULL;
    ssize_t len = c->io.read_line(c->io.arg, &line);
    int result;

    (void)args;
    (void)kwargs;
    if (len < 0 && errno == EINTR)
        result = 0; /* None: it raises KeyboardInterrupt itself */
    else if (len < 0)
        result = rpyc_raise(err, "OSError", "the client cannot read its standard input");
    else
        result = rpyc_build(out, err, "z", line ? line : "", (size_t)len);
    free(line);
    return result;
}

static int tell_thread(void *arg, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out,
                       struct rpyc_error *err)
{
    struct cells *c = arg;

    (void)kwargs;
    (void)out;
    return rpyc_int64(rpyc_item(args, 0), &c->thread, err);
}

/* ---- A session ------------------------------------------------------------------------------- */

/* Calls the function that the bootstrap defines, with functions of ours. */
static int begin(struct cells *c, rpyc_value *function, struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *to_out = NULL;
    CLEAN_VALUE rpyc_value *to_err = NULL;
    CLEAN_VALUE rpyc_value *line = NULL;
    CLEAN_VALUE rpyc_value *tell = NULL;
    CLEAN_VALUE rpyc_value *answer = NULL;

    if (rpyc_function(&to_out, write_out, c, err) < 0 ||
        rpyc_function(&to_err, write_err, c, err) < 0 ||
        rpyc_function(&line, read_line, c, err) < 0 ||
        rpyc_function(&tell, tell_thread, c, err) < 0 ||
        rpyc_call(function, &answer, err, "OOOO", to_out, to_err, line, tell) < 0)
        return -1;
    c->run = rpyc_ref(rpyc_item(answer, 0));
    return rpyc_int64(rpyc_item(answer, 1), &c->thread, err);
}

int cells_open(struct cells **out, rpyc_conn *conn, const struct cell_io *io,
               struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *function = NULL;
    struct cells *c;

    if (rpyc_execute(conn, bootstrap, err) < 0 ||
        rpyc_eval(conn, TAKE("_pystuck_cells"), &function, err) < 0)
        return -1;
    c = calloc(1, sizeof(*c));
    if (!c)
        return rpyc_raise(err, "MemoryError", "out of memory");
    c->conn = conn;
    c->io = *io;
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
    rpyc_unref(c->run);
    free(c);
}

/* Has a helper made: its source defines a function that makes it. */
static int make_helper(struct cells *c, enum cells_helper which, struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *make = NULL;

    if (rpyc_execute(c->conn, helpers[which].source, err) < 0 ||
        rpyc_eval(c->conn, helpers[which].take, &make, err) < 0)
        return -1;
    return rpyc_call(make, &c->helpers[which], err, "O", c->run);
}

rpyc_value *cells_helper(struct cells *c, enum cells_helper which, struct rpyc_error *err)
{
    if (!c->helpers[which] && make_helper(c, which, err) < 0)
        return NULL;
    return c->helpers[which];
}

/* ---- Running --------------------------------------------------------------------------------- */

/* Raises KeyboardInterrupt on a thread, if it is in a cell: it might have been done with it just
 * now, and a stock server does not survive what comes then. */
static const char interrupt_thread[] =
    "def _pystuck_interrupt(ident):\n"
    "    import ctypes, sys\n"
    "    frame = sys._current_frames().get(ident)\n"
    "    while frame is not None and frame.f_code.co_name != '_pystuck_cell':\n"
    "        frame = frame.f_back\n"
    "    if frame is not None:\n"
    "        ctypes.pythonapi.PyThreadState_SetAsyncExc(\n"
    "            ctypes.c_ulong(ident), ctypes.py_object(KeyboardInterrupt))\n"
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

/* Waits for the result of a cell. */
static int wait_for(const struct cells *c, rpyc_pending *pending,
                    const struct cell_interrupt *interrupt, rpyc_value **answer,
                    struct rpyc_error *err)
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

/* Reads (whether it went well, the text): None for both, where there is more to be typed. */
static int read_answer(struct cells *c, rpyc_value *answer, struct cell_result *result,
                       struct rpyc_error *err)
{
    rpyc_value *text = rpyc_item(answer, 1);
    bool ok;

    *result = (struct cell_result){0};
    result->incomplete = rpyc_type_of(rpyc_item(answer, 0)) == RPYC_NONE;
    if (result->incomplete)
        return 0;
    c->number++;
    if (rpyc_truth(rpyc_item(answer, 0), &ok, err) < 0)
        return -1;
    result->failed = !ok;
    result->text = rpyc_type_of(text) == RPYC_STR ? rpyc_ref(text) : NULL;
    return 0;
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
    CLEAN_VALUE rpyc_value *answer = NULL;
    rpyc_pending *pending;
    int status;

    if (rpyc_start_call(c->run, &pending, err, "isis", c->number, source, width, modes[mode]) < 0)
        return -1;
    status = wait_for(c, pending, interrupt, &answer, err);
    rpyc_pending_free(pending);
    return status < 0 ? -1 : read_answer(c, answer, result, err);
}
