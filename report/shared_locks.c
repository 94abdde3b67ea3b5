/* SPDX-License-Identifier: BSD-3-Clause */
#include "shared_locks.h"

#include <string.h>

/* Limits for malicious reports. */
#define PROCESSES_MAX 16
#define OBJECTS_MAX   4096
#define ID_MAX        256
#define SEARCHES_MAX  64 /* the most locks for whose holders other processes are searched */

/* The objects of one process. id: "PID@HOST". */
struct owner {
    struct report_text id;
    struct report_object *objects;
    size_t count;
};

static bool is_lock(const struct report_object *o)
{
    return text_is(o->kind, "semlock") && report_detail(o, "semaphore").data &&
           text_is(report_detail(o, "permits"), "1");
}

/* True if the process has released the lock more often than it has acquired it. So it has released
 * it for other processes, which may still count it as acquired. */
static bool is_released(const struct report_object *o)
{
    return report_detail(o, "released").data;
}

/* Returns the thread that holds the lock with this semaphore, as an id of a process; unknown if the
 * process has no such thread. */
static struct report_text holder_in(const struct owner *p, struct report_text semaphore)
{
    size_t i;

    for (i = 0; i < p->count && i < OBJECTS_MAX; i++) {
        const struct report_object *o = &p->objects[i];

        if (is_lock(o) && o->holder_status == HOLDER_KNOWN && o->holders.count == 1 &&
            !report_detail(o, "elsewhere").data &&
            text_equals(report_detail(o, "semaphore"), semaphore))
            return o->holders.items[0];
    }
    return (struct report_text){NULL, 0};
}

/* Returns the id that a thread has in reports about other processes: "PID@HOST/thread:IDENT". */
static struct report_text full_id(struct arena *arena, struct report_text process,
                                  struct report_text thread)
{
    char *data;

    if (process.len + thread.len > ID_MAX)
        return (struct report_text){NULL, 0};
    data = arena_alloc(arena, process.len + 1 + thread.len);
    if (!data)
        return (struct report_text){NULL, 0};
    memcpy(data, process.data, process.len);
    data[process.len] = '/';
    memcpy(data + process.len + 1, thread.data, thread.len);
    return (struct report_text){data, process.len + 1 + thread.len};
}

static bool set_holder(struct arena *arena, struct report_object *o, struct report_text holder)
{
    static const struct report_pair elsewhere = {{"elsewhere", 9}, {"yes", 3}};
    struct report_pair *detail = arena_array(arena, o->detail.count + 1, sizeof(*detail));
    struct report_text *holders = arena_array(arena, 1, sizeof(*holders));

    if (!detail || !holders)
        return false;
    memcpy(detail, o->detail.items, o->detail.count * sizeof(*detail));
    detail[o->detail.count++] = elsewhere;
    o->detail.items = detail;
    holders[0] = holder;
    o->holders.items = holders;
    o->holders.count = 1;
    o->holder_status = HOLDER_KNOWN;
    return true;
}

/* True if an object of another process says that a thread of that process may hold the lock, or
 * that the process has released it for another process. */
static bool disputes(const struct report_object *other, struct report_text semaphore)
{
    if (!is_lock(other) || !text_equals(report_detail(other, "semaphore"), semaphore))
        return false;
    return is_released(other) ||
           (other->holders.count > 0 && !report_detail(other, "elsewhere").data &&
            (other->holder_status == HOLDER_KNOWN || other->holder_status == HOLDER_NOT_KNOWN));
}

static bool is_disputed(const struct owner *all, size_t count, size_t own,
                        const struct report_object *o)
{
    const struct report_text semaphore = report_detail(o, "semaphore");
    size_t i, j;

    for (i = 0; i < count; i++) {
        for (j = 0; i != own && j < all[i].count && j < OBJECTS_MAX; j++) {
            if (disputes(&all[i].objects[j], semaphore))
                return true;
        }
    }
    return false;
}

/* Looks for the holder of a lock in all processes but its own. own: the index of its own. */
static bool find_holder(struct arena *arena, const struct owner *all, size_t count, size_t own,
                        struct report_object *o)
{
    struct report_text found, holder = {NULL, 0};
    size_t i, holders = 0;

    for (i = 0; i < count; i++) {
        found = i != own && all[i].id.data ? holder_in(&all[i], report_detail(o, "semaphore"))
                                           : (struct report_text){NULL, 0};
        if (!found.data)
            continue;
        if (is_disputed(all, count, i, o))
            return true;
        holder = full_id(arena, all[i].id, found);
        holders++;
    }
    return holders != 1 || !holder.data || set_holder(arena, o, holder);
}

/* Called for each lock, with all processes. Returns false if there is no memory. */
typedef bool each_lock(struct arena *arena, const struct owner *all, size_t count, size_t own,
                       struct report_object *o);

/* If the processes contradict each other about the holder of a lock, makes the holder not known. */
static bool settle(struct arena *arena, const struct owner *all, size_t count, size_t own,
                   struct report_object *o)
{
    (void)arena;
    if (is_disputed(all, count, own, o))
        o->holder_status = HOLDER_NOT_KNOWN;
    return true;
}

/* Calls `each` for the locks of one permit that have this status and this number of holders. */
static bool walk(struct arena *arena, const struct owner *all, size_t count, int status,
                 size_t holders, each_lock *each)
{
    size_t searches = 0, i, j;

    for (i = 0; i < count; i++) {
        for (j = 0; j < all[i].count && j < OBJECTS_MAX; j++) {
            struct report_object *o = &all[i].objects[j];

            if (o->holder_status != status || o->holders.count != holders || !is_lock(o) ||
                is_released(o))
                continue;
            if (++searches > SEARCHES_MAX)
                return true;
            if (!each(arena, all, count, i, o))
                return false;
        }
    }
    return true;
}

bool share_locks(struct arena *arena, struct report_process *process)
{
    struct owner all[PROCESSES_MAX];
    size_t count = 1, i;

    all[0] = (struct owner){process->id, process->objects.items, process->objects.count};
    for (i = 0; i < process->others.count && count < PROCESSES_MAX; i++) {
        struct report_other *other = &process->others.items[i];

        all[count++] = (struct owner){other->id, other->objects.items, other->objects.count};
    }
    return walk(arena, all, count, HOLDER_KNOWN, 1, settle) &&
           walk(arena, all, count, HOLDER_NOT_KNOWN, 0, find_holder);
}
