/* SPDX-License-Identifier: BSD-3-Clause */
#include "classic.h"

#include "request.h"

static void put_no_arguments(struct request *r)
{
    box_put(&r->out.buf, LABEL_VALUE);
    brine_put_tuple(&r->out.buf, 0);
}

int classic_ask_root(rpyc_conn *conn, const struct rpyc_options *options, struct rpyc_error *err)
{
    struct request r;

    request_begin(&r, conn, HANDLE_GETROOT, err);
    put_no_arguments(&r);
    if (options->early_handler == 0)
        return request_start(&r, &conn->root_request);
    if (request_next(&r, (enum handler)options->early_handler, &conn->root_request) < 0)
        return -1;
    if (options->early_args)
        request_value(&r, options->early_args);
    else
        put_no_arguments(&r);
    return request_start(&r, &conn->early);
}

int classic_take_root(rpyc_conn *conn, deadline_t deadline, struct rpyc_error *err)
{
    struct rpyc_error why = RPYC_ERROR_INIT;
    AUTO_VALUE *root = NULL;
    struct message reply;

    if (conn_wait(conn->conn, conn->root_request, &reply, deadline, &why) < 0) {
        if (why.code != RPYC_ETIMEOUT && why.code != RPYC_EINTERRUPT) {
            conn_forget(conn->conn, conn->root_request);
            conn->root_request = NULL;
        }
        if (err)
            *err = why; /* nothing to free: conn_wait never sets why.remote */
        return -1;
    }
    conn_forget(conn->conn, conn->root_request);
    conn->root_request = NULL;
    if (request_take_reply(conn, &reply, &root, err) < 0)
        return -1;
    if (rpyc_type_of(root) != RPYC_NETREF)
        return error_set(err, RPYC_EPROTOCOL, "the server sent a plain value as its root object");
    conn->root = rpyc_ref(root);
    return 0;
}

bool rpyc_has_root(const rpyc_conn *conn)
{
    return conn->root;
}

int rpyc_await_root(rpyc_conn *conn, int timeout_ms, struct rpyc_error *err)
{
    if (conn->root)
        return 0;
    if (!conn->root_request)
        return error_set(err, RPYC_ECLOSED, "the connection is closed");
    return classic_take_root(
        conn, timeout_ms == 0 ? rpyc_conn_deadline(conn) : deadline_in(timeout_ms), err);
}

int rpyc_root(rpyc_conn *conn, rpyc_value **out, struct rpyc_error *err)
{
    if (rpyc_await_root(conn, 0, err) < 0)
        return -1;
    *out = rpyc_ref(conn->root);
    return 0;
}

static int call_root(rpyc_conn *conn, const char *method, const char *text, rpyc_value **out,
                     struct rpyc_error *err)
{
    if (rpyc_await_root(conn, 0, err) < 0)
        return -1;
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
    if (rpyc_await_root(conn, 0, err) < 0)
        return -1;
    return rpyc_getattr(conn->root, "namespace", out, err);
}

/* Calls importlib.util.find_spec in the peer. This call imports the parent packages of the module.
 * Sets *out to true if the module was found. */
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
