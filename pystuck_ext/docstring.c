/* SPDX-License-Identifier: BSD-3-Clause */
#include "docstring.h"

#include <stddef.h>

#include "class_lookup.h"

/* ---- Indentation ---------------------------------------------------------------------------- */

/* How many characters a line starts with that are spaces; -1 if there is nothing else in it. */
static Py_ssize_t indentation(PyObject *line)
{
    Py_ssize_t i, len = PyUnicode_GET_LENGTH(line);

    for (i = 0; i < len; i++) {
        if (PyUnicode_READ_CHAR(line, i) != ' ')
            return i;
    }
    return -1;
}

/* What all lines but the first are indented by. */
static Py_ssize_t common_margin(PyObject *lines)
{
    Py_ssize_t i, here, margin = PY_SSIZE_T_MAX;

    for (i = 1; i < PyList_GET_SIZE(lines); i++) {
        here = indentation(PyList_GET_ITEM(lines, i));
        if (here >= 0 && here < margin)
            margin = here;
    }
    return margin == PY_SSIZE_T_MAX ? 0 : margin;
}

/* Takes n characters from the start of the i-th line. */
static int cut(PyObject *lines, Py_ssize_t i, Py_ssize_t n)
{
    PyObject *line = PyList_GET_ITEM(lines, i);

    line = PyUnicode_Substring(line, n, PyUnicode_GET_LENGTH(line));
    return line ? PyList_SetItem(lines, i, line) : -1;
}

static int unindent(PyObject *lines)
{
    Py_ssize_t i, margin = common_margin(lines), first = indentation(PyList_GET_ITEM(lines, 0));

    if (first < 0)
        first = PyUnicode_GET_LENGTH(PyList_GET_ITEM(lines, 0));
    if (cut(lines, 0, first) < 0)
        return -1;
    for (i = 1; i < PyList_GET_SIZE(lines); i++) {
        if (cut(lines, i, margin) < 0)
            return -1;
    }
    return 0;
}

static bool is_empty(PyObject *lines, Py_ssize_t i)
{
    return PyUnicode_GET_LENGTH(PyList_GET_ITEM(lines, i)) == 0;
}

/* The lines, without empty ones at the start and at the end, as one str. */
static PyObject *join(PyObject *lines)
{
    PyObject *newline = PyUnicode_FromString("\n"), *text = NULL, *slice;
    Py_ssize_t start = 0, end = PyList_GET_SIZE(lines);

    while (end > 0 && is_empty(lines, end - 1))
        end--;
    while (start < end && is_empty(lines, start))
        start++;
    slice = PyList_GetSlice(lines, start, end);
    if (slice && newline)
        text = PyUnicode_Join(newline, slice);
    Py_XDECREF(slice);
    Py_XDECREF(newline);
    return text;
}

/* As inspect.cleandoc. */
static PyObject *clean(PyObject *doc)
{
    PyObject *expanded = PyObject_CallMethod(doc, "expandtabs", NULL), *lines = NULL, *text = NULL;
    PyObject *newline = PyUnicode_FromString("\n");

    if (expanded && newline)
        lines = PyUnicode_Split(expanded, newline, -1);
    if (lines && unindent(lines) == 0)
        text = join(lines);
    Py_XDECREF(lines);
    Py_XDECREF(newline);
    Py_XDECREF(expanded);
    return text;
}

/* Most are of one line and clean. */
static bool is_clean(PyObject *doc)
{
    Py_ssize_t len = PyUnicode_GET_LENGTH(doc);

    return len > 0 && PyUnicode_READ_CHAR(doc, 0) != ' ' &&
           PyUnicode_FindChar(doc, '\n', 0, len, 1) < 0 &&
           PyUnicode_FindChar(doc, '\t', 0, len, 1) < 0;
}

/* ---- Inheritance ---------------------------------------------------------------------------- */

/* What __doc__ says: a new reference, NULL without an exception if that is None or not to be had.
 */
static PyObject *own_doc(struct ps_state *state, PyObject *attr)
{
    PyObject *doc = PyObject_GetAttr(attr, state->names.dunder_doc);

    if (!doc)
        PyErr_Clear();
    if (doc != Py_None)
        return doc;
    Py_DECREF(doc);
    return NULL;
}

/* What runs Python here, and so may rename a function, change its module or drop a class: __doc__,
 * the str() of a module's name, and a look into the namespace of a class that has a key with an
 * __eq__ of its own. */

/* What a class has under a name, by itself: a new reference, or NULL. */
static PyObject *own_attribute(PyTypeObject *cls, PyObject *name)
{
    PyObject *found = ps_type_attribute(cls, name);

    Py_XINCREF(found);
    return found;
}

/* The class in whose body a function was written, as far as its names lead there: a new reference,
 * or NULL. */
