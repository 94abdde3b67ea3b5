/* SPDX-License-Identifier: BSD-3-Clause */
#include "inspect.h"

#include "docstring.h"
#include "connection_config.h"

/* Returns the same as inspect.isroutine: true for functions, builtins, methods and method
 * descriptors. */
static bool is_routine(PyObject *attr)
{
    PyTypeObject *type = Py_TYPE(attr);

    if (PyFunction_Check(attr) || PyCFunction_Check(attr) || PyMethod_Check(attr))
        return true;
    return !PyType_Check(attr) && type->tp_descr_get && !type->tp_descr_set;
}

/* Returns the namespace of a class: a new reference. Does not read the attribute __dict__, which
 * may be any object. */
static PyObject *class_dict(PyObject *cls)
{
#if PY_VERSION_HEX >= 0x030c0000
    return PyType_GetDict((PyTypeObject *)cls);
#else
    return ps_new_ref(((PyTypeObject *)cls)->tp_dict);
#endif
}

/* Adds the namespaces of a type and its bases to attrs, beginning with the bases. Python code that
 * runs during this work may free the type, so only the type's MRO is used. Returns 0, or -1 with an
 * exception. */
static int collect_attributes(const PyTypeObject *type, PyObject *attrs)
{
    ps_auto PyObject *mro = ps_new_ref(type->tp_mro);
    Py_ssize_t i;
    int result = 0;

    for (i = mro ? PyTuple_GET_SIZE(mro) - 1 : -1; i >= 0 && result == 0; i--) {
        ps_auto PyObject *dict = class_dict(PyTuple_GET_ITEM(mro, i));

        if (dict)
            result = PyDict_Update(attrs, dict);
    }
    return result;
}

/* True if attr becomes a method of the client's netref. If the client has an rpyc before 6.0, this
 * is true for all callable objects; for clients with a later rpyc, only for routines. */
static bool is_method(struct ps_session *s, PyObject *attr)
{
    return ps_session_is_old(s) ? PyCallable_Check(attr) : is_routine(attr);
}

static int list_method(struct ps_session *s, PyObject *list, PyObject *name, PyObject *attr)
{
    struct ps_state *state = s->state;
    ps_auto PyObject *pair = NULL, *doc = NULL;
    int local = PySet_Contains(state->local_names, name);

    if (local != 0 || !is_method(s, attr))
        return local < 0 ? -1 : 0;
    doc = ps_docstring(state, attr);
    pair = PyTuple_Pack(2, name, doc ? doc : Py_None);
    return pair ? PyList_Append(list, pair) : -1;
}

PyObject *ps_inspect(struct ps_session *s, PyObject *obj)
{
    ps_auto PyObject *attrs = PyDict_New(), *list = PyList_New(0);
    PyObject *key, *value;
    Py_ssize_t pos = 0;
    int result = attrs && list ? 0 : -1;

    if (result == 0)
        result = collect_attributes(Py_TYPE(obj), attrs);
    if (result == 0 && PyType_Check(obj))
        result = collect_attributes((PyTypeObject *)obj, attrs);
    while (result == 0 && PyDict_Next(attrs, &pos, &key, &value)) {
        /* holds references: other threads can find attrs through the garbage collector, and change
         * it */
        ps_auto PyObject *name = ps_new_ref(key), *attr = ps_new_ref(value);

        result = list_method(s, list, name, attr);
    }
    return result < 0 ? NULL : ps_steal(&list);
}
