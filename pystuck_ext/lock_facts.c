/* SPDX-License-Identifier: BSD-3-Clause */
#include "lock_facts.h"

#include <string.h>

#include "codec.h"
#include "facts.h"
#include "gil.h"
#include "pybrine.h"
#include "reserve.h"
#include "schema.h"
#include "without_gil.h"

#define MEMORY_MAX ((size_t)64 << 20)

/* LIMIT_WITH_GIL: how much is read while this thread keeps the GIL, which takes up to about 20 ms.
 * LIMIT_WITHOUT_GIL: how much is read without the GIL, which takes up to about 200 ms. */
#define LIMIT_WITH_GIL    (STACKREADER_LIMIT / 100)
#define LIMIT_WITHOUT_GIL (STACKREADER_LIMIT / 10)

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

static struct report_process *read_process(struct ps_state *state, struct report *report,
                                           int64_t limit, bool locals, bool *complete)
{
    struct report_process *process;

    ps_reserve_lend(1); /* a descriptor for files of /proc */
    process = ps_without_gil_read(state, report, limit, locals, complete);
    ps_reserve_take_back();
    return process;
}

/* Reads the process while this thread keeps the GIL. If this would take too long, reads the process
 * again without the GIL, so that the program can run. */
static struct report_process *read_twice(struct ps_state *state, struct report *report, bool locals,
                                         bool *complete)
{
    struct report_process *process = read_process(state, report, LIMIT_WITH_GIL, locals, complete);
    PyThreadState *before;

    if (!process || *complete)
        return process;
    before = ps_gil_begin_wait();
    report_free(report);
    report_init(report, MEMORY_MAX);
    process = read_process(state, report, LIMIT_WITHOUT_GIL, locals, complete);
    ps_gil_end_wait(before);
    return process;
}

/* Removes the threads that neither wait for an object nor hold an object. */
static void remove_others(struct report_process *process)
{
    size_t i, kept = 0;

    for (i = 0; i < process->threads.count; i++) {
        struct report_thread *t = &process->threads.items[i];

        if (t->waits || t->holds.count > 0)
            process->threads.items[kept++] = *t;
    }
    process->threads.count = kept;
}

static struct report_text text_of(const char *text)
{
    return (struct report_text){text, strlen(text)};
}

PyObject *ps_lock_facts_read(struct ps_state *state, bool locals)
{
    struct report_missing missing = {.what = text_of("locks")};
    struct report_process *process, part;
    struct report report;
    PyObject *result;
    bool complete;

    report_init(&report, MEMORY_MAX);
    process = read_twice(state, &report, locals, &complete);
    memset(&part, 0, sizeof(part));
    schema_init(&schema_process, &part);
    part.missing.items = &missing;
    part.missing.count = complete ? 0 : 1;
    missing.why = text_of(process ? "not all could be read" : "they could not be read");
    if (process) {
        if (!locals)
            remove_others(process);
        part.threads.items = process->threads.items;
        part.threads.count = process->threads.count;
        part.objects.items = process->objects.items;
        part.objects.count = process->objects.count;
    }
    result = load(&part);
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
        same = PyObject_RichCompareBool(ps_facts_member(&schema_frame, a, names[i]),
                                        ps_facts_member(&schema_frame, b, names[i]), Py_EQ);
    return same;
}

/* Returns 1 if two threads have the same frames, 0 if not, -1 with an exception. */
static int is_same_stack(PyObject *a, PyObject *b)
{
    PyObject *frames = ps_facts_member(&schema_thread, a, "frames");
    PyObject *others = ps_facts_member(&schema_thread, b, "frames");
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
    PyObject *threads = ps_facts_member(&schema_process, facts, "threads");
    ps_auto PyObject *dict = PyDict_New();
    Py_ssize_t i;

    for (i = 0; dict && PyTuple_CheckExact(threads) && i < PyTuple_GET_SIZE(threads); i++) {
        PyObject *thread = PyTuple_GET_ITEM(threads, i);

        if (PyDict_SetItem(dict, ps_facts_member(&schema_thread, thread, "id"), thread) < 0)
            return NULL;
    }
    return ps_steal(&dict);
}

