/* SPDX-License-Identifier: BSD-3-Clause */
#include "box.h"

#include "connection_config.h"
#include "netref.h"

/* ---- Id packs ------------------------------------------------------------------------------- */

/* Returns the __module__ of a class, or "builtins" if the class has no __module__: a new reference.
 * A class that type() made in a namespace without __name__ has no __module__. */
static PyObject *class_module(struct ps_state *state, PyObject *cls)
{
    PyObject *module = PyObject_GetAttr(cls, state->names.dunder_module);

    if (module || !PyErr_ExceptionMatches(PyExc_AttributeError))
        return module;
    PyErr_Clear();
    return PyUnicode_FromString("builtins");
}

/* Returns "module.name" of a class: a new reference. */
static PyObject *class_name(struct ps_state *state, PyObject *cls)
{
    ps_auto PyObject *module = class_module(state, cls);
    ps_auto PyObject *name = module ? PyObject_GetAttr(cls, state->names.dunder_name) : NULL;

    return name ? PyUnicode_FromFormat("%S.%S", module, name) : NULL;
}

/* Returns "module.name" of obj.__class__, which may differ from type(obj): a new reference. */
static PyObject *instance_name(struct ps_state *state, PyObject *obj)
{
    ps_auto PyObject *cls = PyObject_GetAttr(obj, state->names.dunder_class);

    return cls ? class_name(state, cls) : NULL;
}

/* Returns the name of a module for its id pack: a new reference. If sys.modules has an entry with
 * the module's __name__, the result is this __name__. Otherwise the result is the __module__ of the
 * module's class, a dot, and the module's __name__. */
static PyObject *module_name(struct ps_state *state, PyObject *module)
{
    ps_auto PyObject *name = PyObject_GetAttr(module, state->names.dunder_name);
    ps_auto PyObject *cls = NULL, *prefix = NULL;

    if (!name)
        return NULL;
    if (PyUnicode_Check(name) && PyDict_GetItemWithError(PyImport_GetModuleDict(), name))
        return ps_steal(&name);
    if (PyErr_Occurred())
        return NULL;
    cls = PyObject_GetAttr(module, state->names.dunder_class);
    prefix = cls ? PyObject_GetAttr(cls, state->names.dunder_module) : NULL;
    return prefix ? PyUnicode_FromFormat("%S.%S", prefix, name) : NULL;
}

/* True if obj is the class of modules and the client's rpyc is older than 6.0. An rpyc before 6.0
 * gives only this class the id pack of an instance of `type`. */
static bool is_odd_class(struct ps_session *s, PyObject *obj)
{
    return obj == (PyObject *)&PyModule_Type && ps_session_is_old(s);
}

PyObject *ps_id_pack(struct ps_session *s, PyObject *obj)
{
    uintptr_t class_id = (uintptr_t)Py_TYPE(obj), instance_id = (uintptr_t)obj;
    struct ps_state *state = s->state;
    PyObject *name;

    if (ps_type_attribute(Py_TYPE(obj), state->names.id_pack))
        return PyObject_GetAttr(obj, state->names.id_pack);
    if (PyType_Check(obj) && !is_odd_class(s, obj)) {
        name = class_name(state, obj);
        class_id = (uintptr_t)obj;
        instance_id = 0;
    } else if (PyModule_Check(obj)) {
        name = module_name(state, obj);
    } else {
        name = instance_name(state, obj);
    }
    if (!name)
        return NULL;
    return Py_BuildValue("(NKK)", name, (unsigned long long)class_id,
                         (unsigned long long)instance_id);
}

/* Reads the fields of an id pack. pack->name points into the tuple. */
static int read_id_pack(PyObject *tuple, struct id_pack *pack)
{
    Py_ssize_t len;

    if (!PyTuple_Check(tuple) || PyTuple_GET_SIZE(tuple) != 3) {
        PyErr_SetString(PyExc_TypeError, "____id_pack__ is not a tuple of three items");
        return -1;
    }
    pack->name = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(tuple, 0), &len);
    if (!pack->name)
        return -1;
    pack->name_len = (size_t)len;
    pack->class_id = PyLong_AsUnsignedLongLongMask(PyTuple_GET_ITEM(tuple, 1));
    pack->instance_id = PyLong_AsUnsignedLongLongMask(PyTuple_GET_ITEM(tuple, 2));
    return PyErr_Occurred() ? -1 : 0;
}

/* ---- Boxes ---------------------------------------------------------------------------------- */

/* Counts one more reference of the client to obj, and appends obj's id pack to b->sent. tuple and
 * pack: the id pack as a Python object and as a struct. Returns 0, or -1 with an exception. */
