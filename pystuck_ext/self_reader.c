/* SPDX-License-Identifier: BSD-3-Clause */
#include "self_reader.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "current_frames.h"
#include "lock_offsets_check.h"
#include "offsets_check.h"
#include "own_offsets.h"
#include "reference.h"
#include "server.h"

#if PY_VERSION_HEX < 0x030b0000
#include <frameobject.h> /* PyFrame_GetBack */
#endif

/* From 3.11 on, only pycore_runtime.h declares it. */
extern char _PyRuntime[];

#define CHECKED_THREADS 8 /* how many threads of the main interpreter are compared */
#define CHECK_MEMORY    ((size_t)64 << 20) /* the limit for their report, in bytes */
#define CHECK_TRIES     3

/* True if a text that the stack reader has read is equal to the str that Python itself gives for
 * it. True also if the text may have been truncated, or if the str is not valid UTF-8: then a
 * difference does not show that the reader's offsets are wrong. */
static bool is_same_text(struct report_text text, PyObject *str)
{
    Py_ssize_t len;
    const char *utf8 = PyUnicode_Check(str) ? PyUnicode_AsUTF8AndSize(str, &len) : NULL;

    if (!utf8 || (size_t)PyUnicode_GET_LENGTH(str) >= 4096) {
        PyErr_Clear();
        return true;
    }
    return text.data && text.len == (size_t)len && memcmp(text.data, utf8, text.len) == 0;
}

/* True if a text of a frame is equal to an attribute of its code object. */
static bool is_attribute(struct report_text text, PyObject *code, const char *name)
{
    ps_auto PyObject *value = PyObject_GetAttrString(code, name);

    if (value)
        return is_same_text(text, value);
    PyErr_Clear();
    return false;
}

/* True if the line is the one that Python shows. Python's functions return -1 for an instruction
 * without a line. */
static bool is_same_line(int64_t line, PyFrameObject *frame)
{
    int64_t shown = PyFrame_GetLineNumber(frame);

    return line == shown || (line == REPORT_UNKNOWN && shown < 0);
}

static bool is_same_frame(const struct report_frame *f, PyFrameObject *frame)
{
    ps_auto PyObject *code = (PyObject *)PyFrame_GetCode(frame);

#if PY_VERSION_HEX >= 0x030b0000
    if (!is_attribute(f->qualname, code, "co_qualname"))
        return false;
#endif
    return is_same_line(f->line, frame) && is_attribute(f->file, code, "co_filename") &&
           is_attribute(f->function, code, "co_name");
}

/* True if the frames of a thread are `innermost` and its callers. */
static bool is_same_stack(const struct report_thread *t, PyObject *innermost)
{
    ps_auto PyObject *frame = ps_new_ref(innermost), *caller = NULL;
    size_t i = t->frames.count;

    while (frame && i > 0) {
        if (!is_same_frame(&t->frames.items[--i], (PyFrameObject *)frame))
            return false;
        caller = (PyObject *)PyFrame_GetBack((PyFrameObject *)frame);
        Py_SETREF(frame, ps_steal(&caller));
    }
    return !frame && i == 0;
}

/* What Python itself says about threads. */
struct shown {
    PyObject *frames;       /* what ps_current_frames() returns, a dict */
    PyObject *active;       /* threading._active, a dict; NULL: not known */
    PyObject *thread_class; /* threading.Thread; NULL: not known */
    PyObject *main_class;   /* threading._MainThread; NULL: not known */
};

/* Returns an attribute of the module threading, a new reference. Returns NULL, without an
 * exception, if there is none, or if the module has not been imported. */
static PyObject *from_threading(const char *name)
{
    ps_auto PyObject *module_name = PyUnicode_FromString("threading");
    ps_auto PyObject *module = module_name ? PyImport_GetModule(module_name) : NULL;
    PyObject *value =
        module && PyModule_CheckExact(module) ? PyObject_GetAttrString(module, name) : NULL;

    PyErr_Clear();
    return value;
}

/* True if the name that was read is the name of the thread's object in threading._active. True also
 * if the object is of a class of the program, whose attributes may be anything. */
static bool is_same_name(const struct report_thread *t, PyObject *ident, const struct shown *shown)
{
    PyObject *object;
    ps_auto PyObject *name = NULL;

    if (!shown->active || !PyDict_CheckExact(shown->active))
        return true;
    object = PyDict_GetItemWithError(shown->active, ident);
    if (!object)
        return !PyErr_Occurred() && !t->name.data;
    if ((PyObject *)Py_TYPE(object) != shown->thread_class &&
        (PyObject *)Py_TYPE(object) != shown->main_class)
        return true;
    name = PyObject_GetAttrString(object, "_name");
    return name && is_same_text(t->name, name);
}

/* True if a thread of the report is the calling thread, in the interpreter that this thread runs.
 */
static bool is_own(const struct report_thread *t, int64_t interpreter)
{
    return t->interpreter == interpreter &&
           (unsigned long)t->ident == PyThreadState_Get()->thread_id;
}

/* True if the native id that was read may be that of the calling thread. In a child that C code has
 * forked and, in 3.12, in subinterpreters, Python has stored the id of another thread. */
static bool is_native_id(const struct report_thread *t)
{
    return t->native_id == REPORT_UNKNOWN || t->native_id == (int64_t)syscall(SYS_gettid) ||
           t->interpreter != 0 || ps_fork_count() > 0;
}

/* True if what was read of the calling thread, which has the GIL, is what Python shows. */
static bool agrees_on_own(const struct report_process *p, const struct report_thread *t)
{
    const struct report_text *holder = &p->gil->holder;

    return is_same_stack(t, (PyObject *)PyEval_GetFrame()) && holder->data &&
           holder->len == t->id.len && memcmp(holder->data, t->id.data, holder->len) == 0 &&
           is_native_id(t);
}

