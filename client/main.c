/* SPDX-License-Identifier: BSD-3-Clause
 *
 * pystuck(1): shows where a Python program is stuck.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rpyc.h>

#include "clean.h"
#include "color.h"
#include "connect/connect.h"
#include "connect/explain.h"
#include "connect/find.h"
#include "connect/listing.h"
#include "connect/peer.h"
#include "connect/state.h"
#include "connect/stale_sockets.h"
#include "options.h"
#include "process.h"
#include "prompt/repl.h"
#include "eval/script.h"
#include "connect/tls_files.h"
#include "stacks/fetch.h"
#include "stacks/ask_gil.h"
#include "stacks/check.h"
#include "stacks/core.h"
#include "stacks/family.h"
#include "stacks/no_server.h"
#include "stacks/others.h"
#include "stacks/outside.h"
#include "stacks/print.h"
#include "stacks/seen.h"
#include "text.h"
#include "watch.h"

/* The exit statuses besides EXIT_SUCCESS and EXIT_FAILURE. EXIT_FAILURE means that something failed
 * after a server was found. stacks/check.h has those for --check. See pystuck(1). */
enum { EXIT_USAGE = 2, EXIT_NO_SERVER = 2 };

/* How long to wait for a script on standard input, in ms. If no script comes in this time, the
 * stacks are printed. */
#define SCRIPT_WAIT_MS 1000

/* How long to wait for the answer of each server of a family, in ms. After that, the stacks are
 * read from outside, without the server. Used if --timeout is not given. */
#define OUTSIDE_AFTER_MS 1500

/* How much memory malloc() gets from the kernel at a time, in bytes. */
#define MALLOC_STEP (512 * 1024)

/* How many descendants of a process without Python are looked at. */
#define DESCENDANTS_MAX 50

/* How long to wait until the program can run code, if --timeout is not given, in ms. */
#define ROOT_WAIT_MS 10000

static void close_conn(rpyc_conn **conn)
{
    rpyc_close(*conn);
}

/* Prints a line on stderr. put: text_print, or text_print_name for a line that must not break. */
static void put_line(void (*put)(FILE *stream, const char *text, size_t len), const char *line)
{
    fprintf(stderr, "%spystuck: ", color_begin(stderr, COLOR_ERROR));
    put(stderr, line, strlen(line));
    fprintf(stderr, "%s\n", color_end(stderr));
}

