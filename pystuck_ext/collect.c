/* SPDX-License-Identifier: BSD-3-Clause */
#include "collect.h"

#include "facts.h"
#include "reserve.h"

int ps_collect_prepare(struct ps_state *state)
{
    if (!state->begin_stacks)
        state->begin_stacks = ps_import_from("pystuck._stacks", "begin");
    if (state->begin_stacks && !state->finish_stacks)
        state->finish_stacks = ps_import_from("pystuck._stacks", "finish");
    return state->finish_stacks ? 0 : -1;
}

/* Collects with the Python code in pystuck/_stacks.py: begin() collects all frames, and finish()
 * calls code of the program. Between begin() and finish(), reads the kernel's facts about the
 * threads. */
static PyObject *call(struct ps_state *state, struct ps_facts *facts, long flags, long budget_ms,
                      bool own_thread)
{
    ps_auto PyObject *answer =
        PyObject_CallFunction(state->begin_stacks, "lli", flags, budget_ms, own_thread);
    PyObject *process;

    if (!answer)
        return NULL;
    ps_facts_read_kernel(facts);
    ps_reserve_lend(1); /* a descriptor for reading source files */
    process = PyObject_CallFunctionObjArgs(state->finish_stacks, answer, NULL);
    ps_reserve_take_back();
    return process;
}

PyObject *ps_collect(struct ps_state *state, long flags, long budget_ms, bool own_thread)
{
    struct ps_facts facts;
    PyObject *process;

    if (!state->finish_stacks)
        return PyErr_Format(PyExc_ImportError,
                            "pystuck._stacks could not be imported when run_server was called");
    ps_facts_begin(&facts, state, flags & PS_COLLECT_LOCALS);
    process = ps_facts_add(&facts, call(state, &facts, flags, budget_ms, own_thread));
    ps_facts_free(&facts);
    return process;
}
