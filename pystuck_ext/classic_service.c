/* SPDX-License-Identifier: BSD-3-Clause */
#include "classic_service.h"

#include <stddef.h>
#include <structmember.h>

#include "connection_object.h"
#include "pyframe.h"

struct service {
    PyObject_HEAD
    PyObject *namespace;
    struct ps_session *session; /* a reference */
};

static struct ps_state *state_of(PyObject *self)
{
    return PyType_GetModuleState(Py_TYPE(self));
}

/* Returns text without the spaces and tabs at its start, which eval() also skips: a new reference.
 */
static PyObject *skip_blanks(PyObject *text)
{
    return PyObject_CallMethod(text, "lstrip", PyBytes_Check(text) ? "y" : "s", " \t");
}

/* Compiles source text; returns any other object unchanged. A new reference. */
static PyObject *compiled(struct ps_state *state, PyObject *text, const char *mode)
{
    if (PyUnicode_Check(text) || PyBytes_Check(text))
        return PyObject_CallFunction(state->compile, "OssiO", text, "<string>", mode, 0, Py_True);
    return ps_new_ref(text);
}

/* Runs the client's code in the client's namespace. function: builtins.exec or builtins.eval.
 * Source text is compiled before exec or eval is called. Otherwise, exec or eval would compile the
 * text, and if the code then raised KeyboardInterrupt, Python would record the exception as
 * unhandled, and the program would later end as if by SIGINT. */
static PyObject *run(PyObject *self, PyObject *function, PyObject *text, const char *mode)
{
    ps_auto PyObject *code = compiled(state_of(self), text, mode);

    if (!code)
        return NULL;
    return PyObject_CallFunctionObjArgs(function, code, ((struct service *)self)->namespace, NULL);
}

PyDoc_STRVAR(execute_doc, "execute arbitrary code (using ``exec``)");

static PyObject *service_execute(PyObject *self, PyObject *text)
{
    return run(self, state_of(self)->exec, text, "exec");
}

PyDoc_STRVAR(eval_doc, "evaluate arbitrary code (using ``eval``)");

static PyObject *service_eval(PyObject *self, PyObject *text)
{
    ps_auto PyObject *source = NULL;

    if (!PyUnicode_Check(text) && !PyBytes_Check(text))
        return run(self, state_of(self)->eval, text, "eval");
    source = skip_blanks(text);
    return source ? run(self, state_of(self)->eval, source, "eval") : NULL;
}

PyDoc_STRVAR(getmodule_doc, "imports an arbitrary module");

/* Call with an ImportError set. rpyc's helpers import modules of rpyc. If `name` is one of these
 * modules, clears the exception and returns a replacement for the module, a new reference. For
 * other modules returns NULL and leaves the exception set. */
static PyObject *stand_in(PyObject *name)
{
    ps_auto PyObject *package = NULL, *modules = NULL;
    PyObject *type, *exc, *tb, *module = NULL;

    PyErr_Fetch(&type, &exc, &tb);
    package = PyImport_ImportModule("pystuck._rpyc_compat");
    if (package)
        modules = PyObject_GetAttrString(package, "MODULES");
    if (modules)
        module = PyObject_GetItem(modules, name);
    PyErr_Restore(type, exc, tb);
    if (module)
        PyErr_Clear();
    return module;
}

/* Returns a module, and imports it if necessary. A module that is imported already is looked up
 * without the import lock, because the program may be stuck while it holds this lock. importlib up
 * to Python 3.10 would take the lock even for a module that is imported already. */
static PyObject *import_module(PyObject *self, PyObject *name)
{
    ps_auto PyObject *known = PyUnicode_CheckExact(name) ? PyImport_GetModule(name) : NULL;
    PyObject *module;

    if (known && known != Py_None) /* None: the program does not allow the import */
        return ps_steal(&known);
    if (PyErr_Occurred())
        return NULL;
    module = PyObject_CallFunctionObjArgs(state_of(self)->import_module, name, NULL);
    if (!module && PyErr_ExceptionMatches(PyExc_ImportError))
        return stand_in(name);
    return module;
}