/* True if a thread has thread states in several interpreters. sys._current_frames() shows only one
 * of them. */
static bool is_in_several(const struct report_process *p, const struct report_thread *t)
{
    size_t i, count = 0;

    for (i = 0; i < p->threads.count; i++)
        count += p->threads.items[i].ident == t->ident;
    return count > 1;
}

/* Compares what was read of a thread with what Python shows. The thread belongs to the
 * interpreter in which the calling thread runs. own: the thread is the calling thread itself.
 * Returns 1 if the thread was read correctly, 0 if not, -1 if it cannot be compared, for example
 * because it has too many frames. */
static int compare(const struct report_process *p, const struct report_thread *t, bool own,
                   const struct shown *shown)
{
    ps_auto PyObject *ident = PyLong_FromUnsignedLong((unsigned long)t->ident);
    PyObject *frame = NULL;

    if (!ident || t->exact != BOOL_TRUE)
        return t->frames.count > 0 ? -1 : 0;
    if (own)
        return agrees_on_own(p, t) && is_same_name(t, ident, shown);
    if (!is_in_several(p, t))
        frame = PyDict_GetItemWithError(shown->frames, ident);
    return frame ? is_same_stack(t, frame) && is_same_name(t, ident, shown) : -1;
}

/* True if each thread that Python shows was read. */
static bool has_all(const struct report_process *p, PyObject *frames)
{
    PyObject *ident, *frame;
    Py_ssize_t at = 0;
    size_t i;

    while (PyDict_Next(frames, &at, &ident, &frame)) {
        unsigned long wanted = PyLong_AsUnsignedLong(ident);

        for (i = 0; i < p->threads.count && (unsigned long)p->threads.items[i].ident != wanted; i++)
            ;
        if (i == p->threads.count)
            return false;
    }
    return true;
}

/* True if each thread of the interpreter has the stack and the name that Python shows, and at least
 * one was compared. No other thread of the interpreter runs Python code meanwhile, since this
 * thread has the GIL. Other interpreters may have a GIL of their own. complete: all threads were
 * read. */
static bool agrees(const struct report_process *p, const struct shown *shown, bool complete)
{
    int64_t interpreter = PyInterpreterState_GetID(PyInterpreterState_Get());
    size_t i, compared = 0, others = 0;
    int result;

    for (i = 0; i < p->threads.count; i++) {
        const struct report_thread *t = &p->threads.items[i];

        others += t->interpreter != interpreter;
        if (t->interpreter != interpreter)
            continue;
        result = compare(p, t, is_own(t, interpreter), shown);
        PyErr_Clear();
        if (result == 0)
            return false;
        compared += result > 0;
    }
    return compared > 0 && (!complete || others > 0 || has_all(p, shown->frames));
}

static bool agrees_with_python(const struct report_process *p, bool complete)
{
    ps_auto PyObject *frames = ps_current_frames();
    ps_auto PyObject *active = from_threading("_active");
    ps_auto PyObject *thread_class = from_threading("Thread");
    ps_auto PyObject *main_class = from_threading("_MainThread");
    struct shown shown = {frames, active, thread_class, main_class};

    PyErr_Clear();
    return frames && PyDict_Check(frames) && agrees(p, &shown, complete);
}

static bool reads_right(struct stackreader *r)
{
    PyInterpreterState *own = PyInterpreterState_Get();
    bool is_main = own == PyInterpreterState_Main(); /* its threads are read first */
    struct stackreader_wish wish = {.states = true,
                                    .max_threads = is_main ? CHECKED_THREADS : 0,
                                    .interpreter = (uint64_t)(uintptr_t)own};
    struct arena arena = {.max = CHECK_MEMORY};
    struct report_process process = {0};
    enum stackreader_result result = stackreader_read(r, &arena, &process, &wish);
    bool right = result != STACKREADER_NONE && process.gil && process.gil->state == GIL_HELD &&
                 agrees_with_python(&process, result == STACKREADER_ALL);

    arena_free(&arena);
    return right;
}

/* True if the reader reads the threads correctly. Tries several times, because an audit hook, or a
 * finalizer that the garbage collector calls, may let other threads run between the reading and the
 * comparison. */
static bool is_right(struct stackreader *r)
{
    int i;

    for (i = 0; i < CHECK_TRIES; i++) {
        if (reads_right(r))
            return true;
    }
    return false;
}

struct stackreader *ps_self_reader_new(const struct offsets *offsets, const char **why)
{
    struct python python = {memory_self(), offsets, (uint64_t)(uintptr_t)_PyRuntime};
    struct stackreader *r = stackreader_new(&python.memory, offsets, python.runtime, why);

    if (!r)
        return NULL;
    if (!ps_offsets_agree(offsets))
        *why = "pystuck was built for another release of Python";
    else
        *why = ps_offsets_check(&python);
    if (!*why && !is_right(r))
        *why = "the stacks that were read differ from those that Python shows";
    if (*why) {
        stackreader_free(r);
        return NULL;
    }
    *why = ps_lock_offsets_check(&python);
    if (*why)
        stackreader_refuse_locks(r);
    return r;
}

struct stackreader *ps_self_reader_again(const struct offsets *offsets, bool locks,
                                         const char **why)
{
    struct memory memory = memory_self();
    struct stackreader *r = stackreader_new(&memory, offsets, (uint64_t)(uintptr_t)_PyRuntime, why);

    if (r && !locks)
        stackreader_refuse_locks(r);
    return r;
}
