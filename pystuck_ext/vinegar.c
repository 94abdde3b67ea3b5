/* SPDX-License-Identifier: BSD-3-Clause */
#include "vinegar.h"

#include "message.h"
#include "pybrine.h"

#define REMOTE_CLASSES_MAX 1000 /* that are remembered */

/* ---- Sending -------------------------------------------------------------------------------- */

/* Whether what was just done did not fail for lack of memory. */
static bool had_memory(void)
{
    return !PyErr_Occurred() || !PyErr_ExceptionMatches(PyExc_MemoryError);
}

/* Appends a str, with what UTF-8 cannot hold as escapes. False where there is no memory for it. */
static bool put_text(struct buffer *out, PyObject *text)
{
    static const char unprintable[] = "<unprintable>";
    PyObject *bytes = text ? PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace") : NULL;
    bool ok = !text || bytes || had_memory();

    if (bytes)
        brine_put_str(out, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    else
        brine_put_str(out, unprintable, sizeof(unprintable) - 1);
    Py_XDECREF(bytes);
    PyErr_Clear();
    return ok;
}

/* Appends a value, or its repr where it cannot go by value. False where there is no memory for it.
 */
static bool put_value(struct buffer *out, PyObject *obj)
{
    size_t start = out->len;
    PyObject *text;
    bool ok;

    if (out->failed || ps_dump(out, obj) > 0)
        return !out->failed;
    ok = had_memory();
    PyErr_Clear();
    buffer_truncate(out, start);
    text = PyUnicode_CheckExact(obj) ? NULL : PyObject_Repr(obj);
    ok = put_text(out, text ? text : PyUnicode_CheckExact(obj) ? obj : NULL) && ok;
    Py_XDECREF(text);
    return ok;
}

/* The next two: false where there is no memory for what makes an exception what it is. */

static bool put_attribute_text(struct buffer *out, PyObject *obj, PyObject *name)
{
    PyObject *value = PyObject_GetAttr(obj, name);
    PyObject *text = value ? PyObject_Str(value) : NULL;
    bool ok = had_memory();

    ok = put_text(out, text) && ok;
    Py_XDECREF(text);
    Py_XDECREF(value);
    return ok;
}

static bool put_args(struct buffer *out, PyObject *exc)
{
    PyObject *args = PyObject_GetAttrString(exc, "args");
    PyObject *tuple = args ? PySequence_Tuple(args) : NULL;
    Py_ssize_t i, n = tuple ? PyTuple_GET_SIZE(tuple) : 0;
    bool ok = had_memory();

    PyErr_Clear();
    brine_put_tuple(out, (size_t)n);
    for (i = 0; i < n; i++)
        ok = put_value(out, PyTuple_GET_ITEM(tuple, i)) && ok;
    Py_XDECREF(tuple);
    Py_XDECREF(args);
    return ok;
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

/* What dir() says, as a tuple: code that runs meanwhile may find a list, and change it. */
static PyObject *dir_of(PyObject *obj)
{
    PyObject *list = PyObject_Dir(obj), *tuple = list ? PySequence_Tuple(list) : NULL;

    Py_XDECREF(list);
    return tuple;
}

/* The public attributes as a tuple of (name, value), or NULL. */
static PyObject *public_attributes(PyObject *exc)
{
    PyObject *names = dir_of(exc), *list = PyList_New(0), *name, *value, *pair, *tuple;
    Py_ssize_t i;

    PyErr_Clear();
    for (i = 0; names && list && i < PyTuple_GET_SIZE(names); i++) {
        name = PyTuple_GET_ITEM(names, i);
        value = is_sent(name) ? PyObject_GetAttr(exc, name) : NULL;
        pair = value ? PyTuple_Pack(2, name, value) : NULL;
        if (pair)
            PyList_Append(list, pair);
        Py_XDECREF(pair);
        Py_XDECREF(value);
        PyErr_Clear();
    }
    tuple = list ? PyList_AsTuple(list) : NULL;
    PyErr_Clear();
    Py_XDECREF(names);
    Py_XDECREF(list);
    return tuple;
}

static void put_literal(struct buffer *out, const char *text)
{
    brine_put_str(out, text, strlen(text));
}

static void put_attributes(struct buffer *out, PyObject *exc, const char *version)
{
    PyObject *pairs = public_attributes(exc);
    Py_ssize_t i, n = pairs ? PyTuple_GET_SIZE(pairs) : 0;

    brine_put_tuple(out, (size_t)n + 1);
    for (i = 0; i < n; i++) {
        brine_put_tuple(out, 2);
        put_value(out, PyTuple_GET_ITEM(PyTuple_GET_ITEM(pairs, i), 0));
        put_value(out, PyTuple_GET_ITEM(PyTuple_GET_ITEM(pairs, i), 1));
    }
    brine_put_tuple(out, 2);
    put_literal(out, "_remote_version");
    put_literal(out, version);
    Py_XDECREF(pairs);
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

/* Appends an exception; false where there is no memory for it. */
static bool put_exception(struct ps_state *state, struct buffer *out, PyObject *type, PyObject *exc,
                          PyObject *tb, bool with_traceback, const char *version)
{
    brine_put_tuple(out, 4);
    brine_put_tuple(out, 2);
    if (!put_attribute_text(out, type, state->names.dunder_module) ||
        !put_attribute_text(out, type, state->names.dunder_name) || !put_args(out, exc))
        return false;
    put_attributes(out, exc, version);
    if (with_traceback)
        put_traceback(state, out, type, exc, tb);
    else
        put_literal(out, "<traceback denied>");
    return !out->failed;
}

/* What takes no memory of Python's, and hardly any of ours. */
static void put_memory_error(struct buffer *out)
{
    brine_put_tuple(out, 4);
    brine_put_tuple(out, 2);
    put_literal(out, "builtins");
    put_literal(out, "MemoryError");
    brine_put_tuple(out, 0);
    brine_put_tuple(out, 0);
    put_literal(out, "MemoryError, and no memory for its traceback");
}

void ps_vinegar_put(struct ps_state *state, struct buffer *out, bool with_traceback,
                    const char *version)
{
    size_t start = out->len;
    PyObject *type, *exc, *tb;

    if (out->failed) { /* not even the start of a message fits */
        PyErr_Clear();
        return;
    }
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_SystemError, "error return without exception set");
    PyErr_Fetch(&type, &exc, &tb);
    PyErr_NormalizeException(&type, &exc, &tb);
    if (type == PyExc_StopIteration) {
        brine_put_int(out, EXCEPTION_STOP_ITERATION);
    } else if (!put_exception(state, out, type, exc, tb, with_traceback, version)) {
        buffer_truncate(out, start);
        put_memory_error(out);
    }
    Py_XDECREF(type);
    Py_XDECREF(exc);
    Py_XDECREF(tb);
    PyErr_Clear();
}

/* ---- Receiving ------------------------------------------------------------------------------ */

/* Forgets an exception, unless it is that there is no memory. */
static void clear_unless_no_memory(void)
{
    if (had_memory())
        PyErr_Clear();
}

/* A class of this process by module and name, if it is one of exceptions: a new reference. NULL,
 * without an exception, if there is none; with MemoryError, if that cannot be told. */
static PyObject *find_class(PyObject *module_name, PyObject *name,
                            const struct ps_vinegar_policy *policy)
{
    PyObject *module = PyImport_GetModule(module_name), *cls;

    if (!module && !PyErr_Occurred() && policy->import)
        module = PyImport_Import(module_name);
    clear_unless_no_memory();
    if (!policy->instantiate && PyUnicode_CompareWithASCIIString(module_name, "builtins") != 0)
        Py_CLEAR(module);
    cls = module ? PyObject_GetAttr(module, name) : NULL;
    clear_unless_no_memory();
    Py_XDECREF(module);
    if (cls && !PyExceptionClass_Check(cls))
        Py_CLEAR(cls);
    return cls;
}

/* What str() shows before a traceback: how often that has gone from one side to the other. */
static PyObject *headline(PyObject *traceback)
{
    PyObject *start = PyUnicode_FromString("\n\n========= Remote Traceback "), *line = NULL;
    Py_ssize_t before = start ? PyUnicode_Count(traceback, start, 0, PY_SSIZE_T_MAX) : -1;

    if (before >= 0)
        line = PyUnicode_FromFormat("%U(%zd) =========\n", start, before + 1);
    Py_XDECREF(start);
    return line;
}

/* The text that an exception has as one of the class base. */
static PyObject *own_text(PyObject *base, PyObject *exc)
{
    PyObject *text = PyObject_CallMethod(base, "__str__", "O", exc);

    if (text && PyUnicode_Check(text))
        return text;
    Py_XDECREF(text);
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception))
        return NULL;
    PyErr_Clear();
    return PyUnicode_FromString("<Unprintable exception>");
}

