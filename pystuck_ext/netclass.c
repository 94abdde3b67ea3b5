/* SPDX-License-Identifier: BSD-3-Clause */
#include "netclass.h"

#if PY_VERSION_HEX < 0x030b0000 /* Python.h has PyFrame_Type from then on */
#include <frameobject.h>
#endif

#include "call.h"
#include "box.h"
#include "policy.h"
#include "docstring.h"
#include "netref.h"

/* How many classes a session remembers. A client may make any number of them. */
#define CLASSES_MAX 500

/* ---- Classes of netrefs --------------------------------------------------------------------- */

/* Sends a call of the method `name`, which is __call__ for the object itself. */
static PyObject *send_call(PyObject *self, PyObject *name, PyObject *args, PyObject *kwargs)
{
    bool call = PyUnicode_CompareWithASCIIString(name, "__call__") == 0;
    PyObject *request, *result;

    if (call)
        request = PyTuple_Pack(3, self, args, kwargs);
    else
        request = PyTuple_Pack(4, self, name, args, kwargs);
    if (!request)
        return NULL;
    result = ps_request(((struct ps_netref *)self)->session, call ? HANDLE_CALL : HANDLE_CALLATTR,
                        request);
    Py_DECREF(request);
    return result;
}

/* Keyword arguments as the wire has them: a tuple of (name, value). */
static PyObject *pairs_of(PyObject *kwargs)
{
    PyObject *items = kwargs ? PyDict_Items(kwargs) : PyList_New(0), *pairs;

    if (!items)
        return NULL;
    pairs = PyList_AsTuple(items);
    Py_DECREF(items);
    return pairs;
}

/* The netref that a method of its class is called on; NULL with an exception if there is none. */
static PyObject *self_of(PyObject *name, PyObject *args)
{
    PyObject *self = PyTuple_GET_SIZE(args) > 0 ? PyTuple_GET_ITEM(args, 0) : NULL;

    if (self && ps_is_netref(self))
        return self;
    return PyErr_Format(PyExc_TypeError, "%U() is a method of a netref", name);
}

/* A method of a netref's class: name(netref, *args, **kwargs), which calls the remote one. */
static PyObject *call_method(PyObject *name, PyObject *args, PyObject *kwargs)
{
    PyObject *self = self_of(name, args), *rest, *pairs, *result = NULL;

    if (!self)
        return NULL;
    rest = PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args));
    pairs = pairs_of(kwargs);
    if (rest && pairs)
        result = send_call(self, name, rest, pairs);
    Py_XDECREF(rest);
    Py_XDECREF(pairs);
    return result;
}

/* A copy of what a netref stands for. The client's word is not unpickled unless that is allowed. */
static PyObject *copy_here(PyObject *self)
{
    struct ps_session *s = ((struct ps_netref *)self)->session;
    PyObject *request, *bytes, *pickle, *copy = NULL;

    if (!ps_session_allows(s, "allow_pickle")) {
        PyErr_SetString(PyExc_ValueError, "pickling is disabled");
        return NULL;
    }
    request = Py_BuildValue("(Oi)", self, -1);
    bytes = request ? ps_request(s, HANDLE_PICKLE, request) : NULL;
    pickle = bytes ? PyImport_ImportModule("pickle") : NULL;
    if (pickle)
        copy = PyObject_CallMethod(pickle, "loads", "O", bytes);
    Py_XDECREF(pickle);
    Py_XDECREF(bytes);
    Py_XDECREF(request);
    return copy;
}

/* __array__, by which numpy asks for an array: a netref to one would not do. */
static PyObject *call_array(PyObject *name, PyObject *args, PyObject *kwargs)
{
    PyObject *self = self_of(name, args), *rest, *copy, *method = NULL, *array = NULL;

    if (!self)
        return NULL;
    copy = copy_here(self);
    rest = copy ? PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args)) : NULL;
    if (rest)
        method = PyObject_GetAttr(copy, name);
    if (method)
        array = PyObject_Call(method, rest, kwargs);
    Py_XDECREF(method);
    Py_XDECREF(rest);
    Py_XDECREF(copy);
    return array;
}

static PyMethodDef call_array_def = {"remote_array", (PyCFunction)(void (*)(void))call_array,
                                     METH_VARARGS | METH_KEYWORDS, NULL};
static PyMethodDef call_method_def = {"remote_method", (PyCFunction)(void (*)(void))call_method,
                                      METH_VARARGS | METH_KEYWORDS, NULL};

/* Puts one method into a class's namespace, unless netrefs have one of that name of their own. */
static int add_method(struct ps_state *state, PyObject *ns, PyObject *name)
{
    int local = PySet_Contains(state->local_names, name), result;
    bool array = PyUnicode_CompareWithASCIIString(name, "__array__") == 0;
    PyObject *function, *method;

    if (local != 0)
        return local < 0 ? -1 : 0;
    function = PyCFunction_New(array ? &call_array_def : &call_method_def, name);
    method = function ? PyInstanceMethod_New(function) : NULL;
    result = method ? PyDict_SetItem(ns, name, method) : -1;
    Py_XDECREF(function);
    Py_XDECREF(method);
    return result;
}

