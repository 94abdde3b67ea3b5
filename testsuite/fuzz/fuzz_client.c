/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Input: two bytes, then everything that the server sends. Bit 0 of the first byte is the
 * generation of rpyc (6, or 5); the second byte selects the call below with which the program
 * starts. The server sends everything before it gets a request, then hangs up: so nothing here
 * waits. Fifteen
 * '@' in the input stand for the id of the client's object, which differs in each run.
 */
#include "fuzz.h"

#define TIMEOUT_MS 200

struct client {
    rpyc_conn *conn;
    rpyc_value *obj;   /* the result of the last call, used by the next one; or NULL */
    rpyc_value *local; /* an object of the client */
    struct rpyc_error err;
};

/* ---- An object of the client ----------------------------------------------------------------- */

static int local_get(void *self, const char *name, rpyc_value **out, struct rpyc_error *err)
{
    if (strcmp(name, "client") == 0)
        return rpyc_build(out, err, "s", self ? "yes" : "no");
    return rpyc_raise(err, "AttributeError", "no %s", name);
}

static int local_set(void *self, const char *name, rpyc_value *value, struct rpyc_error *err)
{
    (void)self;
    if (value)
        look_at(value);
    return strcmp(name, "client") == 0 ? 0 : rpyc_raise(err, "AttributeError", "no %s", name);
}

/* Returns its argument, and sends a request to the server meanwhile. */
static int local_do(void *self, const char *method, rpyc_value *args, rpyc_value *kwargs,
                    rpyc_value **out, struct rpyc_error *err)
{
    (void)self;
    look_at(args);
    look_at(kwargs);
    if (method && rpyc_length(args) > 0 && rpyc_type_of(rpyc_item(args, 0)) == RPYC_NETREF)
        return rpyc_repr(rpyc_item(args, 0), out, err);
    *out = rpyc_ref(args);
    return 0;
}

static int function(void *arg, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out,
                    struct rpyc_error *err)
{
    return local_do(arg, NULL, args, kwargs, out, err);
}

static void local_gone(void *self)
{
    free(self);
}

static const char *const methods[] = {"a", "m", NULL};
static const struct rpyc_ops ops = {
    .methods = methods,
    .getattr = local_get,
    .setattr = local_set,
    .call = local_do,
    .destroy = local_gone,
};

/* ---- Calls ----------------------------------------------------------------------------------- */

/* Keeps a new object for the next call, and frees what the last call left. */
static void keep(struct client *c, int result, rpyc_value *v)
{
    must_agree(result, &c->err);
    look_at_error(&c->err);
    rpyc_error_clear(&c->err);
    if (result < 0 || !v)
        return;
    look_at(v);
    rpyc_unref(c->obj);
    c->obj = v;
}

/* Ends a call that returned no object. */
static void end(struct client *c, int result)
{
    keep(c, result, NULL);
}

/* Returns the object to use: the last result, or else the root. */
static rpyc_value *object(struct client *c)
{
    rpyc_value *root = NULL;

    if (!c->obj || rpyc_type_of(c->obj) != RPYC_NETREF) {
        int result = rpyc_root(c->conn, &root, &c->err);

        keep(c, result, root);
    }
    return c->obj;
}

static void try_classic(struct client *c)
{
    rpyc_value *v = NULL;
    bool there;

    keep(c, rpyc_module(c->conn, "sys", &v, &c->err), v);
    v = NULL;
    keep(c, rpyc_eval(c->conn, "1", &v, &c->err), v);
    v = NULL;
    keep(c, rpyc_builtin(c->conn, "len", &v, &c->err), v);
    v = NULL;
    keep(c, rpyc_namespace(c->conn, &v, &c->err), v);
    end(c, rpyc_execute(c->conn, "1", &c->err));
    end(c, rpyc_has_module(c->conn, "a.b", &there, &c->err));
    end(c, rpyc_ping(c->conn, "x", 1, &c->err));
}

static void try_attributes(struct client *c)
{
    rpyc_value *v = NULL;

    keep(c, rpyc_getattr(object(c), "a", &v, &c->err), v);
    end(c, rpyc_setattr(object(c), "a", c->local, &c->err));
    end(c, rpyc_delattr(object(c), "a", &c->err));
}

static void try_calls(struct client *c)
{
    AUTO_VALUE *f = NULL;
    rpyc_value *v = NULL;

    must(rpyc_function(&f, function, NULL, NULL) == 0);
    keep(c, rpyc_call(object(c), &v, &c->err, "sOO, key=(id)", "x", f, c->local, 1, 2.0), v);
    v = NULL;
    keep(c, rpyc_callattr(object(c), "m", &v, &c->err, "OO", object(c), c->local), v);
}

static void try_items(struct client *c)
{
    AUTO_VALUE *key = NULL;
    rpyc_value *v = NULL;

    must(rpyc_build(&key, NULL, "[iiN]", 1, 2) == 0);
    keep(c, rpyc_getitem(object(c), key, &v, &c->err), v);
    end(c, rpyc_setitem(object(c), key, c->local, &c->err));
    end(c, rpyc_delitem(object(c), key, &c->err));
}

