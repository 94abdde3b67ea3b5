/* SPDX-License-Identifier: BSD-3-Clause */
#include "pyframe.h"

#include <stdlib.h>

/* A Python function that is called to make a frame, and the C function that the Python function
 * runs in the frame. Each struct is used by one call at a time. A session may have several of these
 * structs, because requests nest, and because greenlets may end requests in any order. */
struct ps_pyframe {
    PyObject *function; /* a reference */
    PyObject *capsule;  /* a reference; freeing the capsule frees this struct */
    void (*run)(void *);
    void *arg;
    SLIST_ENTRY(ps_pyframe) entry;
};

/* ---- The function --------------------------------------------------------------------------- */

/* The source of the function. In the frame, a client sees the name of this function and the file
 * name <pystuck>. */
static const char source[] = "def make(run):\n"
                             "    def request():\n"
                             "        run()\n"
                             "    return request\n";

/* Runs source and returns its function `make`: a new reference, or NULL. Removes the function from
 * its own globals. Otherwise, the function and its globals would be a reference cycle, which only
 * the program's garbage collector would free. */
static PyObject *run_source(void)
{
    ps_auto PyObject *ns = Py_BuildValue("{sO}", "__builtins__", PyEval_GetBuiltins());
    ps_auto PyObject *code = ns ? Py_CompileString(source, "<pystuck>", Py_file_input) : NULL;
    ps_auto PyObject *none = code ? PyEval_EvalCode(code, ns, ns) : NULL;
    PyObject *make = none ? ps_new_ref(PyDict_GetItemString(ns, "make")) : NULL;

    if (ns)
        PyDict_Clear(ns);
    return make;
}

/* Returns a copy of `code` that runs like the code of a module: its locals are its globals. The
 * name `run` in the code is not a global, but a variable of the enclosing function, `make`. */
static PyObject *as_module(PyCodeObject *code)
{
    int flags = code->co_flags & ~(CO_OPTIMIZED | CO_NEWLOCALS);
    ps_auto PyObject *replace = PyObject_GetAttrString((PyObject *)code, "replace");
    ps_auto PyObject *kwargs = replace ? Py_BuildValue("{si}", "co_flags", flags) : NULL;
    ps_auto PyObject *empty = kwargs ? PyTuple_New(0) : NULL;

    return empty ? PyObject_Call(replace, empty, kwargs) : NULL;
}

PyObject *ps_pyframe_make_code(void)
{
    ps_auto PyObject *make = run_source();
    ps_auto PyObject *function = make ? PyObject_CallFunctionObjArgs(make, Py_None, NULL) : NULL;

    return function ? as_module((PyCodeObject *)PyFunction_GET_CODE(function)) : NULL;
}

/* ---- The call of the function -------------------------------------------------------------- */

static void free_pyframe(PyObject *capsule)
{
    free(PyCapsule_GetPointer(capsule, NULL));
}

static PyObject *run_once(PyObject *capsule, PyObject *unused)
{
    struct ps_pyframe *f = PyCapsule_GetPointer(capsule, NULL);
    void (*run)(void *) = f->run;

    (void)unused;
    if (!run) {
        PyErr_SetString(PyExc_RuntimeError,
                        "only pystuck can call this function, to run a request");
        return NULL;
    }
    f->run = NULL;
    run(f->arg);
    Py_RETURN_NONE;
}

static PyMethodDef run_once_def = {"run", run_once, METH_NOARGS, NULL};

/* Returns a closure for the function of f, in which the variable `run` is run_once: a new
 * reference. Sets f->capsule. On failure returns NULL with an exception, and f has been freed. */
static PyObject *make_closure(struct ps_pyframe *f)
{
    ps_auto PyObject *capsule = PyCapsule_New(f, NULL, free_pyframe), *callee = NULL, *cell = NULL;
    PyObject *closure;

    if (!capsule) {
        free(f);
        return NULL;
    }
    callee = PyCFunction_New(&run_once_def, capsule);
    cell = callee ? PyCell_New(callee) : NULL;
    closure = cell ? PyTuple_Pack(1, cell) : NULL;
    if (closure)
        f->capsule = ps_steal(&capsule);
    return closure;
}

