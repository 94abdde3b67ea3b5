/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared by the unit tests. The name of a test is a sentence. A test creates the files, sockets and
 * threads that it needs, and removes them.
 */
#ifndef UNIT_H
#define UNIT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "buffer.h"
#include "error.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

/* Makes AddressSanitizer return NULL for absurd sizes, as malloc does, instead of ending the test.
 * Its library searches for this name in the program. */
const char *__asan_default_options(void) __attribute__((visibility("default")));
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

/* A test that hangs fails: SIGALRM ends the program after this many seconds for all its tests. */
#define WATCHDOG 60

#define RUN(tests) (alarm(WATCHDOG), cmocka_run_group_tests(tests, NULL, NULL))

/* Bytes in memory of exactly their size, so that AddressSanitizer reports each access beyond them.
 * */
struct bytes {
    uint8_t *data;
    size_t len;
};

static inline void bytes_free(struct bytes *b)
{
    free(b->data);
}

#define AUTO_BYTES  _cleanup_(bytes_free) struct bytes
#define AUTO_BUFFER _cleanup_(buffer_free) struct buffer
#define AUTO_ERROR  _cleanup_(rpyc_error_clear) struct rpyc_error

static inline struct bytes bytes_copy(const void *data, size_t len)
{
    struct bytes b = {malloc(len), len};

    if (len > 0)
        memcpy(b.data, data, len);
    return b;
}

/* Converts hex digits; spaces between them are ignored. */
static inline struct bytes from_hex(const char *text)
{
    struct bytes b = {malloc(strlen(text) / 2 + 1), 0};
    unsigned byte;

    while (*(text += strspn(text, " "))) {
        if (sscanf(text, "%2x", &byte) != 1)
            fail_msg("not hex: %s", text);
        b.data[b.len++] = (uint8_t)byte;
        text += 2;
    }
    b.data = realloc(b.data, b.len + !b.len);
    return b;
}

static inline void assert_bytes_at(const void *data, size_t len, const char *hex, const char *file,
                                   int line)
{
    const uint8_t *p = data;
    AUTO_BYTES wanted = from_hex(hex);
    size_t i;

    if (len == wanted.len && (len == 0 || memcmp(data, wanted.data, len) == 0))
        return;
    print_error("wanted %s\nfound  ", hex);
    for (i = 0; i < len; i++)
        print_error("%02x", p[i]);
    print_error("\n");
    _fail(file, line);
}

/* Checks that the len bytes at data are those of the hex text. */
#define assert_bytes(data, len, hex) assert_bytes_at(data, len, hex, __FILE__, __LINE__)

/* Checks err's code, and that its line contains this text. */
#define assert_error(err, errcode, piece)                                                          \
    do {                                                                                           \
        assert_int_equal((err)->code, errcode);                                                    \
        if (!strstr((err)->text, piece))                                                           \
            fail_msg("\"%s\" is not in \"%s\"", piece, (err)->text);                               \
        assert_null(strchr((err)->text, '\n'));                                                    \
    } while (0)

