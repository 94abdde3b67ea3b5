/* SPDX-License-Identifier: BSD-3-Clause */
#include "pybrine.h"

#include "gil.h"

/* ---- Objects to brine ------------------------------------------------------------------------ */

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
    ps_auto PyObject *digits = NULL;
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
    return text ? 1 : -1;
}

static int dump_str(struct buffer *out, PyObject *obj)
{
    ps_auto PyObject *bytes = NULL;

    if (PyUnicode_IS_COMPACT_ASCII(obj)) {
        brine_put_str(out, PyUnicode_DATA(obj), (size_t)PyUnicode_GET_LENGTH(obj));
        return 1;
    }
    bytes = PyUnicode_AsUTF8String(obj); /* PyUnicode_AsUTF8 would store its result in the str */
    if (!bytes)
        return -1;
    brine_put_str(out, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    return 1;
}

static int dump_tuple(struct buffer *out, PyObject *obj)
{
    brine_put_tuple(out, (size_t)PyTuple_GET_SIZE(obj));
    return dump_items(out, ((PyTupleObject *)obj)->ob_item, PyTuple_GET_SIZE(obj));
}

/* Appends the items in the order of iteration, like stock rpyc. */
static int dump_frozenset(struct buffer *out, PyObject *obj)
{
    ps_auto PyObject *items = PySequence_Tuple(obj);

    if (!items)
        return -1;
    brine_put_frozenset(out, (size_t)PyTuple_GET_SIZE(items));
    return dump_items(out, ((PyTupleObject *)items)->ob_item, PyTuple_GET_SIZE(items));
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

/* Appends obj if it is a value that is not a container. Returns 1 if obj was appended, 0 if obj is
 * not such a value, -1 with an exception. */
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

/* ---- Brine to objects ------------------------------------------------------------------------ */

PyObject *ps_load_error(const struct brine_reader *r)
{
    if (!PyErr_Occurred())
        PyErr_Format(PyExc_ValueError, "bad brine: %s", r->problem ? r->problem : "?");
    return NULL;
}

static PyObject *load_bigint(const struct brine_item *item)
{
    ps_auto PyObject *text =
        PyUnicode_DecodeASCII((const char *)item->data, (Py_ssize_t)item->len, NULL);

    return text ? PyLong_FromUnicodeObject(text, 10) : NULL;
}

static PyObject *load_plain(void *context, struct brine_reader *r)
{
    (void)context;
    return ps_load(r);
}

/* Returns a tuple of Nones, which the caller replaces by items. Reading an item may run Python
 * code, which can find the tuple through the garbage collector. So the tuple must never contain
 * NULL. */
static PyObject *new_tuple(size_t count)
{
    PyObject *tuple = PyTuple_New((Py_ssize_t)count);
    size_t i;

    for (i = 0; tuple && i < count; i++)
        PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, ps_new_ref(Py_None));
    return tuple;
}

PyObject *ps_load_tuple(void *context, struct brine_reader *r, size_t count, ps_load_item load)
{
    PyObject *tuple = new_tuple(count), *item;
    size_t i;

    for (i = 0; tuple && i < count; i++) {
        item = load(context, r);
        if (item) {
            PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, item);
            Py_DECREF(Py_None);
        } else {
            Py_CLEAR(tuple);
        }
        if (i > 0)
            ps_gil_share();
    }
    return tuple;
}

/* Reads a frozenset of `count` items. Hides the set from the garbage collector until all items are
 * in the set. Otherwise, other code could find the set through the garbage collector and take a
 * second reference, after which PySet_Add fails. Calls ps_gil_share, because adding items whose
 * hashes collide takes long. */
static PyObject *load_frozenset(struct brine_reader *r, size_t count)
{
    PyObject *set = PyFrozenSet_New(NULL);
    size_t i;

    if (set)
        PyObject_GC_UnTrack(set);
    for (i = 0; set && i < count; i++) {
        ps_auto PyObject *item = ps_load(r);

        if (!item || PySet_Add(set, item) < 0)
            Py_CLEAR(set);
        ps_gil_share();
    }
    if (set)
        PyObject_GC_Track(set);
    return set;
}

static PyObject *load_slice(struct brine_reader *r)
{
    ps_auto PyObject *parts = ps_load_tuple(NULL, r, 3, load_plain);

    if (!parts)
        return NULL;
    return PySlice_New(PyTuple_GET_ITEM(parts, 0), PyTuple_GET_ITEM(parts, 1),
                       PyTuple_GET_ITEM(parts, 2));
}

PyObject *ps_load(struct brine_reader *r)
{
    struct brine_item item;

    if (!brine_next(r, &item))
        return ps_load_error(r);
    switch (item.type) {
    case BRINE_NONE:
        return ps_new_ref(Py_None);
    case BRINE_BOOL:
        return PyBool_FromLong(item.boolean);
    case BRINE_NOTIMPLEMENTED:
        return ps_new_ref(Py_NotImplemented);
    case BRINE_ELLIPSIS:
        return ps_new_ref(Py_Ellipsis);
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
        return ps_load_tuple(NULL, r, item.count, load_plain);
    case BRINE_FROZENSET:
        return load_frozenset(r, item.count);
    case BRINE_SLICE:
        return load_slice(r);
    }
    Py_UNREACHABLE();
}
