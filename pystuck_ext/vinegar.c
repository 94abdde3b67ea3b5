/* SPDX-License-Identifier: BSD-3-Clause */
#include "vinegar.h"

#include "box.h"

/* ---- Sending -------------------------------------------------------------------------------- */

/* Appends a str, with what UTF-8 cannot hold as escapes. */
static void put_text(struct buffer *out, PyObject *text)
{
    static const char unprintable[] = "<unprintable>";
    PyObject *bytes = text ? PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace") : NULL;

    if (bytes)
        brine_put_str(out, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    else
        brine_put_str(out, unprintable, sizeof(unprintable) - 1);
    Py_XDECREF(bytes);
    PyErr_Clear();
}

/* Appends a value, or its repr where it cannot go by value. */
static void put_value(struct buffer *out, PyObject *obj)
{
    size_t start = out->len;
    PyObject *text;

    if (out->failed || ps_dump(out, obj) > 0)
        return;
    PyErr_Clear();
    buffer_truncate(out, start);
    text = PyUnicode_CheckExact(obj) ? NULL : PyObject_Repr(obj);
    put_text(out, text ? text : PyUnicode_CheckExact(obj) ? obj : NULL);
    Py_XDECREF(text);
}

static void put_attribute_text(struct buffer *out, PyObject *obj, PyObject *name)
{
    PyObject *value = PyObject_GetAttr(obj, name);
    PyObject *text = value ? PyObject_Str(value) : NULL;

    put_text(out, text);
    Py_XDECREF(text);
    Py_XDECREF(value);
}

static void put_args(struct buffer *out, PyObject *exc)
{
    PyObject *args = PyObject_GetAttrString(exc, "args");
    PyObject *tuple = args ? PySequence_Tuple(args) : NULL;
    Py_ssize_t i, n = tuple ? PyTuple_GET_SIZE(tuple) : 0;

    PyErr_Clear();
    brine_put_tuple(out, (size_t)n);
    for (i = 0; i < n; i++)
        put_value(out, PyTuple_GET_ITEM(tuple, i));
    Py_XDECREF(tuple);
    Py_XDECREF(args);
}

/* Whether an attribute of an exception goes along: the public ones do, but for those that stock
 * leaves out. */
static bool is_sent(PyObject *name)
{
    const char *text = PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : NULL;

    PyErr_Clear();
    return text && text[0] != '_' && strcmp(text, "args") != 0 &&
           strcmp(text, "with_traceback") != 0;
}

/* The public attributes as a list of (name, value). */
static PyObject *public_attributes(PyObject *exc)
{
    PyObject *names = PyObject_Dir(exc), *list = PyList_New(0), *name, *value, *pair;
    Py_ssize_t i;

    for (i = 0; names && list && i < PyList_GET_SIZE(names); i++) {
        name = PyList_GET_ITEM(names, i);
        value = is_sent(name) ? PyObject_GetAttr(exc, name) : NULL;
        pair = value ? PyTuple_Pack(2, name, value) : NULL;
        if (pair)
            PyList_Append(list, pair);
        Py_XDECREF(pair);
        Py_XDECREF(value);
        PyErr_Clear();
    }
    PyErr_Clear();
    Py_XDECREF(names);
    return list;
}

static void put_literal(struct buffer *out, const char *text)
{
    brine_put_str(out, text, strlen(text));
}

static void put_attributes(struct buffer *out, PyObject *exc)
{
    PyObject *list = public_attributes(exc);
    Py_ssize_t i, n = list ? PyList_GET_SIZE(list) : 0;

    brine_put_tuple(out, (size_t)n + 1);
    for (i = 0; i < n; i++) {
        brine_put_tuple(out, 2);
        put_value(out, PyTuple_GET_ITEM(PyList_GET_ITEM(list, i), 0));
        put_value(out, PyTuple_GET_ITEM(PyList_GET_ITEM(list, i), 1));
    }
    brine_put_tuple(out, 2);
    put_literal(out, "_remote_version");
    put_literal(out, "<version denied>"); /* what no client warns about */
    Py_XDECREF(list);
    PyErr_Clear();
}

static void put_traceback(struct ps_state *state, struct buffer *out, PyObject *type, PyObject *exc,
                          PyObject *tb)
{
    PyObject *lines, *empty, *text = NULL;

    lines =
        PyObject_CallFunctionObjArgs(state->format_exception, type, exc, tb ? tb : Py_None, NULL);
    empty = PyUnicode_FromString("");
    if (lines && empty)
        text = PyUnicode_Join(empty, lines);
    PyErr_Clear();
    if (!text)
        text = PyObject_Str(exc);
    put_text(out, text);
    Py_XDECREF(text);
    Py_XDECREF(empty);
    Py_XDECREF(lines);
}

void ps_vinegar_put(struct ps_state *state, struct buffer *out, bool with_traceback)
{
    PyObject *type, *exc, *tb;

    PyErr_Fetch(&type, &exc, &tb);
    PyErr_NormalizeException(&type, &exc, &tb);
    if (type == PyExc_StopIteration) {
        brine_put_int(out, EXCEPTION_STOP_ITERATION);
    } else {
        brine_put_tuple(out, 4);
        brine_put_tuple(out, 2);
        put_attribute_text(out, type, state->names.dunder_module);
        put_attribute_text(out, type, state->names.dunder_name);
        put_args(out, exc);
        put_attributes(out, exc);
        if (with_traceback)
            put_traceback(state, out, type, exc, tb);
        else
            put_literal(out, "<traceback denied>");
    }
    Py_XDECREF(type);
    Py_XDECREF(exc);
    Py_XDECREF(tb);
    PyErr_Clear();
}

/* ---- Receiving ------------------------------------------------------------------------------ */

/* A class of this process by module and name, if it is one of exceptions: a new reference. NULL,
 * without an exception, if there is none. */
static PyObject *find_class(PyObject *module_name, PyObject *name, bool custom)
{
    PyObject *module = NULL, *cls;

    if (custom || PyUnicode_CompareWithASCIIString(module_name, "builtins") == 0)
        module = PyImport_Import(module_name);

    PyErr_Clear();
    cls = module ? PyObject_GetAttr(module, name) : NULL;
    PyErr_Clear();
    Py_XDECREF(module);
    if (cls && !PyExceptionClass_Check(cls))
        Py_CLEAR(cls);
    return cls;
}

/* A class to stand in for one that is not to be had here. */
static PyObject *stand_in_class(PyObject *module_name, PyObject *name)
{
    PyObject *full = PyUnicode_FromFormat("%U.%U", module_name, name), *cls = NULL;
    const char *text = full ? PyUnicode_AsUTF8(full) : NULL;

    if (text)
        cls = PyErr_NewException(text, PyExc_Exception, NULL);
    Py_XDECREF(full);
    return cls;
}

/* Sets the attributes that came along; those that cannot be set stay away. */
static void set_attributes(PyObject *exc, PyObject *attributes)
{
    PyObject *list = PySequence_Fast(attributes, "attributes"), *pair;
    Py_ssize_t i;

    for (i = 0; list && i < PySequence_Fast_GET_SIZE(list); i++) {
        pair = PySequence_Fast_GET_ITEM(list, i);
        if (PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2 &&
            PyUnicode_Check(PyTuple_GET_ITEM(pair, 0)))
            PyObject_SetAttr(exc, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1));
        PyErr_Clear();
    }
    PyErr_Clear();
    Py_XDECREF(list);
}

