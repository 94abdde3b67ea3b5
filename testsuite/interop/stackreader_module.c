/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A Python module for the tests of the stack reader: reads the stacks of its own process on a
 * native thread, while the GIL is held, or while Python runs.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "image.h"
#include "known_offsets.h"
#include "locate.h"
#include "lock_offsets_check.h"
#include "memory_limit.h"
#include "memory_pid.h"
#include "offsets_check.h"
#include "own_offsets.h"
#include "self_reader.h"
#include "server.h"

extern char _PyRuntime[];

static struct stackreader *reader;
static struct arena arena;
static struct report_process process;

static PyObject *text_object(struct report_text text)
{
    if (!text.data)
        Py_RETURN_NONE;
    return PyUnicode_DecodeUTF8(text.data, (Py_ssize_t)text.len, NULL);
}

static PyObject *int_object(int64_t value)
{
    if (value == REPORT_UNKNOWN)
        Py_RETURN_NONE;
    return PyLong_FromLongLong(value);
}

static PyObject *bool_object(int value)
{
    if (!value)
        Py_RETURN_NONE;
    return PyBool_FromLong(value == BOOL_TRUE);
}

/* (file, line, function, qualname) of each frame. */
static PyObject *frames_object(const struct report_thread *t)
{
    PyObject *list, *item;
    size_t i;

    if (!t->frames.items)
        Py_RETURN_NONE;
    list = PyList_New(0);
    for (i = 0; list && i < t->frames.count; i++) {
        const struct report_frame *f = &t->frames.items[i];

        item = Py_BuildValue("(NNNN)", text_object(f->file), int_object(f->line),
                             text_object(f->function), text_object(f->qualname));
        if (!item || PyList_Append(list, item) < 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

/* (object, kind, certainty, index of the frame) of what a thread waits for, or None. */
static PyObject *wait_object(const struct report_wait *w)
{
    if (!w)
        Py_RETURN_NONE;
    return Py_BuildValue("(NNiNN)", text_object(w->object), text_object(w->kind), w->certainty,
                         int_object(w->frame), text_object(w->words));
}

/* (object, certainty, by, line) of each object that a thread holds, or None. */
static PyObject *holds_object(const struct report_thread *t)
{
    PyObject *list, *item;
    size_t i;

    if (!t->holds.items)
        Py_RETURN_NONE;
    list = PyList_New(0);
    for (i = 0; list && i < t->holds.count; i++) {
        const struct report_hold *h = &t->holds.items[i];

        item = Py_BuildValue("(NiiN)", text_object(h->object), h->certainty, h->by,
                             int_object(h->since ? h->since->line : REPORT_UNKNOWN));
        if (!item || PyList_Append(list, item) < 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

/* {name: value} of what else is known about an object. */
static PyObject *detail_object(const struct report_object *o)
{
    PyObject *dict = PyDict_New(), *name, *value;
    size_t i;

    for (i = 0; dict && i < o->detail.count; i++) {
        name = text_object(o->detail.items[i].name);
        value = text_object(o->detail.items[i].value);
        if (!name || !value || PyDict_SetItem(dict, name, value) < 0)
            Py_CLEAR(dict);
        Py_XDECREF(name);
        Py_XDECREF(value);
    }
    return dict;
}

/* {id: (kind, type, words, [holder, ...], status, detail)} of each object. */
static PyObject *objects_object(void)
{
    PyObject *dict = PyDict_New(), *item, *id;
    size_t i, j;

    for (i = 0; dict && i < process.objects.count; i++) {
        const struct report_object *o = &process.objects.items[i];
        PyObject *holders = PyList_New(0);

        for (j = 0; holders && j < o->holders.count; j++) {
            item = text_object(o->holders.items[j]);
            PyList_Append(holders, item);
            Py_DECREF(item);
        }
        id = text_object(o->id);
        item = Py_BuildValue("(NNNNiN)", text_object(o->kind), text_object(o->type),
                             text_object(o->words), holders, o->holder_status, detail_object(o));
        if (!item || PyDict_SetItem(dict, id, item) < 0)
            Py_CLEAR(dict);
        Py_DECREF(id);
        Py_XDECREF(item);
    }
    return dict;
}

static PyObject *thread_object(const struct report_thread *t)
{
    return Py_BuildValue(
        "{sNsNsNsNsNsNsNsNsNsNsNsN}", "id", text_object(t->id), "ident", int_object(t->ident),
        "native_id", int_object(t->native_id), "interpreter", int_object(t->interpreter), "name",
        text_object(t->name), "repr", text_object(t->repr), "main", bool_object(t->main), "daemon",
        bool_object(t->daemon), "exact", bool_object(t->exact), "frames", frames_object(t), "waits",
        wait_object(t->waits), "holds", holds_object(t));
}

/* ([thread, ...], state of the GIL, id of its holder or None, objects) */
static PyObject *process_object(void)
{
    PyObject *list = PyList_New(0), *item;
    size_t i;

    for (i = 0; list && i < process.threads.count; i++) {
        item = thread_object(&process.threads.items[i]);
        if (!item || PyList_Append(list, item) < 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return Py_BuildValue("(NiNN)", list, process.gil->state, text_object(process.gil->holder),
                         objects_object());
}

static long long reads; /* how often memory was read: each time is a system call */
static struct memory own_memory;

static bool read_and_count(const struct memory *m, const struct memory_piece *pieces, size_t count)
{
    reads++;
    return own_memory.read(m, pieces, count);
}

static bool open_reader(void)
{
    struct memory memory;
    const char *why;

    if (reader)
        return true;
    if (!ps_offsets_agree(&ps_own_offsets)) {
        PyErr_SetString(PyExc_RuntimeError, "Python itself publishes other offsets");
        return false;
    }
    memory = own_memory = memory_self();
    memory.read = read_and_count;
    reader = stackreader_new(&memory, &ps_own_offsets, (uint64_t)(uintptr_t)_PyRuntime, &why);
    if (!reader)
        PyErr_SetString(PyExc_RuntimeError, why);
    return reader;
}

static bool read_wish(const struct stackreader_wish *wish)
{
    arena_free(&arena);
    arena.max = 64 << 20;
    memset(&process, 0, sizeof(process));
    return stackreader_read(reader, &arena, &process, wish) == STACKREADER_ALL;
}

static bool read_all(void)
{
    static const struct stackreader_wish wish = {.locks = true, .locals = true};

    return read_wish(&wish);
}

static void *read_on_thread(void *result)
{
    *(bool *)result = read_all();
    return NULL;
}

/* read(): reads on a native thread, while this one keeps the GIL. */
static PyObject *read_held(PyObject *self, PyObject *none)
{
    pthread_t thread;
    bool done = false;

    (void)self;
    (void)none;
    if (!open_reader())
        return NULL;
    if (pthread_create(&thread, NULL, read_on_thread, &done) != 0)
        return PyErr_NoMemory();
    pthread_join(thread, NULL);
    if (!done)
        return PyErr_Format(PyExc_RuntimeError, "cannot read");
    return process_object();
}

static int64_t cpu_time(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* cost(times, locks) -> (the least CPU time of one reading in seconds, how often the last one read
 * memory). This thread keeps the GIL. */
static PyObject *cost(PyObject *self, PyObject *args)
{
    struct stackreader_wish wish = {0};
    int64_t start, used, least = INT64_MAX;
    int times, locks;

    (void)self;
    if (!PyArg_ParseTuple(args, "ip", &times, &locks) || !open_reader())
        return NULL;
    wish.locks = locks;
    while (times-- > 0) {
        start = cpu_time();
        reads = 0;
        if (!read_wish(&wish))
            return PyErr_Format(PyExc_RuntimeError, "cannot read");
        used = cpu_time() - start;
        least = used < least ? used : least;
    }
    return Py_BuildValue("(dL)", (double)least / 1e9, reads);
}

/* ---- While Python runs ----------------------------------------------------------------------- */

#define SEEN_MAX 0x40000 /* a power of 2 */

static char *seen[SEEN_MAX];
static size_t counts[3]; /* exact, moving, unreadable */

/* "function:line" of each frame, the outermost first, with blanks between. */
static char *stack_text(const struct report_thread *t)
{
    char *text = NULL;
    size_t size, i;
    FILE *out = open_memstream(&text, &size);

    for (i = 0; i < t->frames.count; i++) {
        const struct report_frame *f = &t->frames.items[i];

        fprintf(out, "%s%.*s:%lld", i > 0 ? " " : "", (int)f->function.len, f->function.data,
                (long long)f->line);
    }
    fclose(out);
    return text;
}

static void remember(char *text)
{
    uint64_t hash = 0;
    const char *c;
    size_t i;

    for (c = text; *c; c++)
        hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
    for (i = hash % SEEN_MAX; seen[i]; i = (i + 1) % SEEN_MAX) {
        if (strcmp(seen[i], text) == 0) {
            free(text);
            return;
        }
    }
    seen[i] = text;
}

static void count_threads(long long skip)
{
    const struct report_thread *t;

    for (t = process.threads.items; t < process.threads.items + process.threads.count; t++) {
        if (t->ident == skip)
            continue;
        if (!t->frames.items) {
            counts[2]++;
        } else if (t->exact != BOOL_TRUE) {
            counts[1]++;
        } else {
            counts[0]++;
            remember(stack_text(t));
        }
    }
}

/* churn(walks, ident) -> (exact, moving, unreadable, [text of each exact stack]): reads, without
 * the GIL, until so many stacks of other threads than `ident` were read. */
static PyObject *churn(PyObject *self, PyObject *args)
{
    unsigned long long walks;
    long long skip;
    PyObject *list;
    size_t i;

    (void)self;
    if (!PyArg_ParseTuple(args, "KL", &walks, &skip) || !open_reader())
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    while (counts[0] + counts[1] + counts[2] < walks) {
        if (read_all())
            count_threads(skip);
    }
    Py_END_ALLOW_THREADS
    list = PyList_New(0);
    for (i = 0; list && i < SEEN_MAX; i++) {
        PyObject *text = seen[i] ? PyUnicode_FromString(seen[i]) : NULL;

        if (text)
            PyList_Append(list, text);
        Py_XDECREF(text);
    }
    return Py_BuildValue("(nnnN)", (Py_ssize_t)counts[0], (Py_ssize_t)counts[1],
                         (Py_ssize_t)counts[2], list);
}

/* ---- Other processes ------------------------------------------------------------------------- */

/* attach(pid): the calls of churn() that follow read this process, from outside. */
static PyObject *attach(PyObject *self, PyObject *args)
{
    static struct memory_pid source;
    static struct located python;
    static char maps[1 << 20];
    struct mappings mappings;
    struct memory memory;
    const char *why = "no Python was found";
    char path[64];
    FILE *file;
    int pid;

    (void)self;
    if (!PyArg_ParseTuple(args, "i", &pid))
        return NULL;
    if (memory_pid_open(&source, pid) != 0)
        return PyErr_Format(PyExc_RuntimeError, "cannot open process %d", pid);
    memory_pid_path(&source, "maps", path, sizeof(path));
    file = fopen(path, "r");
    maps[fread(maps, 1, sizeof(maps) - 1, file)] = '\0';
    fclose(file);
    mappings_parse(&mappings, maps, strlen(maps));
    memory = memory_pid(&source);
    if (locate_pythons(&memory, &mappings, NULL, &python, 1) == 1 &&
        python.state == PYTHON_READABLE)
        reader = stackreader_new(&memory, &python.offsets, python.runtime, &why);
    mappings_free(&mappings);
    if (!reader)
        return PyErr_Format(PyExc_RuntimeError, "%s", why);
    Py_RETURN_NONE;
}

/* known() -> whether the offsets that are known of this version are those in its headers */
static PyObject *known(PyObject *self, PyObject *none)
{
    struct offsets offsets = {0};

    (void)self;
    (void)none;
#if PY_VERSION_HEX >= 0x030d0000
    uint32_t version;

    if (known_debug_offsets(_PyRuntime, DEBUG_OFFSETS_SIZE, &offsets, &version) != KNOWN_OK ||
        version != PY_VERSION_HEX)
        return PyErr_Format(PyExc_RuntimeError, "the debug offsets are not known");
#else
    if (!known_offsets(PY_MINOR_VERSION, &offsets))
        return PyErr_Format(PyExc_RuntimeError, "there is no table for this version");
#endif
    return PyBool_FromLong(
        memcmp((const void *)&offsets, (const void *)&ps_own_offsets, sizeof(offsets)) == 0);
}

/* ---- An image -------------------------------------------------------------------------------- */

/* record(path): writes an image of the memory that is read for all stacks (image.h), while this
 * thread keeps the GIL. Returns the number of threads. */
static PyObject *record(PyObject *self, PyObject *args)
{
    struct memory memory = image_begin();
    const char *path, *why;
    bool done;

    (void)self;
    if (!PyArg_ParseTuple(args, "s", &path))
        return NULL;
    reader = stackreader_new(&memory, &ps_own_offsets, (uint64_t)(uintptr_t)_PyRuntime, &why);
    done =
        reader && read_all() && image_write(path, &ps_own_offsets, (uint64_t)(uintptr_t)_PyRuntime);
    stackreader_free(reader);
    reader = NULL;
    if (!done)
        return PyErr_Format(PyExc_RuntimeError, "cannot record");
    return PyLong_FromSize_t(process.threads.count);
}

/* ---- Wrong offsets --------------------------------------------------------------------------- */

/* Replaces the function of server.c: the programs of these tests do not fork. */
unsigned ps_fork_count(void)
{
    return 0;
}

/* check(changes) -> (reason, reason, reason): the reasons, or None, why run_server,
 * ps_offsets_check alone and ps_lock_offsets_check alone would not use offsets in which ints were
 * changed. changes: pairs of an index in struct offsets and the new value. */
static PyObject *check(PyObject *self, PyObject *changes)
{
    struct offsets offsets = ps_own_offsets;
    struct python python = {memory_self(), &offsets, (uint64_t)(uintptr_t)_PyRuntime};
    const char *why, *alone, *locks;
    Py_ssize_t i;

    (void)self;
    for (i = 0; i < PyList_Size(changes); i++) {
        int index, value;

        if (!PyArg_ParseTuple(PyList_GetItem(changes, i), "ii", &index, &value))
            return NULL;
        memcpy((char *)&offsets + sizeof(int) * (size_t)index, &value, sizeof(value));
    }
    alone = ps_offsets_check(&python);
    locks = ps_lock_offsets_check(&python);
    stackreader_free(ps_self_reader_new(&offsets, &why));
    return Py_BuildValue("(zzz)", why, alone, locks);
}

/* offsets() -> the ints of struct offsets. */
static PyObject *list_offsets(PyObject *self, PyObject *none)
{
    size_t count = sizeof(ps_own_offsets) / sizeof(int), i;
    PyObject *list = PyList_New(0);

    (void)self;
    (void)none;
    for (i = 0; list && i < count; i++) {
        int value;
        PyObject *number;

        memcpy(&value, (const char *)&ps_own_offsets + sizeof(int) * i, sizeof(value));
        number = PyLong_FromLong(value);
        if (!number || PyList_Append(list, number) < 0)
            Py_CLEAR(list);
        Py_XDECREF(number);
    }
    return list;
}

static PyMethodDef methods[] = {{"read", read_held, METH_NOARGS, NULL},
                                {"record", record, METH_VARARGS, NULL},
                                {"churn", churn, METH_VARARGS, NULL},
                                {"attach", attach, METH_VARARGS, NULL},
                                {"cost", cost, METH_VARARGS, NULL},
                                {"known", known, METH_NOARGS, NULL},
                                {"check", check, METH_O, NULL},
                                {"offsets", list_offsets, METH_NOARGS, NULL},
                                {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "stackreader_module", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_stackreader_module(void)
{
    return PyModule_Create(&module);
}
