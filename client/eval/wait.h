/* SPDX-License-Identifier: BSD-3-Clause
 *
 * wait: waits for the reply to a request, and can stop waiting.
 */
#ifndef CLIENT_EVAL_WAIT_H
#define CLIENT_EVAL_WAIT_H

#include <rpyc.h>

/* Waits for a reply. Calls goes_on every 50 ms and after SIGINT, and stops waiting if goes_on
 * returns false. goes_on may be NULL. Errors: those of rpyc_pending_wait except RPYC_ETIMEOUT and
 * RPYC_EINTERRUPT; RPYC_ECANCELED if goes_on returned false. */
int wait_for_reply(rpyc_pending *pending, bool (*goes_on)(void *arg), void *arg, rpyc_value **out,
                   struct rpyc_error *err);

#endif
