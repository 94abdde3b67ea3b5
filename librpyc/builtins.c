/* SPDX-License-Identifier: BSD-3-Clause */
#include "builtins.h"

#include "request.h"

int rpyc_builtin(rpyc_conn *conn, const char *name, rpyc_value **out, struct rpyc_error *err)
{
    AUTO_VALUE *builtins = NULL;

    if (rpyc_module(conn, "builtins", &builtins, err) < 0)
        return -1;
    return rpyc_getattr(builtins, name, out, err);
}

int builtins_call(const char *name, rpyc_value *obj, rpyc_value *other, rpyc_value **out,
                  struct rpyc_error *err)
{
    AUTO_VALUE *function = NULL;

    if (rpyc_type_of(obj) != RPYC_NETREF)
        return error_set(err, RPYC_ETYPE, "expected a netref, got %s", value_type_name(obj));
    if (rpyc_builtin(obj->ref.conn, name, &function, err) < 0)
        return -1;
    return other ? rpyc_call(function, out, err, "OO", obj, other)
                 : rpyc_call(function, out, err, "O", obj);
}

/* Converts the result of a call to a bool. Fails with RPYC_ETYPE if it is neither a bool nor an int
 * of 64 bits. */
static int bool_of(const rpyc_value *result, bool *out, struct rpyc_error *err)
{
    int64_t n = 0;

    if (rpyc_int64(result, &n, NULL) < 0)
        return request_wrong_result(result, "a bool", err);
    *out = n != 0;
    return 0;
}

int rpyc_isinstance(rpyc_value *obj, rpyc_value *cls, bool *out, struct rpyc_error *err)
{
    AUTO_VALUE *v = NULL;

    return builtins_call("isinstance", obj, cls, &v, err) < 0 ? -1 : bool_of(v, out, err);
}

/* ---- Truth ----------------------------------------------------------------------------------- */

/* Returns what bool(v) returns in Python. v must not be a netref. */
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
    AUTO_VALUE *v = NULL;

    if (rpyc_type_of(obj) != RPYC_NETREF) {
        *out = plain_truth(obj);
        return 0;
    }
    return builtins_call("bool", obj, NULL, &v, err) < 0 ? -1 : bool_of(v, out, err);
}

/* ---- The module operator --------------------------------------------------------------------- */

/* Calls operator.name(obj, other) and converts the result with bool_of. */
static int call_operator(const char *name, rpyc_value *obj, rpyc_value *other, bool *out,
                         struct rpyc_error *err)
{
    AUTO_VALUE *module = NULL;
    AUTO_VALUE *v = NULL;

    if (rpyc_type_of(obj) != RPYC_NETREF)
        return error_set(err, RPYC_ETYPE, "expected a netref, got %s", value_type_name(obj));
    if (rpyc_module(obj->ref.conn, "operator", &module, err) < 0 ||
        rpyc_callattr(module, name, &v, err, "OO", obj, other) < 0)
        return -1;
    return bool_of(v, out, err);
}

/* Calls operator.contains and not obj.__contains__, because some containers only have __iter__. */
int rpyc_contains(rpyc_value *obj, rpyc_value *value, bool *out, struct rpyc_error *err)
{
    return call_operator("contains", obj, value, out, err);
}

/* Returns the name of the function in the module operator for the comparison `op`: "lt" for "<".
 * NULL: op is not a comparison. */
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

/* Calls operator.lt (or eq and so on) instead of obj.__lt__, which may return NotImplemented. */
int rpyc_compare(rpyc_value *obj, const char *op, rpyc_value *other, bool *out,
                 struct rpyc_error *err)
{
    const char *name = operator_name(op);

    if (!name)
        return error_set(err, RPYC_EINVAL, "'%s' is not a comparison", op);
    return call_operator(name, obj, other, out, err);
}

/* ---- Context managers ------------------------------------------------------------------------ */

int rpyc_enter(rpyc_value *obj, rpyc_value **out, struct rpyc_error *err)
{
    return rpyc_callattr(obj, "__enter__", out, err, NULL);
}

int rpyc_exit(rpyc_value *obj, rpyc_value *exception, bool *suppressed, struct rpyc_error *err)
{
    AUTO_VALUE *answer = NULL;
    struct request r;

    if (exception && rpyc_type_of(exception) != RPYC_NETREF)
        return error_set(err, RPYC_ETYPE, "expected a netref as the exception, got %s",
                         value_type_name(exception));
    if (request_begin_on(&r, obj, HANDLE_CTXEXIT, 1, err) < 0)
        return -1;
    request_value(&r, exception);
    if (request_wait(&r, &answer) < 0)
        return -1;
    return suppressed ? rpyc_truth(answer, suppressed, err) : 0;
}
