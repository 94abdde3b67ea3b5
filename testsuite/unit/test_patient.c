/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit.h"

#include <sys/stat.h>

#include "procfs/patient.h"

#ifdef __SANITIZE_THREAD__
#define SANITIZER_THREADS 1 /* ThreadSanitizer starts it together with the first other thread */
#else
#define SANITIZER_THREADS 0
#endif

/* Waits until this process has at most this number of threads. A thread that has read a file may
 * still be ending. */
static void wait_for_threads(int count)
{
    char line[128];
    int found = count + SANITIZER_THREADS + 1;
    FILE *status;

    while (found > count + SANITIZER_THREADS) {
        status = fopen("/proc/self/status", "r");
        assert_non_null(status);
        while (fgets(line, sizeof(line), status))
            sscanf(line, "Threads: %d", &found);
        fclose(status);
        sched_yield();
    }
}

TEST(a_file_that_can_be_read_is_read)
{
    char text[64] = "";
    ssize_t len = procfs_read_patiently("/proc/self/comm", text, sizeof(text), 10000);

    assert_int_equal(len, strlen(text));
    assert_true(strlen(text) > 1);
    assert_int_equal(procfs_read_patiently("/proc/self/comm", text, 3, 10000), 2);
    assert_int_equal(strlen(text), 2);
    assert_int_equal(procfs_read_patiently("/proc/self/none", text, sizeof(text), 10000), -1);
    assert_int_equal(errno, ENOENT);
}

static void count_to(void *number)
{
    int *left = number;

    while (*(volatile int *)left > 0)
        --*(volatile int *)left;
}

static void release_nothing(void *arg)
{
    (void)arg;
}

TEST(a_thread_that_runs_is_waited_for_however_long_it_takes)
{
    int left = 20000000; /* more than the timeout on any machine */

    assert_int_equal(procfs_run_patiently(count_to, release_nothing, &left, 1), 0);
    assert_int_equal(left, 0);
}

/* A FIFO without a writer blocks in open(), like /proc/PID/cmdline if the process's lock is held.
 */
TEST(a_file_that_blocks_is_given_up)
{
    char folder[] = "/tmp/test_patient.XXXXXX", path[64], text[64] = "";
    int fd;

    wait_for_threads(1);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/fifo", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(procfs_read_patiently(path, text, sizeof(text), 10), -1);
    assert_int_equal(errno, ETIMEDOUT);
    wait_for_threads(2);
    fd = open(path, O_WRONLY); /* lets the thread end */
    assert_true(fd >= 0);
    close(fd);
    wait_for_threads(1);
    unlink(path);
    rmdir(folder);
}

/* Two pipes: one that work reads, and one to which its release writes. */
struct pipes {
    int work[2], release[2];
};

static void read_pipe(void *arg)
{
    const struct pipes *p = arg;
    char byte;

    assert_int_equal(read(p->work[0], &byte, 1), 1);
}

static void write_pipe(void *arg)
{
    const struct pipes *p = arg;

    assert_int_equal(write(p->release[1], "r", 1), 1);
}

TEST(work_that_was_given_up_is_released_when_it_ends)
{
    struct pipes p;
    char byte = 0;

    assert_int_equal(pipe(p.work), 0);
    assert_int_equal(pipe(p.release), 0);
    assert_int_equal(procfs_run_patiently(read_pipe, write_pipe, &p, 10), ETIMEDOUT);
    assert_int_equal(write(p.work[1], "w", 1), 1);
    assert_int_equal(read(p.release[0], &byte, 1), 1);
    assert_int_equal(byte, 'r');
    wait_for_threads(1);
    close(p.work[0]);
    close(p.work[1]);
    close(p.release[0]);
    close(p.release[1]);
}
