/* SPDX-License-Identifier: BSD-3-Clause */
#include "pending.h"

#include <stdlib.h>

struct pending *pending_new(int64_t seq)
{
    struct pending *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->seq = seq;
    p->cancellable = true;
    return p;
}

/* Returns p's notify function, and clears it in p, so that it is called only once. */
static struct completion take_notification(struct pending *p)
{
    struct completion done = {.claimed = true, .notify = p->notify, .arg = p->notify_arg};

    p->notify = NULL;
    return done;
}

struct completion pending_complete(struct pending_list *list, struct message *reply)
{
    struct pending *p;

    LIST_FOREACH (p, list, entry) {
        if (p->seq == reply->seq)
            break;
    }
    if (!p)
        return (struct completion){.claimed = false};
    LIST_REMOVE(p, entry);
    if (!p->awaited)
        message_give_turn(reply);
    p->reply = *reply;
    p->done = true;
    return take_notification(p);
}

bool pending_next_notification(struct pending_list *list, struct completion *out)
{
    struct pending *p;

    LIST_FOREACH (p, list, entry) {
        if (p->notify) {
            *out = take_notification(p);
            return true;
        }
    }
    return false;
}
