/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The main function of every program of unit tests, and what they share.
 *
 *   test_wire               runs all tests of the program, those of each file as a group
 *   test_wire PATTERN...    runs the tests whose file or name matches a pattern: test_brine_read,
 *                           'a_frame_*'
 */
#include "unit.h"

#include <fnmatch.h>

/* Makes AddressSanitizer return NULL for absurd sizes, as malloc does, instead of ending the test.
 * Its library searches for this name in the program. */
const char *__asan_default_options(void) __attribute__((visibility("default")));
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

__attribute__((weak)) int unit_set_up(void)
{
    return 0;
}

__attribute__((weak)) int unit_tear_down(void)
{
    return 0;
}

/* ---- Running the tests ----------------------------------------------------------------------- */

/* The ends of the section, which the linker defines. */
extern const struct unit_test *const __start_unit_tests[];
extern const struct unit_test *const __stop_unit_tests[];

/* Compares two tests by file and line. */
static int compare(const void *a, const void *b)
{
    const struct unit_test *s = *(const struct unit_test *const *)a;
    const struct unit_test *t = *(const struct unit_test *const *)b;
    int order = strcmp(s->file, t->file);

    return order ? order : s->line - t->line;
}

/* Copies the name of a test's file, without folder and ending. */
static void file_name(char *name, size_t size, const struct unit_test *t)
{
    const char *slash = strrchr(t->file, '/');

    snprintf(name, size, "%s", slash ? slash + 1 : t->file);
    name[strcspn(name, ".")] = '\0';
}

static bool matches(const struct unit_test *t, char **patterns)
{
    char file[64];

    file_name(file, sizeof(file), t);
    for (; *patterns; patterns++) {
        if (fnmatch(*patterns, file, 0) == 0 || fnmatch(*patterns, t->name, 0) == 0)
            return true;
    }
    return false;
}

/* Returns the tests that match a pattern, or all if there are no patterns, by file and line. */
static const struct unit_test **choose(char **patterns, size_t *count)
{
    size_t all = (size_t)(__stop_unit_tests - __start_unit_tests), i;
    const struct unit_test **tests = malloc(all * sizeof(*tests));

    *count = 0;
    for (i = 0; i < all; i++) {
        if (!*patterns || matches(__start_unit_tests[i], patterns))
            tests[(*count)++] = __start_unit_tests[i];
    }
    qsort(tests, *count, sizeof(*tests), compare);
    return tests;
}

/* Runs the tests of the file of the first one, and adds how many have failed. Returns how many
 * tests the file has. */
static size_t run_file(const struct unit_test **tests, size_t count, int *failed)
{
    struct CMUnitTest *group = calloc(count, sizeof(*group));
    char file[64];
    size_t n;

    for (n = 0; n < count && strcmp(tests[n]->file, tests[0]->file) == 0; n++)
        group[n] = (struct CMUnitTest){.name = tests[n]->name, .test_func = tests[n]->run};
    file_name(file, sizeof(file), tests[0]);
    print_message("%s\n", file);
    alarm(WATCHDOG);
    *failed += _cmocka_run_group_tests(file, group, n, NULL, NULL);
    free(group);
    return n;
}

int main(int argc, char **argv)
{
    size_t count, done = 0;
    const struct unit_test **tests = choose(argv + (argc > 0), &count);
    int failed = 0;

    if (count == 0) {
        fprintf(stderr, "no such test\n");
        return 2;
    }
    if (unit_set_up() < 0)
        return 1;
    while (done < count)
        done += run_file(tests + done, count - done, &failed);
    free(tests);
    return unit_tear_down() < 0 || failed > 0;
}

/* ---- Checks ---------------------------------------------------------------------------------- */

void bytes_free(struct bytes *b)
{
    free(b->data);
}

struct bytes bytes_copy(const void *data, size_t len)
{
    struct bytes b = {malloc(len), len};