static void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints a line on stderr. The line may quote text of the debuggee, so text_print() escapes it. */
static void complain(const char *format, ...)
{
    char line[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    put_line(text_print, line);
}

/* Prints an error after the words in `doing`. For a remote exception, also prints the traceback.
 * Returns EXIT_FAILURE. */
static int report_failure(const char *doing, const struct rpyc_error *err)
{
    const char *traceback;

    complain("%s%s", doing, err->text);
    if (!err->remote)
        return EXIT_FAILURE;
    traceback = rpyc_exception_traceback(err->remote);
    color_print_failure(stderr, traceback, strlen(traceback));
    if (*traceback && traceback[strlen(traceback) - 1] != '\n')
        fputc('\n', stderr);
    return EXIT_FAILURE;
}

/* Call if nothing listens on the default address. Prints which processes have servers on other
 * addresses. If no process has a server, prints how to start a server. */
static void report_no_server(const struct rpyc_error *err)
{
    struct servers found;

    find_all(&found);
    if (!listing_suggest(stderr, err->text, &found)) {
        complain("%s", err->text);
        options_instructions(stderr);
    }
    find_free(&found);
}

/* Prints that code could not be run in time. If the server reports that the GIL is not available,
 * also prints this report. Returns EXIT_FAILURE. */
static int report_timeout(const struct options *options, const char *what)
{
    struct gil_words gil;

    if (stacks_ask_gil(options, &gil))
        complain("%s: %s", what, gil.text);
    else
        complain("%s", what);
    return EXIT_FAILURE;
}

/* Prints why the connection failed. Returns the exit status. */
static int report_no_connection(const struct options *options, struct rpyc_error *err)
{
    switch (explain_failure(options, err)) {
    case EXPLAIN_NO_SERVER:
        report_no_server(err);
        return EXIT_NO_SERVER;
    case EXPLAIN_REFUSED:
        complain("%s", err->text);
        return EXIT_FAILURE;
    case EXPLAIN_USAGE:
        complain("%s", err->text);
        return EXIT_USAGE;
    case EXPLAIN_OTHER:
        break;
    }
    return report_failure("", err);
}

static bool is_json(const struct options *options)
{
    return options->format == FORMAT_JSON || options->format == FORMAT_JSON_LINES;
}

/* Checks that all output was written, and returns the exit status. A reader that ends (`pystuck |
 * head`) normally kills pystuck by SIGPIPE, silently, as shell users expect. This check is for a
 * full disk, and for EPIPE if the parent process ignores SIGPIPE. */
static int flush_stdout(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_SUCCESS;
    complain("cannot write to standard output: %s", strerror(errno));
    return EXIT_FAILURE;
}

/* Call if the connection failed and had no early request. No server answers such a connection while
 * the GIL is held. If the GIL is the cause of the failure, prints this cause and returns true. */
static bool report_gil(const struct options *options, const struct rpyc_error *err)
{
    struct gil_words gil;

    if (err->code != RPYC_ETIMEOUT || !stacks_ask_gil(options, &gil))
        return false;
    complain("cannot run code: %s", gil.text);
    return true;
}

/* True if a prompt must be opened: the options allow it, and standard input and output are
 * terminals. */
static bool is_prompt_wanted(const struct options *options)
{
    return options->prompt && !is_json(options) && options->code_count == 0 &&
           isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

/* ---- Processes that are read from outside ---------------------------------------------------- */

/* True if the stacks may be read from outside although the process has a server: the server did not
 * answer, or root has refused it because it belongs to another user. False if the server has
 * refused pystuck, or if --server-user has refused the server. */
static bool may_go_round(const struct rpyc_error *err)
{
    return err->code == RPYC_ETIMEOUT || err->code == RPYC_ESYSTEM || peer_was_refused();
}

/* If it is certain why the server of a process does not answer, prints why. */
static void report_state(pid_t pid)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    char state[STATE_TEXT_SIZE];
    struct servers found;

    if (find_of_process(&found, pid, &err) == 0 && state_describe(&found.all[0], state))
        complain("process %d (%.*s) %s", (int)pid, find_brief(found.all[0].command),
                 found.all[0].command, state);
    find_free(&found);
}

/* Call after the stacks of a process were read from outside. If has_server is true, prints why the
 * stacks are not from the server of the process. Otherwise, prints why the process has no server.
 * err: the error of the connection to the server; NULL: the connection still waits. */
static void report_outside(const struct options *options, pid_t pid, bool has_server,
                           const struct outside *outside, const struct rpyc_error *err)
{
    char why[NO_SERVER_TEXT_SIZE];

    if (outside->also[0])
        complain("%s", outside->also);
    if (has_server && err && peer_was_refused()) {
        complain("%s. The stacks were read from outside the process", err->text);
        return;
    }
    if (has_server) {
        report_state(pid);
        complain("the server of process %d does not answer: the stacks were read from outside the "
                 "process%s",
                 (int)pid,
                 !err && is_prompt_wanted(options)
                     ? "; the prompt opens when the server answers, Ctrl-C exits"
                     : "");
        return;
    }
    no_server_explain(pid, outside->has_pystuck, why);
    complain("%s", why);
}

/* Prints the stacks of a process. Returns the exit status. */
static int print_report(struct report_process *process, const struct options *options)
{
    int status;

    if (options->seen)
        stacks_seen_add(options->seen, process);
    stacks_print(stdout, process, options->format, options->full);
    status = flush_stdout();
    return status == EXIT_SUCCESS && options->check ? (int)stacks_check(process) : status;
}

/* Returns the higher one of two exit statuses. */
static int worst(int status, int other)
{
    return status > other ? status : other;
}

/* Prints the stacks of each Python of a process, with a heading. The stacks are in the entries of
 * report->processes from the index `first` on: one entry for each Python. In JSON, prints nothing.
 */
static void print_pythons(const struct report *report, size_t first, const struct options *options)
{
    char heading[128];
    size_t i;

    for (i = first; !is_json(options) && i < report->processes.count; i++) {
        const struct report_process *p = &report->processes.items[i];

        int64_t pid = p->pid_outside ? p->pid_outside : p->pid;

        if (pid == REPORT_UNKNOWN)
            snprintf(heading, sizeof(heading), "Python %.*s", (int)p->python.len, p->python.data);
        else
            snprintf(heading, sizeof(heading), "process %" PRId64 ", Python %.*s", pid,
                     (int)p->python.len, p->python.data);
        stacks_print_heading(stdout, heading, options->format);
        stacks_print(stdout, p, options->format, options->full);
    }
}

/* Returns the highest of the exit statuses that stacks_check() gives for the processes of a report,
 * from the process with the index `first` on. */
static int check_from(const struct report *report, size_t first)
{
    int status = EXIT_SUCCESS;

    for (; first < report->processes.count; first++)
        status = worst(status, (int)stacks_check(&report->processes.items[first]));
    return status;
}

/* Prints the stacks of a process that may run several Pythons. Returns the exit status. */
static int print_all(struct report *report, const struct options *options)
{
    int status;
    size_t i;

    if (report->processes.count == 1)
        return print_report(&report->processes.items[0], options);
    for (i = 0; options->seen && i < report->processes.count; i++)
        stacks_seen_add(options->seen, &report->processes.items[i]);
    report->schema = REPORT_SCHEMA;
    report->time = (double)time(NULL);
    print_pythons(report, 0, options);
    if (is_json(options))
        stacks_print_json_all(stdout, report, options->format);
    status = flush_stdout();
    return status == EXIT_SUCCESS && options->check ? check_from(report, 0) : status;
}

/* Returns the exit status for a process that could not be read. */
static int failure_of(const struct outside *outside)
{
    return outside->result == OUTSIDE_NO_PYTHON || outside->result == OUTSIDE_NO_PROCESS
               ? EXIT_NO_SERVER
               : EXIT_FAILURE;
}

/* Returns the ID of a process that runs Python and is a descendant of the process options->pid,
 * which may be a shell. Returns 0 if no such descendant was found. Looks at no more than
 * DESCENDANTS_MAX descendants. Stops at the first descendant that cannot be read, because trying to
 * read a process may take long. */
static pid_t find_python_below(const struct options *options)
{
    struct family family __attribute__((cleanup(family_free)));
    enum outside_result result = OUTSIDE_NO_PYTHON;
    struct outside outside;
    struct report report;
    size_t i;

    family_find(&family, options->pid);
    for (i = 1; i < family.count && i <= DESCENDANTS_MAX && result != OUTSIDE_FAILED; i++) {
        report_init(&report, STACKS_MEMORY_MAX);
        result = outside_read(&report, family.pids[i], options->timeout_ms, false, &outside);
        report_free(&report);
        if (result == OUTSIDE_READ)
            return family.pids[i];
    }
    return 0;
}

/* Prints why a process cannot be read. If a descendant of the process can be read, also prints the
 * commands that read the descendant. Returns the exit status. */
static int report_unreadable(const struct options *options, const struct outside *outside)
{
    pid_t below = outside->result == OUTSIDE_NO_PYTHON ? find_python_below(options) : 0;
    CLEAN_TEXT char *command = below ? process_command(below) : NULL;

    if (below)
        complain("%s. Its descendant %d (%.*s) runs Python: run 'pystuck --pid %d', or 'pystuck "
                 "--pid %d --subprocesses'",
                 outside->why, (int)below, command ? find_brief(command) : 0,
                 command ? command : "", (int)below, (int)options->pid);
    else
        complain("%s", outside->why);
    return failure_of(outside);
}

/* Call if the connection to the server of the process pid failed with *err, or if the connection
 * still waits; then err is NULL. Reads the stacks from outside if the process has no server, or if
 * may_go_round() allows it. Returns false if nothing was printed. */
static bool show_outside(const struct options *options, pid_t pid, const struct rpyc_error *err,
                         int *status)
{
    struct report report __attribute__((cleanup(report_free)));
    struct outside outside;
    bool has_server = find_is_served(pid);

    report_init(&report, STACKS_MEMORY_MAX);
    if (has_server && err && !may_go_round(err))
        return false;
    if (outside_read(&report, pid, options->timeout_ms, options->locals, &outside) ==
        OUTSIDE_READ) {
        if (!options->seen || stacks_seen_is_first(options->seen))
            report_outside(options, pid, has_server, &outside, err);
        *status = others_conclude(&report, 0) ? print_all(&report, options) : EXIT_FAILURE;
        return true;
    }
    if (has_server || !options->pid)
        return false;
    *status = report_unreadable(options, &outside);
    return true;
}

/* ---- Servers --------------------------------------------------------------------------------- */

static struct stacks_wish wish_of(const struct options *options)
{
    return (struct stacks_wish){.greenlets = options->greenlets,
                                .locals = options->locals,
                                .others = true,
                                .execute = options->execute,
                                .bare = options->stacks == CHOICE_NO};
}

static int show_stacks(rpyc_conn *conn, const struct options *options)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    struct report report __attribute__((cleanup(report_free)));
    const struct stacks_wish wish = wish_of(options);

    report_init(&report, STACKS_MEMORY_MAX);
    if (stacks_fetch(conn, &wish, 0, &report, &err) != 0)
        return report_failure("cannot get the stacks: ", &err);
    if (!is_json(options) && report.processes.items[0].threads.count == 0) {
        /* The server has forked for this client, and the child has only the thread that serves the
         * client. */
        complain("the only thread of the process is the thread that serves pystuck");
        return EXIT_SUCCESS;
    }
    return print_report(&report.processes.items[0], options);
}