/* Checks that a call succeeded; prints err if not. */
#define assert_ok(call, err)                                                                       \
    do {                                                                                           \
        if ((call) != 0)                                                                           \
            fail_msg("%s: %s", #call, (err)->text);                                                \
    } while (0)

/* ---- Threads -------------------------------------------------------------------------------- */

/* A thread of the test that runs `run(arg)`. */
struct thread {
    pthread_t id;
    atomic_int tid; /* the kernel's thread id, set when it runs */
    void (*run)(void *arg);
    void *arg;
};

static inline void *thread_main(void *arg)
{
    struct thread *t = arg;

    atomic_store(&t->tid, (int)syscall(SYS_gettid));
    t->run(t->arg);
    return NULL;
}

static inline void thread_start(struct thread *t, void (*run)(void *), void *arg)
{
    t->run = run;
    t->arg = arg;
    atomic_init(&t->tid, 0);
    assert_int_equal(pthread_create(&t->id, NULL, thread_main, t), 0);
}

static inline void thread_join(struct thread *t)
{
    assert_int_equal(pthread_join(t->id, NULL), 0);
}

/* Waits until the thread sleeps in the kernel: in the call that is expected to block. */
static inline void thread_wait_asleep(struct thread *t)
{
    char path[64], line[256];
    char state = 0;

    while (state != 'S') {
        FILE *f;

        sched_yield();
        if (atomic_load(&t->tid) == 0)
            continue;
        snprintf(path, sizeof(path), "/proc/self/task/%d/stat", atomic_load(&t->tid));
        f = fopen(path, "r");
        if (f == NULL)
            return; /* the call has ended already */
        if (fgets(line, sizeof(line), f))
            sscanf(strrchr(line, ')'), ") %c", &state);
        fclose(f);
    }
}

/* Sends signals to a thread until nagger_stop(), without SA_RESTART, so that each of its calls that
 * can be interrupted is. The handler stays installed: the thread may receive the last signal after
 * nagger_stop(). */
struct nagger {
    struct thread thread;
    pthread_t target;
    atomic_bool stop;
};

static atomic_int signals_seen;

static inline void count_signal(int number)
{
    (void)number;
    atomic_fetch_add(&signals_seen, 1);
}

static inline void nag(void *arg)
{
    struct nagger *n = arg;

    while (!atomic_load(&n->stop)) {
        pthread_kill(n->target, SIGUSR1);
        poll(NULL, 0, 1); /* the rate of the signals, not a wait for a condition */
    }
}

static inline void nagger_start(struct nagger *n, pthread_t target)
{
    struct sigaction action = {.sa_handler = count_signal};

    atomic_store(&signals_seen, 0);
    atomic_init(&n->stop, false);
    n->target = target;
    sigaction(SIGUSR1, &action, NULL);
    thread_start(&n->thread, nag, n);
    /* A call with a short deadline may end before the new thread starts to run. */
    while (atomic_load(&signals_seen) == 0)
        sched_yield();
}

/* Returns how many signals were received. */
static inline int nagger_stop(struct nagger *n)
{
    atomic_store(&n->stop, true);
    thread_join(&n->thread);
    return atomic_load(&signals_seen);
}

/* Milliseconds of a monotonic clock. */
static inline int64_t clock_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static inline void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

#define AUTO_FD _cleanup_(close_fd) int

/* Returns how many fds this process has open. */
static inline int open_fds(void)
{
    int fd, count = 0;

    for (fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* ---- A peer by script ----------------------------------------------------------------------- */

/* The other end of a socket pair. Its messages may be sent before the request, because the
 * connection reads nothing that no thread waits for. */
struct peer {
    int fd;
};

static inline void peer_close(struct peer *p)
{
    close_fd(&p->fd);
    p->fd = -1;
}

static inline void say_bytes(struct peer *p, const void *data, size_t len)
{
    assert_int_equal(send(p->fd, data, len, MSG_NOSIGNAL), len);
}

static inline void say_raw(struct peer *p, const char *hex)
{
    AUTO_BYTES bytes = from_hex(hex);

    say_bytes(p, bytes.data, bytes.len);
}

/* Sends one frame with this payload. */
static inline void say(struct peer *p, const char *hex)
{
    AUTO_BYTES payload = from_hex(hex);
    AUTO_BUFFER frame = BUFFER_INIT;

    buffer_put_u32(&frame, (uint32_t)payload.len);
    buffer_put_u8(&frame, 0);
    buffer_put(&frame, payload.data, payload.len);
    buffer_put_u8(&frame, '\n');
    say_bytes(p, frame.data, frame.len);
}

static inline void read_exactly(struct peer *p, void *bytes, size_t len)
{
    uint8_t *at = bytes;

    while (len > 0) {
        struct pollfd ready = {.fd = p->fd, .events = POLLIN};
        ssize_t n;

        if (poll(&ready, 1, 10000) != 1)
            fail_msg("nothing came");
        n = read(p->fd, at, len);
        if (n <= 0)
            fail_msg("the end came");
        at += n;
        len -= (size_t)n;
    }
}

/* Returns the payload of the next frame. */
static inline struct bytes next_frame(struct peer *p)
{
    struct bytes payload;
    uint8_t header[5], newline;

    read_exactly(p, header, sizeof(header));
    assert_int_equal(header[4], 0);
    payload.len = load_u32(header);
    payload.data = malloc(payload.len + 1);
    read_exactly(p, payload.data, payload.len);
    read_exactly(p, &newline, 1);
    assert_int_equal(newline, '\n');
    return payload;
}

/* Checks the payload of the next frame. */
#define hears(p, hex)                                                                              \
    do {                                                                                           \
        AUTO_BYTES heard_ = next_frame(p);                                                         \
        assert_bytes(heard_.data, heard_.len, hex);                                                \
    } while (0)

static inline void hears_no_more(struct peer *p)
{
    char c;

    assert_int_equal(recv(p->fd, &c, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

static inline void hears_the_end(struct peer *p)
{
    struct pollfd ready = {.fd = p->fd, .events = POLLIN};
    char c;

    assert_int_equal(poll(&ready, 1, 10000), 1);
    assert_int_equal(read(p->fd, &c, 1), 0);
}

static inline void assert_contains(const struct bytes *b, const char *text)
{
    if (!memmem(b->data, b->len, text, strlen(text)))
        fail_msg("no \"%s\" in it", text);
}

#endif
