/* SPDX-License-Identifier: BSD-3-Clause */
#include "netref_type.h"

#include <stddef.h>
#include <structmember.h>

#include "call.h"
#include "class_lookup.h"
#include "connection_object.h"
#include "netref.h"
#include "pybrine.h"

/* ---- Requests on a netref ------------------------------------------------------------------- */

static PyObject *request0(PyObject *self, enum handler handler)
{
    PyObject *args = PyTuple_Pack(1, self), *result;

    if (!args)
        return NULL;
    result = ps_request(((struct ps_netref *)self)->session, handler, args);
    Py_DECREF(args);
    return result;
}

static PyObject *request1(PyObject *self, enum handler handler, PyObject *a)
{
    PyObject *args = PyTuple_Pack(2, self, a), *result;

    if (!args)
        return NULL;
    result = ps_request(((struct ps_netref *)self)->session, handler, args);
    Py_DECREF(args);
    return result;
}

static PyObject *request2(PyObject *self, enum handler handler, PyObject *a, PyObject *b)
{
    PyObject *args = PyTuple_Pack(3, self, a, b), *result;

    if (!args)
        return NULL;
    result = ps_request(((struct ps_netref *)self)->session, handler, args);
    Py_DECREF(args);
    return result;
}

/* A request whose result has to be a str. */
static PyObject *request_str(PyObject *self, enum handler handler)
{
    PyObject *result = request0(self, handler);

    if (result && !PyUnicode_Check(result)) {
        PyErr_Format(PyExc_TypeError, "the other side answered with a %s instead of a str",
                     Py_TYPE(result)->tp_name);
        Py_CLEAR(result);
    }
    return result;
}

static PyObject *netref_repr(PyObject *self)
{
    return request_str(self, HANDLE_REPR);
}

static PyObject *netref_str(PyObject *self)
{
    return request_str(self, HANDLE_STR);
}

static Py_hash_t netref_hash(PyObject *self)
{
    PyObject *result = request0(self, HANDLE_HASH);
    Py_hash_t hash = -1;

    if (result && PyLong_CheckExact(result)) /* a netref would ask again, and so on */
        hash = PyObject_Hash(result);
    else if (result)
        PyErr_SetString(PyExc_TypeError, "__hash__ method should return an integer");
    Py_XDECREF(result);
    return hash;
}

static PyObject *netref_richcompare(PyObject *self, PyObject *other, int op)
{
    static const char *const names[] = {
        [Py_LT] = "__lt__", [Py_LE] = "__le__", [Py_EQ] = "__eq__",
        [Py_NE] = "__ne__", [Py_GT] = "__gt__", [Py_GE] = "__ge__",
    };
    PyObject *name = PyUnicode_FromString(names[op]), *result;

    if (!name)
        return NULL;
    result = request2(self, HANDLE_CMP, other, name);
    Py_DECREF(name);
    return result;
}

/* ---- Attributes ----------------------------------------------------------------------------- */

static PyObject *remote_getattr(PyObject *self, PyObject *name)
{
    return request1(self, HANDLE_GETATTR, name);
}

/* __class__: the class of the same name here, where there is one, so that isinstance() sees it. Of
 * a client that is gone it is the netref's: isinstance() is asked of anything, and not prepared for
 * an exception. */
static PyObject *class_of(PyObject *self, PyObject *name)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject *cls;

    Py_INCREF(type); /* name may be a str with an __eq__ that sets another one */
    cls = PyDict_GetItemWithError(type->tp_dict, name);
    Py_XINCREF(cls);
    Py_DECREF(type);
    if (!cls && !PyErr_Occurred())
        cls = remote_getattr(self, name);
    if (cls || !PyErr_ExceptionMatches(PyExc_EOFError))
        return cls;
    PyErr_Clear();
    Py_INCREF(Py_TYPE(self));
    return (PyObject *)Py_TYPE(self);
}

/* What the type has here, else what the object has there. */
static PyObject *local_getattr(PyObject *self, PyObject *name)
{
    PyObject *value = PyObject_GenericGetAttr(self, name);

    if (value || !PyErr_ExceptionMatches(PyExc_AttributeError))
        return value;
    if (PyUnicode_CompareWithASCIIString(name, "__array_struct__") == 0 ||
        PyUnicode_CompareWithASCIIString(name, "__array_interface__") == 0)
        return NULL; /* numpy would read memory of the other process; see rpyc issue 236 */
    PyErr_Clear();
    return remote_getattr(self, name);
}

