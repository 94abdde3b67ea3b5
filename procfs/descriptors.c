/* SPDX-License-Identifier: BSD-3-Clause */
#include "procfs/descriptors.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "procfs/read.h"
#include "procfs/peers.h"
#include "procfs/clock.h"
#include "procfs/folder.h"

#define GROUPS       1024 /* slots in the table of groups, a power of two */
#define GROUP_PROBES 16   /* slots that are tried for a group; if none is free, it is not counted */
#define NAME_SIZE    128  /* bytes, with the NUL */
#define INODES       (2 * DESCRIPTORS_LOOKED_AT) /* slots in the table of sockets, a power of two */
#define NAMED        3                           /* how many groups put_groups() lists */

/* ---- How many -------------------------------------------------------------------------------- */

int64_t descriptors_count(const char *folder, int64_t deadline)
{
    int dir = folder_of_descriptors(folder);
    struct stat st;
    int64_t count;

    if (dir < 0)
        return -1;
    if (fstat(dir, &st) == 0 && st.st_size > 0) /* since Linux 6.2: the number of descriptors */
        count = st.st_size;
    else
        count = folder_walk(dir, deadline, NULL, NULL);
    close(dir);
    return count;
}

/* ---- Groups of equal descriptors ------------------------------------------------------------- */

/* What the descriptors of a group have in common. A TCP socket is counted in two groups: by its
 * remote address and by its local address. A file is also counted in two groups: by its path and by
 * its folder. choose() then drops one kind for sockets and one kind for files. */
enum kind {
    KIND_NONE,
    KIND_REMOTE, /* TCP sockets with this remote address */
    KIND_LOCAL,  /* TCP sockets with this local address */
    KIND_FILE,   /* files with this path */
    KIND_FOLDER, /* files in this folder */
    KIND_OTHER,  /* the name says what they are, in the plural: "pipe ends" */
    KINDS
};

struct bundle {
    enum kind kind;
    uint32_t count;
    char name[NAME_SIZE];
};

/* A socket of the process. Only its inode is known until peers_read() has found the socket. */
struct unknown {
    uint32_t inode; /* 0: this slot is free */
    uint32_t count; /* the number of its descriptors; 0: peers_read() has found the socket */
};

/* The state of one call of descriptors_describe(). This struct is too large for a thread's stack.
 */
struct groups {
    struct bundle bundles[GROUPS];
    struct unknown sockets[INODES];
    uint32_t looked_at;
    uint32_t other_sockets; /* descriptors of sockets that peers_read() has not found yet */
};

static uint32_t hash(enum kind kind, const char *name)
{
    uint32_t h = 2166136261U + (uint32_t)kind;

    for (; *name; name++)
        h = (h ^ (uint8_t)*name) * 16777619U;
    return h;
}

static void add(struct groups *g, enum kind kind, const char *name, uint32_t count)
{
    uint32_t i, h = hash(kind, name);
    struct bundle *slot;

    for (i = 0; i < GROUP_PROBES; i++) {
        slot = &g->bundles[(h + i) % GROUPS];
        if (slot->kind == KIND_NONE) {
            slot->kind = kind;
            snprintf(slot->name, sizeof(slot->name), "%s", name);
        }
        if (slot->kind == kind && strcmp(slot->name, name) == 0) {
            slot->count += count;
            return;
        }
    }
}

/* Returns the slot of an inode, or a free slot if the inode has no slot yet. Returns NULL if no
 * slot is free. */
static struct unknown *find_socket(struct groups *g, uint32_t inode)
{
    uint32_t i, start = inode * 2654435761U;

    for (i = 0; i < INODES; i++) {
        struct unknown *u = &g->sockets[(start + i) % INODES];

        if (u->inode == inode || u->inode == 0)
            return u;
    }
    return NULL;
}

