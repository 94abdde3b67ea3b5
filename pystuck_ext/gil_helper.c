/* SPDX-License-Identifier: BSD-3-Clause */
#include "gil_helper.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "gil.h"
#include "monotonic_cond.h"
#include "procfs/threads.h"
#include "server.h"
#include "thread.h"

#define MS 1000000 /* in ns */

enum doing { RESTS, ASKS, RUNS };

struct ps_gil_helper {
    struct ps_state *state;
    unsigned fork_count;          /* ps_fork_count() of the process that the thread is in */
    struct ps_gil_helper *former; /* after a fork: the parent's helper, which is not used again; or
                                   * NULL */
    sigset_t mask;                /* signals that the thread blocks while it runs Python */
    unsigned servers;             /* number of open servers; guarded by the GIL */

    pthread_mutex_t lock; /* guards the members below. Do not wait while holding this lock
                           */
    pthread_cond_t changed;
    TAILQ_HEAD(, ps_gil_job) jobs; /* the jobs that are PENDING */
    bool exists;                   /* the thread was started and has not ended */
    unsigned generation;           /* how many threads were left behind */
    unsigned left_behind;          /* how many of these threads have not returned */
    bool stopping;                 /* no further job is accepted; the thread ends */
    enum doing doing;
    atomic_bool stalled;

    /* What is known about the GIL since the helper's thread began to ask for it. */
    deadline_t asked, since; /* when the thread began to ask; when the GIL last changed */
    struct gil seen;         /* the latest reading */
    uint64_t first_switches; /* the number of switches at `asked` */
    uint64_t own_state;      /* the address of the thread's state, while `doing` is RUNS */
    pid_t holder;
    int64_t cpu; /* the CPU time of the holder at `since`, in ns; -1: not known */
};

/* The helper of the main interpreter. ps_gil_helper_end_life() ends this helper. */
static _Atomic(struct ps_gil_helper *) main_helper;

/* ---- Looking at the GIL ---------------------------------------------------------------------- */

/* Reads the state of the GIL. Begins to measure anew how long a thread keeps the GIL, if anew is
 * true, if another thread has got the GIL since the last reading, or if the GIL is free. Call with
 * the lock held. Returns false if there is no stack reader, or if the stack reader could not read
 * the GIL. */
static bool look_again(struct ps_gil_helper *h, bool anew)
{
    const struct stackreader *reader = h->state->reader;
    struct gil gil;

    if (!reader || !stackreader_gil(reader, (uint64_t)(uintptr_t)h->state->interp, &gil))
        return false;
    if (anew || !gil.locked || gil.holder != h->seen.holder || gil.switches != h->seen.switches) {
        h->since = deadline_in(0);
        h->holder = stackreader_native_id(reader, gil.holder);
        h->cpu = procfs_own_cpu_ns(h->holder);
    }
    if (anew)
        h->first_switches = gil.switches;
    h->seen = gil;
    return true;
}

static void start_asking(struct ps_gil_helper *h)
{
    h->doing = ASKS;
    h->asked = deadline_in(0);
    look_again(h, true);
}

static int64_t ms_since(deadline_t then)
{
    return (deadline_in(0) - then) / MS;
}

void ps_gil_helper_look(struct ps_gil_helper *h, struct ps_gil_look *look)
{
    int64_t cpu;

    *look = (struct ps_gil_look){0};
    pthread_mutex_lock(&h->lock);
    look->known = look_again(h, false);
    if (look->known) {
        cpu = h->cpu < 0 ? -1 : procfs_own_cpu_ns(h->holder);
        look->locked = h->seen.locked;
        look->by_helper = h->seen.locked && h->doing == RUNS && h->seen.holder == h->own_state;
        look->unchanged_ms = h->seen.locked ? ms_since(h->since) : 0;
        look->cpu_ms = cpu < 0 ? -1 : (cpu - h->cpu) / MS;
        look->holder = h->holder;
        look->asked_ms = ms_since(h->asked);
        look->switches = h->seen.switches - h->first_switches;
        look->interval_ms = h->seen.interval_us / 1000;
    }
    pthread_mutex_unlock(&h->lock);
}

