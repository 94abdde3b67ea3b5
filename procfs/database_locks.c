/* SPDX-License-Identifier: BSD-3-Clause */
#include "procfs/database_locks.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procfs/call_waits.h"
#include "procfs/clock.h"
#include "procfs/file_locks.h"
#include "procfs/folder.h"
#include "procfs/read.h"
#include "report.h"

/* The bytes of the file of a database that SQLite locks: PENDING_BYTE and those behind it
 * (os.h of SQLite). A shared lock of the bytes from FIRST_SHARED on is the lock of a reader. */
#define FIRST_BYTE   0x40000000
#define FIRST_SHARED (FIRST_BYTE + 2)
#define LAST_BYTE    (FIRST_BYTE + 511)

/* The bytes of the file "-shm" that SQLite locks, of which the last five are for readers (wal.c of
 * SQLite). */
#define FIRST_IN_MEMORY        120
#define FIRST_READER_IN_MEMORY 123
#define LAST_IN_MEMORY         127

#define LOCKS_MAX     128 /* the most locks of SQLite that are looked at */
#define DATABASES_MAX 8   /* the most databases of the process that are looked at */
#define HOLDERS_MAX   8   /* the most holders of the lock of one database */

struct locks {
    struct database_lock items[LOCKS_MAX];
    size_t count;
};

/* A database that the process has open, and on which there are locks. */
struct database {
    char path[1024];
    uint64_t inode, memory_inode; /* of its two files; 0: there is no lock on the file */
};

struct databases {
    const char *folder;
    const struct locks *locks;
    struct database items[DATABASES_MAX];
    size_t count;
    int64_t deadline;
    bool is_cut;
};

/* ---- Locks ----------------------------------------------------------------------------------- */

/* A line: "3: POSIX  ADVISORY  WRITE 4711 fe:00:1234 1073741824 1073742335". The lines of waiters
 * have "->" before the kind. */
bool database_lock_line(const char *line, struct database_lock *to)
{
    char kind[16], mode[16];
    uint64_t first, last;

    if (sscanf(line, "%*d: %15s %*s %15s %d %*x:%*x:%" SCNu64 " %" SCNu64 " %" SCNu64, kind, mode,
               &to->pid, &to->inode, &first, &last) != 6 ||
        strcmp(kind, "POSIX") != 0)
        return false;
    to->is_write = strcmp(mode, "WRITE") == 0;
    to->is_in_memory = first >= FIRST_IN_MEMORY && last <= LAST_IN_MEMORY;
    if (to->is_in_memory)
        return first < FIRST_READER_IN_MEMORY && to->is_write;
    return first >= FIRST_BYTE && last <= LAST_BYTE && (to->is_write || first >= FIRST_SHARED);
}

static bool add_lock(void *arg, char *line)
{
    struct locks *to = arg;

    if (to->count == LOCKS_MAX)
        return false;
    to->count += database_lock_line(line, &to->items[to->count]);
    return true;
}

/* ---- Databases ------------------------------------------------------------------------------- */

static const struct database_lock *find_lock(const struct locks *l, uint64_t inode)
{
    size_t i;

    for (i = 0; inode && i < l->count; i++) {
        if (l->items[i].inode == inode)
            return &l->items[i];
    }
    return NULL;
}

/* Returns the database with this path. If there is none, makes one; NULL: there is no room. */
static struct database *database_at(struct databases *d, const char *path, size_t len)
{
    size_t i;

    for (i = 0; i < d->count; i++) {
        if (strlen(d->items[i].path) == len && memcmp(d->items[i].path, path, len) == 0)
            return &d->items[i];
    }
    d->is_cut = d->is_cut || d->count == DATABASES_MAX;
    if (d->is_cut)
        return NULL;
    d->items[d->count] = (struct database){.inode = 0};
    memcpy(d->items[d->count].path, path, len);
    return &d->items[d->count++];
}

static bool add_file(void *arg, int dir, const char *name)
{
    static const char suffix[] = "-shm";
    struct databases *d = arg;
    const uint64_t inode = file_inode(d->folder, atoi(name));
    const struct database_lock *lock = find_lock(d->locks, inode);
    struct database *to;
    char path[PROCFS_PATH_SIZE], link[sizeof(d->items[0].path)];
    ssize_t len;

    (void)dir;
    if (!lock)
        return clock_ms() < d->deadline;
    snprintf(path, sizeof(path), "%s/fd/%.20s", d->folder, name);
    len = readlink(path, link, sizeof(link) - 1);
    if (len <= 0 || len == sizeof(link) - 1 || link[0] != '/')
        return true;
    if (lock->is_in_memory) {
        len -= (ssize_t)sizeof(suffix) - 1;
        if (len <= 0 || memcmp(link + len, suffix, sizeof(suffix) - 1) != 0)
            return true;
    }
    to = database_at(d, link, (size_t)len);
    if (to && lock->is_in_memory)
        to->memory_inode = inode;
    else if (to)
        to->inode = inode;
    return to != NULL;
}

