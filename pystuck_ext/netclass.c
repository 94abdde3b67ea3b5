/* SPDX-License-Identifier: BSD-3-Clause */
#include "netclass.h"

#include "box.h"
#include "call.h"
#include "class_lookup.h"
#include "policy.h"
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

/* Gives a class's namespace the __class__ that its instances show: the one of the same name here.
 * A class that is not known here is still a type, and what has the name of a module a module. */
static int add_class(struct ps_state *state, PyObject *ns, const struct id_pack *pack)
{
    PyObject *cls = ps_class_by_name(pack->name, pack->name_len), *shown = cls;
    int result;

    if (pack->instance_id == 0)
        shown = cls ? (PyObject *)Py_TYPE(cls) : (PyObject *)&PyType_Type;
    else if (!cls && ps_is_module_name(pack->name, pack->name_len))
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

/* Returns the class of the netref for an id pack: the session remembers it, or the client is asked
 * for its methods. A new reference, or NULL with an exception. */
static PyObject *class_for(struct ps_session *s, const struct id_pack *pack)
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

PyObject *ps_netref_resolve(struct ps_session *s, const struct id_pack *pack)
{
    PyObject *netref = ps_netref_known(s, pack), *cls;

    if (netref)
        return netref;
    cls = class_for(s, pack);
    netref = ps_netref_known(s, pack); /* another thread may have been faster while we asked */
    if (netref)
        PyErr_Clear();
    else if (cls)
        netref = ps_netref_new(s, (PyTypeObject *)cls, pack);
    Py_XDECREF(cls);
    if (!netref)
        releases_add(&s->releases, pack->raw, pack->raw_len, 1, 0);
    return netref;
}