/* True if standard input may contain a script. */
static bool may_be_script(const struct options *options)
{
    return options->prompt && !is_json(options) && options->code_count == 0 &&
           !isatty(STDIN_FILENO);
}

/* Returns the words to print before an error of the connection that occurred while cells ran. */
static const char *cause_of(const struct rpyc_error *err)
{
    bool is_gone = err->code == RPYC_ECLOSED || err->code == RPYC_ESYSTEM;

    return is_gone ? "the connection to the debuggee is lost: " : "";
}

/* Runs the code of the options -c and then the script. Returns the exit status. */
static int run_cells(rpyc_conn *conn, const struct options *options, const char *script)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    int status = EXIT_FAILURE;

    if (rpyc_await_root(conn, options->timeout_ms > 0 ? options->timeout_ms : ROOT_WAIT_MS, &err) ==
        0)
        status = script_run(conn, options, script, &err);
    else if (err.code == RPYC_ETIMEOUT)
        return report_timeout(options, "cannot run code");
    if (err.code == RPYC_ETIMEOUT)
        report_timeout(options, err.text);
    else if (err.code != RPYC_OK)
        report_failure(cause_of(&err), &err);
    return status == EXIT_SUCCESS ? flush_stdout() : status;
}

/* Prints the stacks if there is no code to run, or with --stacks. Then runs the code of -c or the
 * script. Then opens the prompt if is_prompt_wanted() is true. Returns the exit status. */
