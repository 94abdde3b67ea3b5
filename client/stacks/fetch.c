/* SPDX-License-Identifier: BSD-3-Clause */
#include "stacks/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clean.h"
#include "codec.h"
#include "collector.h"
#include "connect/peer.h"
#include "diagnosis/diagnose.h"
#include "stacks/by_netrefs.h"
#include "stacks/others.h"
#include "stacks/sources.h"

/* Request STACKS: see doc/protocol.md. */
#define HANDLE_STACKS  0x70
#define STACKS_VERSION 2
#define BUDGET_MS      500

/* The flags of collect() in pystuck/_stacks.py. The values must be the same as there. */
enum { FLAG_REPR = 1, FLAG_SOURCE = 2, FLAG_LOCALS = 4, FLAG_GREENLETS = 8, FLAG_TASKS = 16 };

/* The Python code that the client puts before and after the source of the collector. make_source()
 * inserts the source of the collector as a string literal. The whole source defines a function that
 * executes the collector in a new namespace. The function imports builtins, because the user may
 * have assigned to the name exec. */
static const char before_literal[] = "def _pystuck_stacks(flags):\n"
                                     "    import builtins\n"
                                     "    names = {'__name__': '_pystuck_stacks'}\n"
                                     "    builtins.exec(";
static const char after_literal[] = ", names)\n"
                                    "    return names['collect'](flags)\n";

/* An expression that removes the function from the connection's namespace and calls the function.
 */
#define CALL_COLLECTOR "_pystuck_stacks.__globals__.pop('_pystuck_stacks')(%d)"

static int fail(struct rpyc_error *err, const char *text)
{
    rpyc_error_clear(err);
    err->code = RPYC_EPROTOCOL;
    snprintf(err->text, sizeof(err->text), "%s", text);
    return -1;
}

struct stacks_wish stacks_wish_of(const struct options *options)
{
    return (struct stacks_wish){.greenlets = options->greenlets,
                                .locals = options->locals,
                                .others = true,
                                .execute = options->execute,
                                .bare = options->stacks == CHOICE_NO};
}

static int flags_of(const struct stacks_wish *wish)
{
    if (wish->bare)
        return 0;
    return FLAG_REPR | FLAG_SOURCE | FLAG_TASKS | (wish->greenlets ? FLAG_GREENLETS : 0) |
           (wish->locals ? FLAG_LOCALS : 0);
}

int stacks_connect(rpyc_conn **out, const struct options *options, const struct stacks_wish *wish,
                   const struct silence *silence, struct rpyc_error *err)
{
    struct early_request early = {.handler = HANDLE_STACKS};
    int result;

    if (rpyc_build(&early.args, err, "(iii)", STACKS_VERSION, flags_of(wish), BUDGET_MS) < 0)
        return -1;
    result = connect_server(out, options, &early, silence, err);
    rpyc_unref(early.args);
    return result;
}

/* Adds a process to the report. process: the tuple that a collector has returned. */
static int take(const rpyc_value *process, struct report *out, struct rpyc_error *err)
{
    void *brine = NULL;
    size_t len;
    int result;

    if (rpyc_type_of(process) != RPYC_TUPLE)
        return fail(err, "the server's answer is not a report");
    if (rpyc_dump(process, &brine, &len, err) < 0)
        return -1;
    result = report_read(out, brine, len, err) ? 0 : -1;
    free(brine);
    return result;
}

static int request_stacks(rpyc_conn *conn, const struct stacks_wish *wish, int timeout_ms,
                          struct report *out, struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *answer = NULL;
    rpyc_pending *pending = rpyc_take_early(conn);
    int result;

    if (!pending && rpyc_start_request(conn, HANDLE_STACKS, &pending, err, "iii", STACKS_VERSION,
                                       flags_of(wish), BUDGET_MS) < 0)
        return -1;
    result = rpyc_pending_wait(pending, timeout_ms, &answer, err);
    rpyc_pending_free(pending);
    if (result < 0)
        return -1;
    if (rpyc_type_of(answer) != RPYC_TUPLE || rpyc_length(answer) != 2)
        return fail(err, "the server's answer is not a report");
    return take(rpyc_item(answer, 1), out, err);
}

/* Writes a C string as a Python literal. */
static void put_literal(FILE *out, const char *text)
{
    fputc('\'', out);
    for (; *text; text++) {
        if (*text == '\n') {
            fputs("\\n", out);
            continue;
        }
        if (*text == '\\' || *text == '\'')
            fputc('\\', out);
        fputc(*text, out);
    }
    fputc('\'', out);
}

/* Returns the source that defines the function _pystuck_stacks, for free(). NULL: out of memory. */
static char *make_source(void)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    if (!out)
        return NULL;
    fputs(before_literal, out);
    put_literal(out, collector_source);
    fputs(after_literal, out);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

