/* SPDX-License-Identifier: BSD-3-Clause */
#include "pybrine.h"

#include "gil.h"

/* From this many bytes on, a value is copied while other threads run. */
#define LONG ((size_t)256 * 1024)

/* A long str is encoded and decoded in pieces of this many characters or bytes. */
#define PIECE 65536

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

/* Appends bytes or text with put. If they are long, releases the GIL meanwhile. The caller has a
 * reference to the immutable object that contains the data. */
static void dump_data(struct buffer *out, void (*put)(struct buffer *, const void *, size_t),
                      const void *data, Py_ssize_t len)
{
    PyThreadState *before;

    if ((size_t)len < LONG) {
        put(out, data, (size_t)len);
        return;
    }
    before = ps_gil_begin_wait();
    put(out, data, (size_t)len);
    ps_gil_end_wait(before);
}

static void put_text(struct buffer *out, const void *text, size_t len)
{
    brine_put_str(out, text, len);
}

/* Appends a str that is not ASCII, a piece at a time. */
static int dump_long_str(struct buffer *out, PyObject *obj)
{
    size_t start = brine_begin_long_str(out);
    Py_ssize_t i, len = PyUnicode_GET_LENGTH(obj);

    for (i = 0; i < len; i += PIECE) {
        ps_auto PyObject *piece = PyUnicode_Substring(obj, i, i + PIECE);
        ps_auto PyObject *bytes = piece ? PyUnicode_AsUTF8String(piece) : NULL;

        if (!bytes)
            return -1;
        buffer_put(out, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
        ps_gil_share();
    }
    brine_end_long_str(out, start);
    return 1;
}

static int dump_str(struct buffer *out, PyObject *obj)
{
    ps_auto PyObject *bytes = NULL;

    if (PyUnicode_IS_COMPACT_ASCII(obj)) {
        dump_data(out, put_text, PyUnicode_DATA(obj), PyUnicode_GET_LENGTH(obj));
        return 1;
    }
    if ((size_t)PyUnicode_GET_LENGTH(obj) >= LONG)
        return dump_long_str(out, obj);
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
        dump_data(out, brine_put_bytes, PyBytes_AS_STRING(obj), PyBytes_GET_SIZE(obj));
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

static PyObject *load_bytes(const uint8_t *data, size_t len)
{
    PyObject *bytes;
    PyThreadState *before;

    if (len < LONG)
        return PyBytes_FromStringAndSize((const char *)data, (Py_ssize_t)len);
    bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)len);
    if (!bytes)
        return NULL;
    before = ps_gil_begin_wait(); /* no other thread can find the new object */
    memcpy(PyBytes_AS_STRING(bytes), data, len);
    ps_gil_end_wait(before);
    return bytes;
}

/* True if a byte begins a character in UTF-8, or can be no part of UTF-8. */
static bool begins_character(uint8_t byte)
{
    return (byte & 0xc0) != 0x80;
}

/* Returns the number of characters in UTF-8. Sets *max to the argument `maxchar` with which
 * PyUnicode_New() makes a str that has room for these characters: 0x7f, 0xff, 0xffff or 0x10ffff.
 * If the UTF-8 is not valid, neither result is valid. */
static Py_ssize_t measure_utf8(const uint8_t *text, size_t len, Py_UCS4 *max)
{
    Py_ssize_t count = 0;
    uint8_t greatest = 0;
    size_t i;

    for (i = 0; i < len; i++) {
        count += begins_character(text[i]);
        greatest = text[i] > greatest ? text[i] : greatest;
    }
    if (greatest < 0x80)
        *max = 0x7f;
    else if (greatest < 0xc4)
        *max = 0xff;
    else
        *max = greatest < 0xf0 ? 0xffff : 0x10ffff;
    return count;
}

/* Decodes UTF-8, a piece at a time, into str from its start. Returns the number of characters, or
 * -1 with an exception if the UTF-8 is not valid. */
static Py_ssize_t decode_pieces(const uint8_t *text, size_t len, PyObject *str)
{
    Py_ssize_t done = 0, n;
    size_t start, end;

    for (start = 0; start < len; start = end) {
        ps_auto PyObject *piece = NULL;

        end = len - start > PIECE ? start + PIECE : len;
        while (end < len && end - start > PIECE - 4 && !begins_character(text[end]))
            end--;
        piece = PyUnicode_DecodeUTF8((const char *)text + start, (Py_ssize_t)(end - start), NULL);
        if (!piece)
            return -1;
        n = PyUnicode_CopyCharacters(str, done, piece, 0, PyUnicode_GET_LENGTH(piece));
        if (n < 0)
            return -1;
        done += n;
        ps_gil_share();
    }
    return done;
}

static PyObject *load_str(const uint8_t *text, size_t len)
{
    ps_auto PyObject *str = NULL;
    PyThreadState *before;
    Py_ssize_t count;
    Py_UCS4 max;

    if (len < LONG)
        return PyUnicode_DecodeUTF8((const char *)text, (Py_ssize_t)len, NULL);
    before = ps_gil_begin_wait();
    count = measure_utf8(text, len, &max);
    ps_gil_end_wait(before);
    str = PyUnicode_New(count, max);
    if (!str)
        return NULL;
    if (decode_pieces(text, len, str) == count)
        return ps_steal(&str);
    PyErr_Clear();
    return PyUnicode_DecodeUTF8((const char *)text, (Py_ssize_t)len, NULL); /* sets the exception */
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
        return load_bytes(item.data, item.len);
    case BRINE_STR:
        return load_str(item.data, item.len);
    case BRINE_TUPLE:
        return ps_load_tuple(NULL, r, item.count, load_plain);
    case BRINE_FROZENSET:
        return load_frozenset(r, item.count);
    case BRINE_SLICE:
        return load_slice(r);
    }
    Py_UNREACHABLE();
}
