/* SPDX-License-Identifier: BSD-3-Clause */
#include "reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "monotonic_cond.h"
#include "native_thread.h"
#include "procfs/clock.h"
#include "queue.h"

#define SPARE_NAME "pystuck-spare"
#define SECOND     INT64_C(1000000000) /* in ns */

/* A function that the thread of the reserve must run. */
struct job {
    void *(*run)(void *);
    void *arg;
    STAILQ_ENTRY(job) entry;
};

/* The thread of the reserve. */
struct spare {
    pthread_t thread;
    pthread_cond_t changed;
    STAILQ_HEAD(, job) jobs;
    bool is_busy; /* the thread runs a function */
    bool ends;    /* the thread must end when it has no function to run */
    bool sleeps;  /* the thread waits for `changed`, but not for a timer */
};

/* A descriptor of the reserve. It is a socket, so that its inode, which no other socket has,
 * identifies it. */
struct kept {
    int fd; /* -1: none */
    ino_t inode;
};

static struct {
    pthread_mutex_t lock; /* guards the members below */
    unsigned servers, clients;
    struct kept kept[PS_RESERVE_DESCRIPTORS];
    bool is_used; /* a client was accepted with a descriptor of the reserve, which has not been full
                   * since then, and no client has given a descriptor back */
    void *memory; /* NULL: none */
    bool short_of_memory;          /* `memory` was freed, because the program had no other address
                                    * space */
    struct spare *spare;           /* NULL: none */
    unsigned forks;                /* the number of forks between the first process and this one */
    TAILQ_HEAD(, ps_timer) timers; /* the timers that run; the first one is due first */
} reserve = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .kept = {{.fd = -1}, {.fd = -1}, {.fd = -1}},
    .timers = TAILQ_HEAD_INITIALIZER(reserve.timers),
};

/* ---- Timers ---------------------------------------------------------------------------------- */

/* Stops a timer, if it runs. Call with the lock held. */
static void stop_timer(struct ps_timer *timer)
{
    if (timer->runs && timer->forks == reserve.forks) /* else the timer is in the list of the parent
                                                       * process */
        TAILQ_REMOVE(&reserve.timers, timer, entry);
    timer->runs = false;
}

void ps_timer_start(struct ps_timer *timer)
{
    pthread_mutex_lock(&reserve.lock);
    stop_timer(timer);
    timer->runs = true;
    timer->forks = reserve.forks;
    timer->due = clock_ns() + PS_TIMER_MS * (SECOND / 1000);
    TAILQ_INSERT_TAIL(&reserve.timers, timer, entry);
    if (reserve.spare && reserve.spare->sleeps)
        pthread_cond_signal(&reserve.spare->changed);
    pthread_mutex_unlock(&reserve.lock);
}

void ps_timer_stop(struct ps_timer *timer)
{
    pthread_mutex_lock(&reserve.lock);
    stop_timer(timer);
    pthread_mutex_unlock(&reserve.lock);
}

/* Call with the lock held, on the thread of the reserve. Waits until spare->changed is signalled or
 * a timer is due, and calls the functions of timers that are due. Stopping a timer does not end
 * this wait. So while many short requests start and stop timers, the thread is not signalled for
 * each of them. */
static void wait_with_timers(struct spare *spare)
{
    struct ps_timer *timer = TAILQ_FIRST(&reserve.timers);
    struct timespec end;

    if (!timer) {
        spare->sleeps = true;
        pthread_cond_wait(&spare->changed, &reserve.lock);
        spare->sleeps = false;
        return;
    }
    end = (struct timespec){timer->due / SECOND, timer->due % SECOND};
    pthread_cond_timedwait(&spare->changed, &reserve.lock, &end);
    while ((timer = TAILQ_FIRST(&reserve.timers)) && timer->due <= clock_ns()) {
        stop_timer(timer);
        timer->run(timer);
    }
}

/* ---- Threads --------------------------------------------------------------------------------- */

/* Call with the lock held. Releases the lock, runs and frees the first job, and takes the lock
 * again. */
