/* SPDX-License-Identifier: BSD-3-Clause */
#include "connect/state.h"

#include <ctype.h>
#include <dirent.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "buffer.h"
#include "connect/socket_list.h"
#include "procfs/read.h"
#include "procfs/clock.h"
#include "procfs/peers.h"
#include "procfs/shortage.h"
#include "report.h"
#include "shortage_text.h"

#define PROC_PATH_SIZE 96
#define OWN_NAME       "pystuck" /* the names of all threads of pystuck begin with it */
#define QUEUE_MS       200       /* how long the kernel may take to list its sockets */
#define LOOKS          5         /* number of looks at the states of the threads */
#define LOOK_MS        10        /* time between two looks */
#define REPORT_MEMORY  ((size_t)64 * 1024)

/* ---- Threads --------------------------------------------------------------------------------- */

/* Returns the state of a thread as a letter, see proc(5). 0: there is no such thread. */
static char thread_state(pid_t pid, pid_t tid)
{
    char path[PROC_PATH_SIZE], text[1024];
    const char *end;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)pid, (int)tid);
    if (procfs_read(path, text, sizeof(text)) <= 0)
        return '\0';
    end = strrchr(text, ')');
    return end && end[1] == ' ' ? end[2] : '\0';
}

/* Reads the first line of a file of /proc about a thread. name: the file, such as "comm". Writes ""
 * if the file cannot be read. */