static int run_connected(rpyc_conn **conn, const struct options *options, const char *script)
{
    bool has_cells = options->code_count > 0 || script;
    int status = EXIT_SUCCESS;

    if (options->stacks == CHOICE_YES || (options->stacks == CHOICE_DEFAULT && !has_cells))
        status = show_stacks(*conn, options);
    if (status == EXIT_SUCCESS && has_cells)
        status = run_cells(*conn, options, script);
    if (status == EXIT_SUCCESS && is_prompt_wanted(options))
        status = repl_run(conn, options);
    return status;
}

/* True if the request for the stacks must be sent early, because the stacks will probably be
 * printed or a prompt opened. An early request is answered even while the program cannot run
 * Python. */
static bool is_early(const struct options *options)
{
    bool has_cells = options->code_count > 0 || (options->prompt && script_is_there());

    return options->stacks == CHOICE_YES || (options->stacks == CHOICE_DEFAULT && !has_cells) ||
           is_prompt_wanted(options);
}

/* The stacks that were read from outside while the client connected. */
struct meanwhile {
    const struct options *options;
    bool shown; /* they were printed */
    int status; /* the exit status, if they were printed */
};

/* Prints the stacks of a process whose server does not answer. See struct silence. */
static bool show_meanwhile(pid_t pid, bool *told, void *arg)
{
    struct meanwhile *m = arg;

    *told = m->shown = show_outside(m->options, pid, NULL, &m->status);
    return !m->shown || is_prompt_wanted(m->options);
}

