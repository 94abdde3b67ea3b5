/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "current_frames.h"
#include "facts.h"
#include "gil.h"
#include "pybrine.h"
#include "schema.h"

/* ---- Tuples of report/codec.h ---------------------------------------------------------------- */

/* Returns the index that a member of a struct has in the tuple that encodes the struct. */
static Py_ssize_t index_of(const struct schema *schema, const char *name)
{
    const struct field *f = schema->fields;

    while (strcmp(f->name, name) != 0)
        f++;
    return f - schema->fields;
}

/* Returns a member of a struct that is encoded as a tuple, as a borrowed reference. Returns None if
 * the tuple is too short, or if the object is not a tuple. */
static PyObject *member(const struct schema *schema, PyObject *tuple, const char *name)
{
    Py_ssize_t index = index_of(schema, name);

    if (!PyTuple_CheckExact(tuple) || PyTuple_GET_SIZE(tuple) <= index)
        return Py_None;
    return PyTuple_GET_ITEM(tuple, index);
}

/* Sets a member of a struct whose encoding is in a list. If the list is too short, first appends
 * None items. Returns 0, or -1 with an exception. */
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

/* Converts a process to the tuple that report/codec.h describes: a new reference, or NULL with an
 * exception. brine: a buffer for the encoding; the contents of the buffer are lost. */
static PyObject *load(const struct report_process *process, struct buffer *brine)
{
    struct brine_reader reader;
    PyObject *result;

    buffer_clear(brine);
    report_write(brine, process);
    if (brine->failed)
        return PyErr_NoMemory();
    brine_read(&reader, brine->data, brine->len);
    result = ps_load(&reader);
    return result ? result : ps_load_error(&reader);
}

/* ---- Comparing frames ------------------------------------------------------------------------ */

/* True if object is a str with this text, or if object is None and the text is unknown. If there is
 * no memory, returns false with an exception. */
static bool is_text(PyObject *object, struct report_text text)
{
    Py_ssize_t len;
    const char *data;

    if (!text.data || !PyUnicode_CheckExact(object))
        return !text.data && object == Py_None;
    data = PyUnicode_AsUTF8AndSize(object, &len);
    return data && (size_t)len == text.len && memcmp(data, text.data, text.len) == 0;
}

static bool is_number(PyObject *object, int64_t number)
{
    if (!PyLong_CheckExact(object))
        return number == REPORT_UNKNOWN && object == Py_None;
    return PyLong_AsLongLong(object) == number;
}

static bool is_same_frame(PyObject *frame, const struct report_frame *other)
{
    return is_number(member(&schema_frame, frame, "line"), other->line) &&
           is_text(member(&schema_frame, frame, "function"), other->function) &&
           is_text(member(&schema_frame, frame, "file"), other->file);
}

/* True if the frames of `known` from the index `first` on begin with all items of `frames`, a
 * tuple. */
static bool has_frames_at(const struct report_thread *known, size_t first, PyObject *frames)
{
    Py_ssize_t i;

    for (i = PyTuple_GET_SIZE(frames); i > 0; i--) {
        if (!is_same_frame(PyTuple_GET_ITEM(frames, i - 1),
                           &known->frames.items[first + (size_t)i - 1]))
            return false;
    }
    return true;
}

/* Compares the frames of the tuple `thread` with those of `known`, a thread of the facts. Returns
 * the index in `known` of the outermost frame of the tuple; -1 if `known` does not have the frames
 * of the tuple. If the thread has frames in several interpreters, the tuple has the frames of only
 * one of them, which are the outermost or the innermost frames of the thread. */
static Py_ssize_t find_frames(PyObject *thread, const struct report_thread *known)
{
    PyObject *frames = member(&schema_thread, thread, "frames");
    size_t count, rest;

    if (!PyTuple_CheckExact(frames))
        return -1;
    count = (size_t)PyTuple_GET_SIZE(frames);
    if (count > known->frames.count || (count == 0 && known->frames.count > 0))
        return -1;
    rest = known->frames.count - count;
    if (has_frames_at(known, 0, frames))
        return 0;
    return rest > 0 && has_frames_at(known, rest, frames) ? (Py_ssize_t)rest : -1;
}

/* ---- Threads --------------------------------------------------------------------------------- */

/* The threads of the facts, in the order of their idents. */
struct known {
    const struct report_thread **items;
    size_t count;
    bool locals; /* their frames have local variables */
    struct buffer brine;
};

static int compare_idents(const void *left, const void *right)
{
    const struct report_thread *a = *(const struct report_thread *const *)left;
    const struct report_thread *b = *(const struct report_thread *const *)right;

    return (a->ident > b->ident) - (a->ident < b->ident);
}

