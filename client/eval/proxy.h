/* SPDX-License-Identifier: BSD-3-Clause
 *
 * proxy: chains of names, attributes, items and calls, evaluated on this side: each step is one
 * request for a netref, and no code is compiled over there. It works on services that have neither
 * eval nor execute.
 */
#ifndef CLIENT_EVAL_PROXY_H
#define CLIENT_EVAL_PROXY_H

#include <rpyc.h>

#include "eval/expr.h"

/* Where names are looked up, on one connection. */
struct proxies;

/* What the evaluation asks of whoever wants it. */
struct proxy_host {
    /* Waits for the result of a step, as rpyc_pending_wait. */
    int (*wait)(void *arg, rpyc_pending *pending, rpyc_value **out, struct rpyc_error *err);
    /* The first name has been found, and steps come next. May be NULL. */
    void (*begin)(void *arg);
    void *arg;
};

/* namespace is a dict over there, borrowed, in which names are looked up. NULL: they are kept here,
 * and beside them there are `modules`, the modules of the other side, and `root`, its service.
 * Errors: out of memory. */
int proxies_open(struct proxies **out, rpyc_conn *conn, rpyc_value *namespace,
                 struct rpyc_error *err);
void proxies_close(struct proxies *proxies);

/* Gives a name kept here another value, which is borrowed; NULL takes the name away. */
int proxies_bind(struct proxies *proxies, const char *name, rpyc_value *value,
                 struct rpyc_error *err);

/* The value of a name kept here, borrowed; NULL: it has none. */
rpyc_value *proxies_value(const struct proxies *proxies, const char *name);

/* Calls each with every name that is kept here. */
void proxies_names(const struct proxies *proxies, void (*each)(void *arg, const char *name),
                   void *arg);

/* What a chain stands for, found without running anything of the program's: no calls, no imports,
 * no properties, items of builtin containers alone. -1 where that cannot be told, and with errors
 * as below. For names that are kept here. */
int proxies_look(struct proxies *proxies, const struct expr *expr, rpyc_value **out,
                 struct rpyc_error *err);

/* Evaluates. *unknown: its first name is not in the namespace, and nothing has been done.
 *   out  gets a new reference
 * Errors: of the requests; RPYC_EREMOTE also for what is raised here, NameError for instance. */
int proxies_evaluate(struct proxies *proxies, const struct expr *expr,
                     const struct proxy_host *host, bool *unknown, rpyc_value **out,
                     struct rpyc_error *err);

/* Does a statement, with names that are kept here. *out is NULL where it has no value. */
int proxies_run(struct proxies *proxies, const struct statement *statement,
                const struct proxy_host *host, rpyc_value **out, struct rpyc_error *err);

#endif
