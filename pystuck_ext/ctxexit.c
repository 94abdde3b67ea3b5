/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctxexit.h"

#include "call.h"
#include "class_lookup.h"
#include "connection_config.h"
#include "netref.h"
#include "vinegar.h"

#define ASK_MS         2000 /* time limit of all requests about one exception, in ms */
#define ATTRIBUTES_MAX 32   /* the maximum number of attributes copied from one exception */

/* ---- By the class alone --------------------------------------------------------------------- */

/* Reads the id pack of a netref. Returns false if obj is not a netref of this session. */
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
    ps_auto PyObject *cls = NULL, *exc = NULL;
    struct id_pack pack;

    if (pack_of(s, obj, &pack))
        cls = ps_class_by_name(pack.name, pack.name_len);
    else if (PyExceptionClass_Check(obj))
        cls = ps_new_ref(obj);
    if (!cls || !PyExceptionClass_Check(cls))
        Py_XSETREF(cls, ps_new_ref(PyExc_Exception));
    exc = PyObject_CallMethod(cls, "__new__", "O", cls);
    if (exc && PyExceptionInstance_Check(exc))
        return ps_steal(&exc);
    PyErr_Clear(); /* the class requires arguments; __exit__ must be called nevertheless */
    return PyObject_CallObject(PyExc_Exception, NULL);
}

/* ---- Asking the client ---------------------------------------------------------------------- */

struct asking {
    struct ps_session *s;
    deadline_t deadline;
    PyObject *read; /* a netref of the function in read_source */
};

/* A function that the client runs: read(exception, name) returns an attribute of the exception, or
 * Ellipsis if the exception has no such attribute. With an empty name, read returns the names of
 * all attributes.
 *
 * A stock client cannot send a str with a lone surrogate or an int of more than 4300 digits: the
 * client's `with` statement would raise another exception. So read replaces lone surrogates by
 * escapes, and such an int by a str of hexadecimal digits. read raises no AttributeError, because
 * the client would send the text of the `with` block's exception together with the AttributeError.
 */
static const char read_source[] =
    "lambda exception, name: (lambda safe, value: safe(safe, value))("
    "lambda safe, x: x.encode('utf-8', 'backslashreplace').decode() if type(x) is str"
    " else hex(x) if type(x) is int and x.bit_length() > 14000"
    " else type(x)(safe(safe, each) for each in x) if type(x) in (tuple, frozenset) else x, "
    "getattr(exception, name, ...) if name else tuple(dir(exception)))";

/* Sends a request and returns its result, a new reference. Takes ownership of args. Returns NULL if
 * args is NULL. */
static PyObject *ask(const struct asking *a, enum handler handler, PyObject *args)
{
    ps_auto PyObject *owned = args;

    return owned ? ps_request_until(a->s, handler, owned, a->deadline) : NULL;
}

/* Calls obj.name(*args) and returns its result, a new reference. Takes ownership of args, a tuple.
 * Returns NULL if obj or args is NULL. */
static PyObject *ask_method(const struct asking *a, PyObject *obj, const char *name, PyObject *args)
{
    ps_auto PyObject *owned = args;

    if (!obj || !owned)
        return NULL;
    return ask(a, HANDLE_CALLATTR, Py_BuildValue("(OsO())", obj, name, owned));
}

/* Asks the client for the exception that it is handling. Returns a netref of the exception; NULL if
 * the client is not handling an exception, or if the exception's class is not cls. */
static PyObject *ask_for_value(const struct asking *a, PyObject *root, PyObject *cls)
{
    ps_auto PyObject *sys = ask_method(a, root, "getmodule", Py_BuildValue("(s)", "sys"));
    ps_auto PyObject *info = ask_method(a, sys, "exc_info", PyTuple_New(0));

    if (info && PyTuple_CheckExact(info) && PyTuple_GET_SIZE(info) == 3 &&
        PyTuple_GET_ITEM(info, 0) == cls && ps_netref_of(a->s, PyTuple_GET_ITEM(info, 1)))
        return ps_new_ref(PyTuple_GET_ITEM(info, 1));
    return NULL;
}

/* Calls a->read(value, name). Returns a new reference. name is a borrowed str, or NULL. */
static PyObject *ask_to_read(const struct asking *a, PyObject *value, PyObject *name)
{
    if (!name)
        return NULL;
    return ask(a, HANDLE_CALL, Py_BuildValue("(O(OO)())", a->read, value, name));
}

static PyObject *ask_to_read_utf8(const struct asking *a, PyObject *value, const char *name)
{
    ps_auto PyObject *str = PyUnicode_FromString(name);

    return ask_to_read(a, value, str);
}

/* Makes an exception of the class that the netref cls names, as vinegar does for received
 * exceptions. A new reference. */
