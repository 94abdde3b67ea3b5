/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Loaded into a program by LD_PRELOAD: makes calls of the C library fail, for test_out_of_memory.py
 * and test_faults.py. The file that PYSTUCK_FAULTS names tells which calls fail. The test maps this
 * file as well; faults.py has the same layout.
 */
#undef _FORTIFY_SOURCE /* with it, headers would define some of these functions */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <search.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

/* The kinds of calls that may fail, as bits. */
enum kind {
    KIND_MEMORY = 1,
    KIND_THREAD = 2, /* pthread_create */
    KIND_SOCKET = 4, /* socket */
    KIND_ACCEPT = 8,
    KIND_WAIT = 16,  /* calls that a signal may interrupt */
    KIND_TAKEN = 32, /* accept: another thread opens a descriptor just before */
};

/* The callers whose calls fail. */
enum whose {
    WHOSE_ANY,
    WHOSE_THREADS, /* calls on a native thread of the server, by any code */
    WHOSE_CODE,    /* calls of the extension's code, on any thread */
    WHOSE_MARKED,  /* calls on a thread that called faults_mark */
};

/* The layout of the file: 64 bits each. */
static struct control {
    atomic_long kinds, whose;
    atomic_long from, to;     /* the address range of the extension's code */
    atomic_long first, count; /* the calls that fail: the first one, counted from 1, and how many */
    atomic_long every;        /* every n-th call fails; 0: first and count apply */
    atomic_long error;        /* the errno of a call that fails */
    atomic_long calls;        /* how many calls were made */
    atomic_long failed;
    atomic_long blocks;     /* allocated blocks of memory */
    atomic_long own_blocks; /* blocks that the extension's code allocated */
    atomic_long clock;      /* seconds by which the wall clock has jumped */
    atomic_long clock_use;  /* how often the extension's code has read the wall clock */
} none, *control = &none;

static __thread bool is_ours, is_marked, within_ours;

PUBLIC void faults_mark(int marked);

void faults_mark(int marked)
{
    is_marked = marked;
}

static bool is_our_code(const void *caller)
{
    return within_ours || ((long)caller >= atomic_load(&control->from) &&
                           (long)caller < atomic_load(&control->to));
}

static bool is_concerned(const void *caller)
{
    switch (atomic_load(&control->whose)) {
    case WHOSE_ANY:
        return true;
    case WHOSE_THREADS:
        return is_ours;
    case WHOSE_CODE:
        return is_our_code(caller);
    default:
        return is_marked;
    }
}

/* Returns true if this call must fail, and sets errno. */
static bool fails(enum kind kind, const void *caller)
{
    long call, first, every;

    if (!(atomic_load(&control->kinds) & kind) || !is_concerned(caller))
        return false;
    call = atomic_fetch_add(&control->calls, 1) + 1;
    first = atomic_load(&control->first);
    every = atomic_load(&control->every);
    if (every ? call % every != 0 : call < first || call - first >= atomic_load(&control->count))
        return false;
    atomic_fetch_add(&control->failed, 1);
    errno = (int)atomic_load(&control->error);
    return true;
}

#define FAILS(kind) fails(kind, __builtin_return_address(0))

/* Returns the function of the C library with this name. */
#define REAL(name)                                                                                 \
    static __typeof__(&(name)) real;                                                               \
    if (!real)                                                                                     \
    real = (__typeof__(&(name)))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("PYSTUCK_FAULTS");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *map;

    if (fd < 0)
        return;
    map = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map != MAP_FAILED)
        control = map;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

/* The addresses of the blocks that the extension's code has allocated; any code may free them. */
#define OWN_SLOTS  (1UL << 16)
#define OWN_PROBES 32

static _Atomic(void *) own[OWN_SLOTS];

/* Replaces `before` by `after` in a slot for this address. */
static bool exchange_own(const void *block, void *before, void *after)
{
    size_t i, slot = ((uintptr_t)block >> 4) * 0x9e3779b1U;
    void *expected;

    for (i = 0; i < OWN_PROBES; i++) {
        expected = before;
        if (atomic_load(&own[(slot + i) % OWN_SLOTS]) == before &&
            atomic_compare_exchange_strong(&own[(slot + i) % OWN_SLOTS], &expected, after))
            return true;
    }
    return false;
}

static void *counted(void *block, bool is_own)
{
    if (!block)
        return NULL;
    atomic_fetch_add(&control->blocks, 1);
    if (is_own && exchange_own(block, NULL, block))
        atomic_fetch_add(&control->own_blocks, 1);
    return block;
}

/* Returns true if the extension's code allocated the block. */
static bool uncount(void *block)
{
    bool was_own;

    if (!block)
        return false;
    was_own = exchange_own(block, block, NULL);
    atomic_fetch_sub(&control->blocks, 1);
    if (was_own)
        atomic_fetch_sub(&control->own_blocks, 1);
    return was_own;
}

#define COUNTED(block) counted(block, is_our_code(__builtin_return_address(0)))

PUBLIC void *malloc(size_t size)
{
    REAL(malloc);
    return FAILS(KIND_MEMORY) ? NULL : COUNTED(real(size));
}

