/* SPDX-License-Identifier: BSD-3-Clause
 *
 * proxy: evaluates chains of names, attributes, items and calls in the client. Each step is one
 * request; the server compiles no code. Works on services without eval and execute.
 */
#ifndef CLIENT_EVAL_PROXY_H
#define CLIENT_EVAL_PROXY_H

#include <rpyc.h>

#include "eval/expr.h"

/* The names of chains on one connection. */
struct proxies;

/* Functions that the caller of an evaluation provides. */
struct proxy_host {
    /* Waits for the result of a step. As rpyc_pending_wait. */
    int (*wait)(void *arg, rpyc_pending *pending, rpyc_value **out, struct rpyc_error *err);
    /* Called when the first name was found, before the steps. May be NULL. */
    void (*begin)(void *arg);
    void *arg;
};

/* namespace: a dict on the server in which names are looked up; borrowed. NULL: the client stores
 * the names; then `modules` stands for the modules of the server and `root` for its service.
 * Errors: out of memory. */
int proxies_open(struct proxies **out, rpyc_conn *conn, rpyc_value *namespace,
                 struct rpyc_error *err);
void proxies_close(struct proxies *proxies);

/* Assigns a value, which is borrowed, to a name that the client stores. NULL deletes the name. */
int proxies_bind(struct proxies *proxies, const char *name, rpyc_value *value,
                 struct rpyc_error *err);

/* The value of a name that the client stores, borrowed; NULL: no such name. */
rpyc_value *proxies_value(const struct proxies *proxies, const char *name);

/* Calls `each` for every name that the client stores. */
void proxies_names(const struct proxies *proxies, void (*each)(void *arg, const char *name),
                   void *arg);

/* Evaluates a chain without running code of the program: without calls, imports and properties, and
 * with items of builtin containers only. For names that the client stores. LookupError if the chain
 * needs more; other errors as below. */
int proxies_look(struct proxies *proxies, const struct expr *expr, rpyc_value **out,
                 struct rpyc_error *err);

/* Evaluates a chain. *out gets a new reference. On failure, *unknown tells that the first name is
 * not in the namespace, and that no step was done. Errors: those of the requests; RPYC_EREMOTE also
 * for exceptions of the client, such as NameError. */
int proxies_evaluate(struct proxies *proxies, const struct expr *expr,
                     const struct proxy_host *host, bool *unknown, rpyc_value **out,
                     struct rpyc_error *err);

/* Runs a statement, with names that the client stores. *out is NULL if it has no value. */
int proxies_run(struct proxies *proxies, const struct statement *statement,
                const struct proxy_host *host, rpyc_value **out, struct rpyc_error *err);

#endif
