/* SPDX-License-Identifier: BSD-3-Clause */
#include "show.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "complain.h"
#include "stacks/check.h"
#include "stacks/print.h"
#include "stacks/seen.h"

int show_report(struct report_process *process, const struct options *options)
{
    int status;

    if (options->seen)
        stacks_seen_add(options->seen, process);
    stacks_print(stdout, process, options->format, options->full);
    status = complain_unless_flushed();
    return status == EXIT_SUCCESS && options->check ? (int)stacks_check(process) : status;
}

int show_worst(int status, int other)
{
    return status > other ? status : other;
}

void show_pythons(const struct report *report, size_t first, const struct options *options)
{
    char heading[128];
    size_t i;

    for (i = first; !options_is_json(options) && i < report->processes.count; i++) {
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

int show_check(const struct report *report, size_t first)
{
    int status = EXIT_SUCCESS;

    for (; first < report->processes.count; first++)
        status = show_worst(status, (int)stacks_check(&report->processes.items[first]));
    return status;
}

int show_all(struct report *report, const struct options *options)
{
    int status;
    size_t i;

    if (report->processes.count == 1)
        return show_report(&report->processes.items[0], options);
    for (i = 0; options->seen && i < report->processes.count; i++)
        stacks_seen_add(options->seen, &report->processes.items[i]);
    report->schema = REPORT_SCHEMA;
    report->time = (double)time(NULL);
    show_pythons(report, 0, options);
    if (options_is_json(options))
        stacks_print_json_all(stdout, report, options->format);
    status = complain_unless_flushed();
    return status == EXIT_SUCCESS && options->check ? show_check(report, 0) : status;
}
