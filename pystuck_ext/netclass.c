/* SPDX-License-Identifier: BSD-3-Clause */
#include "netclass.h"

#include "box.h"
#include "call.h"
#include "class_lookup.h"
#include "connection_config.h"
#include "netref.h"

/* The maximum number of classes that a session remembers. A client may have any number of classes.
 */
#define CLASSES_MAX 500

/* ---- Classes of netrefs --------------------------------------------------------------------- */

/* Calls a method of the remote object, or the object itself if the name is __call__. Returns the
 * result, a new reference. */
static PyObject *send_call(PyObject *self, PyObject *name, PyObject *args, PyObject *kwargs)
{
    bool call = PyUnicode_CompareWithASCIIString(name, "__call__") == 0;
    ps_auto PyObject *request = NULL;

    if (call)
        request = PyTuple_Pack(3, self, args, kwargs);
    else
        request = PyTuple_Pack(4, self, name, args, kwargs);
    if (!request)
        return NULL;
    return ps_request(((struct ps_netref *)self)->session, call ? HANDLE_CALL : HANDLE_CALLATTR,
                      request);
}

/* Converts keyword arguments to a tuple of pairs (name, value), as messages contain them. A new
 * reference. */
static PyObject *pairs_of(PyObject *kwargs)
{
    ps_auto PyObject *items = kwargs ? PyDict_Items(kwargs) : PyList_New(0);

    return items ? PyList_AsTuple(items) : NULL;
}

/* Returns the first argument of a method, a borrowed reference. Returns NULL with an exception if
 * this argument is not a netref. */
static PyObject *self_of(PyObject *name, PyObject *args)
{
    PyObject *self = PyTuple_GET_SIZE(args) > 0 ? PyTuple_GET_ITEM(args, 0) : NULL;

    if (self && ps_is_netref(self))
        return self;
    return PyErr_Format(PyExc_TypeError, "%U() must be called on a netref", name);
}

/* Implements the methods of classes of netrefs: name(netref, *args, **kwargs) calls the remote
 * method. */
static PyObject *call_method(PyObject *name, PyObject *args, PyObject *kwargs)
{
    ps_auto PyObject *rest = NULL, *pairs = NULL;
    PyObject *self = self_of(name, args);

    if (!self)
        return NULL;
    rest = PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args));
    pairs = pairs_of(kwargs);
    return rest && pairs ? send_call(self, name, rest, pairs) : NULL;
}

/* Returns a copy of the remote object, by pickle: a new reference. Unpickling data of a client can
 * run any code, so allow_pickle must be set. */
static PyObject *copy_here(PyObject *self)
{
    struct ps_session *s = ((struct ps_netref *)self)->session;
    ps_auto PyObject *request = NULL, *bytes = NULL, *pickle = NULL;

    if (!ps_session_allows(s, "allow_pickle")) {
        PyErr_SetString(PyExc_ValueError, "pickling is disabled");
        return NULL;
    }
    request = Py_BuildValue("(Oi)", self, -1);
    bytes = request ? ps_request(s, HANDLE_PICKLE, request) : NULL;
    pickle = bytes ? PyImport_ImportModule("pickle") : NULL;
    return pickle ? PyObject_CallMethod(pickle, "loads", "O", bytes) : NULL;
}

/* Implements __array__, which numpy calls to get an array. numpy needs an array of this process,
 * not a netref, so this function copies the remote object and calls __array__ of the copy. */
static PyObject *call_array(PyObject *name, PyObject *args, PyObject *kwargs)
{
    ps_auto PyObject *rest = NULL, *copy = NULL, *method = NULL;
    PyObject *self = self_of(name, args);

    if (!self)
        return NULL;
    copy = copy_here(self);
    rest = copy ? PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args)) : NULL;
    if (rest)
        method = PyObject_GetAttr(copy, name);
    return method ? PyObject_Call(method, rest, kwargs) : NULL;
}

static PyMethodDef call_array_def = {"remote_array", (PyCFunction)(void (*)(void))call_array,
                                     METH_VARARGS | METH_KEYWORDS, NULL};
static PyMethodDef call_method_def = {"remote_method", (PyCFunction)(void (*)(void))call_method,
                                      METH_VARARGS | METH_KEYWORDS, NULL};

/* Adds one method to the namespace of a class, unless the name is one of ps_netref_local_names().
 */
static int add_method(struct ps_state *state, PyObject *ns, PyObject *name)
{
    int local = PySet_Contains(state->local_names, name);
    bool array = PyUnicode_CompareWithASCIIString(name, "__array__") == 0;
    ps_auto PyObject *function = NULL, *method = NULL;

    if (local != 0)
        return local < 0 ? -1 : 0;
    function = PyCFunction_New(array ? &call_array_def : &call_method_def, name);
    method = function ? PyInstanceMethod_New(function) : NULL;
    return method ? PyDict_SetItem(ns, name, method) : -1;
}

/* Adds to ns the methods that the client has listed in its reply to INSPECT. listing: the client's
 * reply, a tuple of pairs (name, docstring). */
