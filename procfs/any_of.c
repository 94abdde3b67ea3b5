/* SPDX-License-Identifier: BSD-3-Clause */
#include "procfs/any_of.h"

#include <stdio.h>
#include <string.h>

#include "procfs/call_waits.h"
#include "procfs/children.h"
#include "schema.h"

/* ---- The processes at the other ends of pipes ------------------------------------------------ */

/* Adds a process, if it is not in the list. Returns the number of processes. */
static size_t add_process(pid_t *pids, size_t count, pid_t pid)
{
    size_t i;

    for (i = 0; i < count; i++) {
        if (pids[i] == pid)
            return count;
    }
    pids[count] = pid;
    return count + 1;
}

/* Lists the processes that have the other ends of the pipes from which a call of poll(2) waits for
 * input. Returns 0 if it waits for anything else, too, or if not all of the processes are known. */
static size_t peers_of_call(const struct report_syscall *call, pid_t own, pid_t peers[CHILDREN_MAX])
{
    size_t count = 0, i;

    if (!text_is(call->name, "poll") || call->watched.count > CHILDREN_MAX)
        return 0;
    for (i = 0; i < call->watched.count; i++) {
        const struct report_watched *w = &call->watched.items[i];

        if (!text_is(w->events, "input") || !w->target || !text_is(w->target->kind, "pipe") ||
            w->target->peer_pid <= 0 || w->target->peer_pid == own)
            return 0;
        count = add_process(peers, count, (pid_t)w->target->peer_pid);
    }
    return count;
}

/* ---- Waits ----------------------------------------------------------------------------------- */

/* Fills an object whose holders are the processes. index: a number that no other such object of
 * this process has. Returns false if there is no memory. */
static bool fill(struct arena *arena, const struct report_process *process, size_t index,
                 const char *kind, const pid_t *pids, size_t count, struct report_object *to)
{
    char id[40];
    size_t i;

    snprintf(id, sizeof(id), "processes:%zu", index);
    to->id = report_text_in(arena, id, strlen(id));
    to->kind = (struct report_text){kind, strlen(kind)};
    to->holder_status = HOLDER_KNOWN;
    to->holders.items = arena_array(arena, count, sizeof(*to->holders.items));
    if (!to->holders.items)
        return false;
    for (i = 0; i < count; i++)
        to->holders.items[to->holders.count++] = call_waits_id(arena, pids[i], process->id);
    return !arena->failed;
}

/* Makes room for one more object for each thread. Returns false if there is no memory. */
static bool make_room(struct arena *arena, struct report_process *process)
{
    const size_t count = process->objects.count;
    struct report_object *items;

    items = schema_make(arena, &schema_object, count + process->threads.count);
    if (!items)
        return false;
    if (count > 0)
        memcpy(items, process->objects.items, count * sizeof(*items));
    process->objects.items = items;
    return true;
}

static void set_wait(struct arena *arena, const struct report_object *object,
                     struct report_thread *t)
{
    const struct report_syscall *call = t->syscall;
    struct report_wait *w = schema_make(arena, &schema_wait, 1);

    if (!w)
        return;
    w->object = object->id;
    w->kind = object->kind;
    w->certainty = CERTAINTY_KNOWN;
    if (text_is(call->name, "poll") && (call->args.count < 3 || (int32_t)call->args.items[2] >= 0))
        w->timed = BOOL_TRUE;
    t->waits = w;
}

void any_of_set_waits(const struct target_process *from, struct arena *arena,
                      struct report_process *process, int64_t deadline)
{
    const char *kind;
    char folder[32];
    pid_t pids[CHILDREN_MAX];
    bool has_room = false;
    size_t count, i;

    snprintf(folder, sizeof(folder), "/proc/%d", (int)from->pid);
    for (i = 0; process->id.data && i < process->threads.count; i++) {
        struct report_thread *t = &process->threads.items[i];

        if (t->waits || !t->syscall || t->state != STATE_SLEEPING)
            continue;
        kind = "children";
        count = children_of_call(folder, t->syscall, pids, deadline);
        if (count == 0) {
            kind = "peers";
            count = peers_of_call(t->syscall, from->pid, pids);
        }
        if (count < 2)
            continue;
        has_room = has_room || make_room(arena, process);
        if (!has_room || !fill(arena, process, i, kind, pids, count,
                               &process->objects.items[process->objects.count]))
            return;
        set_wait(arena, &process->objects.items[process->objects.count++], t);
    }
}
