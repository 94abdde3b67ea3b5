/* SPDX-License-Identifier: BSD-3-Clause */
#include "diagnosis/thread_notes.h"

#include <string.h>

#include "buffer.h"
#include "diagnosis/actor_words.h"
#include "diagnosis/exit_finding.h"
#include "diagnosis/finding.h"
#include "diagnosis/other_words.h"
#include "phrases.h"
#include "diagnosis/place.h"
#include "diagnosis/syscall_words.h"
#include "diagnosis/wait_words.h"

/* The most notes that a thread may have. */
#define NOTES_MAX (4 + PROCESSES_MAX)

/* The most processes of which a thread's notes say what they do. */
#define PROCESSES_MAX 4

struct noting {
    struct report *r;
    const struct wait_graph *g;
    struct report_text *activities; /* what each node does now; unknown: not yet described */
};

/* ---- What it waits for ----------------------------------------------------------------------- */

/* Appends words for a deadlock, such as "the deadlock above", which refer to the findings. */
static void put_deadlock(struct buffer *out, const struct wait_graph *g, size_t cycle)
{
    if (g->cycles == 1)
        sentence_put(out, "the deadlock above");
    else if (cycle <= FINDINGS_SHOWN)
        sentence_put(out, "one of the deadlocks above");
    else
        sentence_put(out, "a deadlock");
}

/* Appends what `node`, for which another thread waits, does now. */
static void put_activity(struct buffer *out, const struct wait_graph *g, size_t node)
{
    const struct wait_node *n = &g->nodes[node];
    const report_frames *frames = actor_frames(g, node);

    if (n->kind == NODE_PROCESS) {
        other_words_put(out, g, node);
    } else if (n->cycle > 0) {
        sentence_put(out, ", which is in ");
        put_deadlock(out, g, n->cycle);
    } else if (n->is_stuck) {
        sentence_put(out, ", which can never continue");
    } else if (wait_graph_wait(g, node)) {
        sentence_put(out, ", which ");
        wait_words_put_target(out, g, node);
    } else if (frames) {
        sentence_put(out, ", now in ");
        place_put(out, frames, actor_is_moving(g, node));
    }
}

/* Appends that a wait has a timeout. Also appends the time that is left, if the kernel reports this
 * time. */
static void put_timeout(struct buffer *out, const struct wait_node *n)
{
    const struct report_thread *t = n->kind == NODE_THREAD ? n->item : NULL;

    sentence_put(out, "; the wait has a timeout");
    if (!t || !t->syscall || t->syscall->left_ms == REPORT_UNKNOWN || syscall_is_sleep(t->syscall))
        return; /* it sleeps only until it looks again whether it has to wait */
    sentence_put(out, ", which ends in ");
    sentence_put_duration(out, t->syscall->left_ms);
}

/* Appends what `node` does now. The text is made at the first call for a node and reused later,
 * since many threads may wait for the same node. */
static void put_activity_once(struct buffer *out, const struct noting *n, size_t node)
{
    struct report_text *known = &n->activities[node];
    struct buffer text __attribute__((cleanup(buffer_free))) = BUFFER_INIT;

    if (!known->data) {
        put_activity(&text, n->g, node);
        if (text.len > 0)
            *known = report_text(n->r, (const char *)text.data, text.len);
        if (text.failed || (text.len > 0 && !known->data))
            out->failed = true;
    }
    if (known->data)
        buffer_put(out, known->data, known->len);
}

/* True if a thread waits for input from another process. The note about its system call says this,
 * too. */
static bool is_for_input(const struct wait_graph *g, size_t node)
{
    return text_is(wait_graph_wait(g, node)->kind, "input");
}

static void put_wait(struct buffer *out, const struct noting *noting, size_t node)
{
    const struct wait_graph *g = noting->g;
    const struct wait_node *n = &g->nodes[node];
    size_t holder;

    if (n->kind == NODE_THREAD && n->cycle == 0 && exit_waits_for_threads(n->item)) {
        sentence_put(out, "waits until all threads that are not daemons have ended");
        return;
    }
    if (!wait_graph_wait(g, node) || (!n->is_stuck && is_for_input(g, node)))
        return;
    if (n->cycle > 0) {
        sentence_put(out, "in ");
        put_deadlock(out, g, n->cycle);
        sentence_put(out, ": ");
    }
    wait_words_put(out, g, node, n->cycle > 0);
    holder = wait_words_holder(g, node);
    if (holder != NO_NODE && n->cycle == 0)
        put_activity_once(out, noting, holder);
    else if (n->kind == NODE_TASK && n->is_stuck && n->cycle == 0)
        sentence_put(out, ": can never continue");
    if (wait_graph_wait(g, node)->timed == BOOL_TRUE &&
        !text_is(wait_graph_wait(g, node)->kind, "sleep"))
        put_timeout(out, n);
}

/* ---- What the kernel says -------------------------------------------------------------------- */

