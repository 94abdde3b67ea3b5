/* SPDX-License-Identifier: BSD-3-Clause */
#include "reports.h"

#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "procfs/database_locks.h"
#include "procfs/file_locks.h"
#include "procfs/mounts.h"
#include "procfs/sleeps.h"
#include "procfs/target.h"
#include "procfs/threads.h"
#include "procfs/watched.h"

#define PATIENCE_MS 60000

/* A child of the test that waits in one system call. */
struct child {
    pid_t pid;
    bool is_contained; /* it is said to be in another PID namespace */
    struct report report;
    struct report_syscall *call; /* what was found out about its call */
};

static bool read_memory(const void *arg, uint64_t address, void *to, size_t size)
{
    const pid_t *pid = arg;
    char path[32];
    ssize_t n;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/mem", (int)*pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : pread(fd, to, size, (off_t)address);
    if (fd >= 0)
        close(fd);
    return n == (ssize_t)size;
}

/* Starts a child that runs `wait`, and waits until it is in one of the system calls.
 */
static void child_start_either(struct child *c, void (*wait)(void *arg), void *arg,
                               const char *name, const char *other_name)
{
    int64_t end = clock_ms() + PATIENCE_MS;
    char folder[32];

    c->is_contained = false;
    report_init(&c->report, 0);
    c->pid = fork();
    if (c->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        wait(arg);
        _exit(0);
    }
    snprintf(folder, sizeof(folder), "/proc/%d", (int)c->pid);
    for (c->call = NULL; clock_ms() < end; sched_yield()) {
        if (procfs_thread_state(folder, c->pid) != STATE_SLEEPING)
            continue;
        c->call = procfs_thread_syscall(folder, c->pid, &c->report.arena);
        if (c->call && (is_text(c->call->name, name) || is_text(c->call->name, other_name)))
            return;
    }
    fail_msg("the child is not in %s", name);
}

static void child_start(struct child *c, void (*wait)(void *arg), void *arg, const char *name)
{
    child_start_either(c, wait, arg, name, name);
}

/* Finds out what the child's call is on. state: the one that the child is said to be in. */
static const struct report_target *target_in_state(struct child *c, bool has_memory, int state)
{
    char folder[32];
    const struct target_process from = {.folder = folder,
                                        .pid = c->pid,
                                        .is_contained = c->is_contained,
                                        .read_memory = has_memory ? read_memory : NULL,
                                        .arg = &c->pid};
    const struct target_thread thread = {c->pid, state, c->call, -1};

    snprintf(folder, sizeof(folder), "/proc/%d", (int)c->pid);
    targets_find(&from, &thread, 1, &c->report.arena, clock_ms() + PATIENCE_MS);
    return c->call->target;
}

static const struct report_target *child_target(struct child *c, bool has_memory)
{
    return target_in_state(c, has_memory, STATE_SLEEPING);
}

