/* SPDX-License-Identifier: BSD-3-Clause */
#include "prompt/magic_stacks.h"

#include <stdio.h>

#include "clean.h"
#include "diagnosis/lock_list.h"
#include "prompt/magic.h"
#include "prompt/shell.h"
#include "prompt/terminal.h"
#include "stacks/fetch.h"
#include "stacks/print.h"

/* How long to wait for the stacks on the connection of the prompt, in ms. The thread that serves
 * this connection in the program may be blocked. */
#define PATIENCE_MS 1000

/* Gets the stacks on the connection of the prompt. If this connection is blocked or the server does
 * not answer in time, gets the stacks on a new connection. */
static int fetch(const struct shell *shell, struct report *report, struct rpyc_error *err)
{
    const struct stacks_wish wish = {.greenlets = shell->options->greenlets,
                                     .locals = shell->options->locals,
                                     .execute = shell->options->execute};

    if (!shell_is_blocked(shell)) {
        if (stacks_fetch(shell->conn, &wish, PATIENCE_MS, report, err) == 0)
            return 0;
        if (err->code != RPYC_ETIMEOUT)
            return -1;
        rpyc_error_clear(err);
    }
    return stacks_fetch_apart(shell->options, &wish, report, err);
}

/* Prints a process of a report. */
typedef void print_function(const struct shell *shell, struct report *report,
                            const struct report_process *process);

static void print_threads(const struct shell *shell, struct report *report,
                          const struct report_process *process)
{
    (void)report;
    stacks_print(stdout, process, shell->options->format, shell->options->full);
}

static void print_why(const struct shell *shell, struct report *report,
                      const struct report_process *process)
{
    (void)report;
    stacks_print_why(stdout, process, shell->options->full);
}

static void print_tasks(const struct shell *shell, struct report *report,
                        const struct report_process *process)
{
    (void)report;
    stacks_print_tasks(stdout, process, shell->options->full);
}

static void print_locks(const struct shell *shell, struct report *report,
                        const struct report_process *process)
{
    lock_list locks;

    (void)shell;
    if (lock_list_make(report, process, &locks))
        stacks_print_locks(stdout, &locks);
    else
        fputs("out of memory\n", stderr);
}

/* Gets the stacks and prints them. */
static void show(struct shell *shell, print_function *print)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    struct report report __attribute__((cleanup(report_free)));

    report_init(&report, STACKS_MEMORY_MAX);
    if (!shell->conn && !shell_is_connected(shell))
        return;
    terminal_run();
    if (fetch(shell, &report, &err) < 0)
        shell_complain("cannot get the stacks: ", &err);
    else
        print(shell, &report, &report.processes.items[0]);
}

static void run_threads(struct shell *shell, const struct magic *magic, const char *argument)
{
    (void)magic;
    (void)argument;
    show(shell, print_threads);
}

static void run_tasks(struct shell *shell, const struct magic *magic, const char *argument)
{
    (void)magic;
    (void)argument;
    show(shell, print_tasks);
}

static void run_why(struct shell *shell, const struct magic *magic, const char *argument)
{
    (void)magic;
    (void)argument;
    show(shell, print_why);
}

static void run_locks(struct shell *shell, const struct magic *magic, const char *argument)
{
    (void)magic;
    (void)argument;
    show(shell, print_locks);
}

static struct magic magics[] = {
    MAGIC("locks", NULL, "show each known lock, its holder and its waiters", run_locks),
    MAGIC("show threads", NULL, "the same as %threads", run_threads),
    MAGIC("tasks", NULL, "show the asyncio tasks, and what each one awaits", run_tasks),
    MAGIC("threads", NULL, "show the stacks of all threads", run_threads),
    MAGIC("why", NULL, "show again why the program is stuck", run_why),
};

void magic_stacks_register(void)
{
    magic_register(magics, sizeof(magics) / sizeof(*magics));
}