static bool is_futex(const struct report_syscall *call)
{
    return text_is(call->name, "futex");
}

/* True if the note about the wait of a thread says more than its system call. */
static bool is_said_by_wait(const struct report_thread *t)
{
    return t->waits && (text_is(t->waits->kind, "process") || text_is(t->waits->kind, "children") ||
                        text_is(t->waits->kind, "peers") || text_is(t->waits->kind, "workers") ||
                        (wait_is_for_process(t->waits) && syscall_is_sleep(t->syscall)));
}

/* Appends the system call in which a thread waits. Appends nothing for a thread that waits for the
 * end of a process, since another note says so. Also appends nothing for the system call futex in
 * two cases, because Python waits in futex for its locks, for the GIL and for many other things.
 * The first case: another note says what the thread waits for. The second case: a server has made
 * the report with Python code. This code had the GIL, so the thread may have waited for the GIL
 * only because of this code. */
static void put_syscall(struct buffer *out, const struct report_process *p,
                        const struct report_thread *t)
{
    if (!t->syscall || t->state == STATE_RUNNING || is_said_by_wait(t) ||
        (is_futex(t->syscall) &&
         (t->waits || exit_waits_for_threads(t) || p->source == SOURCE_SERVER)))
        return;
    syscall_words_put(out, t->syscall, p);
    if (is_futex(t->syscall))
        sentence_put(out, ": waits for the GIL or for a lock of C code");
}

static void put_cpu(struct buffer *out, const struct report_cpu *cpu)
{
    if (!cpu || !(cpu->percent >= 0 && cpu->percent < 1e6)) /* nor if it is NAN */
        return;
    sentence_put(out, ", ");
    sentence_put_number(out, (int64_t)(cpu->percent + 0.5));
    sentence_put(out, " % of a core");
    if (cpu->over_ms == REPORT_UNKNOWN)
        return;
    sentence_put(out, " over ");
    sentence_put_duration(out, cpu->over_ms);
}

static void put_state(struct buffer *out, const struct report_process *p,
                      const struct report_thread *t)
{
    bool has_gil =
        p->gil && p->gil->state == GIL_HELD && t->id.data && text_equals(p->gil->holder, t->id);

    if (t->state == STATE_RUNNING) {
        sentence_put(out, "running");
        put_cpu(out, t->cpu);
    } else if (t->state == STATE_DISK) {
        sentence_put(out, "in an uninterruptible sleep");
    } else if (t->state == STATE_STOPPED) {
        sentence_put(out, "stopped by a signal or a tracer");
    }
    if (!has_gil)
        return;
    sentence_put(out, out->len > 0 ? ", has the GIL" : "has the GIL");
}

/* ---- Finalizers ------------------------------------------------------------------------------ */

/* True if the source line is known and does not call __del__. */
static bool does_not_call(const struct report_frame *f)
{
    static const char name[] = "__del__";

    return f->source.data && !memmem(f->source.data, f->source.len, name, sizeof(name) - 1);
}

/* Appends that a thread is in a __del__ that Python has called: "in __del__ (cache.py:12), which
 * Python called in fill (cache.py:40)". Python calls __del__ between any two instructions if it
 * collects garbage, or when a frame releases the last reference to an object. */
static void put_finalizer(struct buffer *out, const struct report_thread *t)
{
    const struct report_frame *f = t->frames.items;
    size_t i;

    for (i = 1; i < t->frames.count; i++) {
        if (text_is(f[i].function, "__del__") && does_not_call(&f[i - 1]))
            break;
    }
    if (i >= t->frames.count || t->exact == BOOL_FALSE || !f[i].file.data || !f[i - 1].file.data)
        return;
    sentence_put(out, "in __del__ (");
    place_put_line(out, f[i].file, f[i].line);
    sentence_put(out, "), which Python called in ");
    sentence_put_text(out, f[i - 1].function);
    sentence_put(out, " (");
    place_put_line(out, f[i - 1].file, f[i - 1].line);
    buffer_put_u8(out, ')');
}

/* ---- Tasks ----------------------------------------------------------------------------------- */

/* Appends the state of a task that does not wait: "ready to run in MainThread". */
static void put_task_state(struct buffer *out, const struct wait_graph *g, size_t node)
{
    const struct report_task *task = g->nodes[node].item;
    const size_t runner = wait_graph_runner(g, node);
    bool is_ready = text_is(task->state, "ready");

    if (task->waits || !(is_ready || text_is(task->state, "running")))
        return;
    if (g->nodes[node].cycle > 0) {
        sentence_put(out, "in ");
        put_deadlock(out, g, g->nodes[node].cycle);
        sentence_put(out, ": ");
    }
    sentence_put(out, is_ready ? "ready to run" : "running");
    if (runner == NO_NODE)
        return;
    sentence_put(out, " in ");
    actor_put(out, g, runner, g->nodes[node].process);
    if (is_ready && g->nodes[runner].is_stuck && g->nodes[node].cycle == 0)
        sentence_put(out, ", which can never continue");
}