/* Fills *k with the threads of the facts. Returns 0, or -1 with an exception. */
static int sort_known(struct known *k, const struct ps_facts *f)
{
    size_t count = f->process->threads.count;

    *k = (struct known){.items = calloc(count + 1, sizeof(struct report_thread *)),
                        .locals = f->locals};
    if (!k->items) {
        PyErr_NoMemory();
        return -1;
    }
    for (k->count = 0; k->count < count; k->count++)
        k->items[k->count] = &f->process->threads.items[k->count];
    qsort(k->items, count, sizeof(struct report_thread *), compare_idents);
    return 0;
}

static void free_known(struct known *k)
{
    free(k->items);
    buffer_free(&k->brine);
}

/* Returns the thread of the facts that has the ident of the tuple `thread`; NULL if there is no
 * such thread. If a thread has states in several interpreters, the facts have several threads with
 * this ident. In this case, prefers a thread that has the frames of the tuple. Sets *at to the
 * result of find_frames. */
static const struct report_thread *find_known(const struct known *k, PyObject *thread,
                                              Py_ssize_t *at)
{
    PyObject *ident = member(&schema_thread, thread, "ident");
    const struct report_thread key = {.ident = PyLong_CheckExact(ident) ? PyLong_AsLongLong(ident)
                                                                        : REPORT_UNKNOWN};
    const struct report_thread *wanted = &key, **found;
    size_t i;

    *at = -1;
    found = bsearch(&wanted, k->items, k->count, sizeof(*k->items), compare_idents);
    if (!found)
        return NULL;
    i = (size_t)(found - k->items);
    while (i > 0 && k->items[i - 1]->ident == key.ident)
        i--;
    for (; i < k->count && k->items[i]->ident == key.ident; i++) {
        *at = find_frames(thread, k->items[i]);
        if (*at >= 0)
            return k->items[i];
    }
    return *found;
}

/* Copies the member `name` of the thread `from`, a tuple, to the thread `list`. If the member is
 * None, does nothing. Returns 0, or -1 with an exception. */
static int copy_member(PyObject *list, PyObject *from, const char *name)
{
    PyObject *value = member(&schema_thread, from, name);

    return value == Py_None ? 0 : set_member(&schema_thread, list, name, value);
}

/* Sets the frames of the thread `list` to the frames of the thread `from`, except that the frames
 * from the index `at` on are replaced by copies of the frames of the thread `thread`. The local
 * variables of the replaced frames are added to these copies. list, thread and from are encoded
 * threads. Returns 0, or -1 with an exception. */
static int set_frames(PyObject *list, PyObject *thread, PyObject *from, Py_ssize_t at)
{
    ps_auto PyObject *frames = PySequence_List(member(&schema_thread, from, "frames"));
    ps_auto PyObject *tuple = NULL;
    PyObject *known = member(&schema_thread, thread, "frames");
    Py_ssize_t i;

    for (i = 0; frames && i < PyTuple_GET_SIZE(known); i++) {
        ps_auto PyObject *frame = PySequence_List(PyTuple_GET_ITEM(known, i));
        PyObject *made, *other = PyList_GET_ITEM(frames, at + i);

        if (!frame ||
            set_member(&schema_frame, frame, "locals", member(&schema_frame, other, "locals")) < 0)
            return -1;
        made = PyList_AsTuple(frame);
        if (!made || PyList_SetItem(frames, at + i, made) < 0)
            return -1;
    }
    tuple = frames ? PyList_AsTuple(frames) : NULL;
    return tuple ? set_member(&schema_thread, list, "frames", tuple) : -1;
}

/* True if the thread of the facts has frames that the tuple does not have. */
static bool has_more_frames(const struct report_thread *known, PyObject *thread)
{
    PyObject *frames = member(&schema_thread, thread, "frames");

    return known->frames.count > (size_t)PyTuple_GET_SIZE(frames);
}

/* Returns a copy of the tuple `thread`, with the facts in `known` added: a new reference. at: the
 * result of find_frames. */
static PyObject *complete_thread(PyObject *thread, const struct report_thread *known, Py_ssize_t at,
                                 struct known *k)
{
    static const char *const names[] = {"native_id", "state", "cpu",     "syscall",
                                        "waits",     "holds", "switches"};
    ps_auto PyObject *list = PySequence_List(thread), *facts = NULL;
    struct report_process part = {0};
    struct report_thread copy = *known;
    PyObject *from;
    size_t i;

