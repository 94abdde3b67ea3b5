/* SPDX-License-Identifier: BSD-3-Clause */
#include "why.h"

#include "codec.h"
#include "collect.h"
#include "diagnosis/diagnose.h"
#include "error.h"
#include "gil.h"
#include "pybrine.h"
#include "report_object.h"
#include "server.h"
#include "server_object.h"
#include "without_gil.h"

#define MEMORY_MAX ((size_t)512 << 20)

/* Prepares what why() needs, unless run_server() has prepared it. Returns 0, or -1 with an
 * exception. */
static int prepare(PyObject *module)
{
    struct ps_state *state = PyModule_GetState(module);

    ps_fork_watch();
    if (!state->is_main && ps_server_object_watch_end(module) < 0)
        return -1;
    if (!ps_without_gil_is_prepared(state))
        ps_without_gil_prepare(state, NULL);
    return ps_collect_prepare(state);
}

/* Reads the process from brine into the report, and adds the conclusions. Needs no GIL. Returns
 * NULL with err set on failure. */
static struct report_process *conclude(struct report *report, const struct buffer *brine,
                                       struct rpyc_error *err)
{
    struct report_process *process = report_read(report, brine->data, brine->len, err);

    if (!process)
        return NULL;
    if (diagnose_complete(report, process))
        return process;
    error_nomem(err);
    return NULL;
}

/* Reads a process from brine, which has the form of report/codec.h. Returns the process and the
 * conclusions about it as a dict: a new reference, or NULL with an exception set. */
static PyObject *dict_of(const struct buffer *brine)
{
    PyThreadState *before = ps_gil_begin_wait();
    struct rpyc_error err = RPYC_ERROR_INIT;
    struct report_process *process;
    struct report report;
    PyObject *result = NULL;

    report_init(&report, MEMORY_MAX);
    process = conclude(&report, brine, &err);
    ps_gil_end_wait(before);
    if (process)
        result = ps_report_object(process);
    else
        PyErr_SetString(err.code == RPYC_EPROTOCOL ? PyExc_RuntimeError : PyExc_MemoryError,
                        err.text);
    before = ps_gil_begin_wait();
    report_free(&report);
    ps_gil_end_wait(before);
    rpyc_error_clear(&err);
    return result;
}

const char ps_why_doc[] =
    "why(*, greenlets=True, locals=False)\n--\n\n"
    "Return the stacks of all threads and why they are stuck, as a dict.\n\n"
    "The dict is what pystuck --json prints, as json.loads() reads it: the schema is in\n"
    "doc/stacks.schema.json. Its \"findings\" say why the program is stuck, the worst\n"
    "first, and the \"notes\" of each thread say what the thread waits for.\n\n"
    "May be called on any thread, also in a handler of a signal; needs no server. Takes\n"
    "at most about half a second if code of the program, such as a __repr__, blocks.\n"
    "greenlets=False leaves out the greenlets. This is faster, because finding greenlets\n"
    "needs a search through all objects of the program.\n"
    "locals=True adds the local variables of all frames, which may contain secrets.";

PyObject *ps_why(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"greenlets", "locals", NULL};
    long flags = PS_COLLECT_REPR | PS_COLLECT_SOURCE | PS_COLLECT_TASKS;
    ps_auto PyObject *process = NULL;
    struct buffer brine = BUFFER_INIT;
    PyObject *result = NULL;
    int greenlets = 1, locals = 0, dumped;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$pp:why", names, &greenlets, &locals))
        return NULL;
    if (greenlets)
        flags |= PS_COLLECT_GREENLETS;
    if (locals)
        flags |= PS_COLLECT_LOCALS;
    if (prepare(module) < 0)
        return NULL;
    process = ps_collect(PyModule_GetState(module), flags, PS_COLLECT_BUDGET_MS, true);
    if (!process)
        return NULL;
    dumped = ps_dump(&brine, process);
    if (dumped > 0)
        result = dict_of(&brine);
    else if (dumped == 0)
        PyErr_SetString(PyExc_RuntimeError, "pystuck._stacks has returned an invalid report");
    buffer_free(&brine);
    return result;
}
