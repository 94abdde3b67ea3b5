/* SPDX-License-Identifier: BSD-3-Clause */
#include "prompt/inspection.h"

#include "collector.h"
#include "eval/cell.h"
#include "eval/sent_module.h"
#include "prompt/shell.h"

#define HELPER_NAME "_pystuck_inspection"

static const char inspection[] = SENT_MODULE_BEGIN(HELPER_NAME)
#include "prompt/inspection.inc"
    SENT_MODULE_END;

static const struct cell_helper helper = {inspection, HELPER_NAME, collector_source};

void inspection_call(struct shell *shell, const char *function, const char *argument,
                     const char *source)
{
    shell_call_helper(shell, &helper, function, argument, source);
}

/* Runs a magic: calls the function of inspection.py that has the name of the magic. */
static void run(struct shell *shell, const struct magic *magic, const char *argument)
{
    inspection_call(shell, magic->name, argument, "");
}

static struct magic magics[] = {
    MAGIC("down", NULL, "go to the frame that the selected frame has called", run),
    MAGIC("eval", "EXPR", "evaluate an expression in the selected frame", run),
    MAGIC("frame", "[N]", "select a frame (0: the innermost) and assign it to _", run),
    MAGIC("locals", NULL, "show all local variables of the selected frame", run),
    MAGIC("thread", "[N]", "list the threads, or select one by its number or ident", run),
    MAGIC("time", "CODE", "run a cell and show the CPU and wall time it took", run,
          .takes = MAGIC_CODE),
    MAGIC("up", NULL, "go to the caller of the selected frame", run),
    MAGIC("who", NULL, "list the names that were assigned in this namespace", run),
};

void inspection_register(void)
{
    magic_register(magics, sizeof(magics) / sizeof(*magics));
}