static void add_socket(struct groups *g, const char *number)
{
    uint32_t inode = (uint32_t)strtoul(number, NULL, 10); /* the kernel reports 32 bits */
    struct unknown *u = inode ? find_socket(g, inode) : NULL;

    g->other_sockets++;
    if (!u)
        return;
    u->inode = inode;
    u->count++;
}

/* Adds a descriptor that has no file. name: the kernel's name for the type of the descriptor. */
static void add_anonymous(struct groups *g, const char *name)
{
    static const struct {
        const char *name, *words;
    } known[] = {
        {"[eventfd]", "eventfds"},          {"[eventpoll]", "epoll descriptors"},
        {"[timerfd]", "timerfds"},          {"[signalfd]", "signalfds"},
        {"inotify", "inotify descriptors"}, {"[pidfd]", "pidfds"},
    };
    char words[NAME_SIZE];

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(name, known[i].name) == 0) {
            add(g, KIND_OTHER, known[i].words, 1);
            return;
        }
    }
    snprintf(words, sizeof(words), "descriptors of type %.80s", name);
    add(g, KIND_OTHER, words, 1);
}

/* Adds a file to the groups of its path and of its folder. Replaces all bytes that are not
 * printable ASCII by '?', because the name must be UTF-8. A path that is too long is not truncated,
 * because the shorter path would name another file. Such a file is counted only in the innermost
 * folder whose path is not too long. */
static void add_file(struct groups *g, char *path)
{
    char *slash = strrchr(path, '/');

    for (char *c = path; *c; c++)
        if ((unsigned char)*c < ' ' || (unsigned char)*c >= 0x7f)
            *c = '?';
    if (strlen(path) < NAME_SIZE)
        add(g, KIND_FILE, path, 1);
    while (slash && slash > path && slash - path >= NAME_SIZE) {
        *slash = '\0';
        slash = strrchr(path, '/');
    }
    if (!slash)
        return;
    slash[slash == path] = '\0'; /* cuts behind the folder; for "/", keeps the slash */
    add(g, KIND_FOLDER, path, 1);
}

static bool add_descriptor(void *arg, int dir, const char *name)
{
    static const char anonymous[] = "anon_inode:", socket[] = "socket:[", pipe[] = "pipe:[";
    struct groups *g = arg;
    char link[4096];
    ssize_t len = readlinkat(dir, name, link, sizeof(link) - 1);

    if (len < 0)
        return true; /* the descriptor was closed meanwhile */
    link[len] = '\0';
    g->looked_at++;
    if (strncmp(link, socket, sizeof(socket) - 1) == 0)
        add_socket(g, link + sizeof(socket) - 1);
    else if (strncmp(link, pipe, sizeof(pipe) - 1) == 0)
        add(g, KIND_OTHER, "pipe ends", 1);
    else if (strncmp(link, anonymous, sizeof(anonymous) - 1) == 0)
        add_anonymous(g, link + sizeof(anonymous) - 1);
    else
        add_file(g, link);
    return g->looked_at < DESCRIPTORS_LOOKED_AT;
}

/* ---- Sockets --------------------------------------------------------------------------------- */

static void found(void *arg, const struct peer_socket *s)
{
    struct groups *g = arg;
    struct unknown *u = s->inode ? find_socket(g, s->inode) : NULL;
    char text[PEER_TEXT_SIZE];
    uint32_t count = u ? u->count : 0;

    if (count == 0)
        return;
    u->count = 0;
    g->other_sockets -= count;
    if (s->family == AF_UNIX) {
        add(g, KIND_OTHER, "Unix sockets", count);
        return;
    }
    peers_format(text, &s->local);
    add(g, KIND_LOCAL, text, count);
    peers_format(text, &s->remote);
    if (!s->listens)
        add(g, KIND_REMOTE, text, count);
}

static void find_sockets(struct groups *g, int64_t deadline)
{
    static const int families[] = {AF_INET, AF_INET6, AF_UNIX};

    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]) && g->other_sockets > 0; i++)
        peers_read(families[i], deadline, found, g);
    if (g->other_sockets > 0)
        add(g, KIND_OTHER, "other sockets", g->other_sockets);
}