static void child_end(struct child *c)
{
    kill(c->pid, SIGKILL);
    waitpid(c->pid, NULL, 0);
    report_free(&c->report);
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

static void read_one(void *fds)
{
    char byte;

    close(((int *)fds)[1]);
    if (read(((int *)fds)[0], &byte, 1) < 0)
        _exit(1);
}

TEST(the_process_that_can_write_to_a_pipe_is_named)
{
    const struct report_target *t;
    struct child c;
    pid_t other;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    child_start(&c, read_one, fds, "read");
    t = child_target(&c, false);
    assert_non_null(t);
    assert_true(is_text(t->kind, "pipe"));
    assert_int_equal(c.call->fd, fds[0]);
    assert_int_equal(t->peer_pid, getpid()); /* the child itself has only the end for reading */
    child_end(&c);

    other = fork();
    if (other == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    child_start(&c, read_one, fds, "read");
    t = child_target(&c, false);
    assert_non_null(t);
    assert_int_equal(t->peer_pid, REPORT_UNKNOWN); /* two processes can write to it */
    child_end(&c);
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
    close(fds[0]);
    close(fds[1]);
}

static void receive(void *fd)
{
    char byte;

    if (recv(*(int *)fd, &byte, 1, 0) < 0)
        _exit(1);
}

static void format(char *out, size_t size, const struct sockaddr_in *address)
{
    snprintf(out, size, "127.0.0.1:%u", ntohs(address->sin_port));
}

TEST(a_tcp_socket_has_its_addresses_and_its_state)
{
    struct sockaddr_in address = {.sin_family = AF_INET}, own;
    socklen_t len = sizeof(address), own_len = sizeof(own);
    int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0), peer;
    const struct report_target *t;
    char text[64];
    struct child c;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(server, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(server, 1), 0);
    assert_int_equal(getsockname(server, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(client, (struct sockaddr *)&own, &own_len), 0);
    peer = accept(server, NULL, NULL);
    child_start(&c, receive, &client, "recvfrom");
    t = child_target(&c, false);
    assert_non_null(t);
    assert_true(is_text(t->kind, "tcp"));
    assert_true(is_text(t->tcp_state, "ESTABLISHED"));
    format(text, sizeof(text), &own);
    assert_true(is_text(t->local, text));
    format(text, sizeof(text), &address);
    assert_true(is_text(t->remote, text));
    assert_int_equal(t->peer_pid, getpid());
    shutdown(peer, SHUT_WR);
    child_end(&c);
    close(peer);
    close(client);
    close(server);
}

TEST(a_unix_socket_has_its_peer)
{
    const struct report_target *t;
    struct child c;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    child_start(&c, receive, &fds[0], "recvfrom");
    t = child_target(&c, false);
    assert_non_null(t);
    assert_true(is_text(t->kind, "unix"));
    assert_int_equal(t->peer_pid, getpid());
    child_end(&c);
    close(fds[0]);
    close(fds[1]);
}

/* ---- Locks ----------------------------------------------------------------------------------- */

static void lock_file(void *path)
{
    int fd = open(path, O_RDWR);

    if (fd < 0 || flock(fd, LOCK_EX) < 0)
        _exit(1);
}

static void lock_record(void *path)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDWR);

    if (fd < 0 || fcntl(fd, F_SETLKW, &lock) < 0)
        _exit(1);
}

static void assert_locked(void (*lock)(void *path), const char *name, char *path, int64_t holder)
{
    const struct report_target *t;
    struct child c;

    child_start(&c, lock, path, name);
    t = child_target(&c, false);
    assert_non_null(t);
    assert_true(is_text(t->kind, "file"));
    assert_true(is_text(t->path, path));
    assert_int_equal(t->peer_pid, holder);
    child_end(&c);
}

TEST(the_process_that_holds_a_file_lock_is_named)
{
    char path[] = "/tmp/test_target.XXXXXX", folder[] = "/proc/self";
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    if (file_inode(folder, fd) == 0) { /* before Linux 5.14 */
        unlink(path);
        close(fd);
        skip();
    }
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_locked(lock_file, "flock", path, getpid());
    assert_int_equal(fcntl(fd, F_SETLK, &lock), 0);
    assert_locked(lock_record, "fcntl", path, getpid());
    lock.l_type = F_UNLCK;
    assert_int_equal(fcntl(fd, F_SETLK, &lock), 0);
    lock.l_type = F_WRLCK;
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
    assert_locked(lock_record, "fcntl", path, REPORT_UNKNOWN); /* such a lock has no process */
    unlink(path);
    close(fd);
}

/* A child that waits for a lock stands for one in an uninterruptible sleep. */
TEST(an_uninterruptible_sleep_has_the_mount_of_the_file)
{
    char path[] = "/tmp/test_target.XXXXXX", above[PATH_MAX];
    const struct report_target *t;
    struct child c;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    child_start(&c, lock_file, path, "flock");
    t = child_target(&c, false);
    assert_non_null(t);
    assert_null(t->mount.data);
    assert_null(t->wchan.data);
    t = target_in_state(&c, false, STATE_DISK);
    assert_non_null(t);
    assert_non_null(t->mount.data);
    assert_true(t->mount.len < sizeof(above));
    memcpy(above, t->mount.data, t->mount.len);
    above[t->mount.len] = '\0';
    assert_int_equal(strncmp(path, above, t->mount.len), 0); /* "/" or "/tmp" */
    child_end(&c);
    unlink(path);
    close(fd);
}

