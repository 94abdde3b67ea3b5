/* SPDX-License-Identifier: BSD-3-Clause */
#include "process.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procfs/clock.h"
#include "procfs/patient.h"
#include "procfs/read.h"

#define PROC_PATH_SIZE 96
#define NS_PER_S       1000000000
#define COMMAND_MAX    65536 /* bytes of a command line that are read */
#define COMMAND_MS     100   /* how long to wait for a command line */

/* For how long the latest command line is used again, in ms. Several sentences about one process
 * name it, and each reading needs a thread. */
#define COMMAND_KEPT_MS 100

/* Returns the field with this number (3 or more, see proc(5)) of the text of a stat file; "" if
 * there is no such field. The name in brackets before field 3 may contain spaces and brackets, so
 * the search begins at the last bracket. */
static const char *stat_field(char *stat, int number)
{
    char *field = strrchr(stat, ')');

    for (int i = 2; field && i < number; i++) {
        field = strchr(field, ' ');
        field = field ? field + 1 : NULL;
    }
    return field ? field : "";
}

/* Returns how long after the boot a thread was started, in ns. 0: not known. */
static int64_t thread_started_after_boot(pid_t pid, pid_t tid)
{
    char path[PROC_PATH_SIZE], text[1024];
    long ticks = sysconf(_SC_CLK_TCK);

    snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)pid, (int)tid);
    if (procfs_read(path, text, sizeof(text)) < 0 || ticks <= 0)
        return 0;
    return (int64_t)strtoull(stat_field(text, 22), NULL, 10) * (NS_PER_S / ticks);
}

int64_t process_started_after_boot(pid_t pid)
{
    return thread_started_after_boot(pid, pid);
}

static int64_t time_of(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

time_t process_started(pid_t pid, pid_t tid)
{
    struct timespec since_boot;
    int64_t started = thread_started_after_boot(pid, tid);

    if (started == 0)
        return 0;
    clock_gettime(CLOCK_BOOTTIME, &since_boot);
    return time(NULL) - since_boot.tv_sec + (time_t)(started / NS_PER_S);
}

int64_t process_started_ns(pid_t pid)
{
    int64_t started = thread_started_after_boot(pid, pid);

    return started == 0 ? 0 : time_of(CLOCK_REALTIME) - time_of(CLOCK_BOOTTIME) + started;
}

uid_t process_user(pid_t pid)
{
    char path[PROC_PATH_SIZE], text[4096];
    const char *line;
    unsigned user;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    if (procfs_read(path, text, sizeof(text)) < 0)
        return (uid_t)-1;
    line = strstr(text, "\nUid:");
    return line && sscanf(line, "\nUid: %*u %u", &user) == 1 ? user : (uid_t)-1;
}

pid_t process_of_thread(pid_t tid)
{
    char path[PROC_PATH_SIZE], text[4096];
    int64_t pid;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
    if (procfs_read(path, text, sizeof(text)) < 0)
        return tid;
    pid = procfs_value(text, "Tgid:");
    return pid == PROCFS_NONE ? tid : (pid_t)pid;
}

pid_t process_parent(pid_t pid)
{
    char path[PROC_PATH_SIZE], text[1024];

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (procfs_read(path, text, sizeof(text)) < 0)
        return 0;
    return (pid_t)strtol(stat_field(text, 4), NULL, 10);
}

static char *read_command(pid_t pid)
{
    char path[PROC_PATH_SIZE], name[64] = "", *text = malloc(COMMAND_MAX), *shorter;
    ssize_t len;

    if (!text)
        return NULL;
    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    len = procfs_read_patiently(path, text, COMMAND_MAX, COMMAND_MS);
    while (len > 0 && text[len - 1] == '\0')
        len--;
    if (len <= 0) {
        snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
        procfs_read(path, name, sizeof(name));
        name[strcspn(name, "\n")] = '\0';
        if (!name[0]) {
            free(text);
            return NULL;
        }
        len = snprintf(text, COMMAND_MAX, "[%s]", name);
    }
    for (ssize_t i = 0; i < len; i++)
        if (strchr("\t\n\v\f\r", text[i])) /* also true for the NULs between the words */
            text[i] = ' ';
    text[len] = '\0';
    shorter = realloc(text, (size_t)len + 1);
    return shorter ? shorter : text;
}

char *process_command(pid_t pid)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the variables below */
    static char *latest;
    static pid_t of;
    static int64_t at;
    char *command;

    pthread_mutex_lock(&lock);
    command = latest && of == pid && clock_ms() < at + COMMAND_KEPT_MS ? strdup(latest) : NULL;
    pthread_mutex_unlock(&lock);
    if (command)
        return command;
    command = read_command(pid);
    pthread_mutex_lock(&lock);
    free(latest);
    latest = command ? strdup(command) : NULL;
    of = pid;
    at = clock_ms();
    pthread_mutex_unlock(&lock);
    return command;
}

enum process_has process_has_socket(pid_t pid, pid_t tid, unsigned long inode)
{
    enum process_has has = PROCESS_HAS_NOT;
    char path[PROC_PATH_SIZE], wanted[64], link[64];
    struct dirent *entry;
    ssize_t len;
    DIR *fds;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/fd", (int)pid, (int)tid);
    snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
    fds = opendir(path);
    if (!fds)
        return errno == ENOENT ? PROCESS_HAS_NOT : PROCESS_UNKNOWN;
    while (has == PROCESS_HAS_NOT && (entry = readdir(fds))) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        len = readlinkat(dirfd(fds), entry->d_name, link, sizeof(link) - 1);
        link[len > 0 ? len : 0] = '\0';
        if (strcmp(link, wanted) == 0)
            has = PROCESS_HAS;
        else if (len < 0 && (errno == EACCES || errno == EPERM))
            has = PROCESS_UNKNOWN;
    }
    closedir(fds);
    return has;
}
