/* SPDX-License-Identifier: BSD-3-Clause */
#include "docstring.h"

#include <stddef.h>

#include "class_lookup.h"

/* ---- Indentation ---------------------------------------------------------------------------- */

/* Returns the number of spaces at the start of a line; -1 if the line consists of spaces only. */
static Py_ssize_t indentation(PyObject *line)
{
    Py_ssize_t i, len = PyUnicode_GET_LENGTH(line);

    for (i = 0; i < len; i++) {
        if (PyUnicode_READ_CHAR(line, i) != ' ')
            return i;
    }
    return -1;
}

/* Returns the smallest indentation of all lines, apart from the first line and lines that consist
 * of spaces only. */
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

/* Removes n characters from the start of the i-th line. */
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

/* Joins the lines to one str. Leaves out empty lines at the start and at the end. */
static PyObject *join(PyObject *lines)
{
    ps_auto PyObject *newline = PyUnicode_FromString("\n"), *slice = NULL;
    Py_ssize_t start = 0, end = PyList_GET_SIZE(lines);

    while (end > 0 && is_empty(lines, end - 1))
        end--;
    while (start < end && is_empty(lines, start))
        start++;
    slice = PyList_GetSlice(lines, start, end);
    return slice && newline ? PyUnicode_Join(newline, slice) : NULL;
}

/* Returns the docstring as inspect.cleandoc does: a new reference. */
static PyObject *clean(PyObject *doc)
{
    ps_auto PyObject *expanded = PyObject_CallMethod(doc, "expandtabs", NULL), *lines = NULL;
    ps_auto PyObject *newline = PyUnicode_FromString("\n");

    if (expanded && newline)
        lines = PyUnicode_Split(expanded, newline, -1);
    return lines && unindent(lines) == 0 ? join(lines) : NULL;
}

/* True if clean() would not change the text. This is the case for most docstrings, which have only
 * one line. */
static bool is_clean(PyObject *doc)
{
    Py_ssize_t len = PyUnicode_GET_LENGTH(doc);

    return len > 0 && PyUnicode_READ_CHAR(doc, 0) != ' ' &&
           PyUnicode_FindChar(doc, '\n', 0, len, 1) < 0 &&
           PyUnicode_FindChar(doc, '\t', 0, len, 1) < 0;
}

/* ---- Inheritance ---------------------------------------------------------------------------- */

/* Returns __doc__ of attr: a new reference. Returns NULL, without an exception, if __doc__ is None
 * or cannot be read. */
static PyObject *own_doc(struct ps_state *state, PyObject *attr)
{
    ps_auto PyObject *doc = PyObject_GetAttr(attr, state->names.dunder_doc);

    if (!doc)
        PyErr_Clear();
    return doc != Py_None ? ps_steal(&doc) : NULL;
}

/* The functions below run Python code: __doc__ may be a property, a module's name may have a
 * __str__, and a class may have a key with an __eq__. This Python code may rename a function,
 * change the function's module or drop a class. So these functions hold references to all objects
 * that they use. */

/* Looks an attribute up in a class and its bases, but not in its metaclass: a new reference, or
 * NULL. */
static PyObject *own_attribute(PyTypeObject *cls, PyObject *name)
{
    return ps_new_ref(ps_type_attribute(cls, name));
}

/* Returns the class in whose body a function was written: a new reference, or NULL. module and
 * path: the function's __module__, and the parts of its __qualname__. */
static PyObject *class_by_path(PyObject *module, PyObject *path)
{
    ps_auto PyObject *full = PyUnicode_FromFormat("%S.%U", module, PyList_GET_ITEM(path, 0));
    ps_auto PyObject *found = NULL;
    Py_ssize_t i, len;
    const char *name = full ? PyUnicode_AsUTF8AndSize(full, &len) : NULL;

    found = name ? ps_class_by_name(name, (size_t)len) : NULL;
    for (i = 1; found && PyType_Check(found) && i < PyList_GET_SIZE(path) - 1; i++)
        Py_SETREF(found, own_attribute((PyTypeObject *)found, PyList_GET_ITEM(path, i)));
    return found && PyType_Check(found) ? ps_steal(&found) : NULL;
}

