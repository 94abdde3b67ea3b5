/* SPDX-License-Identifier: BSD-3-Clause */
#include "procfs/patient.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "procfs/read.h"

#define MS_PER_S  1000
#define NS_PER_MS 1000000

int procfs_start_thread(void *(*run)(void *), void *arg)
{
    sigset_t all, old;
    pthread_t thread;
    int result;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    result = pthread_create(&thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (result == 0)
        pthread_detach(thread);
    return result;
}

/* One file that is read. The thread that reads the file frees this struct if the caller does not
 * wait any more; otherwise the caller frees the struct. */
struct reading {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done, left; /* done: the file was read; left: the caller does not wait any more */
    char path[PROCFS_PATH_SIZE];
    ssize_t len;
    int error;
    size_t size;
    char text[];
};

static void reading_free(struct reading *r)
{
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static void *read_file(void *arg)
{
    struct reading *r = arg;
    bool left;

    r->len = procfs_read(r->path, r->text, r->size);
    r->error = errno;
    pthread_mutex_lock(&r->lock);
    r->done = true;
    left = r->left;
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->lock);
    if (left)
        reading_free(r);
    return NULL;
}

static struct reading *reading_new(const char *path, size_t size)
{
    struct reading *r = calloc(1, sizeof(*r) + size);
    pthread_condattr_t attr;

    if (!r)
        return NULL;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->changed, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&r->lock, NULL);
    snprintf(r->path, sizeof(r->path), "%s", path);
    r->size = size;
    return r;
}

/* Waits until the file has been read. Returns false if the time has passed; in this case, the
 * thread frees r. */
static bool wait_for(struct reading *r, int timeout_ms)
{
    struct timespec until;
    bool done;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / MS_PER_S;
    until.tv_nsec += (long)(timeout_ms % MS_PER_S) * NS_PER_MS;
    if (until.tv_nsec >= (long)MS_PER_S * NS_PER_MS) {
        until.tv_nsec -= (long)MS_PER_S * NS_PER_MS;
        until.tv_sec++;
    }
    pthread_mutex_lock(&r->lock);
    while (!r->done && pthread_cond_timedwait(&r->changed, &r->lock, &until) == 0)
        ;
    done = r->done;
    r->left = !done;
    pthread_mutex_unlock(&r->lock);
    return done;
}

ssize_t procfs_read_patiently(const char *path, char *out, size_t size, int timeout_ms)
{
    struct reading *r = reading_new(path, size);
    ssize_t len;
    int error = r ? procfs_start_thread(read_file, r) : ENOMEM;

    out[0] = '\0';
    if (error != 0) {
        if (r)
            reading_free(r);
        errno = error;
        return -1;
    }
    if (!wait_for(r, timeout_ms)) {
        errno = ETIMEDOUT;
        return -1;
    }
    len = r->len;
    error = r->error;
    if (len >= 0)
        memcpy(out, r->text, (size_t)len + 1);
    reading_free(r);
    errno = error;
    return len;
}
