/* SPDX-License-Identifier: BSD-3-Clause */
#include "walk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clean.h"

#define OURS_MAX 4096 /* threads that a server of ours may have */

/* What is needed of the other side. */
struct walk {
    rpyc_value *traceback; /* the module */
    rpyc_value *str;       /* the type */
    rpyc_value *known;     /* threading._active: without the lock of threading.enumerate() */
    rpyc_value *frames;    /* of threads by ident, a dict */
    rpyc_value *idents;    /* a tuple */
    rpyc_value *ours;      /* a tuple of those of our server's threads; NULL: not our server */
    int64_t main, own;     /* idents of the main thread, and of the one that serves us */
};

static void clear(struct walk *w)
{
    rpyc_unref(w->traceback);
    rpyc_unref(w->str);
    rpyc_unref(w->known);
    rpyc_unref(w->frames);
    rpyc_unref(w->idents);
    rpyc_unref(w->ours);
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

/* Which threads are our server's, where it is ours. One of another client's may be at work. */
static void find_ours(struct walk *w, rpyc_value *sys, rpyc_value *tuple)
{
    CLEAN_VALUE rpyc_value *modules = NULL;
    CLEAN_VALUE rpyc_value *module = NULL;
    CLEAN_VALUE rpyc_value *idents = NULL;

    if (rpyc_getattr(sys, "modules", &modules, NULL) == 0 &&
        rpyc_callattr(modules, "get", &module, NULL, "s", "_pystuck") == 0 &&
        rpyc_type_of(module) == RPYC_NETREF &&
        rpyc_callattr(module, "own_threads", &idents, NULL, "") == 0)
        rpyc_call(tuple, &w->ours, NULL, "O", idents);
}

static bool is_ours(const struct walk *w, int64_t ident)
{
    size_t i, n = rpyc_length(w->ours);
    int64_t each;

    for (i = 0; i < n && i < OURS_MAX; i++) {
        if (rpyc_int64(rpyc_item(w->ours, i), &each, NULL) == 0 && each == ident)
            return true;
    }
    return ident == w->own;
}

static int begin(struct walk *w, rpyc_conn *conn, struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *sys = NULL;
    CLEAN_VALUE rpyc_value *threading = NULL;
    CLEAN_VALUE rpyc_value *thread = NULL;
    CLEAN_VALUE rpyc_value *tuple = NULL;

    if (rpyc_module(conn, "sys", &sys, err) < 0 ||
        rpyc_module(conn, "traceback", &w->traceback, err) < 0 ||
        rpyc_module(conn, "threading", &threading, err) < 0 ||
        rpyc_module(conn, "_thread", &thread, err) < 0 ||
        rpyc_builtin(conn, "str", &w->str, err) < 0 ||
        rpyc_builtin(conn, "tuple", &tuple, err) < 0 ||
        rpyc_getattr(threading, "_active", &w->known, err) < 0 ||
        rpyc_callattr(sys, "_current_frames", &w->frames, err, "") < 0 ||
        rpyc_call(tuple, &w->idents, err, "O", w->frames) < 0)
        return -1;
    find_ours(w, sys, tuple);
    return find_idents(w, threading, thread, err);
}

/* The thread's name, in a line. One that cannot be had costs that alone. */
static void put_title(const struct walk *w, FILE *out, rpyc_value *key, int64_t ident)
{
    CLEAN_VALUE rpyc_value *thread = NULL;
    CLEAN_VALUE rpyc_value *title = NULL;

    if (rpyc_callattr(w->known, "get", &thread, NULL, "O", key) == 0 &&
        rpyc_type_of(thread) == RPYC_NETREF && rpyc_repr(thread, &title, NULL) == 0)
        fprintf(out, "%s\n", rpyc_str(title, NULL));
    else
        fprintf(out, "<thread %" PRId64 " (not started by threading)>\n", ident);
}

/* Its frames. A thread that has ended meanwhile has none. */
static int put_calls(const struct walk *w, FILE *out, rpyc_value *key, struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *frame = NULL;
    CLEAN_VALUE rpyc_value *lines = NULL;
    CLEAN_VALUE rpyc_value *text = NULL;

    if (rpyc_getitem(w->frames, key, &frame, err) < 0 ||
        rpyc_callattr(w->traceback, "format_stack", &lines, err, "O", frame) < 0 ||
        rpyc_callattr(w->str, "join", &text, err, "sO", "", lines) < 0)
        return -1;
    if (rpyc_str(text, NULL))
        fputs(rpyc_str(text, NULL), out);
    return 0;
}

static int put_thread(const struct walk *w, FILE *out, rpyc_value *key, struct rpyc_error *err)
{
    int64_t ident;

    if (rpyc_int64(key, &ident, err) < 0)
        return -1;
    if (is_ours(w, ident))
        return 0;
    if (ftell(out) > 0)
        fputc('\n', out);
    put_title(w, out, key, ident);
    return put_calls(w, out, key, err);
}

/* Those of the main thread, or of all others. */
static int put_threads(const struct walk *w, FILE *out, bool main_thread, struct rpyc_error *err)
{
    size_t i;

    for (i = 0; i < rpyc_length(w->idents); i++) {
        rpyc_value *key = rpyc_item(w->idents, i);
        int64_t ident = 0;

        rpyc_int64(key, &ident, NULL);
        if ((ident == w->main) == main_thread && put_thread(w, out, key, err) < 0)
            return -1;
    }
    return 0;
}

int walk_stacks(rpyc_conn *conn, rpyc_value **out, struct rpyc_error *err)
{
    struct walk w __attribute__((cleanup(clear))) = {0};
    char *text = NULL;
    size_t len = 0;
    FILE *copy;
    int status;

    if (begin(&w, conn, err) < 0)
        return -1;
    copy = open_memstream(&text, &len);
    if (!copy)
        return rpyc_raise(err, "MemoryError", "out of memory");
    status = put_threads(&w, copy, true, err);
    if (status == 0)
        status = put_threads(&w, copy, false, err);
    if (fclose(copy) != 0 && status == 0)
        status = rpyc_raise(err, "MemoryError", "out of memory");
    if (status == 0)
        status = rpyc_build(out, err, "z", text, len);
    free(text);
    return status;
}
