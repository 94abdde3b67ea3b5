/* SPDX-License-Identifier: BSD-3-Clause */
#include "reports.h"

#include "diagnosis/diagnose.h"
#include "diagnosis/place.h"
#include "phrases.h"
#include "schema.h"

static void assert_buffer(const struct buffer *text, const char *wanted)
{
    if (text->len != strlen(wanted) || memcmp(text->data, wanted, text->len) != 0)
        fail_msg("wanted %s\ngot    %.*s", wanted, (int)text->len, (const char *)text->data);
}

/* A frame as the tests write it: file, line, function. */
struct written {
    const char *file;
    int64_t line;
    const char *function;
};

#define FRAMES_MAX 4

static report_frames make_frames(struct report *r, const struct written *written)
{
    report_frames frames = {.items = schema_make(&r->arena, &schema_frame, FRAMES_MAX)};

    for (; frames.count < FRAMES_MAX && written[frames.count].line; frames.count++) {
        struct report_frame *f = &frames.items[frames.count];

        f->file = literal(written[frames.count].file);
        f->line = written[frames.count].line;
        f->function = literal(written[frames.count].function);
    }
    return frames;
}

/* ---- Places ---------------------------------------------------------------------------------- */

#define OWN    "/srv/app/rules.py"
#define RE     "/usr/lib/python3.11/re/__init__.py"
#define SOCKET "/home/ada/.pyenv/versions/3.9.18/lib/python3.9/socket.py"
#define NUMPY  "/venv/lib/python3.13/site-packages/numpy/linalg/_linalg.py"

static void assert_place(const struct written *written, bool moves, const char *place)
{
    AUTO_REPORT r;
    AUTO_BUFFER text = BUFFER_INIT;
    report_frames frames;

    report_init(&r, 0);
    frames = make_frames(&r, written);
    place_put(&text, &frames, moves);
    assert_buffer(&text, place);
}

TEST(a_place_is_the_innermost_function_and_the_line_of_the_program)
{
    static const struct {
        struct written frames[FRAMES_MAX];
        const char *place;
    } cases[] = {
        {{{OWN, 41, "check"}, {RE, 166, "match"}}, "re.match (rules.py:41)"},
        {{{OWN, 41, "check"}}, "check (rules.py:41)"},
        {{{OWN, 41, "<module>"}}, "rules.py:41"},
        {{{OWN, 41, "<module>"}, {SOCKET, 7, "recv"}}, "socket.recv (rules.py:41)"},
        {{{OWN, 3, "a"}, {RE, 1, "match"}, {"b.py", 5, "b"}, {SOCKET, 7, "recv"}},
         "socket.recv (b.py:5)"},
        /* installed packages */
        {{{OWN, 41, "check"}, {NUMPY, 9, "solve"}}, "numpy.linalg._linalg.solve (rules.py:41)"},
        {{{OWN, 41, "f"}, {"/usr/lib/python3/dist-packages/yaml/__init__.py", 9, "load"}},
         "yaml.load (rules.py:41)"},
        {{{"/v/lib/python3.9/site-packages/a/lib/python3.9/site-packages/b.py", 9, "f"}},
         "b.f (b.py:9)"},
        /* only libraries */
        {{{RE, 166, "match"}}, "re.match (re/__init__.py:166)"},
        {{{NUMPY, 8, "f"}, {SOCKET, 7, "recv"}}, "socket.recv (socket.py:7)"},
        {{{"<frozen importlib._bootstrap>", 7, "_load"}},
         "importlib._bootstrap._load (<frozen importlib._bootstrap>:7)"},
        {{{OWN, 41, "f"}, {"<frozen zipimport>", 7, "<module>"}}, "zipimport (rules.py:41)"},
        /* what looks like a library and is not */
        {{{"/home/lib/pythonic/rules.py", 41, "check"}}, "check (rules.py:41)"},
        {{{"/home/lib/python/rules.py", 41, "check"}}, "check (rules.py:41)"},
        {{{"/home/python3.11/rules.py", 41, "check"}}, "check (rules.py:41)"},
        {{{"/home/lib/", 41, "check"}}, "check (:41)"},
        {{{"<frozen >", 41, "check"}}, "check (<frozen >:41)"},
        /* other builds and folders of the standard library */
        {{{"/usr/lib64/python3.13t/xml/dom/minidom.py", 4, "f"}},
         "xml.dom.minidom.f (minidom.py:4)"},
        {{{"/usr/local/lib/python3.14/os.py", 4, "<module>"}}, "os (os.py:4)"},
        /* files that are in many folders */
        {{{"/srv/app/shop/__init__.py", 4, "f"}}, "f (shop/__init__.py:4)"},
        {{{"__main__.py", 4, "f"}}, "f (__main__.py:4)"},
        {{{"/__init__.py", 4, "f"}}, "f (__init__.py:4)"},
        /* what is not known */
        {{{NULL, 4, "f"}}, "f"},
        {{{NULL, 4, NULL}}, "code without a file"},
        {{{OWN, REPORT_UNKNOWN, "f"}}, "f (rules.py)"},
        {{{OWN, 41, NULL}}, "rules.py:41"},
        {{{"<stdin>", 1, "<module>"}}, "<stdin>:1"},
        {{{"", 1, "f"}}, "f (:1)"},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_place(cases[i].frames, false, cases[i].place);
}

TEST(a_place_in_a_stack_that_moves_is_about_that_line)
{
    static const struct {
        struct written frames[FRAMES_MAX];
        const char *place;
    } cases[] = {
        {{{OWN, 41, "check"}, {RE, 166, "match"}}, "re.match (about rules.py:41)"},
        {{{OWN, 41, "<module>"}}, "about rules.py:41"},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_place(cases[i].frames, true, cases[i].place);
}

TEST(a_qualified_name_is_shown_if_it_is_known)
{
    const struct written written[] = {{OWN, 41, "check"}, {0}};
    AUTO_REPORT r;
    AUTO_BUFFER text = BUFFER_INIT;
    report_frames frames;

    report_init(&r, 0);
    frames = make_frames(&r, written);
    frames.items[0].qualname = literal("Rule.check");
    place_put(&text, &frames, false);
    assert_buffer(&text, "Rule.check (rules.py:41)");
}

TEST(a_duration_is_never_longer_than_it_was_measured)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {1, "1 ms"},     {99, "99 ms"},   {100, "0.1 s"},  {199, "0.1 s"},    {1999, "1.9 s"},
        {9999, "9.9 s"}, {10000, "10 s"}, {12999, "12 s"}, {600000, "600 s"}, {3600000, "3600 s"},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        AUTO_BUFFER text = BUFFER_INIT;

        sentence_put_duration(&text, cases[i].ms);
        assert_buffer(&text, cases[i].text);
    }
}

