/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A Lock is a struct lockobject, and an RLock is a struct rlockobject (Modules/_threadmodule.c). No
 * header declares these structs, and the layout of lockobject has changed within 3.13. So the
 * layout is recognized by the size of the objects.
 */
#include "locks.h"

#include "objects.h"

/* Sizes of objects, in bytes. SEMAPHORE: the object has a pointer to a semaphore, or to another
 * lock of the operating system. MUTEX: the object has a PyMutex. */
#define LOCK_SIZE_SEMAPHORE  40
#define LOCK_SIZE_MUTEX      24
#define RLOCK_SIZE_SEMAPHORE 48
#define RLOCK_SIZE_MUTEX     40

#define OFFSET_LOCK   16 /* the pointer or the PyMutex */
#define OFFSET_LOCKED 32 /* a char, only in a Lock with a semaphore */
#define OFFSET_OWNER  24
#define OFFSET_COUNT  32 /* with a PyMutex, this is the number of further acquisitions */

/* Offsets in a SemLock (Modules/_multiprocessing/multiprocessing.h), in bytes. A SemLock consists
 * of a pointer to the sem_t, the ident of the last thread that acquired the SemLock, and three
 * ints: how many times this process has acquired the SemLock without releasing it, how many times
 * all processes together may acquire the SemLock, and whether the SemLock is an RLock. */
#define SEMLOCK_HANDLE  16
#define SEMLOCK_THREAD  24
#define SEMLOCK_COUNT   32
#define SEMLOCK_MAXIMUM 36
#define SEMLOCK_KIND    40

#define SEMLOCK_RECURSIVE 0 /* the kind of an RLock */

#define MUTEX_LOCKED 1 /* a bit of a PyMutex */

/* A thread that waits for a PyMutex waits in the kernel for a semaphore in a struct wait_entry,
 * which is on the thread's stack (Python/parking_lot.c). In this struct, the address of the PyMutex
 * is this number of bytes before the semaphore. */
#define WAIT_ENTRY_ADDRESS 8

static const char *const type_names[LOCK_KINDS] = {
    [LOCK_PLAIN] = "_thread.lock",
    [LOCK_RLOCK] = "_thread.RLock",
    [LOCK_SEMLOCK] = "_multiprocessing.SemLock",
};

enum lock_kind lock_kind(const struct python *py, const struct stdlib *l, uint64_t object)
{
    int found;

    if (!object)
        return LOCK_NONE;
    found = object_is_among(py, object, &type_names[LOCK_PLAIN], LOCK_SEMLOCK - LOCK_PLAIN + 1);
    if (found >= 0)
        return (enum lock_kind)(LOCK_PLAIN + found);
    if (stdlib_is_a(py, l, object, CLASS_CONDITION))
        return LOCK_CONDITION;
    if (stdlib_is_a(py, l, object, CLASS_SEMAPHORE))
        return LOCK_SEMAPHORE;
    return LOCK_NONE;
}

/* Returns the size of the objects of CPython's own type for `kind`, such as _thread.lock; 0 if the
 * size cannot be read. object: an object of this type or of a derived class. */
static uint64_t size_of(const struct python *py, enum lock_kind kind, uint64_t object)
{
    uint64_t type = object_type(py, object), size;
    int i;

    for (i = 0; type && i < 100 && !object_type_is(py, type, type_names[kind]); i++) {
        if (!read_member(py, type, py->offsets->type.base, &type))
            return 0;
    }
    return type && read_member(py, type, py->offsets->type.basicsize, &size) ? size : 0;
}

static bool read_plain(const struct python *py, uint64_t object, uint64_t size,
                       struct lock_state *state)
{
    unsigned char byte;

    if (size != LOCK_SIZE_SEMAPHORE && size != LOCK_SIZE_MUTEX)
        return false;
    if (!memory_read(&py->memory, object + (size == LOCK_SIZE_MUTEX ? OFFSET_LOCK : OFFSET_LOCKED),
                     &byte, 1))
        return false;
    state->locked = size == LOCK_SIZE_MUTEX ? byte & MUTEX_LOCKED : byte != 0;
    return true;
}

static bool read_rlock(const struct python *py, uint64_t object, uint64_t size,
                       struct lock_state *state)
{
    if (size != RLOCK_SIZE_SEMAPHORE && size != RLOCK_SIZE_MUTEX)
        return false;
    if (!memory_pointer(&py->memory, object + OFFSET_OWNER, &state->owner) ||
        !memory_pointer(&py->memory, object + OFFSET_COUNT, &state->count))
        return false;
    state->locked = state->owner != 0;
    state->count = !state->locked ? 0 : state->count + (size == RLOCK_SIZE_MUTEX);
    return true;
}

/* Returns how many times a SemLock may be acquired now, which the C library stores in the first 32
 * bits of its semaphore. Returns 0 if it cannot be acquired, or if this is not known. */
static uint32_t free_permits(const struct python *py, uint64_t object)
{
    const uint64_t handle = lock_semaphore(py, object);
    uint32_t value;

    if (!handle || !memory_read(&py->memory, handle, &value, sizeof(value)) || value > INT32_MAX)
        return 0;
    return value;
}

