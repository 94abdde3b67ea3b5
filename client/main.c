/* SPDX-License-Identifier: BSD-3-Clause
 *
 * pystuck(1): looks into a Python program that is stuck.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rpyc.h>

#include "clean.h"
#include "color.h"
#include "connect/connect.h"
#include "connect/explain.h"
#include "connect/find.h"
#include "connect/listing.h"
#include "options.h"
#include "prompt/repl.h"
#include "eval/script.h"
#include "connect/tls_files.h"
#include "stacks/fetch.h"
#include "stacks/print.h"
#include "text.h"

/* Beside EXIT_SUCCESS, and EXIT_FAILURE for what goes wrong once there is a server. */
enum { EXIT_USAGE = 2, EXIT_NO_SERVER = 2 };

/* How long a script may take to begin before the stacks are shown, in ms. */
#define SCRIPT_WAIT_MS 1000

static void close_conn(rpyc_conn **conn)
{
    rpyc_close(*conn);
}

static void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One line on stderr. What is said may be quoted from the other side, hence text_print. */
static void complain(const char *format, ...)
{
    char line[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    fprintf(stderr, "%spystuck: ", color_begin(stderr, COLOR_ERROR));
    text_print(stderr, line, strlen(line));
    fprintf(stderr, "%s\n", color_end(stderr));
}

/* Says what went wrong, after a few words on what was being done; and for a remote exception where
 * over there. */
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

/* There is no server. At the default address that may be because it is elsewhere. */
static void report_nobody(const struct options *options, const struct rpyc_error *err)
{
    struct servers found = {0};

    if (!options->somewhere)
        find_all(&found);
    if (!listing_suggest(stderr, err->text, &found)) {
        complain("%s", err->text);
        options_instructions(stderr);
    }
    find_free(&found);
}

/* There is nobody who speaks RPyC with us. */
static int report_no_connection(const struct options *options, struct rpyc_error *err)
{
    switch (explain_failure(options, err)) {
    case EXPLAIN_NOBODY:
        report_nobody(options, err);
        return EXIT_NO_SERVER;
    case EXPLAIN_SOMEBODY:
        complain("%s", err->text);
        return EXIT_FAILURE;
    case EXPLAIN_MISTAKEN:
        complain("%s", err->text);
        return EXIT_USAGE;
    case EXPLAIN_OTHER:
        break;
    }
    return report_failure("", err);
}

/* Whether all that was printed has arrived. A reader that went away (`pystuck | head`) ends us with
 * SIGPIPE, silently, as a shell user expects; this is for a full disk, and for EPIPE where whoever
 * started us has SIGPIPE ignored. */
static int flush_stdout(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_SUCCESS;
    complain("cannot write to standard output: %s", strerror(errno));
    return EXIT_FAILURE;
}

static int show_stacks(rpyc_conn *conn, const struct options *options)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    struct report report __attribute__((cleanup(report_free)));
    const struct stacks_wish wish = {.greenlets = options->greenlets, .execute = options->execute};

    report_init(&report, STACKS_MEMORY_MAX);
    if (stacks_fetch(conn, &wish, &report, &err) != 0)
        return report_failure("cannot get the stacks: ", &err);
    if (options->format != FORMAT_JSON && report.processes.items[0].threads.count == 0) {
        /* a server that forks for each client has one thread, which serves this one */
        complain("there are no threads but the one that answers");
        return EXIT_SUCCESS;
    }
    stacks_print(stdout, &report.processes.items[0], options->format);
    return flush_stdout();
}

/* Whether somebody is there to talk to: the prompt was not declined, and this is no pipeline. */
static bool is_prompt_wanted(const struct options *options)
{
    return options->prompt && options->format != FORMAT_JSON && options->code_count == 0 &&
           isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

/* Whether standard input may be a script: somebody has put something there. */
static bool may_be_script(const struct options *options)
{
    return options->prompt && options->format != FORMAT_JSON && options->code_count == 0 &&
           !isatty(STDIN_FILENO);
}

/* What to say before an error of the connection while cells run. */
static const char *cause_of(const struct rpyc_error *err)
{
    bool is_gone = err->code == RPYC_ECLOSED || err->code == RPYC_ESYSTEM;

    return is_gone ? "the debuggee is not there any more: " : "";
}

/* Cells that are given, or else the stacks, and whatever of the two is asked for beside. */
static int run_connected(rpyc_conn **conn, const struct options *options, const char *script)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    bool has_cells = options->code_count > 0 || script;
    int status = EXIT_SUCCESS;

    if (options->stacks == CHOICE_YES || (options->stacks == CHOICE_DEFAULT && !has_cells))
        status = show_stacks(*conn, options);
    if (status == EXIT_SUCCESS && has_cells) {
        status = script_run(*conn, options, script, &err);
        if (err.code != RPYC_OK)
            report_failure(cause_of(&err), &err);
        if (status == EXIT_SUCCESS)
            status = flush_stdout();
    }
    if (status == EXIT_SUCCESS && is_prompt_wanted(options))
        status = repl_run(conn, options);
    return status;
}

static int run(const struct options *given)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    rpyc_conn *conn __attribute__((cleanup(close_conn))) = NULL;
    char *script __attribute__((cleanup(clean_text))) = NULL;
    struct options options = *given;

    if (options.format == FORMAT_JSON && options.prompt && script_is_there()) {
        complain("--json goes with neither -c, nor a script, nor --no-stacks");
        return EXIT_USAGE;
    }
    tls_files_warn(&options);
    if (connect_server(&conn, &options, &err) != 0)
        return report_no_connection(&options, &err);
    /* Whoever has left a pipe open there waits for the stacks, and maybe for ever. */
    if (may_be_script(&options) && options.stacks != CHOICE_NO && !script_comes(SCRIPT_WAIT_MS)) {
        if (show_stacks(conn, &options) != EXIT_SUCCESS)
            return EXIT_FAILURE;
        options.stacks = CHOICE_NO;
    }
    if (may_be_script(&options) && script_read(&script) < 0) {
        complain("cannot read standard input: %s",
                 errno == EILSEQ ? "there is a NUL character in it" : strerror(errno));
        return EXIT_FAILURE;
    }
    return run_connected(&conn, &options, script);
}

/* Shows the processes that have a server. */
static int list(void)
{
    struct servers found;
    int status = EXIT_NO_SERVER;

    find_all(&found);
    if (found.count > 0) {
        listing_print(stdout, &found);
        status = flush_stdout();
    } else {
        complain("no process here has a server");
        options_instructions(stderr);
    }
    if (found.hidden > 0)
        complain("%zu processes are hidden here (hidepid): only root and their own users can see "
                 "whether they have a server",
                 found.hidden);
    find_free(&found);
    return status;
}

/* Puts /dev/null where stdin, stdout or stderr is closed: the socket would get that number, and the
 * debuggee what we print. Opened the wrong way round, so that to use it is still an error. */
static void occupy_standard_fds(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int main(int argc, char **argv)
{
    static struct options options; /* what it points to is there to the end */

    occupy_standard_fds();
    switch (options_parse(&options, argc, argv)) {
    case OPTIONS_RUN:
        color_choose(options.color);
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
