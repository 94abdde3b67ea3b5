/* SPDX-License-Identifier: BSD-3-Clause */
#include "facts.h"

#include <string.h>

#include "schema.h"
#include "shortage.h"

#define MEMORY_MAX ((size_t)64 * 1024)

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

/* Returns the shortages of a process as a tuple, or None if they are not known. */
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
    struct report_process *process;
    struct report report;
    PyObject *result;

    Py_BEGIN_ALLOW_THREADS
    report_init(&report, MEMORY_MAX);
    process = report_add_process(&report);
    if (process)
        ps_shortage_find(&report.arena, process);
    Py_END_ALLOW_THREADS
    result = make_tuple(process);
    report_free(&report);
    return result;
}

/* Returns the index of the member `shortage` in the tuple of a process. */
static Py_ssize_t index_of_shortage(void)
{
    const struct field *f = schema_process.fields;

    while (strcmp(f->name, "shortage") != 0)
        f++;
    return f - schema_process.fields;
}

PyObject *ps_facts_add(PyObject *process, PyObject *shortage)
{
    ps_auto PyObject *owned = process, *list = NULL;
    Py_ssize_t index = index_of_shortage();

    if (!owned)
        return NULL;
    if (!PyTuple_CheckExact(owned) || PyTuple_GET_SIZE(owned) <= index)
        return ps_steal(&owned);
    list = PySequence_List(owned);
    if (!list || PyList_SetItem(list, index, ps_new_ref(shortage)) < 0)
        return NULL;
    return PyList_AsTuple(list);
}
