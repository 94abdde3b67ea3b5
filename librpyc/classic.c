/* SPDX-License-Identifier: BSD-3-Clause */
#include "classic.h"

#include "request.h"

int classic_ask_root(rpyc_conn *conn, struct pending **request, struct rpyc_error *err)
{
    struct request r;

    request_begin(&r, conn, HANDLE_GETROOT, err);
    box_put(&r.out.buf, LABEL_VALUE);
    brine_put_tuple(&r.out.buf, 0);
    return request_start(&r, request);
}

int classic_take_root(rpyc_conn *conn, struct pending *request, struct rpyc_error *err)
{
    struct message reply;
    int result = conn_wait(conn->conn, request, &reply, rpyc_conn_deadline(conn), err);

    conn_forget(conn->conn, request);
    if (result < 0 || request_take_reply(conn, &reply, &conn->root, err) < 0)
        return -1;
    if (rpyc_type_of(conn->root) != RPYC_NETREF)
        return error_set(err, RPYC_EPROTOCOL, "the server's root is not an object");
    return 0;
}

int rpyc_root(rpyc_conn *conn, rpyc_value **out, struct rpyc_error *err)
{
    if (!conn->root)
        return error_set(err, RPYC_ECLOSED, "the connection is closed");
    *out = rpyc_ref(conn->root);
    return 0;
}

static int call_root(rpyc_conn *conn, const char *method, const char *text, rpyc_value **out,
                     struct rpyc_error *err)
{
    if (!conn->root)
        return error_set(err, RPYC_ECLOSED, "the connection is closed");
    return rpyc_callattr(conn->root, method, out, err, "s", text);
}

int rpyc_module(rpyc_conn *conn, const char *name, rpyc_value **out, struct rpyc_error *err)
{
    return call_root(conn, "getmodule", name, out, err);
}

int rpyc_eval(rpyc_conn *conn, const char *text, rpyc_value **out, struct rpyc_error *err)
{
    return call_root(conn, "eval", text, out, err);
}

int rpyc_execute(rpyc_conn *conn, const char *text, struct rpyc_error *err)
{
    return call_root(conn, "execute", text, NULL, err);
}

int rpyc_namespace(rpyc_conn *conn, rpyc_value **out, struct rpyc_error *err)
{
    if (!conn->root)
        return error_set(err, RPYC_ECLOSED, "the connection is closed");
    return rpyc_getattr(conn->root, "namespace", out, err);
}

/* Sets *out to true if importlib.util.find_spec finds a module. Imports its parent packages. */
static int find_spec(rpyc_conn *conn, const char *name, bool *out, struct rpyc_error *err)
{
    AUTO_VALUE *util = NULL;
    AUTO_VALUE *spec = NULL;

    if (rpyc_module(conn, "importlib.util", &util, err) < 0 ||
        rpyc_callattr(util, "find_spec", &spec, err, "s", name) < 0)
        return -1;
    *out = rpyc_type_of(spec) != RPYC_NONE;
    return 0;
}

int rpyc_has_module(rpyc_conn *conn, const char *name, bool *out, struct rpyc_error *err)
{
    struct rpyc_error why = RPYC_ERROR_INIT;

    *out = false;
    if (find_spec(conn, name, out, &why) == 0)
        return 0;
    if (rpyc_error_is(&why, "ModuleNotFoundError")) { /* a parent package does not exist */
        rpyc_error_clear(&why);
        return 0;
    }
    if (err)
        *err = why;
    else
        rpyc_error_clear(&why);
    return -1;
}