/* __str__ and __repr__ of exceptions that came from the other side: their text, and the traceback
 * from there. */
static PyObject *remote_text(PyObject *base, PyObject *exc)
{
    PyObject *text = own_text(base, exc), *traceback, *line, *whole = NULL;

    traceback = text ? PyObject_GetAttrString(exc, "_remote_tb") : NULL;
    if (!traceback || !PyUnicode_Check(traceback)) {
        Py_XDECREF(traceback);
        PyErr_Clear();
        return text;
    }
    line = headline(traceback);
    if (line)
        whole = PyUnicode_FromFormat("%U%U%U", text, line, traceback);
    Py_XDECREF(line);
    Py_DECREF(traceback);
    Py_DECREF(text);
    return whole;
}

static PyMethodDef remote_str_def = {"__str__", remote_text, METH_O, NULL};
static PyMethodDef remote_repr_def = {"__repr__", remote_text, METH_O, NULL};

static int add_method(PyObject *ns, PyMethodDef *def, PyObject *base)
{
    PyObject *function = PyCFunction_New(def, base);
    PyObject *method = function ? PyInstanceMethod_New(function) : NULL;
    int result = method ? PyDict_SetItemString(ns, def->ml_name, method) : -1;

    Py_XDECREF(method);
    Py_XDECREF(function);
    return result;
}

