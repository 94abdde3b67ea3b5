/* SPDX-License-Identifier: BSD-3-Clause */
#include "local.h"

#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* An object of ours in a connection's table. */
struct held {
    rpyc_value *value; /* a reference */
    uint64_t count;    /* how often it was sent */
};

/* ---- The table of a connection ----------------------------------------------------------------
 */

static int compare_held(const void *a, const void *b)
{
    const struct held *x = a, *y = b;

    return (x->value > y->value) - (x->value < y->value);
}

static struct held *find_held(const rpyc_conn *conn, const rpyc_value *v)
{
    struct held key = {(rpyc_value *)v, 0};
    struct held **found = tfind(&key, &conn->locals, compare_held);

    return found ? *found : NULL;
}

/* With the lock held: counts v once more. */
static int hold(rpyc_conn *conn, rpyc_value *v, struct rpyc_error *err)
{
    struct held *h = find_held(conn, v);

    if (!h) {
        h = calloc(1, sizeof(*h));
        if (!h)
            return error_nomem(err);
        h->value = v;
        if (!tsearch(h, &conn->locals, compare_held)) {
            free(h);
            return error_nomem(err);
        }
        rpyc_ref(v);
    }
    h->count++;
    return 0;
}

/* A function has the class name that every stock peer knows and takes for something to be called.
 */
static const char *class_name(const struct local *l)
{
    if (l->function || l->method_of)
        return "builtins.function";
    return l->ops && l->ops->class_name ? l->ops->class_name : "librpyc.Object";
}

/* The id pack of an object of ours: its address tells which one, that of what makes its class the
 * class. */
static struct id_pack pack_of(const rpyc_value *v)
{
    static const char functions;
    const struct local *l = &v->local;
    const char *name = class_name(l);
    uintptr_t class_id = l->function || l->method_of ? (uintptr_t)&functions : (uintptr_t)l->ops;

    return (struct id_pack){
        .name = name, .name_len = strlen(name), .class_id = class_id, .instance_id = (uintptr_t)v};
}

int locals_box(rpyc_conn *conn, struct buffer *out, rpyc_value *v, struct rpyc_error *err)
{
    struct id_pack pack = pack_of(v);
    int result;

    pthread_mutex_lock(&conn->lock);
    result = hold(conn, v, err);
    pthread_mutex_unlock(&conn->lock);
    if (result < 0)
        return -1;
    box_put(out, LABEL_REMOTE_REF);
    id_pack_put(out, &pack);
    return 0;
}

rpyc_value *locals_get(rpyc_conn *conn, const struct id_pack *pack, struct rpyc_error *err)
{
    rpyc_value *v = NULL;
    struct held *h;

    pthread_mutex_lock(&conn->lock);
    h = find_held(conn, (const rpyc_value *)(uintptr_t)pack->instance_id);
    if (h)
        v = rpyc_ref(h->value);
    pthread_mutex_unlock(&conn->lock);
    if (!v)
        error_set(err, RPYC_EPROTOCOL, "a reference to an object that we do not have");
    return v;
}

bool locals_give_back(rpyc_conn *conn, const struct id_pack *pack, uint64_t count)
{
    rpyc_value *gone = NULL;
    struct held *h;

    pthread_mutex_lock(&conn->lock);
    h = find_held(conn, (const rpyc_value *)(uintptr_t)pack->instance_id);
    if (h && count < h->count) {
        h->count -= count;
    } else if (h) {
        gone = h->value;
        tdelete(h, &conn->locals, compare_held);
        free(h);
    }
    pthread_mutex_unlock(&conn->lock);
    rpyc_unref(gone); /* last, and without the lock: it may run the object's destroy */
    return h != NULL;
}

static void free_held(void *held)
{
    struct held *h = held;

    rpyc_unref(h->value);
    free(h);
}

void locals_clear(rpyc_conn *conn)
{
    void *tree;

    pthread_mutex_lock(&conn->lock);
    tree = conn->locals;
    conn->locals = NULL;
    pthread_mutex_unlock(&conn->lock);
    tdestroy(tree, free_held);
}

/* ---- Making them ------------------------------------------------------------------------------
 */

int rpyc_object(rpyc_value **out, const struct rpyc_ops *ops, void *self, struct rpyc_error *err)
{
    *out = value_new(RPYC_OBJECT, err);
    if (!*out)
        return -1;
    (*out)->local = (struct local){.ops = ops, .self = self};
    return 0;
}

int rpyc_function(rpyc_value **out, rpyc_function_fn function, void *arg, struct rpyc_error *err)
{
    *out = value_new(RPYC_OBJECT, err);
    if (!*out)
        return -1;
    (*out)->local = (struct local){.function = function, .self = arg};
    return 0;
}

/* obj.name, to be called later. */
static int method_new(rpyc_value **out, rpyc_value *obj, const char *name, struct rpyc_error *err)
{
    rpyc_value *v = value_new(RPYC_OBJECT, err);
    char *copy = strdup(name);

    if (!v || !copy) {
        free(v);
        free(copy);
        return error_nomem(err);
    }
    v->local = (struct local){.method_of = rpyc_ref(obj), .method = copy};
    *out = v;
    return 0;
}

