/* SPDX-License-Identifier: BSD-3-Clause */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "server.h"
#include "thread.h"

#define QUEUE_MAX 1000 /* messages */

struct entry {
    enum ps_log_level level;
    char text[256];
    STAILQ_ENTRY(entry) next;
};

struct ps_log {
    struct ps_state *state;
    PyObject *callable;
    unsigned fork_count; /* of the process that it belongs to */
    sigset_t mask;       /* for the callable: that of run_server's caller */

    pthread_mutex_t lock; /* guards what follows */
    STAILQ_HEAD(, entry) queue;
    size_t count;
    bool running; /* there is a thread */
};

struct ps_log *ps_log_new(struct ps_state *state, PyObject *callable)
{
    struct ps_log *log = calloc(1, sizeof(*log));

    if (!log)
        return (struct ps_log *)PyErr_NoMemory();
    log->state = state;
    log->callable = callable;
    Py_INCREF(callable);
    log->fork_count = ps_fork_count();
    pthread_sigmask(SIG_SETMASK, NULL, &log->mask);
    pthread_mutex_init(&log->lock, NULL);
    STAILQ_INIT(&log->queue);
    return log;
}

void ps_log_free(struct ps_log *log)
{
    if (!log)
        return;
    Py_DECREF(log->callable);
    pthread_mutex_destroy(&log->lock);
    free(log);
}

/* The next message; NULL once there is none, which is the end of the thread. */
static struct entry *take(struct ps_log *log)
{
    struct entry *e;

    pthread_mutex_lock(&log->lock);
    e = STAILQ_FIRST(&log->queue);
    if (e) {
        STAILQ_REMOVE_HEAD(&log->queue, next);
        log->count--;
    } else {
        log->running = false;
    }
    pthread_mutex_unlock(&log->lock);
    return e;
}

/* Passes one message on. It has the GIL. What the logger raises is nobody's business. A client may
 * have a hand in the text: it is one line, and what is no UTF-8, or was cut off, does not hide it.
 */
static void pass_on(struct ps_log *log, struct entry *e)
{
    PyObject *text, *result;
    char *p;

    for (p = e->text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = ' ';
    text = PyUnicode_DecodeUTF8(e->text, (Py_ssize_t)strlen(e->text), "replace");
    result = text ? PyObject_CallFunction(log->callable, "iO", (int)e->level, text) : NULL;
    Py_XDECREF(text);
    Py_XDECREF(result);
    PyErr_Clear();
}

static void run(void *arg)
{
    struct ps_log *log = arg;
    struct entry *e;

    while ((e = take(log))) {
        if (ps_thread_enter(log->state, &log->mask)) {
            pass_on(log, e);
            ps_thread_leave_python(log->state);
        }
        free(e);
    }
}

/* With the lock held. */
static void start(struct ps_log *log)
{
    if (!log->running && ps_thread_start(log->state, "pystuck-log", run, log) == 0)
        log->running = true;
}

void ps_log(struct ps_log *log, enum ps_log_level level, const char *format, ...)
{
    struct entry *e = log && log->fork_count == ps_fork_count() ? malloc(sizeof(*e)) : NULL;
    va_list ap;

    if (!e)
        return;
    e->level = level;
    va_start(ap, format);
    vsnprintf(e->text, sizeof(e->text), format, ap);
    va_end(ap);
    pthread_mutex_lock(&log->lock);
    if (log->count < QUEUE_MAX) {
        STAILQ_INSERT_TAIL(&log->queue, e, next);
        log->count++;
        e = NULL;
    }
    start(log);
    pthread_mutex_unlock(&log->lock);
    free(e);
}
