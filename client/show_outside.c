/* SPDX-License-Identifier: BSD-3-Clause */
#include "show_outside.h"

#include <stdlib.h>

#include "clean.h"
#include "complain.h"
#include "connect/find.h"
#include "connect/peer.h"
#include "connect/state.h"
#include "process.h"
#include "show.h"
#include "stacks/family.h"
#include "stacks/no_server.h"
#include "stacks/others.h"
#include "stacks/print.h"
#include "stacks/seen.h"

/* How many descendants of a process without Python are looked at. */
#define DESCENDANTS_MAX 50

/* True if the stacks may be read from outside although the connection to the server failed: the
 * server did not answer, or root has refused it because it belongs to another user. False if the
 * server has refused pystuck, or if --server-user has refused the server. */
static bool may_read(const struct rpyc_error *err)
{
    return err->code == RPYC_ETIMEOUT || err->code == RPYC_ESYSTEM || peer_is_refused(err);
}

/* If it is certain why the server of a process does not answer, prints why. */
static void report_state(pid_t pid)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    char state[STATE_TEXT_SIZE];
    struct servers found;

    if (find_of_process(&found, pid, &err) == 0 && state_describe_certain(&found.all[0], state))
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
    if (has_server && err && peer_is_refused(err)) {
        complain("%s. The stacks were read from outside the process", err->text);
        return;
    }
    if (has_server) {
        report_state(pid);
        complain("the server of process %d does not answer: the stacks were read from outside the "
                 "process%s",
                 (int)pid,
                 !err && options_opens_prompt(options)
                     ? "; the prompt opens when the server answers, Ctrl-C exits"
                     : "");
        return;
    }
    no_server_explain(pid, outside->has_pystuck, why);
    complain("%s", why);
}

int show_outside_failure(const struct outside *outside)
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
    return show_outside_failure(outside);
}

bool show_outside(const struct options *options, pid_t pid, const struct rpyc_error *err,
                  int *status)
{
    struct report report __attribute__((cleanup(report_free)));
    struct outside outside;
    bool has_server = find_is_served(pid);

    report_init(&report, STACKS_MEMORY_MAX);
    if (has_server && err && !may_read(err))
        return false;
    if (outside_read(&report, pid, options->timeout_ms, options->locals, &outside) ==
        OUTSIDE_READ) {
        if (!options->seen || stacks_seen_is_first(options->seen))
            report_outside(options, pid, has_server, &outside, err);
        *status = others_conclude(&report, 0) ? show_all(&report, options) : EXIT_FAILURE;
        return true;
    }
    if (has_server || !options->pid)
        return false;
    *status = report_unreadable(options, &outside);
    return true;
}
