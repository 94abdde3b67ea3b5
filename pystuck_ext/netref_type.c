/* SPDX-License-Identifier: BSD-3-Clause */
#include "netref_type.h"

#include <stddef.h>
#include <structmember.h>

#include "call.h"
#include "class_lookup.h"
#include "connection_object.h"
#include "netref.h"
#include "pybrine.h"

/* ---- Requests for a netref ------------------------------------------------------------------- */

static PyObject *request0(PyObject *self, enum handler handler)
{
    ps_auto PyObject *args = PyTuple_Pack(1, self);

    return args ? ps_request(((struct ps_netref *)self)->session, handler, args) : NULL;
}

static PyObject *request1(PyObject *self, enum handler handler, PyObject *a)
{
    ps_auto PyObject *args = PyTuple_Pack(2, self, a);

    return args ? ps_request(((struct ps_netref *)self)->session, handler, args) : NULL;
}

static PyObject *request2(PyObject *self, enum handler handler, PyObject *a, PyObject *b)
{
    ps_auto PyObject *args = PyTuple_Pack(3, self, a, b);

    return args ? ps_request(((struct ps_netref *)self)->session, handler, args) : NULL;
}

/* Sends a request whose result must be a str. */
static PyObject *request_str(PyObject *self, enum handler handler)
{
    PyObject *result = request0(self, handler);

    if (result && !PyUnicode_Check(result)) {
        PyErr_Format(PyExc_TypeError, "the client replied with a %s instead of a str",
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
    ps_auto PyObject *result = request0(self, HANDLE_HASH);
    Py_hash_t hash = -1;

    if (result && PyLong_CheckExact(result)) /* if the result were a netref, its hash() would send
                                                another request, without end */
        hash = PyObject_Hash(result);
    else if (result)
        PyErr_SetString(PyExc_TypeError, "__hash__ method should return an integer");
    return hash;
}

static PyObject *netref_richcompare(PyObject *self, PyObject *other, int op)
{
    static const char *const names[] = {
        [Py_LT] = "__lt__", [Py_LE] = "__le__", [Py_EQ] = "__eq__",
        [Py_NE] = "__ne__", [Py_GT] = "__gt__", [Py_GE] = "__ge__",
    };
    ps_auto PyObject *name = PyUnicode_FromString(names[op]);

    return name ? request2(self, HANDLE_CMP, other, name) : NULL;
}

/* ---- Attributes ----------------------------------------------------------------------------- */

static PyObject *remote_getattr(PyObject *self, PyObject *name)
{
    return request1(self, HANDLE_GETATTR, name);
}

/* Returns __class__: the class of this process that has the name of the remote class, so that
 * isinstance() works. If there is no such class, returns the remote class. If the connection has
 * ended, returns the type of the netref, because callers of isinstance() do not expect an
 * exception. */
static PyObject *class_of(PyObject *self, PyObject *name)
{
    /* a reference: name may be an instance of a subclass of str, whose __eq__ may change the type
     * of self */
    ps_auto PyObject *type = ps_new_ref((PyObject *)Py_TYPE(self));
    PyObject *cls = ps_new_ref(PyDict_GetItemWithError(((PyTypeObject *)type)->tp_dict, name));

    if (!cls && !PyErr_Occurred())
        cls = remote_getattr(self, name);
    if (cls || !PyErr_ExceptionMatches(PyExc_EOFError))
        return cls;
    PyErr_Clear();
    return ps_new_ref((PyObject *)Py_TYPE(self));
}

/* Looks an attribute up in the netref, then in the remote object. */
static PyObject *local_getattr(PyObject *self, PyObject *name)
{
    PyObject *value = PyObject_GenericGetAttr(self, name);

    if (value || !PyErr_ExceptionMatches(PyExc_AttributeError))
        return value;
    if (PyUnicode_CompareWithASCIIString(name, "__array_struct__") == 0 ||
        PyUnicode_CompareWithASCIIString(name, "__array_interface__") == 0)
        return NULL; /* numpy would read this process's memory at addresses of the client's: rpyc
                        issue 236 */
    PyErr_Clear();
    return remote_getattr(self, name);
}

/* Checks that a name is a str, because __getattribute__ and __setattr__ of a type may be called
 * with any object. Returns 0, or -1 with an exception. */
static int check_name(PyObject *name)
{
    if (PyUnicode_Check(name))
        return 0;
    PyErr_Format(PyExc_TypeError, "attribute name must be string, not '%.200s'",
                 Py_TYPE(name)->tp_name);
    return -1;
}

/* Returns 1 if an attribute is looked up in the netref itself, 0 if not, -1 with an exception. */
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
        return remote_getattr(self, name); /* the netref's class has other values for these */
    if (PyUnicode_CompareWithASCIIString(name, "__class__") == 0)
        return class_of(self, name);
    return local_getattr(self, name);
}

static int netref_setattro(PyObject *self, PyObject *name, PyObject *value)
{
    int local = check_name(name) < 0 ? -1 : is_local_name(self, name);
    ps_auto PyObject *result = NULL;

    if (local < 0)
        return -1;
    if (local)
        return PyObject_GenericSetAttr(self, name, value);
    if (value)
        result = request2(self, HANDLE_SETATTR, name, value);
    else
        result = request1(self, HANDLE_DELATTR, name);
    return result ? 0 : -1;
}

/* ---- Methods that every netref has ---------------------------------------------------------- */

static PyObject *netref_dir(PyObject *self, PyObject *unused)
{
    ps_auto PyObject *names = request0(self, HANDLE_DIR);

    (void)unused;
    return names ? PySequence_List(names) : NULL;
}

static PyObject *netref_exit(PyObject *self, PyObject *args)
{
    PyObject *type, *value, *traceback;

    if (!PyArg_UnpackTuple(args, "__exit__", 3, 3, &type, &value, &traceback))
        return NULL;
    return request1(self, HANDLE_CTXEXIT, type); /* only the type, like stock rpyc */
}

static PyObject *netref_reduce_ex(PyObject *self, PyObject *protocol)
{
    ps_auto PyObject *bytes = request1(self, HANDLE_PICKLE, protocol);
    ps_auto PyObject *pickle = bytes ? PyImport_ImportModule("pickle") : NULL;
    ps_auto PyObject *loads = pickle ? PyObject_GetAttrString(pickle, "loads") : NULL;

    return loads ? Py_BuildValue("(O(O))", loads, bytes) : NULL;
}

/* Asks the client whether `other`, an object that has an id pack, is an instance of the class self.
 * First asks the client to call type(self).__instancecheck__(self, other). If the client does not
 * allow this call, sends INSTANCECHECK. Returns the answer, a new reference. */
static PyObject *ask_whether_instance(PyObject *self, PyObject *other)
{
    ps_auto PyObject *name = PyUnicode_FromString("__instancecheck__"), *pack = NULL;
    PyObject *result;
    struct ps_state *state = ((struct ps_netref *)self)->session->state;

    if (!name)
        return NULL;
    result = request2(self, HANDLE_CMP, other, name);
    if (result || !PyErr_ExceptionMatches(PyExc_AttributeError))
        return result;
    PyErr_Clear();
    pack = PyObject_GetAttr(other, state->names.id_pack);
    return pack ? request1(self, HANDLE_INSTANCECHECK, pack) : NULL;
}

/* Returns isinstance(other, self). If `other` is an object of this process, does not ask the
 * client, but checks whether `other` is an instance of the class of this process that has the same
 * name as the remote class. */
static PyObject *netref_instancecheck(PyObject *self, PyObject *other)
{
    struct ps_netref *ref = (struct ps_netref *)self;
    struct brine_reader r;
    ps_auto PyObject *cls = NULL;
    struct id_pack pack;
    int result;

    brine_read(&r, ref->pack, ref->pack_len);
    if (!id_pack_next(&r, &pack) || pack.instance_id != 0) {
        PyErr_SetString(PyExc_TypeError,
                        "isinstance() arg 2 must be a class, and this netref is not a class");
        return NULL;
    }
    if (ps_type_attribute(Py_TYPE(other), ref->session->state->names.id_pack))
        return ask_whether_instance(self, other);
    cls = ps_class_by_name(pack.name, pack.name_len);
    if (!cls)
        Py_RETURN_FALSE;
    result = PyObject_IsInstance(other, cls);
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

/* Returns ____conn__, the connection of the netref. rpyc's helpers in this process use this
 * attribute. */
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
    {Py_tp_doc, "A proxy for an object in the client's process."},
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
    return ps_make_type(module, &netref_spec);
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
    ps_auto PyObject *list = PyList_New(0);
    size_t i;

    for (i = 0; list && i < sizeof(names) / sizeof(*names); i++) {
        ps_auto PyObject *name = PyUnicode_InternFromString(names[i]);

        if (!name || PyList_Append(list, name) < 0)
            Py_CLEAR(list);
    }
    return list ? PyFrozenSet_New(list) : NULL;
}