/* Returns a tuple of the frames of `thread`, with the local variables of the frames of `known`,
 * which has the same frames: a new reference. */
static PyObject *complete_frames(PyObject *thread, PyObject *known)
{
    ps_auto PyObject *frames = PySequence_List(ps_facts_member(&schema_thread, thread, "frames"));
    PyObject *from = ps_facts_member(&schema_thread, known, "frames");
    Py_ssize_t i;

    for (i = 0; frames && i < PyList_GET_SIZE(frames); i++) {
        PyObject *locals = ps_facts_member(&schema_frame, PyTuple_GET_ITEM(from, i), "locals");
        ps_auto PyObject *frame = PySequence_List(PyList_GET_ITEM(frames, i));
        PyObject *made;

        if (!frame || ps_facts_set(&schema_frame, frame, "locals", locals) < 0)
            return NULL;
        made = PyList_AsTuple(frame);
        if (!made || PyList_SetItem(frames, i, made) < 0)
            return NULL;
    }
    return frames ? PyList_AsTuple(frames) : NULL;
}

/* Returns a copy of `thread` that has the members waits and holds of `known`, and the local
 * variables of its frames: a new reference. */
static PyObject *complete_thread(PyObject *thread, PyObject *known)
{
    ps_auto PyObject *list = PySequence_List(thread), *frames = complete_frames(thread, known);

    if (!list || !frames || ps_facts_set(&schema_thread, list, "frames", frames) < 0 ||
        ps_facts_set(&schema_thread, list, "waits",
                     ps_facts_member(&schema_thread, known, "waits")) < 0 ||
        ps_facts_set(&schema_thread, list, "holds",
                     ps_facts_member(&schema_thread, known, "holds")) < 0)
        return NULL;
    return PyList_AsTuple(list);
}

/* Returns a tuple of the threads: a new reference. If a thread has the same frames as in the facts,
 * its members waits and holds are taken from the facts. */
static PyObject *complete_threads(PyObject *threads, PyObject *facts)
{
    ps_auto PyObject *by_id = threads_by_id(facts), *list = PySequence_List(threads);
    Py_ssize_t i;

    for (i = 0; by_id && list && i < PyList_GET_SIZE(list); i++) {
        PyObject *thread = PyList_GET_ITEM(list, i);
        PyObject *known =
            PyDict_GetItemWithError(by_id, ps_facts_member(&schema_thread, thread, "id"));
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

/* Returns the members `missing` of both processes as one tuple: a new reference. */
static PyObject *all_missing(PyObject *process, PyObject *facts)
{
    PyObject *missing = ps_facts_member(&schema_process, process, "missing");
    PyObject *more = ps_facts_member(&schema_process, facts, "missing");

    if (!PyTuple_CheckExact(missing) || !PyTuple_CheckExact(more))
        return ps_new_ref(missing);
    return PySequence_Concat(missing, more);
}

PyObject *ps_lock_facts_add(PyObject *process, PyObject *facts)
{
    ps_auto PyObject *owned = process, *list = NULL, *threads = NULL, *missing = NULL;

    if (!owned)
        return NULL;
    if (!PyTuple_CheckExact(owned))
        return ps_steal(&owned);
    list = PySequence_List(owned);
    threads = complete_threads(ps_facts_member(&schema_process, owned, "threads"), facts);
    missing = all_missing(owned, facts);
    if (!list || !threads || !missing ||
        ps_facts_set(&schema_process, list, "threads", threads) < 0 ||
        ps_facts_set(&schema_process, list, "missing", missing) < 0 ||
        ps_facts_set(&schema_process, list, "objects",
                     ps_facts_member(&schema_process, facts, "objects")) < 0)
        return NULL;
    return PyList_AsTuple(list);
}
