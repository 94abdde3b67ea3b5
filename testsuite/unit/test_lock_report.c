/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit.h"
#include "page.h"

#include "known_offsets.h"
#include "lock_report.h"

/* The RLock in the page. */
#define RLOCK (START + 64)
#define TYPE  (START + 512)
#define NAME  (START + PAGE - 32)
#define OWNER 5 /* the ident of the thread that holds the RLock */

static void make_rlock(const struct offsets *o)
{
    page_put(RLOCK, o->object.type, TYPE);
    page_put(RLOCK, 24, OWNER);
    page_put(RLOCK, 32, 1);
    page_put(TYPE, o->type.name, NAME);
    page_put(TYPE, o->type.basicsize, 48);
    memcpy(page + (NAME - START), "_thread.RLock", 14);
}

static bool has_ended(void *context, uint64_t ident)
{
    (void)context;
    (void)ident;
    return false;
}

/* Reports the RLock, for which `count` threads wait that all have the ident of its owner. ids: the
 * ids of the threads. is_forked: the process was forked, and has a thread of pystuck with this
 * ident.
 */
static void report_rlock(struct arena *arena, struct report_process *process,
                         const char *const *ids, size_t count, bool is_forked)
{
    static const uint64_t skip[] = {OWNER};
    static struct lock_report report;
    static struct value_room room;
    struct code_cache cache = {.codes = NULL};
    struct offsets offsets;
    struct raw_frame frame = {.index = -1};
    struct raw_stack stack = {.frames = &frame, .count = 1};
    struct thread_facts facts = {.wait = {.kind = LOCK_RLOCK, .object = RLOCK}};
    const struct python py = {.memory = {.read = page_read, .is_forked = is_forked},
                              .offsets = &offsets};
    const struct lock_reporting l = {&py, &report, &cache, &room, arena, skip, is_forked ? 1 : 0};

    assert_true(known_offsets(12, &offsets));
    make_rlock(&offsets);
    lock_report_clear(&report);
    process->threads.items = arena_array(arena, count, sizeof(*process->threads.items));
    process->threads.count = count;
    for (size_t i = 0; i < count; i++) {
        struct report_thread *t = &process->threads.items[i];

        t->id = (struct report_text){ids[i], strlen(ids[i])};
        t->ident = OWNER;
        lock_report_thread(&l, &stack, &facts, t);
    }
    lock_report_finish(&l, process, has_ended, NULL);
}

#define AUTO_ARENA _cleanup_(arena_free) struct arena

TEST(a_thread_with_several_thread_states_holds_a_lock_once)
{
    char copies[3][9] = {"thread:5", "thread:5", "thread:5"}; /* at different addresses */
    const char *const ids[] = {copies[0], copies[1], copies[2]};
    struct report_process process = {.pid = 1};
    AUTO_ARENA arena = {.chunks = NULL};

    report_rlock(&arena, &process, ids, 3, false);
    assert_int_equal(process.objects.count, 1);
    assert_int_equal(process.objects.items[0].holder_status, HOLDER_KNOWN);
    assert_int_equal(process.objects.items[0].holders.count, 1);
    assert_string_equal(process.objects.items[0].holders.items[0].data, "thread:5");
}

TEST(an_ident_that_several_threads_have_does_not_overflow_the_holders)
{
    const char *const ids[] = {"a", "b", "c", "d"};
    struct report_process process = {.pid = 1};
    AUTO_ARENA arena = {.chunks = NULL};

    report_rlock(&arena, &process, ids, 4, false);
    assert_int_equal(process.objects.items[0].holders.count, 1); /* no thread has claimed it */
}

/* A thread of pystuck may have got the ident of a thread of the parent process. */
TEST(a_lock_inherited_by_fork_is_not_held_by_pystuck)
{
    const char *const ids[] = {"pystuck"};
    struct report_process process = {.pid = 1};
    AUTO_ARENA arena = {.chunks = NULL};

    report_rlock(&arena, &process, ids, 1, true);
    assert_int_equal(process.objects.items[0].holder_status, HOLDER_INHERITED);
    assert_int_equal(process.objects.items[0].holders.count, 1);
    assert_string_equal(process.objects.items[0].holders.items[0].data, "thread:5");
    assert_int_equal(process.threads.items[0].holds.count, 0);
}