static PyObject *class_of_function(PyFunctionObject *function)
{
    ps_auto PyObject *dot = PyUnicode_FromString("."), *path = NULL;
    ps_auto PyObject *module = ps_new_ref(function->func_module);

    if (dot && module)
        path = PyUnicode_Split(function->func_qualname, dot, -1);
    return path && PyList_GET_SIZE(path) > 1 ? class_by_path(module, path) : NULL;
}

/* Looks an attribute up in a class, its bases and its metaclass: a new reference, or NULL. */
static PyObject *class_attribute(PyTypeObject *cls, PyObject *name)
{
    PyObject *found = own_attribute(cls, name);
    ps_auto PyObject *meta = NULL;

    if (found)
        return found;
    meta = ps_new_ref((PyObject *)Py_TYPE(cls));
    return own_attribute((PyTypeObject *)meta, name);
}

/* Returns the docstring of the attribute `name`, from the first class in the MRO of cls whose
 * attribute has one: a new reference, or NULL. */
static PyObject *first_doc(struct ps_state *state, PyTypeObject *cls, PyObject *name)
{
    ps_auto PyObject *mro = ps_new_ref(cls->tp_mro);
    PyObject *doc = NULL;
    Py_ssize_t i;

    for (i = 0; mro && i < PyTuple_GET_SIZE(mro) && !doc; i++) {
        ps_auto PyObject *found = class_attribute((PyTypeObject *)PyTuple_GET_ITEM(mro, i), name);

        doc = found ? own_doc(state, found) : NULL;
    }
    return doc;
}

/* Returns the docstring of the first class in the MRO of cls that has one, except `object`: a new
 * reference, or NULL. */
static PyObject *base_doc(struct ps_state *state, PyTypeObject *cls)
{
    ps_auto PyObject *mro = ps_new_ref(cls->tp_mro);
    PyObject *doc = NULL;
    Py_ssize_t i;

    for (i = 0; mro && i < PyTuple_GET_SIZE(mro) && !doc; i++) {
        if (PyTuple_GET_ITEM(mro, i) != (PyObject *)&PyBaseObject_Type)
            doc = own_doc(state, PyTuple_GET_ITEM(mro, i));
    }
    return doc;
}

/* Finds an inherited docstring as inspect._finddoc does, for objects in the namespace of a class.
 */
static PyObject *inherited_doc(struct ps_state *state, PyObject *attr)
{
    ps_auto PyObject *name = NULL, *cls = NULL, *own = NULL;

    if (PyType_Check(attr))
        return base_doc(state, (PyTypeObject *)attr);
    if (PyFunction_Check(attr)) {
        name = ps_new_ref(((PyFunctionObject *)attr)->func_name);
        cls = class_of_function((PyFunctionObject *)attr);
    } else if (Py_TYPE(attr) == &PyMethodDescr_Type || Py_TYPE(attr) == &PyWrapperDescr_Type) {
        name = ps_new_ref(PyDescr_NAME(attr));
        cls = ps_new_ref((PyObject *)PyDescr_TYPE(attr));
    }
    own = cls ? own_attribute((PyTypeObject *)cls, name) : NULL;
    return own && own == attr ? first_doc(state, (PyTypeObject *)cls, name) : NULL;
}

PyObject *ps_docstring(struct ps_state *state, PyObject *attr)
{
    ps_auto PyObject *doc = own_doc(state, attr);
    PyObject *text = NULL;

    if (!doc)
        doc = inherited_doc(state, attr);
    if (doc && PyUnicode_CheckExact(doc) && is_clean(doc))
        return ps_steal(&doc);
    if (doc && PyUnicode_Check(doc))
        text = clean(doc);
    PyErr_Clear();
    return text;
}
