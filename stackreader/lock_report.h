/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Makes the members `waits` and `holds` of threads and `objects` of a process from the facts of all
 * threads.
 *
 * The certainty of a wait is "known" if the kernel confirms it, else "seen".
 *
 * The certainty of a hold is "known" if the object stores its owner (RLock). Other holds are
 * concluded from the frames. If a frame is in a `with` block of the lock, the hold is "seen", or
 * "likely" if the code inside the block may have released the Lock. If a frame will release the
 * Lock in a `finally` block, the hold is "likely". A Lock can have one holder only, so the holds of
 * a Lock are compared:
 *
 * - If exactly one hold of the Lock is "seen", the thread of this hold has the Lock, and the
 *   "likely" holds are removed.
 * - If several holds of the Lock are "seen", only one of the threads still has the Lock, although
 *   the code of the others does not seem to release it. It is not known which thread this is, so
 *   all these holds become "likely", and the holder_status of the Lock is "not-known".
 * - If a frame may have released the Lock, and its function does not acquire locks, it has perhaps
 *   released the Lock of another thread, and the "likely" holds by calls are removed.
 * - If the Lock is not locked, no thread holds it, and all holds are removed.
 */
#ifndef STACKREADER_LOCK_REPORT_H
#define STACKREADER_LOCK_REPORT_H

#include "report.h"
#include "waits.h"

/* An object that a thread waits for or holds. */
struct lock_object {
    uint64_t address;
    enum lock_kind kind;
    struct pool pool;           /* of a future that a thread computes: the thread's pool */
    uint64_t owner_at;          /* of a LOCK_BUFFER: the address of the ident of its holder */
    struct report_text handler; /* the logging.Handler that has this lock, in words */
    struct report_text id;
    struct report_text words; /* its name in the first frame that has entered it or waits for it
                               */

    /* Set at the end: */
    bool is_read, locked;
    bool is_reused; /* the owner is in the parent process; a thread of pystuck has its ident */
    uint64_t owner; /* the ident of a thread, or 0 */
    size_t claims;  /* the threads that have entered a `with` with it, and not released it */
    size_t guesses; /* the threads that have entered one, and may have released it inside */
    struct report_object *report;
};

#define LOCK_OBJECTS_MAX 16384 /* a power of 2 */
#define MANAGERS_MAX     32    /* the most ProcessPoolExecutors whose futures are looked at */
#define RELEASES_MAX     64

struct lock_report {
    /* A hash table; an entry without address is free. */
    struct lock_object objects[LOCK_OBJECTS_MAX];
    struct lock_object *used[LOCK_OBJECTS_MAX / 2]; /* the entries that are not free */
    size_t count;                                   /* the number of entries that are not free */
    uint64_t manager[MANAGERS_MAX]; /* the threads that manage ProcessPoolExecutors */
    size_t managers;
    uint64_t
        released[RELEASES_MAX]; /* Locks that frames may have released without acquiring them */
    size_t releases;
};

/* The arguments that the functions below share. */
struct lock_reporting {
    const struct python *py;
    struct lock_report *report;
    struct code_cache *cache;
    struct value_room *room;
    struct arena *arena;
    const uint64_t *skip; /* the idents of pystuck's threads */
    size_t skipped;       /* the number of idents in `skip` */
};

void lock_report_clear(struct lock_report *r);

/* Sets waits and holds of a thread from its facts. stack: the frames of the thread. Call this
 * function before the code cache is used for another thread. */
void lock_report_thread(const struct lock_reporting *l, const struct raw_stack *stack,
                        const struct thread_facts *facts, struct report_thread *thread);

/* Sets `objects` of the process, reads which threads hold them, and completes waits and holds of
 * the threads. has_ended: returns true if no thread of the process has this ident. */
void lock_report_finish(const struct lock_reporting *l, struct report_process *process,
                        bool (*has_ended)(void *context, uint64_t ident), void *context);

#endif
