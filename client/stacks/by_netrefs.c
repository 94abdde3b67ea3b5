/* SPDX-License-Identifier: BSD-3-Clause */
#include "stacks/by_netrefs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clean.h"
#include "shape.h"

/* More frames than any stack has. Without an explicit limit, sys.tracebacklimit would apply. */
#define FRAMES_MAX INT32_MAX

/* The objects of the debuggee that the functions below use, and the report. */
struct walk {
    struct report *out;
    rpyc_value *traceback; /* the module traceback */
    rpyc_value *tuple;     /* the type tuple */
    rpyc_value *map;       /* the type map */
    rpyc_value *known;     /* threading._active; threading.enumerate() would take a lock */
    rpyc_value *frames;    /* a dict: the frame of each thread, by ident */
    rpyc_value *idents;    /* a tuple of the idents */
    int64_t main,
        own; /* the idents of the main thread, and of the thread that serves this client */
};

static void clear(struct walk *w)
{
    rpyc_unref(w->traceback);
    rpyc_unref(w->tuple);
    rpyc_unref(w->map);
    rpyc_unref(w->known);
    rpyc_unref(w->frames);
    rpyc_unref(w->idents);
}

static int find_idents(struct walk *w, rpyc_value *threading, rpyc_value *thread,
                       struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *main_thread = NULL;
    CLEAN_VALUE rpyc_value *main_ident = NULL;
    CLEAN_VALUE rpyc_value *own_ident = NULL;

    if (rpyc_callattr(threading, "main_thread", &main_thread, err, "") < 0 ||
        rpyc_getattr(main_thread, "ident", &main_ident, err) < 0 ||
        rpyc_callattr(thread, "get_ident", &own_ident, err, "") < 0 ||
        rpyc_int64(main_ident, &w->main, err) < 0)
        return -1;
    return rpyc_int64(own_ident, &w->own, err);
}

static int begin(struct walk *w, rpyc_conn *conn, struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *sys = NULL;
    CLEAN_VALUE rpyc_value *threading = NULL;
    CLEAN_VALUE rpyc_value *thread = NULL;

    if (rpyc_module(conn, "sys", &sys, err) < 0 ||
        rpyc_module(conn, "traceback", &w->traceback, err) < 0 ||
        rpyc_module(conn, "threading", &threading, err) < 0 ||
        rpyc_module(conn, "_thread", &thread, err) < 0 ||
        rpyc_builtin(conn, "tuple", &w->tuple, err) < 0 ||
        rpyc_builtin(conn, "map", &w->map, err) < 0 ||
        rpyc_getattr(threading, "_active", &w->known, err) < 0 ||
        rpyc_callattr(sys, "_current_frames", &w->frames, err, "") < 0 ||
        rpyc_call(w->tuple, &w->idents, err, "O", w->frames) < 0)
        return -1;
    return find_idents(w, threading, thread, err);
}

static struct report_text copy_str(const struct walk *w, const rpyc_value *value)
{
    size_t len = 0;
    const char *text = rpyc_str(value, &len);

    return report_text(w->out, text, len);
}

/* Fills in repr() and the name of a thread. They stay unknown if a request fails. */
static void name_thread(const struct walk *w, rpyc_value *key, struct report_thread *t)
{
    CLEAN_VALUE rpyc_value *thread = NULL;
    CLEAN_VALUE rpyc_value *repr = NULL;
    CLEAN_VALUE rpyc_value *name = NULL;
    char title[80];

    t->repr_status = STATUS_ERROR;
    if (rpyc_callattr(w->known, "get", &thread, NULL, "O", key) == 0 &&
        rpyc_type_of(thread) == RPYC_NETREF && rpyc_repr(thread, &repr, NULL) == 0) {
        t->repr = copy_str(w, repr);
        t->repr_status = STATUS_OK;
        if (rpyc_getattr(thread, "name", &name, NULL) == 0)
            t->name = copy_str(w, name);
    } else {
        snprintf(title, sizeof(title), "<thread %" PRId64 " (not started by threading)>", t->ident);
        t->repr = report_text(w->out, title, strlen(title));
    }
}

