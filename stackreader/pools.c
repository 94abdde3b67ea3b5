/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A SimpleQueue is a struct simplequeueobject (Modules/_queuemodule.c). No header declares this
 * struct, so its layout is recognized by the size of the objects. run_server does not check this
 * layout, nor that of a weakref, because each result is checked when it is read: the object of the
 * weakref must have this queue as its attribute _work_queue, and each item of the queue must have
 * an attribute `future`.
 */
#include "pools.h"

#include "dicts.h"
#include "objects.h"

#define QUEUE_SIZE_LIST 56 /* up to 3.12: a list, and the index of the next item in it */
#define QUEUE_SIZE_RING 72 /* from 3.13 on: a ring buffer */

#define LIST_ITEMS 32 /* a pointer to a list */
#define LIST_NEXT  40

#define RING_NEXT  32 /* the index of the next item */
#define RING_ITEMS 40 /* a pointer to the array */
#define RING_ROOM  48 /* the length of the array */
#define RING_COUNT 56 /* the number of items */

#define WEAKREF_OBJECT 16 /* the offset of the object in a weakref */

/* Where the items of a queue are. Item i is items[(next + i) % room], for i < count. */
struct queued {
    uint64_t items, next, count, room;
};

bool pool_of_worker(const struct python *py, const struct raw_frame *frame, struct pool *to)
{
    const int index = value_local_index(py, frame->code, "work_queue");
    uint64_t reference;

    *to = (struct pool){0};
    if (index < 0 || !value_local(py, frame, index, &to->queue) || !to->queue)
        return false;
    if (value_local(py, frame, 0, &reference) && reference)
        memory_pointer(&py->memory, reference + WEAKREF_OBJECT, &to->executor);
    return true;
}

uint64_t pool_max_workers(const struct python *py, const struct pool *pool)
{
    uint64_t number, value;

    if (!pool->executor || !attribute_find(py, pool->executor, "_work_queue", &value) ||
        value != pool->queue || !attribute_find(py, pool->executor, "_max_workers", &value) ||
        !object_integer(py, value, &number))
        return 0;
    return number;
}

static bool open_list(const struct python *py, uint64_t queue, struct queued *q)
{
    uint64_t list;

    if (!memory_pointer(&py->memory, queue + LIST_ITEMS, &list) ||
        !object_type_is(py, object_type(py, list), "list") ||
        !memory_pointer(&py->memory, queue + LIST_NEXT, &q->next) ||
        !read_member(py, list, py->offsets->list.size, &q->room) ||
        !read_member(py, list, py->offsets->list.items, &q->items) || q->next > q->room)
        return false;
    q->count = q->room - q->next;
    return true;
}

static bool open_ring(const struct python *py, uint64_t queue, struct queued *q)
{
    return memory_pointer(&py->memory, queue + RING_NEXT, &q->next) &&
           memory_pointer(&py->memory, queue + RING_ITEMS, &q->items) &&
           memory_pointer(&py->memory, queue + RING_ROOM, &q->room) &&
           memory_pointer(&py->memory, queue + RING_COUNT, &q->count) && q->next < q->room &&
           q->count <= q->room;
}

static bool open_queue(const struct python *py, uint64_t queue, struct queued *q)
{
    const uint64_t type = object_type(py, queue);
    uint64_t size;

    if (!object_type_is(py, type, "_queue.SimpleQueue") ||
        !read_member(py, type, py->offsets->type.basicsize, &size))
        return false;
    return size == QUEUE_SIZE_LIST   ? open_list(py, queue, q)
           : size == QUEUE_SIZE_RING ? open_ring(py, queue, q)
                                     : false;
}

size_t pool_queued(const struct python *py, const struct pool *pool,
                   uint64_t futures[POOL_QUEUED_MAX])
{
    struct queued q;
    uint64_t i, index, item;
    size_t count = 0;

    if (!open_queue(py, pool->queue, &q))
        return 0;
    for (i = 0; i < q.count && i < POOL_QUEUED_MAX; i++) {
        index = q.next + i < q.room ? q.next + i : q.next + i - q.room;
        if (!memory_pointer(&py->memory, q.items + index * 8, &item))
            return count;
        if (attribute_find(py, item, "future", &futures[count]))
            count++;
    }
    return count;
}

/* The layout of a set (Include/cpython/setobject.h), in bytes. Its table has mask + 1 entries, each
 * of which consists of the address of an object and its hash. An entry whose object was removed has
 * the hash -1, which no object has. */
