/* SPDX-License-Identifier: BSD-3-Clause
 *
 * proxy: evaluates chains of names, attributes, items and calls in the client. Each step is one
 * request, and the server compiles no code. So chains also work on services without eval and
 * execute.
 */
#ifndef CLIENT_EVAL_PROXY_H
#define CLIENT_EVAL_PROXY_H

#include <rpyc.h>

#include "eval/expr.h"

/* The names that chains can use on one connection. */
struct proxies;

/* Functions that the caller of an evaluation provides. */
struct proxy_host {
    /* Waits for the result of a step. Result and errors are those of rpyc_pending_wait. */
    int (*wait)(void *arg, rpyc_pending *pending, rpyc_value **out, struct rpyc_error *err);
    /* Called after the first name was found, before the first step. May be NULL. */
    void (*begin)(void *arg);
    void *arg;
};

/* Creates the names that chains can use. namespace: a dict on the server in which names are looked
 * up; borrowed. If namespace is NULL, the client stores the names itself. In this case, `modules`
 * stands for the modules of the server, and `root` for the service. Errors: out of memory. */
int proxies_open(struct proxies **out, rpyc_conn *conn, rpyc_value *namespace,
                 struct rpyc_error *err);
void proxies_close(struct proxies *proxies);

/* Assigns a value to a name that the client stores. Borrows the value. If value is NULL, deletes
 * the name. */
int proxies_bind(struct proxies *proxies, const char *name, rpyc_value *value,
                 struct rpyc_error *err);

/* Returns the value of a name that the client stores. Borrowed. NULL: there is no such name. */
rpyc_value *proxies_value(const struct proxies *proxies, const char *name);

/* Calls each(arg, name) for every name that the client stores, and for `root`. */
void proxies_names(const struct proxies *proxies, void (*each)(void *arg, const char *name),
                   void *arg);

/* Evaluates a chain without running code of the program. Call only if proxies_open() got no
 * namespace. Raises LookupError if the chain has calls, imports, properties, or items of objects
 * that are not builtin containers. Other errors: as for proxies_evaluate. */
int proxies_look(struct proxies *proxies, const struct expr *expr, rpyc_value **out,
                 struct rpyc_error *err);

/* Evaluates a chain. *out gets a new reference. On failure, *unknown is true if the first name is
 * not in the namespace. In this case, no step was evaluated. Errors: those of the requests. An
 * exception that the client itself raises, such as NameError, is reported as RPYC_EREMOTE, like an
 * exception of the debuggee. */
int proxies_evaluate(struct proxies *proxies, const struct expr *expr,
                     const struct proxy_host *host, bool *unknown, rpyc_value **out,
                     struct rpyc_error *err);

/* Runs a statement. Call only if proxies_open() got no namespace. *out gets the value, or stays
 * NULL if the statement has no value. */
int proxies_run(struct proxies *proxies, const struct statement *statement,
                const struct proxy_host *host, rpyc_value **out, struct rpyc_error *err);

#endif