/* A type's __getattribute__ and __setattr__ may be called with anything. */
static int check_name(PyObject *name)
{
    if (PyUnicode_Check(name))
        return 0;
    PyErr_Format(PyExc_TypeError, "attribute name must be string, not '%.200s'",
                 Py_TYPE(name)->tp_name);
    return -1;
}

/* Whether a name is looked up here: 1, 0, or -1 with an exception. */
static int is_local_name(PyObject *self, PyObject *name)
{
    struct ps_state *state = ((struct ps_netref *)self)->session->state;

    if (PyUnicode_CompareWithASCIIString(name, "__call__") == 0 ||
        PyUnicode_CompareWithASCIIString(name, "__array__") == 0)
        return 1;
    return PySet_Contains(state->local_names, name);
}

static PyObject *netref_getattro(PyObject *self, PyObject *name)
{
    int local = check_name(name) < 0 ? -1 : is_local_name(self, name);

    if (local < 0)
        return NULL;
    if (!local || PyUnicode_CompareWithASCIIString(name, "__doc__") == 0 ||
        PyUnicode_CompareWithASCIIString(name, "__module__") == 0)
        return remote_getattr(self, name); /* what the class here has is its own */
    if (PyUnicode_CompareWithASCIIString(name, "__class__") == 0)
        return class_of(self, name);
    return local_getattr(self, name);
}

