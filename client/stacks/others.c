/* SPDX-License-Identifier: BSD-3-Clause */
#include "stacks/others.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connect/find.h"
#include "diagnosis/diagnose.h"
#include "process.h"
#include "procfs/call_waits.h"
#include "procfs/clock.h"
#include "stacks/outside.h"

#define OTHERS_MS 500 /* how long the other processes of a process may be read */

static struct report_other *other_at(const struct report *r, size_t process, size_t index)
{
    return &r->processes.items[process].others.items[index];
}

/* Returns a command line from the name of its program on, without the folder of the program. */
static const char *without_folder(const char *command)
{
    const size_t word = strcspn(command, " ");
    const char *slash = memrchr(command, '/', word);

    return slash ? slash + 1 : command;
}

static void set_command(struct report *r, struct report_other *other)
{
    char *command = process_command((pid_t)other->pid);
    struct report_text text = {NULL, 0};
    const char *start;

    if (command && command[0] != '[') { /* in brackets, it is the name that is known already */
        start = without_folder(command);
        text = report_text_of_bytes(r, start, (size_t)find_brief(start));
    }
    if (text.data)
        other->command = text;
    free(command);
}

/* Reads one of the other processes of a process. Its threads and objects stay in the memory of the
 * report. */
static void read_one(struct report *r, size_t process, size_t index, int timeout_ms)
{
    const pid_t pid = (pid_t)other_at(r, process, index)->pid;
    const size_t count = r->processes.count;
    struct report_other *to;
    struct outside outside;

    set_command(r, other_at(r, process, index));
    if (outside_read(r, pid, timeout_ms, false, &outside) == OUTSIDE_READ) {
        const struct report_process *from = &r->processes.items[count];

        to = other_at(r, process, index);
        to->python = from->python;
        to->threads.items = from->threads.items;
        to->threads.count = from->threads.count;
        to->objects.items = from->objects.items;
        to->objects.count = from->objects.count;
    }
    r->processes.count = count;
}

/* Removes waits of threads that have run since they were read, so that the waits of all processes
 * are of the same moment. */
static void check_waits(const struct report *r, size_t index)
{
    const struct report_process *p = &r->processes.items[index];
    char folder[32];
    size_t i;

    snprintf(folder, sizeof(folder), "/proc/%d", (int)p->pid);
    call_waits_check(folder, p->threads.items, p->threads.count);
    for (i = 0; i < p->others.count; i++) {
        const struct report_other *other = &p->others.items[i];

        snprintf(folder, sizeof(folder), "/proc/%d", (int)other->pid);
        call_waits_check(folder, other->threads.items, other->threads.count);
    }
}

void others_read(struct report *r, size_t index)
{
    const int64_t deadline = clock_ms() + OTHERS_MS;
    int64_t left;
    size_t i;

    for (i = 0; i < r->processes.items[index].others.count; i++) {
        left = deadline - clock_ms();
        if (left <= 0 || other_at(r, index, i)->pid <= 0 || other_at(r, index, i)->pid > INT32_MAX)
            continue;
        read_one(r, index, i, (int)left);
    }
    check_waits(r, index);
}

bool others_conclude(struct report *r, size_t index)
{
    if (r->processes.items[index].others.count == 0)
        return true;
    others_read(r, index);
    return diagnose(r, &r->processes.items[index]);
}