/* Returns the process of this machine whose server the options name; 0: none was found. */
static pid_t find_process(const struct options *options)
{
    const struct address address = connect_address(options);
    const struct server *s;
    struct servers found;
    pid_t pid;

    if (options->pid)
        return options->pid;
    find_all(&found);
    s = find_at(&found, &address);
    pid = s ? s->pid : 0;
    find_free(&found);
    return pid;
}

/* Connects. If the server does not answer, and its stacks were to be printed, prints the stacks
 * that are read from outside, and sets options->stacks to CHOICE_NO. Then a prompt may still wait
 * for the answer. If the connection fails, *conn is NULL. In this case, if no stacks were printed,
 * prints why the connection failed. Returns the exit status. */
static int open_connection(rpyc_conn **conn, struct options *options)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    const struct stacks_wish wish = wish_of(options);
    struct meanwhile meanwhile = {options, false, EXIT_SUCCESS};
    const struct silence silence = {show_meanwhile, &meanwhile};
    bool early = is_early(options);
    bool outside = early && options->code_count == 0 && options->stacks != CHOICE_NO;
    pid_t pid;
    int result = early ? stacks_connect(conn, options, &wish, outside ? &silence : NULL, &err)
                       : connect_server(conn, options, NULL, NULL, &err);

    if (result == 0) {
        if (meanwhile.shown)
            options->stacks = CHOICE_NO;
        return EXIT_SUCCESS;
    }
    if (meanwhile.shown && !is_prompt_wanted(options))
        return meanwhile.status;
    if (outside && !meanwhile.shown && (pid = find_process(options)) != 0 &&
        show_outside(options, pid, &err, &meanwhile.status))
        return meanwhile.status;
    if (!early && report_gil(options, &err))
        return EXIT_FAILURE;
    return report_no_connection(options, &err);
}

/* ---- Several processes ----------------------------------------------------------------------- */

/* Adds the stacks of one process to the report. Gets the stacks from the server of the process. If
 * the server does not answer, reads the stacks from outside. */
static void add_process(const struct options *options, pid_t pid, struct report *report,
                        struct outside *outside)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    rpyc_conn *conn __attribute__((cleanup(close_conn))) = NULL;
    struct stacks_wish wish = wish_of(options);
    size_t count = report->processes.count;
    struct options one = *options;

    *outside = (struct outside){.result = OUTSIDE_READ};
    one.pid = pid;
    one.connect_ms = OUTSIDE_AFTER_MS;
    wish.others = false; /* most of them are in the family, too */
    if (find_is_served(pid) && stacks_connect(&conn, &one, &wish, NULL, &err) == 0 &&
        stacks_fetch(conn, &wish, 0, report, &err) == 0)
        return;
    report->processes.count = count; /* without the process if it was read only in part */
    outside_read(report, pid, options->timeout_ms, options->locals, outside);
}

/* Adds a process to the list of the processes that could not be read. room: how many processes to
 * allocate memory for. */
static void add_failure(struct report *report, pid_t pid, const char *why, size_t room)
{
    struct report_failure *to;
    char target[16];
    int len = snprintf(target, sizeof(target), "%d", (int)pid);

    if (!report->failed.items)
        report->failed.items = arena_array(&report->arena, room, sizeof(*to));
    if (!report->failed.items)
        return;
    to = &report->failed.items[report->failed.count++];
    to->target = report_text(report, target, (size_t)len);
    to->why = report_text(report, why, strlen(why));
}

/* Prints why processes could not be read: the entries of report->failed from the index `first` on.
 * In JSON, prints nothing. */
static void print_failures(const struct options *options, const struct report *report, size_t first)
{
    char heading[OUTSIDE_TEXT_SIZE];

    for (; !is_json(options) && first < report->failed.count; first++) {
        const struct report_text *why = &report->failed.items[first].why;

        snprintf(heading, sizeof(heading), "%.*s", (int)why->len, why->data);
        stacks_print_heading(stdout, heading, options->format);
    }
}

/* Prints a heading and the stacks of a process. The stacks are in the entries of report->processes
 * from the index `first` on: one entry for each Python. In JSON, prints nothing. */
