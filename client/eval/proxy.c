/* SPDX-License-Identifier: BSD-3-Clause */
#include "eval/proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clean.h"

struct binding {
    char *name;
    rpyc_value *value;
};

struct proxies {
    rpyc_conn *conn;       /* borrowed */
    rpyc_value *namespace; /* borrowed; NULL: the names are in `names` */
    rpyc_value *modules;   /* the client's object that stands for `modules` */
    struct binding *names;
    size_t count;
    /* The server's functions getattr and operator.getitem, which are called for plain values. NULL
     * before the first use. */
    rpyc_value *getattr, *getitem;
};

/* The state of one evaluation. */
struct evaluation {
    struct proxies *p;
    const struct proxy_host *host;
    bool begun;   /* a request has been sent */
    bool unknown; /* the first name was not found */
    struct rpyc_error *err;
};

static int no_memory(struct rpyc_error *err)
{
    return rpyc_raise(err, "MemoryError", "out of memory");
}

/* ---- Names that the client stores ------------------------------------------------------------ */

static struct binding *find_binding(const struct proxies *p, const char *name)
{
    size_t i;

    for (i = 0; i < p->count; i++)
        if (strcmp(p->names[i].name, name) == 0)
            return &p->names[i];
    return NULL;
}

static void unbind(struct proxies *p, struct binding *b)
{
    free(b->name);
    rpyc_unref(b->value);
    *b = p->names[--p->count];
}

static int add_binding(struct proxies *p, const char *name, rpyc_value *value,
                       struct rpyc_error *err)
{
    struct binding *longer = reallocarray(p->names, p->count + 1, sizeof(*longer));
    char *copy = strdup(name);

    if (longer)
        p->names = longer;
    if (!longer || !copy) {
        free(copy);
        return no_memory(err);
    }
    p->names[p->count++] = (struct binding){copy, rpyc_ref(value)};
    return 0;
}

rpyc_value *proxies_value(const struct proxies *p, const char *name)
{
    const struct binding *b = find_binding(p, name);

    return b ? b->value : NULL;
}

