/* SPDX-License-Identifier: BSD-3-Clause */
#include "reports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "procfs/descriptors.h"
#include "procfs/peers.h"
#include "procfs/read.h"
#include "procfs/shortage.h"
#include "shortage_text.h"

#define LIMIT 128
#define MANY  80

/* Runs a test in a child, whose limits it may lower. */
static void in_child(void (*run)(void))
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (int fd = STDERR_FILENO + 1; fd < 1024; fd++)
            close(fd); /* inherited ones may have numbers above the limit */
        run();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* Ends a child whose test has failed; cmocka's own way out only works in the parent. */
#define REQUIRE(condition)                                                                         \
    do                                                                                             \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%d: not true: %s\n", __LINE__, #condition);                           \
            _exit(1);                                                                              \
        }                                                                                          \
    while (0)

static void limit(int resource, rlim_t to)
{
    struct rlimit r = {to, to};

    REQUIRE(setrlimit(resource, &r) == 0);
}

/* Finds the shortages of this process. Returns the sentence about one; "" if it is not short. */
static const char *sentence(const char *resource)
{
    static char text[1024];
    struct buffer line = BUFFER_INIT;
    AUTO_REPORT r;
    struct report_process *p;

    report_init(&r, 1 << 20);
    p = report_add_process(&r);
    shortage_find(&r.arena, p, "/proc/self", 0);
    REQUIRE(p->shortage.items);
    text[0] = '\0';
    for (size_t i = 0; i < p->shortage.count; i++) {
        const struct report_shortage *s = &p->shortage.items[i];

        if (s->resource.len != strlen(resource) ||
            memcmp(s->resource.data, resource, s->resource.len) != 0)
            continue;
        report_put_shortage(&line, s);
        REQUIRE(!line.failed && line.len < sizeof(text));
        memcpy(text, line.data, line.len);
        text[line.len] = '\0';
    }
    buffer_free(&line);
    return text;
}

/* Checks that the sentence about a resource contains a text; "": that there is none. */
static void expect(const char *resource, const char *part)
{
    const char *line = sentence(resource);

    if (strstr(line, part) && (line[0] == '\0') == (part[0] == '\0'))
        return;
    fprintf(stderr, "'%s' is not in '%s'\n", part, line);
    _exit(1);
}

/* Opens eventfds until `left` descriptors are free. */
static void fill(int left)
{
    int fd, fds[LIMIT], n = 0;

    while (n < LIMIT && (fd = eventfd(0, EFD_CLOEXEC)) >= 0)
        fds[n++] = fd;
    REQUIRE(errno == EMFILE && n >= left);
    while (left-- > 0)
        close(fds[--n]);
}

