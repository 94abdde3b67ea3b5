/* SPDX-License-Identifier: BSD-3-Clause */
#include "eval/wait.h"

#include <stdio.h>

/* The time between two calls of goes_on, in ms. */
#define LOOK_EVERY_MS 50

int wait_for_reply(rpyc_pending *pending, bool (*goes_on)(void *arg), void *arg, rpyc_value **out,
                   struct rpyc_error *err)
{
    struct rpyc_error why = RPYC_ERROR_INIT;

    while (rpyc_pending_wait(pending, goes_on ? LOOK_EVERY_MS : -1, out, &why) < 0) {
        if (why.code != RPYC_ETIMEOUT && why.code != RPYC_EINTERRUPT) {
            *err = why;
            return -1;
        }
        rpyc_error_clear(&why);
        if (goes_on && !goes_on(arg)) {
            err->code = RPYC_ECANCELED;
            snprintf(err->text, sizeof(err->text), "interrupted");
            return -1;
        }
    }
    return 0;
}