TEST(escaped_characters_of_mount_points_are_decoded)
{
    char text[] = "/mnt/my\\040disk\\134a\\0";

    mount_point_decode(text);
    assert_string_equal(text, "/mnt/my disk\\a\\0");
}

TEST(lines_of_proc_locks_are_read)
{
    static const char lock[] = "3: FLOCK  ADVISORY  WRITE 4711 fe:00:12 0 EOF";
    static const char other[] = "4: FLOCK  ADVISORY  WRITE 4712 fe:00:13 0 EOF";
    static const char waits[] = "3: -> FLOCK  ADVISORY  WRITE 5 fe:00:12 0 EOF";
    static const char deeper[] = "3:  -> FLOCK  ADVISORY  WRITE 6 fe:00:12 0 EOF";
    pid_t holder = 0;

    assert_false(file_lock_line(lock, "FLOCK", 5, 12, &holder));
    assert_int_equal(holder, 4711);
    assert_true(file_lock_line(waits, "FLOCK", 5, 12, &holder));
    assert_true(file_lock_line(deeper, "FLOCK", 6, 12, &holder));
    assert_int_equal(holder, 4711);
    assert_false(file_lock_line(waits, "FLOCK", 6, 12, &holder));
    assert_false(file_lock_line(waits, "FLOCK", 5, 13, &holder));
    assert_false(file_lock_line(waits, "POSIX", 5, 12, &holder));
    assert_false(file_lock_line(other, "FLOCK", 5, 12, &holder));
    assert_int_equal(holder, 0);
    assert_false(file_lock_line("", "FLOCK", 5, 12, &holder));
    assert_false(file_lock_line("5: FLOCK", "FLOCK", 5, 12, &holder));
}

TEST(locks_of_sqlite_are_recognized_by_their_bytes)
{
    static const struct {
        const char *line;
        bool is_lock, is_write, is_in_memory;
    } lines[] = {
        {"1: POSIX  ADVISORY  WRITE 4711 fe:00:12 1073741824 1073742335", true, true, false},
        {"2: POSIX  ADVISORY  WRITE 4711 fe:00:12 1073741825 1073741825", true, true, false},
        {"3: POSIX  ADVISORY  READ 4711 fe:00:12 1073741826 1073742335", true, false, false},
        {"4: POSIX  ADVISORY  READ 4711 fe:00:12 1073741824 1073741824", false, false, false},
        {"5: POSIX  ADVISORY  WRITE 4711 fe:00:12 120 120", true, true, true},
        {"6: POSIX  ADVISORY  READ 4711 fe:00:12 123 123", false, false, false},
        {"7: POSIX  ADVISORY  WRITE 4711 fe:00:12 0 EOF", false, false, false},
        {"8: POSIX  ADVISORY  WRITE 4711 fe:00:12 0 1073742335", false, false, false},
        {"9: FLOCK  ADVISORY  WRITE 4711 fe:00:12 1073741824 1073742335", false, false, false},
        {"9: -> POSIX  ADVISORY  WRITE 4711 fe:00:12 120 120", false, false, false},
        {"10: POSIX  ADVISORY  WRITE", false, false, false},
    };
    struct database_lock lock;
    size_t i;

    for (i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        assert_int_equal(database_lock_line(lines[i].line, &lock), lines[i].is_lock);
        if (!lines[i].is_lock)
            continue;
        assert_int_equal(lock.pid, 4711);
        assert_int_equal(lock.inode, 12);
        assert_int_equal(lock.is_write, lines[i].is_write);
        assert_int_equal(lock.is_in_memory, lines[i].is_in_memory);
    }
}

/* ---- Calls that wait for several descriptors ---------------------------------------------------
 */

static void poll_pipe(void *fds)
{
    struct pollfd all[] = {{((int *)fds)[0], POLLIN, 0}, {-1, POLLIN, 0}};

    poll(all, 2, -1);
}