/* ---- The GIL --------------------------------------------------------------------------------- */

/* Initializes the report, and adds a process with the threads "thread:1", named Thread-2 (worker),
 * and "thread:2". */
static struct report_process *make_process(struct report *r, const char *holder, int64_t ms)
{
    const struct written written[] = {{OWN, 41, "check"}, {RE, 166, "match"}, {0}};
    struct report_process *p;
    struct report_thread *t;

    report_init(r, 0);
    p = report_add_process(r);
    t = schema_make(&r->arena, &schema_thread, 2);
    t[0].id = literal("thread:1");
    t[0].ident = 1;
    t[0].name = literal("Thread-2 (worker)");
    t[0].exact = BOOL_TRUE;
    t[0].frames = make_frames(r, written);
    t[1].id = literal("thread:2");
    t[1].ident = 2;
    p->threads.items = t;
    p->threads.count = 2;
    p->gil = schema_make(&r->arena, &schema_gil, 1);
    p->gil->state = GIL_HELD;
    p->gil->holder = literal(holder);
    p->gil->at_least_ms = ms;
    return p;
}

static void assert_says(struct report *r, struct report_process *p, const char *wanted,
                        enum report_certainty certainty)
{
    const struct report_finding *f;
    struct buffer text;

    assert_true(diagnose(r, p));
    assert_int_equal(p->findings.count, 1);
    f = diagnose_find(p, "gil");
    assert_non_null(f);
    text = (struct buffer){.data = (uint8_t *)f->text.data, .len = f->text.len};
    assert_buffer(&text, wanted);
    assert_int_equal(f->certainty, certainty);
    assert_int_equal(f->members.count, p->gil->holder.data ? 1 : 0);
    assert_int_equal(f->evidence.count, p->gil->holder.data ? 2 : 1);
    assert_memory_equal(f->evidence.items[0].data, "gil", 3);
}