static void run_job(struct spare *spare)
{
    struct job *job = STAILQ_FIRST(&spare->jobs);

    STAILQ_REMOVE_HEAD(&spare->jobs, entry);
    spare->is_busy = true;
    pthread_mutex_unlock(&reserve.lock);
    job->run(job->arg);
    free(job);
    ps_block_signals(NULL);
    pthread_setname_np(pthread_self(), SPARE_NAME);
    pthread_mutex_lock(&reserve.lock);
    spare->is_busy = false;
}

static void *spare_main(void *arg)
{
    struct spare *spare = arg;

    pthread_setname_np(pthread_self(), SPARE_NAME);
    pthread_mutex_lock(&reserve.lock);
    while (!STAILQ_EMPTY(&spare->jobs) || !spare->ends) {
        if (STAILQ_EMPTY(&spare->jobs))
            wait_with_timers(spare);
        else
            run_job(spare);
    }
    pthread_mutex_unlock(&reserve.lock);
    pthread_cond_destroy(&spare->changed);
    free(spare);
    return NULL;
}

/* Starts the thread of the reserve if there is none. Call with the lock held. */
static void refill_thread(void)
{
    struct spare *spare = reserve.spare ? NULL : calloc(1, sizeof(*spare));

    if (!spare)
        return;
    monotonic_cond_init(&spare->changed);
    STAILQ_INIT(&spare->jobs);
    if (ps_start_thread(&spare->thread, spare_main, spare) == 0)
        reserve.spare = spare;
    else
        free(spare);
}

/* True if the thread has no function to run. Call with the lock held. */
static bool is_idle(const struct spare *spare)
{
    return !spare->is_busy && STAILQ_EMPTY(&spare->jobs);
}

/* Passes a function to the thread of the reserve, which runs it after the functions that were
 * passed earlier. at_once: passes the function only if the thread is idle. Returns false if the
 * thread will not run the function. */
static bool hand_over(void *(*run)(void *), void *arg, bool at_once)
{
    struct job *job = malloc(sizeof(*job));
    bool taken;

    if (!job)
        return false;
    *job = (struct job){.run = run, .arg = arg};
    pthread_mutex_lock(&reserve.lock);
    taken = reserve.spare && (!at_once || is_idle(reserve.spare));
    if (taken) {
        STAILQ_INSERT_TAIL(&reserve.spare->jobs, job, entry);
        pthread_cond_signal(&reserve.spare->changed);
    }
    pthread_mutex_unlock(&reserve.lock);
    if (!taken)
        free(job);
    return taken;
}

int ps_reserve_run(void *(*run)(void *), void *arg)
{
    pthread_t thread;
    int result;

    /* If address space is short, a thread that has its stack already is better than a new one. */
    if (ps_reserve_given() > 0 && hand_over(run, arg, true))
        return 0;
    result = ps_start_thread(&thread, run, arg);
    if (result == 0)
        pthread_detach(thread);
    else if (hand_over(run, arg, false))
        result = 0;
    return result;
}

/* Ends the thread of the reserve, if there is one. If the thread is idle, waits until the thread
 * has ended. If it has functions to run, does not wait: the thread ends after the last of them.
 * Call with the lock held, which this function releases. */
