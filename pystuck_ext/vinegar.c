/* SPDX-License-Identifier: BSD-3-Clause */
#include "vinegar.h"

#include "message.h"
#include "pybrine.h"

#define REMOTE_CLASSES_MAX 1000 /* the maximum number of items in state->remote_classes */

/* ---- Sending -------------------------------------------------------------------------------- */

/* False if a MemoryError is set. */
static bool had_memory(void)
{
    return !PyErr_Occurred() || !PyErr_ExceptionMatches(PyExc_MemoryError);
}

/* Appends a str. Characters that UTF-8 cannot encode become escapes. If text is NULL, appends
 * "<unprintable>". Returns false if there is no memory. */
static bool put_text(struct buffer *out, PyObject *text)
{
    static const char unprintable[] = "<unprintable>";
    ps_auto PyObject *bytes =
        text ? PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace") : NULL;
    bool ok = !text || bytes || had_memory();

    if (bytes)
        brine_put_str(out, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    else
        brine_put_str(out, unprintable, sizeof(unprintable) - 1);
    PyErr_Clear();
    return ok;
}

/* Appends obj as a value, or its repr if it cannot be sent by value. Returns false if there is no
 * memory. */
static bool put_value(struct buffer *out, PyObject *obj)
{
    ps_auto PyObject *text = NULL;
    size_t start = out->len;
    bool ok;

    if (out->failed || ps_dump(out, obj) > 0)
        return !out->failed;
    ok = had_memory();
    PyErr_Clear();
    buffer_truncate(out, start);
    text = PyUnicode_CheckExact(obj) ? NULL : PyObject_Repr(obj);
    return put_text(out, text ? text : PyUnicode_CheckExact(obj) ? obj : NULL) && ok;
}

/* put_attribute_text appends str() of an attribute, such as the name of an exception's class.
 * put_args appends the args of an exception. Both return false if there is no memory. */

static bool put_attribute_text(struct buffer *out, PyObject *obj, PyObject *name)
{
    ps_auto PyObject *value = PyObject_GetAttr(obj, name);
    ps_auto PyObject *text = value ? PyObject_Str(value) : NULL;
    bool ok = had_memory();

    return put_text(out, text) && ok;
}

static bool put_args(struct buffer *out, PyObject *exc)
{
    ps_auto PyObject *args = PyObject_GetAttrString(exc, "args");
    ps_auto PyObject *tuple = args ? PySequence_Tuple(args) : NULL;
    Py_ssize_t i, n = tuple ? PyTuple_GET_SIZE(tuple) : 0;
    bool ok = had_memory();

    PyErr_Clear();
    brine_put_tuple(out, (size_t)n);
    for (i = 0; i < n; i++)
        ok = put_value(out, PyTuple_GET_ITEM(tuple, i)) && ok;
    return ok;
}

/* True if an attribute of an exception is sent. All public attributes are, except those that stock
 * rpyc leaves out. */
static bool is_sent(PyObject *name)
{
    const char *text = PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : NULL;

    PyErr_Clear();
    return text && text[0] != '_' && strcmp(text, "args") != 0 &&
           strcmp(text, "with_traceback") != 0;
}

/* Returns the result of dir() as a tuple: code that runs meanwhile could change a list. */
static PyObject *dir_of(PyObject *obj)
{
    ps_auto PyObject *list = PyObject_Dir(obj);

    return list ? PySequence_Tuple(list) : NULL;
}

/* Returns the public attributes as a tuple of (name, value): a new reference. NULL, without an
 * exception, if there is no memory. */
static PyObject *public_attributes(PyObject *exc)
{
    ps_auto PyObject *names = dir_of(exc), *list = PyList_New(0);
    PyObject *name, *tuple;
    Py_ssize_t i;

    PyErr_Clear();
    for (i = 0; names && list && i < PyTuple_GET_SIZE(names); i++) {
        name = PyTuple_GET_ITEM(names, i);
        ps_auto PyObject *value = is_sent(name) ? PyObject_GetAttr(exc, name) : NULL;
        ps_auto PyObject *pair = value ? PyTuple_Pack(2, name, value) : NULL;
        if (pair)
            PyList_Append(list, pair);
        PyErr_Clear();
    }
    tuple = list ? PyList_AsTuple(list) : NULL;
    PyErr_Clear();
    return tuple;
}

static void put_literal(struct buffer *out, const char *text)
{
    brine_put_str(out, text, strlen(text));
}

static void put_attributes(struct buffer *out, PyObject *exc, const char *version)
{
    ps_auto PyObject *pairs = public_attributes(exc);
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
    PyErr_Clear();
}

static void put_traceback(struct ps_state *state, struct buffer *out, PyObject *type, PyObject *exc,
                          PyObject *tb)
{
    ps_auto PyObject *lines = NULL, *empty = NULL, *text = NULL;

    lines =
        PyObject_CallFunctionObjArgs(state->format_exception, type, exc, tb ? tb : Py_None, NULL);
    empty = PyUnicode_FromString("");
    if (lines && empty)
        text = PyUnicode_Join(empty, lines);
    PyErr_Clear();
    if (!text)
        text = PyObject_Str(exc);
    put_text(out, text);
}

/* Appends an exception. Returns false if there is no memory. */
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

/* Appends a MemoryError. Needs no memory of Python, and few bytes in out. */
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
    ps_auto PyObject *type = NULL, *exc = NULL, *tb = NULL;
    size_t start = out->len;

    if (out->failed) { /* no memory even for the start of the message */
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
    PyErr_Clear();
}

/* ---- Receiving ------------------------------------------------------------------------------ */

/* Clears an exception that is not a MemoryError. */
static void clear_unless_no_memory(void)
{
    if (had_memory())
        PyErr_Clear();
}

/* Returns an exception class of this process by module and name: a new reference. Returns NULL
 * without an exception if there is no such class or the policy does not allow it, and NULL with
 * MemoryError if there is no memory. */
static PyObject *find_class(PyObject *module_name, PyObject *name,
                            const struct ps_vinegar_policy *policy)
{
    ps_auto PyObject *module = PyImport_GetModule(module_name), *cls = NULL;

    if (!module && !PyErr_Occurred() && policy->import)
        module = PyImport_Import(module_name);
    clear_unless_no_memory();
    if (!policy->instantiate && PyUnicode_CompareWithASCIIString(module_name, "builtins") != 0)
        Py_CLEAR(module);
    cls = module ? PyObject_GetAttr(module, name) : NULL;
    clear_unless_no_memory();
    return cls && PyExceptionClass_Check(cls) ? ps_steal(&cls) : NULL;
}

/* Returns the line that str() shows before a remote traceback, a new reference. The line contains a
 * number: 1 plus the number of such lines in the traceback. */
static PyObject *headline(PyObject *traceback)
{
    ps_auto PyObject *start = PyUnicode_FromString("\n\n========= Remote Traceback ");
    Py_ssize_t before = start ? PyUnicode_Count(traceback, start, 0, PY_SSIZE_T_MAX) : -1;

    return before >= 0 ? PyUnicode_FromFormat("%U(%zd) =========\n", start, before + 1) : NULL;
}

/* Returns base.__str__(exc), a new reference. Returns "<Unprintable exception>" if __str__ raises
 * an Exception or returns no str. Returns NULL if __str__ raises another BaseException, such as
 * KeyboardInterrupt. */
static PyObject *own_text(PyObject *base, PyObject *exc)
{
    ps_auto PyObject *text = PyObject_CallMethod(base, "__str__", "O", exc);

    if (text && PyUnicode_Check(text))
        return ps_steal(&text);
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception))
        return NULL;
    PyErr_Clear();
    return PyUnicode_FromString("<Unprintable exception>");
}

