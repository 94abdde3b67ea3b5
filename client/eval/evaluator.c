/* SPDX-License-Identifier: BSD-3-Clause */
#include "eval/evaluator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clean.h"
#include "eval/expr.h"
#include "eval/traceback.h"
#include "eval/wait.h"
#include "eval/proxy.h"
#include "eval/display_netrefs.h"

#define CLEAN_STATEMENT __attribute__((cleanup(statement_free)))

struct evaluator {
    rpyc_conn *conn;      /* borrowed */
    struct cells *cells;  /* NULL: no code runs on the server, and the next five members are used */
    int number;           /* the number of the next cell */
    rpyc_value *in;       /* In, a list on the server */
    rpyc_value *out;      /* Out, a dict; both are NULL if the server refuses to create them */
    rpyc_value *last[3];  /* the last three values, the latest first, or NULL */
    rpyc_value *named[3]; /* the values that name_values() has assigned to _, __ and ___ */

    struct proxies *proxies;
    const struct cell_interrupt *interrupt; /* for the running cell, or NULL */
};

/* ---- Opening and closing --------------------------------------------------------------------- */

/* Creates `In` and `Out`, an empty list and an empty dict, on the server. If the server refuses
 * this, these two names are not defined. */
static void make_containers(struct evaluator *s)
{
    CLEAN_VALUE rpyc_value *list = NULL;
    CLEAN_VALUE rpyc_value *dict = NULL;

    if (rpyc_builtin(s->conn, "list", &list, NULL) < 0 ||
        rpyc_builtin(s->conn, "dict", &dict, NULL) < 0 || rpyc_call(list, &s->in, NULL, "") < 0 ||
        rpyc_call(dict, &s->out, NULL, "") < 0)
        return;
    proxies_bind(s->proxies, "In", s->in, NULL);
    proxies_bind(s->proxies, "Out", s->out, NULL);
}

static int open_cells(struct evaluator *s, const struct cell_io *io, struct rpyc_error *err)
{
    if (cells_open(&s->cells, s->conn, io, err) == 0)
        return 0;
    /* These exceptions mean that the service has no method `execute`, or that `execute` is None.
     * Such a service runs no code. */
    if (!rpyc_error_is(err, "AttributeError") && !rpyc_error_is(err, "TypeError"))
        return -1;
    rpyc_error_clear(err);
    return 0;
}

int evaluator_open(struct evaluator **out, rpyc_conn *conn, const struct cell_io *io,
                   bool may_execute, struct rpyc_error *err)
{
    struct evaluator *s = calloc(1, sizeof(*s));

    if (!s)
        return rpyc_raise(err, "MemoryError", "out of memory");
    s->conn = conn;
    if ((may_execute && open_cells(s, io, err) < 0) ||
        proxies_open(&s->proxies, conn, s->cells ? cells_namespace(s->cells) : NULL, err) < 0) {
        evaluator_close(s);
        return -1;
    }
    if (!s->cells)
        make_containers(s);
    *out = s;
    return 0;
}

void evaluator_close(struct evaluator *s)
{
    size_t i;

    if (!s)
        return;
    proxies_close(s->proxies);
    cells_close(s->cells);
    for (i = 0; i < 3; i++) {
        rpyc_unref(s->last[i]);
        rpyc_unref(s->named[i]);
    }
    rpyc_unref(s->in);
    rpyc_unref(s->out);
    free(s);
}

struct cells *evaluator_cells(struct evaluator *s)
{
    return s->cells;
}

struct proxies *evaluator_proxies(struct evaluator *s)
{
    return s->proxies;
}

int evaluator_number(const struct evaluator *s)
{
    return s->cells ? cells_number(s->cells) : s->number;
}

/* ---- Waiting for the steps of a chain -------------------------------------------------------- */

