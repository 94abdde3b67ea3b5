/* SPDX-License-Identifier: BSD-3-Clause */
#include "request.h"

#include "box.h"
#include "exception.h"
#include "format.h"

/* ---- Writing --------------------------------------------------------------------------------- */

void request_begin(struct request *r, rpyc_conn *conn, enum handler handler, struct rpyc_error *err)
{
    struct releases releases;

    r->conn = conn;
    r->err = err;
    r->failed = false;
    pthread_mutex_lock(&conn->lock);
    releases = releases_take(&conn->releases);
    pthread_mutex_unlock(&conn->lock);
    releases_request_begin(conn->conn, &releases, &r->out, handler, &r->seq);
}

int request_begin_on(struct request *r, rpyc_value *obj, enum handler handler, size_t more,
                     struct rpyc_error *err)
{
    if (rpyc_type_of(obj) != RPYC_NETREF)
        return error_set(err, RPYC_ETYPE, "expected a netref, got %s", value_type_name(obj));
    request_begin(r, obj->ref.conn, handler, err);
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
    } else if (!r->failed && box_put_value(r->conn, &r->out.buf, v, r->err) < 0) {
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

int request_getattr(struct request *r, rpyc_value *obj, const char *name, struct rpyc_error *err)
{
    if (request_begin_on(r, obj, HANDLE_GETATTR, 1, err) < 0)
        return -1;
    request_str(r, name);
    return 0;
}

static int begin_call(struct request *r, rpyc_value *obj, const char *name, rpyc_value *args,
                      rpyc_value *kwargs, struct rpyc_error *err)
{
    bool has_kwargs = rpyc_length(kwargs) > 0;
    size_t more = (name ? 2 : 1) + has_kwargs;

    if (rpyc_type_of(obj) == RPYC_NETREF && (box_check_value(obj->ref.conn, args, err) < 0 ||
                                             box_check_value(obj->ref.conn, kwargs, err) < 0))
        return -1;
    if (request_begin_on(r, obj, name ? HANDLE_CALLATTR : HANDLE_CALL, more, err) < 0)
        return -1;
    if (name)
        request_str(r, name);
    request_value(r, args);
    if (has_kwargs)
        request_value(r, kwargs);
    return 0;
}

int request_call(struct request *r, rpyc_value *obj, const char *name, const char *format,
                 va_list *ap, struct rpyc_error *err)
{
    AUTO_VALUE *args = NULL;
    AUTO_VALUE *kwargs = NULL;

    if (format_arguments(&args, &kwargs, format, ap, err) < 0)
        return -1;
    return begin_call(r, obj, name, args, kwargs, err);
}

/* ---- Sending --------------------------------------------------------------------------------- */

void request_abandon(struct request *r)
{
    conn_abandon(r->conn->conn, &r->out, rpyc_conn_deadline(r->conn));
}

int request_next(struct request *r, enum handler handler, struct pending **p)
{
    struct conn *c = r->conn->conn;

    *p = conn_expect(c, r->seq);
    if (*p && conn_request_next(c, &r->out, handler, &r->seq, r->err) == 0)
        return 0;
    if (*p)
        conn_forget(c, *p);
    else
        error_nomem(r->err);
    request_abandon(r);
    return -1;
}

int request_start(struct request *r, struct pending **p)
{
    if (!r->failed)
        return conn_start(r->conn->conn, &r->out, r->seq, p, rpyc_conn_deadline(r->conn), r->err);
    request_abandon(r);
    return -1;
}

int request_wait(struct request *r, rpyc_value **result)
{
    struct message reply;

    if (r->failed) {
        request_abandon(r);
        return -1;
    }
    if (conn_request(r->conn->conn, &r->out, r->seq, &reply, rpyc_conn_deadline(r->conn), r->err) <
        0)
        return -1;
    return request_take_reply(r->conn, &reply, result, r->err);
}

int request_take_reply(rpyc_conn *conn, struct message *reply, rpyc_value **result,
                       struct rpyc_error *err)
{
    rpyc_value *v = NULL;

    if (reply->kind == MESSAGE_EXCEPTION)
        exception_raise(&reply->body, err);
    else
        v = box_read_value(conn, &reply->body, err);
    message_free(reply);
    if (!v)
        return -1;
    if (result)
        *result = v;
    else
        rpyc_unref(v);
    return 0;
}

int request_wrong_result(const rpyc_value *v, const char *wanted, struct rpyc_error *err)
{
    return error_set(err, RPYC_ETYPE, "expected %s as the result, got %s", wanted,
                     value_type_name(v));
}

int request_wait_typed(struct request *r, enum rpyc_type type, const char *name,
                       rpyc_value **result)
{
    AUTO_VALUE *v = NULL;

    if (request_wait(r, &v) < 0)
        return -1;
    if (rpyc_type_of(v) != type)
        return request_wrong_result(v, name, r->err);
    if (result)
        *result = rpyc_ref(v);
    return 0;
}

/* ---- By number of the handler ---------------------------------------------------------------- */

int request_by_number(struct request *r, rpyc_conn *conn, int handler, const char *format,
                      va_list *ap, struct rpyc_error *err)
{
    AUTO_VALUE *args = NULL;
    AUTO_VALUE *kwargs = NULL;

    if (format_arguments(&args, &kwargs, format, ap, err) < 0)
        return -1;
    if (rpyc_length(kwargs) > 0) {
        error_set(err, RPYC_EINVAL,
                  "the format must have no keyword arguments: only a call can have them");
        return -1;
    }
    request_begin(r, conn, (enum handler)handler, err);
    request_value(r, args);
    return 0;
}

int rpyc_request(rpyc_conn *conn, int handler, rpyc_value **out, struct rpyc_error *err,
                 const char *format, ...)
{
    struct request r;
    va_list ap;
    int result;

    va_start(ap, format);
    result = request_by_number(&r, conn, handler, format, &ap, err);
    va_end(ap);
    return result < 0 ? -1 : request_wait(&r, out);
}

int rpyc_ping(rpyc_conn *conn, const void *data, size_t len, struct rpyc_error *err)
{
    AUTO_VALUE *back = NULL;
    struct request r;
    const void *bytes;
    size_t back_len = 0;

    request_begin(&r, conn, HANDLE_PING, err);
    box_put(&r.out.buf, LABEL_VALUE);
    brine_put_tuple(&r.out.buf, 1);
    brine_put_bytes(&r.out.buf, data, len);
    if (request_wait(&r, &back) < 0)
        return -1;
    bytes = rpyc_bytes(back, &back_len);
    if (!bytes || back_len != len || (len && memcmp(bytes, data, len) != 0))
        return error_set(err, RPYC_EPROTOCOL,
                         "the reply to a ping differs from the data that was sent");
    return 0;
}