static void print_process(const struct options *options, pid_t pid, const struct report *report,
                          size_t first)
{
    CLEAN_TEXT char *command = process_command(pid);
    char heading[256];

    if (is_json(options))
        return;
    snprintf(heading, sizeof(heading), "process %d (%.*s)", (int)pid,
             command ? find_brief(command) : 0, command ? command : "");
    stacks_print_heading(stdout, heading, options->format);
    if (report->processes.count - first > 1)
        print_pythons(report, first, options);
    else
        stacks_print(stdout, &report->processes.items[first], options->format, options->full);
}

/* Call if no process of a family could be read. Prints the reasons. status: EXIT_FAILURE if one of
 * the processes may run Python. Returns the exit status. */
static int report_failures(const struct report *report, int status)
{
    size_t i;

    for (i = 0; i < report->failed.count; i++)
        complain("%.*s", (int)report->failed.items[i].why.len, report->failed.items[i].why.data);
    return status == EXIT_FAILURE ? status : EXIT_NO_SERVER;
}

/* Reads a process of a family, and prints its stacks, or the reason why it could not be read. As
 * long as no process of the family has been read, only stores the reasons; prints them when the
 * first process has been read. Returns the exit status. room: the number of processes of the
 * family. */
static int show_relative(const struct options *options, pid_t pid, struct report *report,
                         size_t room, struct outside *outside)
{
    size_t first = report->processes.count, failed = report->failed.count, i;

    add_process(options, pid, report, outside);
    for (i = first; options->seen && i < report->processes.count; i++)
        stacks_seen_add(options->seen, &report->processes.items[i]);
    if (outside->result == OUTSIDE_READ) {
        if (first == 0)
            print_failures(options, report, 0);
        print_process(options, pid, report, first);
        return options->check ? check_from(report, first) : EXIT_SUCCESS;
    }
    add_failure(report, pid, outside->why, room);
    if (first > 0)
        print_failures(options, report, failed);
    return outside->result == OUTSIDE_NOT_ALLOWED || outside->result == OUTSIDE_FAILED
               ? EXIT_FAILURE
               : EXIT_SUCCESS;
}

/* For --subprocesses: prints the stacks of a process and of its descendants. Returns the exit
 * status. If the process itself could not be read, although it may run Python, the exit status is
 * the result of failure_of(). Otherwise, the exit status is the highest of these: EXIT_FAILURE if a
 * descendant that runs Python could not be read, and the statuses that --check has found. */
static int show_family(const struct options *options)
{
    struct report report __attribute__((cleanup(report_free)));
    struct family family __attribute__((cleanup(family_free)));
    int status = EXIT_SUCCESS;
    struct outside outside;
    size_t i;

    report_init(&report, STACKS_MEMORY_MAX);
    family_find(&family, options->pid);
    report.schema = REPORT_SCHEMA;
    report.time = (double)time(NULL);
    for (i = 0; i < family.count; i++) {
        status =
            worst(status, show_relative(options, family.pids[i], &report, family.count, &outside));
        if (i == 0 && outside.result != OUTSIDE_READ && outside.result != OUTSIDE_NO_PYTHON) {
            complain("%s", outside.why);
            return failure_of(&outside);
        }
    }
    if (report.processes.count == 0)
        return report_failures(&report, status);
    outside_conclude(&report);
    stacks_print_findings(stdout, &report.findings, options->format);
    if (report.findings.count > 0 && options->check)
        status = worst(status, CHECK_DEADLOCK);
    if (is_json(options))
        stacks_print_json_all(stdout, &report, options->format);
    return flush_stdout() == EXIT_SUCCESS ? status : EXIT_FAILURE;
}

/* ---- --watch --------------------------------------------------------------------------------- */

/* For --watch: prints the stacks once. Connects if *conn is NULL, and keeps the connection for the
 * next round. Returns the exit status. */
static int show_once(rpyc_conn **conn, const struct options *options)
{
    struct options once = *options;
    int status;

    if (options->subprocesses)
        return show_family(options);
    if (!*conn) {
        status = open_connection(conn, &once);
        if (!*conn)
            return status;
    }
    return show_stacks(*conn, options);
}

