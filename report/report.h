/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What is known about one or more Python processes: their threads and stacks, what these wait for
 * and hold, and what follows from it. A collector fills a report (facts), diagnosis adds findings
 * (conclusions), and writers print it. The members are those of doc/stacks.schema.json, under the
 * same names; shape.c lists them once, for every reader and writer.
 *
 * Nothing here opens a file or a connection, and nothing needs Python.
 *
 * Ownership: everything that a report points to lives until report_free, in its arena or as a
 * constant. Reports are not locked: one thread at a time may use one.
 *
 * Unknown values: a text without data, REPORT_UNKNOWN, NAN, 0 for an enum, NULL for a struct. A
 * list that is unknown has items == NULL; an empty one has items and count == 0. shape_make
 * (shape.h) returns structs in which everything is unknown.
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

/* A name and a value, where the names are not fixed. */
struct report_pair {
    struct report_text name, value;
};

typedef REPORT_LIST(struct report_text) report_texts;
typedef REPORT_LIST(struct report_pair) report_pairs;
typedef REPORT_LIST(int64_t) report_ints;

enum report_bool { BOOL_FALSE = 1, BOOL_TRUE };

/* How sure a fact is: KNOWN was read from the object or confirmed by the kernel; SEEN follows from
 * the frames, which may have released it since; LIKELY is a guess. */
enum report_certainty { CERTAINTY_KNOWN = 1, CERTAINTY_SEEN, CERTAINTY_LIKELY };

enum report_source {
    SOURCE_SERVER = 1, /* a pystuck server in the process */
    SOURCE_SELF,       /* the stack reader on its own process */
    SOURCE_PID,        /* the stack reader on another process */
    SOURCE_CORE,       /* ... on a core file */
    SOURCE_NETREFS     /* proxy objects alone: no code was run in the process */
};

/* What became of something that may block or fail. */
enum report_status { STATUS_OK = 1, STATUS_STUCK, STATUS_ERROR, STATUS_SKIPPED };

enum report_name_from { NAME_FROM_THREADING = 1, NAME_FROM_KERNEL };

/* As in /proc/PID/stat: running, sleeping, in uninterruptible sleep, stopped by a signal or tracer.
 */
enum report_state { STATE_RUNNING = 1, STATE_SLEEPING, STATE_DISK, STATE_STOPPED };

enum report_gil_state { GIL_FREE = 1, GIL_HELD, GIL_UNKNOWN, GIL_NONE };

enum report_hold_by { HOLD_BY_WITH = 1, HOLD_BY_OWNER, HOLD_BY_FRAME };

enum report_holder_status {
    HOLDER_KNOWN = 1,
    HOLDER_FREE,
    HOLDER_NOT_KNOWN,
    HOLDER_ENDED,
    HOLDER_INHERITED
};

/* A fact that could not be had: "greenlets", "the GIL is held". */
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
    int64_t at_least_ms;       /* held for so long, measured; never an estimate */
    struct report_text evidence;
};

struct report_local {
    struct report_text name, type, text;
    int status; /* enum report_status, of the text */
};

struct report_frame {
    struct report_text file; /* as the code object has it */
    int64_t line;            /* from 1 */
    struct report_text function, qualname;
    struct report_text source;  /* the line, without blanks around it */
    int source_status;          /* enum report_status */
    int64_t column, end_column; /* from 0, in bytes of UTF-8, as in Python's position tables */
    REPORT_LIST(struct report_local) locals;
};
typedef REPORT_LIST(struct report_frame) report_frames; /* the outermost first */

struct report_cpu {
    double percent; /* of one core */
    int64_t over_ms;
};

/* What a descriptor of a system call leads to. */
struct report_target {
    struct report_text kind; /* "file", "pipe", "tcp", "unix", ... */
    struct report_text path, local, remote, tcp_state;
    int64_t peer_pid;
    struct report_text wchan, mount;
};

