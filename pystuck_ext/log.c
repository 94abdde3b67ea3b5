/* SPDX-License-Identifier: BSD-3-Clause */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "procfs/clock.h"
#include "server.h"
#include "thread.h"

#define QUEUE_MAX 1000 /* the maximum number of queued messages */
#define LIMITS    2

struct entry {
    enum ps_log_level level;
    char text[PS_LOG_LINE_SIZE];
    STAILQ_ENTRY(entry) next;
};

struct ps_log {
    struct ps_state *state;
    PyObject *callable;
    unsigned fork_count; /* ps_fork_count() of the process that the log belongs to */
    sigset_t mask; /* signals blocked while the logger runs: the mask of run_server's caller */

    pthread_mutex_t lock; /* guards the members below */
    STAILQ_HEAD(, entry) queue;
    size_t count;
    bool running;  /* the thread that calls the logger exists */
    bool given_up; /* ps_log_free was called while the thread existed: the thread frees the log */
    struct ps_log_limit
        limits[LIMITS]; /* [0]: warnings and errors; [1]: clients that connect and leave */
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

/* Frees the log. Call with the GIL, when no other thread uses the log any more. */
static void release(struct ps_log *log)
{
    Py_DECREF(log->callable);
    pthread_mutex_destroy(&log->lock);
    free(log);
}

void ps_log_free(struct ps_log *log)
{
    bool running = false;

    if (!log)
        return;
    if (log->fork_count == ps_fork_count()) { /* else the thread and the lock are the parent's */
        pthread_mutex_lock(&log->lock);
        running = log->given_up = log->running;
        pthread_mutex_unlock(&log->lock);
    }
    if (!running)
        release(log);
}

/* Takes the next message from the queue. If the queue is empty, returns NULL. In this case, the
 * thread must end, and must free the log if *given_up is set. */
static struct entry *take(struct ps_log *log, bool *given_up)
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
    *given_up = log->given_up;
    pthread_mutex_unlock(&log->lock);
    return e;
}

/* Calls the logger with one message. Needs the GIL. Ignores exceptions of the logger. Because a
 * client may have chosen parts of the text, control characters become spaces, which makes the text
 * one line, and bytes that are not UTF-8 are replaced. */
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
    struct ps_state *state = log->state;
    struct entry *e;
    bool given_up;

    while ((e = take(log, &given_up))) {
        if (ps_thread_enter(state, &log->mask)) {
            pass_on(log, e);
            ps_thread_leave_python(state);
        }
        free(e);
    }
    if (given_up && ps_thread_enter(state, &log->mask)) {
        release(log);
        ps_thread_leave_python(state);
    }
}

/* Call with the lock held. Starts the thread that calls the logger, unless this thread runs
 * already. */
static void start(struct ps_log *log)
{
    if (!log->running && ps_thread_start(log->state, "pystuck-log", run, log) == 0)
        log->running = true;
}

/* Call with the lock held. Queues a message. Returns false if the queue is full or there is no
 * memory. */
static bool enqueue(struct ps_log *log, enum ps_log_level level, const char *text)
{
    struct entry *e = log->count < QUEUE_MAX ? malloc(sizeof(*e)) : NULL;

    if (!e)
        return false;
    e->level = level;
    snprintf(e->text, sizeof(e->text), "%s", text);
    STAILQ_INSERT_TAIL(&log->queue, e, next);
    log->count++;
    start(log);
    return true;
}

/* Call with the lock held. Queues the counts of messages that were not logged. at_once: queues the
 * counts of all kinds of messages; if false, only of the kinds whose period is over. */
static void enqueue_counts(struct ps_log *log, bool at_once)
{
    char text[PS_LOG_LINE_SIZE];
    int level;

    for (size_t i = 0; i < LIMITS; i++) {
        while (ps_log_limit_take(&log->limits[i], at_once, clock_ms(), &level, text))
            enqueue(log, (enum ps_log_level)level, text);
    }
}

/* True if log is not NULL and was made in this process, not in the parent of a fork. */
static bool is_used(const struct ps_log *log)
{
    return log && log->fork_count == ps_fork_count();
}

/* Queues a message that a client causes. If the limit for such messages is reached, only counts the
 * message. Call with the lock held. */
static void enqueue_limited(struct ps_log *log, enum ps_log_level level,
                            const struct ps_source *source, char *text)
{
    bool is_usual = level <= PS_LOG_INFO;
    struct ps_log_limit *limit = &log->limits[is_usual];

    if (ps_log_limit_admits(limit, source, level, is_usual ? PS_LOG_USUAL_LINES : 1, text,
                            clock_ms()) &&
        !enqueue(log, level, text))
        ps_log_limit_left_out(limit, level, clock_ms());
}

/* Queues a message. source: the client that causes the message; NULL: no client. */
static void add(struct ps_log *log, enum ps_log_level level, const struct ps_source *source,
                const char *format, va_list ap)
{
    char text[PS_LOG_LINE_SIZE];

    vsnprintf(text, sizeof(text), format, ap);
    pthread_mutex_lock(&log->lock);
    if (source)
        enqueue_limited(log, level, source, text);
    else
        enqueue(log, level, text);
    enqueue_counts(log, false);
    pthread_mutex_unlock(&log->lock);
}

void ps_log(struct ps_log *log, enum ps_log_level level, const char *format, ...)
{
    va_list ap;

    if (!is_used(log))
        return;
    va_start(ap, format);
    add(log, level, NULL, format, ap);
    va_end(ap);
}

void ps_log_client(struct ps_log *log, enum ps_log_level level, const struct ps_source *source,
                   const char *format, ...)
{
    va_list ap;

    if (!is_used(log))
        return;
    va_start(ap, format);
    add(log, level, source, format, ap);
    va_end(ap);
}

void ps_log_counts(struct ps_log *log)
{
    if (!is_used(log))
        return;
    pthread_mutex_lock(&log->lock);
    enqueue_counts(log, true);
    pthread_mutex_unlock(&log->lock);
}
