/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What can be done with an object of the other side; rpyc.h says what each function does.
 */
#include "classic.h"
#include "describe.h"
#include "format.h"

#include <stdlib.h>

static void unref_value(rpyc_value **v)
{
    rpyc_unref(*v);
}

/* ---- Attributes -------------------------------------------------------------------------------
 */

static int begin_getattr(struct request *r, rpyc_value *obj, const char *name,
                         struct rpyc_error *err)
{
    if (request_begin(r, obj, HANDLE_GETATTR, 1, err) < 0)
        return -1;
    request_str(r, name);
    return 0;
}

int rpyc_getattr(rpyc_value *obj, const char *name, rpyc_value **out, struct rpyc_error *err)
{
    struct request r;

    return begin_getattr(&r, obj, name, err) < 0 ? -1 : request_wait(&r, out);
}

int rpyc_setattr(rpyc_value *obj, const char *name, rpyc_value *value, struct rpyc_error *err)
{
    struct request r;

    if (request_begin(&r, obj, HANDLE_SETATTR, 2, err) < 0)
        return -1;
    request_str(&r, name);
    request_value(&r, value);
    return request_wait(&r, NULL);
}

int rpyc_delattr(rpyc_value *obj, const char *name, struct rpyc_error *err)
{
    struct request r;

    if (request_begin(&r, obj, HANDLE_DELATTR, 1, err) < 0)
        return -1;
    request_str(&r, name);
    return request_wait(&r, NULL);
}

/* ---- Calls ------------------------------------------------------------------------------------
 */

/* Starts a call, of a method where there is a name. kwargs may be NULL. */
static int begin_call(struct request *r, rpyc_value *obj, const char *name, rpyc_value *args,
                      rpyc_value *kwargs, struct rpyc_error *err)
{
    size_t more = (name ? 2 : 1) + (kwargs && rpyc_length(kwargs) > 0);

    if (rpyc_type_of(obj) == RPYC_NETREF &&
        (value_check(obj->ref.conn, args, err) < 0 ||
         (kwargs && value_check(obj->ref.conn, kwargs, err) < 0)))
        return -1;
    if (request_begin(r, obj, name ? HANDLE_CALLATTR : HANDLE_CALL, more, err) < 0)
        return -1;
    if (name)
        request_str(r, name);
    request_value(r, args);
    if (kwargs && rpyc_length(kwargs) > 0)
        request_value(r, kwargs);
    return 0;
}

static int begin_format_call(struct request *r, rpyc_value *obj, const char *name,
                             const char *format, va_list *ap, struct rpyc_error *err)
{
    _cleanup_(unref_value) rpyc_value *args = NULL;
    _cleanup_(unref_value) rpyc_value *kwargs = NULL;

    if (format_arguments(&args, &kwargs, format, ap, err) < 0)
        return -1;
    return begin_call(r, obj, name, args, kwargs, err);
}

int rpyc_call(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err, const char *format, ...)
{
    struct request r;
    va_list ap;
    int result;

    va_start(ap, format);
    result = begin_format_call(&r, obj, NULL, format, &ap, err);
    va_end(ap);
    return result < 0 ? -1 : request_wait(&r, out);
}

int rpyc_callattr(rpyc_value *obj, const char *name, rpyc_value **out, struct rpyc_error *err,
                  const char *format, ...)
{
    struct request r;
    va_list ap;
    int result;

    va_start(ap, format);
    result = begin_format_call(&r, obj, name, format, &ap, err);
    va_end(ap);
    return result < 0 ? -1 : request_wait(&r, out);
}

/* ---- Items ------------------------------------------------------------------------------------
 */

int rpyc_getitem(rpyc_value *obj, rpyc_value *key, rpyc_value **out, struct rpyc_error *err)
{
    return rpyc_callattr(obj, "__getitem__", out, err, "O", key);
}

int rpyc_setitem(rpyc_value *obj, rpyc_value *key, rpyc_value *value, struct rpyc_error *err)
{
    return rpyc_callattr(obj, "__setitem__", NULL, err, "OO", key, value);
}

int rpyc_delitem(rpyc_value *obj, rpyc_value *key, struct rpyc_error *err)
{
    return rpyc_callattr(obj, "__delitem__", NULL, err, "O", key);
}