/* Implements __str__ and __repr__ of received exceptions: returns the text, and then the client's
 * traceback. A new reference. */
static PyObject *remote_text(PyObject *base, PyObject *exc)
{
    ps_auto PyObject *text = own_text(base, exc), *traceback = NULL, *line = NULL;

    if (!text)
        return NULL;
    traceback = PyObject_GetAttrString(exc, "_remote_tb");
    if (!traceback || !PyUnicode_Check(traceback)) {
        PyErr_Clear();
        return ps_steal(&text);
    }
    line = headline(traceback);
    return line ? PyUnicode_FromFormat("%U%U%U", text, line, traceback) : NULL;
}

static PyMethodDef remote_str_def = {"__str__", remote_text, METH_O, NULL};
static PyMethodDef remote_repr_def = {"__repr__", remote_text, METH_O, NULL};

static int add_method(PyObject *ns, PyMethodDef *def, PyObject *base)
{
    ps_auto PyObject *function = PyCFunction_New(def, base);
    ps_auto PyObject *method = function ? PyInstanceMethod_New(function) : NULL;

    return method ? PyDict_SetItemString(ns, def->ml_name, method) : -1;
}

/* Makes a subclass of base for received exceptions. A new reference. */
static PyObject *derive(PyObject *module_name, PyObject *name, PyObject *base)
{
    ps_auto PyObject *ns = Py_BuildValue("{sO}", "__module__", module_name);

    if (!ns || add_method(ns, &remote_str_def, base) < 0 ||
        add_method(ns, &remote_repr_def, base) < 0)
        return NULL;
    return PyObject_CallFunction((PyObject *)&PyType_Type, "O(O)O", name, base, ns);
}

