/* SPDX-License-Identifier: BSD-3-Clause */
#include "inspect.h"

#include "docstring.h"
#include "policy.h"

/* As inspect.isroutine: functions, builtins, methods, and method descriptors. */
static bool is_routine(PyObject *attr)
{
    PyTypeObject *type = Py_TYPE(attr);

    if (PyFunction_Check(attr) || PyCFunction_Check(attr) || PyMethod_Check(attr))
        return true;
    return !PyType_Check(attr) && type->tp_descr_get && !type->tp_descr_set;
}

/* A class's own namespace: a new reference. Asks the class and not its __dict__, which may be
 * anything. */
static PyObject *class_dict(PyObject *cls)
{
#if PY_VERSION_HEX >= 0x030c0000
    return PyType_GetDict((PyTypeObject *)cls);
#else
    PyObject *dict = ((PyTypeObject *)cls)->tp_dict;

    Py_XINCREF(dict);
    return dict;
#endif
}

/* Adds the namespaces along a type's MRO to attrs, the base classes' first. The type may be none by
 * the end. */
static int collect_attributes(const PyTypeObject *type, PyObject *attrs)
{
    PyObject *mro = type->tp_mro, *dict;
    Py_ssize_t i;
    int result = 0;

    if (!mro)
        return 0;
    Py_INCREF(mro);
    for (i = PyTuple_GET_SIZE(mro) - 1; i >= 0 && result == 0; i--) {
        dict = class_dict(PyTuple_GET_ITEM(mro, i));
        if (dict)
            result = PyDict_Update(attrs, dict);
        Py_XDECREF(dict);
    }
    Py_DECREF(mro);
    return result;
}

/* What is a method: before 6.0 whatever can be called, from then on what is a routine. */
static bool is_method(struct ps_session *s, PyObject *attr)
{
    return ps_session_is_old(s) ? PyCallable_Check(attr) : is_routine(attr);
}

static int list_method(struct ps_session *s, PyObject *list, PyObject *name, PyObject *attr)
{
    struct ps_state *state = s->state;
    int local = PySet_Contains(state->local_names, name), result;
    PyObject *pair, *doc;

    if (local != 0 || !is_method(s, attr))
        return local < 0 ? -1 : 0;
    doc = ps_docstring(state, attr);
    pair = PyTuple_Pack(2, name, doc ? doc : Py_None);
    Py_XDECREF(doc);
    result = pair ? PyList_Append(list, pair) : -1;
    Py_XDECREF(pair);
    return result;
}

PyObject *ps_inspect(struct ps_session *s, PyObject *obj)
{
    PyObject *attrs = PyDict_New(), *list = PyList_New(0), *name, *attr;
    Py_ssize_t pos = 0;
    int result = attrs && list ? 0 : -1;

    if (result == 0)
        result = collect_attributes(Py_TYPE(obj), attrs);
    if (result == 0 && PyType_Check(obj))
        result = collect_attributes((PyTypeObject *)obj, attrs);
    while (result == 0 && PyDict_Next(attrs, &pos, &name, &attr)) {
        Py_INCREF(name);
        Py_INCREF(attr); /* the garbage collector shows attrs to anyone */
        result = list_method(s, list, name, attr);
        Py_DECREF(attr);
        Py_DECREF(name);
    }
    Py_XDECREF(attrs);
    if (result < 0)
        Py_CLEAR(list);
    return list;
}
