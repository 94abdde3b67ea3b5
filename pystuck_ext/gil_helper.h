/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The helper: for each interpreter, one thread that takes the GIL for sessions, and runs short jobs
 * with the GIL. A thread that asks for the GIL cannot stop waiting for it. But a session that waits
 * for the helper can stop waiting for the helper.
 *
 * The helper's thread exists while a server is open. When Python ends, the thread may be ended or
 * hang, so it holds nothing that another thread waits for. In the child of a fork, the thread does
 * not exist; run_server starts another thread in the child. If a job is withdrawn while it runs,
 * the thread that runs it is left behind: another thread becomes the helper's thread, and the
 * thread that was left behind ends when the job returns.
 */
#ifndef PS_GIL_HELPER_H
#define PS_GIL_HELPER_H

#include "ext.h"
#include "queue.h"
#include "stackreader.h"
#include "stream.h"

struct ps_gil_helper;

/* PENDING: the job waits for the GIL. REFUSED: the GIL could not be taken, for one of the reasons
 * in the comment of ps_gil_take. */
enum ps_gil_job_state { PS_JOB_PENDING, PS_JOB_RUNNING, PS_JOB_DONE, PS_JOB_REFUSED };

/* A job: what `run` does while it has the GIL. */
struct ps_gil_job {
    /* Called on the helper's thread with the GIL, after ps_thread_enter. NULL: the job does
     * nothing. If such a job becomes DONE, the helper's thread could take the GIL. */
    void (*run)(struct ps_gil_job *job);

    /* Frees the job. Called on the helper's thread without the GIL, after `run`, if the job was
     * withdrawn while it ran. */
    void (*drop)(struct ps_gil_job *job);

    bool may_block; /* `run` may run code of the program */

    /* Only gil_helper.c sets the members below. */
    enum ps_gil_job_state state;
    bool withdrawn;
    TAILQ_ENTRY(ps_gil_job) entry;
};

/* Call with the GIL: ps_gil_helper_open for each server that is opened, ps_gil_helper_close for
 * each server that is closed. ps_gil_helper_open starts the helper's thread if it does not run, and
 * returns 0 or an errno. ps_gil_helper_close ends the thread after the last server. */
int ps_gil_helper_open(struct ps_state *state);
void ps_gil_helper_close(struct ps_state *state);

/* Call with the GIL. Frees the helper of a subinterpreter, whose thread must have ended. */
void ps_gil_helper_free(struct ps_state *state);

/* Call when Python has ended. Ends the helper's thread of the main interpreter. Needs no GIL. */
void ps_gil_helper_end_life(void);

/* The functions below need no GIL and do not wait for the GIL. */

/* Queues a job. The caller owns the job until the caller calls ps_gil_helper_withdraw. Returns 0 if
 * the job was queued. Returns ECHILD if the helper's thread has ended or is about to end. Returns
 * EBUSY if the job may block and a thread that was left behind has not returned yet. So at most one
 * job that may block is left behind at a time. */
int ps_gil_helper_submit(struct ps_gil_helper *h, struct ps_gil_job *job);

/* Waits until a job is DONE or REFUSED, or until the deadline. Returns the state of the job. */
enum ps_gil_job_state ps_gil_helper_wait(struct ps_gil_helper *h, struct ps_gil_job *job,
                                         deadline_t deadline);

/* Ends the caller's use of a job. Returns true if the caller must free the job. Returns false if
 * the job is running. In this case, the helper's thread is left behind, and calls `drop` after
 * `run`. */
bool ps_gil_helper_withdraw(struct ps_gil_helper *h, struct ps_gil_job *job);

/* What the memory of this process shows about the GIL while the helper asks for it. */
struct ps_gil_look {
    bool known;           /* false: there is no stack reader, or it failed; no other member is set
                           */
    bool locked;          /* a thread has the GIL */
    bool by_helper;       /* the thread that has it is the helper's, and runs a job */
    int64_t unchanged_ms; /* for how long the GIL was not seen to change hands */
    int64_t cpu_ms;       /* the CPU time that the holder has used in unchanged_ms; -1: not known */
    pid_t holder;         /* the kernel's id of the thread that has it; 0: not known */
    int64_t asked_ms;     /* for how long the helper has been asking for the GIL */
    uint64_t switches;    /* how many times the GIL has changed hands in asked_ms */
    uint64_t interval_ms; /* sys.getswitchinterval() */
};
void ps_gil_helper_look(struct ps_gil_helper *h, struct ps_gil_look *look);

/* True if the helper asks for the GIL, and a session has called ps_gil_helper_set_stalled because
 * another thread keeps the GIL for a long time. Becomes false when the helper gets the GIL. */
bool ps_gil_helper_is_stalled(const struct ps_gil_helper *h);
void ps_gil_helper_set_stalled(struct ps_gil_helper *h);

#endif
