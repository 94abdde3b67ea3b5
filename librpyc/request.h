/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Requests of C callers: boxes the arguments, sends the request, waits for the reply, and returns
 * its value or its exception.
 */
#ifndef RPYC_REQUEST_H
#define RPYC_REQUEST_H

#include <stdarg.h>

#include "rpyc_conn.h"

/* A request that is being written. An error while its arguments are written is stored in `failed`
 * and err; sending the request then fails. */
struct request {
    rpyc_conn *conn;
    struct outgoing out;
    int64_t seq;
    struct rpyc_error *err;
    bool failed;
};

/* Starts a request. The message that contains this request also releases the objects in
 * conn->releases. The caller appends the boxed tuple of arguments to r->out.buf, then calls
 * request_wait, request_start or request_abandon. */
void request_begin(struct request *r, rpyc_conn *conn, enum handler handler,
                   struct rpyc_error *err);

/* Starts a request whose arguments are obj and `more` others, which the caller appends with the
 * functions below. Returns -1 with RPYC_ETYPE, and starts nothing, if obj is not a netref. */
int request_begin_on(struct request *r, rpyc_value *obj, enum handler handler, size_t more,
                     struct rpyc_error *err);

void request_value(struct request *r, rpyc_value *v); /* v NULL: appends None */
void request_str(struct request *r, const char *text);
void request_int(struct request *r, int64_t n);

/* Starts a GETATTR and appends its arguments. Errors: those of request_begin_on. */
int request_getattr(struct request *r, rpyc_value *obj, const char *name, struct rpyc_error *err);

/* Starts a CALL of obj, or a CALLATTR of its method `name` if name is not NULL. Appends the
 * arguments that the format and ap describe. Errors: those of request_begin_on and of the
 * format. */
int request_call(struct request *r, rpyc_value *obj, const char *name, const char *format,
                 va_list *ap, struct rpyc_error *err);

/* Starts a request to the handler that has this number. Appends the arguments that the format and
 * ap describe. Errors: those of the format; RPYC_EINVAL for keyword arguments. */
int request_by_number(struct request *r, rpyc_conn *conn, int handler, const char *format,
                      va_list *ap, struct rpyc_error *err);

/* Drops the request. If the message has releases before the request, sends the releases. */
void request_abandon(struct request *r);

/* Sends the request and waits for the reply. *result is set to the value of the reply, a new
 * reference; if result is NULL, the value is dropped. */
int request_wait(struct request *r, rpyc_value **result);

/* Like request_wait, but fails with RPYC_ETYPE if the type of the result is not `type`. name: how
 * the text of this error names the type, such as "a str". */
int request_wait_typed(struct request *r, enum rpyc_type type, const char *name,
                       rpyc_value **result);

/* Completes the request in r, and begins a request to `handler` behind it in the same message. Sets
 * *p, with which conn_wait waits for the reply to the completed request. After an error, *p is not
 * valid, and r has been abandoned. */
int request_next(struct request *r, enum handler handler, struct pending **p);

/* Sends the request and does not wait for the reply. *p is for conn_wait and conn_forget. */
int request_start(struct request *r, struct pending **p);

/* Reads the reply and frees it. If the reply has a value, sets *result to this value; if result is
 * NULL, drops the value. If the reply has an exception, fails with RPYC_EREMOTE. */
int request_take_reply(rpyc_conn *conn, struct message *reply, rpyc_value **result,
                       struct rpyc_error *err);

/* Fills err with RPYC_ETYPE because the result v does not have the type that `wanted` names ("a
 * str"). Returns -1. */
int request_wrong_result(const rpyc_value *v, const char *wanted, struct rpyc_error *err);

#endif