/* Raises what a vinegar tuple says. */
static void raise_tuple(PyObject *vinegar, bool custom)
{
    PyObject *module, *name, *args, *attributes, *traceback, *cls, *exc;

    if (!PyArg_ParseTuple(vinegar, "(UU)O!O!O;an exception of an unknown form", &module, &name,
                          &PyTuple_Type, &args, &PyTuple_Type, &attributes, &traceback))
        return;
    cls = find_class(module, name, custom);
    if (!cls)
        cls = stand_in_class(module, name);
    if (!cls)
        return;
    exc = PyObject_CallMethod(cls, "__new__", "O", cls); /* its __init__ may want other arguments */
    if (exc && PyExceptionInstance_Check(exc)) {
        PyObject_SetAttrString(exc, "args", args);
        PyErr_Clear();
        set_attributes(exc, attributes);
        PyObject_SetAttrString(exc, "_remote_tb", traceback);
        PyErr_Clear();
        PyErr_SetObject((PyObject *)Py_TYPE(exc), exc);
    } else if (exc) {
        PyErr_SetString(PyExc_TypeError, "an exception that cannot be made here");
    }
    Py_XDECREF(exc);
    Py_DECREF(cls);
}

void ps_vinegar_raise(struct brine_reader *r, bool custom)
{
    PyObject *vinegar = ps_load(r);

    if (!vinegar)
        return;
    if (PyLong_Check(vinegar))
        PyErr_SetNone(PyExc_StopIteration);
    else if (PyTuple_Check(vinegar))
        raise_tuple(vinegar, custom);
    else
        PyErr_Format(PyExc_RuntimeError, "%S", vinegar);
    Py_DECREF(vinegar);
}
