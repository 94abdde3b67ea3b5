/* SPDX-License-Identifier: BSD-3-Clause */
#include "stacks.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "clean.h"
#include "walk.h"

/* Works on all servers, also on those that have no pystuck. */
static const char stacks_source[] =
#include "stacks.inc"
    ;

/* Takes the function out of the connection's namespace again and calls it. */
#define STACKS_EXPRESSION "globals().pop('_pystuck_stacks')(%s, %s)"

static int fail(struct rpyc_error *err, enum rpyc_errcode code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(struct rpyc_error *err, enum rpyc_errcode code, const char *format, ...)
{
    va_list args;

    rpyc_error_clear(err);
    err->code = code;
    va_start(args, format);
    vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    return -1;
}

/* The function that both our server and the original pystuck have: a new reference. */
static int find_probe(rpyc_conn *conn, rpyc_value **out, struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *module = NULL;

    if (rpyc_module(conn, "pystuck.thread_probe", &module, err) != 0)
        return -1;
    return rpyc_getattr(module, "stacks_repr", out, err);
}

static const char *python_bool(bool b)
{
    return b ? "True" : "False";
}

/* The stacks from any classic server. RPYC_EPROTOCOL where its service has no execute. */
static int run_source(rpyc_conn *conn, const struct stacks_wish *wish, rpyc_value **out,
                      struct rpyc_error *err)
{
    char expression[sizeof(STACKS_EXPRESSION) + 20];

    if (!wish->execute)
        return fail(err, RPYC_EPROTOCOL,
                    "that takes code in the debuggee, and --no-exec wants none");
    snprintf(expression, sizeof(expression), STACKS_EXPRESSION, python_bool(wish->json),
             python_bool(wish->greenlets));
    if (rpyc_execute(conn, stacks_source, err) == 0)
        return rpyc_eval(conn, expression, out, err);
    /* A function was defined, that is all: either there is no execute, or it is None. */
    if (!rpyc_error_is(err, "AttributeError") && !rpyc_error_is(err, "TypeError"))
        return -1;
    return fail(err, RPYC_EPROTOCOL, "the server's service has no execute");
}

/* The stacks from any service that gives its modules. */
static int run_or_walk(rpyc_conn *conn, const struct stacks_wish *wish, rpyc_value **out,
                       struct rpyc_error *err)
{
    if (run_source(conn, wish, out, err) == 0)
        return 0;
    if (err->code != RPYC_EPROTOCOL)
        return -1;
    rpyc_error_clear(err);
    if (walk_stacks(conn, out, err) == 0)
        return 0;
    if (!rpyc_error_is(err, "AttributeError"))
        return -1;
    return fail(err, RPYC_EPROTOCOL,
                "the server is no classic RPyC service: it gives no modules, and has no execute");
}

static int fetch(rpyc_conn *conn, const struct stacks_wish *wish, rpyc_value **out,
                 struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *probe = NULL;

    if (wish->json)
        return run_source(conn, wish, out, err);
    if (find_probe(conn, &probe, err) == 0)
        return rpyc_call(probe, out, err, "greenlets=b", wish->greenlets);
    /* Whatever exception keeps the probe from being imported, there is none to be used. What the
     * probe itself raises is another matter, and goes to the user. */
    if (err->code != RPYC_EREMOTE)
        return -1;
    rpyc_error_clear(err);
    return run_or_walk(conn, wish, out, err);
}

int stacks_fetch(rpyc_conn *conn, const struct stacks_wish *wish, rpyc_value **out,
                 struct rpyc_error *err)
{
    struct rpyc_error unasked __attribute__((cleanup(rpyc_error_clear))) = RPYC_ERROR_INIT;
    CLEAN_VALUE rpyc_value *text = NULL;

    if (!err)
        err = &unasked; /* the code is needed here in any case */
    if (fetch(conn, wish, &text, err) != 0)
        return -1;
    if (rpyc_type_of(text) != RPYC_STR)
        return fail(err, RPYC_EPROTOCOL, "the server's stacks are not a str");
    *out = rpyc_ref(text);
    return 0;
}
