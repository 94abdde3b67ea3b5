/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit.h"

#include <sys/stat.h>

#include "procfs/patient.h"

/* Returns the number of threads of this process. */
static int threads(void)
{
    char text[4096], *line;

    assert_true(procfs_read_patiently("/proc/self/status", text, sizeof(text), 10000) > 0);
    line = strstr(text, "\nThreads:");
    assert_non_null(line);
    return atoi(line + strlen("\nThreads:"));
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

/* A FIFO without a writer blocks in open(), like /proc/PID/cmdline if the process's lock is held.
 */
TEST(a_file_that_blocks_is_given_up)
{
    char folder[] = "/tmp/test_patient.XXXXXX", path[64], text[64] = "";
    int fd, before = threads();

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/fifo", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(procfs_read_patiently(path, text, sizeof(text), 10), -1);
    assert_int_equal(errno, ETIMEDOUT);
    assert_int_equal(threads(), before + 1);
    fd = open(path, O_WRONLY); /* lets the thread end */
    assert_true(fd >= 0);
    close(fd);
    while (threads() > before)
        sched_yield();
    unlink(path);
    rmdir(folder);
}