/* Fills in a frame from an entry of traceback.extract_stack(): (file, line, function, source). */
static int take_frame(const struct walk *w, const rpyc_value *entry, struct report_frame *f)
{
    if (rpyc_length(entry) != 4)
        return -1;
    f->file = copy_str(w, rpyc_item(entry, 0));
    rpyc_int64(rpyc_item(entry, 1), &f->line, NULL);
    f->function = copy_str(w, rpyc_item(entry, 2));
    f->source = copy_str(w, rpyc_item(entry, 3));
    if (f->source.len == 0)
        f->source.data = NULL;
    f->source_status = f->source.data ? STATUS_OK : STATUS_ERROR;
    return 0;
}

static int take_frames(const struct walk *w, const rpyc_value *entries, report_frames *frames,
                       struct rpyc_error *err)
{
    size_t count = rpyc_length(entries), i;
    struct any_list list = {shape_make(&w->out->arena, &shape_frame, count), count};

    if (!list.items)
        return rpyc_raise(err, "MemoryError", "out of memory");
    memcpy(frames, &list, sizeof(list));
    for (i = 0; i < count; i++) {
        if (take_frame(w, rpyc_item(entries, i), &frames->items[i]) < 0)
            return rpyc_raise(err, "ValueError", "extract_stack() returned something else");
    }
    return 0;
}

static int fetch_frames(const struct walk *w, rpyc_value *key, struct report_thread *t,
                        struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *frame = NULL;
    CLEAN_VALUE rpyc_value *summary = NULL;
    CLEAN_VALUE rpyc_value *tuples = NULL;
    CLEAN_VALUE rpyc_value *entries = NULL;

    if (rpyc_getitem(w->frames, key, &frame, err) < 0 ||
        rpyc_callattr(w->traceback, "extract_stack", &summary, err, "Oi", frame, FRAMES_MAX) < 0 ||
        rpyc_call(w->map, &tuples, err, "OO", w->tuple, summary) < 0 ||
        rpyc_call(w->tuple, &entries, err, "O", tuples) < 0)
        return -1;
    return take_frames(w, entries, &t->frames, err);
}

static int fetch_thread(const struct walk *w, rpyc_value *key, int64_t ident,
                        struct report_thread *t, struct rpyc_error *err)
{
    char id[40];

    snprintf(id, sizeof(id), "thread:%" PRId64, ident);
    t->id = report_text(w->out, id, strlen(id));
    t->ident = ident;
    t->main = ident == w->main ? BOOL_TRUE : BOOL_FALSE;
    name_thread(w, key, t);
    return fetch_frames(w, key, t, err);
}

/* Adds the main thread, or all other threads. */
static int fetch_threads(const struct walk *w, struct report_process *p, bool main_thread,
                         struct rpyc_error *err)
{
    size_t i;

    for (i = 0; i < rpyc_length(w->idents); i++) {
        rpyc_value *key = rpyc_item(w->idents, i);
        int64_t ident;

        if (rpyc_int64(key, &ident, err) < 0)
            return -1;
        if (ident != w->own && (ident == w->main) == main_thread &&
            fetch_thread(w, key, ident, &p->threads.items[p->threads.count++], err) < 0)
            return -1;
    }
    return 0;
}

static struct report_text constant(const char *text)
{
    return (struct report_text){text, strlen(text)};
}

static void say_missing(const struct walk *w, struct report_process *p)
{
    p->missing.items = shape_make(&w->out->arena, &shape_missing, 1);
    if (!p->missing.items)
        return;
    p->missing.items[0].what = constant("greenlets");
    p->missing.items[0].why = constant("finding them needs code that runs in the process");
    p->missing.count = 1;
}

static int fetch_process(const struct walk *w, struct rpyc_error *err)
{
    struct report_process *p = report_add_process(w->out);

    if (p)
        p->threads.items = shape_make(&w->out->arena, &shape_thread, rpyc_length(w->idents));
    if (!p || !p->threads.items)
        return rpyc_raise(err, "MemoryError", "out of memory");
    p->schema = REPORT_SCHEMA;
    p->time = (double)time(NULL);
    p->source = SOURCE_NETREFS;
    say_missing(w, p);
    if (fetch_threads(w, p, true, err) < 0)
        return -1;
    return fetch_threads(w, p, false, err);
}

int stacks_by_netrefs(rpyc_conn *conn, struct report *out, struct rpyc_error *err)
{
    struct walk w __attribute__((cleanup(clear))) = {.out = out};

    if (begin(&w, conn, err) < 0)
        return -1;
    return fetch_process(&w, err);
}
