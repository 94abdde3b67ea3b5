/* SPDX-License-Identifier: BSD-3-Clause */
#include "request.h"

#include <stdarg.h>
#include <stdlib.h>

/* ---- Requests ------------------------------------------------------------------------------- */

static void unref_value(rpyc_value **v)
{
    rpyc_unref(*v);
}

void value_request_begin(rpyc_conn *conn, struct outgoing *out, enum handler handler, int64_t *seq)
{
    struct drops drops;

    pthread_mutex_lock(&conn->lock);
    drops = drops_take(&conn->drops);
    pthread_mutex_unlock(&conn->lock);
    drops_request_begin(conn->conn, &drops, out, handler, seq);
}

static void free_exception(struct rpyc_exception **exc)
{
    exception_free(*exc);
}

/* An exception with no more than its class. The strings are copied. NULL: no memory. */
static struct rpyc_exception *exception_new(const char *module, const char *name,
                                            const char *traceback)
{
    struct rpyc_exception *exc = calloc(1, sizeof(*exc));

    if (!exc)
        return NULL;
    exc->module = strdup(module);
    exc->name = strdup(name);
    exc->traceback = strdup(traceback);
    if (exc->module && exc->name && exc->traceback)
        return exc;
    exception_free(exc);
    return NULL;
}

/* Raises the exception that a vinegar tuple describes: ((module, name), args, attributes,
 * traceback). */
