/* SPDX-License-Identifier: BSD-3-Clause */
#include "class_lookup.h"

#include <string.h>

#if PY_VERSION_HEX < 0x030b0000 /* Python.h of 3.11 and later declares PyFrame_Type */
#include <frameobject.h>
#endif

/* Returns an imported module: a new reference, or NULL. */
static PyObject *find_module(PyObject *name)
{
    PyObject *module = PyDict_GetItemWithError(PyImport_GetModuleDict(), name);

    return module && PyModule_Check(module) ? ps_new_ref(module) : NULL;
}

/* Returns a global variable of an imported module: a new reference, or NULL. Does not call the
 * __getattr__ of the module. */
static PyObject *module_global(PyObject *module_name, PyObject *name)
{
    ps_auto PyObject *module = find_module(module_name);

    return module ? ps_new_ref(PyDict_GetItemWithError(PyModule_GetDict(module), name)) : NULL;
}

/* Some classes of the interpreter, such as the class of functions, have the __module__ "builtins",
 * although the module builtins does not contain them. Returns the one of these classes that has the
 * name `name`, borrowed, or NULL if none of these classes has this name. */
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
    ps_auto PyObject *module_name = NULL, *class_name = NULL, *cls = NULL;

    cls = ps_new_ref((PyObject *)nameless_class(name, len));
    if (cls || !dot)
        return ps_steal(&cls);
    module_name = PyUnicode_DecodeUTF8(name, dot - name, "replace");
    class_name = PyUnicode_DecodeUTF8(dot + 1, (Py_ssize_t)len - (dot + 1 - name), "replace");
    if (module_name && class_name)
        cls = module_global(module_name, class_name);
    PyErr_Clear();
    return cls && PyType_Check(cls) ? ps_steal(&cls) : NULL;
}

bool ps_is_module_name(const char *name, size_t len)
{
    ps_auto PyObject *text = PyUnicode_DecodeUTF8(name, (Py_ssize_t)len, "replace");
    ps_auto PyObject *module = text ? find_module(text) : NULL;

    PyErr_Clear();
    return module != NULL;
}