static void read_word(pid_t pid, pid_t tid, const char *name, char *out, size_t size)
{
    char path[PROC_PATH_SIZE];

    snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", (int)pid, (int)tid, name);
    if (procfs_read(path, out, size) < 0)
        out[0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

/* Writes the kernel function in which a thread sleeps, in brackets. Writes "" if the kernel does
 * not show the function. */
static void format_wchan(pid_t pid, pid_t tid, char *out, size_t size)
{
    char name[64];

    out[0] = '\0';
    read_word(pid, tid, "wchan", name, sizeof(name));
    if (name[0] != '\0' && strcmp(name, "0") != 0)
        snprintf(out, size, " (%s)", name);
}

/* True if the thread's control group is frozen, for example by `docker pause`. */
static bool is_frozen(pid_t pid, pid_t tid)
{
    char name[64];

    read_word(pid, tid, "wchan", name, sizeof(name));
    return strcmp(name, "do_freezer_trap") == 0 || strcmp(name, "__refrigerator") == 0;
}

/* Returns the process that traces a thread, such as a debugger. 0: no process traces it. */
static pid_t tracer_of(pid_t pid, pid_t tid)
{
    char path[PROC_PATH_SIZE], text[4096];
    const char *line;
    int tracer;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/status", (int)pid, (int)tid);
    if (procfs_read(path, text, sizeof(text)) < 0)
        return 0;
    line = strstr(text, "\nTracerPid:");
    return line && sscanf(line, "\nTracerPid: %d", &tracer) == 1 ? tracer : 0;
}

/* Returns a thread of the program (not of pystuck) that runs at this moment. 0: no thread runs. */
static pid_t running_thread(pid_t pid)
{
    char path[PROC_PATH_SIZE], name[64];
    struct dirent *entry;
    pid_t found = 0, tid;
    DIR *threads;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    threads = opendir(path);
    while (threads && found == 0 && (entry = readdir(threads))) {
        tid = isdigit((unsigned char)entry->d_name[0]) ? (pid_t)strtol(entry->d_name, NULL, 10) : 0;
        if (tid == 0 || thread_state(pid, tid) != 'R')
            continue;
        read_word(pid, tid, "comm", name, sizeof(name));
        if (strncmp(name, OWN_NAME, strlen(OWN_NAME)) != 0)
            found = tid;
    }
    if (threads)
        closedir(threads);
    return found;
}

/* ---- Sockets --------------------------------------------------------------------------------- */

/* A search for a listening socket, by its inode or by its address. */
struct search {
    unsigned long inode;
    const struct sockaddr *address;
    struct state_queue *out;
    bool found;
};

static void look_at(void *arg, const struct peer_socket *socket)
{
    struct search *s = arg;

    if (!socket->listens || s->found)
        return;
    s->found = s->address ? sockets_is_at(&socket->local, s->address)
                          : socket->inode == (uint32_t)s->inode;
    *s->out = (struct state_queue){socket->waiting, socket->backlog};
}

static bool queue_of(const struct server *server, struct state_queue *out)
{
    struct search s = {.inode = server->inode, .out = out};

    if (server->has_address && !server->other_network)
        peers_read(server->address.ss_family, clock_ms() + QUEUE_MS, look_at, &s);
    return s.found;
}

bool state_queue_at(const struct address *address, struct state_queue *out)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list, *a;
    struct search s = {.out = out};

    if (address->path || getaddrinfo(address->host, address->port, &hints, &list) != 0)
        return false;
    for (a = list; a && !s.found; a = a->ai_next) {
        s.address = a->ai_addr;
        peers_read(a->ai_family, clock_ms() + QUEUE_MS, look_at, &s);
    }
    freeaddrinfo(list);
    return s.found;
}

/* ---- Sentences ------------------------------------------------------------------------------- */

static bool say(char *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool say(char *out, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vsnprintf(out, STATE_TEXT_SIZE, format, ap);
    va_end(ap);
    return true;
}

/* If the thread tid cannot run, writes why and returns true. Otherwise returns false. tid: the main
 * thread of the process, or the thread of the server. */
static bool say_thread(const struct server *s, pid_t tid, char *out)
{
    char state = thread_state(s->pid, tid), where[80], name[64];
    pid_t tracer;

    switch (state) {
    case 'T':
        return say(out, "is stopped: continue it with 'kill -CONT %d'", (int)s->pid);
    case 't':
        tracer = tracer_of(s->pid, tid);
        read_word(tracer, tracer, "comm", name, sizeof(name));
        return say(out, "is stopped by a debugger: process %d (%s)", (int)tracer, name);
    case 'D':
        if (is_frozen(s->pid, tid))
            break;
        format_wchan(s->pid, tid, where, sizeof(where));
        return say(out, "does not run: %s is in uninterruptible sleep in the kernel%s",
                   tid == s->pid ? "its main thread" : "the thread of its server", where);
    default:
        break;
    }
    if (is_frozen(s->pid, tid))
        return say(out, "is frozen: its control group is paused");
    return false;
}

/* If the server or the process has ended or cannot run, writes this fact and returns true.
 * Otherwise returns false. */
static bool say_state(const struct server *s, char *out)
{
    char leader = thread_state(s->pid, s->pid), listener = thread_state(s->pid, s->tid);

    if (leader == '\0' || (leader == 'Z' && listener == '\0'))
        return say(out, "has ended");
    if (listener == '\0')
        return say(out, "has closed its server");
    return say_thread(s, s->tid, out) || say_thread(s, s->pid, out);
}

/* If a resource is used up, writes which resource it is ("out of file descriptors: ...") and
 * returns true. Otherwise returns false. */
static bool find_shortage(const struct server *s, char *out)
{
    char folder[PROC_PATH_SIZE];
    struct buffer line = BUFFER_INIT;
    struct report report;
    struct report_process *process;
    bool found;

    report_init(&report, REPORT_MEMORY);
    process = report_add_process(&report);
    snprintf(folder, sizeof(folder), "/proc/%d", (int)s->pid);
    if (process)
        shortage_find(&report.arena, process, folder, 0);
    if (process && process->shortage.count > 0)
        report_put_shortage(&line, &process->shortage.items[0]);
    found = !line.failed && line.len > 0;
    if (found)
        say(out, "%.*s", (int)line.len, (const char *)line.data);
    buffer_free(&line);
    report_free(&report);
    return found;
}

/* If connections wait to be accepted, writes that the server does not accept them and returns true.
 * Otherwise returns false. shortage: the resource that is used up, or "". */
static bool say_queue(const struct server *s, const char *shortage, char *out)
{
    struct state_queue queue;

    if (!queue_of(s, &queue) || queue.waiting == 0)
        return false;
    if (shortage[0])
        return say(out, "does not accept connections (connections that wait: %u): it is %s",
                   queue.waiting, shortage);
    return say(out, "does not accept connections (connections that wait: %u)", queue.waiting);
}

static pid_t look_for_running_thread(pid_t pid)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    pid_t tid = 0;

    for (int i = 0; i < LOOKS && tid == 0; i++) {
        if (i > 0)
            nanosleep(&pause, NULL);
        tid = running_thread(pid);
    }
    return tid;
}

/* Writes which thread runs, or that no thread runs. Call this if the server has accepted the
 * connection. If the server then does not answer, it waits for the GIL or for one of the program's
 * own locks. The kernel does not show for which of these locks the server waits. */
static void say_threads(const struct server *s, const char *shortage, char *out)
{
    pid_t tid = look_for_running_thread(s->pid);
    const char *more = shortage[0] ? "; it is " : "";
    char name[64];

    read_word(s->pid, tid, "comm", name, sizeof(name));
    if (tid == 0)
        say(out,
            "has no running thread: probably a thread that waits holds the GIL (Python's global "
            "lock)%s%s",
            more, shortage);
    else
        say(out,
            "is very busy, or runs C code that holds the GIL (Python's global lock): thread %d "
            "(%s) runs%s%s",
            (int)tid, name, more, shortage);
}

/* Does the work of state_describe_certain(). shortage: receives the resource that is used up; "" if
 * there is none, or if the text does not depend on it. */
static bool say_certain(const struct server *server, char shortage[STATE_TEXT_SIZE / 2], char *out)
{
    char text[STATE_TEXT_SIZE];

    shortage[0] = '\0';
    if (say_state(server, out))
        return true;
    if (find_shortage(server, text))
        snprintf(shortage, STATE_TEXT_SIZE / 2, "%.380s", text);
    return say_queue(server, shortage, out);
}

bool state_describe_certain(const struct server *server, char *out)
{
    char shortage[STATE_TEXT_SIZE / 2];

    return say_certain(server, shortage, out);
}

void state_describe(const struct server *server, char *out)
{
    char shortage[STATE_TEXT_SIZE / 2];

    if (!say_certain(server, shortage, out))
        say_threads(server, shortage, out);
}
