/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Requests of a C caller: arguments in, a value or an exception out. The public ones are in rpyc.h.
 */
#ifndef RPYC_REQUEST_H
#define RPYC_REQUEST_H

#include "value.h"

/* Starts a request, with whatever is to be given back before it. The caller appends the boxed
 * arguments to out->buf, then calls value_request, or conn_abandon. */
void value_request_begin(rpyc_conn *conn, struct outgoing *out, enum handler handler, int64_t *seq);

/* Sends the request and waits. *result is a new reference; result NULL drops it. Takes out. */
int value_request(rpyc_conn *conn, struct outgoing *out, int64_t seq, rpyc_value **result,
                  struct rpyc_error *err);

/* The second half of it: the value or the exception that a reply holds, which it frees. */
int value_take_reply(rpyc_conn *conn, struct message *reply, rpyc_value **result,
                     struct rpyc_error *err);

/* When a request that is sent now gives up. */
deadline_t value_deadline(const rpyc_conn *conn);

/* A request on an object, written argument by argument. Errors are kept until the end. */
struct request {
    rpyc_conn *conn;
    struct outgoing out;
    int64_t seq;
    struct rpyc_error *err;
    bool failed;
};

/* Starts one whose arguments are obj and `more` others. RPYC_ETYPE where obj is not a netref; then
 * there is nothing to be given up. */
int request_begin(struct request *r, rpyc_value *obj, enum handler handler, size_t more,
                  struct rpyc_error *err);

void request_value(struct request *r, rpyc_value *v); /* NULL: None */
void request_str(struct request *r, const char *text);
void request_int(struct request *r, int64_t n);

/* Gives it up. */
void request_abandon(struct request *r);

/* Sends it and waits, or does not wait. Takes r. */
int request_wait(struct request *r, rpyc_value **result);
int request_start(struct request *r, struct pending **p);

#endif