    if (len > 0)
        memcpy(b.data, data, len);
    return b;
}

struct bytes from_hex(const char *text)
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

void assert_bytes_at(const void *data, size_t len, const char *hex, const char *file, int line)
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

void assert_error_at(const struct rpyc_error *err, enum rpyc_errcode code, const char *piece,
                     const char *file, int line)
{
    if (err->code != code) {
        print_error("error %d instead of %d: %s\n", err->code, code, err->text);
        _fail(file, line);
    }
    if (!strstr(err->text, piece)) {
        print_error("\"%s\" is not in \"%s\"\n", piece, err->text);
        _fail(file, line);
    }
    if (strchr(err->text, '\n')) {
        print_error("more than one line: %s\n", err->text);
        _fail(file, line);
    }
}

/* ---- Threads --------------------------------------------------------------------------------- */

static void *thread_main(void *arg)
{
    struct thread *t = arg;

    atomic_store(&t->tid, (int)syscall(SYS_gettid));
    t->run(t->arg);
    return NULL;
}

void thread_start(struct thread *t, void (*run)(void *), void *arg)
{
    t->run = run;
    t->arg = arg;
    atomic_init(&t->tid, 0);
    assert_int_equal(pthread_create(&t->id, NULL, thread_main, t), 0);
}

void thread_join(struct thread *t)
{
    assert_int_equal(pthread_join(t->id, NULL), 0);
}

void thread_wait_asleep(struct thread *t)
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

atomic_int signals_seen;

static void count_signal(int number)
{
    (void)number;
    atomic_fetch_add(&signals_seen, 1);
}

static void nag(void *arg)
{
    struct nagger *n = arg;

    while (!atomic_load(&n->stop)) {
        pthread_kill(n->target, SIGUSR1);
        poll(NULL, 0, 1); /* the rate of the signals, not a wait for a condition */
    }
}

void nagger_start(struct nagger *n, pthread_t target)
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

int nagger_stop(struct nagger *n)
{
    atomic_store(&n->stop, true);
    thread_join(&n->thread);
    return atomic_load(&signals_seen);
}

int64_t clock_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

int open_fds(void)
{
    int fd, count = 0;

    for (fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* ---- A peer by script ------------------------------------------------------------------------ */

int peer_open(struct peer *p)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    p->fd = fds[1];
    return fds[0];
}

void peer_close(struct peer *p)
{
    close_fd(&p->fd);
    p->fd = -1;
}

void say_bytes(struct peer *p, const void *data, size_t len)
{
    assert_int_equal(send(p->fd, data, len, MSG_NOSIGNAL), len);
}

void say_raw(struct peer *p, const char *hex)
{
    AUTO_BYTES bytes = from_hex(hex);

    say_bytes(p, bytes.data, bytes.len);
}

void say(struct peer *p, const char *hex)
{
    AUTO_BYTES payload = from_hex(hex);
    AUTO_BUFFER frame = BUFFER_INIT;

    buffer_put_u32(&frame, (uint32_t)payload.len);
    buffer_put_u8(&frame, 0);
    buffer_put(&frame, payload.data, payload.len);
    buffer_put_u8(&frame, '\n');
    say_bytes(p, frame.data, frame.len);
}

void read_exactly(struct peer *p, void *bytes, size_t len)
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

struct bytes next_frame(struct peer *p)
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

void hears_no_more(struct peer *p)
{
    char c;

    assert_int_equal(recv(p->fd, &c, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

void hears_the_end(struct peer *p)
{
    struct pollfd ready = {.fd = p->fd, .events = POLLIN};
    char c;

    assert_int_equal(poll(&ready, 1, 10000), 1);
    assert_int_equal(read(p->fd, &c, 1), 0);
}

void assert_contains(const struct bytes *b, const char *text)
{
    if (!memmem(b->data, b->len, text, strlen(text)))
        fail_msg("no \"%s\" in it", text);
}
