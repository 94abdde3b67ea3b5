/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Linked lists and queues: the macros of <sys/queue.h>. Include this header instead of
 * <sys/queue.h>.
 *
 * With musl, configure finds the <sys/queue.h> of bsd-compat-headers or libbsd. The headers of
 * glibc and of bsd-compat-headers lack the FOREACH_SAFE macros of the BSDs. In loops with these
 * macros, `var` may be removed or freed. This file defines the missing macros.
 */
#ifndef RPYC_QUEUE_H
#define RPYC_QUEUE_H

#include <sys/queue.h>

#ifndef SLIST_FOREACH_SAFE
#define SLIST_FOREACH_SAFE(var, head, field, tvar)                                                 \
    for ((var) = SLIST_FIRST(head); (var) && ((tvar) = SLIST_NEXT(var, field), 1); (var) = (tvar))
#endif

#ifndef LIST_FOREACH_SAFE
#define LIST_FOREACH_SAFE(var, head, field, tvar)                                                  \
    for ((var) = LIST_FIRST(head); (var) && ((tvar) = LIST_NEXT(var, field), 1); (var) = (tvar))
#endif

#ifndef STAILQ_FOREACH_SAFE
#define STAILQ_FOREACH_SAFE(var, head, field, tvar)                                                \
    for ((var) = STAILQ_FIRST(head); (var) && ((tvar) = STAILQ_NEXT(var, field), 1); (var) = (tvar))
#endif

#ifndef TAILQ_FOREACH_SAFE
#define TAILQ_FOREACH_SAFE(var, head, field, tvar)                                                 \
    for ((var) = TAILQ_FIRST(head); (var) && ((tvar) = TAILQ_NEXT(var, field), 1); (var) = (tvar))
#endif

#endif