/* Runs the source of the collector in the process. Works with any classic server. RPYC_EPROTOCOL:
 * the service has no method `execute`. */
static int run_source(rpyc_conn *conn, const struct stacks_wish *wish, struct report *out,
                      struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *answer = NULL;
    CLEAN_TEXT char *source = make_source();
    char call[sizeof(CALL_COLLECTOR) + 12];

    if (!source)
        return rpyc_raise(err, "MemoryError", "out of memory");
    snprintf(call, sizeof(call), CALL_COLLECTOR, flags_of(wish));
    if (rpyc_execute(conn, source, err) == 0)
        return rpyc_eval(conn, call, &answer, err) < 0 ? -1 : take(answer, out, err);
    /* The source only defines a function, so these exceptions mean that the service has no method
     * `execute`, or that `execute` is None. */
    if (!rpyc_error_is(err, "AttributeError") && !rpyc_error_is(err, "TypeError"))
        return -1;
    return fail(err, "the server's service has no method 'execute'");
}

/* Gets the stacks with netrefs. Works with any service that exposes modules. */
static int use_netrefs(rpyc_conn *conn, const struct stacks_wish *wish, struct report *out,
                       struct rpyc_error *err)
{
    (void)wish; /* greenlets can only be found by running code */
    if (stacks_by_netrefs(conn, out, err) == 0)
        return 0;
    if (!rpyc_error_is(err, "AttributeError"))
        return -1;
    return fail(err, "this RPyC server is not a classic (SlaveService) server");
}

static int fetch(rpyc_conn *conn, const struct stacks_wish *wish, int timeout_ms,
                 struct report *out, struct rpyc_error *err)
{
    if (request_stacks(conn, wish, timeout_ms, out, err) == 0)
        return 0;
    if (err->code != RPYC_EREMOTE || wish->bare)
        return -1;
    rpyc_error_clear(err);
    if (wish->execute) {
        if (run_source(conn, wish, out, err) == 0)
            return 0;
        if (err->code != RPYC_EPROTOCOL)
            return -1;
        rpyc_error_clear(err);
    }
    return use_netrefs(conn, wish, out, err);
}

/* Counts the frames of threads: the frames whose local variables are known, and the frames whose
 * local variables are not known. */
static void count_locals(const struct report_process *p, size_t *known, size_t *unknown)
{
    size_t i, k;

    *known = *unknown = 0;
    for (i = 0; i < p->threads.count; i++) {
        const report_frames *frames = &p->threads.items[i].frames;

        for (k = 0; k < frames->count; k++) {
            if (frames->items[k].locals.items)
                ++*known;
            else
                ++*unknown;
        }
    }
}

/* If the local variables of some frames are not known, adds an entry to `missing`. Call this
 * function only if the user has asked for local variables. */
static void explain_locals(struct report *r, struct report_process *p)
{
    const char *what = "locals", *why = "the server cannot read them";
    size_t known, unknown;

    count_locals(p, &known, &unknown);
    if (unknown == 0)
        return;
    if (known > 0) {
        what = "local variables of some threads";
        why = "these threads are running, or there are too many threads to read them all";
    } else if (p->source == SOURCE_SELF) {
        why = "the GIL is held";
    }
    report_add_missing(&r->arena, p, what, why);
}

/* True if the process is on this machine, in the PID namespace of pystuck. fd: the connection. */
static bool is_local(const struct report_process *p, int fd)
{
    return p->pid > 0 && p->pid <= INT32_MAX && peer_is_process(fd, (pid_t)p->pid);
}

int stacks_fetch(rpyc_conn *conn, const struct stacks_wish *wish, int timeout_ms,
                 struct report *out, struct rpyc_error *err)
{
    CLEAN_ERROR struct rpyc_error own = RPYC_ERROR_INIT;
    struct report_process *process;

    if (!err)
        err = &own; /* fetch() reads err->code */
    if (fetch(conn, wish, timeout_ms, out, err) < 0)
        return -1;
    process = &out->processes.items[out->processes.count - 1];
    if (wish->locals && !wish->bare)
        explain_locals(out, process);
    if (!wish->bare)
        sources_fill(out, process, rpyc_fd(conn));
    if (wish->others && !wish->bare && is_local(process, rpyc_fd(conn))) {
        others_read(out, out->processes.count - 1);
        process = &out->processes.items[out->processes.count - 1];
    }
    return diagnose_complete(out, process) ? 0 : rpyc_raise(err, "MemoryError", "out of memory");
}

int stacks_fetch_apart(const struct options *options, const struct stacks_wish *wish,
                       struct report *out, struct rpyc_error *err)
{
    rpyc_conn *conn = NULL;
    int result;

    if (stacks_connect(&conn, options, wish, NULL, err) < 0)
        return -1;
    result = stacks_fetch(conn, wish, 0, out, err);
    rpyc_close(conn);
    return result;
}