/* For --watch. The user ends the client with Ctrl-C. Returns the exit status. */
static int show_again(struct options *options)
{
    rpyc_conn *conn __attribute__((cleanup(close_conn))) = NULL;
    int status = watch(options, show_once, &conn);

    if (status < 0)
        complain("out of memory");
    return status < 0 ? EXIT_FAILURE : status;
}

static int run(const struct options *given)
{
    rpyc_conn *conn __attribute__((cleanup(close_conn))) = NULL;
    char *script __attribute__((cleanup(clean_text))) = NULL;
    struct options options = *given;
    int status;

    if (options.format == FORMAT_JSON && options.prompt && script_is_there()) {
        complain("--json cannot be combined with -c, a script or --no-stacks");
        return EXIT_USAGE;
    }
    tls_files_warn(&options);
    if (options.pid)
        options.pid = process_of_thread(options.pid);
    if (options.watch_ms)
        return show_again(&options);
    if (options.subprocesses)
        return show_family(&options);
    status = open_connection(&conn, &options);
    if (!conn)
        return status;
    /* If standard input is a pipe that stays open without a script, print the stacks. */
    if (may_be_script(&options) && options.stacks != CHOICE_NO && !script_comes(SCRIPT_WAIT_MS)) {
        if (show_stacks(conn, &options) != EXIT_SUCCESS)
            return EXIT_FAILURE;
        options.stacks = CHOICE_NO;
    }
    if (may_be_script(&options) && script_read(&script) < 0) {
        complain("cannot read standard input: %s",
                 errno == EILSEQ ? "it contains a NUL character" : strerror(errno));
        return EXIT_FAILURE;
    }
    return run_connected(&conn, &options, script);
}

/* For --list: prints the processes that have a server, and removes the socket files of those that
 * were killed. Returns the exit status. */
static int list(void)
{
    struct servers found;
    int status = EXIT_NO_SERVER;

    stale_sockets_remove();
    find_all(&found);
    if (found.count > 0) {
        listing_print(stdout, &found);
        status = flush_stdout();
    } else {
        complain("no process on this machine has a pystuck server");
        options_instructions(stderr);
    }
    if (found.hidden > 0)
        complain(
            "%zu processes are hidden (/proc has the option hidepid): only root and their users "
            "can see whether they have a server",
            found.hidden);
    find_free(&found);
    return status;
}

/* For --core: prints the stacks in a core file. Returns the exit status. */
static int show_core(const struct options *options)
{
    struct report report __attribute__((cleanup(report_free)));
    char why[CORE_WHY_SIZE];
    enum core_outcome outcome;

    report_init(&report, STACKS_MEMORY_MAX);
    outcome = stacks_from_core(&report, options, why);
    if (why[0])
        put_line(text_print_name, why); /* it may quote a path that the core file has */
    if (outcome != CORE_WAS_READ)
        return outcome == CORE_IS_WRONG ? EXIT_USAGE : EXIT_FAILURE;
    return print_all(&report, options);
}

/* Opens /dev/null for each of stdin, stdout and stderr that is closed. If stdout stayed closed, the
 * connection's socket would get the descriptor 1, and output would be sent to the debuggee. stdin
 * is opened for writing, stdout and stderr for reading, so that reading stdin and writing stdout or
 * stderr still fail. */
static void occupy_standard_fds(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

/* Makes malloc() use one heap for all threads, and return no memory to the kernel. Otherwise, glibc
 * maps a heap for each thread that reads a process, and reserves 128 MB of addresses for it. */
static void allocate_simply(void)
{
#ifdef __GLIBC__
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TOP_PAD, MALLOC_STEP);
    mallopt(M_MMAP_THRESHOLD, MALLOC_STEP);
#endif
}

int main(int argc, char **argv)
{
    static struct options options; /* static, because its pointers are used until the end */

    occupy_standard_fds();
    allocate_simply();
    switch (options_parse(&options, argc, argv)) {
    case OPTIONS_RUN:
        color_choose(options.color);
        if (options.core)
            return show_core(&options);
        return options.list ? list() : run(&options);
    case OPTIONS_HELP:
        options_help(stdout);
        return flush_stdout();
    case OPTIONS_VERSION:
        puts("pystuck " PACKAGE_VERSION);
        return flush_stdout();
    case OPTIONS_WRONG:
        return EXIT_USAGE;
    }
    return EXIT_FAILURE;
}
