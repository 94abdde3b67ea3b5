/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A report: the facts about one or more Python processes, such as the threads, their stacks, and
 * the objects that they wait for or hold. It also has findings, which are conclusions from the
 * facts. A collector fills a report with facts, the diagnosis adds findings, and writers print the
 * report. The members have the names that doc/stacks.schema.json describes; schema.c lists them for
 * all readers and writers.
 *
 * No function here opens a file or a connection, or needs Python.
 *
 * Ownership: everything that a report points to is in its arena, or is a constant, and stays valid
 * until report_free. There is no lock: only one thread at a time may use a report.
 *
 * Unknown values: a text without data, REPORT_UNKNOWN, NAN, 0 for an enum, NULL for a struct. A
 * list that is unknown has items == NULL; an empty list has items != NULL and count == 0.
 * schema_make (schema.h) returns structs in which everything is unknown.
 */
#ifndef REPORT_H
#define REPORT_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"

#define REPORT_SCHEMA  2
#define REPORT_UNKNOWN INT64_MIN

/* UTF-8 without lone surrogates. It may contain NUL and control characters: escape them before
 * printing it to a terminal. */
struct report_text {
    const char *data; /* NULL: unknown */
    size_t len;
};

#define REPORT_LIST(type)                                                                          \
    struct {                                                                                       \
        type *items; /* NULL: unknown */                                                           \
        size_t count;                                                                              \
    }

/* A name and its value, for names that are not known in advance. */
struct report_pair {
    struct report_text name, value;
};

typedef REPORT_LIST(struct report_text) report_texts;
typedef REPORT_LIST(struct report_pair) report_pairs;
typedef REPORT_LIST(int64_t) report_ints;

enum report_bool { BOOL_FALSE = 1, BOOL_TRUE };

/* How certain a fact is. KNOWN: read from the object, or confirmed by the kernel. SEEN: concluded
 * from the frames; in the meantime, the thread may have released the object. LIKELY: a guess. */
enum report_certainty { CERTAINTY_KNOWN = 1, CERTAINTY_SEEN, CERTAINTY_LIKELY };

enum report_source {
    SOURCE_SERVER = 1, /* a pystuck server in the process */
    SOURCE_SELF,       /* the stack reader on its own process */
    SOURCE_PID,        /* the stack reader on another process */
    SOURCE_CORE,       /* the stack reader on a core file */
    SOURCE_NETREFS     /* operations on netrefs only: no code was sent to the process */
};

/* The result of an operation that may block or fail. STUCK: it did not return in time. SKIPPED: it
 * was not tried. */
enum report_status { STATUS_OK = 1, STATUS_STUCK, STATUS_ERROR, STATUS_SKIPPED };

enum report_name_from { NAME_FROM_THREADING = 1, NAME_FROM_KERNEL };

/* The state of a thread as in /proc/PID/stat: running, sleeping, in uninterruptible sleep, stopped
 * by a signal or by a tracer, ended (a process that its parent has not waited for). */
enum report_state { STATE_RUNNING = 1, STATE_SLEEPING, STATE_DISK, STATE_STOPPED, STATE_ENDED };

enum report_gil_state { GIL_FREE = 1, GIL_HELD, GIL_UNKNOWN, GIL_NONE };

enum report_hold_by { HOLD_BY_WITH = 1, HOLD_BY_OWNER, HOLD_BY_FRAME };

enum report_holder_status {
    HOLDER_KNOWN = 1,
    HOLDER_FREE,
    HOLDER_NOT_KNOWN,
    HOLDER_ENDED,
    HOLDER_INHERITED
};

/* A part of the report that could not be collected ("greenlets"), and the reason ("the GIL is
 * held"). */
struct report_missing {
    struct report_text what, why;
};

/* A resource that the process has run out of. */
struct report_shortage {
    struct report_text resource; /* "file descriptors" */
    int64_t used, limit;
    struct report_text detail;
};

