/* SPDX-License-Identifier: BSD-3-Clause */
#include "collect.h"

#include "facts.h"
#include "lock_facts.h"
#include "reserve.h"

int ps_collect_prepare(struct ps_state *state)
{
    if (!state->collect)
        state->collect = ps_import_from("pystuck._stacks", "collect");
    return state->collect ? 0 : -1;
}

PyObject *ps_collect(struct ps_state *state, long flags, long budget_ms, bool own_thread)
{
    ps_auto PyObject *shortage = NULL, *locks = NULL;
    PyObject *collect = state->collect, *process;

    if (!collect)
        return PyErr_Format(PyExc_ImportError,
                            "pystuck._stacks could not be imported when run_server was called");
    shortage = ps_facts_shortage();
    locks = shortage ? ps_lock_facts_read(state, flags & PS_COLLECT_LOCALS) : NULL;
    ps_reserve_lend(1); /* a descriptor for reading source files */
    process = locks ? PyObject_CallFunction(collect, "lli", flags, budget_ms, own_thread) : NULL;
    ps_reserve_take_back();
    return ps_facts_add(ps_lock_facts_add(process, locks), shortage);
}
