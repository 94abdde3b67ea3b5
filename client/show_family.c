/* SPDX-License-Identifier: BSD-3-Clause */
#include "show_family.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clean.h"
#include "complain.h"
#include "connect/find.h"
#include "process.h"
#include "show.h"
#include "show_outside.h"
#include "stacks/check.h"
#include "stacks/family.h"
#include "stacks/fetch.h"
#include "stacks/print.h"
#include "stacks/seen.h"

/* How long to wait for the answer of each server of a family, in ms. After that, the stacks are
 * read from outside, without the server. Used if --timeout is not given. */
#define OUTSIDE_AFTER_MS 1500

static void close_conn(rpyc_conn **conn)
{
    rpyc_close(*conn);
}

/* Adds the stacks of one process to the report. Gets the stacks from the server of the process. If
 * the server does not answer, reads the stacks from outside. */
static void add_process(const struct options *options, pid_t pid, struct report *report,
                        struct outside *outside)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    rpyc_conn *conn __attribute__((cleanup(close_conn))) = NULL;
    struct stacks_wish wish = stacks_wish_of(options);
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

    for (; !options_is_json(options) && first < report->failed.count; first++) {
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

    if (options_is_json(options))
        return;
    snprintf(heading, sizeof(heading), "process %d (%.*s)", (int)pid,
             command ? find_brief(command) : 0, command ? command : "");
    stacks_print_heading(stdout, heading, options->format);
    if (report->processes.count - first > 1)
        show_pythons(report, first, options);
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
        return options->check ? show_check(report, first) : EXIT_SUCCESS;
    }
    add_failure(report, pid, outside->why, room);
    if (first > 0)
        print_failures(options, report, failed);
    return outside->result == OUTSIDE_NOT_ALLOWED || outside->result == OUTSIDE_FAILED
               ? EXIT_FAILURE
               : EXIT_SUCCESS;
}

int show_family(const struct options *options)
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
        status = show_worst(
            status, show_relative(options, family.pids[i], &report, family.count, &outside));
        if (i == 0 && outside.result != OUTSIDE_READ && outside.result != OUTSIDE_NO_PYTHON) {
            complain("%s", outside.why);
            return show_outside_failure(&outside);
        }
    }
    if (report.processes.count == 0)
        return report_failures(&report, status);
    outside_conclude(&report);
    stacks_print_findings(stdout, &report.findings, options->format);
    if (report.findings.count > 0 && options->check)
        status = show_worst(status, CHECK_DEADLOCK);
    if (options_is_json(options))
        stacks_print_json_all(stdout, &report, options->format);
    return complain_unless_flushed() == EXIT_SUCCESS ? status : EXIT_FAILURE;
}