struct report_gil {
    int state;                 /* enum report_gil_state */
    struct report_text holder; /* the id of a thread */
    int64_t at_least_ms;       /* the GIL has been held by one thread for at least this time */
    struct report_text evidence;
};

/* The signal that ended the process. */
struct report_signal {
    int64_t number;
    struct report_text name;    /* "SIGSEGV" */
    int64_t native_id;          /* the kernel's id of the thread that got it */
    struct report_text thread;  /* the id of this thread, if it runs Python */
    struct report_text address; /* for a fault: the address that was accessed, "0x..." */
    int64_t sender;             /* the ID of the process that sent the signal */
};

struct report_local {
    struct report_text name, type, text;
    int status; /* enum report_status: the result of making `text` */
};

struct report_frame {
    struct report_text file; /* the name that the code object has */
    int64_t line;            /* the first line is 1 */
    struct report_text function, qualname;
    struct report_text source;  /* the text of the line, without blanks around it */
    int source_status;          /* enum report_status */
    int64_t column, end_column; /* offsets in the line, from 0, in bytes of UTF-8, as in Python's
                                 * position tables */
    REPORT_LIST(struct report_local) locals;
};
typedef REPORT_LIST(struct report_frame) report_frames; /* the outermost first */

struct report_cpu {
    double percent; /* a percentage of one core */
    int64_t over_ms;
};

/* The file, socket or the like that the descriptor in a system call's arguments refers to. */
struct report_target {
    struct report_text kind; /* "file", "pipe", "tcp", "unix", ... */
    struct report_text path, local, remote, tcp_state;
    int64_t peer_pid;
    struct report_text wchan, mount;
    int own_end; /* enum report_bool. True: the process of the call has the other end of the pipe or
                  * socket, too. False: of the processes that may be read, only peer_pid has the
                  * other end */
};

/* A descriptor for which poll, select or epoll_wait waits. */
struct report_watched {
    int64_t fd;
    struct report_text events; /* "input", "output", "input and output" or "errors" */
    struct report_target *target;
};

struct report_syscall {
    struct report_text name;
    report_ints args;
    int64_t fd;
    struct report_target *target;
    int64_t left_ms;                            /* how long a sleep will still last */
    REPORT_LIST(struct report_watched) watched; /* at most 16 of them */
};

/* What a thread, greenlet or task waits for. A collector reports a wait or a hold only if it was
 * still there when the collector read it a second time.
 *
 * object: the id of an object, or of the thread, task or process whose end is waited for. An id in
 * another process has "PID@HOST/" in front.
 *
 * kind: as in report_object, or "thread", "task", "process", "input", "output", "sleep". "process":
 * the end of a process. "input", "output": data from another process, or room for data, in a pipe
 * or socket; `object` is the process that has the other end, `words` is "pipe" or "Unix socket".
 * "file-lock": a lock that another process, `object`, has set on the file `words`. "child": the
 * thread is in subprocess.Popen.communicate() for the process `object`. "children": the end of any
 * child. "peers": input from any of several pipes. "workers": the thread manages the worker
 * processes of an executor. If the kind is "task", the list `awaits` of the waiting task may have
 * several tasks; if so, `object` is unknown. For queues, the kind says what is waited for:
 * "queue-get" (an item), "queue-put" (room), "queue-join" (until all items are done), or "queue" if
 * this is not known. */
struct report_wait {
    struct report_text object;
    struct report_text kind;
    struct report_text words; /* what the waiting code calls the object: "self.pool._lock" */
    int certainty;            /* enum report_certainty */
    int64_t frame;            /* the index of the frame that waits, from 0 */
    int timed;                /* enum report_bool. True: the wait ends by itself after some time */
};

struct report_since {
    int64_t frame;
    struct report_text file;
    int64_t line;
};

struct report_hold {
    struct report_text object;
    struct report_since *since;
    int certainty; /* enum report_certainty */
    int by;        /* enum report_hold_by */
};

