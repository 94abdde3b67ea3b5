/* SPDX-License-Identifier: BSD-3-Clause */
#include "connect/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "set_error.h"

/* openat2() exists since Linux 5.6; older headers do not declare it. */
#if defined SYS_openat2 && defined __has_include
#if __has_include(<linux/openat2.h>)
#include <linux/openat2.h>
#define HAVE_OPENAT2
#endif
#endif

#define PROC_PATH_SIZE 64

void namespaces_leave(struct namespaces_visit *v)
{
    if (v->home >= 0) {
        (void)!setns(v->home, CLONE_NEWNET);
        close(v->home);
    }
    if (v->file >= 0)
        close(v->file);
}

static int open_of(const struct address *address, const char *name, int flags)
{
    char path[PROC_PATH_SIZE];

    snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", (int)address->pid, (int)address->tid, name);
    return open(path, flags | O_CLOEXEC);
}

static int enter_network(struct namespaces_visit *v, const struct address *address,
                         struct rpyc_error *err)
{
    int there = open_of(address, "ns/net", O_RDONLY), result = -1, why;

    if (there >= 0) {
        v->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        result = v->home < 0 ? -1 : setns(there, CLONE_NEWNET);
    }
    why = errno;
    if (there >= 0)
        close(there);
    if (result == 0)
        return 0;
    if (why == EACCES || why == EPERM)
        return set_error(
            err, RPYC_EINVAL,
            "process %d is in another network namespace (a container, for example), which "
            "only root can enter",
            (int)address->pid);
    return set_error(err, RPYC_EINVAL, "cannot enter the network namespace of process %d: %s",
                     (int)address->pid, strerror(why));
}

/* True if a path leads to the same file for the process and for the client: both have the same
 * mount namespace and root directory. Also true if the client has no permission to find this out,
 * because the client then cannot open the files of the process either. */
static bool has_our_files(const struct address *address)
{
    struct stat ours[2], theirs[2];
    char path[2][PROC_PATH_SIZE];

    snprintf(path[0], sizeof(path[0]), "/proc/%d/task/%d/ns/mnt", (int)address->pid,
             (int)address->tid);
    snprintf(path[1], sizeof(path[1]), "/proc/%d/task/%d/root", (int)address->pid,
             (int)address->tid);
    if (stat(path[0], &theirs[0]) < 0 || stat(path[1], &theirs[1]) < 0 ||
        stat("/proc/self/ns/mnt", &ours[0]) < 0 || stat("/", &ours[1]) < 0)
        return true;
    return theirs[0].st_ino == ours[0].st_ino && theirs[1].st_ino == ours[1].st_ino &&
           theirs[1].st_dev == ours[1].st_dev;
}

/* Opens a path relative to a folder, as O_PATH. is_root: the path is absolute, and the folder
 * counts as the root directory. With is_root, links with absolute paths are also resolved in the
 * folder. But if the kernel has no openat2(), these links lead to the client's file system. */
static int open_beneath(int folder, const char *path, bool is_root)
{
#ifdef HAVE_OPENAT2
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = is_root ? RESOLVE_IN_ROOT : 0};
    long fd = syscall(SYS_openat2, folder, path, &how, sizeof(how));

    if (fd >= 0 || errno != ENOSYS)
        return (int)fd;
#endif
    return openat(folder, path + is_root, O_PATH | O_CLOEXEC);
}

int namespaces_open_root(pid_t pid)
{
    const struct address address = {.pid = pid, .tid = pid};

    return open_of(&address, "root", O_PATH | O_DIRECTORY);
}

int namespaces_open_in_root(int root, const char *path)
{
    return open_beneath(root, path, true);
}

/* Opens the file of the address's Unix socket if the process has another file system than the
 * client or if the path is relative to the process's working directory. v->path then leads to the
 * file, and is short enough for connect(). Returns 0, or -1 with errno. */
static int find_file(struct namespaces_visit *v, const struct address *address)
{
    bool is_absolute = address->path[0] == '/';
    int folder;

    if (address->path[0] == '@' || (is_absolute && has_our_files(address)))
        return 0;
    folder = open_of(address, is_absolute ? "root" : "cwd", O_PATH | O_DIRECTORY);
    if (folder < 0)
        return -1;
    v->file = open_beneath(folder, address->path, is_absolute);
    close(folder);
    if (v->file < 0)
        return -1;
    snprintf(v->path, sizeof(v->path), "/proc/self/fd/%d", v->file);
    return 0;
}

int namespaces_enter(struct namespaces_visit *v, const struct address *address,
                     struct rpyc_error *err)
{
    if (address->pid == 0)
        return 0;
    if (address->path && find_file(v, address) < 0)
        return set_error(err, RPYC_EINVAL, "cannot open %s, the socket of process %d: %s",
                         address->path, (int)address->pid, strerror(errno));
    if (address->other_network && (!address->path || address->path[0] == '@'))
        return enter_network(v, address, err);
    return 0;
}

const char *namespaces_path(const struct namespaces_visit *v, const struct address *address)
{
    return v->file >= 0 ? v->path : address->path;
}
