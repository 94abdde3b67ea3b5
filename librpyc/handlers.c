/* SPDX-License-Identifier: BSD-3-Clause */
#include "handlers.h"

#include "box.h"
#include "exception.h"
#include "local.h"

/* The objects in unclaimed replies are released with the next request, or at once if there are more
 * than this number of them. */
#define UNCLAIMED_MAX 1000

/* ---- The service ----------------------------------------------------------------------------- */

/* The function that is the service's attribute `getmodule`. A symmetric server calls it once and
 * keeps the result. */
static int return_none(void *arg, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out,
                       struct rpyc_error *err)
{
    (void)arg;
    (void)args;
    (void)kwargs;
    return rpyc_build(out, err, "N");
}

/* Returns an attribute of the service. self: the value of the attribute `getmodule`. */
static int service_getattr(void *self, const char *name, rpyc_value **out, struct rpyc_error *err)
{
    if (strcmp(name, "getmodule") == 0) {
        *out = rpyc_ref(self);
        return 0;
    }
    if (strcmp(name, "eval") == 0 || strcmp(name, "execute") == 0 || strcmp(name, "namespace") == 0)
        return rpyc_build(out, err, "N");
    return rpyc_raise(err, "AttributeError", "the service of a C program has no attribute '%s'",
                      name);
}

static void service_destroy(void *self)
{
    rpyc_unref(self);
}

/* Every stock peer knows the class builtins.object, and therefore does not request its methods. */
static const struct rpyc_ops service_ops = {
    .class_name = "builtins.object", .getattr = service_getattr, .destroy = service_destroy};

static int service_new(rpyc_value **out, struct rpyc_error *err)
{
    rpyc_value *getmodule;

    if (rpyc_function(&getmodule, return_none, NULL, err) < 0)
        return -1;
    if (rpyc_object(out, &service_ops, getmodule, err) == 0)
        return 0;
    rpyc_unref(getmodule);
    return -1;
}

/* ---- Requests on local objects --------------------------------------------------------------- */

/* Executes one request on obj. Sets *out to the result. */
typedef int (*handler_fn)(rpyc_value *obj, rpyc_value *args, rpyc_value **out,
                          struct rpyc_error *err);

/* Returns the i-th argument, which must be the name of an attribute. If it is not, returns NULL and
 * raises TypeError. */
static const char *name_at(rpyc_value *args, size_t i, struct rpyc_error *err)
{
    rpyc_value *v = rpyc_item(args, i);
    const char *name = rpyc_str(v, NULL);

    if (!name)
        name = rpyc_bytes(v, NULL); /* rpyc 4.1 sends bytes */
    if (!name)
        rpyc_raise(err, "TypeError", "name must be a string");
    return name;
}

static int handle_getattr(rpyc_value *obj, rpyc_value *args, rpyc_value **out,
                          struct rpyc_error *err)
{
    const char *name = name_at(args, 1, err);

    return name ? local_getattr(obj, name, out, err) : -1;
}

static int set_or_delete(rpyc_value *obj, rpyc_value *args, rpyc_value *value, rpyc_value **out,
                         struct rpyc_error *err)
{
    const char *name = name_at(args, 1, err);

    if (!name || local_setattr(obj, name, value, err) < 0)
        return -1;
    return rpyc_build(out, err, "N");
}

static int handle_setattr(rpyc_value *obj, rpyc_value *args, rpyc_value **out,
                          struct rpyc_error *err)
{
    return set_or_delete(obj, args, rpyc_item(args, 2), out, err);
}

static int handle_delattr(rpyc_value *obj, rpyc_value *args, rpyc_value **out,
                          struct rpyc_error *err)
{
    return set_or_delete(obj, args, NULL, out, err);
}