static PyObject *class_by_path(PyObject *module, PyObject *path)
{
    PyObject *found, *full = PyUnicode_FromFormat("%S.%U", module, PyList_GET_ITEM(path, 0));
    Py_ssize_t i, len;
    const char *name = full ? PyUnicode_AsUTF8AndSize(full, &len) : NULL;

    found = name ? ps_class_by_name(name, (size_t)len) : NULL;
    Py_XDECREF(full);
    for (i = 1; found && PyType_Check(found) && i < PyList_GET_SIZE(path) - 1; i++)
        Py_SETREF(found, own_attribute((PyTypeObject *)found, PyList_GET_ITEM(path, i)));
    if (found && !PyType_Check(found))
        Py_CLEAR(found);
    return found;
}

static PyObject *class_of_function(PyFunctionObject *function)
{
    PyObject *dot = PyUnicode_FromString("."), *path = NULL, *cls = NULL;
    PyObject *module = function->func_module;

    Py_XINCREF(module);
    if (dot && module)
        path = PyUnicode_Split(function->func_qualname, dot, -1);
    if (path && PyList_GET_SIZE(path) > 1)
        cls = class_by_path(module, path);
    Py_XDECREF(path);
    Py_XDECREF(module);
    Py_XDECREF(dot);
    return cls;
}

/* What a class has under a name, by itself or from its metaclass: a new reference, or NULL. */
static PyObject *class_attribute(PyTypeObject *cls, PyObject *name)
{
    PyObject *found = own_attribute(cls, name), *meta;

    if (found)
        return found;
    meta = (PyObject *)Py_TYPE(cls);
    Py_INCREF(meta);
    found = own_attribute((PyTypeObject *)meta, name);
    Py_DECREF(meta);
    return found;
}

/* The docstring of the first in the MRO of a class that has one under this name. */
static PyObject *first_doc(struct ps_state *state, PyTypeObject *cls, PyObject *name)
{
    PyObject *mro = cls->tp_mro, *found, *doc = NULL;
    Py_ssize_t i;

    if (!mro)
        return NULL;
    Py_INCREF(mro);
    for (i = 0; i < PyTuple_GET_SIZE(mro) && !doc; i++) {
        found = class_attribute((PyTypeObject *)PyTuple_GET_ITEM(mro, i), name);
        doc = found ? own_doc(state, found) : NULL;
        Py_XDECREF(found);
    }
    Py_DECREF(mro);
    return doc;
}

/* The docstring of the first base class that has one, object aside. */
static PyObject *base_doc(struct ps_state *state, PyTypeObject *cls)
{
    PyObject *mro = cls->tp_mro, *doc = NULL;
    Py_ssize_t i;

    if (!mro)
        return NULL;
    Py_INCREF(mro);
    for (i = 0; i < PyTuple_GET_SIZE(mro) && !doc; i++) {
        if (PyTuple_GET_ITEM(mro, i) != (PyObject *)&PyBaseObject_Type)
            doc = own_doc(state, PyTuple_GET_ITEM(mro, i));
    }
    Py_DECREF(mro);
    return doc;
}

/* As inspect._finddoc, for what is in a class's namespace. */
static PyObject *inherited_doc(struct ps_state *state, PyObject *attr)
{
    PyObject *name = NULL, *cls = NULL, *own = NULL, *doc = NULL;

    if (PyType_Check(attr))
        return base_doc(state, (PyTypeObject *)attr);
    if (PyFunction_Check(attr)) {
        name = ((PyFunctionObject *)attr)->func_name;
        Py_INCREF(name);
        cls = class_of_function((PyFunctionObject *)attr);
    } else if (Py_TYPE(attr) == &PyMethodDescr_Type || Py_TYPE(attr) == &PyWrapperDescr_Type) {
        name = PyDescr_NAME(attr);
        Py_INCREF(name);
        cls = (PyObject *)PyDescr_TYPE(attr);
        Py_INCREF(cls);
    }
    own = cls ? own_attribute((PyTypeObject *)cls, name) : NULL;
    if (own && own == attr)
        doc = first_doc(state, (PyTypeObject *)cls, name);
    Py_XDECREF(own);
    Py_XDECREF(cls);
    Py_XDECREF(name);
    return doc;
}

PyObject *ps_docstring(struct ps_state *state, PyObject *attr)
{
    PyObject *doc = own_doc(state, attr), *text = NULL;

    if (!doc)
        doc = inherited_doc(state, attr);
    if (doc && PyUnicode_CheckExact(doc) && is_clean(doc))
        return doc;
    if (doc && PyUnicode_Check(doc))
        text = clean(doc);
    Py_XDECREF(doc);
    PyErr_Clear();
    return text;
}