/* ---- Answers of one type ----------------------------------------------------------------------
 */

static int wrong_answer(const rpyc_value *v, const char *wanted, struct rpyc_error *err)
{
    return error_set(err, RPYC_ETYPE, "the answer is not %s but %s", wanted, describe_type(v));
}

/* Takes v; its truth in *out. */
static int take_bool(rpyc_value *v, bool *out, struct rpyc_error *err)
{
    int64_t n = 0;
    int result = rpyc_int64(v, &n, NULL) < 0 ? wrong_answer(v, "a bool", err) : 0;

    rpyc_unref(v);
    *out = n != 0;
    return result;
}

/* Passes v on if it is of a type; drops it else. */
static int take_typed(rpyc_value *v, enum rpyc_type type, const char *wanted, rpyc_value **out,
                      struct rpyc_error *err)
{
    if (rpyc_type_of(v) != type) {
        wrong_answer(v, wanted, err);
        rpyc_unref(v);
        return -1;
    }
    if (out)
        *out = v;
    else
        rpyc_unref(v);
    return 0;
}

int rpyc_len(rpyc_value *obj, size_t *out, struct rpyc_error *err)
{
    _cleanup_(unref_value) rpyc_value *v = NULL;
    int64_t n;

    if (rpyc_callattr(obj, "__len__", &v, err, NULL) < 0)
        return -1;
    if (rpyc_int64(v, &n, NULL) < 0 || n < 0)
        return wrong_answer(v, "a length", err);
    *out = (size_t)n;
    return 0;
}

/* Calls one of the builtins there. */
static int call_builtin(rpyc_value *obj, const char *name, rpyc_value *other, rpyc_value **out,
                        struct rpyc_error *err)
{
    _cleanup_(unref_value) rpyc_value *function = NULL;

    if (rpyc_type_of(obj) != RPYC_NETREF)
        return error_set(err, RPYC_ETYPE, "expected a netref, got %s", describe_type(obj));
    if (rpyc_builtin(obj->ref.conn, name, &function, err) < 0)
        return -1;
    return other ? rpyc_call(function, out, err, "OO", obj, other)
                 : rpyc_call(function, out, err, "O", obj);
}

/* operator.contains, which also finds what only __iter__ can: not each container has __contains__.
 */
int rpyc_contains(rpyc_value *obj, rpyc_value *value, bool *out, struct rpyc_error *err)
{
    _cleanup_(unref_value) rpyc_value *operator= NULL;
    rpyc_value *v;

    if (rpyc_type_of(obj) != RPYC_NETREF)
        return error_set(err, RPYC_ETYPE, "expected a netref, got %s", describe_type(obj));
    if (rpyc_module(obj->ref.conn, "operator", &operator, err) < 0 ||
        rpyc_callattr(operator, "contains", &v, err, "OO", obj, value) < 0)
        return -1;
    return take_bool(v, out, err);
}

int rpyc_isinstance(rpyc_value *obj, rpyc_value *cls, bool *out, struct rpyc_error *err)
{
    rpyc_value *v;

    if (call_builtin(obj, "isinstance", cls, &v, err) < 0)
        return -1;
    return take_bool(v, out, err);
}

/* The truth of a value that is here, as Python has it. */
static bool plain_truth(const rpyc_value *v)
{
    switch (rpyc_type_of(v)) {
    case RPYC_NONE:
        return false;
    case RPYC_BOOL:
        return v->boolean;
    case RPYC_INT:
        return v->big || v->integer != 0;
    case RPYC_FLOAT:
    case RPYC_COMPLEX:
        return v->real != 0 || v->imag != 0;
    case RPYC_STR:
    case RPYC_BYTES:
        return v->len > 0;
    case RPYC_TUPLE:
    case RPYC_FROZENSET:
        return v->count > 0;
    default:
        return true;
    }
}

int rpyc_truth(rpyc_value *obj, bool *out, struct rpyc_error *err)
{
    rpyc_value *v;

    if (rpyc_type_of(obj) != RPYC_NETREF) {
        *out = plain_truth(obj);
        return 0;
    }
    if (call_builtin(obj, "bool", NULL, &v, err) < 0)
        return -1;
    return take_bool(v, out, err);
}

