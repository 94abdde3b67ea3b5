/* SPDX-License-Identifier: BSD-3-Clause */
#include "local.h"

#include "exception.h"
#include "format.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- Lifetime -------------------------------------------------------------------------------- */

/* Drops the last reference to a local object, and destroys the object. */
static void local_release(rpyc_value *v)
{
    struct local *l = &v->local;

    if (l->method_of)
        rpyc_unref(l->method_of);
    else if (l->ops && l->ops->destroy)
        l->ops->destroy(l->self);
    free(v);
}

static int local_new(rpyc_value **out, const struct local *local, struct rpyc_error *err)
{
    *out = value_new(RPYC_OBJECT, err);
    if (!*out)
        return -1;
    (*out)->local = *local;
    (*out)->release = local_release;
    return 0;
}

int rpyc_object(rpyc_value **out, const struct rpyc_ops *ops, void *self, struct rpyc_error *err)
{
    return local_new(out, &(struct local){.ops = ops, .self = self}, err);
}

int rpyc_function(rpyc_value **out, rpyc_function_fn function, void *arg, struct rpyc_error *err)
{
    return local_new(out, &(struct local){.function = function, .self = arg}, err);
}

/* Creates the value of a method of obj. name: an entry of the object's ops->methods. */
static int method_new(rpyc_value **out, rpyc_value *obj, const char *name, struct rpyc_error *err)
{
    if (local_new(out, &(struct local){.method_of = obj, .method = name}, err) < 0)
        return -1;
    rpyc_ref(obj);
    return 0;
}

void *rpyc_object_self(const rpyc_value *v)
{
    return v->type == RPYC_OBJECT && v->local.ops ? v->local.self : NULL;
}

/* ---- Id packs -------------------------------------------------------------------------------- */

/* Returns the class name that the peer sees. For functions and methods this is builtins.function:
 * all stock peers know that an object of this class can be called. */
static const char *class_name(const struct local *l)
{
    if (l->function || l->method_of)
        return "builtins.function";
    return l->ops && l->ops->class_name ? l->ops->class_name : "librpyc.Object";
}

struct id_pack local_id_pack(const rpyc_value *v)
{
    static const char functions;
    const struct local *l = &v->local;
    const char *name = class_name(l);
    uintptr_t class_id = l->function || l->method_of ? (uintptr_t)&functions : (uintptr_t)l->ops;

    return (struct id_pack){
        .name = name, .name_len = strlen(name), .class_id = class_id, .instance_id = (uintptr_t)v};
}

/* ---- Operations ------------------------------------------------------------------------------ */

/* Returns the entry of ops->methods that equals name; NULL if there is none. */
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
    const char *method = find_method(ops, name);

    if (method)
        return method_new(out, v, method, err);
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

int local_call(rpyc_value *v, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out,
               struct rpyc_error *err)
{
    const struct local *l = &v->local, *object = l->method_of ? &l->method_of->local : l;

    if (l->function)
        return l->function(l->self, args, kwargs, out, err);
    if (object->ops && object->ops->call)
        return object->ops->call(object->self, l->method, args, kwargs, out, err);
    return rpyc_raise(err, "TypeError", "'%s' object is not callable", class_name(object));
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

/* Appends (name, None), or name if pair is false, to a list that has room for one more item. */
static int add_name(rpyc_value **list, size_t *n, const char *name, bool pair,
                    struct rpyc_error *err)
{
    if (rpyc_build(&list[*n], err, pair ? "(sN)" : "s", name) < 0)
        return -1;
    ++*n;
    return 0;
}

/* Creates a tuple of all methods: __call__ if the object can be called, and ops->methods. The items
 * are (name, None) tuples if pairs is true, else names. */
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