/* True if v is a tuple of (name, value) tuples. */
static bool are_keywords(const rpyc_value *v)
{
    size_t i;

    for (i = 0; i < rpyc_length(v); i++) {
        const rpyc_value *pair = rpyc_item(v, i);

        if (rpyc_length(pair) != 2 || !rpyc_str(rpyc_item(pair, 0), NULL))
            return false;
    }
    return v->type == RPYC_TUPLE;
}

/* Calls obj. args: the arguments of the request. The item i of args has the positional arguments of
 * the call. If args has an item i + 1, it has the keyword arguments. */
static int call_with(rpyc_value *obj, rpyc_value *args, size_t i, rpyc_value **out,
                     struct rpyc_error *err)
{
    AUTO_VALUE *none = NULL;
    rpyc_value *positional = rpyc_item(args, i), *kwargs = rpyc_item(args, i + 1);

    if (rpyc_build(&none, err, "()") < 0)
        return -1;
    if (!kwargs)
        kwargs = none;
    if (positional->type != RPYC_TUPLE || !are_keywords(kwargs))
        return rpyc_raise(err, "TypeError", "the arguments of a call must be tuples");
    return local_call(obj, positional, kwargs, out, err);
}

static int handle_call(rpyc_value *obj, rpyc_value *args, rpyc_value **out, struct rpyc_error *err)
{
    return call_with(obj, args, 1, out, err);
}

static int handle_callattr(rpyc_value *obj, rpyc_value *args, rpyc_value **out,
                           struct rpyc_error *err)
{
    AUTO_VALUE *attribute = NULL;
    const char *name = name_at(args, 1, err);

    if (!name)
        return -1;
    if (strcmp(name, "__call__") == 0)
        return call_with(obj, args, 2, out, err);
    if (local_getattr(obj, name, &attribute, err) < 0)
        return -1;
    if (attribute->type != RPYC_OBJECT)
        return rpyc_raise(err, "TypeError", "attribute '%s' is not callable", name);
    return call_with(attribute, args, 2, out, err);
}

static int handle_str(rpyc_value *obj, rpyc_value *args, rpyc_value **out, struct rpyc_error *err)
{
    (void)args;
    return local_str(obj, out, err);
}

static int handle_hash(rpyc_value *obj, rpyc_value *args, rpyc_value **out, struct rpyc_error *err)
{
    (void)args;
    return rpyc_build(out, err, "l", (int64_t)((uintptr_t)obj >> 4));
}

/* Serves CMP: a local object equals only itself, and cannot be ordered (NotImplemented). */
static int handle_cmp(rpyc_value *obj, rpyc_value *args, rpyc_value **out, struct rpyc_error *err)
{
    const char *op = rpyc_length(args) > 2 ? rpyc_str(rpyc_item(args, 2), NULL) : NULL;
    bool same = obj == rpyc_item(args, 1);

    if (op && strcmp(op, "__eq__") == 0)
        return rpyc_build(out, err, "b", same);
    if (op && strcmp(op, "__ne__") == 0)
        return rpyc_build(out, err, "b", !same);
    return rpyc_build(out, err, "X");
}

static int handle_dir(rpyc_value *obj, rpyc_value *args, rpyc_value **out, struct rpyc_error *err)
{
    (void)args;
    return local_dir(obj, out, err);
}

static const struct {
    handler_fn handle;
    size_t least, most; /* the number of arguments, including the object */
} object_handlers[] = {
    [HANDLE_GETATTR] = {handle_getattr, 2, 2},   [HANDLE_DELATTR] = {handle_delattr, 2, 2},
    [HANDLE_SETATTR] = {handle_setattr, 3, 3},   [HANDLE_CALL] = {handle_call, 2, 3},
    [HANDLE_CALLATTR] = {handle_callattr, 3, 4}, [HANDLE_REPR] = {handle_str, 1, 1},
    [HANDLE_STR] = {handle_str, 1, 1},           [HANDLE_CMP] = {handle_cmp, 2, 3},
    [HANDLE_HASH] = {handle_hash, 1, 1},         [HANDLE_DIR] = {handle_dir, 1, 1},
};

