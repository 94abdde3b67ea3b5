/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Messages, the payload of frames. There are two generations of envelopes. Both contain requests to
 * a handler with boxed arguments, boxed replies, or exceptions. See doc/protocol.md.
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

/* The kind of a boxed value: the first half of the pair (label, value). */
enum label { LABEL_VALUE = 1, LABEL_TUPLE = 2, LABEL_LOCAL_REF = 3, LABEL_REMOTE_REF = 4 };

#define EXCEPTION_STOP_ITERATION 1 /* sent in place of a vinegar tuple */

/* How the messages of a connection are wrapped. Zeros mean "not known"; message_parse learns it
 * from the first message that arrives. */
struct envelope {
    enum rpyc_generation generation;
    bool bound; /* bind-threads: each message starts with 16 bytes of thread ids */
};

/* One received message. Owns its frame, and body points into it. A message over a limit has only
 * its head, and reading further from body fails with RPYC_ELIMIT. */
struct message {
    enum message_kind kind;
    int64_t seq;
    uint64_t sender;    /* the peer's thread that sent it; 0 without bind-threads */
    uint64_t recipient; /* the thread of this process that must serve the message; 0: any thread */
    struct brine_reader body; /* at the rest of the envelope: the arguments or the result */
    struct frame frame;
    struct turn *turn; /* the turn that the message has and releases when freed; NULL: none */
};

/* Frees the message's memory and releases its turn. Its numbers stay readable. May be called twice.
 * */
void message_free(struct message *m);

/* Releases the message's turn early. Call before anything that may take long. */
void message_give_turn(struct message *m);

/* Reads the envelope of the payload in m->frame, and learns or checks env. If a request is over a
 * limit, message_handler still works. Errors: RPYC_EPROTOCOL, RPYC_ELIMIT. */
int message_parse(struct message *m, struct envelope *env, struct rpyc_error *err);

/* Reads the handler's number of a request; body is then at the boxed arguments. */
int message_handler(struct message *m, int64_t *handler, struct rpyc_error *err);

/* Starts a frame with a message's envelope. Append the arguments, then call frame_end. `to`: the
 * thread ids, with bind-threads; NULL otherwise. */
struct thread_pair {
    uint64_t sender;
    uint64_t recipient;
};
size_t message_begin(struct buffer *out, const struct envelope *env, enum message_kind kind,
                     int64_t seq, const struct thread_pair *to);

/* ---- Boxing --------------------------------------------------------------------------------- */

/* Appends the head of a box: the tuple of two and its label. Append the value after it: brine for
 * LABEL_VALUE, a tuple of boxes for LABEL_TUPLE, an id pack for references. */
void box_put(struct buffer *out, enum label label);

/* Reads the head of a box. An unknown label fails the reader. */
bool box_next(struct brine_reader *r, enum label *label);

/* An id pack, which identifies an object of one side: (class name, class id, instance id). Its
 * pointers point into the memory that it was read from. */
struct id_pack {
    const char *name;
    size_t name_len;
    uint64_t class_id;
    uint64_t instance_id; /* 0 for a class */
    const uint8_t *raw;   /* the complete id pack as brine, to be sent back unchanged */
    size_t raw_len;
};

void id_pack_put(struct buffer *out, const struct id_pack *pack);
bool id_pack_next(struct brine_reader *r, struct id_pack *pack);

/* Reads the boxed arguments of a DEL: (reference, count=1). False: they are anything else; the
 * reader may not have failed. *count is below 1 if it is not a valid number of references. */
bool box_next_del(struct brine_reader *r, struct id_pack *pack, int64_t *count);

#endif