static PyObject *make_exception(struct ps_session *s, PyObject *cls)
{
    struct ps_vinegar_policy policy = {
        .import = ps_session_allows(s, "import_custom_exceptions"),
        .instantiate = ps_session_allows(s, "instantiate_custom_exceptions"),
    };
    ps_auto PyObject *module = NULL, *name = NULL;
    struct id_pack pack;
    const char *dot;

    if (!pack_of(s, cls, &pack) || !(dot = memrchr(pack.name, '.', pack.name_len)))
        return NULL;
    module = PyUnicode_DecodeUTF8(pack.name, dot - pack.name, "replace");
    name = PyUnicode_DecodeUTF8(dot + 1, pack.name + pack.name_len - (dot + 1), "replace");
    return module && name ? ps_vinegar_new(s->state, module, name, &policy) : NULL;
}

/* True if an attribute of the client's exception must be copied to exc. All public attributes are
 * copied, except args and methods. */
static bool is_wanted(PyObject *exc, PyObject *name)
{
    const char *text = PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : NULL;
    PyObject *found;

    PyErr_Clear();
    if (!text || text[0] == '_' || strcmp(text, "args") == 0)
        return false;
    found = ps_type_attribute(Py_TYPE(exc), name);
    return !found || !PyCallable_Check(found); /* the class of exc has the methods */
}

static void copy_attribute(const struct asking *a, PyObject *exc, PyObject *value, PyObject *name)
{
    ps_auto PyObject *found = ask_to_read(a, value, name);
    ps_auto PyObject *own = NULL;

    if (!found)
        return;
    /* A value that exc already has is not set again, because setting filename2, for example,
     * changes the text of an OSError. */
    own = PyObject_GetAttr(exc, name);
    PyErr_Clear();
    if (own != found && found != Py_Ellipsis && !PyCallable_Check(found) &&
        PyObject_SetAttr(exc, name, found) < 0)
        PyErr_Clear();
}

/* Call after an attribute was copied. If copying it has raised no exception, or an exception that
 * concerns only this attribute, clears the exception and returns true: the next attribute can be
 * copied. Returns false and keeps the exception if the client does not reply (TimeoutError,
 * EOFError), or if the class of the exception is not a subclass of Exception, such as
 * KeyboardInterrupt. */
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
    ps_auto PyObject *names = ask_to_read_utf8(a, value, "");
    PyObject *name;
    Py_ssize_t i, n = names && PyTuple_CheckExact(names) ? PyTuple_GET_SIZE(names) : 0, asked = 0;

    for (i = 0; i < n && asked < ATTRIBUTES_MAX && goes_on(); i++) {
        name = PyTuple_GET_ITEM(names, i);
        if (!is_wanted(exc, name))
            continue;
        copy_attribute(a, exc, value, name);
        asked++;
    }
}

/* Copies args and public attributes of the client's exception `value` to exc. Attributes that
 * cannot be read are left out. Returns 0, or -1 with an exception if args cannot be read, or if an
 * exception such as KeyboardInterrupt has interrupted the copying. */
static int copy_exception(const struct asking *a, PyObject *exc, PyObject *value)
{
    ps_auto PyObject *args = ask_to_read_utf8(a, value, "args");

    if (!args)
        return -1;
    if (PyTuple_CheckExact(args) && PyObject_SetAttrString(exc, "args", args) < 0)
        PyErr_Clear();
    copy_attributes(a, exc, value);
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception))
        return -1;
    PyErr_Clear();
    return 0;
}

/* Returns a copy of the client's exception: a new reference. Returns NULL, with or without an
 * exception, if the client does not provide its exception. */
static PyObject *ask_for_exception(struct ps_session *s, PyObject *cls)
{
    struct asking a = {s, deadline_in(ASK_MS), NULL};
    ps_auto PyObject *root = ask(&a, HANDLE_GETROOT, PyTuple_New(0));
    ps_auto PyObject *value = ask_for_value(&a, root, cls);
    ps_auto PyObject *exc = value ? make_exception(s, cls) : NULL;
    ps_auto PyObject *read =
        exc ? ask_method(&a, root, "eval", Py_BuildValue("(s)", read_source)) : NULL;

    a.read = read;
    return read && copy_exception(&a, exc, value) == 0 ? ps_steal(&exc) : NULL;
}

PyObject *ps_raised(struct ps_session *s, PyObject *obj)
{
    PyObject *exc;

    if (obj == Py_None || PyExceptionInstance_Check(obj))
        return ps_new_ref(obj);
    exc = ps_session_is_classic(s) && ps_netref_of(s, obj) ? ask_for_exception(s, obj) : NULL;
    if (exc || (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception)))
        return exc;
    PyErr_Clear();
    return ps_raised_class(s, obj);
}
