/* SPDX-License-Identifier: BSD-3-Clause */
#include "native_thread.h"

#include <stddef.h>

void ps_block_signals(sigset_t *old)
{
    sigset_t all;

    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    pthread_sigmask(SIG_SETMASK, &all, old);
}

int ps_start_thread(pthread_t *thread, void *(*run)(void *), void *arg)
{
    sigset_t old;
    int result;

    ps_block_signals(&old);
    result = pthread_create(thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return result;
}
