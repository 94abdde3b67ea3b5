/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Requests on an object of the peer. rpyc.h describes each function.
 */
#include "request.h"

/* ---- Attributes ------------------------------------------------------------------------------ */

int rpyc_getattr(rpyc_value *obj, const char *name, rpyc_value **out, struct rpyc_error *err)
{
    struct request r;

    return request_getattr(&r, obj, name, err) < 0 ? -1 : request_wait(&r, out);
}

int rpyc_setattr(rpyc_value *obj, const char *name, rpyc_value *value, struct rpyc_error *err)
{
    struct request r;

    if (request_begin_on(&r, obj, HANDLE_SETATTR, 2, err) < 0)
        return -1;
    request_str(&r, name);
    request_value(&r, value);
    return request_wait(&r, NULL);
}

int rpyc_delattr(rpyc_value *obj, const char *name, struct rpyc_error *err)
{
    struct request r;

    if (request_begin_on(&r, obj, HANDLE_DELATTR, 1, err) < 0)
        return -1;
    request_str(&r, name);
    return request_wait(&r, NULL);
}

/* ---- Calls ----------------------------------------------------------------------------------- */

/* Calls obj, or its method `name` if name is not NULL. */
static int call(rpyc_value *obj, const char *name, rpyc_value **out, const char *format,
                va_list *ap, struct rpyc_error *err)
{
    struct request r;

    return request_call(&r, obj, name, format, ap, err) < 0 ? -1 : request_wait(&r, out);
}

int rpyc_call(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err, const char *format, ...)
{
    va_list ap;
    int result;

    va_start(ap, format);
    result = call(obj, NULL, out, format, &ap, err);
    va_end(ap);
    return result;
}

int rpyc_callattr(rpyc_value *obj, const char *name, rpyc_value **out, struct rpyc_error *err,
                  const char *format, ...)
{
    va_list ap;
    int result;

    va_start(ap, format);
    result = call(obj, name, out, format, &ap, err);
    va_end(ap);
    return result;
}

/* ---- Items ----------------------------------------------------------------------------------- */

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

/* ---- Results of one type --------------------------------------------------------------------- */

int rpyc_len(rpyc_value *obj, size_t *out, struct rpyc_error *err)
{
    AUTO_VALUE *v = NULL;
    int64_t n;

    if (rpyc_callattr(obj, "__len__", &v, err, NULL) < 0)
        return -1;
    if (rpyc_int64(v, &n, NULL) < 0 || n < 0)
        return request_wrong_result(v, "a length", err);
    *out = (size_t)n;
    return 0;
}

/* ---- Requests without arguments -------------------------------------------------------------- */

int rpyc_hash(rpyc_value *obj, int64_t *out, struct rpyc_error *err)
{
    AUTO_VALUE *v = NULL;
    struct request r;

    if (request_begin_on(&r, obj, HANDLE_HASH, 0, err) < 0 || request_wait(&r, &v) < 0)
        return -1;
    return rpyc_int64(v, out, NULL) < 0 ? request_wrong_result(v, "a hash", err) : 0;
}

/* Sends a request whose only argument is obj, and waits for the result. Fails with RPYC_ETYPE if
 * the type of the result is not `type`. name: how the text of this error names the type. */
static int request_typed(rpyc_value *obj, enum handler handler, enum rpyc_type type,
                         const char *name, rpyc_value **out, struct rpyc_error *err)
{
    struct request r;

    if (request_begin_on(&r, obj, handler, 0, err) < 0)
        return -1;
    return request_wait_typed(&r, type, name, out);
}

int rpyc_repr(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err)
{
    return request_typed(obj, HANDLE_REPR, RPYC_STR, "a str", out, err);
}

int rpyc_tostr(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err)
{
    return request_typed(obj, HANDLE_STR, RPYC_STR, "a str", out, err);
}

int rpyc_dir(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err)
{
    return request_typed(obj, HANDLE_DIR, RPYC_TUPLE, "a tuple", out, err);
}

int rpyc_pickle(rpyc_value *obj, int protocol, rpyc_value **out, struct rpyc_error *err)
{
    struct request r;

    if (request_begin_on(&r, obj, HANDLE_PICKLE, 1, err) < 0)
        return -1;
    request_int(&r, protocol);
    return request_wait_typed(&r, RPYC_BYTES, "a bytes", out);
}
