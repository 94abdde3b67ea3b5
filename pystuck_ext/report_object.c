/* SPDX-License-Identifier: BSD-3-Clause */
#include "report_object.h"

#include <string.h>

#include "gil.h"
#include "schema.h"

static PyObject *struct_object(const struct schema *schema, const void *item);

static PyObject *text_object(struct report_text text)
{
    if (!text.data)
        Py_RETURN_NONE;
    return PyUnicode_DecodeUTF8(text.data, (Py_ssize_t)text.len, "replace");
}

static PyObject *int_object(int64_t value)
{
    if (value == REPORT_UNKNOWN)
        Py_RETURN_NONE;
    return PyLong_FromLongLong(value);
}

/* Adds a member to a dict. Takes ownership of value, which may be NULL with an exception. */
static int add(PyObject *dict, PyObject *name, PyObject *value)
{
    ps_auto PyObject *owned = value;

    return name && owned ? PyDict_SetItem(dict, name, owned) : -1;
}

static PyObject *map_object(const struct any_list *list)
{
    ps_auto PyObject *dict = PyDict_New();
    const struct report_pair *pairs = list->items;
    size_t i;

    for (i = 0; dict && i < list->count; i++) {
        ps_auto PyObject *name = text_object(pairs[i].name);

        if (pairs[i].name.data && add(dict, name, text_object(pairs[i].value)) < 0)
            return NULL;
    }
    return ps_steal(&dict);
}

static PyObject *listed_object(const struct field *f, const void *items, size_t i)
{
    if (f->kind == FIELD_TEXTS)
        return text_object(((const struct report_text *)items)[i]);
    if (f->kind == FIELD_INTS)
        return int_object(((const int64_t *)items)[i]);
    return struct_object(f->of, (const char *)items + i * f->of->size);
}

static PyObject *list_object(const struct field *f, const struct any_list *list)
{
    ps_auto PyObject *objects = NULL;
    size_t i;

    if (!list->items)
        Py_RETURN_NONE;
    if (f->kind == FIELD_MAP)
        return map_object(list);
    objects = PyList_New(0);
    for (i = 0; objects && i < list->count; i++) {
        ps_auto PyObject *item = listed_object(f, list->items, i);

        if (!item || PyList_Append(objects, item) < 0)
            return NULL;
        ps_gil_share();
    }
    return ps_steal(&objects);
}

static PyObject *float_object(double value)
{
    if (!isfinite(value))
        Py_RETURN_NONE;
    return PyFloat_FromDouble(value);
}

static PyObject *word_object(const char *word)
{
    if (!word)
        Py_RETURN_NONE;
    return PyUnicode_InternFromString(word);
}

static PyObject *bool_object(int value)
{
    if (!value)
        Py_RETURN_NONE;
    return PyBool_FromLong(value == BOOL_TRUE);
}

static PyObject *pointed_object(const struct schema *schema, const void *at)
{
    const void *item;

    memcpy(&item, at, sizeof(item));
    if (!item)
        Py_RETURN_NONE;
    return struct_object(schema, item);
}

static PyObject *member_object(const struct field *f, const void *at)
{
    struct any_list list;

    switch (f->kind) {
    case FIELD_TEXT:
        return text_object(*(const struct report_text *)at);
    case FIELD_INT:
        return int_object(*(const int64_t *)at);
    case FIELD_FLOAT:
        return float_object(*(const double *)at);
    case FIELD_ENUM:
        return word_object(field_word(f, *(const int *)at));
    case FIELD_BOOL:
        return bool_object(*(const int *)at);
    case FIELD_STRUCT:
        return pointed_object(f->of, at);
    default:
        memcpy(&list, at, sizeof(list));
        return list_object(f, &list);
    }
}

static PyObject *struct_object(const struct schema *schema, const void *item)
{
    ps_auto PyObject *dict = NULL;
    const struct field *f;
    int result = 0;

    if (Py_EnterRecursiveCall(" while a report is converted")) /* the tree of calls may be deep */
        return NULL;
    dict = PyDict_New();
    for (f = schema->fields; dict && result == 0 && f < schema->fields + schema->count; f++) {
        ps_auto PyObject *name = PyUnicode_InternFromString(f->name);

        result = add(dict, name, member_object(f, field_of(f, item)));
    }
    Py_LeaveRecursiveCall();
    return result == 0 ? ps_steal(&dict) : NULL;
}

PyObject *ps_report_object(const struct report_process *process)
{
    return struct_object(&schema_process, process);
}