    schema_init(&schema_process, &part);
    if (at < 0 || !(k->locals || has_more_frames(known, thread)))
        copy.frames.items = NULL;
    if (copy.interpreter != 0)
        copy.native_id = REPORT_UNKNOWN; /* in subinterpreters, it may be that of another thread */
    if (at < 0) {
        copy.waits = NULL;
        copy.holds.items = NULL;
    }
    part.threads.items = &copy;
    part.threads.count = 1;
    facts = list ? load(&part, &k->brine) : NULL;
    if (!facts)
        return NULL;
    from = PyTuple_GET_ITEM(member(&schema_process, facts, "threads"), 0);
    for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (copy_member(list, from, names[i]) < 0)
            return NULL;
    }
    if (copy.frames.items && set_frames(list, thread, from, at) < 0)
        return NULL;
    if (copy.frames.items && has_more_frames(known, thread) && copy_member(list, from, "exact") < 0)
        return NULL;
    return PyList_AsTuple(list);
}

/* Returns a tuple of the threads with the facts about them: a new reference. */
static PyObject *complete_threads(PyObject *threads, struct known *k)
{
    ps_auto PyObject *list = PySequence_List(threads);
    Py_ssize_t i;

    for (i = 0; list && i < PyList_GET_SIZE(list); i++) {
        PyObject *thread = PyList_GET_ITEM(list, i);
        const struct report_thread *known;
        Py_ssize_t at;

        ps_gil_share();
        known = find_known(k, thread, &at);
        if (!known && !PyErr_Occurred())
            continue;
        thread = PyErr_Occurred() ? NULL : complete_thread(thread, known, at, k);
        if (!thread || PyList_SetItem(list, i, thread) < 0)
            return NULL;
    }
    return list ? PyList_AsTuple(list) : NULL;
}

/* ---- The process ----------------------------------------------------------------------------- */

/* Returns the facts that are not about a thread, as a process: a new reference. */
static PyObject *load_common(const struct ps_facts *f, struct buffer *brine)
{
    struct report_process part = {0};

    schema_init(&schema_process, &part);
    part.objects.items = f->process->objects.items;
    part.objects.count = f->process->objects.count;
    part.shortage.items = f->process->shortage.items;
    part.shortage.count = f->process->shortage.count;
    part.missing.items = f->process->missing.items;
    part.missing.count = f->process->missing.count;
    part.others.items = f->process->others.items;
    part.others.count = f->process->others.count;
    part.exiting = f->process->exiting;
    return load(&part, brine);
}

/* Joins two lists, each of which is a tuple, or None if it is unknown. Returns a new reference. */
static PyObject *join(PyObject *list, PyObject *more)
{
    if (!PyTuple_CheckExact(more))
        return ps_new_ref(list);
    return PyTuple_CheckExact(list) ? PySequence_Concat(list, more) : ps_new_ref(more);
}

/* Returns what is missing in the answer: a new reference. Threads that ps_current_frames() has left
 * out are missing, too. */
static PyObject *all_missing(PyObject *process, PyObject *common)
{
    ps_auto PyObject *all = join(member(&schema_process, process, "missing"),
                                 member(&schema_process, common, "missing"));
    ps_auto PyObject *others = NULL;

    if (!all || !ps_has_other_gil())
        return ps_steal(&all);
    others = Py_BuildValue("((ss))", "threads of other interpreters",
                           "each of these interpreters has its own GIL");
    return others ? join(all, others) : NULL;
}

/* Returns the objects of the facts (common) and the objects that asyncio tasks use (process): a new
 * reference. Both lists may describe the same object (report/unite_objects.h). */
static PyObject *all_objects(PyObject *process, PyObject *common)
{
    return join(member(&schema_process, common, "objects"),
                member(&schema_process, process, "objects"));
}

static PyObject *complete(PyObject *process, const struct ps_facts *f, struct known *k)
{
    ps_auto PyObject *list = PySequence_List(process), *threads = NULL, *missing = NULL;
    ps_auto PyObject *common = list ? load_common(f, &k->brine) : NULL, *objects = NULL;

    if (!common)
        return NULL;
    threads = complete_threads(member(&schema_process, process, "threads"), k);
    missing = threads ? all_missing(process, common) : NULL;
    objects = missing ? all_objects(process, common) : NULL;
    if (!objects || set_member(&schema_process, list, "threads", threads) < 0 ||
        set_member(&schema_process, list, "missing", missing) < 0 ||
        set_member(&schema_process, list, "objects", objects) < 0 ||
        set_member(&schema_process, list, "shortage", member(&schema_process, common, "shortage")) <
            0 ||
        set_member(&schema_process, list, "others", member(&schema_process, common, "others")) <
            0 ||
        set_member(&schema_process, list, "exiting", member(&schema_process, common, "exiting")) <
            0)
        return NULL;
    return PyList_AsTuple(list);
}

PyObject *ps_facts_add(struct ps_facts *f, PyObject *process)
{
    ps_auto PyObject *owned = process;
    PyObject *result;
    struct known k;

    if (!owned || !PyTuple_CheckExact(owned) || !f->process)
        return ps_steal(&owned);
    if (sort_known(&k, f) < 0)
        return NULL;
    result = complete(owned, f, &k);
    free_known(&k);
    return result;
}