static PyObject *service_getmodule(PyObject *self, PyObject *name)
{
    ps_auto PyObject *dot = NULL, *joined = NULL;

    if (!PyTuple_CheckExact(name))
        return import_module(self, name);
    dot = PyUnicode_FromString(".");
    joined = dot ? PyUnicode_Join(dot, name) : NULL;
    return joined ? import_module(self, joined) : NULL;
}

PyDoc_STRVAR(getconn_doc, "returns the local connection instance to the other side");

static PyObject *service_getconn(PyObject *self, PyObject *unused)
{
    (void)unused;
    return ps_connection_get(((struct service *)self)->session);
}

PyDoc_STRVAR(aliases_doc, "returns a list of the aliases of this service");

static PyObject *service_aliases(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    return Py_BuildValue("(s)", "SLAVE");
}

PyDoc_STRVAR(name_doc, "returns the canonical name of the service (which is its first alias)");

static PyObject *service_name(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    return PyUnicode_FromString("SLAVE");
}

/* Refuses requests to set or delete attributes of the root. */
static PyObject *service_deny(PyObject *self, PyObject *args)
{
    (void)self;
    (void)args;
    PyErr_SetString(PyExc_AttributeError, "access denied");
    return NULL;
}

static int service_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((struct service *)self)->namespace);
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static int service_clear(PyObject *self)
{
    Py_CLEAR(((struct service *)self)->namespace);
    return 0;
}

static void service_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    service_clear(self);
    if (((struct service *)self)->session)
        ps_session_unref(((struct service *)self)->session);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef service_methods[] = {
    {"execute", service_execute, METH_O, execute_doc},
    {"eval", service_eval, METH_O, eval_doc},
    {"getmodule", service_getmodule, METH_O, getmodule_doc},
    {"getconn", service_getconn, METH_NOARGS, getconn_doc},
    {"get_service_aliases", service_aliases, METH_NOARGS, aliases_doc},
    {"get_service_name", service_name, METH_NOARGS, name_doc},
    {"exposed_get_service_aliases", service_aliases, METH_NOARGS, aliases_doc},
    {"exposed_get_service_name", service_name, METH_NOARGS, name_doc},
    {"_rpyc_setattr", service_deny, METH_VARARGS, NULL},
    {"_rpyc_delattr", service_deny, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef service_members[] = {
    {"namespace", T_OBJECT_EX, offsetof(struct service, namespace), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot service_slots[] = {
    {Py_tp_doc, "The classic service: lets one client use everything in this process."},
    {Py_tp_traverse, service_traverse},
    {Py_tp_clear, service_clear},
    {Py_tp_dealloc, service_dealloc},
    {Py_tp_methods, service_methods},
    {Py_tp_members, service_members},
    {0, NULL},
};

/* The type has the name of stock rpyc's class, because clients choose the class of their netref by
 * this name. */
static PyType_Spec service_spec = {
    .name = "rpyc.core.service.SlaveService",
    .basicsize = sizeof(struct service),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = service_slots,
};

PyTypeObject *ps_classic_service_make_type(PyObject *module)
{
    PyTypeObject *type = ps_make_type(module, &service_spec);

    if (type)
        type->tp_name = "SlaveService"; /* the name in error messages; __module__ has been set from
                                           the full name */
    return type;
}

PyObject *ps_classic_service_new(struct ps_session *s)
{
    PyTypeObject *type = s->state->service_type;
    struct service *self = (struct service *)type->tp_alloc(type, 0);

    if (!self)
        return NULL;
    ps_session_ref(s);
    self->session = s;
    self->namespace = ps_session_namespace(s);
    if (!self->namespace)
        Py_CLEAR(self);
    return (PyObject *)self;
}