void local_destroy(struct local *l)
{
    if (l->method_of)
        rpyc_unref(l->method_of);
    else if (l->ops && l->ops->destroy)
        l->ops->destroy(l->self);
    free(l->method);
}

void *rpyc_object_self(const rpyc_value *v)
{
    return v->type == RPYC_OBJECT && v->local.ops ? v->local.self : NULL;
}

/* ---- Exceptions of ours -----------------------------------------------------------------------
 */

int rpyc_raise(struct rpyc_error *err, const char *class, const char *format, ...)
{
    struct rpyc_exception *exc;
    char text[sizeof(err->text)];
    rpyc_value *args;
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    exc = exception_new("builtins", class, "");
    if (!exc || rpyc_build(&args, NULL, "(s)", text) < 0) {
        exception_free(exc);
        return error_nomem(err);
    }
    rpyc_unref(exc->args);
    exc->args = args;
    return error_remote(err, exc, "%s: %s", class, text);
}

/* ---- What they do -----------------------------------------------------------------------------
 */

/* The name of a method as it stands in the table of ops; NULL if it is none. */
static const char *find_method(const struct rpyc_ops *ops, const char *name)
{
    const char *const *m;

    for (m = ops ? ops->methods : NULL; m && *m; m++) {
        if (strcmp(*m, name) == 0)
            return *m;
    }
    return NULL;
}

static int no_attribute(const rpyc_value *v, const char *name, struct rpyc_error *err)
{
    return rpyc_raise(err, "AttributeError", "'%s' object has no attribute '%s'",
                      class_name(&v->local), name);
}

int local_getattr(rpyc_value *v, const char *name, rpyc_value **out, struct rpyc_error *err)
{
    const struct rpyc_ops *ops = v->local.ops;

    if (find_method(ops, name))
        return method_new(out, v, name, err);
    if (ops && ops->getattr)
        return ops->getattr(v->local.self, name, out, err);
    return no_attribute(v, name, err);
}

int local_setattr(rpyc_value *v, const char *name, rpyc_value *value, struct rpyc_error *err)
{
    const struct rpyc_ops *ops = v->local.ops;

    if (ops && ops->setattr)
        return ops->setattr(v->local.self, name, value, err);
    return no_attribute(v, name, err);
}

int local_call(rpyc_value *v, const char *method, rpyc_value *args, rpyc_value *kwargs,
               rpyc_value **out, struct rpyc_error *err)
{
    struct local *l = &v->local;

    if (l->method_of && !method)
        return local_call(l->method_of, l->method, args, kwargs, out, err);
    if (l->function && !method)
        return l->function(l->self, args, kwargs, out, err);
    if (method && !find_method(l->ops, method))
        return no_attribute(v, method, err);
    if (l->ops && l->ops->call)
        return l->ops->call(l->self, method ? find_method(l->ops, method) : NULL, args, kwargs, out,
                            err);
    return rpyc_raise(err, "TypeError", "'%s' object is not callable", class_name(l));
}

int local_str(rpyc_value *v, rpyc_value **out, struct rpyc_error *err)
{
    const struct local *l = &v->local;
    char text[128];

    if (l->ops && l->ops->str)
        return l->ops->str(l->self, out, err);
    snprintf(text, sizeof(text), "<%s object at %p in a C program>", class_name(l), (void *)v);
    return rpyc_build(out, err, "s", text);
}

/* Adds (name, None), or just the name, to a list that has room for it. */
static int add_name(rpyc_value **list, size_t *n, const char *name, bool pair,
                    struct rpyc_error *err)
{
    if (rpyc_build(&list[*n], err, pair ? "(sN)" : "s", name) < 0)
        return -1;
    ++*n;
    return 0;
}

/* The names of all methods: __call__ where there is a call, and those of ops. */
static int list_methods(rpyc_value *v, bool pairs, rpyc_value **out, struct rpyc_error *err)
{
    const struct local *l = &v->local;
    const char *const *methods = l->ops ? l->ops->methods : NULL;
    size_t count = 1, n = 0, i;
    rpyc_value **list;
    int result = 0;

    for (i = 0; methods && methods[i]; i++)
        count++;
    list = calloc(count, sizeof(*list));
    if (!list)
        return error_nomem(err);
    if (!l->ops || l->ops->call)
        result = add_name(list, &n, "__call__", pairs, err);
    for (i = 0; result == 0 && methods && methods[i]; i++)
        result = add_name(list, &n, methods[i], pairs, err);
    if (result == 0) {
        *out = value_container(RPYC_TUPLE, list, n, err);
        result = *out ? 0 : -1;
    } else {
        while (n > 0)
            rpyc_unref(list[--n]);
    }
    free(list);
    return result;
}

int local_inspect(rpyc_value *v, rpyc_value **out, struct rpyc_error *err)
{
    return list_methods(v, true, out, err);
}

int local_dir(rpyc_value *v, rpyc_value **out, struct rpyc_error *err)
{
    return list_methods(v, false, out, err);
}
