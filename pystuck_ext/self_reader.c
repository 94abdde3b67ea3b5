/* SPDX-License-Identifier: BSD-3-Clause */
#include "self_reader.h"

#include <string.h>

#include "own_offsets.h"
#include "reference.h"

#if PY_VERSION_HEX < 0x030b0000
#include <frameobject.h> /* PyFrame_GetBack */
#endif

/* From 3.11 on, only pycore_runtime.h declares it. */
extern char _PyRuntime[];

#define CHECKED_THREADS 8                  /* the maximum number of stacks that are compared */
#define CHECK_MEMORY    ((size_t)64 << 20) /* for their reports, in bytes */

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

static bool is_same_frame(const struct report_frame *f, PyFrameObject *frame)
{
    ps_auto PyObject *code = (PyObject *)PyFrame_GetCode(frame);
    ps_auto PyObject *file = PyObject_GetAttrString(code, "co_filename");
    ps_auto PyObject *name = PyObject_GetAttrString(code, "co_name");

    if (!file || !name) {
        PyErr_Clear();
        return false;
    }
    return f->line == PyFrame_GetLineNumber(frame) && is_same_text(f->file, file) &&
           is_same_text(f->function, name);
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

/* True if each thread that was read has the stack that Python shows, and at least one was read. No
 * other thread runs Python code meanwhile, since this thread has the GIL. */
static bool agrees(const struct report_process *p)
{
    ps_auto PyObject *function = ps_import_from("sys", "_current_frames");
    ps_auto PyObject *all = function ? PyObject_CallObject(function, NULL) : NULL;
    size_t i, compared = 0;

    for (i = 0; all && PyDict_Check(all) && i < p->threads.count; i++) {
        const struct report_thread *t = &p->threads.items[i];
        ps_auto PyObject *ident = PyLong_FromLongLong(t->ident);
        PyObject *frame = ident ? PyDict_GetItemWithError(all, ident) : NULL;

        if (!frame || !t->frames.items || t->exact != BOOL_TRUE)
            continue;
        if (!is_same_stack(t, frame))
            return false;
        compared++;
    }
    PyErr_Clear();
    return compared > 0;
}

static bool is_right(struct stackreader *r)
{
    struct stackreader_wish wish = {.max_threads = CHECKED_THREADS};
    struct arena arena = {.max = CHECK_MEMORY};
    struct report_process process = {0};
    bool right = stackreader_read(r, &arena, &process, &wish) != STACKREADER_NONE && process.gil &&
                 process.gil->state == GIL_HELD && agrees(&process);

    arena_free(&arena);
    return right;
}

struct stackreader *ps_self_reader_new(const struct offsets *offsets, const char **why)
{
    struct memory memory = memory_self();
    struct stackreader *r = stackreader_new(&memory, offsets, (uint64_t)(uintptr_t)_PyRuntime, why);

    if (!r)
        return NULL;
    if (!ps_offsets_agree(offsets))
        *why = "pystuck was built for another release of Python";
    else if (!is_right(r))
        *why = "the stacks that were read are not those that Python shows";
    if (!*why)
        return r;
    stackreader_free(r);
    return NULL;
}