/* Reads a SemLock. If another process has released it, this process may still count it as acquired.
 * Returns false if this process has not acquired the SemLock and it is not free, because it is not
 * known whether another process has acquired it. */
static bool read_semlock(const struct python *py, uint64_t object, struct lock_state *state)
{
    int32_t count;

    if (lock_permits(py, object) != 1)
        return false;
    if (free_permits(py, object) > 0)
        return true;
    if (!memory_read(&py->memory, object + SEMLOCK_COUNT, &count, sizeof(count)) || count <= 0 ||
        !memory_pointer(&py->memory, object + SEMLOCK_THREAD, &state->owner))
        return false;
    state->locked = true;
    state->count = (uint64_t)count;
    return true;
}

uint64_t lock_permits(const struct python *py, uint64_t semlock)
{
    int32_t maximum;

    if (!memory_read(&py->memory, semlock + SEMLOCK_MAXIMUM, &maximum, sizeof(maximum)))
        return 0;
    return maximum > 0 ? (uint64_t)maximum : 0;
}

uint64_t lock_semaphore(const struct python *py, uint64_t semlock)
{
    uint64_t handle;

    return memory_pointer(&py->memory, semlock + SEMLOCK_HANDLE, &handle) ? handle : 0;
}

bool lock_is_released(const struct python *py, uint64_t semlock)
{
    int32_t count;

    return lock_permits(py, semlock) == 1 &&
           memory_read(&py->memory, semlock + SEMLOCK_COUNT, &count, sizeof(count)) && count < 0;
}

bool lock_is_recursive(const struct python *py, uint64_t semlock)
{
    int32_t kind;

    return memory_read(&py->memory, semlock + SEMLOCK_KIND, &kind, sizeof(kind)) &&
           kind == SEMLOCK_RECURSIVE;
}

bool lock_read(const struct python *py, enum lock_kind kind, uint64_t object,
               struct lock_state *state)
{
    *state = (struct lock_state){0};
    if (kind == LOCK_PLAIN)
        return read_plain(py, object, size_of(py, kind, object), state);
    if (kind == LOCK_RLOCK)
        return read_rlock(py, object, size_of(py, kind, object), state);
    if (kind == LOCK_SEMLOCK)
        return read_semlock(py, object, state);
    return false;
}

bool lock_has_futex(const struct python *py, enum lock_kind kind, uint64_t object, uint64_t futex)
{
    uint64_t size, word;

    if (kind == LOCK_SEMLOCK)
        return memory_pointer(&py->memory, object + SEMLOCK_HANDLE, &word) && word == futex;
    if (kind != LOCK_PLAIN && kind != LOCK_RLOCK)
        return false;
    size = size_of(py, kind, object);
    if (size == (kind == LOCK_PLAIN ? LOCK_SIZE_MUTEX : RLOCK_SIZE_MUTEX))
        return memory_pointer(&py->memory, futex - WAIT_ENTRY_ADDRESS, &word) &&
               word == object + OFFSET_LOCK;
    if (size == (kind == LOCK_PLAIN ? LOCK_SIZE_SEMAPHORE : RLOCK_SIZE_SEMAPHORE))
        return memory_pointer(&py->memory, object + OFFSET_LOCK, &word) && word == futex;
    return false;
}

/* ---- Files ----------------------------------------------------------------------------------- */

#define TEXT_WORDS   12 /* how many words of an io.TextIOWrapper may contain its buffer */
#define BUFFER_WORDS 24 /* how many words of an io.BufferedWriter may contain its lock */
#define HEAD_WORDS   2  /* the words of an object before its members */

static bool is_buffer(const struct python *py, uint64_t object)
{
    static const char *const types[] = {"_io.BufferedReader", "_io.BufferedWriter",
                                        "_io.BufferedRandom"};

    return object && object % 8 == 0 && object_is_among(py, object, types, 3) >= 0;
}

uint64_t lock_buffer_of(const struct python *py, uint64_t file)
{
    uint64_t words[TEXT_WORDS];
    size_t i;

    if (is_buffer(py, file))
        return file;
    if (!file || !object_is_a(py, file, "_io.TextIOWrapper") ||
        !memory_read(&py->memory, file, words, sizeof(words)))
        return 0;
    for (i = HEAD_WORDS; i < TEXT_WORDS; i++) {
        if (is_buffer(py, words[i]))
            return words[i];
    }
    return 0;
}

/* No header declares the struct of a buffer (Modules/_io/bufferedio.c). In all versions, the member
 * `owner` follows the member `lock`. Up to 3.14, `lock` is the address of the futex. From 3.15 on,
 * it is the address of a PyMutex. */
uint64_t lock_buffer_owner(const struct python *py, uint64_t buffer, uint64_t futex)
{
    uint64_t words[BUFFER_WORDS], lock = futex;
    size_t i;

    if (py->offsets->minor >= 15 && !memory_pointer(&py->memory, futex - WAIT_ENTRY_ADDRESS, &lock))
        return 0;
    if (!lock || !memory_read(&py->memory, buffer, words, sizeof(words)))
        return 0;
    for (i = HEAD_WORDS; i + 1 < BUFFER_WORDS; i++) {
        if (words[i] == lock)
            return buffer + (i + 1) * sizeof(*words);
    }
    return 0;
}