/* The function of the module operator for a comparison. */
static const char *operator_name(const char *op)
{
    static const char *const names[][2] = {{"<", "lt"},  {"<=", "le"}, {"==", "eq"},
                                           {"!=", "ne"}, {">", "gt"},  {">=", "ge"}};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (strcmp(names[i][0], op) == 0)
            return names[i][1];
    }
    return NULL;
}

/* By operator, which knows what to do where one side says NotImplemented. */
int rpyc_compare(rpyc_value *obj, const char *op, rpyc_value *other, bool *out,
                 struct rpyc_error *err)
{
    _cleanup_(unref_value) rpyc_value *operator= NULL;
    const char *name = operator_name(op);
    rpyc_value *v;

    if (!name)
        return error_set(err, RPYC_EINVAL, "'%s' is not a comparison", op);
    if (rpyc_type_of(obj) != RPYC_NETREF)
        return error_set(err, RPYC_ETYPE, "expected a netref, got %s", describe_type(obj));
    if (rpyc_module(obj->ref.conn, "operator", &operator, err) < 0 ||
        rpyc_callattr(operator, name, &v, err, "OO", obj, other) < 0)
        return -1;
    return take_bool(v, out, err);
}

/* A request of one of the handlers that take nothing but the object. */
static int request_plain(rpyc_value *obj, enum handler handler, rpyc_value **out,
                         struct rpyc_error *err)
{
    struct request r;

    return request_begin(&r, obj, handler, 0, err) < 0 ? -1 : request_wait(&r, out);
}

int rpyc_hash(rpyc_value *obj, int64_t *out, struct rpyc_error *err)
{
    _cleanup_(unref_value) rpyc_value *v = NULL;

    if (request_plain(obj, HANDLE_HASH, &v, err) < 0)
        return -1;
    return rpyc_int64(v, out, NULL) < 0 ? wrong_answer(v, "a hash", err) : 0;
}

int rpyc_repr(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err)
{
    rpyc_value *v;

    if (request_plain(obj, HANDLE_REPR, &v, err) < 0)
        return -1;
    return take_typed(v, RPYC_STR, "a str", out, err);
}

int rpyc_tostr(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err)
{
    rpyc_value *v;

    if (request_plain(obj, HANDLE_STR, &v, err) < 0)
        return -1;
    return take_typed(v, RPYC_STR, "a str", out, err);
}

int rpyc_dir(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err)
{
    rpyc_value *v;

    if (request_plain(obj, HANDLE_DIR, &v, err) < 0)
        return -1;
    return take_typed(v, RPYC_TUPLE, "a tuple", out, err);
}

int rpyc_pickle(rpyc_value *obj, int protocol, rpyc_value **out, struct rpyc_error *err)
{
    struct request r;
    rpyc_value *v;

    if (request_begin(&r, obj, HANDLE_PICKLE, 1, err) < 0)
        return -1;
    request_int(&r, protocol);
    if (request_wait(&r, &v) < 0)
        return -1;
    return take_typed(v, RPYC_BYTES, "a bytes", out, err);
}

/* ---- Context managers -------------------------------------------------------------------------
 */

int rpyc_enter(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err)
{
    return rpyc_callattr(obj, "__enter__", out, err, NULL);
}

int rpyc_exit(rpyc_value *obj, rpyc_value *exception, bool *suppressed, struct rpyc_error *err)
{
    _cleanup_(unref_value) rpyc_value *answer = NULL;
    struct request r;

    if (exception && rpyc_type_of(exception) != RPYC_NETREF)
        return error_set(err, RPYC_ETYPE, "expected a netref as the exception, got %s",
                         describe_type(exception));
    if (request_begin(&r, obj, HANDLE_CTXEXIT, 1, err) < 0)
        return -1;
    request_value(&r, exception);
    if (request_wait(&r, &answer) < 0)
        return -1;
    return suppressed ? rpyc_truth(answer, suppressed, err) : 0;
}

/* ---- Iteration --------------------------------------------------------------------------------
 */

#define CHUNK_FIRST 16
#define CHUNK_MOST  1024

