/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Words of source lines.
 */
#include "reports.h"

#include "diagnosis/source_words.h"

static const struct {
    const char *line, *kind, *words; /* NULL: there are none */
} cases[] = {
    {"with dst.lock:", "lock", "dst.lock"},
    {"with self.pool._lock as got:  # could block", "rlock", "self.pool._lock"},
    {"async with lock:", "lock", "lock"},
    {"with locks[3]:", "lock", "locks[3]"},
    {"with self.locks['a'].inner:", "semaphore", "self.locks['a'].inner"},
    {"with get_lock():", "lock", "get_lock()"},
    {"with lock: pass", "lock", "lock"},
    {"with lock: return x[3]", "lock", "lock"},
    {"lock.acquire()", "lock", "lock"},
    {"if not self._lock.acquire(False):", "lock", "self._lock"},
    {"ok = a.b[0].acquire(timeout=3)", "rlock", "a.b[0]"},
    {"job = self.jobs.get()", "queue-get", "self.jobs"},
    {"jobs.get()()", "queue-get", "jobs"},
    {"print(jobs.get(), file=x)", "queue-get", "jobs"},
    {"self.jobs.put((1, 2))", "queue-put", "self.jobs"},
    {"jobs.join()", "queue-join", "jobs"},
    {"done.wait()", "event", "done"},
    {"cond.wait_for(lambda: x)", "condition", "cond"},
    {"return future.result()", "future", "future"},
    {"pool.submit(f).result()", "future", "pool.submit(f)"},
    /* ambiguous */
    {"with a, b:", "lock", NULL},
    {"with a as x, b as y:", "lock", NULL},
    {"with (a):", "lock", NULL},
    {"with a: b.acquire()", "lock", NULL},
    {"with a: f()", "lock", NULL},
    {"with a: x = (yield)", "lock", NULL},
    {"with f(x, y):", "lock", NULL},
    {"threading.Event().wait()", "event", NULL},
    {"with Lock():", "lock", NULL},
    {"with a if x else b:", "lock", NULL},
    {"with a", "lock", NULL},
    {"with", "lock", NULL},
    {"a.acquire() or b.acquire()", "lock", NULL},
    {"a.acquire(); b()", "lock", NULL},
    {"b() # a.acquire()", "lock", NULL},
    {"jobs.get(d.get('x'))", "queue-get", NULL},
    {"f.result() and g.exception()", "future", NULL},
    /* another kind of wait */
    {"with lock:", "event", NULL},
    {"with lock:", "queue-get", NULL},
    {"with done.wait():", "event", NULL},
    {"lock.acquire()", "queue-get", NULL},
    {"t.join()", "thread", NULL},
    {"lock.acquire()", "telepathy", NULL},
    /* no words */
    {"(a or b).acquire()", "lock", NULL},
    {"{1: a}[1].acquire()", "lock", NULL},
    {".acquire()", "lock", NULL},
    {"acquire()", "lock", NULL},
    {"lock.acquired()", "lock", NULL},
    {"", "lock", NULL},
    {NULL, "lock", NULL},
    {"with x:", NULL, NULL},
};

TEST(a_line_has_words_for_what_it_waits_for)
{
    struct report_text found;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        found = source_words_find(literal(cases[i].line), literal(cases[i].kind));
        if (cases[i].words ? !is_text(found, cases[i].words) : found.data != NULL)
            fail_msg("%s: %s", cases[i].line, found.data);
    }
}

TEST(long_words_are_no_words)
{
    char line[400];

    memset(line, 'x', sizeof(line));
    memcpy(line, "with ", 5);
    line[398] = ':';
    line[399] = 0;
    assert_null(source_words_find(literal(line), literal("lock")).data);
    memcpy(line + 300, ".acquire()", 11);
    assert_null(source_words_find(literal(line), literal("lock")).data);
}