/* Remembers the class that was made for `origin`: an exception class of this process, or the full
 * name of a class that this process does not have. Clients may name any number of classes, so when
 * the dict is full, it is emptied. */
static void remember(struct ps_state *state, PyObject *origin, PyObject *cls)
{
    if (PyDict_GET_SIZE(state->remote_classes) >= REMOTE_CLASSES_MAX)
        PyDict_Clear(state->remote_classes);
    PyDict_SetItem(state->remote_classes, origin, cls);
    PyErr_Clear();
}

/* Returns the class for received exceptions whose class is `base` in this process: a new reference.
 */
static PyObject *remote_class(struct ps_state *state, PyObject *module, PyObject *name,
                              PyObject *base)
{
    PyObject *cls = PyDict_GetItemWithError(state->remote_classes, base);

    if (cls)
        return ps_new_ref(cls);
    cls = PyErr_Occurred() ? NULL : derive(module, name, base);
    if (cls)
        remember(state, base, cls);
    return cls;
}

/* Returns the base of stand-in classes: a new reference. If the program has imported rpyc, it is
 * rpyc's GenericException, so that `except GenericException` works. */
static PyObject *stand_in_base(void)
{
    ps_auto PyObject *name = PyUnicode_FromString("rpyc.core.vinegar");
    ps_auto PyObject *module = name ? PyImport_GetModule(name) : NULL;
    ps_auto PyObject *base = module ? PyObject_GetAttrString(module, "GenericException") : NULL;

    PyErr_Clear();
    if (base && PyExceptionClass_Check(base))
        return ps_steal(&base);
    return ps_new_ref(PyExc_Exception);
}

/* Returns the stand-in for a class that this process does not have, with the names that stock rpyc
 * gives it: a new reference. */
static PyObject *stand_in_class(struct ps_state *state, PyObject *module, PyObject *name)
{
    ps_auto PyObject *full_name = PyUnicode_FromFormat("%U.%U", module, name);
    ps_auto PyObject *module_name = NULL, *base = NULL;
    PyObject *cls = full_name ? PyDict_GetItemWithError(state->remote_classes, full_name) : NULL;

    if (cls)
        return ps_new_ref(cls);
    if (!full_name || PyErr_Occurred())
        return NULL;
    module_name = PyUnicode_FromFormat("rpyc.core.vinegar/%U", module);
    base = stand_in_base();
    cls = module_name ? derive(module_name, full_name, base) : NULL;
    if (cls)
        remember(state, full_name, cls);
    return cls;
}

/* Sets the attributes of a received exception. An attribute that cannot be set is left out. */
static void set_attributes(PyObject *exc, PyObject *attributes)
{
    ps_auto PyObject *list = PySequence_Fast(attributes, "attributes");
    PyObject *pair;
    Py_ssize_t i;

    for (i = 0; list && i < PySequence_Fast_GET_SIZE(list); i++) {
        pair = PySequence_Fast_GET_ITEM(list, i);
        if (PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2 &&
            PyUnicode_Check(PyTuple_GET_ITEM(pair, 0)))
            PyObject_SetAttr(exc, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1));
        PyErr_Clear();
    }
    PyErr_Clear();
}