/* Polls 20 descriptors: first one that is valid, then 15 that are ignored, then valid ones. */
static void poll_many(void *fds)
{
    struct pollfd all[20];
    size_t i;

    for (i = 0; i < 20; i++)
        all[i] = (struct pollfd){i > 0 && i < 16 ? -1 : ((int *)fds)[0], POLLIN, 0};
    poll(all, 20, -1);
}

static void poll_nothing(void *unused)
{
    (void)unused;
    poll(NULL, 0, -1);
}

static void select_pipe(void *fds)
{
    fd_set in;

    FD_ZERO(&in);
    FD_SET(((int *)fds)[0], &in);
    select(((int *)fds)[0] + 1, &in, NULL, NULL, NULL);
}

/* fds: a pipe, and an epoll descriptor that watches both of its ends. */
static void epoll_pipe(void *fds)
{
    struct epoll_event event;

    epoll_wait(((int *)fds)[2], &event, 1, -1);
}

static void assert_watched(const struct report_watched *w, int fd, const char *events)
{
    assert_int_equal(w->fd, fd);
    assert_true(is_text(w->events, events));
    assert_non_null(w->target);
    assert_true(is_text(w->target->kind, "pipe"));
}

/* The names of these calls differ between machines. */
static void assert_waits_for_pipe(void (*wait)(void *fds), int *fds, const char *name,
                                  const char *other_name)
{
    struct child c;

    child_start_either(&c, wait, fds, name, other_name);
    assert_null(child_target(&c, false));
    assert_null(c.call->watched.items); /* it is in the memory */
    assert_non_null(child_target(&c, true));
    assert_int_equal(c.call->fd, fds[0]);
    assert_int_equal(c.call->watched.count, 1);
    assert_watched(&c.call->watched.items[0], fds[0], "input");
    assert_ptr_equal(c.call->watched.items[0].target, c.call->target);
    child_end(&c);
}

TEST(the_descriptors_of_poll_select_and_epoll_are_listed)
{
    struct epoll_event output = {.events = EPOLLOUT | EPOLLET};
    struct child c;
    char byte = 0;
    int fds[3];

    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    assert_waits_for_pipe(poll_pipe, fds, "poll", "ppoll");
    assert_waits_for_pipe(select_pipe, fds, "select", "pselect6");
    child_start_either(&c, poll_many, fds, "poll", "ppoll");
    assert_null(child_target(&c, true)); /* no single one is waited for */
    assert_int_equal(c.call->watched.count, 5);
    child_end(&c);
    child_start_either(&c, poll_nothing, NULL, "poll", "ppoll");
    assert_null(child_target(&c, true));
    assert_null(c.call->watched.items);
    child_end(&c);
    while (write(fds[1], &byte, 1) == 1) /* fills the pipe */
        ;
    fds[2] = epoll_create1(EPOLL_CLOEXEC);
    assert_int_equal(epoll_ctl(fds[2], EPOLL_CTL_ADD, fds[1], &output), 0);
    child_start_either(&c, epoll_pipe, fds, "epoll_wait", "epoll_pwait");
    assert_true(is_text(child_target(&c, false)->kind, "epoll"));
    assert_int_equal(c.call->watched.count, 1);
    assert_watched(&c.call->watched.items[0], fds[1], "output");
    child_end(&c);
    close(fds[0]);
    close(fds[1]);
    close(fds[2]);
}

TEST(lines_about_epoll_descriptors_are_read)
{
    struct watched w;

    assert_true(watched_parse("tfd:        5 events:       1d data:                5  pos:0 "
                              "ino:4d6 sdev:9",
                              &w));
    assert_int_equal(w.fd, 5);
    assert_int_equal(w.inode, 0x4d6);
    assert_string_equal(w.events, "input and output");
    assert_true(watched_parse("tfd: 6 events: 8", &w)); /* before Linux 4.13 */
    assert_int_equal(w.inode, 0);
    assert_string_equal(w.events, "errors");
    assert_false(watched_parse("pos:\t0", &w));
    assert_false(watched_parse("", &w));
}

/* ---- Sleeps and children --------------------------------------------------------------------- */

static void sleep_until(void *end)
{
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, end, NULL);
}

static void sleep_for(void *duration)
{
    clock_nanosleep(CLOCK_MONOTONIC, 0, duration, NULL);
}

