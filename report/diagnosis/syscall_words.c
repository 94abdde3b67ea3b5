/* SPDX-License-Identifier: BSD-3-Clause */
#include "diagnosis/syscall_words.h"

#include <string.h>

#include "phrases.h"

#define WATCHED_SHOWN 4 /* the most descriptors of poll(2) and the like that are named */

static bool is_one_of(struct report_text name, const char *first, const char *second)
{
    return text_is(name, first) || text_is(name, second);
}

/* Appends the kind of the file, socket or the like to which a descriptor refers. */
static void put_kind(struct buffer *out, struct report_text kind)
{
    static const char *const words[][2] = {
        {"tcp", "TCP"}, {"unix", "Unix socket"}, {"epoll", "epoll descriptor"}};
    size_t i;

    for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (text_is(kind, words[i][0])) {
            sentence_put(out, words[i][1]);
            return;
        }
    }
    sentence_put_text(out, kind);
}

/* Appends "TCP 127.0.0.1:40000 -> 127.0.0.1:5432". */
static void put_addresses(struct buffer *out, const struct report_target *t)
{
    if (t->path.data) {
        buffer_put_u8(out, ' ');
        sentence_put_text(out, t->path);
    }
    if (t->local.data) {
        buffer_put_u8(out, ' ');
        sentence_put_text(out, t->local);
    }
    if (t->remote.data) {
        sentence_put(out, t->local.data ? " -> " : " to ");
        sentence_put_text(out, t->remote);
    }
    if (t->tcp_state.data) {
        sentence_put(out, ", ");
        sentence_put_text(out, t->tcp_state);
    }
}

/* Appends which process has the file lock, or the other end of the pipe or socket. pid: the process
 * that the report is about. */
static void put_peer(struct buffer *out, struct report_text call, const struct report_target *t,
                     int64_t pid)
{
    if (t->peer_pid == REPORT_UNKNOWN)
        return;
    if (is_one_of(call, "flock", "fcntl")) {
        sentence_put(out, ", locked by ");
        sentence_put(out, t->peer_pid == pid ? "this process itself" : "process ");
        if (t->peer_pid != pid)
            sentence_put_number(out, t->peer_pid);
        return;
    }
    if (t->peer_pid == pid) {
        sentence_put(out, ", this process itself has the other end");
        return;
    }
    sentence_put(out, ", process ");
    sentence_put_number(out, t->peer_pid);
    sentence_put(out, " has the other end");
}

/* Appends the child for which wait4(2) or waitid(2) waits. */
static void put_process(struct buffer *out, const struct report_target *t)
{
    sentence_put(out, "waits for the end of process ");
    sentence_put_number(out, t->peer_pid);
}

/* True if the call waits on an epoll descriptor, and the descriptors that the epoll descriptor
 * watches are known. In this case, the sentence describes the watched descriptors, and not the
 * epoll descriptor. */
static bool is_epoll(const struct report_syscall *call)
{
    return call->watched.items && text_is(call->target->kind, "epoll");
}

static bool is_known(const struct report_target *t)
{
    return t && (t->kind.data || t->path.data || t->local.data || t->remote.data);
}

/* Appends what a descriptor refers to, or which process is waited for. */
static void put_target(struct buffer *out, struct report_text call, const struct report_target *t,
                       int64_t pid)
{
    if (text_is(t->kind, "process") && t->peer_pid != REPORT_UNKNOWN) {
        put_process(out, t);
        return;
    }
    if (t->kind.data)
        put_kind(out, t->kind);
    put_addresses(out, t);
    put_peer(out, call, t, pid);
}

static void put_descriptor(struct buffer *out, const struct report_syscall *call, int64_t pid)
{
    if (call->fd != REPORT_UNKNOWN) {
        sentence_put(out, " on descriptor ");
        sentence_put_number(out, call->fd);
    }
    if (!is_known(call->target) || is_epoll(call))
        return;
    sentence_put(out, ": ");
    put_target(out, call->name, call->target, pid);
}

/* Appends ", for input on descriptor 7 (TCP ...), and on others". Does not name the call's own
 * descriptor, which put_descriptor() has described. */
static void put_watched(struct buffer *out, const struct report_syscall *call, int64_t pid)
{
    size_t i;

    if (call->watched.items && call->watched.count == 0)
        sentence_put(out, ", with no descriptors to wait for");
    for (i = 0; call->watched.items && i < call->watched.count && i < WATCHED_SHOWN; i++) {
        const struct report_watched *w = &call->watched.items[i];

        sentence_put(out, ", for ");
        sentence_put_text(out, w->events);
        if (w->fd == call->fd || w->fd == REPORT_UNKNOWN)
            continue;
        sentence_put(out, " on descriptor ");
        sentence_put_number(out, w->fd);
        if (!is_known(w->target))
            continue;
        sentence_put(out, " (");
        put_target(out, call->name, w->target, pid);
        sentence_put(out, ")");
    }
    if (call->watched.count > WATCHED_SHOWN)
        sentence_put(out, ", and on others");
}

static void put_kernel(struct buffer *out, const struct report_target *t)
{
    if (t->mount.data) {
        sentence_put(out, ", on the file system ");
        sentence_put_text(out, t->mount);
    }
    if (t->wchan.data) {
        sentence_put(out, ", in the kernel's ");
        sentence_put_text(out, t->wchan);
    }
}

/* True if select(2) waits for no descriptor, as time.sleep() of Python does up to 3.10. */
static bool is_select(const struct report_syscall *call)
{
    return is_one_of(call->name, "select", "pselect6") && call->args.count > 0 &&
           call->args.items[0] == 0;
}

bool syscall_is_sleep(const struct report_syscall *call)
{
    return is_one_of(call->name, "nanosleep", "clock_nanosleep") || is_select(call);
}

void syscall_words_put(struct buffer *out, const struct report_syscall *call,
                       const struct report_process *process)
{
    /* peer_pid is an ID outside, too */
    int64_t pid = process->pid_outside ? process->pid_outside : process->pid;

    if (!call->name.data)
        return;
    if (is_one_of(call->name, "nanosleep", "clock_nanosleep") && call->left_ms != REPORT_UNKNOWN) {
        sentence_put(out, "sleeps for another ");
        sentence_put_duration(out, call->left_ms);
        return;
    }
    sentence_put(out, is_select(call) ? "sleeps in the system call " : "in the system call ");
    sentence_put_text(out, call->name);
    put_descriptor(out, call, pid);
    put_watched(out, call, pid);
    if (call->target)
        put_kernel(out, call->target);
    if (call->left_ms == REPORT_UNKNOWN)
        return;
    sentence_put(out, ", for another ");
    sentence_put_duration(out, call->left_ms);
}