TEST(a_gil_that_is_held_is_a_finding)
{
    AUTO_REPORT r;
    struct report_process *p = make_process(&r, "thread:1", 100);

    assert_says(&r, p,
                "GIL held for at least 0.1 s by Thread-2 (worker), in C code called from re.match "
                "(rules.py:41)",
                CERTAINTY_KNOWN);
    p->threads.items[0].exact = BOOL_FALSE;
    assert_says(&r, p,
                "GIL held for at least 0.1 s by Thread-2 (worker), in C code called from re.match "
                "(about rules.py:41)",
                CERTAINTY_KNOWN);
}

TEST(the_native_state_of_the_holder_is_said_if_it_is_known)
{
    static const struct {
        int state;
        const char *words;
    } cases[] = {
        {STATE_RUNNING, "running"},
        {STATE_SLEEPING, "sleeping"},
        {STATE_DISK, "in an uninterruptible sleep"},
        {STATE_STOPPED, "stopped"},
    };
    struct report_syscall call = {.name = {"read", 4}};
    AUTO_REPORT r;
    struct report_process *p = make_process(&r, "thread:1", 12345);
    char wanted[200];
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        p->threads.items[0].state = cases[i].state;
        snprintf(wanted, sizeof(wanted),
                 "GIL held for at least 12 s by Thread-2 (worker), in C code called from re.match "
                 "(rules.py:41), %s",
                 cases[i].words);
        assert_says(&r, p, wanted, CERTAINTY_KNOWN);
    }
    p->threads.items[0].syscall = &call;
    assert_says(&r, p,
                "GIL held for at least 12 s by Thread-2 (worker), in C code called from re.match "
                "(rules.py:41), in the system call read",
                CERTAINTY_KNOWN);
}

TEST(a_holder_may_have_no_name_and_no_frames)
{
    AUTO_REPORT r;
    struct report_process *p = make_process(&r, "thread:2", 100);

    assert_says(&r, p, "GIL held for at least 0.1 s by thread 2, in C code", CERTAINTY_KNOWN);
    p->threads.items[1].native_id = 4711;
    p->threads.items[1].frames.items = schema_make(&r.arena, &schema_frame, 0);
    assert_says(&r, p,
                "GIL held for at least 0.1 s by thread 4711, in C code that no Python "
                "function has called",
                CERTAINTY_KNOWN);
}

TEST(a_holder_may_be_unknown_or_serve_a_client)
{
    AUTO_REPORT r;
    struct report_process *p = make_process(&r, NULL, 100);

    assert_says(&r, p, "GIL held for at least 0.1 s by a thread that is not known",
                CERTAINTY_KNOWN);
    p->gil->holder = literal("thread:3");
    assert_says(&r, p, "GIL held for at least 0.1 s by a thread that serves a client of pystuck",
                CERTAINTY_LIKELY);
}

TEST(a_thread_that_runs_a_cell_is_said_to_serve_a_client)
{
    const struct written written[] = {
        {"<pystuck>", 3, "request"}, {"<string>", 604, "_pystuck_cell"}, {OWN, 5, "keep"}, {0}};
    AUTO_REPORT r;
    struct report_process *p = make_process(&r, "thread:2", 100);

    p->threads.items[1].frames = make_frames(&r, written);
    assert_says(&r, p,
                "GIL held for at least 0.1 s by thread 2, which serves a client of pystuck, in C "
                "code called from keep (rules.py:5)",
                CERTAINTY_KNOWN);
}

TEST(busy_threads_are_not_called_c_code)
{
    AUTO_REPORT r;
    struct report_process *p = make_process(&r, "thread:1", REPORT_UNKNOWN);

    assert_says(&r, p,
                "GIL not available: held by Thread-2 (worker) when the stacks were read, in "
                "re.match (rules.py:41)",
                CERTAINTY_KNOWN);
    p->gil->at_least_ms = 0;
    p->gil->holder = literal("thread:2");
    assert_says(&r, p, "GIL not available: held by thread 2 when the stacks were read",
                CERTAINTY_KNOWN);
}

TEST(a_gil_that_is_not_held_is_no_finding)
{
    static const int states[] = {0, GIL_FREE, GIL_UNKNOWN, GIL_NONE};
    AUTO_REPORT r;
    struct report_process *p = make_process(&r, "thread:1", 100);
    size_t i;

    for (i = 0; i < sizeof(states) / sizeof(*states); i++) {
        p->gil->state = states[i];
        assert_true(diagnose(&r, p));
        assert_int_equal(p->findings.count, 0);
        assert_non_null(p->findings.items);
    }
    p->gil = NULL;
    assert_true(diagnose(&r, p));
    assert_int_equal(p->findings.count, 0);
    assert_null(diagnose_find(p, "gil"));
}

