/* SPDX-License-Identifier: BSD-3-Clause
 *
 * pystuck(1): shows where a Python program is stuck.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <errno.h>
#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rpyc.h>

#include "clean.h"
#include "complain.h"
#include "connect/connect.h"
#include "connect/explain.h"
#include "connect/find.h"
#include "connect/listing.h"
#include "connect/stale_sockets.h"
#include "options.h"
#include "process.h"
#include "prompt/repl.h"
#include "eval/script.h"
#include "connect/tls_files.h"
#include "stacks/fetch.h"
#include "stacks/ask_gil.h"
#include "show.h"
#include "show_family.h"
#include "show_outside.h"
#include "stacks/core.h"
#include "stacks/print.h"
#include "watch.h"

/* How long to wait for a script on standard input, in ms. If no script comes in this time, the
 * stacks are printed. */
#define SCRIPT_WAIT_MS 1000

/* How much memory malloc() gets from the kernel at a time, in bytes. */
#define MALLOC_STEP (512 * 1024)

/* How long to wait until the program can run code, if --timeout is not given, in ms. */
#define ROOT_WAIT_MS 10000

static void close_conn(rpyc_conn **conn)
{
    rpyc_close(*conn);
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
    return complain_failure("", err);
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

/* ---- Servers --------------------------------------------------------------------------------- */

static int show_stacks(rpyc_conn *conn, const struct options *options)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    struct report report __attribute__((cleanup(report_free)));
    const struct stacks_wish wish = stacks_wish_of(options);

    report_init(&report, STACKS_MEMORY_MAX);
    if (stacks_fetch(conn, &wish, 0, &report, &err) != 0)
        return complain_failure("cannot get the stacks: ", &err);
    if (!options_is_json(options) && report.processes.items[0].threads.count == 0) {
        /* The server has forked for this client, and the child has only the thread that serves the
         * client. */
        complain("the only thread of the process is the thread that serves pystuck");
        return EXIT_SUCCESS;
    }
    return show_report(&report.processes.items[0], options);
}

/* True if standard input may contain a script. */
static bool may_be_script(const struct options *options)
{
    return options->prompt && !options_is_json(options) && options->code_count == 0 &&
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
        complain_failure(cause_of(&err), &err);
    return status == EXIT_SUCCESS ? complain_unless_flushed() : status;
}

/* Prints the stacks if there is no code to run, or with --stacks. Then runs the code of -c or the
 * script. Then opens the prompt if options_opens_prompt() is true. Returns the exit status. */
static int run_connected(rpyc_conn **conn, const struct options *options, const char *script)
{
    bool has_cells = options->code_count > 0 || script;
    int status = EXIT_SUCCESS;

    if (options->stacks == CHOICE_YES || (options->stacks == CHOICE_DEFAULT && !has_cells))
        status = show_stacks(*conn, options);
    if (status == EXIT_SUCCESS && has_cells)
        status = run_cells(*conn, options, script);
    if (status == EXIT_SUCCESS && options_opens_prompt(options))
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
           options_opens_prompt(options);
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
    return !m->shown || options_opens_prompt(m->options);
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
    const struct stacks_wish wish = stacks_wish_of(options);
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
    if (meanwhile.shown && !options_opens_prompt(options))
        return meanwhile.status;
    if (outside && !meanwhile.shown && (pid = find_process(options)) != 0 &&
        show_outside(options, pid, &err, &meanwhile.status))
        return meanwhile.status;
    if (!early && report_gil(options, &err))
        return EXIT_FAILURE;
    return report_no_connection(options, &err);
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
        status = complain_unless_flushed();
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
        complain_name(why); /* it may quote a path that the core file has */
    if (outcome != CORE_WAS_READ)
        return outcome == CORE_IS_WRONG ? EXIT_USAGE : EXIT_FAILURE;
    return show_all(&report, options);
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
        return complain_unless_flushed();
    case OPTIONS_VERSION:
        puts("pystuck " PACKAGE_VERSION);
        return complain_unless_flushed();
    case OPTIONS_WRONG:
        return EXIT_USAGE;
    }
    return EXIT_FAILURE;
}