struct report_thread {
    struct report_text id; /* "thread:IDENT" */
    int64_t ident;         /* threading.get_ident() in the thread */
    int64_t native_id;     /* the kernel's thread id */
    int64_t interpreter;   /* 0: the main interpreter */
    struct report_text name;
    int name_from;    /* enum report_name_from */
    int daemon, main; /* enum report_bool */
    struct report_text repr;
    int repr_status; /* enum report_status */
    int state;       /* enum report_state */
    struct report_cpu *cpu;
    int exact; /* enum report_bool. True: all frames were on the stack at the same moment */
    int64_t unchanged_ms;
    report_frames frames;
    struct report_text stack; /* a hash of the frames; equal stacks have equal hashes (merge.h) */
    struct report_syscall *syscall;
    struct report_wait *waits;
    REPORT_LIST(struct report_hold) holds;
    report_texts notes; /* conclusions of the diagnosis about the thread, one line each */
    int64_t switches;   /* how many times the thread had stopped running before its frames and its
                         * system call were read: if the number is still the same, the thread has
                         * not run since. Set if the thread waits for another process */
};

/* A greenlet that has begun and is suspended.
 *
 * thread: the id of the thread that can run it. waits: the kinds "hub" (its hub will run it) and
 * "io" (its words are the number of a descriptor) occur only here. If the kind is "greenlet", and
 * `words` is known but `object` is not, the greenlet waits for the ends of several greenlets, which
 * `words` lists. */
struct report_greenlet {
    struct report_text id, repr;
    int repr_status; /* enum report_status */
    struct report_text name, parent, thread;
    report_frames frames;
    struct report_wait *waits;
    report_texts notes; /* as in report_thread */
    REPORT_LIST(struct report_hold) holds;
};

/* A task of asyncio that is not done.
 *
 * state: "running", "waiting", or "ready": its loop will run it.
 *
 * awaits: the ids of the tasks that it awaits, directly or through gather() and the like. If it
 * also awaits a future that is not a task, the id of this future ("obj:0x...") is in the list. */
struct report_task {
    struct report_text id, name;
    struct report_text loop; /* the id of an object */
    struct report_text state;
    report_texts awaits;
    struct report_wait *waits;
    report_frames frames; /* those of its coroutines: each one awaits the next one */
    report_texts notes;   /* as in report_thread */
    REPORT_LIST(struct report_hold) holds;
};

/* An object that a thread, greenlet or task waits for or holds.
 *
 * kind: "lock", "rlock", "semlock" (of multiprocessing), "condition", "semaphore", "event",
 * "barrier", "queue", "stream", "future", "futures" (a set of which one must be done), "import"
 * (the lock of a module), "buffer" (the lock of a buffered file, such as sys.stdout), "flock" (of a
 * file), "database" (the file lock of an SQLite database, for which a connection or cursor waits),
 * "children" (any of them may end a wait), "peers" (the processes at the other ends of several
 * pipes), "workers" (of a ProcessPoolExecutor), "pool" (of gevent), "loop" (of asyncio; its holder
 * is the thread that runs it), "hub" (of gevent; its holder is its thread).
 *
 * holders: the ids of the threads, greenlets, tasks or processes that have the object, compute it
 * (future) or import it (import). An id in another process has "PID@HOST/" in front. A process is
 * called "PID@HOST", or "process:PID" if its host is not known.
 *
 * holder_status:
 *   KNOWN      the holders have the object; each hold says how certain this is. If there are
 *              several holders, each of them may end the wait
 *   FREE       no holder
 *   NOT_KNOWN  the object has a holder, perhaps one of `holders`
 *   ENDED      the thread in `holders` had the object and has ended
 *   INHERITED  this process was forked. The thread in `holders` had the object and is not in this
 *              process. It may be a thread that the parent process had at the time of the fork
 *
 * detail: "permits": how many may hold a semaphore or semlock at the same time; "recursive": "yes"
 * if a semlock is an RLock, which only its holder can release; "holder": the name of a holder that
 * has ended; "module": the name of the module of an import lock; "queued": the type of the executor
 * whose queue contains the future, if all threads of this executor are busy; these threads are the
 * holders of the future; "parties" and "arrived": how many threads a barrier waits for, and how
 * many of them have arrived; "unfinished": how many items of a queue are not done; "workers": "yes"
 * for a result of a multiprocessing.Pool, whose holders are all worker processes of the pool, one
 * of which should compute the result, or "moving" if one of these processes has run meanwhile;
 * for a semlock, "handle": the address of its semaphore, "semaphore": the device and the inode of
 * the semaphore's file, "users": the IDs of other processes that use it, if the holder is not
 * known, "elsewhere": "yes" if the holder is in another process; "executor": "ProcessPoolExecutor"
 * if the workers are those of such an executor; "file": the path of a database; "own": "yes" if a
 * connection of the process itself has locked the database; "forked": "yes" if a Lock is locked and
 * this process was forked; "handler": the class and the file or name of the logging.Handler that
 * has this lock; "state": the state of a future of concurrent.futures, or of a hub: "running", or
 * "waiting" if another greenlet of its thread runs.
 */
