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

/* A test that TEST defines. */
struct unit_test {
    const char *name;
    void (*run)(void **state);
    const char *file;
    int line;
};

/* Defines a test. main(), in unit.c, runs the tests of all files of the program. It finds them in a
 * section of the program, which has a pointer to each. */
#define TEST(name)                                                                                 \
    static void name(void **state);                                                                \
    static const struct unit_test name##_test = {#name, name, __FILE__, __LINE__};                 \
    static const struct unit_test *const name##_entry                                              \
        __attribute__((used, section("unit_tests"))) = &name##_test;                               \
    static void name(void **state __attribute__((unused)))

/* A test that hangs fails: SIGALRM ends the program after this many seconds for the tests of one
 * file, which is long enough for valgrind on a busy machine. */
#define WATCHDOG 600

/* Run before the first test and after the last. They return 0 or -1. These of unit.c do nothing; a
 * program may define its own. */
int unit_set_up(void);
int unit_tear_down(void);

/* Bytes in memory of exactly their size, so that AddressSanitizer reports each access beyond it. */
struct bytes {
    uint8_t *data;
    size_t len;
};
void bytes_free(struct bytes *b);

#define AUTO_BYTES  _cleanup_(bytes_free) struct bytes
#define AUTO_BUFFER _cleanup_(buffer_free) struct buffer
#define AUTO_ERROR  _cleanup_(rpyc_error_clear) struct rpyc_error

struct bytes bytes_copy(const void *data, size_t len);

/* Converts hex digits; spaces between them are ignored. */
struct bytes from_hex(const char *text);
void assert_bytes_at(const void *data, size_t len, const char *hex, const char *file, int line);

/* Checks that the len bytes at data are those of the hex text. */
#define assert_bytes(data, len, hex) assert_bytes_at(data, len, hex, __FILE__, __LINE__)

void assert_error_at(const struct rpyc_error *err, enum rpyc_errcode code, const char *piece,
                     const char *file, int line);

/* Checks err's code, and that its line contains this text. */
#define assert_error(err, code, piece) assert_error_at(err, code, piece, __FILE__, __LINE__)

/* Checks that a call succeeded; prints err if not. */
#define assert_ok(call, err)                                                                       \
    do {                                                                                           \
        if ((call) != 0)                                                                           \
            fail_msg("%s: %s", #call, (err)->text);                                                \
    } while (0)

/* ---- Threads --------------------------------------------------------------------------------- */

/* A thread of the test that runs `run(arg)`. */
struct thread {
    pthread_t id;
    atomic_int tid; /* the kernel's thread id, set when it runs */
    void (*run)(void *arg);
    void *arg;
};
void thread_start(struct thread *t, void (*run)(void *), void *arg);
void thread_join(struct thread *t);

/* Waits until the thread sleeps in the kernel: in the call that is expected to block. */
void thread_wait_asleep(struct thread *t);

/* Sends signals to a thread until nagger_stop(), without SA_RESTART, so that each of its calls that
 * can be interrupted is. The handler stays installed: the thread may receive the last signal after
 * nagger_stop(). */
struct nagger {
    struct thread thread;
    pthread_t target;
    atomic_bool stop;
};

extern atomic_int signals_seen; /* how many signals were received */

void nagger_start(struct nagger *n, pthread_t target);

/* Returns how many signals were received. */
int nagger_stop(struct nagger *n);

/* Milliseconds of a monotonic clock. */
int64_t clock_ms(void);

/* Checks that at least these milliseconds have passed since start, within the clock's precision,
 * and no more than five seconds. */
#define assert_took(start, ms)                                                                     \
    do {                                                                                           \
        assert_true(clock_ms() - (start) >= (ms)-1);                                               \
        assert_true(clock_ms() - (start) < 5000);                                                  \
    } while (0)
void close_fd(int *fd);

#define AUTO_FD _cleanup_(close_fd) int

/* Returns how many fds this process has open. */
int open_fds(void);

/* ---- A peer by script ------------------------------------------------------------------------ */

/* The other end of a socket pair. Its messages may be sent before the request, because the
 * connection reads nothing that no thread waits for. */
struct peer {
    int fd;
};
/* Makes a socket pair: the peer is one end. Returns the other. */
int peer_open(struct peer *p);
void peer_close(struct peer *p);
void say_bytes(struct peer *p, const void *data, size_t len);
void say_raw(struct peer *p, const char *hex);

/* Sends one frame with this payload. */
void say(struct peer *p, const char *hex);
void read_exactly(struct peer *p, void *bytes, size_t len);

/* Returns the payload of the next frame. */
struct bytes next_frame(struct peer *p);

/* Checks the payload of the next frame. */
#define hears(p, hex)                                                                              \
    do {                                                                                           \
        AUTO_BYTES heard_ = next_frame(p);                                                         \
        assert_bytes(heard_.data, heard_.len, hex);                                                \
    } while (0)

void hears_no_more(struct peer *p);
void hears_the_end(struct peer *p);
void assert_contains(const struct bytes *b, const char *text);

#endif