/* ---- Shortages ------------------------------------------------------------------------------- */

TEST(a_resource_that_is_used_up_is_a_finding_behind_the_gil)
{
    AUTO_REPORT r;
    struct report_process *p = make_process(&r, "thread:1", 100);
    struct report_shortage shortage[2] = {
        {.resource = literal("threads"), .used = 5, .limit = REPORT_UNKNOWN},
        {.resource = literal("file descriptors"), .used = 1024, .limit = 1024},
    };

    p->shortage.items = shortage;
    p->shortage.count = 2;
    assert_true(diagnose(&r, p));
    assert_int_equal(p->findings.count, 2);
    assert_ptr_equal(diagnose_find(p, "gil"), &p->findings.items[0]);
    assert_ptr_equal(diagnose_find(p, "shortage"), &p->findings.items[1]);
    assert_string_equal(p->findings.items[1].text.data,
                        "out of file descriptors: 1024 of 1024 open");
    assert_string_equal(p->findings.items[1].evidence.items[0].data, "shortage");
}

/* ---- Signals --------------------------------------------------------------------------------- */

/* Checks the first finding, which must be that about the signal. */
static void assert_ended(struct report *r, struct report_process *p, const char *wanted)
{
    const struct report_finding *f;
    struct buffer text;

    assert_true(diagnose(r, p));
    f = &p->findings.items[0];
    assert_true(is_text(f->kind, "signal"));
    text = (struct buffer){.data = (uint8_t *)f->text.data, .len = f->text.len};
    assert_buffer(&text, wanted);
    assert_int_equal(f->members.count, p->signal->thread.data ? 1 : 0);
    assert_memory_equal(f->evidence.items[0].data, "signal", 6);
}

TEST(the_signal_that_ended_the_process_is_the_first_finding)
{
    AUTO_REPORT r;
    struct report_process *p = make_process(&r, "thread:2", REPORT_UNKNOWN);

    p->source = SOURCE_CORE;
    p->pid = 70;
    p->signal = schema_make(&r.arena, &schema_signal, 1);
    p->signal->number = 11;
    p->signal->name = literal("SIGSEGV");
    p->signal->native_id = 72;
    p->signal->thread = literal("thread:1");
    p->signal->address = literal("0x8");
    assert_ended(&r, p,
                 "ended by SIGSEGV at the address 0x8 in Thread-2 (worker), in re.match "
                 "(rules.py:41)");
    p->signal->address = literal(NULL);
    p->signal->sender = 70; /* abort() */
    assert_ended(&r, p, "ended by SIGSEGV in Thread-2 (worker), in re.match (rules.py:41)");
    p->signal->sender = 71;
    p->signal->name = literal(NULL);
    p->signal->thread = literal("thread:2");
    assert_ended(&r, p, "ended by signal 11, sent by process 71, in thread 2");
    p->signal->thread = literal(NULL);
    assert_ended(&r, p,
                 "ended by signal 11, sent by process 71, in thread 72, which has no Python stack");
    p->signal->native_id = REPORT_UNKNOWN;
    p->signal->sender = REPORT_UNKNOWN;
    assert_ended(&r, p, "ended by signal 11");
}

TEST(the_holder_of_the_gil_in_a_core_file_is_named_once)
{
    AUTO_REPORT r;
    struct report_process *p = make_process(&r, "thread:1", REPORT_UNKNOWN);

    p->source = SOURCE_CORE;
    assert_says(&r, p, "GIL held by Thread-2 (worker), in re.match (rules.py:41)", CERTAINTY_KNOWN);
    p->signal = schema_make(&r.arena, &schema_signal, 1);
    p->signal->number = 11;
    p->signal->thread = literal("thread:2");
    assert_true(diagnose(&r, p));
    assert_int_equal(p->findings.count, 2);
    p->signal->thread = literal("thread:1");
    assert_true(diagnose(&r, p));
    assert_int_equal(p->findings.count, 1);
    assert_null(diagnose_find(p, "gil"));
}

TEST(a_finding_that_does_not_fit_into_memory_is_an_error)
{
    AUTO_REPORT r;
    struct report_process *p = make_process(&r, "thread:1", 100);
    size_t taken;

    taken = r.arena.taken;
    r.arena.max = taken;
    r.arena.free = 0;
    assert_false(diagnose(&r, p));
}
