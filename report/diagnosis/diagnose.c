/* SPDX-License-Identifier: BSD-3-Clause */
#include "diagnosis/diagnose.h"

#include <string.h>

#include "diagnosis/blocker_finding.h"
#include "diagnosis/cycles.h"
#include "diagnosis/deadlock_finding.h"
#include "diagnosis/exit_finding.h"
#include "diagnosis/gil_finding.h"
#include "diagnosis/loop_finding.h"
#include "diagnosis/shortage_finding.h"
#include "diagnosis/signal_finding.h"
#include "diagnosis/thread_notes.h"
#include "diagnosis/wait_graph.h"
#include "diagnosis/worker_finding.h"
#include "merge.h"
#include "shared_locks.h"
#include "unite_objects.h"

static bool make_guessed(struct wait_graph *g, const struct report_process *process, bool has_timed)
{
    return wait_graph_make_guessed(g, process, has_timed) && (g->count == 0 || cycles_find(g));
}

static bool add_perhaps_deadlocks(struct report *r, struct report_process *process,
                                  const struct wait_graph *g)
{
    struct wait_graph guessed __attribute__((cleanup(wait_graph_free))) = {0};

    return make_guessed(&guessed, process, false) &&
           diagnose_perhaps_deadlocks(r, &process->findings, g, &guessed);
}

static bool add_blockers(struct report *r, struct report_process *process,
                         const struct wait_graph *g)
{
    struct wait_graph guessed __attribute__((cleanup(wait_graph_free))) = {0};

    return make_guessed(&guessed, process, true) && diagnose_blockers(r, process, g, &guessed);
}

/* Adds the findings except those of diagnose_blockers. Their order is: the signal that has ended
 * the process; what can never continue; what can perhaps never continue; what stops all threads;
 * what stops some threads. */
static bool add_findings(struct report *r, struct report_process *process,
                         const struct wait_graph *g)
{
    return diagnose_signal(r, process) && diagnose_deadlocks(r, &process->findings, g) &&
           add_perhaps_deadlocks(r, process, g) && diagnose_gil(r, process) &&
           diagnose_shortage(r, process) && diagnose_loops(r, process, g) &&
           diagnose_workers(r, process, g) && diagnose_exit(r, process, g);
}

bool diagnose(struct report *r, struct report_process *process)
{
    struct wait_graph g __attribute__((cleanup(wait_graph_free))) = {0};

    process->findings.items = arena_array(&r->arena, 0, sizeof(struct report_finding));
    process->findings.count = 0;
    return process->findings.items && unite_objects(process) && share_locks(&r->arena, process) &&
           wait_graph_make_with_others(&g, process) && cycles_find(&g) &&
           add_findings(r, process, &g) && diagnose_threads(r, process, &g) &&
           add_blockers(r, process, &g);
}

bool diagnose_complete(struct report *r, struct report_process *process)
{
    static const char tool[] = "pystuck " PACKAGE_VERSION;

    process->tool = (struct report_text){tool, sizeof(tool) - 1};
    return diagnose(r, process) && report_merge(r, process);
}

bool diagnose_between(struct report *r)
{
    struct wait_graph g __attribute__((cleanup(wait_graph_free))) = {0};

    r->findings.items = arena_array(&r->arena, 0, sizeof(struct report_finding));
    r->findings.count = 0;
    if (!r->findings.items || r->processes.count < 2)
        return r->findings.items;
    return wait_graph_make(&g, r->processes.items, r->processes.count) && cycles_find(&g) &&
           diagnose_deadlocks(r, &r->findings, &g);
}

const struct report_finding *diagnose_find(const struct report_process *process, const char *kind)
{
    size_t i;

    for (i = 0; i < process->findings.count; i++) {
        if (text_is(process->findings.items[i].kind, kind))
            return &process->findings.items[i];
    }
    return NULL;
}
