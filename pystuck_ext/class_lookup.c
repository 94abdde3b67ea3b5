/* SPDX-License-Identifier: BSD-3-Clause */
#include "class_lookup.h"

#include <string.h>

#if PY_VERSION_HEX < 0x030b0000 /* Python.h has PyFrame_Type from then on */
#include <frameobject.h>
#endif

/* A module that is imported: a new reference, or NULL. */
static PyObject *find_module(PyObject *name)
{
    PyObject *module = PyDict_GetItemWithError(PyImport_GetModuleDict(), name);

    if (!module || !PyModule_Check(module))
        return NULL;
    Py_INCREF(module);
    return module;
}

/* What a module's namespace has under a name: a new reference, or NULL. Asks the namespace, and no
 * __getattr__ of the module's. */
static PyObject *module_global(PyObject *module_name, PyObject *name)
{
    PyObject *module = find_module(module_name);
    PyObject *found = module ? PyDict_GetItemWithError(PyModule_GetDict(module), name) : NULL;

    Py_XINCREF(found);
    Py_XDECREF(module);
    return found;
}

/* A class of the interpreter's that builtins does not have under its name, as rpyc knows them:
 * borrowed, or NULL. */
static PyTypeObject *nameless_class(const char *name, size_t len)
{
    static const struct {
        const char *name;
        PyTypeObject *type;
    } classes[] = {
        {"builtins.builtin_function_or_method", &PyCFunction_Type},
        {"builtins.code", &PyCode_Type},
        {"builtins.frame", &PyFrame_Type},
        {"builtins.function", &PyFunction_Type},
        {"builtins.generator", &PyGen_Type},
        {"builtins.list_iterator", &PyListIter_Type},
        {"builtins.method", &PyMethod_Type},
        {"builtins.module", &PyModule_Type},
        {"builtins.range_iterator", &PyRangeIter_Type},
        {"builtins.set_iterator", &PySetIter_Type},
        {"builtins.traceback", &PyTraceBack_Type},
        {"builtins.tuple_iterator", &PyTupleIter_Type},
        {"builtins.wrapper_descriptor", &PyWrapperDescr_Type},
    };
    size_t i;

    for (i = 0; i < sizeof(classes) / sizeof(*classes); i++) {
        if (strlen(classes[i].name) == len && memcmp(classes[i].name, name, len) == 0)
            return classes[i].type;
    }
    return NULL;
}

PyObject *ps_class_by_name(const char *name, size_t len)
{
    const char *dot = memrchr(name, '.', len);
    PyObject *module_name, *class_name, *cls = (PyObject *)nameless_class(name, len);

    if (cls || !dot) {
        Py_XINCREF(cls);
        return cls;
    }
    module_name = PyUnicode_DecodeUTF8(name, dot - name, "replace");
    class_name = PyUnicode_DecodeUTF8(dot + 1, (Py_ssize_t)len - (dot + 1 - name), "replace");
    if (module_name && class_name)
        cls = module_global(module_name, class_name);
    Py_XDECREF(module_name);
    Py_XDECREF(class_name);
    if (cls && !PyType_Check(cls))
        Py_CLEAR(cls);
    PyErr_Clear();
    return cls;
}

bool ps_is_module_name(const char *name, size_t len)
{
    PyObject *text = PyUnicode_DecodeUTF8(name, (Py_ssize_t)len, "replace");
    PyObject *module = text ? find_module(text) : NULL;
    bool found = module != NULL;

    PyErr_Clear();
    Py_XDECREF(module);
    Py_XDECREF(text);
    return found;
}
