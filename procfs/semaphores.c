/* SPDX-License-Identifier: BSD-3-Clause */
#include "procfs/semaphores.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procfs/folder.h"
#include "procfs/read.h"

#define LOCKS_MAX 16 /* the most locks that are looked at */
#define USERS_MAX 8  /* the most processes that are listed for one lock */

/* A lock, and the processes that use it. */
struct lock {
    struct report_object *object;
    uint64_t handle;
    char file[48]; /* the device and the inode of the semaphore's file, "00:19 4711"; "": unknown */
    pid_t users[USERS_MAX];
    size_t count;
    bool is_unknown; /* not all of the processes that use it are known */
};

struct search {
    const struct target_process *from;
    int64_t deadline;
    uid_t user;
    struct lock locks[LOCKS_MAX];
    size_t count;
};

/* A shared mapping in a list of mappings. */
struct mapping {
    uint64_t start, end;
    char file[48];
};

/* Reads a line of /proc/PID/maps. Returns false if it is not a shared mapping of a file, as that of
 * a semaphore is. The name of the file does not matter: up to glibc 2.34 it is a random one. */
static bool parse(const char *line, struct mapping *to)
{
    char device[16], inode[24];
    const char *flags = strchr(line, ' ');

    if (!flags || strnlen(flags, 5) < 5 || flags[4] != 's' ||
        sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*s %15s %23s", &to->start, &to->end, device,
               inode) != 4)
        return false;
    snprintf(to->file, sizeof(to->file), "%s %s", device, inode);
    return true;
}

/* ---- The process itself ---------------------------------------------------------------------- */

static bool set_file(void *arg, char *line)
{
    struct search *s = arg;
    struct mapping m;
    size_t i;

    for (i = 0; parse(line, &m) && i < s->count; i++) {
        if (s->locks[i].handle >= m.start && s->locks[i].handle < m.end)
            memcpy(s->locks[i].file, m.file, sizeof(m.file));
    }
    return true;
}

/* Lists the locks of multiprocessing among the objects. */
static void list_locks(struct search *s, const struct report_process *process)
{
    struct report_object *o;
    struct report_text handle;
    size_t i;

    for (i = 0; i < process->objects.count && s->count < LOCKS_MAX; i++) {
        o = &process->objects.items[i];
        handle = text_is(o->kind, "semlock") ? report_detail(o, "handle")
                                             : (struct report_text){NULL, 0};
        if (handle.data) /* the texts of the stack reader end with NUL */
            s->locks[s->count++] =
                (struct lock){.object = o, .handle = strtoull(handle.data, NULL, 16)};
    }
}

/* ---- Other processes ------------------------------------------------------------------------- */

/* A process that may use some of the locks. */
struct visit {
    struct search *search;
    pid_t pid;
};

/* True if a holder of the lock is searched for. */
static bool is_wanted(const struct lock *l)
{
    return l->file[0] && !report_detail(l->object, "released").data &&
           l->object->holder_status == HOLDER_NOT_KNOWN && l->object->holders.count == 0 &&
           text_is(report_detail(l->object, "permits"), "1");
}

static bool add_user(void *arg, char *line)
{
    const struct visit *v = arg;
    struct lock *l = v->search->locks, *end = l + v->search->count;
    struct mapping m;

    if (!parse(line, &m))
        return true;
    for (; l < end; l++) {
        if (!is_wanted(l) || strcmp(l->file, m.file) != 0 ||
            (l->count > 0 && l->users[l->count - 1] == v->pid))
            continue;
        if (l->count == USERS_MAX)
            l->is_unknown = true;
        else
            l->users[l->count++] = v->pid;
    }
    return true;
}

static void visit(void *arg, pid_t pid)
{
    struct visit v = {arg, pid};
    char path[48];
    struct stat st;
    size_t i;

    snprintf(path, sizeof(path), "/proc/%d", (int)pid);
    if (pid == v.search->from->pid || stat(path, &st) < 0 || st.st_uid != v.search->user)
        return;
    snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
    errno = 0;
    if (procfs_read_lines(path, v.search->deadline, add_user, &v) || errno == EACCES ||
        errno == EPERM || errno == ESRCH || errno == ENOENT)
        return; /* it has other privileges than the processes of the program, or has ended */
    for (i = 0; i < v.search->count; i++)
        v.search->locks[i].is_unknown = true;
}

static void find_users(struct search *s)
{
    bool is_complete;
    size_t wanted = 0, i;

    for (i = 0; i < s->count; i++)
        wanted += is_wanted(&s->locks[i]);
    if (wanted == 0)
        return;
    is_complete = folder_walk_processes(s->deadline, visit, s);
    for (i = 0; i < s->count; i++)
        s->locks[i].is_unknown = s->locks[i].is_unknown || !is_complete;
}

/* ---- The report ------------------------------------------------------------------------------ */

static struct report_text users_text(struct arena *arena, const struct lock *l)
{
    char text[USERS_MAX * 12];
    size_t len = 0, i;

    for (i = 0; i < l->count; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, i > 0 ? " %d" : "%d",
                                (int)l->users[i]);
    return report_text_in(arena, text, len);
}

static void complete(struct arena *arena, const struct lock *l)
{
    static const struct report_text holder = {"a process", 9};
    const bool is_searched = is_wanted(l);

    if (!l->file[0])
        return;
    report_add_detail(l->object, "semaphore", report_text_in(arena, l->file, strlen(l->file)));
    if (!is_searched)
        return;
    if (l->count > 0) {
        report_add_detail(l->object, "users", users_text(arena, l));
    } else if (!l->is_unknown) {
        report_add_detail(l->object, "holder", holder);
        l->object->holder_status = HOLDER_ENDED;
    }
}

void semaphores_find(const struct target_process *from, struct arena *arena,
                     struct report_process *process, int64_t deadline)
{
    struct search s = {.from = from, .deadline = deadline};
    char path[48];
    struct stat st;
    size_t i;

    list_locks(&s, process);
    snprintf(path, sizeof(path), "/proc/%d", (int)from->pid);
    if (s.count == 0 || stat(path, &st) < 0)
        return;
    s.user = st.st_uid;
    snprintf(path, sizeof(path), "/proc/%d/maps", (int)from->pid);
    if (!procfs_read_lines(path, deadline, set_file, &s))
        return;
    find_users(&s);
    for (i = 0; i < s.count; i++)
        complete(arena, &s.locks[i]);
}
