/* SPDX-License-Identifier: BSD-3-Clause */
#include "procfs/threads.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/syscall.h>

#include "procfs/read.h"
#include "schema.h"
#include "procfs/syscalls.h"

#define ARGUMENTS 6

/* Reads a file of a thread as procfs_read() does. */
static ssize_t read_file(const char *folder, pid_t thread, const char *name, char *text,
                         size_t size)
{
    char path[PROCFS_PATH_SIZE];

    snprintf(path, sizeof(path), "%s/task/%d/%s", folder, (int)thread, name);
    return procfs_read(path, text, size);
}

#define PF_FORKNOEXEC 0x40 /* a flag of the kernel's task_struct, in <linux/sched.h> */

bool procfs_is_forked(const char *stat)
{
    const char *end = strrchr(stat, ')'); /* the end of the name, which may contain ')' */
    unsigned long flags;

    return end && sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %lu", &flags) == 1 &&
           flags & PF_FORKNOEXEC;
}

int procfs_thread_state(const char *folder, pid_t thread)
{
    char text[512], *state;

    if (read_file(folder, thread, "stat", text, sizeof(text)) < 0)
        return 0;
    state = strrchr(text, ')'); /* the end of the thread's name, which may contain ')' */
    if (!state || state[1] != ' ')
        return 0;
    switch (state[2]) {
    case 'R':
        return STATE_RUNNING;
    case 'S':
    case 'I':
        return STATE_SLEEPING;
    case 'D':
        return STATE_DISK;
    case 'T':
    case 't':
        return STATE_STOPPED;
    case 'Z':
        return STATE_ENDED;
    default:
        return 0;
    }
}

/* Parses the file syscall of a thread, "NUMBER ARGUMENT ... STACK CODE". Returns false if the
 * thread is not in a system call. In this case, the file begins with "running", or with -1 if the
 * thread waits without a system call. */
static bool parse(char *text, long *number, int64_t *args)
{
    char *end;
    int i;

    *number = strtol(text, &end, 10);
    if (end == text || *number < 0)
        return false;
    for (i = 0; i < ARGUMENTS; i++)
        args[i] = (int64_t)strtoull(end, &end, 16);
    return true;
}

uint64_t procfs_futex_of(char *text)
{
    int64_t args[ARGUMENTS];
    long number;

    return parse(text, &number, args) && number == SYS_futex ? (uint64_t)args[0] : 0;
}

bool procfs_is_sleep(char *text)
{
    int64_t args[ARGUMENTS];
    long number;

    return parse(text, &number, args) && (number == SYS_nanosleep || number == SYS_clock_nanosleep);
}

struct report_syscall *procfs_thread_syscall(const char *folder, pid_t thread, struct arena *arena)
{
    struct report_syscall *call;
    const char *name;
    char text[256];
    int64_t args[ARGUMENTS];
    long number;

    if (read_file(folder, thread, "syscall", text, sizeof(text)) < 0)
        return NULL;
    errno = 0; /* the reading may have left another one */
    if (!parse(text, &number, args))
        return NULL;
    call = schema_make(arena, &schema_syscall, 1);
    if (!call)
        return NULL;
    name = procfs_syscall_name(number);
    if (name)
        call->name = (struct report_text){name, strlen(name)};
    if (procfs_syscall_has_fd(number))
        call->fd = (int)args[0];
    call->args.items = arena_array(arena, ARGUMENTS, sizeof(int64_t));
    if (call->args.items) {
        memcpy(call->args.items, args, sizeof(args));
        call->args.count = ARGUMENTS;
    }
    return call;
}

bool procfs_thread_is_in(const char *folder, pid_t thread, const struct report_syscall *call)
{
    const char *name;
    char text[256];
    int64_t args[ARGUMENTS];
    long number;

    if (read_file(folder, thread, "syscall", text, sizeof(text)) < 0 ||
        !parse(text, &number, args) || call->args.count != ARGUMENTS)
        return false;
    name = procfs_syscall_name(number);
    return name && text_is(call->name, name) && memcmp(args, call->args.items, sizeof(args)) == 0;
}

int64_t procfs_thread_switches(const char *folder, pid_t thread)
{
    char text[4096];
    int64_t waited, lost;

    if (read_file(folder, thread, "status", text, sizeof(text)) < 0)
        return -1;
    waited = procfs_value(text, "voluntary_ctxt_switches:");
    lost = procfs_value(text, "nonvoluntary_ctxt_switches:");
    return waited == PROCFS_NONE || lost == PROCFS_NONE ? -1 : waited + lost;
}

/* The id of the thread's CPU clock is computed with the constants CPUCLOCK_SCHED and
 * CPUCLOCK_PERTHREAD_MASK of Linux (include/linux/posix-timers.h). Reading the clock needs no
 * privilege. The kernel has such a clock only for threads of this process. */
int64_t procfs_own_cpu_ns(pid_t thread)
{
    struct timespec t;

    if (thread <= 0 || clock_gettime((clockid_t)(~(unsigned)thread << 3 | 6), &t) < 0)
        return -1;
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t procfs_thread_cpu_ns(const struct target_process *from, pid_t thread)
{
    char text[128];
    long long used; /* schedstat is "USED WAITED COUNT" */

    if (from->is_own)
        return procfs_own_cpu_ns(thread);
    if (read_file(from->folder, thread, "schedstat", text, sizeof(text)) < 0)
        return -1;
    return sscanf(text, "%lld", &used) == 1 ? used : -1;
}

int64_t procfs_thread_activity(const struct target_process *from, pid_t thread)
{
    int64_t known;

    if (from->is_own)
        return procfs_own_cpu_ns(thread);
    known = from->switches ? from->switches(from->arg, thread) : -1;
    return known >= 0 ? known : procfs_thread_switches(from->folder, thread);
}