/* ---- Words ----------------------------------------------------------------------------------- */

static uint32_t most_of(const struct groups *g, enum kind kind)
{
    uint32_t most = 0;

    for (size_t i = 0; i < GROUPS; i++)
        if (g->bundles[i].kind == kind && g->bundles[i].count > most)
            most = g->bundles[i].count;
    return most;
}

/* TCP sockets are grouped by remote and by local address, files are grouped by path and by folder.
 * For TCP sockets and for files, drops the kind of group that says less about the descriptors. */
static void choose(struct groups *g)
{
    bool by_remote = most_of(g, KIND_REMOTE) >= most_of(g, KIND_LOCAL);
    bool by_file = most_of(g, KIND_FILE) >= most_of(g, KIND_FOLDER) / 10 * 9;
    bool drops[KINDS] = {[KIND_REMOTE] = !by_remote,
                         [KIND_LOCAL] = by_remote,
                         [KIND_FILE] = !by_file,
                         [KIND_FOLDER] = by_file};

    for (size_t i = 0; i < GROUPS; i++)
        if (drops[g->bundles[i].kind])
            g->bundles[i].count = 0;
}

/* Appends formatted text. Text that does not fit is cut. */
static void put(char *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(char *out, const char *format, ...)
{
    size_t len = strlen(out);
    va_list ap;

    va_start(ap, format);
    vsnprintf(out + len, DESCRIPTORS_DETAIL_SIZE - len, format, ap);
    va_end(ap);
}

/* Appends a number with commas between the thousands. */
static void put_count(char *out, uint32_t n)
{
    if (n >= 1000) {
        put_count(out, n / 1000);
        put(out, ",%03" PRIu32, n % 1000);
    } else {
        put(out, "%" PRIu32, n);
    }
}

static void put_group(char *out, const struct bundle *group)
{
    static const char *const words[KINDS] = {
        [KIND_REMOTE] = " sockets to ",
        [KIND_LOCAL] = " sockets at ",
        [KIND_FILE] = " descriptors of ",
        [KIND_FOLDER] = " files in ",
        [KIND_OTHER] = " ",
    };

    put_count(out, group->count);
    put(out, "%s%s", words[group->kind], group->name);
}

static struct bundle *largest_of(struct groups *g)
{
    struct bundle *largest = &g->bundles[0];

    for (size_t i = 1; i < GROUPS; i++)
        if (g->bundles[i].count > largest->count)
            largest = &g->bundles[i];
    return largest;
}

/* Appends only the largest group if this group has more than half of the descriptors. Otherwise
 * appends the largest few groups. */
static void put_groups(char *out, struct groups *g)
{
    struct bundle *largest = largest_of(g);

    if (largest->count < 2)
        return;
    if (g->looked_at == DESCRIPTORS_LOOKED_AT) {
        put(out, "of the first ");
        put_count(out, g->looked_at);
        put(out, ", ");
    }
    if (largest->count > g->looked_at / 2) {
        put(out, "most of them: ");
        put_group(out, largest);
        return;
    }
    put(out, "among them: ");
    for (int i = 0; i < NAMED && largest->count > 1; i++) {
        put(out, "%s", i > 0 ? ", " : "");
        put_group(out, largest);
        largest->count = 0;
        largest = largest_of(g);
    }
}

void descriptors_describe(const char *folder, int64_t deadline, char *out)
{
    struct groups *g =
        mmap(NULL, sizeof(*g), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int dir;

    out[0] = '\0';
    if (g == MAP_FAILED)
        return;
    dir = folder_of_descriptors(folder);
    if (dir >= 0) {
        folder_walk(dir, deadline, add_descriptor, g);
        close(dir);
        find_sockets(g, deadline);
        choose(g);
        put_groups(out, g);
    }
    munmap(g, sizeof(*g));
}
