/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Converts Python objects to boxes and back. A box is a value, a tuple of boxes, or a reference:
 * the id pack of an object of this process or of the client's process.
 */
#ifndef PS_BOX_H
#define PS_BOX_H

#include "pybrine.h"
#include "session.h"

/* Writes the boxes of one message. */
struct ps_boxer {
    struct ps_session *session;
    struct buffer *out;
    PyObject *sent;   /* a list of the id packs of references in the message; NULL: none yet */
    uint64_t answers; /* the id of the client's thread whose request this message answers, or 0 */
};

/* Appends the box of obj to b->out. Counts one more reference of the client to each object that is
 * boxed by reference. Returns 0, or -1 with an exception: an exception of ps_dump, RuntimeError if
 * the client holds too many objects, or EOFError if the session has ended. */
int ps_box(struct ps_boxer *b, PyObject *obj);

/* Call ps_boxer_sent after the message was sent, or ps_boxer_undo if the message is not sent.
 * ps_boxer_undo subtracts the references in the message from the references that the client holds;
 * if an exception is set, it stays set. */
void ps_boxer_sent(struct ps_boxer *b);
void ps_boxer_undo(struct ps_boxer *b);

/* Reads a box and returns its object, a new reference. For an object of the client, the result is a
 * netref, which session->ops->resolve finds or makes. Returns NULL with an exception: an exception
 * of ps_load, or KeyError for an object of this process that the client does not hold. */
PyObject *ps_unbox(struct ps_session *s, struct brine_reader *r);

/* Returns the id pack of obj, a tuple (name, class id, instance id), like rpyc.lib.get_id_pack of
 * the client's rpyc version. The client uses the id pack to choose the class of its netref. A new
 * reference, or NULL with an exception. */
PyObject *ps_id_pack(struct ps_session *s, PyObject *obj);

#endif