/* Adds what an answer to INSPECT lists: a tuple of (name, docstring). */
static int add_methods(struct ps_state *state, PyObject *ns, PyObject *listing)
{
    PyObject *pair;
    Py_ssize_t i;

    if (!PyTuple_Check(listing)) {
        PyErr_SetString(PyExc_TypeError, "the answer to INSPECT is not a tuple");
        return -1;
    }
    for (i = 0; i < PyTuple_GET_SIZE(listing); i++) {
        pair = PyTuple_GET_ITEM(listing, i);
        if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2 ||
            !PyUnicode_Check(PyTuple_GET_ITEM(pair, 0))) {
            PyErr_SetString(PyExc_TypeError, "the answer to INSPECT is not one of names");
            return -1;
        }
        if (add_method(state, ns, PyTuple_GET_ITEM(pair, 0)) < 0)
            return -1;
    }
    return 0;
}

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

/* Whether a name is that of a module here. */
static bool is_module(const char *name, size_t len)
{
    PyObject *text = PyUnicode_DecodeUTF8(name, (Py_ssize_t)len, "replace");
    PyObject *module = text ? find_module(text) : NULL;
    bool found = module != NULL;

    PyErr_Clear();
    Py_XDECREF(module);
    Py_XDECREF(text);
    return found;
}

/* Gives a class's namespace the __class__ that its instances show: the one of the same name here.
 * A class that is not known here is still a type, and what has the name of a module a module. */
static int add_class(struct ps_state *state, PyObject *ns, const struct id_pack *pack)
{
    PyObject *cls = ps_class_by_name(pack->name, pack->name_len), *shown = cls;
    int result;

    if (pack->instance_id == 0)
        shown = cls ? (PyObject *)Py_TYPE(cls) : (PyObject *)&PyType_Type;
    else if (!cls && is_module(pack->name, pack->name_len))
        shown = (PyObject *)&PyModule_Type;
    result = shown ? PyDict_SetItem(ns, state->names.dunder_class, shown) : 0;
    Py_XDECREF(cls);
    return result;
}

/* A new class for what an id pack names, with the methods listed. */
static PyObject *make_class(struct ps_session *s, const struct id_pack *pack, PyObject *listing)
{
    PyObject *ns = Py_BuildValue("{O()Os}", s->state->names.dunder_slots,
                                 s->state->names.dunder_module, "_pystuck"),
             *cls = NULL;

    if (ns && add_methods(s->state, ns, listing) == 0 && add_class(s->state, ns, pack) == 0)
        cls = PyObject_CallFunction((PyObject *)&PyType_Type, "s#(O)O", pack->name,
                                    (Py_ssize_t)pack->name_len, s->state->netref_type, ns);
    Py_XDECREF(ns);
    return cls;
}

/* Asks the client for the methods of what an id pack names. */
static PyObject *ask_for_methods(struct ps_session *s, const struct id_pack *pack)
{
    struct brine_reader r;
    PyObject *value, *args, *listing;

    brine_read(&r, pack->raw, pack->raw_len);
    value = ps_load(&r);
    args = value ? PyTuple_Pack(1, value) : NULL;
    listing = args ? ps_request_value(s, HANDLE_INSPECT, args) : NULL;
    Py_XDECREF(value);
    Py_XDECREF(args);
    return listing;
}

/* What tells the classes of a session apart: the name, the class id, and whether it is the class
 * itself. */
static PyObject *class_key(const struct id_pack *pack)
{
    PyObject *key = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(9 + pack->name_len));
    char *p;

    if (!key)
        return NULL;
    p = PyBytes_AS_STRING(key);
    memcpy(p, &pack->class_id, 8);
    p[8] = pack->instance_id == 0;
    memcpy(p + 9, pack->name, pack->name_len);
    return key;
}

/* Remembers a class for the client's next object of it, in place of the one that has been there for
 * the longest where there are many. That one goes on as long as it has instances. */
static int remember_class(PyObject *classes, PyObject *key, PyObject *cls)
{
    PyObject *oldest, *unused;
    Py_ssize_t pos = 0;

    if (PyDict_GET_SIZE(classes) >= CLASSES_MAX && PyDict_Next(classes, &pos, &oldest, &unused)) {
        Py_INCREF(oldest);
        PyDict_DelItem(classes, oldest);
        Py_DECREF(oldest);
    }
    return PyDict_SetItem(classes, key, cls);
}

/* The classes that a session remembers: a new reference. Until its end it keeps them too. */
static PyObject *classes_of(struct ps_session *s)
{
    PyObject *made;

    if (!s->classes) {
        made = PyDict_New();
        if (s->ended || s->classes)
            return made;
        s->classes = made;
    }
    Py_XINCREF(s->classes);
    return s->classes;
}

PyObject *ps_netclass_for(struct ps_session *s, const struct id_pack *pack)
{
    PyObject *classes = classes_of(s), *key = class_key(pack), *cls = NULL, *listing;

    if (classes && key)
        cls = PyDict_GetItemWithError(classes, key);
    Py_XINCREF(cls);
    if (!cls && !PyErr_Occurred()) {
        listing = ask_for_methods(s, pack);
        cls = listing ? make_class(s, pack, listing) : NULL;
        Py_XDECREF(listing);
        if (cls && remember_class(classes, key, cls) < 0)
            Py_CLEAR(cls);
    }
    Py_XDECREF(key);
    Py_XDECREF(classes);
    return cls;
}

/* ---- Answering INSPECT ---------------------------------------------------------------------- */

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
