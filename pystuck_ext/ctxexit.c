/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctxexit.h"

#include "call.h"
#include "class_lookup.h"
#include "policy.h"
#include "netref.h"
#include "vinegar.h"

#define ASK_MS         2000 /* for all that the client is asked */
#define ATTRIBUTES_MAX 32   /* that it is asked for */

/* ---- By the class alone --------------------------------------------------------------------- */

/* The id pack of a netref to an object of the client's. */
static bool pack_of(struct ps_session *s, PyObject *obj, struct id_pack *pack)
{
    const struct ps_netref *ref = ps_netref_of(s, obj);
    struct brine_reader r;

    if (!ref)
        return false;
    brine_read(&r, ref->pack, ref->pack_len);
    return id_pack_next(&r, pack);
}

PyObject *ps_raised_class(struct ps_session *s, PyObject *obj)
{
    PyObject *cls = NULL, *exc;
    struct id_pack pack;

    if (pack_of(s, obj, &pack)) {
        cls = ps_class_by_name(pack.name, pack.name_len);
    } else if (PyExceptionClass_Check(obj)) {
        cls = obj;
        Py_INCREF(cls);
    }
    if (!cls || !PyExceptionClass_Check(cls)) {
        Py_XDECREF(cls);
        cls = PyExc_Exception;
        Py_INCREF(cls);
    }
    exc = PyObject_CallMethod(cls, "__new__", "O", cls);
    Py_DECREF(cls);
    if (exc && PyExceptionInstance_Check(exc))
        return exc;
    Py_XDECREF(exc);
    PyErr_Clear(); /* one that wants arguments: what there is to exit must be exited all the same */
    return PyObject_CallObject(PyExc_Exception, NULL);
}

/* ---- Asking the client ---------------------------------------------------------------------- */

struct asking {
    struct ps_session *s;
    deadline_t deadline;
};

/* Sends a request, whose arguments it takes. */
static PyObject *ask(const struct asking *a, enum handler handler, PyObject *args)
{
    PyObject *result = args ? ps_request_until(a->s, handler, args, a->deadline) : NULL;

    Py_XDECREF(args);
    return result;
}

/* obj.name(*args), args being a tuple that it takes. */
static PyObject *ask_method(const struct asking *a, PyObject *obj, const char *name, PyObject *args)
{
    if (!obj || !args) {
        Py_XDECREF(args);
        return NULL;
    }
    return ask(a, HANDLE_CALLATTR, Py_BuildValue("(OsN())", obj, name, args));
}

/* The exception that the client is handling, if it is one of this class: a netref, or NULL. */
static PyObject *ask_for_value(const struct asking *a, PyObject *cls)
{
    PyObject *root = ask(a, HANDLE_GETROOT, PyTuple_New(0));
    PyObject *sys = ask_method(a, root, "getmodule", Py_BuildValue("(s)", "sys"));
    PyObject *info = ask_method(a, sys, "exc_info", PyTuple_New(0)), *value = NULL;

    if (info && PyTuple_CheckExact(info) && PyTuple_GET_SIZE(info) == 3 &&
        PyTuple_GET_ITEM(info, 0) == cls && ps_netref_of(a->s, PyTuple_GET_ITEM(info, 1)))
        value = PyTuple_GET_ITEM(info, 1);
    Py_XINCREF(value);
    Py_XDECREF(info);
    Py_XDECREF(sys);
    Py_XDECREF(root);
    return value;
}

/* A new exception of the class that is here as what the netref cls names, as vinegar makes one. */
static PyObject *make_exception(struct ps_session *s, PyObject *cls)
{
    struct ps_vinegar_policy policy = {
        .import = ps_session_allows(s, "import_custom_exceptions"),
        .instantiate = ps_session_allows(s, "instantiate_custom_exceptions"),
    };
    PyObject *module, *name, *exc = NULL;
    struct id_pack pack;
    const char *dot;

    if (!pack_of(s, cls, &pack) || !(dot = memrchr(pack.name, '.', pack.name_len)))
        return NULL;
    module = PyUnicode_DecodeUTF8(pack.name, dot - pack.name, "replace");
    name = PyUnicode_DecodeUTF8(dot + 1, pack.name + pack.name_len - (dot + 1), "replace");
    if (module && name)
        exc = ps_vinegar_new(s->state, module, name, &policy);
    Py_XDECREF(module);
    Py_XDECREF(name);
    return exc;
}