struct rpyc_iter {
    rpyc_value *iterator; /* a netref */
    rpyc_value *chunk;    /* a tuple, or NULL */
    size_t next;          /* in chunk */
    int64_t size;         /* of the chunk to ask for */
};

int rpyc_iterate(rpyc_value *obj, rpyc_iter **out, struct rpyc_error *err)
{
    rpyc_iter *iter = calloc(1, sizeof(*iter));

    if (!iter)
        return error_nomem(err);
    if (call_builtin(obj, "iter", NULL, &iter->iterator, err) < 0) {
        free(iter);
        return -1;
    }
    iter->size = CHUNK_FIRST;
    *out = iter;
    return 0;
}

/* Fetches the next items, more each time. */
static int fetch_chunk(rpyc_iter *iter, struct rpyc_error *err)
{
    struct request r;
    rpyc_value *v;

    if (request_begin(&r, iter->iterator, HANDLE_BUFFITER, 1, err) < 0)
        return -1;
    request_int(&r, iter->size);
    if (request_wait(&r, &v) < 0 || take_typed(v, RPYC_TUPLE, "a tuple", &v, err) < 0)
        return -1;
    rpyc_unref(iter->chunk);
    iter->chunk = v;
    iter->next = 0;
    if (iter->size < CHUNK_MOST)
        iter->size *= 2;
    return 0;
}

int rpyc_next(rpyc_iter *iter, rpyc_value **item, struct rpyc_error *err)
{
    if ((!iter->chunk || iter->next == iter->chunk->count) && fetch_chunk(iter, err) < 0)
        return -1;
    if (iter->chunk->count == 0)
        return 0;
    *item = rpyc_ref(iter->chunk->items[iter->next++]);
    return 1;
}

void rpyc_iter_free(rpyc_iter *iter)
{
    if (!iter)
        return;
    rpyc_unref(iter->iterator);
    rpyc_unref(iter->chunk);
    free(iter);
}

/* ---- Without waiting --------------------------------------------------------------------------
 */

struct rpyc_pending {
    rpyc_conn *conn; /* a reference */
    struct pending *p;
};

/* Sends a request that is written, and keeps it for later. */
static int start(struct request *r, rpyc_pending **out)
{
    rpyc_pending *pending = calloc(1, sizeof(*pending));

    if (!pending) {
        request_abandon(r);
        return error_nomem(r->err);
    }
    if (request_start(r, &pending->p) < 0) {
        free(pending);
        return -1;
    }
    atomic_fetch_add(&r->conn->refs, 1);
    pending->conn = r->conn;
    *out = pending;
    return 0;
}

int rpyc_start_getattr(rpyc_value *obj, const char *name, rpyc_pending **out,
                       struct rpyc_error *err)
{
    struct request r;

    return begin_getattr(&r, obj, name, err) < 0 ? -1 : start(&r, out);
}

int rpyc_start_call(rpyc_value *obj, rpyc_pending **out, struct rpyc_error *err, const char *format,
                    ...)
{
    struct request r;
    va_list ap;
    int result;

    va_start(ap, format);
    result = begin_format_call(&r, obj, NULL, format, &ap, err);
    va_end(ap);
    return result < 0 ? -1 : start(&r, out);
}

int rpyc_start_callattr(rpyc_value *obj, const char *name, rpyc_pending **out,
                        struct rpyc_error *err, const char *format, ...)
{
    struct request r;
    va_list ap;
    int result;

    va_start(ap, format);
    result = begin_format_call(&r, obj, name, format, &ap, err);
    va_end(ap);
    return result < 0 ? -1 : start(&r, out);
}

int rpyc_pending_wait(rpyc_pending *pending, int timeout_ms, rpyc_value **out,
                      struct rpyc_error *err)
{
    rpyc_conn *conn = pending->conn;
    deadline_t deadline = timeout_ms ? deadline_in(timeout_ms) : value_deadline(conn);
    struct message reply;

    if (conn_wait(conn->conn, pending->p, &reply, deadline, err) < 0)
        return -1;
    if (!reply.frame.data)
        return error_set(err, RPYC_EINVAL, "the result has been fetched already");
    return value_take_reply(conn, &reply, out, err);
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