bool ps_gil_helper_is_stalled(const struct ps_gil_helper *h)
{
    return atomic_load_explicit(&h->stalled, memory_order_relaxed);
}

void ps_gil_helper_set_stalled(struct ps_gil_helper *h)
{
    pthread_mutex_lock(&h->lock);
    if (h->doing == ASKS)
        atomic_store(&h->stalled, true);
    pthread_mutex_unlock(&h->lock);
}

/* ---- The thread ------------------------------------------------------------------------------ */

/* Runs the first job. Call with the GIL and the lock held; releases the lock while the job runs. If
 * the job was withdrawn while it ran, returns the job, else NULL. */
static struct ps_gil_job *run_first(struct ps_gil_helper *h)
{
    struct ps_gil_job *job = TAILQ_FIRST(&h->jobs);

    h->doing = RUNS;
    h->own_state = (uint64_t)(uintptr_t)PyThreadState_Get();
    atomic_store(&h->stalled, false);
    if (!job)
        return NULL;
    TAILQ_REMOVE(&h->jobs, job, entry);
    if (job->run) {
        job->state = PS_JOB_RUNNING;
        pthread_mutex_unlock(&h->lock);
        job->run(job);
        pthread_mutex_lock(&h->lock);
    }
    job->state = PS_JOB_DONE;
    return job->withdrawn ? job : NULL;
}

/* Refuses all jobs, because the GIL could not be taken. Call with the lock held. */
static void refuse_all(struct ps_gil_helper *h)
{
    struct ps_gil_job *job;

    while ((job = TAILQ_FIRST(&h->jobs))) {
        TAILQ_REMOVE(&h->jobs, job, entry);
        job->state = PS_JOB_REFUSED;
    }
    h->stopping = h->stopping || ps_gil_is_ending(h->state);
}

/* Takes the GIL and runs one job. Call with the lock held; the lock is released during the job.
 * Does not return if the interpreter ends. */
static void serve_one(struct ps_gil_helper *h)
{
    struct ps_gil_job *withdrawn = NULL;
    unsigned generation = h->generation;
    bool entered;

    start_asking(h);
    pthread_mutex_unlock(&h->lock);
    entered = ps_thread_enter(h->state, &h->mask);
    pthread_mutex_lock(&h->lock);
    if (entered)
        withdrawn = run_first(h);
    else
        refuse_all(h);
    if (withdrawn)
        h->left_behind--;
    if (generation == h->generation)
        h->doing = RESTS;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
    if (entered)
        ps_thread_leave(h->state);
    if (withdrawn)
        withdrawn->drop(withdrawn);
    pthread_mutex_lock(&h->lock);
}

static void helper_main(void *arg)
{
    struct ps_gil_helper *h = arg;
    unsigned generation;

    pthread_mutex_lock(&h->lock);
    generation = h->generation;
    while (generation == h->generation && (!h->stopping || !TAILQ_EMPTY(&h->jobs))) {
        if (TAILQ_EMPTY(&h->jobs))
            pthread_cond_wait(&h->changed, &h->lock);
        else
            serve_one(h);
    }
    if (generation == h->generation)
        h->exists = false;
    pthread_mutex_unlock(&h->lock);
    if (ps_gil_is_known() && ps_thread_enter(h->state, &h->mask))
        ps_thread_leave_python(h->state);
}

/* ---- Starting and ending --------------------------------------------------------------------- */

static struct ps_gil_helper *helper_new(struct ps_state *state)
{
    struct ps_gil_helper *h = calloc(1, sizeof(*h));

    if (!h)
        return NULL;
    h->state = state;
    h->fork_count = ps_fork_count();
    h->former = state->helper;
    sigfillset(&h->mask);
    TAILQ_INIT(&h->jobs);
    pthread_mutex_init(&h->lock, NULL);
    monotonic_cond_init(&h->changed);
    return h;
}

