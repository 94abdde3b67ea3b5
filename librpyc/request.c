/* SPDX-License-Identifier: BSD-3-Clause */
#include "request.h"

#include "describe.h"
#include "format.h"

#include <stdarg.h>
#include <stdlib.h>

/* ---- Requests ------------------------------------------------------------------------------- */

static void unref_value(rpyc_value **v)
{
    rpyc_unref(*v);
}

void value_request_begin(rpyc_conn *conn, struct outgoing *out, enum handler handler, int64_t *seq)
{
    struct releases releases;

    pthread_mutex_lock(&conn->lock);
    releases = releases_take(&conn->releases);
    pthread_mutex_unlock(&conn->lock);
    releases_request_begin(conn->conn, &releases, out, handler, seq);
}

static void free_exception(struct rpyc_exception **exc)
{
    exception_free(*exc);
}

/* Raises the exception that a vinegar tuple describes: ((module, name), args, attributes,
 * traceback). */
static int raise_tuple(const rpyc_value *v, struct rpyc_error *err)
{
    const rpyc_value *cls = rpyc_item(v, 0), *traceback = rpyc_item(v, 3);
    rpyc_value *args = rpyc_item(v, 1), *attributes = rpyc_item(v, 2);
    _cleanup_(free_exception) struct rpyc_exception *exc = NULL;
    _cleanup_(buffer_free) struct buffer text = BUFFER_INIT;
    const char *module, *name;

    if (rpyc_length(v) != 4 || rpyc_length(cls) != 2 || args->type != RPYC_TUPLE ||
        attributes->type != RPYC_TUPLE || traceback->type != RPYC_STR)
        return error_set(err, RPYC_EPROTOCOL, "an exception of an unknown form");
    module = rpyc_str(rpyc_item(cls, 0), NULL);
    name = rpyc_str(rpyc_item(cls, 1), NULL);
    if (!module || !name || !*name)
        return error_set(err, RPYC_EPROTOCOL, "an exception without a class");
    exc = exception_new(module, name, rpyc_str(traceback, NULL));
    if (!exc)
        return error_nomem(err);
    rpyc_unref(exc->args);
    rpyc_unref(exc->attributes);
    exc->args = rpyc_ref(args);
    exc->attributes = rpyc_ref(attributes);
    describe_exception(&text, exc);
    if (text.failed) /* the class alone needs no memory */
        error_remote(err, exc, "%s", name);
    else
        error_remote(err, exc, "%.*s", (int)text.len, (char *)text.data);
    exc = NULL;
    return -1;
}

static int raise_stop_iteration(struct rpyc_error *err)
{
    struct rpyc_exception *exc = exception_new("builtins", "StopIteration", "");

    return exc ? error_remote(err, exc, "StopIteration") : error_nomem(err);
}

/* Turns an exception message into err. Always -1. */
static int raise_reply(struct message *reply, struct rpyc_error *err)
{
    _cleanup_(unref_value) rpyc_value *v = value_read(&reply->body, err);

    if (!v)
        return -1;
    if (v->type == RPYC_INT)
        return raise_stop_iteration(err);
    if (v->type == RPYC_TUPLE)
        return raise_tuple(v, err);
    return error_set(err, RPYC_EPROTOCOL, "an exception of an unknown form");
}

int value_take_reply(rpyc_conn *conn, struct message *reply, rpyc_value **result,
                     struct rpyc_error *err)
{
    rpyc_value *v;

    if (reply->kind == MESSAGE_EXCEPTION) {
        raise_reply(reply, err);
        message_free(reply);
        return -1;
    }
    v = value_unbox(conn, &reply->body, err);
    message_free(reply);
    if (!v)
        return -1;
    if (result)
        *result = v;
    else
        rpyc_unref(v);
    return 0;
}

deadline_t value_deadline(const rpyc_conn *conn)
{
    return conn->deadline == DEADLINE_NEVER ? deadline_in(conn->request_timeout_ms)
                                            : conn->deadline;
}

int value_request(rpyc_conn *conn, struct outgoing *out, int64_t seq, rpyc_value **result,
                  struct rpyc_error *err)
{
    struct message reply;

    if (conn_request(conn->conn, out, seq, &reply, value_deadline(conn), err) < 0)
        return -1;
    return value_take_reply(conn, &reply, result, err);
}

int rpyc_request(rpyc_conn *conn, int handler, rpyc_value **out, struct rpyc_error *err,
                 const char *format, ...)
{
    _cleanup_(unref_value) rpyc_value *args = NULL;
    _cleanup_(unref_value) rpyc_value *kwargs = NULL;
    struct outgoing message;
    int64_t seq;
    va_list ap;
    int result;

    va_start(ap, format);
    result = format_arguments(&args, &kwargs, format, &ap, err);
    va_end(ap);
    if (result < 0)
        return -1;
    if (rpyc_length(kwargs) > 0)
        return error_set(err, RPYC_EINVAL, "a request takes no keyword arguments");
    value_request_begin(conn, &message, (enum handler)handler, &seq);
    if (value_box(conn, &message.buf, args, err) < 0) {
        conn_abandon(conn->conn, &message, value_deadline(conn));
        return -1;
    }
    return value_request(conn, &message, seq, out, err);
}

/* ---- Requests on an object --------------------------------------------------------------------
 */

int request_begin(struct request *r, rpyc_value *obj, enum handler handler, size_t more,
                  struct rpyc_error *err)
{
    if (rpyc_type_of(obj) != RPYC_NETREF)
        return error_set(err, RPYC_ETYPE, "expected a netref, got %s", describe_type(obj));
    r->conn = obj->ref.conn;
    r->err = err;
    r->failed = false;
    value_request_begin(r->conn, &r->out, handler, &r->seq);
    box_put(&r->out.buf, LABEL_TUPLE);
    brine_put_tuple(&r->out.buf, 1 + more);
    request_value(r, obj);
    return 0;
}

void request_value(struct request *r, rpyc_value *v)
{
    if (!v) {
        box_put(&r->out.buf, LABEL_VALUE);
        brine_put_none(&r->out.buf);
    } else if (!r->failed && value_box(r->conn, &r->out.buf, v, r->err) < 0) {
        r->failed = true;
    }
}

void request_str(struct request *r, const char *text)
{
    box_put(&r->out.buf, LABEL_VALUE);
    brine_put_str(&r->out.buf, text, strlen(text));
}

void request_int(struct request *r, int64_t n)
{
    box_put(&r->out.buf, LABEL_VALUE);
    brine_put_int(&r->out.buf, n);
}

void request_abandon(struct request *r)
{
    conn_abandon(r->conn->conn, &r->out, value_deadline(r->conn));
}

/* Whether what was appended can be sent; gives it up else. */
static int check(struct request *r)
{
    if (!r->failed)
        return 0;
    request_abandon(r);
    return -1;
}

int request_wait(struct request *r, rpyc_value **result)
{
    if (check(r) < 0)
        return -1;
    return value_request(r->conn, &r->out, r->seq, result, r->err);
}

int request_start(struct request *r, struct pending **p)
{
    if (check(r) < 0)
        return -1;
    return conn_start(r->conn->conn, &r->out, r->seq, p, value_deadline(r->conn), r->err);
}