/* Executes a request on a local object. */
static int handle_object(rpyc_conn *conn, struct message *request, int64_t handler,
                         rpyc_value **out, struct rpyc_error *err)
{
    AUTO_VALUE *args = NULL;

    if (handler < 0 || (size_t)handler >= sizeof(object_handlers) / sizeof(*object_handlers) ||
        !object_handlers[handler].handle)
        return rpyc_raise(err, "PermissionError", "a C program does not serve this request");
    args = box_read_value(conn, &request->body, err);
    if (!args)
        return -1;
    if (rpyc_length(args) < object_handlers[handler].least ||
        rpyc_length(args) > object_handlers[handler].most)
        return rpyc_raise(err, "TypeError", "wrong number of arguments");
    if (rpyc_item(args, 0)->type != RPYC_OBJECT)
        return rpyc_raise(err, "TypeError",
                          "the first argument must be an object of the C program");
    return object_handlers[handler].handle(rpyc_item(args, 0), args, out, err);
}

/* ---- Requests on the connection -------------------------------------------------------------- */

/* Serves PING: returns the data unchanged. */
static int handle_ping(rpyc_conn *conn, struct message *request, rpyc_value **out,
                       struct rpyc_error *err)
{
    AUTO_VALUE *args = box_read_value(conn, &request->body, err);

    if (!args)
        return -1;
    if (rpyc_length(args) != 1)
        return rpyc_raise(err, "TypeError", "PING takes one argument");
    *out = rpyc_ref(rpyc_item(args, 0));
    return 0;
}

static int handle_getroot(rpyc_conn *conn, rpyc_value **out, struct rpyc_error *err)
{
    int result = 0;

    pthread_mutex_lock(&conn->lock);
    if (!conn->service)
        result = service_new(&conn->service, err);
    if (result == 0)
        *out = rpyc_ref(conn->service);
    pthread_mutex_unlock(&conn->lock);
    return result;
}

static int handle_del(rpyc_conn *conn, struct message *request, rpyc_value **out,
                      struct rpyc_error *err)
{
    AUTO_VALUE *gone = NULL;
    struct id_pack pack;
    int64_t count;
    bool held;

    if (!box_next_del(&request->body, &pack, &count) || count < 1)
        return rpyc_raise(err, "TypeError", "DEL takes a reference and a count");
    pthread_mutex_lock(&conn->lock);
    held = held_remove(&conn->locals, pack.instance_id, (uint64_t)count, &gone);
    pthread_mutex_unlock(&conn->lock);
    if (!held)
        return rpyc_raise(err, "KeyError", "the C program has no such object");
    return rpyc_build(out, err, "N");
}

/* Serves INSPECT. Its argument is an id pack, boxed as a value. */
static int handle_inspect(rpyc_conn *conn, struct message *request, rpyc_value **out,
                          struct rpyc_error *err)
{
    AUTO_VALUE *obj = NULL;
    struct id_pack pack;
    enum label label;

    if (!box_next(&request->body, &label) || label != LABEL_VALUE ||
        !brine_expect_tuple(&request->body, 1) || !id_pack_next(&request->body, &pack))
        return rpyc_raise(err, "TypeError", "INSPECT takes an id pack");
    obj = box_find_local(conn, &pack, err);
    return obj ? local_inspect(obj, out, err) : -1;
}

static int handle(rpyc_conn *conn, struct message *request, int64_t handler, rpyc_value **out,
                  struct rpyc_error *err)
{
    switch (handler) {
    case HANDLE_PING:
        return handle_ping(conn, request, out, err);
    case HANDLE_GETROOT:
        return handle_getroot(conn, out, err);
    case HANDLE_DEL:
        return handle_del(conn, request, out, err);
    case HANDLE_INSPECT:
        return handle_inspect(conn, request, out, err);
    default:
        return handle_object(conn, request, handler, out, err);
    }
}