/* A class like base for exceptions that came from the other side. */
static PyObject *derive(PyObject *module_name, PyObject *name, PyObject *base)
{
    PyObject *ns = Py_BuildValue("{sO}", "__module__", module_name), *cls = NULL;

    if (ns && add_method(ns, &remote_str_def, base) == 0 &&
        add_method(ns, &remote_repr_def, base) == 0)
        cls = PyObject_CallFunction((PyObject *)&PyType_Type, "O(O)O", name, base, ns);
    Py_XDECREF(ns);
    return cls;
}

/* Remembers the class that was made from `origin`. A client may come up with any number of them. */
static void remember(struct ps_state *state, PyObject *origin, PyObject *cls)
{
    if (PyDict_GET_SIZE(state->remote_classes) >= REMOTE_CLASSES_MAX)
        PyDict_Clear(state->remote_classes);
    PyDict_SetItem(state->remote_classes, origin, cls);
    PyErr_Clear();
}

/* The class of exceptions that came from the other side as module.name, and have a class here. */
static PyObject *remote_class(struct ps_state *state, PyObject *module, PyObject *name,
                              PyObject *base)
{
    PyObject *cls = PyDict_GetItemWithError(state->remote_classes, base);

    if (cls) {
        Py_INCREF(cls);
        return cls;
    }
    cls = PyErr_Occurred() ? NULL : derive(module, name, base);
    if (cls)
        remember(state, base, cls);
    return cls;
}

/* rpyc's own base of its stand-ins where the program has rpyc, for its `except` to find them. */
static PyObject *stand_in_base(void)
{
    PyObject *name = PyUnicode_FromString("rpyc.core.vinegar");
    PyObject *module = name ? PyImport_GetModule(name) : NULL;
    PyObject *base = module ? PyObject_GetAttrString(module, "GenericException") : NULL;

    PyErr_Clear();
    Py_XDECREF(name);
    Py_XDECREF(module);
    if (base && PyExceptionClass_Check(base))
        return base;
    Py_XDECREF(base);
    Py_INCREF(PyExc_Exception);
    return PyExc_Exception;
}

