/* SPDX-License-Identifier: BSD-3-Clause */
#include "facts.h"

#include <string.h>

#include "current_frames.h"
#include "gil.h"
#include "schema.h"
#include "shortage.h"

#define MEMORY_MAX ((size_t)64 * 1024)

/* ---- Tuples of report/codec.h ---------------------------------------------------------------- */

/* Returns the index that a member of a struct has in the tuple that encodes the struct. */
static Py_ssize_t index_of(const struct schema *schema, const char *name)
{
    const struct field *f = schema->fields;

    while (strcmp(f->name, name) != 0)
        f++;
    return f - schema->fields;
}

PyObject *ps_facts_member(const struct schema *schema, PyObject *tuple, const char *name)
{
    Py_ssize_t index = index_of(schema, name);

    if (!PyTuple_CheckExact(tuple) || PyTuple_GET_SIZE(tuple) <= index)
        return Py_None;
    return PyTuple_GET_ITEM(tuple, index);
}

int ps_facts_set(const struct schema *schema, PyObject *list, const char *name, PyObject *value)
{
    Py_ssize_t index = index_of(schema, name);

    while (PyList_GET_SIZE(list) <= index) {
        if (PyList_Append(list, Py_None) < 0)
            return -1;
    }
    return PyList_SetItem(list, index, ps_new_ref(value));
}

/* ---- Facts ----------------------------------------------------------------------------------- */

static PyObject *text_object(struct report_text text)
{
    if (!text.data)
        Py_RETURN_NONE;
    return PyUnicode_DecodeUTF8(text.data, (Py_ssize_t)text.len, "replace");
}

static PyObject *shortage_object(const struct report_shortage *s)
{
    ps_auto PyObject *resource = text_object(s->resource), *detail = text_object(s->detail);

    if (!resource || !detail)
        return NULL;
    return Py_BuildValue("(OLLO)", resource, (long long)s->used, (long long)s->limit, detail);
}

/* Returns the shortages of a process as a tuple, or None if the shortages are not known. */
static PyObject *make_tuple(const struct report_process *process)
{
    ps_auto PyObject *list = NULL;
    size_t i;

    if (!process || !process->shortage.items)
        Py_RETURN_NONE;
    list = PyList_New(0);
    for (i = 0; list && i < process->shortage.count; i++) {
        ps_auto PyObject *item = shortage_object(&process->shortage.items[i]);

        if (!item || PyList_Append(list, item) < 0)
            Py_CLEAR(list);
    }
    return list ? PyList_AsTuple(list) : NULL;
}

PyObject *ps_facts_shortage(void)
{
    PyThreadState *before = ps_gil_begin_wait();
    struct report_process *process;
    struct report report;
    PyObject *result;

    report_init(&report, MEMORY_MAX);
    process = report_add_process(&report);
    if (process)
        ps_shortage_find(&report.arena, process);
    ps_gil_end_wait(before);
    result = make_tuple(process);
    report_free(&report);
    return result;
}

/* Returns the member `missing` of a process that pystuck/_stacks.py has returned, with an
 * additional item if ps_current_frames() has left out threads: a new reference. */
static PyObject *missing_of(PyObject *process)
{
    PyObject *missing = ps_facts_member(&schema_process, process, "missing");
    ps_auto PyObject *more = NULL;

    if (!ps_has_other_gil() || !PyTuple_CheckExact(missing))
        return ps_new_ref(missing);
    more = Py_BuildValue("((ss))", "threads of other interpreters", "they have a GIL of their own");
    return more ? PySequence_Concat(missing, more) : NULL;
}

PyObject *ps_facts_add(PyObject *process, PyObject *shortage)
{
    ps_auto PyObject *owned = process, *list = NULL, *missing = NULL;

    if (!owned || !PyTuple_CheckExact(owned))
        return ps_steal(&owned);
    list = PySequence_List(owned);
    missing = missing_of(owned);
    if (!list || !missing || ps_facts_set(&schema_process, list, "shortage", shortage) < 0 ||
        ps_facts_set(&schema_process, list, "missing", missing) < 0)
        return NULL;
    return PyList_AsTuple(list);
}