static int add_methods(struct ps_state *state, PyObject *ns, PyObject *listing)
{
    PyObject *pair;
    Py_ssize_t i;

    if (!PyTuple_Check(listing)) {
        PyErr_SetString(PyExc_TypeError, "the client's reply to INSPECT is not a tuple");
        return -1;
    }
    for (i = 0; i < PyTuple_GET_SIZE(listing); i++) {
        pair = PyTuple_GET_ITEM(listing, i);
        if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2 ||
            !PyUnicode_Check(PyTuple_GET_ITEM(pair, 0))) {
            PyErr_SetString(PyExc_TypeError,
                            "the client's reply to INSPECT is not a tuple of (name, docstring)");
            return -1;
        }
        if (add_method(state, ns, PyTuple_GET_ITEM(pair, 0)) < 0)
            return -1;
    }
    return 0;
}

/* Adds __class__ to ns, the namespace of a class of netrefs. C is the class of this process that
 * has the name in the id pack. For netrefs of classes, __class__ is the type of C, or `type` if
 * there is no C. For netrefs of other objects, __class__ is C. If there is no C, but the name is
 * that of a module, __class__ is the class of modules. If the name is not that of a module either,
 * __class__ is not added.
 */
static int add_class(struct ps_state *state, PyObject *ns, const struct id_pack *pack)
{
    ps_auto PyObject *cls = ps_class_by_name(pack->name, pack->name_len);
    PyObject *shown = cls;

    if (pack->instance_id == 0)
        shown = cls ? (PyObject *)Py_TYPE(cls) : (PyObject *)&PyType_Type;
    else if (!cls && ps_is_module_name(pack->name, pack->name_len))
        shown = (PyObject *)&PyModule_Type;
    return shown ? PyDict_SetItem(ns, state->names.dunder_class, shown) : 0;
}

/* Makes the class of the netrefs for an id pack, with the listed methods. A new reference. */
static PyObject *make_class(struct ps_session *s, const struct id_pack *pack, PyObject *listing)
{
    ps_auto PyObject *ns = Py_BuildValue("{O()Os}", s->state->names.dunder_slots,
                                         s->state->names.dunder_module, "_pystuck");

    if (!ns || add_methods(s->state, ns, listing) < 0 || add_class(s->state, ns, pack) < 0)
        return NULL;
    return PyObject_CallFunction((PyObject *)&PyType_Type, "s#(O)O", pack->name,
                                 (Py_ssize_t)pack->name_len, s->state->netref_type, ns);
}

/* Asks the client for the methods of the object that an id pack names. A new reference. */
static PyObject *ask_for_methods(struct ps_session *s, const struct id_pack *pack)
{
    ps_auto PyObject *value = NULL, *args = NULL;
    struct brine_reader r;

    brine_read(&r, pack->raw, pack->raw_len);
    value = ps_load(&r);
    args = value ? PyTuple_Pack(1, value) : NULL;
    return args ? ps_request_value(s, HANDLE_INSPECT, args) : NULL;
}

/* Returns the key of a class in s->classes. The key consists of the class id, a flag that is 1 if
 * the id pack names the class itself, and the name. A new reference. */
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

/* Remembers the class of a netref for later netrefs with the same key. If there are too many
 * classes, forgets the oldest class, which is freed as soon as it has no instances. */
static int remember_class(PyObject *classes, PyObject *key, PyObject *cls)
{
    PyObject *first, *unused;
    Py_ssize_t pos = 0;

    if (PyDict_GET_SIZE(classes) >= CLASSES_MAX && PyDict_Next(classes, &pos, &first, &unused)) {
        ps_auto PyObject *oldest = ps_new_ref(first);

        PyDict_DelItem(classes, oldest);
    }
    return PyDict_SetItem(classes, key, cls);
}

/* Returns the dict of the classes that a session remembers: a new reference. After the end of the
 * session, returns a new dict that the session does not keep. */
static PyObject *classes_of(struct ps_session *s)
{
    PyObject *made;

    if (!s->classes) {
        made = PyDict_New();
        if (s->ended || s->classes)
            return made;
        s->classes = made;
    }
    return ps_new_ref(s->classes);
}

/* Returns the class of the netref for an id pack. If the session does not remember this class, asks
 * the client for the methods of the object and makes the class. A new reference, or NULL with an
 * exception. */
static PyObject *class_for(struct ps_session *s, const struct id_pack *pack)
{
    ps_auto PyObject *classes = classes_of(s), *key = class_key(pack), *listing = NULL, *cls = NULL;

    if (!classes || !key)
        return NULL;
    cls = ps_new_ref(PyDict_GetItemWithError(classes, key));
    if (cls || PyErr_Occurred())
        return ps_steal(&cls);
    listing = ask_for_methods(s, pack);
    cls = listing ? make_class(s, pack, listing) : NULL;
    if (cls && remember_class(classes, key, cls) < 0)
        return NULL;
    return ps_steal(&cls);
}

PyObject *ps_netref_resolve(struct ps_session *s, const struct id_pack *pack)
{
    PyObject *netref = ps_netref_known(s, pack);
    ps_auto PyObject *cls = NULL;

    if (netref)
        return netref;
    cls = class_for(s, pack);
    netref = ps_netref_known(s, pack); /* another thread may have made it meanwhile */
    if (netref)
        PyErr_Clear();
    else if (cls)
        netref = ps_netref_new(s, (PyTypeObject *)cls, pack);
    if (!netref)
        releases_add(&s->releases, pack->raw, pack->raw_len, 1, 0);
    return netref;
}
