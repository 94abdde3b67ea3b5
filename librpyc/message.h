/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Messages: what is in a frame. Two generations of envelopes, and what both wrap: requests to a
 * handler with boxed arguments, boxed replies, exceptions. See doc/protocol.md.
 */
#ifndef RPYC_MESSAGE_H
#define RPYC_MESSAGE_H

#include "brine.h"
#include "frame.h"
#include "turns.h"

enum message_kind { MESSAGE_REQUEST = 1, MESSAGE_REPLY = 2, MESSAGE_EXCEPTION = 3 };

enum handler {
    HANDLE_PING = 1,
    HANDLE_CLOSE = 2,
    HANDLE_GETROOT = 3,
    HANDLE_GETATTR = 4,
    HANDLE_DELATTR = 5,
    HANDLE_SETATTR = 6,
    HANDLE_CALL = 7,
    HANDLE_CALLATTR = 8,
    HANDLE_REPR = 9,
    HANDLE_STR = 10,
    HANDLE_CMP = 11,
    HANDLE_HASH = 12,
    HANDLE_DIR = 13,
    HANDLE_PICKLE = 14,
    HANDLE_DEL = 15,
    HANDLE_INSPECT = 16,
    HANDLE_BUFFITER = 17,
    HANDLE_OLDSLICING = 18,
    HANDLE_CTXEXIT = 19,
    HANDLE_INSTANCECHECK = 20,
    HANDLE_STACKS = 0x70 /* pystuck's own: see doc/protocol.md */
};

/* What a boxed value is: the first half of the pair (label, value). */
enum label { LABEL_VALUE = 1, LABEL_TUPLE = 2, LABEL_LOCAL_REF = 3, LABEL_REMOTE_REF = 4 };

#define EXCEPTION_STOP_ITERATION 1 /* instead of a vinegar tuple */

/* How a connection's messages are wrapped. Starts as zeros, "not known"; message_parse finds it out
 * from the first message that comes in. */
struct envelope {
    enum rpyc_generation generation;
    bool bound; /* bind-threads: 16 bytes of thread ids before every message */
};

/* One message that came in. Owns its frame; body points into it. Of one that is over a limit there
 * is the head alone, and body fails with RPYC_ELIMIT. */
struct message {
    enum message_kind kind;
    int64_t seq;
    uint64_t sender;          /* the peer's thread that sent it, with bind-threads; else 0 */
    uint64_t recipient;       /* our thread that it is for; 0: none in particular */
    struct brine_reader body; /* at the first of what is left of the envelope: args */
    struct frame frame;
    struct turn *turn; /* that it has, and gives back once it is freed; or NULL */
};

/* Frees what it owns, and gives its turn back. Its numbers stay; twice is allowed. */
void message_free(struct message *m);

/* Gives its turn back before: what happens to it next may take any time. */
void message_give_turn(struct message *m);

/* Reads the envelope of the payload that is in m->frame, and learns or checks env; of a request
 * that is over a limit message_handler can still be read. Errors: RPYC_EPROTOCOL, RPYC_ELIMIT. */
int message_parse(struct message *m, struct envelope *env, struct rpyc_error *err);

/* The handler of a request, which is read off its body and leaves it at the boxed arguments. */
int message_handler(struct message *m, int64_t *handler, struct rpyc_error *err);

/* Starts a frame with a message's envelope; its args are to be appended, then frame_end. `to` says
 * which threads the ids of bind-threads name; NULL where that is off. */
struct thread_pair {
    uint64_t sender;
    uint64_t recipient;
};
size_t message_begin(struct buffer *out, const struct envelope *env, enum message_kind kind,
                     int64_t seq, const struct thread_pair *to);

/* ---- Boxing --------------------------------------------------------------------------------- */

/* The head of a box: the tuple of two and its label. What follows is the value: brine for
 * LABEL_VALUE, a tuple of boxes for LABEL_TUPLE, an id pack for the refs. */
void box_put(struct buffer *out, enum label label);

/* Reads the head of a box; any other label fails the reader. */
bool box_next(struct brine_reader *r, enum label *label);

/* An id pack, which names one object of one side: (class name, class id, instance id). Points into
 * what it was read from. */
struct id_pack {
    const char *name;
    size_t name_len;
    uint64_t class_id;
    uint64_t instance_id; /* 0 for a class */
    const uint8_t *raw;   /* the whole of it as brine, to be sent back as it came */
    size_t raw_len;
};

void id_pack_put(struct buffer *out, const struct id_pack *pack);
bool id_pack_next(struct brine_reader *r, struct id_pack *pack);

/* The boxed arguments of a DEL: (reference, count=1). False where they are anything else, which the
 * reader need not notice. *count is below 1 where it is no number to give back. */
bool box_next_del(struct brine_reader *r, struct id_pack *pack, int64_t *count);

#endif