static bool goes_on(void *arg)
{
    const struct cell_interrupt *interrupt = arg;

    return !interrupt->wanted(interrupt->arg) &&
           !(interrupt->given_up && interrupt->given_up(interrupt->arg));
}

/* Waits for the result of a step of a chain. If s->cells is NULL, the client cannot interrupt the
 * step on the server. In this case, an interruption ends only the client's wait. */
static int wait_for_step(void *arg, rpyc_pending *pending, rpyc_value **out, struct rpyc_error *err)
{
    struct evaluator *s = arg;

    if (s->cells)
        return cells_wait(s->cells, pending, s->interrupt, out, err);
    return wait_for_reply(pending, s->interrupt ? goes_on : NULL, (void *)s->interrupt, out, err);
}

/* Connects the output and input of calls in the chain to the client. */
static void begin_chain(void *arg)
{
    const struct evaluator *s = arg;

    cells_begin_chain(s->cells);
}

/* ---- Chains and cells ------------------------------------------------------------------------ */

/* True if the error ends the evaluation without a traceback: no further request is possible, or the
 * wait was ended by an interruption. */
static bool is_final(const struct rpyc_error *err)
{
    return rpyc_error_is_fatal(err) || err->code == RPYC_ECANCELED;
}

/* Fills *result with the traceback of the error *why. Clears *why. Returns 0. */
static int fail(struct evaluator *s, const char *source, struct rpyc_error *why,
                struct cell_result *result)
{
    *result = (struct cell_result){
        .numbered = true,
        .failed = true,
        .text = traceback_text(why, evaluator_number(s), source),
    };
    rpyc_error_clear(why);
    return 0;
}

/* Evaluates a chain in the namespace of the cells. If the namespace does not have the chain's first
 * name, does nothing and sets *unknown to true; the caller then runs the chain as a cell. */
static int run_chain(struct evaluator *s, const char *source, const struct statement *chain,
                     int width, bool *unknown, struct cell_result *result, struct rpyc_error *err)
{
    const struct proxy_host host = {
        wait_for_step,
        expr_has_call(chain->value) ? begin_chain : NULL,
        s,
    };
    CLEAN_ERROR struct rpyc_error why = RPYC_ERROR_INIT;
    CLEAN_VALUE rpyc_value *value = NULL;

    if (proxies_evaluate(s->proxies, chain->value, &host, unknown, &value, &why) == 0)
        return cells_end_chain(s->cells, source, width, chain->quiet, value, s->interrupt, result,
                               err);
    if (*unknown)
        return 0;
    if (is_final(&why)) {
        *err = why;
        why = (struct rpyc_error)RPYC_ERROR_INIT;
        return -1;
    }
    fail(s, source, &why, result);
    if (cells_fail_chain(s->cells, source, err) == 0)
        return 0;
    rpyc_unref(result->text);
    return -1;
}

static bool is_chain(const char *source, struct statement *statement)
{
    return statement_parse(statement, source) == PARSE_OK && statement->kind == STATEMENT_VALUE &&
           expr_is_chain(statement->value) && !expr_needs_caller(statement->value);
}

static int run_with_cells(struct evaluator *s, const char *source, int width, enum cell_mode mode,
                          struct cell_result *result, struct rpyc_error *err)
{
    CLEAN_STATEMENT struct statement statement;
    bool unknown = !is_chain(source, &statement) || mode == CELL_EACH;

    if (!unknown && run_chain(s, source, &statement, width, &unknown, result, err) < 0)
        return -1;
    if (!unknown)
        return 0;
    return cells_run(s->cells, source, width, mode, s->interrupt, result, err);
}

/* ---- Without cells --------------------------------------------------------------------------- */

/* The names of the last three values, the latest first. */
static const char *const latest[] = {"_", "__", "___"};

/* True if the user has assigned to a name in `latest`. The client then changes none of these names.
 */
