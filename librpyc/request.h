/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Requests of C callers: boxes the arguments, sends, waits, and returns a value or an exception.
 */
#ifndef RPYC_REQUEST_H
#define RPYC_REQUEST_H

#include <stdarg.h>

#include "rpyc_conn.h"

/* A request that is being written. Errors are kept until it is sent. */
struct request {
    rpyc_conn *conn;
    struct outgoing out;
    int64_t seq;
    struct rpyc_error *err;
    bool failed;
};

/* Starts a request, in one message with the releases that are due. The caller appends the boxed
 * tuple of arguments to r->out.buf, then calls request_wait, request_start or request_abandon. */
void request_begin(struct request *r, rpyc_conn *conn, enum handler handler,
                   struct rpyc_error *err);

/* Starts a request whose arguments are obj and `more` others, which the caller appends with the
 * functions below. Returns -1 with RPYC_ETYPE, and starts nothing, if obj is not a netref. */
int request_begin_on(struct request *r, rpyc_value *obj, enum handler handler, size_t more,
                     struct rpyc_error *err);

void request_value(struct request *r, rpyc_value *v); /* NULL: None */
void request_str(struct request *r, const char *text);
void request_int(struct request *r, int64_t n);

/* Starts a GETATTR, with its arguments. Errors: those of request_begin_on. */
int request_getattr(struct request *r, rpyc_value *obj, const char *name, struct rpyc_error *err);

/* Starts a CALL, or a CALLATTR where name is not NULL, with the arguments that a format makes.
 * Errors: those of request_begin_on and of the format. */
int request_call(struct request *r, rpyc_value *obj, const char *name, const char *format,
                 va_list *ap, struct rpyc_error *err);

/* Starts a request with the number of its handler and the arguments that a format makes. Errors:
 * those of the format, RPYC_EINVAL for keyword arguments. */
int request_by_number(struct request *r, rpyc_conn *conn, int handler, const char *format,
                      va_list *ap, struct rpyc_error *err);

/* Gives the request up without sending it. */
void request_abandon(struct request *r);

/* Sends the request and waits for the reply. *result is a new reference; NULL drops it. */
int request_wait(struct request *r, rpyc_value **result);

/* Like request_wait, but fails with RPYC_ETYPE if the result has another type. name: the type in
 * the text of that error, such as "a str". */
int request_wait_typed(struct request *r, enum rpyc_type type, const char *name,
                       rpyc_value **result);

/* Ends the request and starts another one behind it, in the same message. *p is for the reply to
 * the ended request; after an error there is none, and the request has been given up. */
int request_next(struct request *r, enum handler handler, struct pending **p);

/* Sends the request. *p is for conn_wait and conn_forget. */
int request_start(struct request *r, struct pending **p);

/* Returns the value or the exception that a reply holds. Frees the reply. */
int request_take_reply(rpyc_conn *conn, struct message *reply, rpyc_value **result,
                       struct rpyc_error *err);

/* Fills err with RPYC_ETYPE for a result v that should have been `wanted`. Returns -1. */
int request_wrong_result(const rpyc_value *v, const char *wanted, struct rpyc_error *err);

#endif
