/* SPDX-License-Identifier: BSD-3-Clause */
#include "offsets_check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "native_thread.h"
#include "stackreader/code.h"
#include "stackreader/dicts.h"
#include "stackreader/frames.h"
#include "stackreader/gil.h"
#include "stackreader/objects.h"
#include "thread.h"

#if PY_VERSION_HEX < 0x030b0000
#include <frameobject.h> /* PyFrame_GetBack */
#else
#include <opcode.h> /* RESUME */
#endif

#define FRAMES_MAX 64 /* how many frames of the calling thread are compared */
#define CHUNK_ROOM 65536

/* ---- The lists of interpreters and threads --------------------------------------------------- */

#define FAKE_SIZE ((size_t)4 << 20) /* more than any struct of CPython has */
#define MARK      UINT64_C(0x5eed5eed5eed)

/* Writes a mark into an otherwise zeroed struct, at an offset. Returns false if the offset is not
 * valid. */
static bool put_mark(unsigned char *fake, int offset)
{
    const uint64_t mark = MARK;

    if (offset < 0 || (size_t)offset > FAKE_SIZE - sizeof(mark))
        return false;
    memcpy(fake + offset, &mark, sizeof(mark));
    return true;
}

static void remove_mark(unsigned char *fake, int offset)
{
    memset(fake + offset, 0, sizeof(uint64_t));
}

/* True if `function`, which returns a member of a struct, reads this member at the given offset. */
#define RETURNS(function, type, offset)                                                            \
    (put_mark(fake, (offset)) && (uint64_t)(function((type *)(void *)fake)) == MARK &&             \
     (remove_mark(fake, (offset)), true))

/* True if the offsets of the lists of interpreters and threads are right. Python's functions for
 * these lists only return a member of the struct that is passed to them. So a struct of zeros with
 * a mark is enough to check the offset of the member. */
