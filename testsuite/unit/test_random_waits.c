/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Deadlocks of random programs, compared with a slow and simple way of finding them.
 */
#include "waiting.h"

#include <stdlib.h>

#include "diagnosis/blocker_finding.h"
#include "diagnosis/deadlock_finding.h"
#include "schema.h"

#define THREADS 6
#define LOCKS   6
#define NODES   (THREADS + LOCKS)
#define ROUNDS  3000

static const char *const threads[] = {"a", "b", "c", "d", "e", "f"};
static const char *const ends[] = {"thread:a", "thread:b", "thread:c",
                                   "thread:d", "thread:e", "thread:f"};
static const char *const locks[] = {"u", "v", "w", "x", "y", "z"};

/* edge[i][j]: thread i, or lock i - THREADS, certainly depends on j. */
struct truth {
    bool edge[NODES][NODES];
};

/* Returns true with the probability 1 / n. */
static bool one_in(unsigned *seed, int n)
{
    return rand_r(seed) % n == 0;
}

static void make_waits(struct waiting *w, struct truth *truth, unsigned *seed)
{
    size_t i, to;

    for (i = 0; i < THREADS; i++) {
        struct report_wait *wait;

        to = (size_t)rand_r(seed) % NODES;
        if (to == i || one_in(seed, 5)) {
            thread_of(w, threads[i]);
            continue;
        }
        wait = wait_for(w, threads[i], to < THREADS ? ends[to] : locks[to - THREADS], 9);
        truth->edge[i][to] = true;
        if (!one_in(seed, 8))
            continue;
        truth->edge[i][to] = false;
        if (one_in(seed, 2))
            wait->timed = BOOL_TRUE;
        else
            wait->certainty = CERTAINTY_LIKELY;
    }
}

static void make_holds(struct waiting *w, struct truth *truth, unsigned *seed)
{
    struct report_hold *h;
    size_t i, k, holders;

    for (i = 0; i < LOCKS; i++) {
        holders = one_in(seed, 6) ? 2 : one_in(seed, 6) ? 0 : 1;
        for (k = 0; k < holders; k++) {
            size_t holder = ((size_t)rand_r(seed) % (THREADS / 2)) * 2 + k;

            h = hold(w, threads[holder], locks[i], 7);
            truth->edge[THREADS + i][holder] = holders == 1;
            if (one_in(seed, 10)) {
                h->certainty = CERTAINTY_LIKELY;
                truth->edge[THREADS + i][holder] = false;
            }
        }
    }
}

/* Adds the edges that follow from others: if i leads to j, and j to k, then i leads to k. */
static void close_under_steps(struct truth *truth)
{
    size_t i, j, k;

    for (j = 0; j < NODES; j++) {
        for (i = 0; i < NODES; i++) {
            for (k = 0; k < NODES; k++)
                truth->edge[i][k] |= truth->edge[i][j] && truth->edge[j][k];
        }
    }
}

/* True if a thread is a member of a finding of this kind. */
static bool is_member(const struct waiting *w, const char *kind, const char *id)
{
    size_t i, k;

    for (i = 0; i < w->p->findings.count; i++) {
        for (k = 0; k < w->p->findings.items[i].members.count; k++) {
            if (is_text(w->p->findings.items[i].kind, kind) &&
                is_text(w->p->findings.items[i].members.items[k], id))
                return true;
        }
    }
    return false;
}

/* True if a thread leads to another one, and to no deadlock. */
static bool has_blocker(const struct truth *truth, size_t thread)
{
    bool leads = false;
    size_t i;

    for (i = 0; i < THREADS; i++) {
        if (truth->edge[thread][i] && truth->edge[i][i])
            return false;
        leads = leads || truth->edge[thread][i];
    }
    return leads;
}

/* Each node here depends on one other at most, so a thread is in a deadlock if it leads to itself.
 */
TEST(the_deadlocks_of_random_programs_are_right)
{
    unsigned seed = 1, found = 0, round;
    size_t i;

    for (round = 0; round < ROUNDS; round++) {
        AUTO_WAITING w;
        struct truth truth = {0};

        w = waiting_make();
        make_waits(&w, &truth, &seed);
        make_holds(&w, &truth, &seed);
        conclude(&w);
        close_under_steps(&truth);
        for (i = 0; i < THREADS; i++) {
            if (is_member(&w, FINDING_BLOCKER, ends[i]) != has_blocker(&truth, i))
                fail_msg("round %u: thread %s: a blocker", round, threads[i]);
            if (is_member(&w, FINDING_DEADLOCK, ends[i]) != truth.edge[i][i])
                fail_msg("round %u: thread %s is %s in a deadlock", round, threads[i],
                         truth.edge[i][i] ? "not" : "");
            found += truth.edge[i][i];
        }
    }
    assert_true(found > ROUNDS / 4);
}
