/* SPDX-License-Identifier: BSD-3-Clause */
#include "procfs/call_waits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "procfs/threads.h"
#include "schema.h"

/* The system calls that wait for another process. kind: as in report_wait. */
static const struct {
    const char *name, *kind;
} calls[] = {
    {"wait4", "process"},  {"waitid", "process"}, {"read", "input"},      {"readv", "input"},
    {"recvfrom", "input"}, {"recvmsg", "input"},  {"write", "output"},    {"writev", "output"},
    {"sendto", "output"},  {"sendmsg", "output"}, {"flock", "file-lock"}, {"fcntl", "file-lock"},
};

struct report_text call_waits_id(struct arena *arena, int64_t pid, struct report_text other)
{
    const char *host = other.data ? memchr(other.data, '@', other.len) : NULL;
    char text[400];
    int len;

    if (!host)
        return (struct report_text){NULL, 0};
    len = snprintf(text, sizeof(text), "%" PRId64 "%.*s", pid, (int)(other.data + other.len - host),
                   host);
    return len < (int)sizeof(text) ? report_text_in(arena, text, (size_t)len)
                                   : (struct report_text){NULL, 0};
}

/* Returns the kind of the wait in poll(2) for one descriptor without a timeout, or NULL. */
static const char *kind_of_poll(const struct report_syscall *call)
{
    if (!text_is(call->name, "poll") || call->watched.count != 1 || call->args.count < 3 ||
        (int32_t)call->args.items[2] >= 0)
        return NULL;
    return text_is(call->watched.items[0].events, "input")    ? "input"
           : text_is(call->watched.items[0].events, "output") ? "output"
                                                              : NULL;
}

/* Returns the kind of the wait in a system call, or NULL if the call waits for no process. */
static const char *kind_of(const struct report_syscall *call)
{
    size_t i;

    for (i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
        if (text_is(call->name, calls[i].name))
            return calls[i].kind;
    }
    return kind_of_poll(call);
}

static bool is_for_process(const struct report_wait *wait)
{
    size_t i;

    if (text_is(wait->kind, "children") || text_is(wait->kind, "peers") ||
        text_is(wait->kind, "child"))
        return true;
    for (i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
        if (text_is(wait->kind, calls[i].kind))
            return true;
    }
    return false;
}

/* Returns what a sentence calls the descriptor of a call: "pipe", or the path of a locked file.
 * Returns an unknown text if no process at the other end of the descriptor is waited for. */
static struct report_text words_of(const struct report_target *t, const char *kind)
{
    static const char pipe[] = "pipe", socket[] = "Unix socket";

    if (strcmp(kind, "file-lock") == 0)
        return t->path;
    return text_is(t->kind, "pipe")   ? (struct report_text){pipe, sizeof(pipe) - 1}
           : text_is(t->kind, "unix") ? (struct report_text){socket, sizeof(socket) - 1}
                                      : (struct report_text){NULL, 0};
}

/* True if the wait is for the end of a process, and the frames of the thread say so. What the
 * kernel says is more certain. */
static bool is_from_frames(const struct report_wait *wait)
{
    return text_is(wait->kind, "process") && wait->certainty != CERTAINTY_KNOWN;
}

static void set_wait(struct arena *arena, struct report_thread *t, pid_t pid, struct report_text id)
{
    const struct report_target *target = t->syscall ? t->syscall->target : NULL;
    const char *kind = target ? kind_of(t->syscall) : NULL;
    struct report_text words = {NULL, 0};
    const bool is_end = kind && strcmp(kind, "process") == 0;
    struct report_wait *w;

    if (t->waits && !is_end)
        return;

    if ((t->waits && !is_from_frames(t->waits)) || t->state != STATE_SLEEPING || !kind ||
        target->peer_pid == REPORT_UNKNOWN || target->peer_pid == pid ||
        is_end != text_is(target->kind, "process"))
        return;
    if (!is_end)
        words = words_of(target, kind);
    if (!is_end && !words.data)
        return;
    w = schema_make(arena, &schema_wait, 1);
    if (!w)
        return;
    w->object = call_waits_id(arena, target->peer_pid, id);
    w->kind = (struct report_text){kind, strlen(kind)};
    w->words = words;
    w->certainty = CERTAINTY_KNOWN;
    if (w->object.data)
        t->waits = w;
}

/* Converts an id "process:PID" to "PID@HOST". Leaves other ids alone. */
static void convert_id(struct arena *arena, struct report_text *id, struct report_text own)
{
    static const char start[] = "process:";
    struct report_text made;

    if (!text_begins(*id, start))
        return;
    /* the texts of the stack reader end with NUL */
    made = call_waits_id(arena, strtoll(id->data + strlen(start), NULL, 10), own);
    if (made.data)
        *id = made;
}

void call_waits_convert(struct arena *arena, struct report_process *process)
{
    size_t i, j;

    for (i = 0; i < process->objects.count; i++) {
        const report_texts *holders = &process->objects.items[i].holders;

        for (j = 0; j < holders->count; j++)
            convert_id(arena, &holders->items[j], process->id);
    }
    for (i = 0; i < process->threads.count; i++) {
        if (process->threads.items[i].waits)
            convert_id(arena, &process->threads.items[i].waits->object, process->id);
    }
}

void call_waits_check(const char *folder, struct report_thread *threads, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        struct report_thread *t = &threads[i];

        if (t->waits && is_for_process(t->waits) && t->waits->timed != BOOL_TRUE &&
            (t->switches == REPORT_UNKNOWN ||
             procfs_thread_switches(folder, (pid_t)t->native_id) != t->switches))
            t->waits = NULL;
    }
}

void call_waits_set(struct arena *arena, struct report_thread *threads, size_t count, pid_t pid,
                    struct report_text id)
{
    size_t i;

    for (i = 0; id.data && i < count; i++)
        set_wait(arena, &threads[i], pid, id);
}