static int raise_tuple(const rpyc_value *v, struct rpyc_error *err)
{
    const rpyc_value *cls = rpyc_item(v, 0), *traceback = rpyc_item(v, 3);
    rpyc_value *args = rpyc_item(v, 1), *attributes = rpyc_item(v, 2);
    _cleanup_(free_exception) struct rpyc_exception *exc = NULL;
    const char *text, *module, *name;

    if (rpyc_length(v) != 4 || rpyc_length(cls) != 2 || args->type != RPYC_TUPLE ||
        attributes->type != RPYC_TUPLE || traceback->type != RPYC_STR)
        return error_set(err, RPYC_EPROTOCOL, "an exception of an unknown form");
    module = rpyc_str(rpyc_item(cls, 0), NULL);
    name = rpyc_str(rpyc_item(cls, 1), NULL);
    if (!module || !name)
        return error_set(err, RPYC_EPROTOCOL, "an exception without a class");
    exc = exception_new(module, name, rpyc_str(traceback, NULL));
    if (!exc)
        return error_nomem(err);
    exc->args = rpyc_ref(args);
    exc->attributes = rpyc_ref(attributes);
    text = rpyc_length(args) == 1 ? rpyc_str(rpyc_item(args, 0), NULL) : NULL;
    error_remote(err, exc, "%s%s%s", name, text ? ": " : "", text ? text : "");
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

int value_request(rpyc_conn *conn, struct outgoing *out, int64_t seq, rpyc_value **result,
                  struct rpyc_error *err)
{
    deadline_t deadline = conn->deadline;
    struct message reply;
    rpyc_value *v;

    if (deadline == DEADLINE_NEVER)
        deadline = deadline_in(conn->request_timeout_ms);
    if (conn_request(conn->conn, out, seq, &reply, deadline, err) < 0)
        return -1;
    if (reply.kind == MESSAGE_EXCEPTION) {
        raise_reply(&reply, err);
        message_free(&reply);
        return -1;
    }
    v = value_unbox(conn, &reply.body, err);
    message_free(&reply);
    if (!v)
        return -1;
    if (result)
        *result = v;
    else
        rpyc_unref(v);
    return 0;
}

int rpyc_ping(rpyc_conn *conn, const void *data, size_t len, struct rpyc_error *err)
{
    _cleanup_(unref_value) rpyc_value *back = NULL;
    struct outgoing out;
    const void *bytes;
    size_t back_len = 0;
    int64_t seq;

    value_request_begin(conn, &out, HANDLE_PING, &seq);
    box_put(&out.buf, LABEL_VALUE);
    brine_put_tuple(&out.buf, 1);
    brine_put_bytes(&out.buf, data, len);
    if (value_request(conn, &out, seq, &back, err) < 0)
        return -1;
    bytes = rpyc_bytes(back, &back_len);
    if (!bytes || back_len != len || (len && memcmp(bytes, data, len) != 0))
        return error_set(err, RPYC_EPROTOCOL, "a ping came back with other data");
    return 0;
}

/* ---- Arguments by format -------------------------------------------------------------------- */

static void box_value(struct buffer *out, const char *text)
{
    box_put(out, LABEL_VALUE);
    brine_put_str(out, text, strlen(text));
}

/* Whether a value may go out on a connection: a netref means something on its own connection alone.
 */
static bool belongs(const rpyc_conn *conn, const rpyc_value *v)
{
    size_t i;

    if (v->type == RPYC_NETREF)
        return v->ref.conn == conn;
    for (i = 0; i < rpyc_length(v); i++) {
        if (!belongs(conn, rpyc_item(v, i)))
            return false;
    }
    return true;
}

static int box_object(rpyc_conn *conn, struct buffer *out, const rpyc_value *v,
                      struct rpyc_error *err)
{
    if (!belongs(conn, v))
        return error_set(err, RPYC_EINVAL, "a netref of another connection as an argument");
    value_box(out, v);
    return 0;
}

/* Appends the box of one plain argument. False for a letter that does not exist. */
static bool box_plain(struct buffer *out, char letter, va_list *args)
{
    const void *bytes;

    box_put(out, LABEL_VALUE);
    switch (letter) {
    case 's':
        bytes = va_arg(*args, const char *);
        brine_put_str(out, bytes, strlen(bytes));
        return true;
    case 'y':
        bytes = va_arg(*args, const void *);
        brine_put_bytes(out, bytes, va_arg(*args, size_t));
        return true;
    case 'i':
        brine_put_int(out, va_arg(*args, int));
        return true;
    case 'l':
        brine_put_int(out, va_arg(*args, int64_t));
        return true;
    case 'd':
        brine_put_float(out, va_arg(*args, double));
        return true;
    case 'b':
        brine_put_bool(out, va_arg(*args, int) != 0);
        return true;
    case 'N':
        brine_put_none(out);
        return true;
    default:
        return false;
    }
}

static int box_arguments(rpyc_conn *conn, struct buffer *out, const char *format, va_list *args,
                         struct rpyc_error *err)
{
    size_t count = format ? strlen(format) : 0, i;

    box_put(out, LABEL_TUPLE);
    brine_put_tuple(out, count);
    for (i = 0; i < count; i++) {
        if (format[i] == 'O') {
            if (box_object(conn, out, va_arg(*args, rpyc_value *), err) < 0)
                return -1;
        } else if (!box_plain(out, format[i], args)) {
            return error_set(err, RPYC_EINVAL, "no argument format '%c'", format[i]);
        }
    }
    return 0;
}

/* Starts a request whose arguments are obj and `more` others. */
static int begin_on(rpyc_value *obj, struct outgoing *out, enum handler handler, size_t more,
                    int64_t *seq, struct rpyc_error *err)
{
    if (obj->type != RPYC_NETREF)
        return error_set(err, RPYC_ETYPE, "not a netref but a plain value");
    value_request_begin(obj->ref.conn, out, handler, seq);
    box_put(&out->buf, LABEL_TUPLE);
    brine_put_tuple(&out->buf, 1 + more);
    value_box(&out->buf, obj);
    return 0;
}

int rpyc_getattr(rpyc_value *obj, const char *name, rpyc_value **result, struct rpyc_error *err)
{
    struct outgoing out;
    int64_t seq;

    if (begin_on(obj, &out, HANDLE_GETATTR, 1, &seq, err) < 0)
        return -1;
    box_value(&out.buf, name);
    return value_request(obj->ref.conn, &out, seq, result, err);
}

/* Appends the positional arguments, sends, and waits. name is NULL for a plain call. */
static int call(rpyc_value *obj, const char *name, rpyc_value **result, struct rpyc_error *err,
                const char *format, va_list *args)
{
    struct outgoing out;
    int64_t seq;

    if (begin_on(obj, &out, name ? HANDLE_CALLATTR : HANDLE_CALL, name ? 2 : 1, &seq, err) < 0)
        return -1;
    if (name)
        box_value(&out.buf, name);
    if (box_arguments(obj->ref.conn, &out.buf, format, args, err) < 0) {
        conn_abandon(obj->ref.conn->conn, &out, deadline_in(obj->ref.conn->request_timeout_ms));
        return -1;
    }
    return value_request(obj->ref.conn, &out, seq, result, err);
}

int rpyc_call(rpyc_value *obj, rpyc_value **result, struct rpyc_error *err, const char *format, ...)
{
    va_list args;
    int r;

    va_start(args, format);
    r = call(obj, NULL, result, err, format, &args);
    va_end(args);
    return r;
}

int rpyc_callattr(rpyc_value *obj, const char *name, rpyc_value **result, struct rpyc_error *err,
                  const char *format, ...)
{
    va_list args;
    int r;

    va_start(args, format);
    r = call(obj, name, result, err, format, &args);
    va_end(args);
    return r;
}

static int request_text(rpyc_value *obj, enum handler handler, rpyc_value **result,
                        struct rpyc_error *err)
{
    struct outgoing out;
    int64_t seq;

    if (begin_on(obj, &out, handler, 0, &seq, err) < 0)
        return -1;
    return value_request(obj->ref.conn, &out, seq, result, err);
}

int rpyc_repr(rpyc_value *obj, rpyc_value **result, struct rpyc_error *err)
{
    return request_text(obj, HANDLE_REPR, result, err);
}

int rpyc_tostr(rpyc_value *obj, rpyc_value **result, struct rpyc_error *err)
{
    return request_text(obj, HANDLE_STR, result, err);
}
