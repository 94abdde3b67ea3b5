/* SPDX-License-Identifier: BSD-3-Clause */
#include "stacks/permission.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connect/find.h"
#include "process.h"
#include "procfs/read.h"
#include "user.h"

#define STATUS_SIZE 4096

/* The advice to the user if pystuck runs in a container. */
#define CONTAINER                                                                                  \
    ": start the container with 'docker run --cap-add=SYS_PTRACE', or run pystuck on its host"

/* From linux/capability.h, which musl does not have. */
#define CAPABILITY_PTRACE (UINT64_C(1) << 19)

/* The values of the setting kernel.yama.ptrace_scope. */
enum { YAMA_OFF, YAMA_CHILDREN, YAMA_ADMIN, YAMA_NOBODY };

/* The rights of a process, from /proc/PID/status. */
struct rights {
    unsigned users[3];             /* real, effective, saved */
    unsigned groups[3];            /* the same */
    uint64_t permitted, effective; /* capabilities */
    int seccomp;                   /* 0: no filter */
};

static uint64_t hex_after(const char *text, const char *label)
{
    const char *at = strstr(text, label);

    return at ? strtoull(at + strlen(label), NULL, 16) : 0;
}

static bool ids_after(const char *text, const char *label, unsigned ids[3])
{
    const char *at = strstr(text, label);

    return at && sscanf(at + strlen(label), "%u %u %u", &ids[0], &ids[1], &ids[2]) == 3;
}

static bool read_rights(const char *folder, struct rights *out)
{
    char text[STATUS_SIZE];
    const char *seccomp;

    if (procfs_read_in(folder, "status", text, sizeof(text)) < 0 ||
        !ids_after(text, "\nUid:", out->users) || !ids_after(text, "\nGid:", out->groups))
        return false;
    out->permitted = hex_after(text, "\nCapPrm:");
    out->effective = hex_after(text, "\nCapEff:");
    seccomp = strstr(text, "\nSeccomp:");
    out->seccomp = seccomp ? (int)strtol(seccomp + strlen("\nSeccomp:"), NULL, 10) : 0;
    return true;
}

static bool say(char *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Formats a sentence into `out`, as by printf(), and returns true. */
static bool say(char *out, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(out, PERMISSION_TEXT_SIZE, format, args);
    va_end(args);
    return true;
}

/* True if the real, effective and saved IDs of the process are all equal to the real ID of pystuck,
 * as ptrace(2) requires. */
static bool is_same(const unsigned mine[3], const unsigned its[3])
{
    return its[0] == mine[0] && its[1] == mine[0] && its[2] == mine[0];
}

/* True if the process is not dumpable. Most files in the /proc folder of such a process belong to
 * root, or to the root of its user namespace, but the folder itself belongs to the user of the
 * process. */
static bool is_protected(pid_t pid, const struct rights *its)
{
    char path[32];
    struct stat st;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    return stat(path, &st) == 0 && st.st_uid != its->users[1];
}

static bool is_in_container(void)
{
    return access("/.dockerenv", F_OK) == 0 || access("/run/.containerenv", F_OK) == 0;
}

/* Writes which rule of the kernel for users without CAP_SYS_PTRACE forbids the access. Returns
 * false if no such rule forbids it. */
static bool explain_user(const char *name, pid_t pid, const struct rights *mine,
                         const struct rights *its, char *out)
{
    if (!is_same(mine->users, its->users))
        return say(out, "%s belongs to %s, and you are %s: run 'sudo pystuck --pid %d'", name,
                   user_name(its->users[1]).text, user_name(mine->users[0]).text, (int)pid);
    if (!is_same(mine->groups, its->groups))
        return say(out, "%s belongs to another group (%u) than you: run 'sudo pystuck --pid %d'",
                   name, its->groups[1], (int)pid);
    if (its->permitted & ~mine->permitted)
        return say(out,
                   "%s has capabilities that you lack (0x%" PRIx64 "): run 'sudo pystuck --pid %d'",
                   name, its->permitted & ~mine->permitted, (int)pid);
    if (is_protected(pid, its))
        return say(
            out,
            "%s is protected from its own user (it is not dumpable: it has changed its user, "
            "or has called prctl(2), for example): run 'sudo pystuck --pid %d'",
            name, (int)pid);
    return false;
}

/* Writes how Yama, a security module that restricts ptrace(2) further, forbids the access. Returns
 * false if Yama does not forbid the access. */
static bool explain_yama(const char *name, pid_t pid, int64_t scope, char *out)
{
    if (scope == YAMA_CHILDREN)
        return say(
            out,
            "%s can be read only by its parent or by root, because kernel.yama.ptrace_scope is "
            "1: run 'sudo pystuck --pid %d', or let all users read their own processes with 'sudo "
            "sysctl kernel.yama.ptrace_scope=0'",
            name, (int)pid);
    if (scope == YAMA_ADMIN)
        return say(out,
                   "%s can be read only by root, because kernel.yama.ptrace_scope is 2: run 'sudo "
                   "pystuck --pid %d'",
                   name, (int)pid);
    return false;
}

static bool explain_rest(const char *name, pid_t pid, const struct rights *mine, char *out)
{
    if (mine->seccomp != 0)
        return say(out,
                   "%s cannot be read: a seccomp filter does not let pystuck make the system call "
                   "process_vm_readv%s",
                   name, is_in_container() ? CONTAINER : "");
    return say(
        out,
        "%s cannot be read: the kernel does not allow it, perhaps because of a security module "
        "such as AppArmor or SELinux (see /proc/%d/attr/current)",
        name, (int)pid);
}

void permission_explain(pid_t pid, char *out)
{
    char folder[32], name[160], *command = process_command(pid);
    int64_t scope = procfs_number_in("/proc/sys/kernel/yama", "ptrace_scope");
    struct rights mine, its;

    snprintf(folder, sizeof(folder), "/proc/%d", (int)pid);
    snprintf(name, sizeof(name), "process %d (%.*s)", (int)pid, command ? find_brief(command) : 0,
             command ? command : "");
    free(command);
    if (!read_rights("/proc/self", &mine) || !read_rights(folder, &its)) {
        say(out, "%s has ended", name);
        return;
    }
    if (scope == YAMA_NOBODY) {
        say(out,
            "%s cannot be read: kernel.yama.ptrace_scope is 3, and then no process can be "
            "read until the machine is restarted",
            name);
        return;
    }
    if (mine.effective & CAPABILITY_PTRACE) {
        explain_rest(name, pid, &mine, out);
        return;
    }
    if (mine.users[1] == 0) {
        say(out, "%s cannot be read: you are root without the capability CAP_SYS_PTRACE%s", name,
            is_in_container() ? CONTAINER : "");
        return;
    }
    if (!explain_user(name, pid, &mine, &its, out) &&
        (scope == PROCFS_NONE || !explain_yama(name, pid, scope, out)))
        explain_rest(name, pid, &mine, out);
}

void permission_explain_hidden(pid_t pid, char *out)
{
    char name[80];

    snprintf(name, sizeof(name), "process %d is hidden (/proc has the option hidepid)", (int)pid);
    if (geteuid() == 0)
        say(out, "%s: you are root without the capability CAP_SYS_PTRACE%s", name,
            is_in_container() ? CONTAINER : "");
    else if (kill(pid, 0) == 0)
        say(out, "%s, also from its own user: run 'sudo pystuck --pid %d'", name, (int)pid);
    else
        say(out, "%s: only root and the process's user can read it: run 'sudo pystuck --pid %d'",
            name, (int)pid);
}