static void list_databases(struct databases *d)
{
    int dir = folder_of_descriptors(d->folder);

    d->is_cut = dir < 0;
    if (dir < 0)
        return;
    folder_walk(dir, d->deadline, add_file, d);
    close(dir);
    d->is_cut = d->is_cut || clock_ms() >= d->deadline;
}

/* ---- Holders --------------------------------------------------------------------------------- */

/* Who has locked a database. */
struct verdict {
    const struct database *database;
    int holders[HOLDERS_MAX]; /* other processes */
    size_t count;
    bool is_own;     /* a connection of the process itself may have the lock */
    bool is_unknown; /* the kernel does not tell the ID of a process that has a lock */
};

static void add_holder(struct verdict *v, int pid)
{
    size_t i;

    for (i = 0; i < v->count && v->holders[i] != pid; i++)
        ;
    if (pid <= 0 || i == HOLDERS_MAX)
        v->is_unknown = true;
    else if (i == v->count)
        v->holders[v->count++] = pid;
}

/* Adds the holders of exclusive locks, or those of the locks of readers. Without a write-ahead log,
 * a connection that has a lock for writing waits for readers. */
static void add_holders(struct verdict *v, const struct locks *l, int own, bool writers)
{
    const struct database *d = v->database;
    size_t i;

    for (i = 0; i < l->count; i++) {
        const struct database_lock *lock = &l->items[i];

        if (lock->inode != (lock->is_in_memory ? d->memory_inode : d->inode) ||
            lock->is_write != writers)
            continue;
        if (lock->pid != own)
            add_holder(v, lock->pid);
        else if (writers)
            v->is_own = true;
    }
}

/* Finds out who has locked a database. Returns false if no connection has to wait for it. */
static bool judge(struct verdict *v, const struct locks *l, const struct database *d, int own)
{
    *v = (struct verdict){.database = d};
    add_holders(v, l, own, true);
    if (v->is_own && v->count == 0 && !d->memory_inode)
        add_holders(v, l, own, false);
    return v->count > 0 || v->is_own || v->is_unknown;
}

static struct report_text path_text(struct arena *arena, const char *path)
{
    char text[sizeof(((struct database *)NULL)->path)];
    size_t i, len = strlen(path);

    for (i = 0; i < len; i++)
        text[i] = (unsigned char)path[i] >= 0x80 ? '?' : path[i];
    return report_text_in(arena, text, len);
}

static void complete(struct arena *arena, const struct report_process *process,
                     const struct verdict *v, struct report_object *o)
{
    static const struct report_text yes = {"yes", 3};
    size_t i;

    o->detail.items = arena_array(arena, 2, sizeof(*o->detail.items));
    o->holders.items = arena_array(arena, v->count, sizeof(*o->holders.items));
    if (!o->detail.items || !o->holders.items)
        return;
    o->detail.count = o->holders.count = 0;
    report_add_detail(o, "file", path_text(arena, v->database->path));
    for (i = 0; i < v->count; i++)
        o->holders.items[o->holders.count++] = call_waits_id(arena, v->holders[i], process->id);
    if (v->count > 0 && !v->is_unknown)
        o->holder_status = HOLDER_KNOWN;
    else if (v->is_own && v->count == 0 && !v->is_unknown)
        report_add_detail(o, "own", yes);
}

/* If a lock was found (is_locked), makes the threads' waits for databases more certain. Otherwise
 * removes these waits. */
static void judge_waits(const struct report_process *process, bool is_locked)
{
    size_t i;

    for (i = 0; i < process->threads.count; i++) {
        struct report_thread *t = &process->threads.items[i];

        if (!t->waits || !text_is(t->waits->kind, "database"))
            continue;
        t->waits->certainty = CERTAINTY_SEEN;
        if (!is_locked)
            t->waits = NULL;
    }
}

void database_locks_find(const struct target_process *from, struct arena *arena,
                         struct report_process *process, int64_t deadline)
{
    struct locks locks = {.count = 0};
    struct databases found = {.folder = from->folder, .locks = &locks, .deadline = deadline};
    struct verdict one, only = {.database = NULL};
    size_t count = 0, locked = 0, i;

    for (i = 0; i < process->objects.count; i++)
        count += text_is(process->objects.items[i].kind, "database");
    if (count == 0)
        return;
    if (!procfs_read_lines("/proc/locks", deadline, add_lock, &locks))
        return; /* not all locks are known */
    list_databases(&found);
    for (i = 0; i < found.count; i++) {
        if (!judge(&one, &locks, &found.items[i], from->pid))
            continue;
        only = one;
        locked++;
    }
    if (found.is_cut)
        return;
    judge_waits(process, locked > 0);
    for (i = 0; locked == 1 && i < process->objects.count; i++) {
        if (text_is(process->objects.items[i].kind, "database"))
            complete(arena, process, &only, &process->objects.items[i]);
    }
}