/* Releases f's references to the function and to the capsule. The capsule frees f when the last
 * reference to the capsule is released. The function's closure also has a reference to the capsule,
 * but f needs a reference of its own, because Python code may have replaced the closure. */
static void release(struct ps_pyframe *f)
{
    ps_auto PyObject *capsule = f->capsule;
    ps_auto PyObject *function = f->function;

    (void)capsule;
    (void)function;
    f->run = NULL;
}

static struct ps_pyframe *make_pyframe(struct ps_session *s)
{
    ps_auto PyObject *namespace = ps_session_namespace(s), *function = NULL, *closure = NULL;
    struct ps_pyframe *f;

    atomic_store(&s->started, true); /* the session's end must release the namespace */
    function = namespace ? PyFunction_New(s->state->frame_code, namespace) : NULL;
    if (!function)
        return NULL;
    f = calloc(1, sizeof(*f));
    if (!f)
        PyErr_NoMemory();
    closure = f ? make_closure(f) : NULL;
    if (closure && PyFunction_SetClosure(function, closure) == 0) {
        f->function = ps_steal(&function);
        return f;
    }
    if (closure)
        release(f);
    return NULL;
}

/* ---- For the session ------------------------------------------------------------------------ */

/* Makes sure that a namespace has __builtins__, because a client may have removed all names.
 * Python's import machinery looks for __builtins__ in the globals of the frame. Returns 0, or -1
 * with an exception. */
static int put_builtins(const struct ps_state *state, PyObject *namespace)
{
    PyObject *name = state->names.dunder_builtins;
    int found = PyDict_Contains(namespace, name);

    return found == 0 ? PyDict_SetItem(namespace, name, PyEval_GetBuiltins()) : found < 0 ? -1 : 0;
}

PyObject *ps_session_namespace(struct ps_session *s)
{
    PyObject *namespace = s->namespace ? s->namespace : PyDict_New();

    if (!namespace || s->namespace == namespace) {
        Py_XINCREF(namespace);
    } else if (s->namespace) { /* another thread made a namespace during PyDict_New */
        Py_SETREF(namespace, s->namespace);
        Py_INCREF(namespace);
    } else if (!s->ended) {
        Py_INCREF(namespace);
        s->namespace = namespace;
    }
    if (namespace && put_builtins(s->state, namespace) < 0)
        Py_CLEAR(namespace);
    return namespace;
}

static void give_back(struct ps_session *s, struct ps_pyframe *f)
{
    f->run = NULL;
    if (s->ended)
        release(f);
    else
        SLIST_INSERT_HEAD(&s->pyframes, f, entry);
}

static struct ps_pyframe *take(struct ps_session *s)
{
    struct ps_pyframe *f = SLIST_FIRST(&s->pyframes);

    if (!f)
        return make_pyframe(s);
    SLIST_REMOVE_HEAD(&s->pyframes, entry); /* before put_builtins, which may run any code */
    if (put_builtins(s->state, PyFunction_GET_GLOBALS(f->function)) == 0)
        return f;
    give_back(s, f);
    return NULL;
}

int ps_pyframe_run(struct ps_session *s, void (*run)(void *), void *arg)
{
    struct ps_pyframe *f = take(s);
    ps_auto PyObject *done = NULL;

    if (!f)
        return -1;
    f->run = run;
    f->arg = arg;
    done = PyObject_CallNoArgs(f->function);
    if (f->run) { /* run() was not called: the code was replaced, or a trace function raised */
        if (done)
            PyErr_SetString(
                PyExc_SystemError,
                "the function that runs requests was changed: restore its code and closure");
        release(f);
        return -1;
    }
    give_back(s, f);
    return done ? 0 : -1;
}

void ps_pyframe_clear(struct ps_session *s)
{
    struct ps_pyframe *f;

    while ((f = SLIST_FIRST(&s->pyframes))) {
        SLIST_REMOVE_HEAD(&s->pyframes, entry);
        release(f);
    }
    Py_CLEAR(s->namespace);
}
