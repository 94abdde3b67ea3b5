/* SPDX-License-Identifier: BSD-3-Clause
 *
 * In builds with sanitizers: aborts the process if a thread waits for the GIL, a condition or a
 * descriptor while it holds a lock of pystuck. ThreadSanitizer finds locks that are taken in two
 * orders, but does not know the GIL.
 *
 * The linker (--wrap) makes the code of this extension, and no other code, call the functions below
 * in place of those of libc and Python. A thread that waits for a condition may hold one lock,
 * because the wait releases this lock.
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <Python.h>

#define REAL(name) __real_##name
#define WRAP(name) __wrap_##name

static __thread unsigned held;

static void check(const char *call, unsigned allowed)
{
    if (held <= allowed)
        return;
    fprintf(stderr, "%s is called with %u locks of pystuck held\n", call, held - allowed);
    abort();
}

/* In a forked child no thread holds a lock, because other fork handlers initialize all locks again.
 */
static void after_fork(void)
{
    held = 0;
}

static void set_up(void) __attribute__((constructor));

static void set_up(void)
{
    pthread_atfork(NULL, NULL, after_fork);
}

int REAL(pthread_mutex_lock)(pthread_mutex_t *mutex);
int WRAP(pthread_mutex_lock)(pthread_mutex_t *mutex);
int WRAP(pthread_mutex_lock)(pthread_mutex_t *mutex)
{
    int result = REAL(pthread_mutex_lock)(mutex);

    held++;
    return result;
}

int REAL(pthread_mutex_trylock)(pthread_mutex_t *mutex);
int WRAP(pthread_mutex_trylock)(pthread_mutex_t *mutex);
int WRAP(pthread_mutex_trylock)(pthread_mutex_t *mutex)
{
    int result = REAL(pthread_mutex_trylock)(mutex);

    if (result == 0)
        held++;
    return result;
}

int REAL(pthread_mutex_unlock)(pthread_mutex_t *mutex);
int WRAP(pthread_mutex_unlock)(pthread_mutex_t *mutex);
int WRAP(pthread_mutex_unlock)(pthread_mutex_t *mutex)
{
    held--;
    return REAL(pthread_mutex_unlock)(mutex);
}

int REAL(pthread_cond_wait)(pthread_cond_t *cond, pthread_mutex_t *mutex);
int WRAP(pthread_cond_wait)(pthread_cond_t *cond, pthread_mutex_t *mutex);
int WRAP(pthread_cond_wait)(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    check("pthread_cond_wait", 1);
    return REAL(pthread_cond_wait)(cond, mutex);
}

int REAL(pthread_cond_timedwait)(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                 const struct timespec *t);
int WRAP(pthread_cond_timedwait)(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                 const struct timespec *t);
int WRAP(pthread_cond_timedwait)(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                 const struct timespec *t)
{
    check("pthread_cond_timedwait", 1);
    return REAL(pthread_cond_timedwait)(cond, mutex, t);
}

int REAL(poll)(struct pollfd *fds, nfds_t count, int timeout);
int WRAP(poll)(struct pollfd *fds, nfds_t count, int timeout);
int WRAP(poll)(struct pollfd *fds, nfds_t count, int timeout)
{
    if (timeout != 0)
        check("poll", 0);
    return REAL(poll)(fds, count, timeout);
}

void REAL(PyEval_RestoreThread)(PyThreadState *tstate);
void WRAP(PyEval_RestoreThread)(PyThreadState *tstate);
void WRAP(PyEval_RestoreThread)(PyThreadState *tstate)
{
    check("PyEval_RestoreThread", 0);
    REAL(PyEval_RestoreThread)(tstate);
}
