/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The messages that frames contain. A message is a request to a handler, with boxed arguments; a
 * boxed reply; or an exception. Its envelope has one of two forms, one for each generation of rpyc.
 * See doc/protocol.md.
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

#define EXCEPTION_STOP_ITERATION 1 /* stands for StopIteration, in place of a vinegar tuple */

/* How the messages of a connection are wrapped. All zeros: not known yet. message_parse then fills
 * it from the first message that arrives. */
struct envelope {
    enum rpyc_generation generation;
    bool bound; /* bind-threads: each message starts with 16 bytes of thread ids */
};

/* One received message. It owns its frame, and `body` points into the frame. If the message is over
 * a limit, only its head was kept: reading further from `body` fails with RPYC_ELIMIT. */
struct message {
    enum message_kind kind;
    int64_t seq;
    uint64_t sender;    /* the peer's thread that sent it; 0 without bind-threads */
    uint64_t recipient; /* the thread of this process that must serve the message; 0: any thread */
    struct brine_reader body; /* reads the handler and arguments, or the result */
    struct frame frame;
    struct turn *turn; /* a long message: its turn, released by message_free; NULL: none */
};

/* Frees the message's memory and releases its turn. kind, seq, sender and recipient stay readable.
 * May be called twice. */
void message_free(struct message *m);

/* Releases the message's turn, if it has one, earlier than message_free() would. Call this before
 * anything that may take long. */
void message_give_turn(struct message *m);

/* Reads the envelope of the payload in m->frame. If env is not known yet, fills it; otherwise fails
 * if the message has another envelope. After this, message_handler works even for a request over a
 * limit. Errors: RPYC_EPROTOCOL, RPYC_ELIMIT. */
int message_parse(struct message *m, struct envelope *env, struct rpyc_error *err);

/* Reads the number of a request's handler. m->body is then at the boxed arguments. */
int message_handler(struct message *m, int64_t *handler, struct rpyc_error *err);

/* message_begin starts a frame, and appends the envelope of a message. Append the arguments or the
 * result, then call frame_end with the value that message_begin returned. to: the thread ids, used
 * with bind-threads; may be NULL without bind-threads. */
struct thread_pair {
    uint64_t sender;
    uint64_t recipient;
};
size_t message_begin(struct buffer *out, const struct envelope *env, enum message_kind kind,
                     int64_t seq, const struct thread_pair *to);

/* ---- Boxing --------------------------------------------------------------------------------- */

/* Appends the head of a box: the start of the tuple (label, value), and the label. The caller then
 * appends the value: brine for LABEL_VALUE, a tuple of boxes for LABEL_TUPLE, an id pack for
 * references. */
void box_put(struct buffer *out, enum label label);

/* Reads the head of a box. Fails if the label is unknown. */
bool box_next(struct brine_reader *r, enum label *label);

/* An id pack, which identifies an object: (class name, class id, instance id). The pointers point
 * into the memory from which the id pack was read. */
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

/* Reads the boxed arguments of a DEL: (reference, count). A missing count means 1. Returns false if
 * the arguments have another form; r may then be usable or have failed. Sets *count to a number
 * below 1 if the count is not valid. */
bool box_next_del(struct brine_reader *r, struct id_pack *pack, int64_t *count);

#endif