struct report_object {
    struct report_text id; /* "obj:0x..." */
    struct report_text kind;
    struct report_text type;  /* the name of the class: "_thread.lock" */
    struct report_text words; /* a name of the object in the program: "self.pool._lock" */
    report_texts holders;
    int holder_status; /* enum report_holder_status */
    report_pairs detail;
};

struct report_finding {
    struct report_text kind, text; /* kind: "deadlock"; text: a sentence */
    report_texts members;
    int certainty; /* enum report_certainty */
    report_texts evidence;
    report_texts lines; /* further sentences, one for each member that is described */
};
typedef REPORT_LIST(struct report_finding) report_findings; /* the worst first */

struct report_merged;
typedef REPORT_LIST(struct report_merged) report_merged_list;

/* A node of the tree of calls: a sequence of frames that several threads have in common. */
struct report_merged {
    report_frames frames;        /* each frame calls the next one */
    int64_t count;               /* the number of threads */
    struct report_text members;  /* indices in the list of threads, from 0: "0-16,18" */
    report_merged_list children; /* the calls of the last frame; those of few threads first */
};

/* Another process, for which threads of this process wait, for example for its end. Only the kernel
 * was asked about it, unless `python` is known. */
struct report_other {
    struct report_text id; /* "PID@HOST" */
    int64_t pid;
    struct report_text
        command;               /* its command line; if that is not known, the kernel's name of it */
    struct report_text python; /* "3.11.7": its stacks have been read, too. The list of threads then
                                * has the threads that run Python, and behind them the others */
    REPORT_LIST(struct report_thread) threads;
    REPORT_LIST(struct report_object) objects;
};

struct report_process {
    int64_t schema;
    double time; /* when the report was made, in seconds since 1970 (UTC), by the local clock */
    struct report_text tool; /* the program that wrote the report: "pystuck 0.9.0" */
    struct report_text id;   /* "PID@HOST" */
    int64_t pid, ppid;       /* IDs in the process's own PID namespace */
    struct report_text host, name;
    report_pairs labels;       /* a name and a value: "rank": "17" */
    struct report_text python; /* "3.11.7" */
    report_texts argv;
    struct report_text exe;
    double started; /* when the process was started, in the unit of `time` */
    int source;     /* enum report_source */
    REPORT_LIST(struct report_missing) missing;
    REPORT_LIST(struct report_shortage) shortage;
    struct report_gil *gil;
    REPORT_LIST(struct report_thread) threads; /* the main thread first */
    REPORT_LIST(struct report_greenlet) greenlets;
    REPORT_LIST(struct report_task) tasks;
    REPORT_LIST(struct report_object) objects;
    report_findings findings;
    report_merged_list merged;
    struct report_signal *signal;
    REPORT_LIST(struct report_other) others;
    int exiting; /* enum report_bool. True: the program ends; threading._shutdown has been called */
    int64_t pid_outside; /* if another program has read the stacks: the ID of the process in the PID
                          * namespace of that program; 0: the same as `pid`. The codec and JSON
                          * leave this member out
                          */
};