static int enter(struct ps_boxer *b, PyObject *tuple, const struct id_pack *pack, PyObject *obj)
{
    if (b->session->ended) {
        PyErr_SetString(PyExc_EOFError, "the connection to the client has ended");
        return -1;
    }
    if (!b->sent)
        b->sent = PyList_New(0);
    if (!b->sent || PyList_Append(b->sent, tuple) < 0)
        return -1;
    if (ps_objects_add(&b->session->objects, pack, obj) == 0)
        return 0;
    PyList_SetSlice(b->sent, PyList_GET_SIZE(b->sent) - 1, PyList_GET_SIZE(b->sent), NULL);
    return -1;
}

static int box_reference(struct ps_boxer *b, PyObject *obj)
{
    ps_auto PyObject *tuple = ps_id_pack(b->session, obj);
    struct id_pack pack;

    if (!tuple || read_id_pack(tuple, &pack) < 0)
        return -1;
    box_put(b->out, LABEL_REMOTE_REF);
    id_pack_put(b->out, &pack);
    if (b->out->failed) {
        PyErr_NoMemory();
        return -1;
    }
    return enter(b, tuple, &pack, obj);
}

static int box_tuple(struct ps_boxer *b, PyObject *obj)
{
    Py_ssize_t i, n = PyTuple_GET_SIZE(obj);
    int result = 0;

    if (Py_EnterRecursiveCall(" while boxing a tuple"))
        return -1;
    box_put(b->out, LABEL_TUPLE);
    brine_put_tuple(b->out, (size_t)n);
    for (i = 0; i < n && result == 0; i++)
        result = ps_box(b, PyTuple_GET_ITEM(obj, i));
    Py_LeaveRecursiveCall();
    return result;
}

int ps_box(struct ps_boxer *b, PyObject *obj)
{
    size_t start = b->out->len;
    struct ps_netref *ref;
    int result;

    box_put(b->out, LABEL_VALUE);
    result = ps_dump(b->out, obj);
    if (result != 0)
        return result < 0 ? -1 : 0;
    b->out->len = start;
    if (PyTuple_CheckExact(obj))
        return box_tuple(b, obj);
    ref = ps_netref_of(b->session, obj);
    if (!ref)
        return box_reference(b, obj);
    box_put(b->out, LABEL_LOCAL_REF);
    buffer_put(b->out, ref->pack, ref->pack_len);
    if (b->answers)
        ref->answered = b->answers;
    return 0;
}

void ps_boxer_sent(struct ps_boxer *b)
{
    Py_CLEAR(b->sent);
}

void ps_boxer_undo(struct ps_boxer *b)
{
    ps_auto PyObject *list = ps_steal(&b->sent);
    PyObject *type, *exc, *tb;
    struct id_pack pack;
    Py_ssize_t i;

    PyErr_Fetch(&type, &exc, &tb);
    for (i = 0; list && i < PyList_GET_SIZE(list); i++) {
        /* a reference: giving back the object may run a finalizer, which may change the list */
        ps_auto PyObject *tuple = ps_new_ref(PyList_GET_ITEM(list, i));

        if (read_id_pack(tuple, &pack) == 0)
            ps_objects_give_back(&b->session->objects, &pack, 1);
        PyErr_Clear();
    }
    PyErr_Restore(type, exc, tb);
}

/* ---- Unboxing -------------------------------------------------------------------------------- */

static PyObject *unbox_item(void *session, struct brine_reader *r)
{
    return ps_unbox(session, r);
}

static PyObject *unbox_tuple(struct ps_session *s, struct brine_reader *r)
{
    struct brine_item item;

    if (!brine_next(r, &item))
        return ps_load_error(r);
    if (item.type != BRINE_TUPLE) {
        brine_fail(r, "a box labelled as a tuple does not contain a tuple");
        return ps_load_error(r);
    }
    return ps_load_tuple(s, r, item.count, unbox_item);
}

PyObject *ps_unbox(struct ps_session *s, struct brine_reader *r)
{
    struct id_pack pack;
    enum label label;

    if (!box_next(r, &label))
        return ps_load_error(r);
    if (label == LABEL_VALUE)
        return ps_load(r);
    if (label == LABEL_TUPLE)
        return unbox_tuple(s, r);
    if (!id_pack_next(r, &pack))
        return ps_load_error(r);
    if (label == LABEL_LOCAL_REF)
        return ps_objects_get(&s->objects, &pack);
    return s->ops->resolve(s, &pack);
}