TEST(a_sleep_until_a_time_says_how_long_it_lasts)
{
    struct timespec end = {.tv_sec = clock_ms() / 1000 + 100000};
    struct child c;

    child_start(&c, sleep_until, &end, "clock_nanosleep");
    child_target(&c, true);
    assert_in_range(c.call->left_ms, 1000, 100000000);
    c.call->left_ms = REPORT_UNKNOWN;
    child_target(&c, false);
    assert_int_equal(c.call->left_ms, REPORT_UNKNOWN);
    child_end(&c);
    child_start(&c, sleep_for, &end, "clock_nanosleep");
    child_target(&c, true);
    assert_int_equal(c.call->left_ms, REPORT_UNKNOWN);
    child_end(&c);
}

static bool read_local(const void *arg, uint64_t address, void *to, size_t size)
{
    (void)arg;
    memcpy(to, (const void *)(uintptr_t)address, size);
    return true;
}

TEST(of_a_poll_of_more_than_1024_descriptors_nothing_is_known)
{
    static const struct pollfd all[1025] = {{.fd = 7, .events = POLLIN}};
    const struct target_process self = {
        .folder = "/proc/self", .pid = getpid(), .read_memory = read_local};
    int64_t args[] = {(int64_t)(uintptr_t)all, 1024, -1, 0};
    const struct report_syscall call = {.name = literal("poll"), .args = {args, 4}};
    struct watched found[WATCHED_MAX];

    assert_int_equal(watched_find(&self, &call, found), WATCHED_MAX); /* the others have fd 0 */
    args[1]++;
    assert_int_equal(watched_find(&self, &call, found), -1);
}

TEST(a_time_that_is_not_valid_is_not_known)
{
    const struct target_process self = {
        .folder = "/proc/self", .pid = getpid(), .read_memory = read_local};
    struct timespec end = {.tv_sec = time(NULL) + 1000};
    int64_t args[] = {CLOCK_REALTIME, TIMER_ABSTIME, (int64_t)(uintptr_t)&end, 0};
    const struct report_syscall call = {.name = literal("clock_nanosleep"), .args = {args, 4}};

    assert_in_range(sleep_left_ms(&self, &call), 1, 1000000);
    end.tv_nsec = 1000000000;
    assert_int_equal(sleep_left_ms(&self, &call), REPORT_UNKNOWN);
    end.tv_nsec = -1;
    assert_int_equal(sleep_left_ms(&self, &call), REPORT_UNKNOWN);
}

TEST(a_thread_in_no_system_call_is_no_error)
{
    struct report report;
    char folder[32];
    pid_t pid;

    report_init(&report, 0);
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
        }
    }
    snprintf(folder, sizeof(folder), "/proc/%d", (int)pid);
    errno = EACCES;
    assert_null(procfs_thread_syscall(folder, pid, &report.arena));
    assert_int_equal(errno, 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    report_free(&report);
}

static void wait_for_grandchild(void *unused)
{
    pid_t parent = getpid(), pid = fork();

    (void)unused;
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (getppid() == parent)
            pause();
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

TEST(a_wait_for_a_child_has_the_process)
{
    const struct report_target *t;
    struct child c;

    child_start(&c, wait_for_grandchild, NULL, "wait4");
    t = child_target(&c, false);
    assert_non_null(t);
    assert_true(is_text(t->kind, "process"));
    assert_int_equal(t->peer_pid, c.call->args.items[0]);
    c.is_contained = true; /* then the number is that of another process here */
    assert_null(child_target(&c, false));
    child_end(&c);
}

/* ---- A thread that has gone on --------------------------------------------------------------- */

TEST(what_was_found_is_dropped_if_the_thread_is_in_another_call)
{
    int fds[2];
    struct child c;

    assert_int_equal(pipe(fds), 0);
    child_start(&c, read_one, fds, "read");
    if (c.call && c.call->args.items)
        c.call->args.items[1]++; /* as if it had been in a call with another buffer */
    assert_null(child_target(&c, false));
    child_end(&c);
    for (int i = 0; i < 2; i++)
        close(fds[i]);
}
