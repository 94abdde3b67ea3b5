/* SPDX-License-Identifier: BSD-3-Clause */
#include "box.h"

#include "policy.h"
#include "gil.h"
#include "netref.h"

/* ---- Values to brine ------------------------------------------------------------------------ */

static int dump_items(struct buffer *out, PyObject *const *items, Py_ssize_t n)
{
    Py_ssize_t i;
    int result;

    for (i = 0; i < n; i++) {
        result = ps_dump(out, items[i]);
        if (result <= 0)
            return result;
        ps_gil_share();
    }
    return 1;
}

static int dump_int(struct buffer *out, PyObject *obj)
{
    PyObject *digits;
    const char *text;
    Py_ssize_t len;
    int overflow;
    long long n = PyLong_AsLongLongAndOverflow(obj, &overflow);

    if (!overflow) {
        brine_put_int(out, n);
        return 1;
    }
    digits = PyObject_Str(obj);
    if (!digits)
        return -1;
    text = PyUnicode_AsUTF8AndSize(digits, &len);
    if (text)
        brine_put_digits(out, text, (size_t)len);
    Py_DECREF(digits);
    return text ? 1 : -1;
}

static int dump_str(struct buffer *out, PyObject *obj)
{
    PyObject *bytes;

    if (PyUnicode_IS_COMPACT_ASCII(obj)) {
        brine_put_str(out, PyUnicode_DATA(obj), (size_t)PyUnicode_GET_LENGTH(obj));
        return 1;
    }
    bytes = PyUnicode_AsUTF8String(obj); /* not the one that the str would keep: it may be large */
    if (!bytes)
        return -1;
    brine_put_str(out, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    Py_DECREF(bytes);
    return 1;
}

static int dump_tuple(struct buffer *out, PyObject *obj)
{
    brine_put_tuple(out, (size_t)PyTuple_GET_SIZE(obj));
    return dump_items(out, ((PyTupleObject *)obj)->ob_item, PyTuple_GET_SIZE(obj));
}

/* In the order of iteration, as stock does. */
static int dump_frozenset(struct buffer *out, PyObject *obj)
{
    PyObject *items = PySequence_Tuple(obj);
    int result;

    if (!items)
        return -1;
    brine_put_frozenset(out, (size_t)PyTuple_GET_SIZE(items));
    result = dump_items(out, ((PyTupleObject *)items)->ob_item, PyTuple_GET_SIZE(items));
    Py_DECREF(items);
    return result;
}

static int dump_slice(struct buffer *out, PyObject *obj)
{
    PySliceObject *slice = (PySliceObject *)obj;
    PyObject *parts[] = {slice->start, slice->stop, slice->step};

    brine_put_slice(out);
    return dump_items(out, parts, 3);
}

static int dump_container(struct buffer *out, PyObject *obj)
{
    size_t start = out->len;
    int result;

    if (Py_EnterRecursiveCall(" while boxing a value"))
        return -1;
    if (PyTuple_CheckExact(obj))
        result = dump_tuple(out, obj);
    else if (PySlice_Check(obj))
        result = dump_slice(out, obj);
    else
        result = dump_frozenset(out, obj);
    Py_LeaveRecursiveCall();
    if (result == 0 && !out->failed)
        out->len = start;
    return result;
}

/* What can go by value besides containers. 0 where obj is something else. */
static int dump_simple(struct buffer *out, PyObject *obj)
{
    PyTypeObject *type = Py_TYPE(obj);

    if (type == &PyLong_Type)
        return dump_int(out, obj);
    if (type == &PyUnicode_Type)
        return dump_str(out, obj);
    if (obj == Py_None)
        brine_put_none(out);
    else if (type == &PyBool_Type)
        brine_put_bool(out, obj == Py_True);
    else if (type == &PyFloat_Type)
        brine_put_float(out, PyFloat_AS_DOUBLE(obj));
    else if (type == &PyBytes_Type)
        brine_put_bytes(out, PyBytes_AS_STRING(obj), (size_t)PyBytes_GET_SIZE(obj));
    else if (type == &PyComplex_Type)
        brine_put_complex(out, PyComplex_RealAsDouble(obj), PyComplex_ImagAsDouble(obj));
    else if (obj == Py_Ellipsis)
        brine_put_ellipsis(out);
    else if (obj == Py_NotImplemented)
        brine_put_notimplemented(out);
    else
        return 0;
    return 1;
}

int ps_dump(struct buffer *out, PyObject *obj)
{
    PyTypeObject *type = Py_TYPE(obj);
    int result;

    if (type == &PyTuple_Type || type == &PyFrozenSet_Type || type == &PySlice_Type)
        result = dump_container(out, obj);
    else
        result = dump_simple(out, obj);
    if (out->failed) {
        PyErr_NoMemory();
        return -1;
    }
    return result;
}

/* ---- Id packs ------------------------------------------------------------------------------- */

/* The module of a class. One that was made by type() in a namespace without a name has none. */
static PyObject *class_module(struct ps_state *state, PyObject *cls)
{
    PyObject *module = PyObject_GetAttr(cls, state->names.dunder_module);

    if (module || !PyErr_ExceptionMatches(PyExc_AttributeError))
        return module;
    PyErr_Clear();
    return PyUnicode_FromString("builtins");
}

/* "module.name" of a class. */
static PyObject *class_name(struct ps_state *state, PyObject *cls)
{
    PyObject *module = class_module(state, cls);
    PyObject *name = module ? PyObject_GetAttr(cls, state->names.dunder_name) : NULL;
    PyObject *full = name ? PyUnicode_FromFormat("%S.%S", module, name) : NULL;

    Py_XDECREF(module);
    Py_XDECREF(name);
    return full;
}

/* "module.name" of what obj says its class is, which may not be its type. */
static PyObject *instance_name(struct ps_state *state, PyObject *obj)
{
    PyObject *cls = PyObject_GetAttr(obj, state->names.dunder_class), *name;

    if (!cls)
        return NULL;
    name = class_name(state, cls);
    Py_DECREF(cls);
    return name;
}

/* A module's own name if it is imported under it, else "builtins.name". */
static PyObject *module_name(struct ps_state *state, PyObject *module)
{
    PyObject *name = PyObject_GetAttr(module, state->names.dunder_name);
    PyObject *modules = PyImport_GetModuleDict(), *cls, *prefix, *full;

    if (!name)
        return NULL;
    if (PyUnicode_Check(name) && PyDict_GetItemWithError(modules, name))
        return name;
    if (PyErr_Occurred()) {
        Py_DECREF(name);
        return NULL;
    }
    cls = PyObject_GetAttr(module, state->names.dunder_class);
    prefix = cls ? PyObject_GetAttr(cls, state->names.dunder_module) : NULL;
    full = prefix ? PyUnicode_FromFormat("%S.%S", prefix, name) : NULL;
    Py_XDECREF(prefix);
    Py_XDECREF(cls);
    Py_DECREF(name);
    return full;
}

/* Whether the client takes this class for an instance of type, as an rpyc before 6.0 does the class
 * of modules. */
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

/* The fields of an id pack; name points into the tuple. */
static int read_id_pack(PyObject *tuple, struct id_pack *pack)
{
    Py_ssize_t len;

    if (!PyTuple_Check(tuple) || PyTuple_GET_SIZE(tuple) != 3) {
        PyErr_SetString(PyExc_TypeError, "____id_pack__ is not a tuple of three");
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

/* Enters an object that goes by reference in the session's table, and in the list of this
 * message's. */
static int enter(struct ps_boxer *b, PyObject *tuple, const struct id_pack *pack, PyObject *obj)
{
    if (b->session->ended) {
        PyErr_SetString(PyExc_EOFError, "the client is gone");
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
    PyObject *tuple = ps_id_pack(b->session, obj);
    struct id_pack pack;
    int result = -1;

    if (!tuple)
        return -1;
    if (read_id_pack(tuple, &pack) == 0) {
        box_put(b->out, LABEL_REMOTE_REF);
        id_pack_put(b->out, &pack);
        if (b->out->failed)
            PyErr_NoMemory();
        else
            result = enter(b, tuple, &pack, obj);
    }
    Py_DECREF(tuple);
    return result;
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
    PyObject *type, *exc, *tb, *list = b->sent, *tuple;
    struct id_pack pack;
    Py_ssize_t i;

    b->sent = NULL;
    PyErr_Fetch(&type, &exc, &tb);
    for (i = 0; list && i < PyList_GET_SIZE(list); i++) {
        tuple = PyList_GET_ITEM(list, i);
        Py_INCREF(tuple); /* what is given back may run any code */
        if (read_id_pack(tuple, &pack) == 0)
            ps_objects_give_back(&b->session->objects, &pack, 1);
        PyErr_Clear();
        Py_DECREF(tuple);
    }
    Py_XDECREF(list);
    PyErr_Restore(type, exc, tb);
}

/* ---- Brine to objects ----------------------------------------------------------------------- */

/* Sets the exception for a reader that failed. */
static PyObject *broken(const struct brine_reader *r)
{
    if (!PyErr_Occurred())
        PyErr_Format(PyExc_ValueError, "bad brine: %s", r->problem ? r->problem : "?");
    return NULL;
}

static PyObject *new_ref(PyObject *obj)
{
    Py_INCREF(obj);
    return obj;
}

static PyObject *load_bigint(const struct brine_item *item)
{
    PyObject *text = PyUnicode_DecodeASCII((const char *)item->data, (Py_ssize_t)item->len, NULL);
    PyObject *number;

    if (!text)
        return NULL;
    number = PyLong_FromUnicodeObject(text, 10);
    Py_DECREF(text);
    return number;
}

typedef PyObject *(*load_item)(struct ps_session *, struct brine_reader *);

static PyObject *load_plain(struct ps_session *s, struct brine_reader *r)
{
    (void)s;
    return ps_load(r);
}

/* A tuple of Nones, to be filled in. The garbage collector shows it to anyone, and what reads an
 * item may run Python: it must hold objects from the start. */
static PyObject *new_tuple(size_t count)
{
    PyObject *tuple = PyTuple_New((Py_ssize_t)count);
    size_t i;

    for (i = 0; tuple && i < count; i++)
        PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, new_ref(Py_None));
    return tuple;
}

/* A tuple of `count` items, each read by `load`. */
static PyObject *load_tuple(struct ps_session *s, struct brine_reader *r, size_t count,
                            load_item load)
{
    PyObject *tuple = new_tuple(count), *item;
    size_t i;

    for (i = 0; tuple && i < count; i++) {
        item = load(s, r);
        if (item) {
            PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, item);
            Py_DECREF(Py_None);
        } else {
            Py_CLEAR(tuple);
        }
        ps_gil_share();
    }
    return tuple;
}

/* Nobody else may see it until it is whole: it could not be added to. Items whose hashes collide
 * take their time. */
static PyObject *load_frozenset(struct brine_reader *r, size_t count)
{
    PyObject *set = PyFrozenSet_New(NULL), *item;
    size_t i;

    if (set)
        PyObject_GC_UnTrack(set);
    for (i = 0; set && i < count; i++) {
        item = ps_load(r);
        if (!item || PySet_Add(set, item) < 0)
            Py_CLEAR(set);
        Py_XDECREF(item);
        ps_gil_share();
    }
    if (set)
        PyObject_GC_Track(set);
    return set;
}

static PyObject *load_slice(struct brine_reader *r)
{
    PyObject *parts = load_tuple(NULL, r, 3, load_plain), *slice;

    if (!parts)
        return NULL;
    slice = PySlice_New(PyTuple_GET_ITEM(parts, 0), PyTuple_GET_ITEM(parts, 1),
                        PyTuple_GET_ITEM(parts, 2));
    Py_DECREF(parts);
    return slice;
}

PyObject *ps_load(struct brine_reader *r)
{
    struct brine_item item;

    if (!brine_next(r, &item))
        return broken(r);
    switch (item.type) {
    case BRINE_NONE:
        return new_ref(Py_None);
    case BRINE_BOOL:
        return PyBool_FromLong(item.boolean);
    case BRINE_NOTIMPLEMENTED:
        return new_ref(Py_NotImplemented);
    case BRINE_ELLIPSIS:
        return new_ref(Py_Ellipsis);
    case BRINE_INT:
        return PyLong_FromLongLong(item.integer);
    case BRINE_BIGINT:
        return load_bigint(&item);
    case BRINE_FLOAT:
        return PyFloat_FromDouble(item.real);
    case BRINE_COMPLEX:
        return PyComplex_FromDoubles(item.real, item.imag);
    case BRINE_BYTES:
        return PyBytes_FromStringAndSize((const char *)item.data, (Py_ssize_t)item.len);
    case BRINE_STR:
        return PyUnicode_DecodeUTF8((const char *)item.data, (Py_ssize_t)item.len, NULL);
    case BRINE_TUPLE:
        return load_tuple(NULL, r, item.count, load_plain);
    case BRINE_FROZENSET:
        return load_frozenset(r, item.count);
    case BRINE_SLICE:
        return load_slice(r);
    }
    Py_UNREACHABLE();
}

static PyObject *unbox_tuple(struct ps_session *s, struct brine_reader *r)
{
    struct brine_item item;

    if (!brine_next(r, &item))
        return broken(r);
    if (item.type != BRINE_TUPLE) {
        brine_fail(r, "a tuple of boxes that is not a tuple");
        return broken(r);
    }
    return load_tuple(s, r, item.count, ps_unbox);
}

PyObject *ps_unbox(struct ps_session *s, struct brine_reader *r)
{
    struct id_pack pack;
    enum label label;

    if (!box_next(r, &label))
        return broken(r);
    if (label == LABEL_VALUE)
        return ps_load(r);
    if (label == LABEL_TUPLE)
        return unbox_tuple(s, r);
    if (!id_pack_next(r, &pack))
        return broken(r);
    if (label == LABEL_LOCAL_REF)
        return ps_objects_get(&s->objects, &pack);
    return ps_netref_get(s, &pack);
}
