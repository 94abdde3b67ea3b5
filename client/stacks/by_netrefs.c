/* SPDX-License-Identifier: BSD-3-Clause */
#include "stacks/by_netrefs.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clean.h"
#include "schema.h"

/* The objects of the debuggee that the functions below use, and the report. */
struct walk {
    struct report *out;
    rpyc_value *traceback; /* the module traceback */
    rpyc_value *operator;  /* the module operator */
    rpyc_value *tuple;     /* the type tuple */
    rpyc_value *map;       /* the type map */
    rpyc_value *type;      /* the type type */
    rpyc_value *vars;      /* the function vars */
    rpyc_value *repr;      /* threading.Thread.__repr__ */
    rpyc_value *known;     /* threading._active, because threading.enumerate() would take a lock */
    rpyc_value *frames;    /* a dict: the frame of each thread, by ident */
    rpyc_value *idents;    /* a tuple of the idents */
    rpyc_value *first;     /* operator.itemgetter(0): gets the frame from an item of walk_stack() */
    rpyc_value *call;      /* operator.attrgetter(): gets the file, line and function of a frame */
    int64_t main,
        own; /* the idents of the main thread, and of the thread that serves this client */
    int64_t pid;
};

static void clear(struct walk *w)
{
    rpyc_unref(w->traceback);
    rpyc_unref(w->operator);
    rpyc_unref(w->tuple);
    rpyc_unref(w->map);
    rpyc_unref(w->type);
    rpyc_unref(w->vars);
    rpyc_unref(w->repr);
    rpyc_unref(w->known);
    rpyc_unref(w->frames);
    rpyc_unref(w->idents);
    rpyc_unref(w->first);
    rpyc_unref(w->call);
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

/* Gets the modules, builtins and operators that the walk uses. */
static int begin_modules(struct walk *w, rpyc_conn *conn, struct rpyc_error *err)
{
    if (rpyc_module(conn, "traceback", &w->traceback, err) < 0 ||
        rpyc_module(conn, "operator", &w->operator, err) < 0 ||
        rpyc_builtin(conn, "tuple", &w->tuple, err) < 0 ||
        rpyc_builtin(conn, "map", &w->map, err) < 0 ||
        rpyc_builtin(conn, "type", &w->type, err) < 0 ||
        rpyc_builtin(conn, "vars", &w->vars, err) < 0 ||
        rpyc_callattr(w->operator, "itemgetter", &w->first, err, "i", 0) < 0)
        return -1;
    return rpyc_callattr(w->operator, "attrgetter", &w->call, err, "sss", "f_code.co_filename",
                         "f_lineno", "f_code.co_name");
}

static int begin_threads(struct walk *w, rpyc_conn *conn, struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *sys = NULL;
    CLEAN_VALUE rpyc_value *threading = NULL;
    CLEAN_VALUE rpyc_value *thread = NULL;
    CLEAN_VALUE rpyc_value *class = NULL;

    if (rpyc_module(conn, "sys", &sys, err) < 0 ||
        rpyc_module(conn, "threading", &threading, err) < 0 ||
        rpyc_module(conn, "_thread", &thread, err) < 0 ||
        rpyc_getattr(threading, "Thread", &class, err) < 0 ||
        rpyc_getattr(class, "__repr__", &w->repr, err) < 0 ||
        rpyc_getattr(threading, "_active", &w->known, err) < 0 ||
        rpyc_callattr(sys, "_current_frames", &w->frames, err, "") < 0 ||
        rpyc_call(w->tuple, &w->idents, err, "O", w->frames) < 0)
        return -1;
    return find_idents(w, threading, thread, err);
}

static int begin(struct walk *w, rpyc_conn *conn, struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *os = NULL;
    CLEAN_VALUE rpyc_value *pid = NULL;

    w->pid = REPORT_UNKNOWN;
    if (begin_modules(w, conn, err) < 0 || begin_threads(w, conn, err) < 0)
        return -1;
    if (rpyc_module(conn, "os", &os, NULL) == 0 && rpyc_callattr(os, "getpid", &pid, NULL, "") == 0)
        rpyc_int64(pid, &w->pid, NULL);
    return 0;
}

static struct report_text copy_str(const struct walk *w, const rpyc_value *value)
{
    size_t len = 0;
    const char *text = rpyc_str(value, &len);

    return report_text(w->out, text, len);
}

/* Fills in the name, daemon flag and native ID of a thread from the thread object's __dict__. If a
 * request fails, these members stay unknown. */
static void read_dict(const struct walk *w, rpyc_value *thread, struct report_thread *t)
{
    CLEAN_VALUE rpyc_value *dict = NULL;
    CLEAN_VALUE rpyc_value *get = NULL;
    CLEAN_VALUE rpyc_value *values = NULL;
    CLEAN_VALUE rpyc_value *members = NULL;
    int64_t daemon;

    if (rpyc_call(w->vars, &dict, NULL, "O", thread) < 0 ||
        rpyc_getattr(dict, "get", &get, NULL) < 0 ||
        rpyc_call(w->map, &values, NULL, "O(sss)", get, "_name", "_daemonic", "_native_id") < 0 ||
        rpyc_call(w->tuple, &members, NULL, "O", values) < 0)
        return;
    t->name = copy_str(w, rpyc_item(members, 0));
    t->name_from = t->name.data ? NAME_FROM_THREADING : 0;
    if (rpyc_int64(rpyc_item(members, 1), &daemon, NULL) == 0)
        t->daemon = daemon ? BOOL_TRUE : BOOL_FALSE;
    rpyc_int64(rpyc_item(members, 2), &t->native_id, NULL);
}

/* True if repr() of the thread calls the __repr__ of threading.Thread. That __repr__ does not
 * block. */
static bool has_plain_repr(const struct walk *w, rpyc_value *thread)
{
    CLEAN_VALUE rpyc_value *class = NULL;
    CLEAN_VALUE rpyc_value *repr = NULL;
    CLEAN_VALUE rpyc_value *is_same = NULL;
    int64_t result = 0;

    return rpyc_call(w->type, &class, NULL, "O", thread) == 0 &&
           rpyc_getattr(class, "__repr__", &repr, NULL) == 0 &&
           rpyc_callattr(w->operator, "is_", &is_same, NULL, "OO", repr, w->repr) == 0 &&
           rpyc_int64(is_same, &result, NULL) == 0 && result != 0;
}

/* Fills in the title of a thread (the line above its frames) if the thread's class defines a
 * __repr__. This __repr__ is not called, because it might block the connection. */
static void name_without_repr(const struct walk *w, const rpyc_value *thread,
                              struct report_thread *t)
{
    const char *class = rpyc_class_name(thread), *dot = strrchr(class, '.');
    char title[256];

    snprintf(title, sizeof(title), "<%.100s(%.*s): its repr() was not called>",
             dot ? dot + 1 : class, (int)(t->name.len < 100 ? t->name.len : 100),
             t->name.data ? t->name.data : "");
    t->repr = report_text(w->out, title, strlen(title));
    t->repr_status = STATUS_SKIPPED;
}

/* Fills in the title of a thread and the facts that the thread object has. Runs no code of the
 * program. */
static void name_thread(const struct walk *w, rpyc_value *key, struct report_thread *t)
{
    CLEAN_VALUE rpyc_value *thread = NULL;
    CLEAN_VALUE rpyc_value *repr = NULL;
    char title[80];

    if (rpyc_callattr(w->known, "get", &thread, NULL, "O", key) < 0 ||
        rpyc_type_of(thread) != RPYC_NETREF) {
        snprintf(title, sizeof(title), "<thread %" PRId64 " (not started by threading)>", t->ident);
        t->repr = report_text(w->out, title, strlen(title));
        t->repr_status = STATUS_OK;
        return;
    }
    read_dict(w, thread, t);
    if (has_plain_repr(w, thread) && rpyc_repr(thread, &repr, NULL) == 0) {
        t->repr = copy_str(w, repr);
        t->repr_status = STATUS_OK;
    } else {
        name_without_repr(w, thread, t);
    }
}

/* Fills in a frame from a tuple (file, line, function). Returns -1 if entry is not such a tuple. */
static int take_frame(const struct walk *w, const rpyc_value *entry, struct report_frame *f)
{
    if (rpyc_length(entry) != 3)
        return -1;
    f->file = copy_str(w, rpyc_item(entry, 0));
    rpyc_int64(rpyc_item(entry, 1), &f->line, NULL);
    f->function = copy_str(w, rpyc_item(entry, 2));
    f->source_status = STATUS_SKIPPED;
    return 0;
}

/* Copies the frames from entries to *frames in reverse order: entries come from walk_stack() and
 * begin with the innermost frame; *frames ends with the innermost frame. */
static int take_frames(const struct walk *w, const rpyc_value *entries, report_frames *frames,
                       struct rpyc_error *err)
{
    size_t count = rpyc_length(entries), i;
    struct any_list list = {schema_make(&w->out->arena, &schema_frame, count), count};

    if (!list.items)
        return rpyc_raise(err, "MemoryError", "out of memory");
    memcpy(frames, &list, sizeof(list));
    for (i = 0; i < count; i++) {
        if (take_frame(w, rpyc_item(entries, count - 1 - i), &frames->items[i]) < 0)
            return rpyc_raise(
                err, "ValueError",
                "the server returned something other than (file, line, function) for a frame");
    }
    return 0;
}

/* Gets the frames of a thread. Calls only functions of the debuggee that are written in C or belong
 * to Python's standard library. These functions must not read source files, because reading a file
 * may block. If the files are on this machine, the client reads them itself. */
static int fetch_frames(const struct walk *w, rpyc_value *key, struct report_thread *t,
                        struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *frame = NULL;
    CLEAN_VALUE rpyc_value *walked = NULL;
    CLEAN_VALUE rpyc_value *frames = NULL;
    CLEAN_VALUE rpyc_value *tuples = NULL;
    CLEAN_VALUE rpyc_value *entries = NULL;

    if (rpyc_getitem(w->frames, key, &frame, err) < 0 ||
        rpyc_callattr(w->traceback, "walk_stack", &walked, err, "O", frame) < 0 ||
        rpyc_call(w->map, &frames, err, "OO", w->first, walked) < 0 ||
        rpyc_call(w->map, &tuples, err, "OO", w->call, frames) < 0 ||
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

/* Adds the main thread if main_thread is true, else all other threads. Skips the thread that serves
 * this client. */
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
    p->missing.items = schema_make(&w->out->arena, &schema_missing, 1);
    if (!p->missing.items)
        return;
    p->missing.items[0].what = constant("greenlets");
    p->missing.items[0].why = constant("code must run in the process to find them");
    p->missing.count = 1;
}

static int fetch_process(const struct walk *w, struct rpyc_error *err)
{
    struct report_process *p = report_add_process(w->out);

    if (p)
        p->threads.items = schema_make(&w->out->arena, &schema_thread, rpyc_length(w->idents));
    if (!p || !p->threads.items)
        return rpyc_raise(err, "MemoryError", "out of memory");
    p->schema = REPORT_SCHEMA;
    p->time = (double)time(NULL);
    p->source = SOURCE_NETREFS;
    p->pid = w->pid;
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
