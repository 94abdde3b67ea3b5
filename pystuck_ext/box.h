/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Python objects to brine and back, straight, with no tree in between. What goes by value goes by
 * its exact type, as in rpyc.core.brine.dumpable; everything else by reference.
 */
#ifndef PS_BOX_H
#define PS_BOX_H

#include "pybrine.h"
#include "session.h"

/* Boxes for one message. */
struct ps_boxer {
    struct ps_session *session;
    struct buffer *out;
    PyObject *sent; /* the id packs of what goes by reference, a list; NULL while there are none */
    uint64_t answers; /* the thread of the client's that waits for the message, or 0 */
};

/* Appends the box of obj; the client then holds what went by reference. -1: an exception, as above.
 */
int ps_box(struct ps_boxer *b, PyObject *obj);

/* The message goes out, or it does not: then what it would have given to the client is taken back.
 */
void ps_boxer_sent(struct ps_boxer *b);
void ps_boxer_undo(struct ps_boxer *b);

/* Reads a box. NULL with an exception, as for ps_load; also KeyError for an object that the client
 * does not hold. */
PyObject *ps_unbox(struct ps_session *s, struct brine_reader *r);

/* A tuple (name, class id, instance id), as in rpyc.lib.get_id_pack of the client's generation: by
 * that it chooses the class of its proxy. NULL with an exception. */
PyObject *ps_id_pack(struct ps_session *s, PyObject *obj);

#endif