/* Starts the helper's thread, unless it exists. Returns 0 or an errno. */
static int start_thread(struct ps_gil_helper *h)
{
    bool exists;
    int result;

    pthread_mutex_lock(&h->lock);
    exists = h->exists;
    h->stopping = false;
    h->exists = true;
    pthread_mutex_unlock(&h->lock);
    if (exists)
        return 0;
    result = ps_thread_start(h->state, "pystuck-gil", helper_main, h);
    if (result == 0)
        return 0;
    pthread_mutex_lock(&h->lock);
    h->exists = false;
    pthread_mutex_unlock(&h->lock);
    return result;
}

int ps_gil_helper_open(struct ps_state *state)
{
    struct ps_gil_helper *h = state->helper;
    int result;

    if (!h || h->fork_count != ps_fork_count()) {
        h = helper_new(state);
        if (!h)
            return ENOMEM;
        state->helper = h;
        if (state->is_main)
            atomic_store(&main_helper, h);
    }
    result = start_thread(h);
    if (result == 0)
        h->servers++;
    return result;
}

static void stop(struct ps_gil_helper *h)
{
    pthread_mutex_lock(&h->lock);
    h->stopping = true;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

void ps_gil_helper_close(struct ps_state *state)
{
    struct ps_gil_helper *h = state->helper;

    if (h && h->fork_count == ps_fork_count() && h->servers > 0 && --h->servers == 0)
        stop(h);
}

void ps_gil_helper_free(struct ps_state *state)
{
    struct ps_gil_helper *h = state->helper;

    if (!h)
        return;
    pthread_cond_destroy(&h->changed);
    pthread_mutex_destroy(&h->lock);
    free(h);
    state->helper = NULL;
}

void ps_gil_helper_end_life(void)
{
    struct ps_gil_helper *h = atomic_exchange(&main_helper, NULL);

    if (h && h->fork_count == ps_fork_count())
        stop(h);
}

/* ---- Jobs ------------------------------------------------------------------------------------ */

int ps_gil_helper_submit(struct ps_gil_helper *h, struct ps_gil_job *job)
{
    int result = 0;

    pthread_mutex_lock(&h->lock);
    if (!h->exists || h->stopping)
        result = ECHILD;
    else if (job->may_block && h->left_behind > 0)
        result = EBUSY;
    if (result == 0) {
        job->state = PS_JOB_PENDING;
        job->withdrawn = false;
        TAILQ_INSERT_TAIL(&h->jobs, job, entry);
        pthread_cond_broadcast(&h->changed);
    }
    pthread_mutex_unlock(&h->lock);
    return result;
}

enum ps_gil_job_state ps_gil_helper_wait(struct ps_gil_helper *h, struct ps_gil_job *job,
                                         deadline_t deadline)
{
    const struct timespec t = {deadline / 1000000000, deadline % 1000000000};
    enum ps_gil_job_state state;

    pthread_mutex_lock(&h->lock);
    while (job->state < PS_JOB_DONE &&
           pthread_cond_timedwait(&h->changed, &h->lock, &t) != ETIMEDOUT)
        ;
    state = job->state;
    pthread_mutex_unlock(&h->lock);
    return state;
}

bool ps_gil_helper_withdraw(struct ps_gil_helper *h, struct ps_gil_job *job)
{
    bool is_callers;

    pthread_mutex_lock(&h->lock);
    if (job->state == PS_JOB_PENDING)
        TAILQ_REMOVE(&h->jobs, job, entry);
    is_callers = job->state != PS_JOB_RUNNING;
    job->withdrawn = !is_callers;
    if (!is_callers) { /* leave the thread behind */
        h->generation++;
        h->left_behind++;
        h->doing = RESTS;
        h->exists = false;
    }
    pthread_mutex_unlock(&h->lock);
    if (!is_callers)
        start_thread(h);
    return is_callers;
}