/* Makes an exception by cls.__new__(cls), since __init__ may require arguments. Returns NULL
 * without an exception if __new__ requires arguments, too, or makes an object that is not an
 * exception. Returns NULL with MemoryError if there is no memory. */
static PyObject *new_exception(PyObject *cls)
{
    PyObject *exc = PyObject_CallMethod(cls, "__new__", "O", cls);

    clear_unless_no_memory();
    if (exc && !PyExceptionInstance_Check(exc))
        Py_CLEAR(exc);
    return exc;
}

/* Makes an exception of a stand-in class. Clears the exception that is set. */
static PyObject *make_stand_in(struct ps_state *state, PyObject *module, PyObject *name)
{
    ps_auto PyObject *cls = NULL;

    PyErr_Clear();
    cls = stand_in_class(state, module, name);
    return cls ? new_exception(cls) : NULL;
}

/* Makes an exception for ps_vinegar_raise. For the class of the exception, see ps_vinegar_raise. */
static PyObject *make_exception(struct ps_state *state, PyObject *module, PyObject *name,
                                const struct ps_vinegar_policy *policy)
{
    ps_auto PyObject *base = find_class(module, name, policy);
    ps_auto PyObject *cls = base ? remote_class(state, module, name, base) : NULL;
    PyObject *exc = cls ? new_exception(cls) : NULL;

    return exc || !had_memory() ? exc : make_stand_in(state, module, name);
}

PyObject *ps_vinegar_new(struct ps_state *state, PyObject *module, PyObject *name,
                         const struct ps_vinegar_policy *policy)
{
    ps_auto PyObject *cls = find_class(module, name, policy);
    PyObject *exc = cls ? new_exception(cls) : NULL;

    return exc || !had_memory() ? exc : make_stand_in(state, module, name);
}

/* True if a value is a tuple of `length` items. */
static bool is_tuple(PyObject *value, Py_ssize_t length)
{
    return PyTuple_CheckExact(value) && PyTuple_GET_SIZE(value) == length;
}

/* True if a value is ((module, class name), args, attributes, traceback). */
static bool is_vinegar(PyObject *value)
{
    PyObject *cls = is_tuple(value, 4) ? PyTuple_GET_ITEM(value, 0) : NULL;

    return cls && is_tuple(cls, 2) && PyUnicode_Check(PyTuple_GET_ITEM(cls, 0)) &&
           PyUnicode_Check(PyTuple_GET_ITEM(cls, 1)) &&
           PyTuple_CheckExact(PyTuple_GET_ITEM(value, 1)) &&
           PyTuple_CheckExact(PyTuple_GET_ITEM(value, 2));
}

/* Raises the exception of a vinegar tuple. */
static void raise_tuple(struct ps_state *state, PyObject *vinegar,
                        const struct ps_vinegar_policy *policy)
{
    PyObject *cls = PyTuple_GET_ITEM(vinegar, 0);
    ps_auto PyObject *exc = NULL;

    exc = make_exception(state, PyTuple_GET_ITEM(cls, 0), PyTuple_GET_ITEM(cls, 1), policy);
    if (!exc) {
        if (!PyErr_Occurred())
            PyErr_NoMemory();
        return;
    }
    if (PyObject_SetAttrString(exc, "args", PyTuple_GET_ITEM(vinegar, 1)) < 0 && !had_memory())
        return;
    PyErr_Clear();
    set_attributes(exc, PyTuple_GET_ITEM(vinegar, 2));
    PyObject_SetAttrString(exc, "_remote_tb", PyTuple_GET_ITEM(vinegar, 3));
    PyErr_Clear();
    PyErr_SetObject((PyObject *)Py_TYPE(exc), exc);
}

void ps_vinegar_raise(struct ps_state *state, struct brine_reader *r,
                      const struct ps_vinegar_policy *policy)
{
    ps_auto PyObject *vinegar = ps_load(r);

    if (!vinegar)
        return;
    if (PyLong_Check(vinegar))
        PyErr_SetNone(PyExc_StopIteration);
    else if (is_vinegar(vinegar))
        raise_tuple(state, vinegar, policy);
    else if (PyUnicode_Check(vinegar))
        PyErr_SetObject(PyExc_RuntimeError, vinegar);
    else
        PyErr_SetString(PyExc_TypeError, "the client sent an exception in an unknown form");
}