static int listen_on_loopback(struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t len = sizeof(*address);

    *address = (struct sockaddr_in){.sin_family = AF_INET};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(bind(fd, (struct sockaddr *)address, sizeof(*address)) == 0);
    REQUIRE(listen(fd, MANY) == 0);
    REQUIRE(getsockname(fd, (struct sockaddr *)address, &len) == 0);
    return fd;
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

static void connect_often(void)
{
    struct sockaddr_in server;
    char wanted[256];
    int fd;

    limit(RLIMIT_NOFILE, LIMIT);
    listen_on_loopback(&server);
    for (int i = 0; i < MANY; i++) {
        fd = socket(AF_INET, SOCK_STREAM, 0);
        REQUIRE(connect(fd, (struct sockaddr *)&server, sizeof(server)) == 0);
    }
    fill(1);
    snprintf(wanted, sizeof(wanted),
             "out of file descriptors: %d of %d open, most of them: %d sockets to 127.0.0.1:%d",
             LIMIT, LIMIT, MANY, ntohs(server.sin_port));
    expect("file descriptors", wanted);
}

TEST(sockets_are_grouped_by_their_remote_address)
{
    in_child(connect_often);
}

static void accept_often(void)
{
    struct sockaddr_in server;
    char wanted[256];
    int fd, listener;
    pid_t peer;

    listener = listen_on_loopback(&server);
    peer = fork();
    if (peer == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (int i = 0; i < MANY; i++) {
            fd = socket(AF_INET, SOCK_STREAM, 0);
            REQUIRE(connect(fd, (struct sockaddr *)&server, sizeof(server)) == 0);
        }
        pause();
    }
    limit(RLIMIT_NOFILE, LIMIT);
    for (int i = 0; i < MANY; i++)
        REQUIRE(accept(listener, NULL, NULL) >= 0);
    fill(1);
    /* the listening socket has the same address */
    snprintf(wanted, sizeof(wanted), "most of them: %d sockets at 127.0.0.1:%d", MANY + 1,
             ntohs(server.sin_port));
    expect("file descriptors", wanted);
    kill(peer, SIGKILL);
}

TEST(sockets_of_many_clients_are_grouped_by_the_local_address)
{
    in_child(accept_often);
}

static void open_the_same_file(void)
{
    limit(RLIMIT_NOFILE, LIMIT);
    for (int i = 0; i < MANY; i++)
        REQUIRE(open("/dev/zero", O_RDONLY) >= 0);
    fill(1);
    expect("file descriptors", ", most of them: 80 descriptors of /dev/zero");
}

TEST(files_are_grouped_by_path)
{
    in_child(open_the_same_file);
}

static void open_files_of_a_folder(void)
{
    char folder[] = "/tmp/test_shortage.XXXXXX", path[64], wanted[128];

    limit(RLIMIT_NOFILE, LIMIT);
    REQUIRE(mkdtemp(folder));
    for (int i = 0; i < MANY; i++) {
        snprintf(path, sizeof(path), "%s/%d", folder, i);
        REQUIRE(open(path, O_CREAT | O_RDWR, 0600) >= 0);
        unlink(path);
    }
    rmdir(folder);
    fill(1);
    snprintf(wanted, sizeof(wanted), ", most of them: 80 files in %s", folder);
    expect("file descriptors", wanted);
}

TEST(files_with_different_paths_are_grouped_by_folder)
{
    in_child(open_files_of_a_folder);
}

static void open_this_and_that(void)
{
    int ends[2];

    limit(RLIMIT_NOFILE, LIMIT);
    for (int i = 0; i < 20; i++)
        REQUIRE(pipe(ends) == 0);
    for (int i = 0; i < 30; i++)
        REQUIRE(socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
    for (int i = 0; i < 20; i++)
        REQUIRE(open("/dev/zero", O_RDONLY) >= 0);
    fill(1);
    expect("file descriptors", ", among them: 4");
    expect("file descriptors", "30 Unix sockets");
}

TEST(several_groups_are_named_if_none_has_most_descriptors)
{
    in_child(open_this_and_that);
}

static void have_some_left(void)
{
    limit(RLIMIT_NOFILE, LIMIT);
    fill(LIMIT / SHORTAGE_LEFT + 1 + 1);
    expect("file descriptors", "");
    fill(LIMIT / SHORTAGE_LEFT + 1);
    expect("file descriptors", "nearly out of file descriptors: 124 of 128");
}

TEST(descriptors_are_reported_if_few_are_left)
{
    in_child(have_some_left);
}

TEST(nothing_fails_if_no_file_can_be_opened)
{
    struct report r;
    struct report_process *p;

    report_init(&r, 0);
    p = report_add_process(&r);
    shortage_find(&r.arena, p, "/proc/no such process", 0);
    assert_null(p->shortage.items);
    report_free(&r);
}

/* ---- Memory, threads ------------------------------------------------------------------------- */

static void use_address_space(void)
{
    struct rlimit r = {(rlim_t)1 << 34, (rlim_t)1 << 34};

    expect("address space", "");
    REQUIRE(mmap(NULL, (size_t)15 << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                 0) != MAP_FAILED);
    REQUIRE(setrlimit(RLIMIT_AS, &r) == 0);
    expect("address space", "");
    REQUIRE(mmap(NULL, (size_t)900 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                 -1, 0) != MAP_FAILED);
    expect("address space", "nearly out of address space: 16 GB of 16 GB in use");
}

TEST(address_space_is_reported)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* the sanitizer has mapped terabytes */
#endif
    in_child(use_address_space);
}

static void be_a_user_with_one_thread(void)
{
    if (geteuid() == 0)
        REQUIRE(setgid(65534) == 0 && setuid(54321) == 0);
    limit(RLIMIT_NPROC, 10000);
    expect("threads of the user", "");
    limit(RLIMIT_NPROC, 1);
    expect("threads of the user", "out of threads of the user: ");
}

TEST(threads_are_reported_unless_the_process_is_privileged)
{
    in_child(be_a_user_with_one_thread);
}

/* ---- Sentences ------------------------------------------------------------------------------- */

static void assert_sentence(struct report_shortage s, const char *wanted)
{
    struct buffer line = BUFFER_INIT;

    report_put_shortage(&line, &s);
    assert_int_equal(line.len, strlen(wanted));
    if (line.len > 0)
        assert_memory_equal(line.data, wanted, line.len);
    buffer_free(&line);
}

TEST(a_sentence_has_the_numbers_and_the_detail)
{
    const int64_t mb = 1 << 20;

    assert_sentence(
        (struct report_shortage){literal("file descriptors"), 1024, 1024,
                                 literal("most of them: 1,003 sockets to 10.0.0.5:5432")},
        "out of file descriptors: 1024 of 1024 open, most of them: 1,003 sockets to "
        "10.0.0.5:5432");
    assert_sentence(
        (struct report_shortage){literal("threads of the user"), 99, 100, literal(NULL)},
        "nearly out of threads of the user: 99 of 100 running");
    assert_sentence(
        (struct report_shortage){literal("address space"), 510 * mb, 512 * mb, literal("")},
        "nearly out of address space: 510 MB of 512 MB in use");
    assert_sentence((struct report_shortage){literal("patience"), 7, 7, literal("x")},
                    "out of patience: 7 of 7 in use, x");
    assert_sentence((struct report_shortage){literal("patience"), REPORT_UNKNOWN, 7, literal("x")},
                    "");
    assert_sentence((struct report_shortage){literal(NULL), 7, 7, literal("x")}, "");
}

/* ---- Files ----------------------------------------------------------------------------------- */

struct lines {
    size_t count, most;
    char text[64]; /* the first letter of each line, and its length */
};

static bool add_line(void *arg, char *line)
{
    struct lines *l = arg;
    size_t len = strlen(l->text);

    snprintf(l->text + len, sizeof(l->text) - len, "%c%zu ", line[0], strlen(line));
    return ++l->count < l->most;
}

static void put_line(FILE *file, char c, size_t len)
{
    while (len-- > 0)
        fputc(c, file);
    fputc('\n', file);
}

/* Reads a file with a line of each of these lengths, the first one of the letter a. */
static bool read_lines(struct lines *to, const size_t *lengths, size_t count, int64_t deadline)
{
    char path[] = "/tmp/lines-XXXXXX";
    FILE *file = fdopen(mkstemp(path), "w");
    bool is_whole;
    size_t i;

    assert_non_null(file);
    for (i = 0; i < count; i++)
        put_line(file, (char)('a' + i), lengths[i]);
    assert_int_equal(fclose(file), 0);
    is_whole = procfs_read_lines(path, deadline, add_line, to);
    unlink(path);
    return is_whole;
}

TEST(lines_that_are_too_long_are_left_out_of_a_file)
{
    const size_t lengths[] = {3,  PROCFS_LINE_SIZE,     PROCFS_LINE_SIZE + 1,
                              20, 9 * PROCFS_LINE_SIZE, 4};
    struct lines l = {.most = 9};

    assert_true(read_lines(&l, lengths, 6, INT64_MAX));
    assert_string_equal(l.text, "a3 b1024 d20 f4 ");
}

/* The kernel may return a file of /proc in pieces of any size. Each packet is a piece. */
TEST(a_line_that_is_too_long_may_come_in_short_pieces)
{
    struct lines l = {.most = 9};
    char path[32], x[3000];
    int fds[2];

    memset(x, 'x', sizeof(x));
    assert_int_equal(pipe2(fds, O_DIRECT), 0);
    assert_int_equal(write(fds[1], x, sizeof(x)), sizeof(x));
    assert_int_equal(write(fds[1], x, 500), 500);
    assert_int_equal(write(fds[1], "z\nq\n", 4), 4);
    close(fds[1]);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
    assert_true(procfs_read_lines(path, INT64_MAX, add_line, &l));
    assert_string_equal(l.text, "q1 ");
    close(fds[0]);
}

TEST(the_reading_of_lines_ends_early_if_it_must)
{
    const size_t lengths[] = {1, 2, 3};
    struct lines l = {.most = 2}, none = {.most = 9};

    assert_false(read_lines(&l, lengths, 3, INT64_MAX));
    assert_string_equal(l.text, "a1 b2 ");
    assert_false(read_lines(&none, lengths, 3, 0));
    assert_int_equal(none.count, 0);
    errno = 0;
    assert_false(procfs_read_lines("/proc/0/maps", INT64_MAX, add_line, &none));
    assert_int_equal(errno, ENOENT);
}