static bool are_names_taken(const struct evaluator *s)
{
    rpyc_value *value;
    size_t i;

    for (i = 0; i < 3; i++) {
        value = proxies_value(s->proxies, latest[i]);
        if (value && value != s->named[i])
            return true;
    }
    return false;
}

static void name_values(struct evaluator *s)
{
    size_t i;

    for (i = 0; i < 3; i++) {
        if (!s->last[i])
            continue;
        rpyc_unref(s->named[i]);
        s->named[i] = rpyc_ref(s->last[i]);
        proxies_bind(s->proxies, latest[i], s->named[i], NULL);
    }
}

static void remember(struct evaluator *s, rpyc_value *value)
{
    CLEAN_VALUE rpyc_value *key = NULL;
    char name[24];

    rpyc_unref(s->last[2]);
    s->last[2] = s->last[1];
    s->last[1] = s->last[0];
    s->last[0] = rpyc_ref(value);
    if (!are_names_taken(s))
        name_values(s);
    snprintf(name, sizeof(name), "_%d", s->number);
    proxies_bind(s->proxies, name, value, NULL);
    if (s->out && rpyc_build(&key, NULL, "i", s->number) == 0)
        rpyc_setitem(s->out, key, value, NULL);
}

static int show(struct evaluator *s, rpyc_value *value, bool quiet, int width,
                const struct proxy_host *host, struct cell_result *result, struct rpyc_error *err)
{
    *result = (struct cell_result){.numbered = true};
    if (!value || rpyc_type_of(value) == RPYC_NONE)
        return 0;
    remember(s, value);
    if (quiet)
        return 0;
    if (rpyc_type_of(value) == RPYC_OBJECT)
        return rpyc_build(&result->text, err, "s",
                          "<the modules of this process; use modules['os'] or modules.os to get a "
                          "module>");
    return display_value(s->conn, value, width, host, &result->text, err);
}

static int refuse(struct evaluator *s, const char *source, struct cell_result *result)
{
    CLEAN_ERROR struct rpyc_error why = RPYC_ERROR_INIT;

    rpyc_raise(&why, "SyntaxError",
               "cannot run code in the program: only names, attributes, items, calls, "
               "assignment, del and import work");
    return fail(s, source, &why, result);
}

static int run_statement(struct evaluator *s, const char *source, const struct statement *statement,
                         int width, struct cell_result *result, struct rpyc_error *err)
{
    const struct proxy_host host = {wait_for_step, NULL, s};
    CLEAN_VALUE rpyc_value *value = NULL;

    if (s->in)
        rpyc_callattr(s->in, "append", NULL, NULL, "s", source);
    if (proxies_run(s->proxies, statement, &host, &value, err) == 0 &&
        show(s, value, statement->quiet, width, &host, result, err) == 0)
        return 0;
    return is_final(err) ? -1 : fail(s, source, err, result);
}

/* Runs one statement on a server that does not allow code. Only chains and a few statements work.
 */
static int run_without_cells(struct evaluator *s, const char *source, int width,
                             enum cell_mode mode, struct cell_result *result,
                             struct rpyc_error *err)
{
    CLEAN_STATEMENT struct statement statement;
    enum parse_result parsed = statement_parse(&statement, source);
    int status = 0;

    *result = (struct cell_result){.incomplete = parsed == PARSE_INCOMPLETE && mode == CELL_TYPED};
    if (result->incomplete || parsed == PARSE_NOTHING)
        return 0;
    if (parsed == PARSE_OK)
        status = run_statement(s, source, &statement, width, result, err);
    else
        refuse(s, source, result);
    s->number++;
    return status;
}

int evaluator_run(struct evaluator *s, const char *source, int width, enum cell_mode mode,
                  const struct cell_interrupt *interrupt, struct cell_result *result,
                  struct rpyc_error *err)
{
    s->interrupt = interrupt;
    return s->cells ? run_with_cells(s, source, width, mode, result, err)
                    : run_without_cells(s, source, width, mode, result, err);
}
