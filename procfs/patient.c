/* SPDX-License-Identifier: BSD-3-Clause */
#include "procfs/patient.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "monotonic_cond.h"
#include "procfs/clock.h"
#include "procfs/read.h"
#include "procfs/threads.h"
#include "report.h"

#define MS_PER_S   1000
#define NS_PER_MS  1000000
#define NS_PER_S   1000000000
#define STACK_SIZE ((size_t)2 << 20) /* musl's default is too small for reading a process */

/* How often to find out whether the thread has run, in ms. */
#define LOOK_MS 50

/* Creates a detached thread. Returns 0 or an errno. */
static int create_thread(void *(*run)(void *), void *arg)
{
    pthread_attr_t attr;
    pthread_t thread;
    int result;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    result = pthread_create(&thread, &attr, run, arg);
    pthread_attr_destroy(&attr);
    return result;
}

int procfs_start_thread(void *(*run)(void *), void *arg)
{
    sigset_t all, old;
    int result;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    result = create_thread(run, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return result;
}

/* ---- Any work -------------------------------------------------------------------------------- */

/* What the thread does. The thread frees this struct if the caller does not wait any more;
 * otherwise the caller frees the struct. */
struct work {
    void (*run)(void *arg), (*release)(void *arg);
    void *arg;
    pthread_mutex_t lock; /* guards the members below */
    pthread_cond_t changed;
    bool begun, done; /* run was called; run has returned */
    bool left;        /* the caller does not wait any more */
    pid_t thread;     /* valid if begun is true, as `clock` */
    clockid_t clock;  /* the CPU time of the thread */
};

static struct work *work_new(void (*run)(void *), void (*release)(void *), void *arg)
{
    struct work *w = calloc(1, sizeof(*w));

    if (!w)
        return NULL;
    monotonic_cond_init(&w->changed);
    pthread_mutex_init(&w->lock, NULL);
    w->run = run;
    w->release = release;
    w->arg = arg;
    return w;
}

static void work_free(struct work *w)
{
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

static void *do_work(void *arg)
{
    struct work *w = arg;
    bool left;

    pthread_mutex_lock(&w->lock);
    w->thread = (pid_t)syscall(SYS_gettid);
    w->begun = pthread_getcpuclockid(pthread_self(), &w->clock) == 0;
    pthread_mutex_unlock(&w->lock);
    w->run(w->arg);
    pthread_mutex_lock(&w->lock);
    w->done = true;
    left = w->left;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    if (left) {
        w->release(w->arg);
        work_free(w);
    }
    return NULL;
}

/* Waits until the work is done, or until a time of CLOCK_MONOTONIC in ms. Call with the lock held.
 */
static void wait_until(struct work *w, int64_t until)
{
    const struct timespec time = {.tv_sec = (time_t)(until / MS_PER_S),
                                  .tv_nsec = (long)(until % MS_PER_S) * NS_PER_MS};

    while (!w->done && pthread_cond_timedwait(&w->changed, &w->lock, &time) == 0)
        ;
}

/* True if the thread has run since the last call, or waits for a CPU. *used: the CPU time that it
 * had used at the last call, in ns; -1: this is the first call. Call with the lock held. */
static bool has_run(const struct work *w, int64_t *used)
{
    int64_t before = *used;
    struct timespec t;

    if (!w->begun || clock_gettime(w->clock, &t) < 0)
        return true;
    *used = (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
    return (before >= 0 && *used != before) ||
           procfs_thread_state("/proc/self", w->thread) == STATE_RUNNING;
}

/* Waits until the work is done. Returns false if the thread is blocked; in this case, the thread
 * frees w. */
static bool wait_for(struct work *w, int timeout_ms)
{
    int64_t since = clock_ms(), now = since, used = -1;
    bool done;

    pthread_mutex_lock(&w->lock);
    while (!w->done && now < since + timeout_ms) {
        wait_until(w, since + timeout_ms < now + LOOK_MS ? since + timeout_ms : now + LOOK_MS);
        now = clock_ms();
        if (!w->done && has_run(w, &used))
            since = now;
    }
    done = w->done;
    w->left = !done;
    pthread_mutex_unlock(&w->lock);
    return done;
}

int procfs_run_patiently(void (*run)(void *arg), void (*release)(void *arg), void *arg,
                         int timeout_ms)
{
    struct work *w = work_new(run, release, arg);
    int error = w ? procfs_start_thread(do_work, w) : ENOMEM;

    if (error != 0) {
        if (w)
            work_free(w);
        return error;
    }
    if (!wait_for(w, timeout_ms))
        return ETIMEDOUT;
    work_free(w);
    return 0;
}

/* ---- Files of /proc -------------------------------------------------------------------------- */

/* One file that is read. */
struct reading {
    char path[PROCFS_PATH_SIZE];
    ssize_t len;
    int error;
    size_t size;
    char text[];
};

static void read_file(void *arg)
{
    struct reading *r = arg;

    r->len = procfs_read(r->path, r->text, r->size);
    r->error = errno;
}

ssize_t procfs_read_patiently(const char *path, char *out, size_t size, int timeout_ms)
{
    struct reading *r = malloc(sizeof(*r) + size);
    int error = ENOMEM;
    ssize_t len;

    out[0] = '\0';
    if (r) {
        *r = (struct reading){.size = size};
        snprintf(r->path, sizeof(r->path), "%s", path);
        error = procfs_run_patiently(read_file, free, r, timeout_ms);
    }
    if (error != 0) {
        if (error != ETIMEDOUT)
            free(r);
        errno = error;
        return -1;
    }
    len = r->len;
    error = r->error;
    if (len >= 0)
        memcpy(out, r->text, (size_t)len + 1);
    free(r);
    errno = error;
    return len;
}
