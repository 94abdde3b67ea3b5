/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A C program that embeds Python, for test_embedding.py. For each argument it starts Python, runs
 * the argument as code, and ends Python. Then it prints "life N is over" and waits for a line on
 * stdin.
 *
 * With HOLD_CLIENTS in its environment, threads that serve clients notice the end of Python late: a
 * poll() of such a thread that returns after Python was told to end waits until Python has started
 * again.
 *
 * With DELAY_CLIENTS in its environment, threads that serve clients use a CPU for DELAY_MS after
 * each wait for a condition that ends after Python was told to end.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HOLD_STEP_US 1000
#define DELAY_MS     150

static atomic_bool holds; /* true from the start of Python's end until Python has started again */
static atomic_bool delays;

static int is_client_thread(void)
{
    char name[16] = "";

    pthread_getname_np(pthread_self(), name, sizeof(name));
    return strcmp(name, "pystuck-client") == 0;
}

/* Replaces the function of libc also for the libraries of this program, which is linked with
 * -rdynamic. */
int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    int (*real)(struct pollfd *, nfds_t, int) = dlsym(RTLD_NEXT, "poll");
    int result = real(fds, count, timeout), error = errno;

    while (is_client_thread() && atomic_load(&holds))
        usleep(HOLD_STEP_US);
    errno = error;
    return result;
}

static void use_cpu(int ms)
{
    struct timespec start, now;

    clock_gettime(CLOCK_MONOTONIC, &start);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < ms);
}

/* Delays a thread that has waited for a condition of Python: for the GIL, or until another thread
 * has taken the GIL from it. */
static void delay(pthread_mutex_t *mutex)
{
    if (!atomic_load(&delays) || !is_client_thread())
        return;
    pthread_mutex_unlock(mutex); /* which other threads need meanwhile */
    use_cpu(DELAY_MS);
    pthread_mutex_lock(mutex);
}

int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    int (*real)(pthread_cond_t *, pthread_mutex_t *) = dlsym(RTLD_NEXT, "pthread_cond_wait");
    int result = real(cond, mutex);

    delay(mutex);
    return result;
}

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *end)
{
    int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *) =
        dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    int result = real(cond, mutex, end);

    delay(mutex);
    return result;
}

static int wait_for_line(void)
{
    char c;

    while (read(STDIN_FILENO, &c, 1) == 1) {
        if (c == '\n')
            return 0;
    }
    return -1;
}

int main(int argc, char **argv)
{
    int i, failed;

    for (i = 1; i < argc; i++) {
        Py_Initialize();
        atomic_store(&holds, 0);
        atomic_store(&delays, 0);
        failed = PyRun_SimpleString(argv[i]);
        atomic_store(&holds, getenv("HOLD_CLIENTS") != NULL);
        atomic_store(&delays, getenv("DELAY_CLIENTS") != NULL);
        if (Py_FinalizeEx() < 0 || failed)
            return 1;
        printf("life %d is over\n", i);
        fflush(stdout);
        if (wait_for_line() < 0)
            return 1;
    }
    return 0;
}
