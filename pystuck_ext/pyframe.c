/* SPDX-License-Identifier: BSD-3-Clause */
#include "pyframe.h"

#include <stdlib.h>

/* A function that makes a frame, and what it is to run in it. Each is used by one call at a time:
 * requests nest, and greenlets may end them in any order. */
struct ps_pyframe {
    PyObject *function; /* a reference */
    PyObject *capsule;  /* a reference; it frees this, once what the function calls is gone too */
    void (*run)(void *);
    void *arg;
    SLIST_ENTRY(ps_pyframe) entry;
};

/* ---- The function --------------------------------------------------------------------------- */

/* Its name and its file are what a client finds where it looks at the frame. */
static const char source[] = "def make(run):\n"
                             "    def request():\n"
                             "        run()\n"
                             "    return request\n";

/* Runs source; the function make. */
static PyObject *run_source(void)
{
    PyObject *ns = Py_BuildValue("{sO}", "__builtins__", PyEval_GetBuiltins());
    PyObject *code = ns ? Py_CompileString(source, "<pystuck>", Py_file_input) : NULL;
    PyObject *none = code ? PyEval_EvalCode(code, ns, ns) : NULL;
    PyObject *make = none ? PyDict_GetItemString(ns, "make") : NULL;

    Py_XINCREF(make);
    Py_XDECREF(none);
    Py_XDECREF(code);
    Py_XDECREF(ns);
    return make;
}

/* The same code, but as that of a module: its locals are its globals. What it calls stays hidden
 * from both, as a variable of the function that it was made in. */
static PyObject *as_module(PyCodeObject *code)
{
    int flags = code->co_flags & ~(CO_OPTIMIZED | CO_NEWLOCALS);
    PyObject *replace = PyObject_GetAttrString((PyObject *)code, "replace"), *result = NULL;
    PyObject *kwargs = replace ? Py_BuildValue("{si}", "co_flags", flags) : NULL;
    PyObject *empty = kwargs ? PyTuple_New(0) : NULL;

    if (empty)
        result = PyObject_Call(replace, empty, kwargs);
    Py_XDECREF(kwargs);
    Py_XDECREF(replace);
    Py_XDECREF(empty);
    return result;
}

PyObject *ps_pyframe_make_code(void)
{
    PyObject *make = run_source(), *function, *code;

    function = make ? PyObject_CallFunctionObjArgs(make, Py_None, NULL) : NULL;
    code = function ? as_module((PyCodeObject *)PyFunction_GET_CODE(function)) : NULL;
    Py_XDECREF(function);
    Py_XDECREF(make);
    return code;
}

/* ---- What it calls -------------------------------------------------------------------------- */

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
        PyErr_SetString(PyExc_RuntimeError, "this function is pystuck's own, for requests");
        return NULL;
    }
    f->run = NULL;
    run(f->arg);
    Py_RETURN_NONE;
}

static PyMethodDef run_once_def = {"run", run_once, METH_NOARGS, NULL};

/* run_once for one function, as the cell of its closure. */
static PyObject *make_closure(struct ps_pyframe *f)
{
    PyObject *capsule = PyCapsule_New(f, NULL, free_pyframe), *callee, *cell, *closure;

    if (!capsule) {
        free(f);
        return NULL;
    }
    callee = PyCFunction_New(&run_once_def, capsule);
    cell = callee ? PyCell_New(callee) : NULL;
    closure = cell ? PyTuple_Pack(1, cell) : NULL;
    Py_XDECREF(cell);
    Py_XDECREF(callee);
    if (closure)
        f->capsule = capsule;
    else
        Py_DECREF(capsule);
    return closure;
}

/* Python may have put something else in the place of what the function calls: what frees f is held
 * here as well. */
static void release(struct ps_pyframe *f)
{
    PyObject *function = f->function, *capsule = f->capsule;

    f->run = NULL;
    Py_XDECREF(function);
    Py_DECREF(capsule);
}

static struct ps_pyframe *make_pyframe(struct ps_session *s)
{
    PyObject *namespace = ps_session_namespace(s), *function, *closure;
    struct ps_pyframe *f;

    atomic_store(&s->started, true); /* the namespace and the function are to be let go */
    function = namespace ? PyFunction_New(s->state->frame_code, namespace) : NULL;
    Py_XDECREF(namespace);
    if (!function)
        return NULL;
    f = calloc(1, sizeof(*f));
    if (!f)
        PyErr_NoMemory();
    closure = f ? make_closure(f) : NULL;
    if (closure && PyFunction_SetClosure(function, closure) == 0) {
        f->function = function;
    } else {
        Py_DECREF(function);
        if (closure)
            release(f);
        f = NULL;
    }
    Py_XDECREF(closure);
    return f;
}

/* ---- For the session ------------------------------------------------------------------------ */

/* Python's own imports by name look for __builtins__ in the globals of the frame, and a client may
 * have emptied its namespace. */
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
    } else if (s->namespace) { /* another thread was faster */
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
    SLIST_REMOVE_HEAD(&s->pyframes, entry); /* first: the look for __builtins__ may run any code */
    if (put_builtins(s->state, PyFunction_GET_GLOBALS(f->function)) == 0)
        return f;
    give_back(s, f);
    return NULL;
}

int ps_pyframe_run(struct ps_session *s, void (*run)(void *), void *arg)
{
    struct ps_pyframe *f = take(s);
    PyObject *done;

    if (!f)
        return -1;
    f->run = run;
    f->arg = arg;
    done = PyObject_CallNoArgs(f->function);
    if (f->run) { /* its code or its closure were replaced, or a trace function has raised */
        if (done)
            PyErr_SetString(PyExc_SystemError, "the function that runs requests was changed");
        Py_CLEAR(done);
        release(f);
        return -1;
    }
    give_back(s, f);
    Py_XDECREF(done);
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