static void try_questions(struct client *c)
{
    size_t len;
    int64_t hash;
    bool answer;

    end(c, rpyc_len(object(c), &len, &c->err));
    end(c, rpyc_contains(object(c), c->local, &answer, &c->err));
    end(c, rpyc_compare(object(c), "<=", c->local, &answer, &c->err));
    end(c, rpyc_hash(object(c), &hash, &c->err));
    end(c, rpyc_isinstance(object(c), object(c), &answer, &c->err));
    end(c, rpyc_truth(object(c), &answer, &c->err));
}

static void try_texts(struct client *c)
{
    rpyc_value *v = NULL;

    object(c);
    keep(c, rpyc_repr(c->obj, &v, &c->err), v);
    v = NULL;
    keep(c, rpyc_tostr(object(c), &v, &c->err), v);
    v = NULL;
    keep(c, rpyc_dir(object(c), &v, &c->err), v);
    v = NULL;
    keep(c, rpyc_pickle(object(c), 2, &v, &c->err), v);
}

static void try_context(struct client *c)
{
    rpyc_value *v = NULL;
    bool answer;

    keep(c, rpyc_enter(object(c), &v, &c->err), v);
    end(c, rpyc_exit(object(c), NULL, &answer, &c->err));
}

static void try_iteration(struct client *c)
{
    rpyc_iter *iter = NULL;
    rpyc_value *item;
    int result, n;

    result = rpyc_iterate(object(c), &iter, &c->err);
    end(c, result);
    if (result < 0)
        return;
    for (n = 0; n < 64 && (result = rpyc_next(iter, &item, &c->err)) == 1; n++) {
        look_at(item);
        rpyc_unref(item);
    }
    end(c, result);
    rpyc_iter_free(iter);
}

static void done(void *arg)
{
    ++*(int *)arg;
}

static void try_pending(struct client *c)
{
    rpyc_pending *one = NULL, *two = NULL, *three = NULL;
    rpyc_value *v = NULL;
    int told = 0, result;

    end(c, rpyc_start_getattr(object(c), "a", &one, &c->err));
    end(c, rpyc_start_call(object(c), &two, &c->err, "O", c->local));
    end(c, rpyc_start_callattr(object(c), "m", &three, &c->err, "N"));
    if (two)
        rpyc_pending_notify(two, done, &told);
    if (three) {
        result = rpyc_pending_wait(three, TIMEOUT_MS, &v, &c->err);
        must(result < 0 || rpyc_pending_is_done(three));
        keep(c, result, v);
    }
    if (one)
        rpyc_pending_cancel(one);
    must(told <= 1);
    rpyc_pending_free(one);
    rpyc_pending_free(two);
    rpyc_pending_free(three);
}

static void try_processing(struct client *c)
{
    must_agree(rpyc_process(c->conn, 0, &c->err) < 0 ? -1 : 0, &c->err);
    rpyc_error_clear(&c->err);
}

static void (*const calls[])(struct client *) = {
    try_classic, try_attributes, try_calls,     try_items,   try_questions,
    try_texts,   try_context,    try_iteration, try_pending, try_processing,
};
#define CALLS (sizeof(calls) / sizeof(*calls))

/* ---- The connection -------------------------------------------------------------------------- */

/* Returns a socket whose other end has sent this and hung up. Data sent to it is accepted but never
 * read, up to a limit that no such input reaches. */
static int server_that_says(const struct buffer *said, int *server)
{
    int room = 4 * 1024 * 1024;
    int fds[2];

    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    must(send(fds[1], said->data, said->len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)said->len);
    must(shutdown(fds[1], SHUT_WR) == 0);
    *server = fds[1];
    return fds[0];
}

static void run(struct client *c, size_t first)
{
    size_t i;

    for (i = 0; i < CALLS; i++) {
        /* Nothing can be called without a root. */
        if (!object(c) || rpyc_type_of(c->obj) != RPYC_NETREF)
            return;
        calls[(first + i) % CALLS](c);
    }
    must_agree(rpyc_serve(c->conn, &c->err), &c->err);
    rpyc_error_clear(&c->err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rpyc_options options = {
        .connect_timeout_ms = TIMEOUT_MS, .request_timeout_ms = TIMEOUT_MS, .max_frame = 1 << 20};
    struct client c = {.err = RPYC_ERROR_INIT};
    struct shown shown = {.count = 1};
    AUTO_BUFFER said = BUFFER_INIT;
    int server, fd, result;

    if (size < 3)
        return 0;
    options.generation = data[0] & 1 ? RPYC_GENERATION_5 : RPYC_GENERATION_6;
    must(rpyc_object(&c.local, &ops, malloc(1), NULL) == 0);
    shown.ids[0] = (uintptr_t)c.local;
    buffer_put(&said, data + 2, size - 2);
    shown_put(&shown, &said);
    fd = server_that_says(&said, &server);
    result = rpyc_connect_fd(&c.conn, fd, &options, &c.err);
    end(&c, result);
    if (result == 0) {
        run(&c, data[1]);
        rpyc_close(c.conn);
    }
    rpyc_unref(c.obj);
    rpyc_unref(c.local);
    close(server);
    return 0;
}
