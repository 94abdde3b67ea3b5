/* SPDX-License-Identifier: BSD-3-Clause */
#include "stacks.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CLEAN_VALUE __attribute__((cleanup(unref_value)))

/* For servers that have no pystuck; CPython 3.6 and later, and nothing imported that rpyc has not
 * imported already. It has to work in a program that is stuck, so:
 *   - threading._active is read without the lock that threading.enumerate() takes, before and after
 *     the frames, so that a thread that starts or ends meanwhile keeps its name;
 *   - a thread that has ended by the time all is written down is left out: it was not stuck (often
 *     it is the server's own, left over from our first attempt to connect);
 *   - the thread that runs this is told by its code, since gevent replaces get_ident(); and its
 *     frame is not kept, as it would keep itself, and all other threads' frames with it, alive;
 *   - one thread that cannot be shown (its __repr__ or its module's loader raises) costs one title
 *     or some source lines, not the whole answer;
 *   - stock rpyc hangs up rather than send a lone surrogate, and a file's name may have one. */
static const char stacks_source[] =
    "def _pystuck_stacks():\n"
    "    import sys, threading, traceback\n"
    "\n"
    "    def known_threads():\n"
    "        try:\n"
    "            return dict(threading._active)\n"
    "        except AttributeError:\n"
    "            return {t.ident: t for t in threading.enumerate()}\n"
    "\n"
    "    def title(ident):\n"
    "        if ident not in threads:\n"
    "            return '<thread %d (not started by threading)>' % ident\n"
    "        try:\n"
    "            return repr(threads[ident])\n"
    "        except BaseException:\n"
    "            return object.__repr__(threads[ident])\n"
    "\n"
    "    def calls(frame):\n"
    "        try:\n"
    "            return ''.join(traceback.format_stack(frame))\n"
    "        except BaseException:\n"
    "            return ''.join(reversed(list(calls_without_source(frame))))\n"
    "\n"
    "    def calls_without_source(frame):\n"
    "        while frame is not None:\n"
    "            code = frame.f_code\n"
    "            yield '  File \"%s\", line %s, in %s\\n' % (\n"
    "                code.co_filename, frame.f_lineno, code.co_name)\n"
    "            frame = frame.f_back\n"
    "\n"
    "    own = sys._getframe().f_code\n"
    "    threads = known_threads()\n"
    "    frames = {ident: frame for ident, frame in sys._current_frames().items()\n"
    "              if frame.f_code is not own}\n"
    "    threads.update(known_threads())\n"
    "    order = dict.fromkeys([threading.main_thread().ident, *threads, *frames])\n"
    "    shown = [(ident, title(ident) + '\\n' + calls(frames[ident]))\n"
    "             for ident in order if ident in frames]\n"
    "    alive = set(sys._current_frames())\n"
    "    text = '\\n'.join(stack for ident, stack in shown if ident in alive)\n"
    "    return text.encode('utf-8', 'backslashreplace').decode('utf-8')\n";

/* Takes the function out of the connection's namespace again and calls it. */
static const char stacks_expression[] = "globals().pop('_pystuck_stacks')()";

static void unref_value(rpyc_value **value)
{
    rpyc_unref(*value);
}

static int fail(struct rpyc_error *err, enum rpyc_errcode code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(struct rpyc_error *err, enum rpyc_errcode code, const char *format, ...)
{
    va_list args;

    rpyc_error_clear(err);
    err->code = code;
    va_start(args, format);
    vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    return -1;
}

/* The function that both our server and the original pystuck have: a new reference. */
static int find_probe(rpyc_conn *conn, rpyc_value **out, struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *module = NULL;

    if (rpyc_module(conn, "pystuck.thread_probe", &module, err) != 0)
        return -1;
    return rpyc_getattr(module, "stacks_repr", out, err);
}

/* The stacks from a stock classic server. */
static int run_source(rpyc_conn *conn, rpyc_value **out, struct rpyc_error *err)
{
    if (rpyc_execute(conn, stacks_source, err) == 0)
        return rpyc_eval(conn, stacks_expression, out, err);
    /* A function was defined, that is all: an AttributeError means that the service has no execute
     * (a classic service has, and find_probe found no getmodule either). */
    if (rpyc_error_is(err, "AttributeError"))
        return fail(err, RPYC_EPROTOCOL,
                    "the server is no classic RPyC service: it has neither pystuck nor execute");
    return -1;
}

static int fetch(rpyc_conn *conn, rpyc_value **out, struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *probe = NULL;

    if (find_probe(conn, &probe, err) == 0)
        return rpyc_call(probe, out, err, NULL);
    /* Whatever exception keeps the probe from being imported, there is none to be used. What the
     * probe itself raises is another matter, and goes to the user. */
    if (err->code != RPYC_EREMOTE)
        return -1;
    rpyc_error_clear(err);
    return run_source(conn, out, err);
}

int stacks_fetch(rpyc_conn *conn, rpyc_value **out, struct rpyc_error *err)
{
    struct rpyc_error unasked __attribute__((cleanup(rpyc_error_clear))) = RPYC_ERROR_INIT;
    CLEAN_VALUE rpyc_value *text = NULL;

    if (!err)
        err = &unasked; /* the code is needed here in any case */
    if (fetch(conn, &text, err) != 0)
        return -1;
    if (rpyc_type_of(text) != RPYC_STR)
        return fail(err, RPYC_EPROTOCOL, "the server's stacks are not a str");
    *out = rpyc_ref(text);
    return 0;
}