struct report_failure {
    struct report_text target, why;
};

/* The result of one run of a collector: one or more processes. */
struct report {
    struct arena arena;
    int64_t schema;
    double time;
    REPORT_LIST(struct report_process) processes;
    report_merged_list merged;
    report_findings findings;
    REPORT_LIST(struct report_failure) failed;
};

/* Initializes a report: sets all its members to unknown. max: the limit for the memory of the
 * report, in bytes; 0: no limit. */
void report_init(struct report *r, size_t max);

/* Frees everything that the report points to. The report is then empty and has the same limit. */
void report_free(struct report *r);

/* Adds a process, in which everything is unknown, to the report and returns it. NULL: no memory.
 * Pointers to processes that were added before become invalid. */
struct report_process *report_add_process(struct report *r);

/* Moves the processes of *from, with all that they point to, behind the processes of *to. *from is
 * then empty. If there is no memory, moves no process and returns false. */
bool report_take_processes(struct report *to, struct report *from);

/* Copies a text into the report. Returns an unknown text if data is NULL or there is no memory. */
struct report_text report_text(struct report *r, const char *data, size_t len);

/* Copies a text into an arena, as report_text does. A NUL follows the text. */
struct report_text report_text_in(struct arena *arena, const char *data, size_t len);

/* text_is returns true if a text is known and equal to a C string. text_begins returns true if a
 * text is known and begins with a C string. */
bool text_is(struct report_text text, const char *other);
bool text_begins(struct report_text text, const char *start);

/* Compares the bytes of two texts: the result is negative, 0 or positive. An unknown text is equal
 * to an empty one. */
int text_compare(struct report_text a, struct report_text b);
bool text_equals(struct report_text a, struct report_text b);

/* Returns the first text, or the second text if the first is unknown or empty. */
struct report_text text_or(struct report_text text, struct report_text otherwise);

/* Copies bytes that should be UTF-8, such as a path, into the report. Each byte that is not valid
 * becomes six characters like \udcff, as in the texts of the stack reader. Returns an unknown text
 * if there is no memory. */
struct report_text report_text_of_bytes(struct report *r, const char *bytes, size_t len);

/* Adds an entry to process->missing, unless process->missing already has REPORT_MISSING_MAX
 * entries. The texts `what` and `why` are not copied, so they must live as long as the arena. */
void report_add_missing(struct arena *arena, struct report_process *process, const char *what,
                        const char *why);
#define REPORT_MISSING_MAX 8

/* True if the report does not have all threads of the process that run Python. */
bool report_lacks_threads(const struct report_process *process);

/* Completes what the kernel told about another process with what was read from its memory. The
 * threads that only the kernel knows, such as those of a C library, stay in the list, behind the
 * others. Does nothing if not all threads that run Python could be read, or if there is no memory.
 */
void report_complete_other(struct report *r, struct report_other *to,
                           const struct report_process *from);

/* Appends "#2" to the ID of a process if `index` is 1, "#3" if it is 2, and so on. Appends nothing
 * if `index` is 0. So the ID is unique even if a process runs several Pythons, each of which has an
 * entry in the report. index: the index of the Python. */
void report_number_process(struct report *r, struct report_process *process, size_t index);

/* Returns the value that the detail of an object has for a name. Returns an unknown text if the
 * detail does not contain the name. Looks at no more than 16 entries, since a report may be
 * malicious. */
struct report_text report_detail(const struct report_object *object, const char *name);

/* Adds an entry to the detail of an object, which must have room for it. name: a literal. Adds
 * nothing if the value is unknown. */
void report_add_detail(struct report_object *object, const char *name, struct report_text value);

#endif