/* ---- Greenlets ------------------------------------------------------------------------------- */

/* Appends that a greenlet waits for a switch, if it is not known what it waits for. */
static void put_switch(struct buffer *out, const struct wait_graph *g, size_t node)
{
    const struct report_greenlet *greenlet = g->nodes[node].item;
    const size_t parent = wait_graph_find(g, g->nodes[node].process, greenlet->parent);

    if (greenlet->waits)
        return;
    sentence_put(out, "waits until another greenlet switches to it");
    if (parent == NO_NODE)
        return;
    sentence_put(out, "; its parent is ");
    actor_put(out, g, parent, g->nodes[node].process);
}

/* ---- All notes ------------------------------------------------------------------------------- */

/* Adds a line, if it is not empty. */
static bool add(struct report *r, report_texts *notes, const struct buffer *line)
{
    return line->len == 0 ? !line->failed : texts_add(r, notes, line);
}

/* If a thread waits for several processes, adds a line about each of them: "process 4711 (sleep 9)
 * sleeps for another 9 s". */
static bool add_processes(const struct noting *n, report_texts *notes, size_t node)
{
    const struct report_wait *wait = wait_graph_wait(n->g, node);
    const size_t process = n->g->nodes[node].process;
    const size_t target = wait ? wait_graph_find(n->g, process, wait->object) : NO_NODE;
    const size_t start = strlen(", which");
    const struct report_object *object;
    size_t i, holder, skipped;

    if (target == NO_NODE || n->g->nodes[target].kind != NODE_OBJECT)
        return true;
    object = n->g->nodes[target].item;
    for (i = 0; object->holders.count > 1 && i < object->holders.count && i < PROCESSES_MAX; i++) {
        struct buffer line __attribute__((cleanup(buffer_free))) = BUFFER_INIT;
        struct buffer activity __attribute__((cleanup(buffer_free))) = BUFFER_INIT;

        holder = wait_graph_find(n->g, process, object->holders.items[i]);
        if (holder == NO_NODE || n->g->nodes[holder].kind != NODE_PROCESS)
            continue;
        put_activity_once(&activity, n, holder);
        skipped = activity.len > start && memcmp(activity.data, ", which", start) == 0 ? start : 0;
        if (activity.len == 0)
            continue;
        actor_put(&line, n->g, holder, process);
        buffer_put(&line, activity.data + skipped, activity.len - skipped);
        if (activity.failed || !add(n->r, notes, &line))
            return false;
    }
    return true;
}

static bool add_wait(const struct noting *n, report_texts *notes, size_t node)
{
    struct buffer line __attribute__((cleanup(buffer_free))) = BUFFER_INIT;

    put_wait(&line, n, node);
    return texts_make(n->r, notes, NOTES_MAX) && add(n->r, notes, &line) &&
           add_processes(n, notes, node);
}

static bool add_task_state(const struct noting *n, report_texts *notes, size_t node)
{
    struct buffer line __attribute__((cleanup(buffer_free))) = BUFFER_INIT;

    put_task_state(&line, n->g, node);
    return add(n->r, notes, &line);
}

static bool add_switch(const struct noting *n, report_texts *notes, size_t node)
{
    struct buffer line __attribute__((cleanup(buffer_free))) = BUFFER_INIT;

    put_switch(&line, n->g, node);
    return add(n->r, notes, &line);
}

static bool add_kernel(struct report *r, const struct report_process *p, struct report_thread *t)
{
    struct buffer call __attribute__((cleanup(buffer_free))) = BUFFER_INIT;
    struct buffer state __attribute__((cleanup(buffer_free))) = BUFFER_INIT;
    struct buffer finalizer __attribute__((cleanup(buffer_free))) = BUFFER_INIT;

    put_syscall(&call, p, t);
    put_state(&state, p, t);
    put_finalizer(&finalizer, t);
    return add(r, &t->notes, &call) && add(r, &t->notes, &state) && add(r, &t->notes, &finalizer);
}

bool diagnose_threads(struct report *r, struct report_process *p, const struct wait_graph *g)
{
    const struct noting n = {r, g, arena_array(&r->arena, g->count, sizeof(*n.activities))};
    size_t node = 0, i;

    if (!n.activities)
        return false;
    for (i = 0; i < p->threads.count; i++) {
        struct report_thread *t = &p->threads.items[i];

        if (!add_wait(&n, &t->notes, node++) || !add_kernel(r, p, t))
            return false;
    }
    for (i = 0; i < p->greenlets.count; i++) {
        if (!add_wait(&n, &p->greenlets.items[i].notes, node) ||
            !add_switch(&n, &p->greenlets.items[i].notes, node++))
            return false;
    }
    for (i = 0; i < p->tasks.count; i++) {
        if (!add_wait(&n, &p->tasks.items[i].notes, node) ||
            !add_task_state(&n, &p->tasks.items[i].notes, node++))
            return false;
    }
    return true;
}
