/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One thread for each interpreter that takes the GIL on behalf of sessions, and runs short jobs
 * with it. So a session can stop waiting: for the GIL itself no thread can wait with a deadline.
 *
 * The thread exists while a server is open. It holds nothing that another thread waits for, since
 * it may be ended, or hang, when Python ends. In the child of a fork it does not exist; run_server
 * makes another one there. If a job that runs is withdrawn, its thread is left behind: another
 * thread takes its place, and the former one ends when the job returns.
 */
#ifndef PS_GIL_HELPER_H
#define PS_GIL_HELPER_H

#include "ext.h"
#include "queue.h"
#include "stackreader.h"
#include "stream.h"

struct ps_gil_helper;

/* PENDING: the GIL was not available yet. REFUSED: it was not taken, as for ps_gil_take. */
enum ps_gil_job_state { PS_JOB_PENDING, PS_JOB_RUNNING, PS_JOB_DONE, PS_JOB_REFUSED };

/* Something to do with the GIL. */
struct ps_gil_job {
    /* Called on the helper's thread, as after ps_thread_enter. NULL: the job only tells that the
     * GIL was available. */
    void (*run)(struct ps_gil_job *job);

    /* Called on that thread without the GIL, after `run`, if the job was withdrawn meanwhile: frees
     * the job. */
    void (*drop)(struct ps_gil_job *job);

    bool may_block; /* `run` may run code of the program */

    /* For gil_helper.c. */
    enum ps_gil_job_state state;
    bool withdrawn;
    TAILQ_ENTRY(ps_gil_job) entry;
};

/* With the GIL, for each server that is opened and closed: starts the thread if it does not run,
 * and ends it after the last server. open returns 0 or an errno. */
int ps_gil_helper_open(struct ps_state *state);
void ps_gil_helper_close(struct ps_state *state);

/* With the GIL: frees the helper of a subinterpreter, whose thread has ended. */
void ps_gil_helper_free(struct ps_state *state);

/* Ends the thread of the main interpreter, when Python has ended. Needs no GIL. */
void ps_gil_helper_end_life(void);

/* The functions below need no GIL and do not wait for it. */

/* Queues a job, which the caller owns until it calls ps_gil_helper_withdraw. Returns 0; ECHILD:
 * there is no such thread any more; EBUSY: the job may block, and a thread that was left behind has
 * not returned yet. So there is at most one of these. */
int ps_gil_helper_submit(struct ps_gil_helper *h, struct ps_gil_job *job);

/* Waits until a job is DONE or REFUSED, or until the deadline. Returns its state. */
enum ps_gil_job_state ps_gil_helper_wait(struct ps_gil_helper *h, struct ps_gil_job *job,
                                         deadline_t deadline);

/* Ends the use of a job. True: the caller frees it. False: it is running, and its `drop` will be
 * called. */
bool ps_gil_helper_withdraw(struct ps_gil_helper *h, struct ps_gil_job *job);

/* What the memory of this process shows about the GIL while the helper asks for it. */
struct ps_gil_look {
    bool known;           /* false: there is no stack reader; the rest is not set */
    bool locked;          /* a thread has the GIL */
    bool by_helper;       /* and this thread is the helper, which runs a job */
    int64_t unchanged_ms; /* the GIL has not changed hands for this time, as measured */
    int64_t cpu_ms;       /* the CPU time of the holder in this time; -1: not known */
    pid_t holder;         /* the kernel's id of the thread that has it; 0: not known */
    int64_t asked_ms;     /* since when the helper asks for the GIL */
    uint64_t switches;    /* how often the GIL has changed hands since then */
    uint64_t interval_ms; /* sys.getswitchinterval() */
};
void ps_gil_helper_look(struct ps_gil_helper *h, struct ps_gil_look *look);

/* True if the helper asks for the GIL, and a thread was found to keep it for long. */
bool ps_gil_helper_is_stalled(const struct ps_gil_helper *h);
void ps_gil_helper_set_stalled(struct ps_gil_helper *h);

#endif
