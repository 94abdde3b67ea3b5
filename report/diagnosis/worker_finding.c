/* SPDX-License-Identifier: BSD-3-Clause */
#include "diagnosis/worker_finding.h"

#include "buffer.h"
#include "diagnosis/actor_words.h"
#include "diagnosis/finding.h"
#include "diagnosis/place.h"
#include "diagnosis/wait_words.h"
#include "phrases.h"

/* Limits for malicious reports. A Pool with more workers than WORKERS_MAX gets no finding. Only the
 * first THREADS_MAX threads of a worker, and the innermost FRAMES_MAX frames of its main thread,
 * are looked at. */
#define WORKERS_MAX 64
#define THREADS_MAX 64
#define FRAMES_MAX  8

static bool is_function(const struct report_frame *f, const char *function, const char *module)
{
    return text_is(f->function, function) && place_is_in(f->file, module);
}

/* True if the thread waits in the kernel for a task: for data in the pipe of the tasks, or for the
 * lock of the pipe. */
static bool waits_for_task(const struct report_thread *t)
{
    const report_frames *frames = &t->frames;
    const size_t last = frames->count > FRAMES_MAX ? frames->count - FRAMES_MAX : 0;
    size_t i = frames->count;

    if (t->exact != BOOL_TRUE || t->state != STATE_SLEEPING || !t->syscall)
        return false;
    while (i > last && !is_function(&frames->items[i - 1], "worker", "multiprocessing/pool"))
        i--;
    if (i == last || i + 1 >= frames->count ||
        !is_function(&frames->items[i], "get", "multiprocessing/queues"))
        return false;
    return (text_is(t->syscall->name, "read") &&
            is_function(&frames->items[i + 1], "recv_bytes", "multiprocessing/connection")) ||
           (text_is(t->syscall->name, "futex") &&
            is_function(&frames->items[i + 1], "__enter__", "multiprocessing/synchronize"));
}

/* True if the process runs Python, and its main thread waits for a task. */
static bool is_idle(const struct wait_graph *g, size_t process)
{
    const struct report_process *p = g->nodes[process].item;
    size_t i;

    for (i = 0; p->python.data && i < p->threads.count && i < THREADS_MAX; i++) {
        if (p->threads.items[i].main == BOOL_TRUE)
            return waits_for_task(&p->threads.items[i]);
    }
    return false;
}

/* True if a thread that receives results waits for a result: it waits for data in a pipe, or for
 * the queue of a ThreadPool, whose functions are in C. False if it is in a callback of the program,
 * or in code of the program that makes an object from the data. index: the index of the frame of
 * _handle_results. */
static bool waits_for_result(const report_frames *frames, size_t index)
{
    static const char module[] = "multiprocessing/connection";

    return index + 1 == frames->count ||
           (place_is_in(frames->items[index + 1].file, module) &&
            is_function(&frames->items[frames->count - 1], "_recv", module));
}

/* Counts the threads that send tasks and those that receive results. Returns false if one of them
 * does not wait for tasks or results. */
static bool count_handlers(const report_frames *frames, size_t *senders, size_t *receivers)
{
    static const char module[] = "multiprocessing/pool";
    size_t i;

    for (i = 0; i < frames->count; i++) {
        if (is_function(&frames->items[i], "_handle_tasks", module)) {
            if (i + 1 != frames->count)
                return false;
            (*senders)++;
        } else if (is_function(&frames->items[i], "_handle_results", module)) {
            if (!waits_for_result(frames, i))
                return false;
            (*receivers)++;
        }
    }
    return true;
}

/* True if each Pool of the process has a thread that sends tasks and one that receives results, and
 * these threads have nothing to do. False, for example, if such a thread has ended, or runs code of
 * the program: its iterable or its callback. */
static bool handlers_are_idle(const struct report_process *process)
{
    size_t senders = 0, receivers = 0, i;

    for (i = 0; i < process->threads.count; i++) {
        if (!count_handlers(&process->threads.items[i].frames, &senders, &receivers))
            return false;
    }
    return senders > 0 && senders == receivers;
}

/* True if an object is a result of a multiprocessing.Pool, and all worker processes of this Pool
 * are known to wait for tasks. */
static bool workers_are_idle(const struct wait_graph *g, size_t object)
{
    const struct report_object *o = g->nodes[object].item;
    size_t i, node;

    if (!text_is(report_detail(o, "workers"), "yes") || o->holders.count > WORKERS_MAX)
        return false;
    for (i = 0; i < o->holders.count; i++) {
        node = wait_graph_find(g, g->nodes[object].process, o->holders.items[i]);
        if (node == NO_NODE || g->nodes[node].kind != NODE_PROCESS || !is_idle(g, node))
            return false;
    }
    return o->holders.count > 0;
}

static bool add(struct report *r, struct report_process *process, const struct wait_graph *g,
                size_t thread, size_t object)
{
    struct buffer text __attribute__((cleanup(buffer_free))) = BUFFER_INIT;
    const struct report_object *o = g->nodes[object].item;
    struct report_finding *f;

    actor_put(&text, g, thread, 0);
    actor_put_line(&text, g, thread);
    buffer_put_u8(&text, ' ');
    wait_words_put_target(&text, g, thread);
    sentence_put(&text, o->holders.count == 1
                            ? ", but the only worker process of the Pool waits for "
                              "tasks"
                            : ", but all worker processes of the Pool wait for "
                              "tasks");
    sentence_put(&text, ": the worker that computed it has apparently ended");
    f = finding_add(r, &process->findings, FINDING_WORKER, &text, CERTAINTY_SEEN);
    return f && finding_set_one(r, &f->members, process->threads.items[thread].id) &&
           finding_set_one(r, &f->evidence, o->id);
}

bool diagnose_workers(struct report *r, struct report_process *process, const struct wait_graph *g)
{
    size_t i, object;

    if (!handlers_are_idle(process))
        return true;
    for (i = 0; i < process->threads.count; i++) {
        const struct report_wait *wait = wait_graph_wait(g, i);

        object = wait ? wait_graph_find(g, 0, wait->object) : NO_NODE;
        if (object != NO_NODE && g->nodes[object].kind == NODE_OBJECT &&
            workers_are_idle(g, object) && !add(r, process, g, i, object))
            return false;
    }
    return true;
}
