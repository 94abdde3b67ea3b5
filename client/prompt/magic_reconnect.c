/* SPDX-License-Identifier: BSD-3-Clause */
#include "prompt/magic_reconnect.h"

#include "prompt/magic.h"
#include "prompt/shell.h"

static void run(struct shell *shell, const struct magic *magic, const char *argument)
{
    (void)magic;
    (void)argument;
    shell_reconnect(shell);
}

static struct magic magics[] = {
    MAGIC("reconnect", NULL, "connect to the program again, with a new namespace", run),
};

void magic_reconnect_register(void)
{
    magic_register(magics, sizeof(magics) / sizeof(*magics));
}