/* Whether an attribute of the client's exception is to be set here. */
static bool is_wanted(PyObject *exc, PyObject *name)
{
    const char *text = PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : NULL;
    PyObject *found;

    PyErr_Clear();
    if (!text || text[0] == '_' || strcmp(text, "args") == 0)
        return false;
    found = ps_type_attribute(Py_TYPE(exc), name);
    return !found || !PyCallable_Check(found); /* methods are here already */
}

static void copy_attribute(const struct asking *a, PyObject *exc, PyObject *value, PyObject *name)
{
    PyObject *found = ask(a, HANDLE_GETATTR, Py_BuildValue("(OO)", value, name)), *own;

    if (!found)
        return;
    own = PyObject_GetAttr(exc, name); /* an OSError shows a filename2 that was set, if to None */
    PyErr_Clear();
    if (own != found && !PyCallable_Check(found) && PyObject_SetAttr(exc, name, found) < 0)
        PyErr_Clear();
    Py_XDECREF(own);
    Py_DECREF(found);
}

/* Whether to go on: an attribute that raises is left out, a client that does not answer is not
 * asked again. */
static bool goes_on(void)
{
    if (PyErr_Occurred() &&
        (!PyErr_ExceptionMatches(PyExc_Exception) || PyErr_ExceptionMatches(PyExc_TimeoutError) ||
         PyErr_ExceptionMatches(PyExc_EOFError)))
        return false;
    PyErr_Clear();
    return true;
}

static void copy_attributes(const struct asking *a, PyObject *exc, PyObject *value)
{
    PyObject *names = ask(a, HANDLE_DIR, Py_BuildValue("(O)", value)), *name;
    Py_ssize_t i, n = names && PyTuple_CheckExact(names) ? PyTuple_GET_SIZE(names) : 0, asked = 0;

    for (i = 0; i < n && asked < ATTRIBUTES_MAX && goes_on(); i++) {
        name = PyTuple_GET_ITEM(names, i);
        if (!is_wanted(exc, name))
            continue;
        copy_attribute(a, exc, value, name);
        asked++;
    }
    Py_XDECREF(names);
}

/* Gives an exception the arguments of the client's, and as many of its public attributes as can be
 * had. -1 with an exception where the client does not say, or something else has come between. */
static int copy_exception(const struct asking *a, PyObject *exc, PyObject *value)
{
    PyObject *args = ask(a, HANDLE_GETATTR, Py_BuildValue("(Os)", value, "args"));

    if (!args)
        return -1;
    if (PyTuple_CheckExact(args) && PyObject_SetAttrString(exc, "args", args) < 0)
        PyErr_Clear();
    Py_DECREF(args);
    copy_attributes(a, exc, value);
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception))
        return -1;
    PyErr_Clear();
    return 0;
}

/* The exception as the client has it; NULL, maybe with an exception, where it does not say. */
static PyObject *ask_for_exception(struct ps_session *s, PyObject *cls)
{
    struct asking a = {s, deadline_in(ASK_MS)};
    PyObject *value = ask_for_value(&a, cls);
    PyObject *exc = value ? make_exception(s, cls) : NULL;

    if (exc && copy_exception(&a, exc, value) < 0)
        Py_CLEAR(exc);
    Py_XDECREF(value);
    return exc;
}

PyObject *ps_raised(struct ps_session *s, PyObject *obj)
{
    PyObject *exc;

    if (obj == Py_None || PyExceptionInstance_Check(obj)) {
        Py_INCREF(obj);
        return obj;
    }
    exc = ps_session_is_classic(s) && ps_netref_of(s, obj) ? ask_for_exception(s, obj) : NULL;
    if (exc || (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception)))
        return exc;
    PyErr_Clear();
    return ps_raised_class(s, obj);
}