#define SET_MASK       32
#define SET_TABLE      40
#define SET_ENTRY_SIZE 16
#define SET_ENTRY_HASH 8
#define REMOVED        UINT64_MAX

enum progress { UNREADABLE, DONE, PENDING, RUNNING };

static enum progress progress_of(const struct python *py, uint64_t future)
{
    static const struct {
        const char *name;
        enum progress progress;
    } states[] = {{"PENDING", PENDING},
                  {"RUNNING", RUNNING},
                  {"FINISHED", DONE},
                  {"CANCELLED", DONE},
                  {"CANCELLED_AND_NOTIFIED", DONE}};
    uint64_t state;
    size_t i;

    if (!attribute_find(py, future, "_state", &state))
        return UNREADABLE;
    for (i = 0; i < sizeof(states) / sizeof(*states); i++) {
        if (object_is_text(py, state, states[i].name))
            return states[i].progress;
    }
    return UNREADABLE;
}

/* Reads the progress of the future in an entry of a set; DONE if the entry has no future. */
static enum progress read_entry(const struct python *py, uint64_t entry, uint64_t *future)
{
    uint64_t hash;

    if (!memory_pointer(&py->memory, entry, future) ||
        !memory_pointer(&py->memory, entry + SET_ENTRY_HASH, &hash))
        return UNREADABLE;
    return !*future || hash == REMOVED ? DONE : progress_of(py, *future);
}

uint64_t pool_pending(const struct python *py, uint64_t set, size_t *count)
{
    uint64_t mask, table, future, found = 0, i;
    enum progress progress;
    bool is_all = true;

    *count = 0;
    if (!object_type_is(py, object_type(py, set), "set") ||
        !memory_pointer(&py->memory, set + SET_MASK, &mask) ||
        !memory_pointer(&py->memory, set + SET_TABLE, &table))
        return 0;
    for (i = 0; i <= mask && i < POOL_QUEUED_MAX; i++) {
        progress = read_entry(py, table + i * SET_ENTRY_SIZE, &future);
        is_all = is_all && progress != UNREADABLE;
        if (progress != PENDING && progress != RUNNING)
            continue;
        if (!found || progress == RUNNING)
            found = future;
        (*count)++;
    }
    if ((!is_all || mask >= POOL_QUEUED_MAX) && *count < 2)
        *count = 2;
    return found;
}

size_t pool_processes(const struct python *py, uint64_t result, uint64_t ids[POOL_PROCESSES_MAX])
{
    uint64_t pool, list, count, items, process, popen, id, i;

    if (!attribute_find(py, result, "_pool", &pool) || !attribute_find(py, pool, "_pool", &list) ||
        !object_type_is(py, object_type(py, list), "list") ||
        !read_member(py, list, py->offsets->list.size, &count) ||
        !read_member(py, list, py->offsets->list.items, &items) || count > POOL_PROCESSES_MAX)
        return 0;
    for (i = 0; i < count; i++) {
        if (!memory_pointer(&py->memory, items + i * 8, &process) ||
            !attribute_find(py, process, "_popen", &popen) ||
            !attribute_find(py, popen, "pid", &id) || !object_integer(py, id, &ids[i]))
            return 0;
    }
    return (size_t)count;
}

/* Opens the dict that is an attribute of the manager. */
static bool open_dict(const struct python *py, uint64_t manager, const char *name, struct dict *d)
{
    uint64_t address;

    return attribute_find(py, manager, name, &address) && dict_open(py, address, d);
}

size_t executor_processes(const struct python *py, uint64_t manager,
                          uint64_t ids[POOL_PROCESSES_MAX])
{
    uint64_t key, value;
    struct dict d;
    size_t found = 0, i;

    if (!open_dict(py, manager, "processes", &d))
        return 0;
    for (i = 0; i < d.count; i++) {
        if (!dict_entry(py, &d, i, &key, &value))
            return 0;
        if (!value)
            continue;
        if (found == POOL_PROCESSES_MAX || !object_integer(py, key, &ids[found]))
            return 0;
        found++;
    }
    return found;
}

size_t executor_pending(const struct python *py, uint64_t manager,
                        uint64_t futures[POOL_QUEUED_MAX])
{
    uint64_t key, value;
    struct dict d;
    size_t found = 0, i;

    if (!open_dict(py, manager, "pending_work_items", &d))
        return 0;
    for (i = 0; i < d.count && found < POOL_QUEUED_MAX; i++) {
        if (!dict_entry(py, &d, i, &key, &value))
            return found;
        if (value && attribute_find(py, value, "future", &futures[found]))
            found++;
    }
    return found;
}
