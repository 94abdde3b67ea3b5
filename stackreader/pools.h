/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The thread pools of concurrent.futures in the memory of a process: which futures wait in the
 * queue of a ThreadPoolExecutor, and how many threads this pool may have. Also the processes of a
 * multiprocessing.Pool.
 */
#ifndef STACKREADER_POOLS_H
#define STACKREADER_POOLS_H

#include "value_stack.h"

/* The maximum number of futures that are looked at in one queue. */
#define POOL_QUEUED_MAX 256

/* A ThreadPoolExecutor, as its threads know it. */
struct pool {
    uint64_t executor; /* the address of the object; 0: it has been freed */
    uint64_t queue;    /* the address of its SimpleQueue of work items */
};

/* Sets *to to the pool to which a thread belongs. frame: the frame of
 * concurrent.futures.thread._worker of this thread. Returns false if the frame cannot be read. */
bool pool_of_worker(const struct python *py, const struct raw_frame *frame, struct pool *to);

/* Returns how many threads the pool may have; 0: not known. Checks that the object at
 * pool->executor has the queue pool->queue, because the executor may have been freed. */
uint64_t pool_max_workers(const struct python *py, const struct pool *pool);

/* Reads the futures that no thread of the pool has begun. The future that will be begun next comes
 * first. Returns the number of futures; 0 if they cannot be read. */
size_t pool_queued(const struct python *py, const struct pool *pool,
                   uint64_t futures[POOL_QUEUED_MAX]);

/* Returns a future from a set of futures: one that is not done, and that a thread computes if there
 * is such a future. Returns 0 if all futures are done, or if the set cannot be read. Sets *count to
 * the number of futures that are not done. Looks at the first POOL_QUEUED_MAX entries of the set.
 * If the set has more entries, or the state of a future cannot be read, *count is at least 2, so
 * the result is the only future that is not done if *count is 1. */
uint64_t pool_pending(const struct python *py, uint64_t set, size_t *count);

/* The processes of a multiprocessing.Pool are listed only if there are at most this many. */
#define POOL_PROCESSES_MAX 64

/* Lists the IDs of the worker processes of a multiprocessing.Pool. result: a result that the pool
 * has not computed yet, such as an ApplyResult. Returns the number of processes. Returns 0 if not
 * all of them can be read, or if the workers are threads. */
size_t pool_processes(const struct python *py, uint64_t result, uint64_t ids[POOL_PROCESSES_MAX]);

/* Lists the IDs of the worker processes of a ProcessPoolExecutor. manager: its
 * _ExecutorManagerThread. Returns the number of processes; 0 if not all of them can be read. */
size_t executor_processes(const struct python *py, uint64_t manager,
                          uint64_t ids[POOL_PROCESSES_MAX]);

/* Lists the futures of a ProcessPoolExecutor that are not done, at most POOL_QUEUED_MAX. Returns
 * their number. */
size_t executor_pending(const struct python *py, uint64_t manager,
                        uint64_t futures[POOL_QUEUED_MAX]);

#endif