static void end_thread(void)
{
    struct spare *spare = reserve.spare;
    pthread_t thread;
    bool waits;

    reserve.spare = NULL;
    if (!spare) {
        pthread_mutex_unlock(&reserve.lock);
        return;
    }
    thread = spare->thread;
    waits = is_idle(spare);
    spare->ends = true;
    pthread_cond_signal(&spare->changed);
    pthread_mutex_unlock(&reserve.lock);
    if (waits)
        pthread_join(thread, NULL);
    else
        pthread_detach(thread);
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

/* True if the descriptor still is the socket that was opened: the program may have closed it
 * (os.closerange), and its number may have been used again. */
static bool is_ours(const struct kept *k)
{
    struct stat st;

    return k->fd >= 0 && fstat(k->fd, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_ino == k->inode;
}

static void drop(struct kept *k)
{
    if (is_ours(k))
        close(k->fd);
    k->fd = -1;
}

static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE;
}

/* Call with the lock held. Opens the descriptors that are missing. Returns 0, or an errno if not
 * all of them could be opened. */
static int refill_descriptors(void)
{
    struct kept *k;
    struct stat st;

    for (k = reserve.kept; k < reserve.kept + PS_RESERVE_DESCRIPTORS; k++) {
        if (is_ours(k))
            continue;
        k->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (k->fd < 0)
            return errno;
        k->inode = fstat(k->fd, &st) == 0 ? st.st_ino : 0;
    }
    reserve.is_used = false;
    return 0;
}

/* Call with the lock held. Closes `count` descriptors of the reserve, so that others can be opened.
 * Returns false if the reserve has fewer descriptors. */
static bool give(unsigned count)
{
    struct kept *k;

    for (k = reserve.kept; k < reserve.kept + PS_RESERVE_DESCRIPTORS && count > 0; k++) {
        if (!is_ours(k))
            continue;
        drop(k);
        count--;
    }
    return count == 0;
}

/* Call with the lock held. Accepts a client with a descriptor of the reserve. After this function
 * has closed such a descriptor, a thread of the program that opens descriptors in a loop may get it
 * before the client does. In this case, tries again with the next descriptor of the reserve. */
static int accept_by_reserve(int listener)
{
    int fd = -1, error = EMFILE;

    while (fd < 0 && is_shortage(error) && give(1)) {
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        error = errno;
    }
    if (fd >= 0)
        reserve.is_used = true;
    else
        refill_descriptors();
    errno = error;
    return fd;
}

/* Fills the reserve before it accepts a client, because more descriptors are needed to admit and to
 * answer that client. There are three cases in which the reserve cannot be filled:
 * - There is a shortage, and an earlier client uses the reserve. Accepts no client.
 * - There is a shortage, and no client uses the reserve: a thread of the program has got a
 *   descriptor that the reserve had closed for a moment. Accepts the client with what is left of
 *   the reserve.
 * - There is another reason, such as a filter of system calls. Accepts the client. */
int ps_reserve_accept(int listener)
{
    int fd = -1, error;

    pthread_mutex_lock(&reserve.lock);
    error = refill_descriptors();
    if (is_shortage(error) && reserve.is_used) {
        pthread_mutex_unlock(&reserve.lock);
        errno = error;
        return -1;
    }
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    error = errno;
    if (fd < 0 && is_shortage(error)) {
        fd = accept_by_reserve(listener);
        error = errno;
    }
    pthread_mutex_unlock(&reserve.lock);
    errno = error;
    return fd;
}

/* Call with the lock held. If the reserve is not full, adds a client's descriptor to it. The client
 * sees the end of the connection. Returns false if the descriptor was not added. */
static bool add_descriptor(int fd)
{
    struct kept *k, *missing = NULL, *other = NULL;
    struct stat st;

    for (k = reserve.kept; k < reserve.kept + PS_RESERVE_DESCRIPTORS; k++) {
        if (is_ours(k))
            other = k;
        else
            missing = k;
    }
    if (!missing || reserve.servers == 0)
        return false;
    if (other && dup3(other->fd, fd, O_CLOEXEC) == fd) {
        *missing = (struct kept){fd, other->inode};
        return true;
    }
    shutdown(fd, SHUT_RDWR); /* the socket itself stays open, as a descriptor of the reserve */
    *missing = (struct kept){fd, fstat(fd, &st) == 0 ? st.st_ino : 0};
    return true;
}

void ps_reserve_close(int fd)
{
    pthread_mutex_lock(&reserve.lock);
    if (add_descriptor(fd))
        reserve.is_used = false;
    else
        close(fd);
    pthread_mutex_unlock(&reserve.lock);
}

/* True if `count` descriptors can be opened. */
static bool are_free(unsigned count)
{
    int fds[PS_RESERVE_DESCRIPTORS];
    unsigned i, got = 0;

    while (got < count && (fds[got] = eventfd(0, EFD_CLOEXEC)) >= 0)
        got++;
    for (i = 0; i < got; i++)
        close(fds[i]);
    return got == count || !is_shortage(errno);
}

void ps_reserve_lend(unsigned count)
{
    pthread_mutex_lock(&reserve.lock);
    if (!are_free(count))
        give(count);
    pthread_mutex_unlock(&reserve.lock);
}

/* ---- Address space --------------------------------------------------------------------------- */

static void *map_memory(void)
{
    void *memory =
        mmap(NULL, PS_RESERVE_MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return NULL;
    madvise(memory, PS_RESERVE_MEMORY, MADV_DONTFORK);
    return memory;
}

static bool has_limit(int resource)
{
    struct rlimit limit;

    return getrlimit(resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

/* True if the program cannot get as much address space as the reserve has. */
static bool is_memory_short(void)
{
    void *memory;

    if (!has_limit(RLIMIT_AS) && !has_limit(RLIMIT_DATA))
        return false;
    memory = map_memory();
    if (memory)
        munmap(memory, PS_RESERVE_MEMORY);
    return !memory;
}

/* Unmaps the memory of the reserve, so that a client can use the address space. Call with the lock
 * held. */
static void give_memory(void)
{
    if (reserve.memory)
        munmap(reserve.memory, PS_RESERVE_MEMORY);
    reserve.memory = NULL;
}

/* Call with the lock held. Maps the memory again. Does nothing while clients are connected, because
 * they may need the address space. */
static void refill_memory(void)
{
    if (reserve.memory || reserve.clients > 0)
        return;
    reserve.memory = map_memory();
    reserve.short_of_memory = false;
}

/* ---- Filling --------------------------------------------------------------------------------- */

/* Replaces the missing parts of the reserve, if a server is open. Call with the lock held. */
static void refill(void)
{
    if (reserve.servers == 0)
        return;
    refill_descriptors();
    refill_thread();
    refill_memory();
}

bool ps_reserve_take_back(void)
{
    int error = 0;

    pthread_mutex_lock(&reserve.lock);
    if (reserve.servers > 0)
        error = refill_descriptors();
    pthread_mutex_unlock(&reserve.lock);
    return !is_shortage(error);
}

void ps_reserve_came(void)
{
    pthread_mutex_lock(&reserve.lock);
    if (reserve.clients++ == 0)
        reserve.short_of_memory = is_memory_short();
    if (reserve.short_of_memory)
        give_memory();
    else
        refill_thread();
    pthread_mutex_unlock(&reserve.lock);
}

void ps_reserve_left(void)
{
    pthread_mutex_lock(&reserve.lock);
    if (reserve.clients > 0)
        reserve.clients--;
    refill();
    pthread_mutex_unlock(&reserve.lock);
}

int64_t ps_reserve_given(void)
{
    int64_t given;

    pthread_mutex_lock(&reserve.lock);
    given = reserve.short_of_memory ? PS_RESERVE_MEMORY : 0;
    pthread_mutex_unlock(&reserve.lock);
    return given;
}

void ps_reserve_begin(void)
{
    pthread_mutex_lock(&reserve.lock);
    reserve.servers++;
    refill();
    pthread_mutex_unlock(&reserve.lock);
}

void ps_reserve_end(void)
{
    struct kept *k;

    pthread_mutex_lock(&reserve.lock);
    if (reserve.servers == 0 || --reserve.servers > 0) {
        pthread_mutex_unlock(&reserve.lock);
        return;
    }
    for (k = reserve.kept; k < reserve.kept + PS_RESERVE_DESCRIPTORS; k++)
        drop(k);
    reserve.is_used = false;
    give_memory();
    end_thread();
}

/* ---- Fork ------------------------------------------------------------------------------------ */

void ps_reserve_before_fork(void)
{
    pthread_mutex_lock(&reserve.lock);
}

void ps_reserve_after_fork_in_parent(void)
{
    pthread_mutex_unlock(&reserve.lock);
}

/* The child process has neither the thread nor the memory (MADV_DONTFORK). Does not free the
 * thread's struct, since free() is not async-signal-safe. */
void ps_reserve_after_fork_in_child(void)
{
    struct kept *k;

    for (k = reserve.kept; k < reserve.kept + PS_RESERVE_DESCRIPTORS; k++)
        drop(k);
    reserve.memory = NULL;
    reserve.spare = NULL;
    reserve.forks++;
    TAILQ_INIT(&reserve.timers);
    reserve.servers = reserve.clients = 0;
    reserve.is_used = false;
    pthread_mutex_init(&reserve.lock, NULL);
}