static bool are_list_offsets(const struct offsets *o)
{
    unsigned char *fake = mmap(NULL, FAKE_SIZE, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    bool right;

    if (fake == MAP_FAILED)
        return false;
    right = RETURNS(PyInterpreterState_Next, PyInterpreterState, o->interpreter.next) &&
            RETURNS(PyInterpreterState_GetID, PyInterpreterState, o->interpreter.id) &&
            RETURNS(PyInterpreterState_ThreadHead, PyInterpreterState, o->interpreter.threads) &&
            RETURNS(PyThreadState_Next, PyThreadState, o->thread.next);
    munmap(fake, FAKE_SIZE);
    return right;
}

/* True if the pointer to the first interpreter is at its offset in the runtime. The pointer to the
 * main interpreter usually has the same value, so the value alone does not show which of the two
 * pointers is at the offset. Up to 3.12, the pointer to the main interpreter directly follows the
 * pointer to the first interpreter: checks this, too. From 3.13 on, ps_offsets_agree compares the
 * offset with the offset that Python publishes. */
static bool is_list_head(const struct python *py)
{
    const void *runtime = (const void *)(uintptr_t)py->runtime;
    int head = py->offsets->runtime.interpreters;

    return ps_member(py, runtime, head) == ps_address_of(PyInterpreterState_Head()) &&
           (PY_MINOR_VERSION >= 13 || ps_member(py, runtime, head + (int)sizeof(uint64_t)) ==
                                          ps_address_of(PyInterpreterState_Main()));
}

static const char *check_state(const struct python *py)
{
    const struct offsets *o = py->offsets;
    PyThreadState *state = PyThreadState_Get();

    if (!are_list_offsets(o))
        return OFFSETS_WRONG("lists");
    if (!is_list_head(py))
        return OFFSETS_WRONG("interpreters");
    if (ps_member(py, state, o->thread.ident) != PyThread_get_thread_ident())
        return OFFSETS_WRONG("ident");
    return NULL;
}

/* ---- The GIL --------------------------------------------------------------------------------- */

#define FREE_TRIES 1000

static bool has_interval(uint64_t us)
{
    ps_auto PyObject *function = ps_import_from("sys", "getswitchinterval");
    ps_auto PyObject *seconds = function ? PyObject_CallObject(function, NULL) : NULL;
    double interval = seconds ? PyFloat_AsDouble(seconds) : -1;

    PyErr_Clear();
    return interval >= 0 && us == (uint64_t)(interval * 1e6 + 0.5);
}

/* True if the GIL is read as free, or as held by another thread. Call after this thread has
 * released the GIL. */
static bool seems_free(const struct python *py, PyInterpreterState *interpreter,
                       const PyThreadState *own)
{
    struct gil gil;
    int i;

    for (i = 0; i < FREE_TRIES; i++) {
        if (gil_read(py, ps_address_of(interpreter), &gil) &&
            (!gil.locked || gil.holder != ps_address_of(own)))
            return true;
    }
    return false;
}

/* True if a thread state that this thread has just made has the native id of this thread. Older
 * thread states are not checked, because after a fork by C code, they still have the native ids of
 * the parent's threads. */
static bool has_native_id(const struct python *py, const PyThreadState *state)
{
    int offset = py->offsets->thread.native_id;

    return (PY_MINOR_VERSION < 11 && offset < 0) ||
           ps_member(py, state, offset) == PyThread_get_thread_native_id();
}

struct switching {
    const struct python *py;
    PyInterpreterState *interpreter;
    bool right; /* the native id of the new thread is read correctly */
};

/* The main function of a thread that takes the GIL once. */
static void *take_gil_once(void *arg)
{
    struct switching *s = arg;
    PyThreadState *state = ps_new_thread_state(s->interpreter);

    if (!state)
        return NULL;
    s->right = has_native_id(s->py, state);
    PyEval_RestoreThread(state);
    PyThreadState_Clear(state);
    PyThreadState_DeleteCurrent();
    return NULL;
}

/* Releases the GIL, lets a new thread take it, and takes it again. Returns true if the GIL and the
 * native id of the new thread are read correctly. Does not use a second thread state on the calling
 * thread: a debug build of Python ends the process for that. before: the number of switches of the
 * GIL before the call. */
static bool is_seen_to_switch(const struct python *py, uint64_t before)
{
    PyThreadState *own = PyThreadState_Get();
    struct switching s = {.py = py, .interpreter = own->interp};
    pthread_t thread;
    struct gil gil;
    bool right;

    PyEval_SaveThread();
    right = seems_free(py, own->interp, own);
    if (ps_start_thread(&thread, take_gil_once, &s) == 0)
        pthread_join(thread, NULL);
    PyEval_RestoreThread(own);
    return right && s.right && gil_read(py, ps_address_of(own->interp), &gil) &&
           gil.switches - before >= 2 && gil.switches - before < UINT32_MAX;
}

static const char *check_gil(const struct python *py)
{
    PyThreadState *own = PyThreadState_Get();
    struct gil gil;

    if (!gil_read(py, ps_address_of(own->interp), &gil) || !gil.locked ||
        gil.holder != ps_address_of(own))
        return OFFSETS_WRONG("GIL");
    if (!has_interval(gil.interval_us))
        return OFFSETS_WRONG("switch interval");
    return is_seen_to_switch(py, gil.switches) ? NULL
                                               : OFFSETS_WRONG("switches of the GIL or native id");
}

/* ---- Objects --------------------------------------------------------------------------------- */

static bool reads_integer(const struct python *py, const char *digits)
{
    ps_auto PyObject *object = PyLong_FromString(digits, NULL, 10);
    uint64_t value;

    return object && object_integer(py, ps_address_of(object), &value) &&
           value == strtoull(digits, NULL, 10);
}

static bool reads_negative(const struct python *py)
{
    ps_auto PyObject *object = PyLong_FromLong(-70000);
    uint64_t value;

    return object && object_integer(py, ps_address_of(object), &value);
}

static bool reads_text(const struct python *py, const char *utf8)
{
    ps_auto PyObject *object = PyUnicode_FromString(utf8);
    struct arena arena = {0};
    struct report_text text = {NULL, 0};
    bool right;

    if (object)
        text = object_text(py, &arena, ps_address_of(object));
    right = text.data && text.len == strlen(utf8) && memcmp(text.data, utf8, text.len) == 0;
    arena_free(&arena);
    return right;
}

static bool reads_bytes(const struct python *py)
{
    static const char bytes[] = "some\0bytes";
    ps_auto PyObject *object = PyBytes_FromStringAndSize(bytes, sizeof(bytes));
    char read[64];

    return object &&
           object_bytes(py, ps_address_of(object), read, sizeof(read)) == (ssize_t)sizeof(bytes) &&
           memcmp(read, bytes, sizeof(bytes)) == 0;
}

static bool has_type_name(const struct python *py, PyObject *object, const char *name)
{
    struct arena arena = {0};
    struct report_text text = object_type_name(py, &arena, object_type(py, ps_address_of(object)));
    bool right = text.data && text.len == strlen(name) && memcmp(text.data, name, text.len) == 0;

    arena_free(&arena);
    return right;
}

static int64_t int_attribute(PyObject *object, const char *name)
{
    ps_auto PyObject *value = PyObject_GetAttrString(object, name);

    return value ? PyLong_AsLongLong(value) : INT64_MIN;
}

static bool reads_type(const struct python *py, PyTypeObject *type)
{
    const struct offsets *o = py->offsets;
    PyObject *object = (PyObject *)type;

    return ps_member(py, type, o->type.flags) == PyType_GetFlags(type) &&
           (int64_t)ps_member(py, type, o->type.basicsize) ==
               int_attribute(object, "__basicsize__") &&
           (int64_t)ps_member(py, type, o->type.dictoffset) ==
               int_attribute(object, "__dictoffset__");
}

/* True if the values that are read for the attributes "first" and "second" of an object are equal
 * to the values that Python returns. */
static bool reads_attributes(const struct python *py, PyObject *object)
{
    static const char *const names[] = {"first", "second"};
    struct dict attributes;
    uint64_t found;
    size_t i;

    if (!dict_open_attributes(py, ps_address_of(object), &attributes))
        return false;
    for (i = 0; i < 2; i++) {
        ps_auto PyObject *value = PyObject_GetAttrString(object, names[i]);

        if (!value || !dict_find(py, &attributes, names[i], &found) ||
            found != ps_address_of(value))
            return false;
    }
    return true;
}

/* True if the objects in a list are read correctly. The list has an object without a dict, an
 * object with a dict, and an exception. */
static bool reads_objects(const struct python *py, PyObject *objects)
{
    Py_ssize_t i;

    for (i = 0; i < PyList_GET_SIZE(objects); i++) {
        if (!reads_attributes(py, PyList_GET_ITEM(objects, i)) ||
            !reads_type(py, Py_TYPE(PyList_GET_ITEM(objects, i))))
            return false;
    }
    return i == 3 && has_type_name(py, PyList_GET_ITEM(objects, 0), "Object");
}

/* True if sys.modules, the dict of sys, and the dict of a module are read correctly. module: the
 * module sys. */
static bool reads_modules(const struct python *py, PyObject *module)
{
    const struct offsets *o = py->offsets;

    return ps_member(py, PyThreadState_Get()->interp, o->interpreter.modules) ==
               ps_address_of(PyImport_GetModuleDict()) &&
           ps_member(py, PyThreadState_Get()->interp, o->interpreter.sys) ==
               ps_address_of(PyModule_GetDict(module)) &&
           ps_member(py, module, o->module.dict) == ps_address_of(PyModule_GetDict(module));
}

static const char *check_objects(const struct python *py)
{
    ps_auto PyObject *module = PyImport_ImportModule("sys");

    if (!module || !reads_modules(py, module))
        return OFFSETS_WRONG("modules");
    if (!reads_integer(py, "0") || !reads_integer(py, "70000") ||
        !reads_integer(py, "18446744073709551615") || reads_negative(py))
        return OFFSETS_WRONG("int");
    if (!reads_text(py, "text") || !reads_text(py, "t\xc3\xa9xt") ||
        !reads_text(py, "\xe4\xb8\xad") || !reads_text(py, "\xf0\x9f\x90\x8d"))
        return OFFSETS_WRONG("str");
    return reads_bytes(py) ? NULL : OFFSETS_WRONG("bytes");
}

/* ---- Frames and code ------------------------------------------------------------------------- */

/* The code that runs during the check. This code calls `check` in a function, and in a generator
 * that uses a variable of this function. All names are ASCII, because for other names Python would
 * import unicodedata. */
static const char source[] = "\n"
                             "class Object: pass\n"
                             "class Raised(Exception): pass\n"
                             "def outer(check):\n"
                             "    objects = [Object(), Object(), Raised()]\n"
                             "    for one in objects:\n"
                             "        one.first, one.second = [], {}\n"
                             "    objects[1].__dict__\n"
                             "    check(objects)\n"
                             "    def inner():\n"
                             "        yield 1\n"
                             "        yield check(objects)\n"
                             "    for _ in inner():\n"
                             "        pass\n";

struct probe {
    const struct python *py;
    const char *wrong;
    int calls; /* how many times `check` was called */
    struct raw_stack stack;
    struct code_cache cache;
    struct arena arena;
    struct place_of_frames {
        uint64_t chunk, top;
    } before;
};

static bool is_same_text(struct report_text text, PyObject *code, const char *name)
{
    ps_auto PyObject *str = PyObject_GetAttrString(code, name);
    Py_ssize_t len;
    const char *utf8 = str ? PyUnicode_AsUTF8AndSize(str, &len) : NULL;

    return utf8 && text.data && text.len == (size_t)len && memcmp(text.data, utf8, text.len) == 0;
}

#if PY_VERSION_HEX >= 0x030b0000
/* Returns the index of the first instruction that is traced: RESUME. */
static int64_t first_traceable(PyObject *code)
{
    ps_auto PyObject *bytes = PyObject_GetAttrString(code, "co_code");
    Py_ssize_t i;

    for (i = 0; bytes && PyBytes_Check(bytes) && i < PyBytes_GET_SIZE(bytes); i += 2) {
        if ((unsigned char)PyBytes_AS_STRING(bytes)[i] == RESUME)
            return i / 2;
    }
    return -1;
}
#endif

static bool reads_code(struct probe *p, PyObject *code)
{
    bool added;
    const struct code *read = code_read(p->py, &p->cache, &p->arena, ps_address_of(code), &added);

    if (!read || !read->valid || !is_same_text(read->file, code, "co_filename") ||
        !is_same_text(read->name, code, "co_name") ||
        read->members.first_line != int_attribute(code, "co_firstlineno"))
        return false;
#if PY_VERSION_HEX >= 0x030b0000
    return is_same_text(read->qualname, code, "co_qualname") &&
           read->members.first_traceable == first_traceable(code);
#else
    return !read->qualname.data;
#endif
}

/* True if the frame that was read is the same frame as `frame`, which Python returned. */
static bool is_frame(struct probe *p, struct raw_frame *raw, PyFrameObject *frame)
{
    ps_auto PyObject *code = (PyObject *)PyFrame_GetCode(frame);
    bool added;

    raw->read = code_read(p->py, &p->cache, &p->arena, raw->code, &added);
    return raw->code == ps_address_of(code) && raw->read &&
           frame_address(p->py, raw) == int_attribute((PyObject *)frame, "f_lasti") &&
           code_line(p->py, &p->cache, raw->read, frame_address(p->py, raw)) ==
               PyFrame_GetLineNumber(frame);
}

/* True if Python does not show the frame `raw`. */
static bool is_hidden(struct probe *p, const struct raw_frame *raw)
{
    bool added;
    const struct code *code;

    if (frame_is_shim(p->py, raw))
        return true;
    code = code_read(p->py, &p->cache, &p->arena, raw->code, &added);
    return !frame_is_shown(p->py, raw, code && code->valid ? code->members.first_traceable : 0);
}

/* True if the frames of this thread that were read are the same frames as Python shows. */
static bool are_frames(struct probe *p)
{
    ps_auto PyObject *frame = ps_new_ref((PyObject *)PyEval_GetFrame()), *caller = NULL;
    size_t i;

    for (i = 0; i < p->stack.count && frame; i++) {
        if (is_hidden(p, &p->stack.frames[i]))
            continue;
        if (!is_frame(p, &p->stack.frames[i], (PyFrameObject *)frame))
            return false;
        caller = (PyObject *)PyFrame_GetBack((PyFrameObject *)frame);
        Py_SETREF(frame, ps_steal(&caller));
    }
    while (i < p->stack.count && is_hidden(p, &p->stack.frames[i]))
        i++;
    return i == p->stack.count && (!frame || p->stack.cut);
}

/* True if the innermost frame has the right owner and, if it is the frame of a function, the right
 * place in memory: on the thread's data stack, whose used part grows with each call. in_generator:
 * the innermost frame is the frame of a generator. */
static bool is_on_stack(struct probe *p, bool in_generator)
{
    const struct offsets *o = p->py->offsets;
    PyThreadState *state = PyThreadState_Get();
    struct place_of_frames now;
    size_t i = 0;
    bool grown;

    if (o->minor < 11)
        return true;
    while (i < p->stack.count && is_hidden(p, &p->stack.frames[i]))
        i++;
    if (i == p->stack.count ||
        p->stack.frames[i].owner != (in_generator ? OWNER_GENERATOR : OWNER_THREAD))
        return false;
    now = (struct place_of_frames){ps_member(p->py, state, o->thread.chunk),
                                   ps_member(p->py, state, o->thread.top)};
    grown = now.chunk != p->before.chunk || now.top > p->before.top;
    return now.chunk && now.chunk < now.top &&
           (in_generator || (grown && p->stack.frames[i].address > now.chunk &&
                             p->stack.frames[i].address < now.top));
}

static const char *check_frames(struct probe *p, bool in_generator)
{
    frames_read(p->py, ps_address_of(PyThreadState_Get()), 0, &p->stack);
    if (p->stack.state != FRAMES_EXACT || !are_frames(p))
        return OFFSETS_WRONG("frames");
    return is_on_stack(p, in_generator) ? NULL : OFFSETS_WRONG("data stack");
}

static const char *check_within(struct probe *p, PyObject *objects)
{
    ps_auto PyObject *code = (PyObject *)PyFrame_GetCode(PyEval_GetFrame());
    bool in_generator = p->calls++ > 0;

    if (!reads_code(p, code))
        return OFFSETS_WRONG("code");
    if (!PyList_CheckExact(objects) || !reads_objects(p->py, objects))
        return OFFSETS_WRONG("attributes");
    return check_frames(p, in_generator);
}

/* The function check(objects), which the code in `source` calls. */
static PyObject *call_check(PyObject *self, PyObject *objects)
{
    struct probe *p = PyCapsule_GetPointer(self, NULL);

    if (!p)
        return NULL;
    if (!p->wrong)
        p->wrong = check_within(p, objects);
    PyErr_Clear();
    Py_RETURN_NONE;
}

static PyMethodDef check_method = {"check", call_check, METH_O, NULL};

bool ps_offsets_run(const char *text, PyMethodDef *method, void *probe, PyObject *argument)
{
    ps_auto PyObject *code = Py_CompileString(text, "<pystuck check>", Py_file_input);
    ps_auto PyObject *names = code ? PyDict_New() : NULL, *done = NULL, *result = NULL;
    ps_auto PyObject *self = names ? PyCapsule_New(probe, NULL, NULL) : NULL;
    ps_auto PyObject *check = self ? PyCFunction_New(method, self) : NULL;

    if (!check || PyDict_SetItemString(names, "__builtins__", PyEval_GetBuiltins()) < 0 ||
        PyDict_SetItemString(names, "__name__", Py_None) < 0)
        return false;
    ps_thread_stop_tracing();
    done = PyEval_EvalCode(code, names, names);
    if (done)
        result = PyObject_CallFunctionObjArgs(PyDict_GetItemString(names, "outer"), check, argument,
                                              NULL);
    ps_thread_resume_tracing();
    PyCapsule_SetName(self, "ended"); /* if `check` still exists, it finds no probe */
    return result;
}

static const char *check_running(const struct python *py)
{
    PyThreadState *state = PyThreadState_Get();
    struct probe p = {.py = py};

    p.before = (struct place_of_frames){ps_member(py, state, py->offsets->thread.chunk),
                                        ps_member(py, state, py->offsets->thread.top)};
    p.stack.frames = calloc(FRAMES_MAX, sizeof(*p.stack.frames));
    p.stack.room = FRAMES_MAX;
    p.stack.chunk = malloc(CHUNK_ROOM);
    p.stack.chunk_room = CHUNK_ROOM;
    p.cache.codes = calloc(CODE_CACHE_SIZE, sizeof(*p.cache.codes));
    p.cache.lines = malloc(LINES_ROOM);
    code_cache_clear(&p.cache);
    if (!p.stack.frames || !p.stack.chunk || !p.cache.codes || !p.cache.lines)
        p.wrong = "no memory";
    else if (!ps_offsets_run(source, &check_method, &p, NULL) || (!p.wrong && p.calls != 2))
        p.wrong = OFFSETS_WRONG("code");
    PyErr_Clear();
    arena_free(&p.arena);
    free(p.stack.frames);
    free(p.stack.chunk);
    free(p.cache.codes);
    free(p.cache.lines);
    return p.wrong;
}

const char *ps_offsets_check(const struct python *py)
{
    const char *wrong = check_state(py);

    if (!wrong)
        wrong = check_gil(py);
    if (!wrong)
        wrong = check_objects(py);
    if (!wrong)
        wrong = check_running(py);
    PyErr_Clear();
    return wrong;
}
