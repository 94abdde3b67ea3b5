/* SPDX-License-Identifier: BSD-3-Clause */
#include "interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t pending;

static void note(int number)
{
    (void)number;
    pending = 1;
}

void interrupt_catch(bool once)
{
    struct sigaction action = {.sa_handler = note, .sa_flags = once ? (int)SA_RESETHAND : 0};

    sigaction(SIGINT, &action, NULL);
}

bool interrupt_is_pending(void)
{
    return pending;
}

bool interrupt_take(void)
{
    bool was = pending;

    pending = 0;
    return was;
}