PUBLIC void *calloc(size_t n, size_t size)
{
    /* Before glibc 2.34, dlsym() calls calloc(). It does without, if calloc() fails. */
    static __thread bool within_dlsym;

    if (within_dlsym)
        return NULL;
    within_dlsym = true;
    REAL(calloc);
    within_dlsym = false;
    return FAILS(KIND_MEMORY) ? NULL : COUNTED(real(n, size));
}

PUBLIC void *realloc(void *old, size_t size)
{
    bool is_own;
    void *block;

    REAL(realloc);
    if (FAILS(KIND_MEMORY))
        return NULL;
    is_own = old ? uncount(old) : is_our_code(__builtin_return_address(0));
    block = real(old, size);
    counted(block || size == 0 ? block : old, is_own);
    return block;
}

PUBLIC void free(void *block)
{
    REAL(free);
    uncount(block);
    real(block);
}

PUBLIC int posix_memalign(void **block, size_t alignment, size_t size)
{
    int result;

    REAL(posix_memalign);
    if (FAILS(KIND_MEMORY))
        return ENOMEM;
    result = real(block, alignment, size);
    if (result == 0)
        COUNTED(*block);
    return result;
}

PUBLIC void *aligned_alloc(size_t alignment, size_t size)
{
    REAL(aligned_alloc);
    return FAILS(KIND_MEMORY) ? NULL : COUNTED(real(alignment, size));
}

PUBLIC void *mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
    REAL(mmap);
    return FAILS(KIND_MEMORY) ? MAP_FAILED : real(at, len, protection, flags, fd, offset);
}

/* Functions of the C library that allocate memory for their caller. */
#define ON_BEHALF(type, call)                                                                      \
    bool before = within_ours;                                                                     \
    type result;                                                                                   \
    within_ours = is_our_code(__builtin_return_address(0));                                        \
    result = call;                                                                                 \
    within_ours = before;                                                                          \
    return result

PUBLIC char *strdup(const char *text)
{
    REAL(strdup);
    ON_BEHALF(char *, real(text));
}

PUBLIC char *strndup(const char *text, size_t len)
{
    REAL(strndup);
    ON_BEHALF(char *, real(text, len));
}

PUBLIC void *tsearch(const void *key, void **root, int (*compare)(const void *, const void *))
{
    REAL(tsearch);
    ON_BEHALF(void *, real(key, root, compare));
}

/* ---- Threads --------------------------------------------------------------------------------- */

PUBLIC int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg)
{
    REAL(pthread_create);
    return FAILS(KIND_THREAD) ? errno : real(thread, attr, run, arg);
}

PUBLIC int pthread_setname_np(pthread_t thread, const char *name)
{
    REAL(pthread_setname_np);
    if (pthread_equal(thread, pthread_self()))
        is_ours = strncmp(name, "pystuck", strlen("pystuck")) == 0;
    return real(thread, name);
}

/* ---- Descriptors, and waiting ---------------------------------------------------------------- */

PUBLIC int socket(int domain, int type, int protocol)
{
    REAL(socket);
    return FAILS(KIND_SOCKET) ? -1 : real(domain, type, protocol);
}

PUBLIC int accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    REAL(accept4);
    if (FAILS(KIND_TAKEN))
        dup(0);
    return FAILS(KIND_ACCEPT) || FAILS(KIND_WAIT) ? -1 : real(fd, address, len, flags);
}

PUBLIC int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    REAL(poll);
    return FAILS(KIND_WAIT) ? -1 : real(fds, count, timeout);
}

PUBLIC ssize_t recv(int fd, void *bytes, size_t n, int flags)
{
    REAL(recv);
    return FAILS(KIND_WAIT) ? -1 : real(fd, bytes, n, flags);
}

PUBLIC ssize_t send(int fd, const void *bytes, size_t n, int flags)
{
    REAL(send);
    return FAILS(KIND_WAIT) ? -1 : real(fd, bytes, n, flags);
}

PUBLIC ssize_t recvfrom(int fd, void *bytes, size_t n, int flags, struct sockaddr *from,
                        socklen_t *len)
{
    REAL(recvfrom);
    return FAILS(KIND_WAIT) ? -1 : real(fd, bytes, n, flags, from, len);
}

/* ---- The wall clock -------------------------------------------------------------------------- */

static long jump(const void *caller)
{
    if (is_our_code(caller))
        atomic_fetch_add(&control->clock_use, 1);
    return atomic_load(&control->clock);
}

PUBLIC int clock_gettime(clockid_t clock, struct timespec *t)
{
    int result;

    REAL(clock_gettime);
    result = real(clock, t);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        t->tv_sec += jump(__builtin_return_address(0));
    return result;
}

PUBLIC int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    int result;

    REAL(gettimeofday);
    result = real(t, zone);
    if (result == 0)
        t->tv_sec += jump(__builtin_return_address(0));
    return result;
}

PUBLIC time_t time(time_t *out)
{
    time_t t;

    REAL(time);
    t = real(NULL) + jump(__builtin_return_address(0));
    if (out)
        *out = t;
    return t;
}
