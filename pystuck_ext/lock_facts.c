/* SPDX-License-Identifier: BSD-3-Clause */
#include "lock_facts.h"

#include <string.h>

#include "codec.h"
#include "pybrine.h"
#include "reserve.h"
#include "schema.h"
#include "without_gil.h"

#define MEMORY_MAX ((size_t)64 << 20)

/* With more threads than this, the GIL is released while the facts are read, because reading them
 * takes too long. Facts about threads that run meanwhile may then be missing. */
#define THREADS_WITH_GIL 20

/* Returns the index that a member of a struct has in the tuple that encodes the struct
 * (report/codec.h). */
static Py_ssize_t index_of(const struct schema *schema, const char *name)
{
    const struct field *f = schema->fields;

    while (strcmp(f->name, name) != 0)
        f++;
    return f - schema->fields;
}

/* Returns a member of a struct that is encoded as a tuple, as a borrowed reference. Returns None if
 * the tuple is too short, or if the object is not a tuple. */
static PyObject *member_of(const struct schema *schema, PyObject *tuple, const char *name)
{
    Py_ssize_t index = index_of(schema, name);

    if (!PyTuple_CheckExact(tuple) || PyTuple_GET_SIZE(tuple) <= index)
        return Py_None;
    return PyTuple_GET_ITEM(tuple, index);
}

/* Sets a member of a struct whose encoding is in a list. If the list is too short, first appends
 * None items. */
static int set_member(const struct schema *schema, PyObject *list, const char *name,
                      PyObject *value)
{
    Py_ssize_t index = index_of(schema, name);

    while (PyList_GET_SIZE(list) <= index) {
        if (PyList_Append(list, Py_None) < 0)
            return -1;
    }
    return PyList_SetItem(list, index, ps_new_ref(value));
}

/* Returns the process in the form of report/codec.h, as Python objects: a new reference. */
static PyObject *load(const struct report_process *process)
{
    struct buffer brine = {0};
    struct brine_reader reader;
    PyObject *result;

    report_write(&brine, process);
    if (brine.failed) {
        buffer_free(&brine);
        return PyErr_NoMemory();
    }
    brine_read(&reader, brine.data, brine.len);
    result = ps_load(&reader);
    buffer_free(&brine);
    return result ? result : ps_load_error(&reader);
}

static struct report_process *read_process(struct ps_state *state, struct report *report)
{
    bool keeps_gil = state->threads && PyDict_Check(state->threads) &&
                     PyDict_Size(state->threads) <= THREADS_WITH_GIL;
    PyThreadState *own = keeps_gil ? NULL : PyEval_SaveThread();
    struct report_process *process;

    ps_reserve_lend(1); /* a descriptor for files of /proc */
    process = ps_without_gil_read(state, report);
    ps_reserve_take_back();
    if (own)
        PyEval_RestoreThread(own);
    return process;
}

PyObject *ps_lock_facts_read(struct ps_state *state)
{
    struct report_process *process, part;
    struct report report;
    PyObject *result;

    report_init(&report, MEMORY_MAX);
    process = read_process(state, &report);
    if (process) {
        memset(&part, 0, sizeof(part));
        schema_init(&schema_process, &part);
        part.threads.items = process->threads.items;
        part.threads.count = process->threads.count;
        part.objects.items = process->objects.items;
        part.objects.count = process->objects.count;
    }
    result = process ? load(&part) : ps_new_ref(Py_None);
    report_free(&report);
    return result;
}

/* ---- Adding ---------------------------------------------------------------------------------- */

/* Returns 1 if two frames have the same line, function and file, 0 if not, -1 with an exception. */
static int is_same_frame(PyObject *a, PyObject *b)
{
    static const char *const names[] = {"line", "function", "file"};
    size_t i;
    int same = 1;

    for (i = 0; same == 1 && i < sizeof(names) / sizeof(*names); i++)
        same = PyObject_RichCompareBool(member_of(&schema_frame, a, names[i]),
                                        member_of(&schema_frame, b, names[i]), Py_EQ);
    return same;
}

/* Returns 1 if two threads have the same frames, 0 if not, -1 with an exception. */
static int is_same_stack(PyObject *a, PyObject *b)
{
    PyObject *frames = member_of(&schema_thread, a, "frames");
    PyObject *others = member_of(&schema_thread, b, "frames");
    Py_ssize_t i;
    int same = 1;

    if (!PyTuple_CheckExact(frames) || !PyTuple_CheckExact(others) ||
        PyTuple_GET_SIZE(frames) != PyTuple_GET_SIZE(others))
        return 0;
    for (i = PyTuple_GET_SIZE(frames) - 1; same == 1 && i >= 0; i--)
        same = is_same_frame(PyTuple_GET_ITEM(frames, i), PyTuple_GET_ITEM(others, i));
    return same;
}

/* Returns a dict of the threads in the facts, keyed by id: a new reference. */
static PyObject *threads_by_id(PyObject *facts)
{
    PyObject *threads = member_of(&schema_process, facts, "threads");
    ps_auto PyObject *dict = PyDict_New();
    Py_ssize_t i;

    for (i = 0; dict && PyTuple_CheckExact(threads) && i < PyTuple_GET_SIZE(threads); i++) {
        PyObject *thread = PyTuple_GET_ITEM(threads, i);

        if (PyDict_SetItem(dict, member_of(&schema_thread, thread, "id"), thread) < 0)
            return NULL;
    }
    return ps_steal(&dict);
}

/* Returns a copy of a thread with the waits and holds of the thread `known`: a new reference. */
static PyObject *complete_thread(PyObject *thread, PyObject *known)
{
    ps_auto PyObject *list = PySequence_List(thread);

    if (!list ||
        set_member(&schema_thread, list, "waits", member_of(&schema_thread, known, "waits")) < 0 ||
        set_member(&schema_thread, list, "holds", member_of(&schema_thread, known, "holds")) < 0)
        return NULL;
    return PyList_AsTuple(list);
}

/* Returns a tuple of the threads: a new reference. Threads with the same frames as in the facts
 * have the waits and holds of the facts. */
static PyObject *complete_threads(PyObject *threads, PyObject *facts)
{
    ps_auto PyObject *by_id = threads_by_id(facts), *list = PySequence_List(threads);
    Py_ssize_t i;

    for (i = 0; by_id && list && i < PyList_GET_SIZE(list); i++) {
        PyObject *thread = PyList_GET_ITEM(list, i);
        PyObject *known = PyDict_GetItemWithError(by_id, member_of(&schema_thread, thread, "id"));
        int same = known ? is_same_stack(thread, known) : 0;

        if (same < 0 || PyErr_Occurred())
            return NULL;
        if (!same)
            continue;
        known = complete_thread(thread, known);
        if (!known || PyList_SetItem(list, i, known) < 0)
            return NULL;
    }
    return by_id && list ? PyList_AsTuple(list) : NULL;
}

PyObject *ps_lock_facts_add(PyObject *process, PyObject *facts)
{
    ps_auto PyObject *owned = process, *list = NULL, *threads = NULL;

    if (!owned)
        return NULL;
    if (!PyTuple_CheckExact(owned) || !PyTuple_CheckExact(facts))
        return ps_steal(&owned);
    list = PySequence_List(owned);
    threads = complete_threads(member_of(&schema_process, owned, "threads"), facts);
    if (!list || !threads || set_member(&schema_process, list, "threads", threads) < 0 ||
        set_member(&schema_process, list, "objects", member_of(&schema_process, facts, "objects")) <
            0)
        return NULL;
    return PyList_AsTuple(list);
}