static int netref_setattro(PyObject *self, PyObject *name, PyObject *value)
{
    int local = check_name(name) < 0 ? -1 : is_local_name(self, name);
    PyObject *result;

    if (local < 0)
        return -1;
    if (local)
        return PyObject_GenericSetAttr(self, name, value);
    if (value)
        result = request2(self, HANDLE_SETATTR, name, value);
    else
        result = request1(self, HANDLE_DELATTR, name);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* ---- Methods that every netref has ---------------------------------------------------------- */

static PyObject *netref_dir(PyObject *self, PyObject *unused)
{
    PyObject *names = request0(self, HANDLE_DIR), *list;

    (void)unused;
    if (!names)
        return NULL;
    list = PySequence_List(names);
    Py_DECREF(names);
    return list;
}

static PyObject *netref_exit(PyObject *self, PyObject *args)
{
    PyObject *type, *value, *traceback;

    if (!PyArg_UnpackTuple(args, "__exit__", 3, 3, &type, &value, &traceback))
        return NULL;
    return request1(self, HANDLE_CTXEXIT, type); /* all that stock clients send */
}

static PyObject *netref_reduce_ex(PyObject *self, PyObject *protocol)
{
    PyObject *bytes = request1(self, HANDLE_PICKLE, protocol), *pickle, *loads;

    if (!bytes)
        return NULL;
    pickle = PyImport_ImportModule("pickle");
    loads = pickle ? PyObject_GetAttrString(pickle, "loads") : NULL;
    Py_XDECREF(pickle);
    if (!loads) {
        Py_DECREF(bytes);
        return NULL;
    }
    return Py_BuildValue("(N(N))", loads, bytes);
}

/* Whether an object that has an id pack is an instance of the class self, as the class itself says:
 * type(self).__instancecheck__(self, other). Where the client does not allow that, by its
 * INSTANCECHECK. */
static PyObject *ask_whether_instance(PyObject *self, PyObject *other)
{
    PyObject *name = PyUnicode_FromString("__instancecheck__"), *result, *pack;
    struct ps_state *state = ((struct ps_netref *)self)->session->state;

    if (!name)
        return NULL;
    result = request2(self, HANDLE_CMP, other, name);
    Py_DECREF(name);
    if (result || !PyErr_ExceptionMatches(PyExc_AttributeError))
        return result;
    PyErr_Clear();
    pack = PyObject_GetAttr(other, state->names.id_pack);
    result = pack ? request1(self, HANDLE_INSTANCECHECK, pack) : NULL;
    Py_XDECREF(pack);
    return result;
}

/* isinstance(other, self). What lives here is an instance if the class of the same name here says
 * so; there is nothing that the client could say of it. */
static PyObject *netref_instancecheck(PyObject *self, PyObject *other)
{
    struct ps_netref *ref = (struct ps_netref *)self;
    struct brine_reader r;
    struct id_pack pack;
    PyObject *cls;
    int result;

    brine_read(&r, ref->pack, ref->pack_len);
    if (!id_pack_next(&r, &pack) || pack.instance_id != 0) {
        PyErr_SetString(PyExc_TypeError, "isinstance() arg 2 must be a class of the client's");
        return NULL;
    }
    if (ps_type_attribute(Py_TYPE(other), ref->session->state->names.id_pack))
        return ask_whether_instance(self, other);
    cls = ps_class_by_name(pack.name, pack.name_len);
    if (!cls)
        Py_RETURN_FALSE;
    result = PyObject_IsInstance(other, cls);
    Py_DECREF(cls);
    return result < 0 ? NULL : PyBool_FromLong(result);
}

static PyMethodDef netref_methods[] = {
    {"__dir__", netref_dir, METH_NOARGS, NULL},
    {"__exit__", netref_exit, METH_VARARGS, NULL},
    {"__instancecheck__", netref_instancecheck, METH_O, NULL},
    {"__reduce_ex__", netref_reduce_ex, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyObject *netref_id_pack(PyObject *self, void *unused)
{
    struct ps_netref *ref = (struct ps_netref *)self;
    struct brine_reader r;

    (void)unused;
    brine_read(&r, ref->pack, ref->pack_len);
    return ps_load(&r);
}

/* The connection that it came from, as rpyc's own helpers in this process ask for it. */
static PyObject *netref_conn(PyObject *self, void *unused)
{
    (void)unused;
    return ps_connection_get(((struct ps_netref *)self)->session);
}

static PyGetSetDef netref_getset[] = {
    {"____conn__", netref_conn, NULL, NULL, NULL},
    {"____id_pack__", netref_id_pack, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef netref_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(struct ps_netref, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot netref_slots[] = {
    {Py_tp_doc, "An object in the process of the client."},
    {Py_tp_dealloc, ps_netref_dealloc},
    {Py_tp_repr, netref_repr},
    {Py_tp_str, netref_str},
    {Py_tp_hash, netref_hash},
    {Py_tp_richcompare, netref_richcompare},
    {Py_tp_getattro, netref_getattro},
    {Py_tp_setattro, netref_setattro},
    {Py_tp_methods, netref_methods},
    {Py_tp_getset, netref_getset},
    {Py_tp_members, netref_members},
    {0, NULL},
};

static PyType_Spec netref_spec = {
    .name = "_pystuck.Netref",
    .basicsize = sizeof(struct ps_netref),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = netref_slots,
};

PyTypeObject *ps_netref_make_type(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &netref_spec, NULL);

    if (type)
        ((PyTypeObject *)type)->tp_new = NULL; /* made by ps_netref_new alone */
    return (PyTypeObject *)type;
}

PyObject *ps_netref_local_names(void)
{
    static const char *const names[] = {
        "____conn__",
        "____id_pack__",
        "____refcount__",
        "__class__",
        "__cmp__",
        "__del__",
        "__delattr__",
        "__dir__",
        "__doc__",
        "__getattr__",
        "__getattribute__",
        "__hash__",
        "__instancecheck__",
        "__init__",
        "__metaclass__",
        "__module__",
        "__new__",
        "__reduce__",
        "__reduce_ex__",
        "__repr__",
        "__setattr__",
        "__slots__",
        "__str__",
        "__weakref__",
        "__dict__",
        "__methods__",
        "__exit__",
        "__eq__",
        "__ne__",
        "__lt__",
        "__gt__",
        "__le__",
        "__ge__",
        "__array_struct__",
        "__array_interface__",
    };
    PyObject *list = PyList_New(0), *name, *set;
    size_t i;

    for (i = 0; list && i < sizeof(names) / sizeof(*names); i++) {
        name = PyUnicode_InternFromString(names[i]);
        if (!name || PyList_Append(list, name) < 0)
            Py_CLEAR(list);
        Py_XDECREF(name);
    }
    set = list ? PyFrozenSet_New(list) : NULL;
    Py_XDECREF(list);
    return set;
}
