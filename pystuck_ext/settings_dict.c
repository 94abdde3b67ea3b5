/* SPDX-License-Identifier: BSD-3-Clause */
#include "settings_dict.h"

#include <limits.h>
#include <string.h>

#define MS_PER_S 1000

int ps_settings_dict_begin(struct ps_settings_dict *o, PyObject *dict)
{
    *o = (struct ps_settings_dict){.dict = dict};
    if (!PyDict_Check(dict)) {
        PyErr_SetString(PyExc_TypeError, "run_server() expects a dict of settings");
        return -1;
    }
    o->kept = PyList_New(0);
    return o->kept ? 0 : -1;
}

int ps_settings_dict_end(struct ps_settings_dict *o)
{
    if (PyErr_Occurred())
        return -1;
    if (o->read == PyDict_Size(o->dict))
        return 0;
    PyErr_Format(PyExc_TypeError, "run_server() got %zd settings, but only %zd are known",
                 PyDict_Size(o->dict), o->read);
    return -1;
}

void ps_settings_dict_free(struct ps_settings_dict *o)
{
    Py_CLEAR(o->kept);
}

PyObject *ps_setting(struct ps_settings_dict *o, const char *name)
{
    PyObject *key, *value;

    key = PyErr_Occurred() ? NULL : PyUnicode_FromString(name);
    if (!key)
        return NULL;
    value = PyDict_GetItemWithError(o->dict, key);
    Py_DECREF(key);
    if (value)
        o->read++;
    else if (!PyErr_Occurred())
        PyErr_Format(PyExc_TypeError, "run_server() needs the setting '%s'", name);
    return value;
}

PyObject *ps_setting_or_null(struct ps_settings_dict *o, const char *name)
{
    PyObject *value = ps_setting(o, name);

    return value == Py_None ? NULL : value;
}

PyObject *ps_setting_tuple(struct ps_settings_dict *o, const char *name)
{
    PyObject *value = ps_setting_or_null(o, name);

    if (!value || PyTuple_Check(value))
        return value;
    PyErr_Format(PyExc_TypeError, "invalid %s %R: expected a tuple or None", name, value);
    return NULL;
}

/* Replaces the current exception by a new exception whose text also names the setting. */
static void name_in_error(const char *name)
{
    PyObject *type, *exc, *tb;

    PyErr_Fetch(&type, &exc, &tb);
    PyErr_Format(PyErr_GivenExceptionMatches(type, PyExc_ValueError) ? PyExc_ValueError : type,
                 "invalid %s: %S", name, exc ? exc : Py_None);
    Py_XDECREF(type);
    Py_XDECREF(exc);
    Py_XDECREF(tb);
}

long long ps_setting_int(struct ps_settings_dict *o, const char *name, long long least,
                         long long most)
{
    PyObject *value = ps_setting(o, name);
    long long number;

    if (!value)
        return 0;
    number = PyLong_AsLongLong(value);
    if (PyErr_Occurred()) {
        name_in_error(name);
        return 0;
    }
    if (number >= least && number <= most)
        return number;
    PyErr_Format(PyExc_OverflowError, "invalid %s %lld: expected an int from %lld to %lld", name,
                 number, least, most);
    return 0;
}

bool ps_setting_bool(struct ps_settings_dict *o, const char *name)
{
    PyObject *value = ps_setting(o, name);

    return value && PyObject_IsTrue(value) > 0;
}

int ps_setting_ms(struct ps_settings_dict *o, const char *name, int never)
{
    PyObject *value = ps_setting(o, name);
    double seconds;
    int ms;

    if (!value || value == Py_None)
        return value ? never : 0;
    seconds = PyFloat_AsDouble(value);
    if (PyErr_Occurred()) {
        name_in_error(name);
        return 0;
    }
    if (!(seconds > 0 && seconds <= (double)(INT_MAX / MS_PER_S))) {
        PyErr_Format(PyExc_ValueError, "invalid %s %R: expected seconds above 0 and up to %d", name,
                     value, INT_MAX / MS_PER_S);
        return 0;
    }
    ms = (int)(seconds * MS_PER_S);
    return ms > 0 ? ms : 1;
}

/* Returns the UTF-8 of a str, which the str owns. Returns NULL with an exception if it cannot be
 * encoded or contains a null character. */
static const char *whole_text(PyObject *str, const char *name)
{
    Py_ssize_t len;
    const char *text = PyUnicode_AsUTF8AndSize(str, &len);

    if (!text) {
        name_in_error(name);
        return NULL;
    }
    if (strlen(text) == (size_t)len)
        return text;
    PyErr_Format(PyExc_ValueError, "invalid %s %R: it contains a null character", name, str);
    return NULL;
}

const char *ps_setting_text(struct ps_settings_dict *o, const char *name)
{
    PyObject *value = ps_setting_or_null(o, name);

    return value ? whole_text(value, name) : NULL;
}

const char *ps_setting_path(struct ps_settings_dict *o, const char *name)
{
    PyObject *value = ps_setting_or_null(o, name), *path = NULL;
    int kept;

    if (!value)
        return NULL;
    if (!PyUnicode_FSConverter(value, &path)) {
        name_in_error(name);
        return NULL;
    }
    kept = PyList_Append(o->kept, path);
    Py_DECREF(path);
    return kept == 0 ? PyBytes_AS_STRING(path) : NULL;
}

const char **ps_setting_texts(struct ps_settings_dict *o, const char *name)
{
    PyObject *tuple = ps_setting_tuple(o, name);
    Py_ssize_t i, n = tuple ? PyTuple_GET_SIZE(tuple) : 0;
    const char **texts;

    if (!tuple)
        return NULL;
    texts = PyMem_Calloc((size_t)n + 1, sizeof(*texts));
    if (!texts) {
        PyErr_NoMemory();
        return NULL;
    }
    for (i = 0; i < n; i++) {
        texts[i] = whole_text(PyTuple_GET_ITEM(tuple, i), name);
        if (!texts[i])
            break;
    }
    return texts;
}
