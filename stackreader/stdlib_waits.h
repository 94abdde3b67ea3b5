/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The functions of the standard library in which threads wait: threading.Condition.wait and others.
 * A frame is recognized by its code object, since any function of a program may be called "wait".
 */
#ifndef STACKREADER_STDLIB_WAITS_H
#define STACKREADER_STDLIB_WAITS_H

#include "python_process.h"

/* The kinds of objects that a thread waits for or holds. */
enum lock_kind {
    LOCK_NONE,
    LOCK_PLAIN,   /* _thread.lock: threading.Lock() */
    LOCK_RLOCK,   /* _thread.RLock */
    LOCK_SEMLOCK, /* _multiprocessing.SemLock: the locks and semaphores of multiprocessing */
    LOCK_CONDITION,
    LOCK_SEMAPHORE,
    LOCK_EVENT,
    LOCK_BARRIER,
    LOCK_QUEUE,      /* queue.Queue or queue.SimpleQueue */
    LOCK_QUEUE_GET,  /* a queue from which a thread waits to get an item */
    LOCK_QUEUE_PUT,  /* a queue in which a thread waits for room */
    LOCK_QUEUE_JOIN, /* a queue for which a thread waits until all items are done */
    LOCK_FUTURE,
    LOCK_FUTURES,  /* a set of futures, one of which must be done before a thread continues */
    LOCK_THREAD,   /* the end of a thread */
    LOCK_IMPORT,   /* the lock of a module that is being imported */
    LOCK_DATABASE, /* the file lock of an SQLite database; the object is a connection or a cursor */
    LOCK_PROCESS,  /* the end of a process; the object is a Process or a subprocess.Popen */
    LOCK_WORKERS,  /* results of worker processes; the object is an _ExecutorManagerThread */
    LOCK_CHILD,    /* the input or output of a child process; the object is a Popen */
    LOCK_BUFFER,   /* an io.BufferedReader, BufferedWriter or BufferedRandom, which C code locks */
    LOCK_KINDS
};

enum stdlib_function {
    FUNCTION_CONDITION_ENTER,
    FUNCTION_SEMLOCK_ENTER, /* of the locks of multiprocessing */
    FUNCTION_STACK_ENTER,   /* contextlib.ExitStack.enter_context */
    FUNCTION_CONDITION_WAIT,
    FUNCTION_CONDITION_WAIT_FOR,
    FUNCTION_EVENT_WAIT,
    FUNCTION_SEMAPHORE_ACQUIRE,
    FUNCTION_BARRIER_WAIT_INNER,
    FUNCTION_BARRIER_WAIT,
    FUNCTION_WAIT_FOR_THREAD_STATE, /* Thread._wait_for_tstate_lock, up to 3.12 */
    FUNCTION_THREAD_JOIN,
    FUNCTION_QUEUE_GET,
    FUNCTION_QUEUE_PUT,
    FUNCTION_QUEUE_JOIN,
    FUNCTION_FUTURE_RESULT,
    FUNCTION_FUTURE_EXCEPTION,
    FUNCTION_FUTURES_WAIT,         /* concurrent.futures.wait */
    FUNCTION_FUTURES_AS_COMPLETED, /* concurrent.futures.as_completed */
    FUNCTION_POOL_RESULT_WAIT,     /* of multiprocessing.pool */
    FUNCTION_POOL_RESULT_GET,
    FUNCTION_POOL_ITERATOR_NEXT,
    FUNCTION_MODULE_LOCK_ACQUIRE,
    FUNCTION_HANDLER_ACQUIRE, /* logging.Handler.acquire, which Handler.handle calls up to 3.12 */
    FUNCTION_HANDLER_HANDLE,
    FUNCTION_WORK_ITEM_RUN,         /* concurrent.futures.thread._WorkItem.run */
    FUNCTION_POOL_WORKER,           /* concurrent.futures.thread._worker */
    FUNCTION_SHARED_CONDITION_WAIT, /* of multiprocessing.synchronize */
    FUNCTION_SHARED_CONDITION_WAIT_FOR,
    FUNCTION_SHARED_EVENT_WAIT,
    FUNCTION_EXECUTOR_MANAGER, /* concurrent.futures.process._ExecutorManagerThread.run */

    /* Functions that wait for another process, and those that they call: */
    FUNCTION_SELECT,
    FUNCTION_CONNECTION_WAIT, /* multiprocessing.connection.wait */
    FUNCTION_CHILD_POLL,      /* of multiprocessing.popen_fork */
    FUNCTION_CHILD_WAIT,
    FUNCTION_SERVED_CHILD_POLL, /* of multiprocessing.popen_forkserver */
    FUNCTION_PROCESS_JOIN,      /* multiprocessing.Process.join */
    FUNCTION_POPEN_TRY_WAIT,    /* of subprocess */
    FUNCTION_POPEN_WAIT_PIDFD,  /* from 3.15 on */
    FUNCTION_POPEN_WAIT_INNER,
    FUNCTION_POPEN_WAIT,
    FUNCTION_COMMUNICATE_IO, /* from 3.15 on; Popen._communicate calls it */
    FUNCTION_POPEN_COMMUNICATE_INNER,
    FUNCTION_POPEN_COMMUNICATE,
    FUNCTION_EXECUTOR_WAIT, /* _ExecutorManagerThread.wait_result_broken_or_wakeup */
    FUNCTIONS
};

enum stdlib_class {
    CLASS_CONDITION,
    CLASS_SEMAPHORE,
    CLASS_SEMLOCK,          /* multiprocessing.synchronize.SemLock */
    CLASS_SHARED_CONDITION, /* multiprocessing.synchronize.Condition */
    CLASS_EXIT_STACK,       /* contextlib._BaseExitStack */
    CLASS_CONTEXT_MANAGER, /* contextlib._GeneratorContextManagerBase: what @contextmanager makes */
    CLASSES
};

/* The addresses of code objects and classes; 0: the module is not imported, or has no such
 * function. */
struct stdlib {
    uint64_t codes[FUNCTIONS], classes[CLASSES];
    uint64_t output; /* sys.stdout */
};

/* Finds the functions and classes in the modules of an interpreter. */
void stdlib_find(const struct python *py, uint64_t interpreter, struct stdlib *to);

/* Returns the function that has this code object, or FUNCTIONS. */
enum stdlib_function stdlib_function(const struct stdlib *l, uint64_t code);

/* Returns the kind of the object for which a thread in this function waits. The object is the first
 * argument of the function. Returns LOCK_NONE for functions that do not wait. */
enum lock_kind stdlib_waits_for(enum stdlib_function function);

/* True if the function waits for another process, or is called by a function that does. */
bool stdlib_is_of_process(enum stdlib_function function);

/* True if an object is an instance of `class`, or of a class that is derived from `class`. */
bool stdlib_is_a(const struct python *py, const struct stdlib *l, uint64_t object,
                 enum stdlib_class class);

#endif