/* What stands in for a class that is not to be had here, with the names that stock gives it. */
static PyObject *stand_in_class(struct ps_state *state, PyObject *module, PyObject *name)
{
    PyObject *full_name = PyUnicode_FromFormat("%U.%U", module, name);
    PyObject *cls = full_name ? PyDict_GetItemWithError(state->remote_classes, full_name) : NULL;
    PyObject *place = NULL, *base = NULL;

    Py_XINCREF(cls);
    if (full_name && !cls && !PyErr_Occurred()) {
        place = PyUnicode_FromFormat("rpyc.core.vinegar/%U", module);
        base = stand_in_base();
        cls = place ? derive(place, full_name, base) : NULL;
        if (cls)
            remember(state, full_name, cls);
    }
    Py_XDECREF(full_name);
    Py_XDECREF(place);
    Py_XDECREF(base);
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

/* A new exception, without its __init__, which may want other arguments. NULL, without an exception
 * or with MemoryError, where its __new__ wants some too, or makes something else. */
static PyObject *new_exception(PyObject *cls)
{
    PyObject *exc = PyObject_CallMethod(cls, "__new__", "O", cls);

    clear_unless_no_memory();
    if (exc && !PyExceptionInstance_Check(exc))
        Py_CLEAR(exc);
    return exc;
}

/* An exception of the other side's class module.name, as one of a class here. */
static PyObject *make_exception(struct ps_state *state, PyObject *module, PyObject *name,
                                const struct ps_vinegar_policy *policy)
{
    PyObject *base = find_class(module, name, policy);
    PyObject *cls = base ? remote_class(state, module, name, base) : NULL;
    PyObject *exc = cls ? new_exception(cls) : NULL;

    Py_XDECREF(base);
    Py_XDECREF(cls);
    if (exc || !had_memory())
        return exc;
    PyErr_Clear();
    cls = stand_in_class(state, module, name);
    exc = cls ? new_exception(cls) : NULL;
    Py_XDECREF(cls);
    return exc;
}

PyObject *ps_vinegar_new(struct ps_state *state, PyObject *module, PyObject *name,
                         const struct ps_vinegar_policy *policy)
{
    PyObject *cls = find_class(module, name, policy), *exc = cls ? new_exception(cls) : NULL;

    Py_XDECREF(cls);
    if (exc || !had_memory())
        return exc;
    PyErr_Clear();
    cls = stand_in_class(state, module, name);
    exc = cls ? new_exception(cls) : NULL;
    Py_XDECREF(cls);
    return exc;
}

/* Whether a value is a tuple of so many. */
static bool is_tuple(PyObject *value, Py_ssize_t length)
{
    return PyTuple_CheckExact(value) && PyTuple_GET_SIZE(value) == length;
}

/* Whether a value is ((module, class name), args, attributes, traceback). */
static bool is_vinegar(PyObject *value)
{
    PyObject *cls = is_tuple(value, 4) ? PyTuple_GET_ITEM(value, 0) : NULL;

    return cls && is_tuple(cls, 2) && PyUnicode_Check(PyTuple_GET_ITEM(cls, 0)) &&
           PyUnicode_Check(PyTuple_GET_ITEM(cls, 1)) &&
           PyTuple_CheckExact(PyTuple_GET_ITEM(value, 1)) &&
           PyTuple_CheckExact(PyTuple_GET_ITEM(value, 2));
}

/* Raises what a vinegar tuple says. */
static void raise_tuple(struct ps_state *state, PyObject *vinegar,
                        const struct ps_vinegar_policy *policy)
{
    PyObject *cls = PyTuple_GET_ITEM(vinegar, 0), *exc;

    exc = make_exception(state, PyTuple_GET_ITEM(cls, 0), PyTuple_GET_ITEM(cls, 1), policy);
    if (!exc) {
        if (!PyErr_Occurred())
            PyErr_NoMemory();
        return;
    }
    if (PyObject_SetAttrString(exc, "args", PyTuple_GET_ITEM(vinegar, 1)) < 0 && !had_memory()) {
        Py_DECREF(exc);
        return;
    }
    PyErr_Clear();
    set_attributes(exc, PyTuple_GET_ITEM(vinegar, 2));
    PyObject_SetAttrString(exc, "_remote_tb", PyTuple_GET_ITEM(vinegar, 3));
    PyErr_Clear();
    PyErr_SetObject((PyObject *)Py_TYPE(exc), exc);
    Py_DECREF(exc);
}

void ps_vinegar_raise(struct ps_state *state, struct brine_reader *r,
                      const struct ps_vinegar_policy *policy)
{
    PyObject *vinegar = ps_load(r);

    if (!vinegar)
        return;
    if (PyLong_Check(vinegar))
        PyErr_SetNone(PyExc_StopIteration);
    else if (is_vinegar(vinegar))
        raise_tuple(state, vinegar, policy);
    else if (PyUnicode_Check(vinegar))
        PyErr_SetObject(PyExc_RuntimeError, vinegar);
    else
        PyErr_SetString(PyExc_TypeError, "an exception of an unknown form");
    Py_DECREF(vinegar);
}
