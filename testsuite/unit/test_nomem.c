/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Each allocation of a scenario fails in turn.
 */
#include "nomem_server.h"

#include "format.h"
#include "handlers.h"
#include "local.h"

/* ---- Scenarios without a connection ---------------------------------------------------------- */

static void build_values(rpyc_conn *conn)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    rpyc_value *v = NULL, *item = NULL;

    (void)conn;
    TRY(rpyc_build(&v, &err, "(isldb)", 1, "text", (int64_t)2, 3.0, 1));
    rpyc_unref(v);
    v = NULL;
    TRY(rpyc_build(&v, &err, "z y n c [iiN] {ii} (((E) X) u)", "a\0b", (size_t)3, "\377", (size_t)1,
                   "123456789012345678901234567890", 1.0, 2.0, 1, 2, 3, 4, UINT64_MAX));
    rpyc_unref(v);
    v = NULL;
    TRY(rpyc_build(&v, &err, "(iiiiiiiiiiiiiiiiii)", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
                   15, 16, 17, 18));
    rpyc_unref(v);
    v = NULL;
    TRY(rpyc_build(&item, &err, "s", "text"));
    if (item)
        TRY(rpyc_pack(&v, (rpyc_value *[]){item, item}, 2, &err));
    rpyc_unref(item);
    rpyc_unref(v);
}

static void raise_exceptions(rpyc_conn *conn)
{
    struct rpyc_error err = RPYC_ERROR_INIT;

    (void)conn;
    TRY(rpyc_raise(&err, "ValueError", "no %d", 1));
}

TEST(building_values_leaks_nothing_without_memory)
{
    fail_each(run_alone, build_values);
}

TEST(raising_exceptions_leaks_nothing_without_memory)
{
    fail_each(run_alone, raise_exceptions);
}

/* ---- Scenarios over a connection ------------------------------------------------------------- */

static void do_nothing(rpyc_conn *conn)
{
    (void)conn;
}

static void use_classic(rpyc_conn *conn)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    rpyc_value *v = NULL;
    bool there;

    TRY(rpyc_module(conn, "sys", &v, &err));
    rpyc_unref(v);
    v = NULL;
    TRY(rpyc_builtin(conn, "len", &v, &err));
    rpyc_unref(v);
    v = NULL;
    TRY(rpyc_eval(conn, "mixed", &v, &err));
    rpyc_unref(v);
    v = NULL;
    TRY(rpyc_namespace(conn, &v, &err));
    rpyc_unref(v);
    TRY(rpyc_execute(conn, "plain", &err));
    TRY(rpyc_has_module(conn, "a.b", &there, &err));
}

static void use_netrefs(rpyc_conn *conn)
{
    static const char *const names[] = {"number", "sum", "other"};
    static const char *const methods[] = {"mixed", "plain", "long", "deflated", "other"};
    struct rpyc_error err = RPYC_ERROR_INIT;
    AUTO_VALUE *root = NULL;
    rpyc_value *v;
    size_t i;

    TRY(rpyc_root(conn, &root, &err));
    for (i = 0; root && i < sizeof(names) / sizeof(*names); i++) {
        v = NULL;
        TRY(rpyc_getattr(root, names[i], &v, &err));
        rpyc_unref(v);
    }
    for (i = 0; root && i < sizeof(methods) / sizeof(*methods); i++) {
        v = NULL;
        TRY(rpyc_callattr(root, methods[i], &v, &err, "si, key=O", "x", 1, root));
        rpyc_unref(v);
    }
    TRY(rpyc_setattr(root, "a", root, &err));
    TRY(rpyc_delattr(root, "a", &err));
}

static void ask_questions(rpyc_conn *conn)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    AUTO_VALUE *root = NULL;
    AUTO_VALUE *repr = NULL;
    AUTO_VALUE *text = NULL;
    AUTO_VALUE *names = NULL;
    AUTO_VALUE *pickle = NULL;
    int64_t hash;
    size_t len;
    bool truth;

    TRY(rpyc_root(conn, &root, &err));
    TRY(rpyc_len(root, &len, &err));
    TRY(rpyc_contains(root, root, &truth, &err));
    TRY(rpyc_compare(root, "<", root, &truth, &err));
    TRY(rpyc_hash(root, &hash, &err));
    TRY(rpyc_repr(root, &repr, &err));
    TRY(rpyc_tostr(root, &text, &err));
    TRY(rpyc_dir(root, &names, &err));
    TRY(rpyc_pickle(root, 2, &pickle, &err));
    TRY(rpyc_ping(conn, "data", 4, &err));
    TRY(rpyc_exit(root, NULL, NULL, &err));
}

static void meet_exceptions(rpyc_conn *conn)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    AUTO_VALUE *root = NULL;
    rpyc_value *v = NULL;

    TRY(rpyc_root(conn, &root, &err));
    TRY(rpyc_getattr(root, "raise", &v, &err));
    TRY(rpyc_callattr(root, "stop", &v, &err, ""));
    rpyc_execute(conn, "raise", NULL);
    assert_null(v);
}

