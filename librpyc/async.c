/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sends requests without waiting for their replies. rpyc.h describes each function.
 */
#include "request.h"

#include <stdlib.h>

struct rpyc_pending {
    rpyc_conn *conn; /* a reference */
    struct pending *p;
};

static rpyc_pending *new_pending(rpyc_conn *conn)
{
    rpyc_pending *pending = calloc(1, sizeof(*pending));

    if (pending)
        pending->conn = rpyc_conn_ref(conn);
    return pending;
}

/* Sends a request whose arguments are complete. *out: the handle for rpyc_pending_wait and the
 * other rpyc_pending functions. */
static int start(struct request *r, rpyc_pending **out)
{
    rpyc_pending *pending = new_pending(r->conn);

    if (!pending) {
        request_abandon(r);
        return error_nomem(r->err);
    }
    if (request_start(r, &pending->p) < 0) {
        rpyc_conn_unref(pending->conn);
        free(pending);
        return -1;
    }
    *out = pending;
    return 0;
}

rpyc_pending *rpyc_take_early(rpyc_conn *conn)
{
    rpyc_pending *pending = conn->early ? new_pending(conn) : NULL;

    if (!pending)
        return NULL;
    pending->p = conn->early;
    conn->early = NULL;
    return pending;
}

int rpyc_start_request(rpyc_conn *conn, int handler, rpyc_pending **out, struct rpyc_error *err,
                       const char *format, ...)
{
    struct request r;
    va_list ap;
    int result;

    va_start(ap, format);
    result = request_by_number(&r, conn, handler, format, &ap, err);
    va_end(ap);
    return result < 0 ? -1 : start(&r, out);
}

int rpyc_start_getattr(rpyc_value *obj, const char *name, rpyc_pending **out,
                       struct rpyc_error *err)
{
    struct request r;

    return request_getattr(&r, obj, name, err) < 0 ? -1 : start(&r, out);
}

/* Starts a call of obj, or of its method `name` if name is not NULL. */
static int start_call(rpyc_value *obj, const char *name, rpyc_pending **out, const char *format,
                      va_list *ap, struct rpyc_error *err)
{
    struct request r;

    return request_call(&r, obj, name, format, ap, err) < 0 ? -1 : start(&r, out);
}

int rpyc_start_call(rpyc_value *obj, rpyc_pending **out, struct rpyc_error *err, const char *format,
                    ...)
{
    va_list ap;
    int result;

    va_start(ap, format);
    result = start_call(obj, NULL, out, format, &ap, err);
    va_end(ap);
    return result;
}

int rpyc_start_callattr(rpyc_value *obj, const char *name, rpyc_pending **out,
                        struct rpyc_error *err, const char *format, ...)
{
    va_list ap;
    int result;

    va_start(ap, format);
    result = start_call(obj, name, out, format, &ap, err);
    va_end(ap);
    return result;
}

int rpyc_pending_wait(rpyc_pending *pending, int timeout_ms, rpyc_value **out,
                      struct rpyc_error *err)
{
    rpyc_conn *conn = pending->conn;
    deadline_t deadline = timeout_ms ? deadline_in(timeout_ms) : rpyc_conn_deadline(conn);
    struct message reply;

    if (conn_wait(conn->conn, pending->p, &reply, deadline, err) < 0)
        return -1;
    if (!reply.frame.data)
        return error_set(err, RPYC_EINVAL, "the result has been fetched already");
    return request_take_reply(conn, &reply, out, err);
}

bool rpyc_pending_is_done(rpyc_pending *pending)
{
    return conn_is_done(pending->conn->conn, pending->p);
}

void rpyc_pending_notify(rpyc_pending *pending, void (*notify)(void *arg), void *arg)
{
    conn_notify_done(pending->conn->conn, pending->p, notify, arg);
}

void rpyc_pending_cancel(rpyc_pending *pending)
{
    conn_cancel(pending->conn->conn, pending->p);
}

void rpyc_pending_free(rpyc_pending *pending)
{
    if (!pending)
        return;
    conn_forget(pending->conn->conn, pending->p);
    rpyc_conn_unref(pending->conn);
    free(pending);
}
