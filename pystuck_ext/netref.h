/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Netrefs: the client's objects as Python objects of the program. This file knows which netrefs a
 * session has; netref_type has their methods.
 */
#ifndef PS_NETREF_H
#define PS_NETREF_H

#include "session.h"

struct ps_netref {
    PyObject_HEAD
    struct ps_session *session; /* a reference */
    uint8_t *pack;              /* the id pack as brine, as it was received */
    size_t pack_len;
    uint64_t count;    /* how many times it was received; the client counts as many references */
    uint64_t answered; /* the id of the client's thread that got this netref in a reply, or 0 */
    PyObject *weakrefs;
};

/* Returns obj as a netref of this session: a borrowed reference. Returns NULL, without an
 * exception, if obj is not such a netref.
 */
struct ps_netref *ps_netref_of(struct ps_session *s, PyObject *obj);

/* True if obj is a netref of any session. */
bool ps_is_netref(PyObject *obj);

/* Returns the session's netref for an id pack, a new reference, and adds one to the netref's count.
 * Returns NULL, without an exception, if the session has no such netref. */
PyObject *ps_netref_known(struct ps_session *s, const struct id_pack *pack);

/* Makes the session's netref for an id pack that is not known yet. cls: the class of the netref,
 * from netclass. A new reference, or NULL with MemoryError. */
PyObject *ps_netref_new(struct ps_session *s, PyTypeObject *cls, const struct id_pack *pack);

/* tp_dealloc of the netref type. */
void ps_netref_dealloc(PyObject *self);

#endif