static void iterate(rpyc_conn *conn)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    AUTO_VALUE *root = NULL;
    rpyc_iter *iter = NULL;
    rpyc_value *item;
    int i, result;

    TRY(rpyc_root(conn, &root, &err));
    TRY(rpyc_iterate(root, &iter, &err));
    for (i = 0; iter && i < 5; i++) {
        result = rpyc_next(iter, &item, &err);
        if (result == 1)
            rpyc_unref(item);
        assert_went(result, &err);
    }
    rpyc_iter_free(iter);
}

static void told(void *arg)
{
    ++*(int *)arg;
}

static void use_pending(rpyc_conn *conn)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    rpyc_pending *p[3] = {NULL, NULL, NULL};
    AUTO_VALUE *root = NULL;
    int count = 0;
    size_t i;

    TRY(rpyc_root(conn, &root, &err));
    TRY(rpyc_start_getattr(root, "a", &p[0], &err));
    TRY(rpyc_start_call(root, &p[1], &err, "s", "x"));
    TRY(rpyc_start_callattr(root, "mixed", &p[2], &err, "s", "x"));
    for (i = 0; i < 3; i++) {
        AUTO_VALUE *v = NULL;

        if (!p[i])
            continue;
        rpyc_pending_notify(p[i], told, &count);
        if (i > 0)
            TRY(rpyc_pending_wait(p[i], 0, &v, &err));
    }
    for (i = 0; i < 3; i++)
        rpyc_pending_free(p[i]);
}

/* The next request releases the objects of all of them. */
static void drop_many(rpyc_conn *conn)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    rpyc_value *v = NULL;
    int i;

    for (i = 0; i < 3; i++) {
        TRY(rpyc_eval(conn, "mixed", &v, &err));
        rpyc_unref(v);
        v = NULL;
    }
    TRY(rpyc_ping(conn, "data", 4, &err));
}

/* ---- Local objects --------------------------------------------------------------------------- */

static int get(void *self, const char *name, rpyc_value **out, struct rpyc_error *err)
{
    (void)self;
    return rpyc_build(out, err, "s", name);
}

static int set(void *self, const char *name, rpyc_value *value, struct rpyc_error *err)
{
    (void)self;
    (void)value;
    return strcmp(name, "a") == 0 ? 0 : rpyc_raise(err, "AttributeError", "no %s", name);
}

static int call(void *self, const char *method, rpyc_value *args, rpyc_value *kwargs,
                rpyc_value **out, struct rpyc_error *err)
{
    (void)self;
    (void)method;
    return rpyc_build(out, err, "OO", args, kwargs);
}

static void destroy(void *self)
{
    --*(int *)self;
}

static const char *const methods_of_ours[] = {"m", "n", NULL};
static const struct rpyc_ops ops = {
    .methods = methods_of_ours,
    .getattr = get,
    .setattr = set,
    .call = call,
    .destroy = destroy,
};

static int function(void *arg, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out,
                    struct rpyc_error *err)
{
    return call(arg, NULL, args, kwargs, out, err);
}

static void show_objects(rpyc_conn *conn)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    AUTO_VALUE *root = NULL;
    AUTO_VALUE *f = NULL;
    rpyc_value *object = NULL, *v = NULL;
    int objects = 1;

    TRY(rpyc_root(conn, &root, &err));
    TRY(rpyc_function(&f, function, NULL, &err));
    TRY(rpyc_object(&object, &ops, &objects, &err));
    if (root && f && object) {
        TRY(rpyc_callattr(root, "object", &v, &err, "O", object));
        rpyc_unref(v);
        v = NULL;
        TRY(rpyc_callattr(root, "object", &v, &err, "(iO)", 1, f));
        rpyc_unref(v);
    }
    if (!object)
        objects = 0;
    rpyc_unref(object);
    /* releases the object if the server still holds it */
    held_clear(&conn->locals);
    assert_int_equal(objects, 0);
}

#define OVER_A_CONNECTION(name, run)                                                               \
    TEST(name)                                                                                     \
    {                                                                                              \
        fail_each(connect_and_run, run);                                                           \
    }

OVER_A_CONNECTION(connecting_leaks_nothing_without_memory, do_nothing)
OVER_A_CONNECTION(the_classic_service_leaks_nothing_without_memory, use_classic)
OVER_A_CONNECTION(netrefs_and_what_calls_return_leak_nothing_without_memory, use_netrefs)
OVER_A_CONNECTION(answers_of_one_type_leak_nothing_without_memory, ask_questions)
OVER_A_CONNECTION(exceptions_of_the_peer_leak_nothing_without_memory, meet_exceptions)
OVER_A_CONNECTION(iteration_leaks_nothing_without_memory, iterate)
OVER_A_CONNECTION(requests_without_waiting_leak_nothing_without_memory, use_pending)
OVER_A_CONNECTION(releases_leak_nothing_without_memory, drop_many)
OVER_A_CONNECTION(local_objects_leak_nothing_without_memory, show_objects)