/* Replies with the exception exc, which the peer raised before, or which rpyc_raise made. */
static int reply_remote(const rpyc_conn *conn, const struct message *request,
                        const struct rpyc_exception *exc, struct rpyc_error *err)
{
    struct outgoing out;

    conn_reply_begin(conn->conn, &out, request, MESSAGE_EXCEPTION);
    exception_put(&out.buf, exc);
    return conn_send(conn->conn, &out, conn->deadline, err);
}

static int reply_error(const rpyc_conn *conn, const struct message *request,
                       const struct rpyc_error *why, struct rpyc_error *err)
{
    if (why->remote)
        return reply_remote(conn, request, why->remote, err);
    return conn_reply_exception(conn->conn, request, "builtins", exception_class(why->code),
                                why->text, conn->deadline, err);
}

static int reply_value(rpyc_conn *conn, const struct message *request, rpyc_value *v,
                       struct rpyc_error *err)
{
    struct rpyc_error why = RPYC_ERROR_INIT;
    struct outgoing out;
    int result;

    conn_reply_begin(conn->conn, &out, request, MESSAGE_REPLY);
    if (box_put_value(conn, &out.buf, v, &why) == 0)
        return conn_send(conn->conn, &out, conn->deadline, err);
    conn_abandon(conn->conn, &out, conn->deadline);
    result = reply_error(conn, request, &why, err);
    rpyc_error_clear(&why);
    return result;
}

/* True if the generation was a guess, and the first request of the peer shows that the guess was
 * wrong. The peer has then not understood the request for its root. */
static bool guessed_wrong(const rpyc_conn *conn)
{
    struct envelope env;

    if (!conn->guessing)
        return false;
    env = conn_envelope(conn->conn);
    return env.generation != RPYC_GENERATION_6 || env.bound;
}

/* Handles a request whose arguments cannot be read. If they exceed a limit, replies with an
 * exception. For any other error returns -1 with err filled, which closes the connection. */
static int refuse(const rpyc_conn *conn, const struct message *request, struct rpyc_error *err)
{
    struct rpyc_error why = RPYC_ERROR_INIT;

    if (request->body.failed != RPYC_ELIMIT)
        return brine_error(&request->body, err);
    brine_error(&request->body, &why);
    return conn_reply_exception(conn->conn, request, "builtins", "ValueError", why.text,
                                conn->deadline, err);
}

static int serve(void *host, struct conn *c, struct message *request, int64_t handler,
                 struct rpyc_error *err)
{
    struct rpyc_error why = RPYC_ERROR_INIT;
    rpyc_conn *conn = host;
    rpyc_value *v = NULL;
    int result;

    (void)c;
    if (guessed_wrong(conn))
        return error_set(err, RPYC_ECLOSED, "the peer uses another generation of rpyc");
    result = handle(conn, request, handler, &v, &why);
    if (result == 0 && !v)
        result = rpyc_build(&v, &why, "N");
    if (request->body.failed != RPYC_OK)
        result = refuse(conn, request, err);
    else if (result == 0)
        result = reply_value(conn, request, v, err);
    else
        result = reply_error(conn, request, &why, err);
    rpyc_unref(v);
    rpyc_error_clear(&why);
    return result;
}

/* Releases the objects in a reply that no thread waits for: together with the next request, or at
 * once if there are many. */
static void unclaimed(void *host, struct conn *c, struct message *reply)
{
    struct releases many = {0};
    rpyc_conn *conn = host;

    pthread_mutex_lock(&conn->lock);
    releases_add_box(&conn->releases, &reply->body);
    if (conn->releases.count > UNCLAIMED_MAX)
        many = releases_take(&conn->releases);
    pthread_mutex_unlock(&conn->lock);
    releases_post(c, &many, rpyc_conn_deadline(conn));
}

const struct conn_callbacks handlers = {.serve = serve, .unclaimed = unclaimed};