int proxies_bind(struct proxies *p, const char *name, rpyc_value *value, struct rpyc_error *err)
{
    struct binding *b = find_binding(p, name);

    if (!b)
        return value ? add_binding(p, name, value, err) : 0;
    if (!value) {
        unbind(p, b);
        return 0;
    }
    rpyc_unref(b->value);
    b->value = rpyc_ref(value);
    return 0;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

/* Waits for the reply to the request of a step, and frees *pending. begun: the result of the
 * function that started the request. If begun is negative, returns -1 at once. */
static int await(struct evaluation *e, int begun, rpyc_pending **pending, rpyc_value **out)
{
    int status;

    if (begun < 0)
        return -1;
    e->begun = true;
    status = e->host->wait(e->host->arg, *pending, out, e->err);
    rpyc_pending_free(*pending);
    return status;
}

/* If *kept is NULL, gets a function of a module on the server and stores it in *kept. */
static int find_function(struct evaluation *e, rpyc_value **kept, const char *module,
                         const char *name)
{
    CLEAN_VALUE rpyc_value *there = NULL;

    if (*kept)
        return 0;
    if (rpyc_module(e->p->conn, module, &there, e->err) < 0)
        return -1;
    return rpyc_getattr(there, name, kept, e->err);
}

/* Gets an attribute or an item of a plain value, by calling getattr or operator.getitem on the
 * server. */
static int step_of_plain(struct evaluation *e, rpyc_value **function, const char *module,
                         const char *name, rpyc_value *object, rpyc_value *argument,
                         rpyc_value **out)
{
    rpyc_pending *pending = NULL;
    int begun;

    if (find_function(e, function, module, name) < 0)
        return -1;
    begun = rpyc_start_call(*function, &pending, e->err, "OO", object, argument);
    return await(e, begun, &pending, out);
}

/* Imports a module on the server. */
static int import_module(struct evaluation *e, const char *name, rpyc_value **out)
{
    CLEAN_VALUE rpyc_value *root = NULL;
    rpyc_pending *pending = NULL;

    if (rpyc_root(e->p->conn, &root, e->err) < 0)
        return -1;
    return await(e, rpyc_start_callattr(root, "getmodule", &pending, e->err, "s", name), &pending,
                 out);
}

/* Imports a module for `modules.name`. Raises AttributeError if the module does not exist. */
static int import_attribute(struct evaluation *e, const char *name, rpyc_value **out)
{
    if (import_module(e, name, out) == 0)
        return 0;
    if (!rpyc_error_is(e->err, "ImportError") && !rpyc_error_is(e->err, "ModuleNotFoundError"))
        return -1;
    rpyc_error_clear(e->err);
    return rpyc_raise(e->err, "AttributeError", "there is no module '%s'", name);
}

static int attribute(struct evaluation *e, rpyc_value *object, const char *name, rpyc_value **out)
{
    CLEAN_VALUE rpyc_value *text = NULL;
    rpyc_pending *pending = NULL;

    if (object == e->p->modules)
        return import_attribute(e, name, out);
    if (rpyc_type_of(object) == RPYC_NETREF)
        return await(e, rpyc_start_getattr(object, name, &pending, e->err), &pending, out);
    if (rpyc_build(&text, e->err, "s", name) < 0)
        return -1;
    return step_of_plain(e, &e->p->getattr, "builtins", "getattr", object, text, out);
}

static int item(struct evaluation *e, rpyc_value *object, rpyc_value *key, rpyc_value **out)
{
    rpyc_pending *pending = NULL;
    int begun;

    if (object == e->p->modules && rpyc_str(key, NULL))
        return import_module(e, rpyc_str(key, NULL), out);
    if (object == e->p->modules)
        return rpyc_raise(e->err, "TypeError",
                          "expected the name of a module, as in modules['os']");
    if (rpyc_type_of(object) != RPYC_NETREF)
        return step_of_plain(e, &e->p->getitem, "operator", "getitem", object, key, out);
    begun = rpyc_start_callattr(object, "__getitem__", &pending, e->err, "O", key);
    return await(e, begun, &pending, out);
}

/* ---- Arguments, tuples, lists, sets, dicts and slices ---------------------------------------- */

static int evaluate(struct evaluation *e, const struct expr *expr, rpyc_value **out);

static void free_values(rpyc_value **values, size_t count)
{
    while (count > 0)
        rpyc_unref(values[--count]);
    free(values);
}

static size_t count_parts(const struct expr *expr)
{
    const struct expr *part;
    size_t n = 0;

    STAILQ_FOREACH (part, &expr->parts, next)
        n++;
    return n;
}

/* Replaces the value of a keyword argument by the tuple (keyword, value). */
static int pair_of(const struct expr *part, rpyc_value **value, struct rpyc_error *err)
{
    rpyc_value *pair = NULL;

    if (rpyc_build(&pair, err, "(sO)", part->keyword, *value) < 0)
        return -1;
    rpyc_unref(*value);
    *value = pair;
    return 0;
}

/* Evaluates parts of expr and stores the values in values[], from index *count on. If keywords is
 * true, evaluates only the parts with a keyword, and stores tuples (keyword, value). If keywords is
 * false, evaluates only the parts without a keyword. Adds the number of stored values to *count,
 * even on failure. */
static int collect_parts(struct evaluation *e, const struct expr *expr, bool keywords,
                         rpyc_value **values, size_t *count)
{
    const struct expr *part;

    STAILQ_FOREACH (part, &expr->parts, next) {
        if ((part->keyword != NULL) != keywords)
            continue;
        if (evaluate(e, part, &values[*count]) < 0)
            return -1;
        (*count)++;
        if (keywords && pair_of(part, &values[*count - 1], e->err) < 0)
            return -1;
    }
    return 0;
}

/* Evaluates parts like collect_parts(), and makes a tuple of the values. */
static int evaluate_parts(struct evaluation *e, const struct expr *expr, bool keywords,
                          rpyc_value **out)
{
    rpyc_value **values = calloc(count_parts(expr) + 1, sizeof(rpyc_value *));
    size_t count = 0;
    int status;

    if (!values)
        return no_memory(e->err);
    status = collect_parts(e, expr, keywords, values, &count);
    if (status == 0)
        status = rpyc_pack(out, values, count, e->err);
    free_values(values, count);
    return status;
}

/* Creates a list, set or dict on the server by calling its type, as in list((1, 2)). */
static int make_there(struct evaluation *e, const char *type, rpyc_value *parts, rpyc_value **out)
{
    CLEAN_VALUE rpyc_value *class = NULL;
    rpyc_pending *pending = NULL;
    int begun;

    if (rpyc_builtin(e->p->conn, type, &class, e->err) < 0)
        return -1;
    begun = rpyc_start_call(class, &pending, e->err, "O", parts);
    return await(e, begun, &pending, out);
}

/* Makes the tuple ((key, value), ...) from the tuple (key, value, key, value, ...). */
static int pairs_of(rpyc_value *parts, rpyc_value **out, struct rpyc_error *err)
{
    size_t i, n = rpyc_length(parts) / 2;
    rpyc_value **pairs = calloc(n + 1, sizeof(*pairs));
    int status = 0;

    if (!pairs)
        return no_memory(err);
    for (i = 0; status == 0 && i < n; i++)
        status =
            rpyc_build(&pairs[i], err, "OO", rpyc_item(parts, 2 * i), rpyc_item(parts, 2 * i + 1));
    if (status == 0)
        status = rpyc_pack(out, pairs, n, err);
    free_values(pairs, i); /* the last pair is NULL if rpyc_build failed */
    return status;
}

static int evaluate_display(struct evaluation *e, const struct expr *expr, rpyc_value **out)
{
    CLEAN_VALUE rpyc_value *parts = NULL;
    CLEAN_VALUE rpyc_value *pairs = NULL;

    if (evaluate_parts(e, expr, false, &parts) < 0)
        return -1;
    switch (expr->kind) {
    case EXPR_LIST:
        return make_there(e, "list", parts, out);
    case EXPR_SET:
        return make_there(e, "set", parts, out);
    case EXPR_DICT:
        return pairs_of(parts, &pairs, e->err) < 0 ? -1 : make_there(e, "dict", pairs, out);
    case EXPR_SLICE:
        return rpyc_build(out, e->err, "[OOO]", rpyc_item(parts, 0), rpyc_item(parts, 1),
                          rpyc_item(parts, 2));
    default:
        *out = rpyc_ref(parts);
        return 0;
    }
}

/* ---- Chains ---------------------------------------------------------------------------------- */

static int no_such_name(struct evaluation *e, const char *name)
{
    rpyc_error_clear(e->err);
    return rpyc_raise(e->err, "NameError", "name '%s' is not defined", name);
}

/* Gets a builtin. Raises NameError if it does not exist. */
static int find_builtin(struct evaluation *e, const char *name, rpyc_value **out)
{
    e->begun = true;
    if (rpyc_builtin(e->p->conn, name, out, e->err) == 0)
        return 0;
    return e->err->code == RPYC_EREMOTE ? no_such_name(e, name) : -1;
}

static int name_there(struct evaluation *e, const char *name, rpyc_value **out)
{
    rpyc_pending *pending = NULL;
    bool is_first = !e->begun;
    int begun = rpyc_start_callattr(e->p->namespace, "__getitem__", &pending, e->err, "s", name);

    if (await(e, begun, &pending, out) == 0) {
        if (is_first && e->host->begin)
            e->host->begin(e->host->arg);
        return 0;
    }
    if (!rpyc_error_is(e->err, "KeyError"))
        return -1;
    rpyc_error_clear(e->err);
    e->unknown = is_first;
    return is_first ? no_such_name(e, name) : find_builtin(e, name, out);
}

static int evaluate_name(struct evaluation *e, const char *name, rpyc_value **out)
{
    struct binding *b;

    if (e->p->namespace)
        return name_there(e, name, out);
    b = find_binding(e->p, name);
    if (!b && strcmp(name, "root") == 0)
        return rpyc_root(e->p->conn, out, e->err);
    if (!b)
        return find_builtin(e, name, out);
    *out = rpyc_ref(b->value);
    return 0;
}

/* Calls object(...), or object.method(...) if method is not NULL, in one request. */
static int call(struct evaluation *e, rpyc_value *object, const char *method, rpyc_value *args,
                rpyc_value *kwargs, rpyc_value **out)
{
    rpyc_pending *pending = NULL;
    int begun;

    if (rpyc_type_of(object) != RPYC_NETREF)
        return rpyc_raise(e->err, "TypeError", "a plain value is not callable");
    if (method)
        begun = rpyc_start_callattr(object, method, &pending, e->err, "*, **", args, kwargs);
    else
        begun = rpyc_start_call(object, &pending, e->err, "*, **", args, kwargs);
    return await(e, begun, &pending, out);
}

/* Evaluates the function of a call. If the function is a method of a netref, *object is the netref
 * and *method the name of the method. Otherwise *object is the function and *method is NULL. */
static int evaluate_callee(struct evaluation *e, const struct expr *function, rpyc_value **object,
                           const char **method)
{
    CLEAN_VALUE rpyc_value *owner = NULL;

    *method = NULL;
    if (function->kind != EXPR_ATTRIBUTE)
        return evaluate(e, function, object);
    if (evaluate(e, function->object, &owner) < 0)
        return -1;
    if (rpyc_type_of(owner) != RPYC_NETREF)
        return attribute(e, owner, function->name, object);
    *method = function->name;
    *object = rpyc_ref(owner);
    return 0;
}

static int evaluate_call(struct evaluation *e, const struct expr *expr, rpyc_value **out)
{
    const char *method;
    CLEAN_VALUE rpyc_value *object = NULL;
    CLEAN_VALUE rpyc_value *args = NULL;
    CLEAN_VALUE rpyc_value *kwargs = NULL;

    if (evaluate_callee(e, expr->object, &object, &method) < 0 ||
        evaluate_parts(e, expr, false, &args) < 0 || evaluate_parts(e, expr, true, &kwargs) < 0)
        return -1;
    return call(e, object, method, args, kwargs, out);
}

static int evaluate_step(struct evaluation *e, const struct expr *expr, rpyc_value **out)
{
    CLEAN_VALUE rpyc_value *object = NULL;
    CLEAN_VALUE rpyc_value *key = NULL;

    if (evaluate(e, expr->object, &object) < 0)
        return -1;
    if (expr->kind == EXPR_ATTRIBUTE)
        return attribute(e, object, expr->name, out);
    return evaluate(e, STAILQ_FIRST(&expr->parts), &key) < 0 ? -1 : item(e, object, key, out);
}

static int evaluate(struct evaluation *e, const struct expr *expr, rpyc_value **out)
{
    switch (expr->kind) {
    case EXPR_LITERAL:
        *out = rpyc_ref(expr->value);
        return 0;
    case EXPR_NAME:
        return evaluate_name(e, expr->name, out);
    case EXPR_ATTRIBUTE:
    case EXPR_ITEM:
        return evaluate_step(e, expr, out);
    case EXPR_CALL:
        return evaluate_call(e, expr, out);
    default:
        return evaluate_display(e, expr, out);
    }
}

int proxies_evaluate(struct proxies *p, const struct expr *expr, const struct proxy_host *host,
                     bool *unknown, rpyc_value **out, struct rpyc_error *err)
{
    struct evaluation e = {.p = p, .host = host, .err = err};
    int status = evaluate(&e, expr, out);

    *unknown = e.unknown;
    return status;
}

/* ---- Evaluation without running the program's code ------------------------------------------- */

void proxies_names(const struct proxies *p, void (*each)(void *arg, const char *name), void *arg)
{
    size_t i;

    for (i = 0; i < p->count; i++)
        each(arg, p->names[i].name);
    each(arg, "root");
}

static bool is_class(const rpyc_value *value, const char *const *names)
{
    const char *name = rpyc_class_name(value);

    for (; name && *names; names++)
        if (strcmp(name, *names) == 0)
            return true;
    return false;
}

/* True for objects whose items can be read without running code of the program. */
static bool is_plain_container(const rpyc_value *value)
{
    static const char *const names[] = {"builtins.dict", "builtins.list", NULL};

    return is_class(value, names);
}

/* True for descriptors. getattr() would call a method of the descriptor, which may be code of the
 * program. */
static bool is_computed(const rpyc_value *value)
{
    static const char *const names[] = {"builtins.property",          "builtins.getset_descriptor",
                                        "builtins.member_descriptor", "functools.cached_property",
                                        "builtins.classmethod",       "builtins.staticmethod",
                                        "builtins.method_descriptor", NULL};

    return is_class(value, names);
}

static int look_refused(struct rpyc_error *err)
{
    return rpyc_raise(err, "LookupError",
                      "cannot be evaluated without running code of the program");
}

static int look_module(struct proxies *p, rpyc_value *key, rpyc_value **out, struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *sys = NULL;
    CLEAN_VALUE rpyc_value *modules = NULL;

    if (rpyc_module(p->conn, "sys", &sys, err) < 0 ||
        rpyc_getattr(sys, "modules", &modules, err) < 0)
        return -1;
    return rpyc_getitem(modules, key, out, err);
}

static int look_attribute(struct proxies *p, rpyc_value *object, const char *name, rpyc_value **out,
                          struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *inspect = NULL;
    CLEAN_VALUE rpyc_value *key = NULL;

    if (object == p->modules)
        return rpyc_build(&key, err, "s", name) < 0 ? -1 : look_module(p, key, out, err);
    if (rpyc_module(p->conn, "inspect", &inspect, err) < 0 ||
        rpyc_callattr(inspect, "getattr_static", out, err, "Os", object, name) < 0)
        return -1;
    if (!is_computed(*out))
        return 0;
    rpyc_unref(*out);
    *out = NULL;
    return look_refused(err);
}

int proxies_look(struct proxies *p, const struct expr *expr, rpyc_value **out,
                 struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *object = NULL;
    const struct binding *b;
    const struct expr *key;

    if (expr->kind == EXPR_NAME) {
        b = find_binding(p, expr->name);
        if (!b && strcmp(expr->name, "root") == 0)
            return rpyc_root(p->conn, out, err);
        *out = b ? rpyc_ref(b->value) : NULL;
        return b ? 0 : rpyc_builtin(p->conn, expr->name, out, err);
    }
    if ((expr->kind != EXPR_ATTRIBUTE && expr->kind != EXPR_ITEM) ||
        proxies_look(p, expr->object, &object, err) < 0)
        return look_refused(err);
    if (expr->kind == EXPR_ATTRIBUTE)
        return look_attribute(p, object, expr->name, out, err);
    key = STAILQ_FIRST(&expr->parts);
    if (key->kind == EXPR_LITERAL && object == p->modules)
        return look_module(p, key->value, out, err);
    if (key->kind == EXPR_LITERAL && is_plain_container(object))
        return rpyc_getitem(object, key->value, out, err);
    return look_refused(err);
}

/* ---- Statements ------------------------------------------------------------------------------ */

static int set_attribute(struct evaluation *e, const struct expr *target, rpyc_value *value)
{
    CLEAN_VALUE rpyc_value *object = NULL;

    if (evaluate(e, target->object, &object) < 0)
        return -1;
    return value ? rpyc_setattr(object, target->name, value, e->err)
                 : rpyc_delattr(object, target->name, e->err);
}

static int set_item(struct evaluation *e, const struct expr *target, rpyc_value *value)
{
    CLEAN_VALUE rpyc_value *object = NULL;
    CLEAN_VALUE rpyc_value *key = NULL;

    if (evaluate(e, target->object, &object) < 0 ||
        evaluate(e, STAILQ_FIRST(&target->parts), &key) < 0)
        return -1;
    return value ? rpyc_setitem(object, key, value, e->err) : rpyc_delitem(object, key, e->err);
}

/* Does target = value, or del target if value is NULL. */
static int assign(struct evaluation *e, const struct expr *target, rpyc_value *value)
{
    if (target->kind == EXPR_ATTRIBUTE)
        return set_attribute(e, target, value);
    if (target->kind == EXPR_ITEM)
        return set_item(e, target, value);
    if (!value && !find_binding(e->p, target->name))
        return no_such_name(e, target->name);
    return proxies_bind(e->p, target->name, value, e->err);
}

/* Runs an import: `import a.b` assigns module a to a, and `import a.b as c` assigns module a.b to
 * c. */
static int import(struct evaluation *e, const struct statement *s)
{
    CLEAN_VALUE rpyc_value *module = NULL;
    CLEAN_VALUE rpyc_value *first = NULL;
    char *top;
    int status;

    if (import_module(e, s->module, &module) < 0)
        return -1;
    if (s->name)
        return proxies_bind(e->p, s->name, module, e->err);
    top = strndup(s->module, strcspn(s->module, "."));
    if (!top)
        return no_memory(e->err);
    status = import_module(e, top, &first);
    if (status == 0)
        status = proxies_bind(e->p, top, first, e->err);
    free(top);
    return status;
}

int proxies_run(struct proxies *p, const struct statement *s, const struct proxy_host *host,
                rpyc_value **out, struct rpyc_error *err)
{
    struct evaluation e = {.p = p, .host = host, .err = err};
    CLEAN_VALUE rpyc_value *value = NULL;

    switch (s->kind) {
    case STATEMENT_VALUE:
        return evaluate(&e, s->value, out);
    case STATEMENT_ASSIGN:
        return evaluate(&e, s->value, &value) < 0 ? -1 : assign(&e, s->target, value);
    case STATEMENT_DELETE:
        return assign(&e, s->target, NULL);
    case STATEMENT_IMPORT:
        return import(&e, s);
    }
    return 0;
}

/* ---- Opening and closing --------------------------------------------------------------------- */

int proxies_open(struct proxies **out, rpyc_conn *conn, rpyc_value *namespace,
                 struct rpyc_error *err)
{
    static const struct rpyc_ops modules = {.class_name = "pystuck.Modules"};
    struct proxies *p = calloc(1, sizeof(*p));

    if (!p)
        return no_memory(err);
    p->conn = conn;
    p->namespace = namespace;
    if (!namespace && (rpyc_object(&p->modules, &modules, NULL, err) < 0 ||
                       proxies_bind(p, "modules", p->modules, err) < 0)) {
        proxies_close(p);
        return -1;
    }
    *out = p;
    return 0;
}

void proxies_close(struct proxies *p)
{
    if (!p)
        return;
    while (p->count > 0)
        unbind(p, &p->names[p->count - 1]);
    free(p->names);
    rpyc_unref(p->modules);
    rpyc_unref(p->getattr);
    rpyc_unref(p->getitem);
    free(p);
}