struct report_syscall {
    struct report_text name;
    report_ints args;
    int64_t fd;
    struct report_target *target;
    int64_t left_ms; /* of a sleep */
};

struct report_wait {
    struct report_text object; /* the id of an object */
    struct report_text kind, words;
    int certainty; /* enum report_certainty */
    int64_t frame; /* which of the frames waits, from 0 */
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
    int64_t native_id;     /* the kernel's */
    int64_t interpreter;   /* 0: the main one */
    struct report_text name;
    int name_from;    /* enum report_name_from */
    int daemon, main; /* enum report_bool */
    struct report_text repr;
    int repr_status; /* enum report_status */
    int state;       /* enum report_state */
    struct report_cpu *cpu;
    int exact; /* enum report_bool: the frames are those of one moment */
    int64_t unchanged_ms;
    report_frames frames;
    struct report_text stack; /* a hash of the frames: equal for equal stacks (merge.h) */
    struct report_syscall *syscall;
    struct report_wait *waits;
    REPORT_LIST(struct report_hold) holds;
};

struct report_greenlet {
    struct report_text id, repr;
    int repr_status; /* enum report_status */
    struct report_text name, parent, thread;
    report_frames frames;
    struct report_wait *waits;
};

struct report_task {
    struct report_text id, name, loop, state;
    report_texts awaits; /* ids of tasks */
    struct report_wait *waits;
    report_frames frames;
};

/* A lock, queue, future, ... that is waited for or held. */
struct report_object {
    struct report_text id;   /* "obj:0x..." */
    struct report_text kind; /* "lock", "rlock", "queue", ... */
    struct report_text type, words;
    report_texts holders; /* ids of threads, greenlets, tasks or processes */
    int holder_status;    /* enum report_holder_status */
    report_pairs detail;
};

struct report_finding {
    struct report_text kind, text; /* "deadlock"; a sentence */
    report_texts members;
    int certainty; /* enum report_certainty */
    report_texts evidence;
};
typedef REPORT_LIST(struct report_finding) report_findings; /* the worst first */

struct report_merged;
typedef REPORT_LIST(struct report_merged) report_merged_list;

/* A node of a tree of the calls of all threads: the calls that the same threads are in. */
struct report_merged {
    report_frames frames;        /* each calls the next one */
    int64_t count;               /* of the threads */
    struct report_text members;  /* their places in the list of threads, from 0: "0-16,18" */
    report_merged_list children; /* the calls from the last frame; few threads first */
};

struct report_process {
    int64_t schema;
    double time;             /* when it was asked, in seconds since 1970 (UTC), by its clock */
    struct report_text tool; /* the writer: "pystuck 0.9.0" */
    struct report_text id;   /* "PID@HOST" */
    int64_t pid, ppid;       /* in its own PID namespace */
    struct report_text host, name;
    report_pairs labels;       /* "rank": "17" */
    struct report_text python; /* "3.11.7" */
    report_texts argv;
    struct report_text exe;
    double started; /* as time */
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
};

struct report_failure {
    struct report_text target, why;
};

/* What one look at one or more processes found. */
struct report {
    struct arena arena;
    int64_t schema;
    double time;
    REPORT_LIST(struct report_process) processes;
    report_merged_list merged;
    report_findings findings;
    REPORT_LIST(struct report_failure) failed;
};

/* Empties a report: all is unknown, nothing is allocated. max: the most bytes that it may take, 0
 * for no limit. */
void report_init(struct report *r, size_t max);

/* Frees all that the report points to, and empties it. */
void report_free(struct report *r);

/* Adds an empty process and returns it; NULL: no memory. Pointers to processes that were added
 * before are not valid any more. */
struct report_process *report_add_process(struct report *r);

/* Copies a text into the report. Unknown if data is NULL or there is no memory. */
struct report_text report_text(struct report *r, const char *data, size_t len);

#endif
