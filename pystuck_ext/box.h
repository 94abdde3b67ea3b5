/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Python objects to boxes and back. A box is a value, a tuple of boxes, or a reference: an id pack
 * of an object on either side.
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
    uint64_t answers; /* the client's thread that waits for the message, or 0 */
};

/* Appends the box of obj. Objects that are boxed by reference are counted as held by the client. -1
 * with an exception, as for ps_dump. */
int ps_box(struct ps_boxer *b, PyObject *obj);

/* Call one of these at the end: after the message was sent, or if it is not sent. ps_boxer_undo
 * subtracts its references from what the client holds; an exception that is set stays set. */
void ps_boxer_sent(struct ps_boxer *b);
void ps_boxer_undo(struct ps_boxer *b);

/* Reads a box: a new reference. NULL with an exception, as for ps_load; KeyError for an object that
 * the client does not hold. References to the client's objects are resolved by ps_session_ops. */
PyObject *ps_unbox(struct ps_session *s, struct brine_reader *r);

/* Returns the id pack of obj, a tuple (name, class id, instance id), like rpyc.lib.get_id_pack of
 * the client's rpyc version. The client chooses the class of its netref by it. A new reference, or
 * NULL with an exception. */
PyObject *ps_id_pack(struct ps_session *s, PyObject *obj);

#endif
