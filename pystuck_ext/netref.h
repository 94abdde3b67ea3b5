/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The client's objects, as the debuggee sees them: netrefs. One type in C, and for each class on
 * the other side a subclass with just the special methods that it has.
 */
#ifndef PS_NETREF_H
#define PS_NETREF_H

#include "session.h"

struct ps_netref {
    PyObject_HEAD
    struct ps_session *session; /* a reference */
    uint8_t *pack;              /* its id pack as brine, as it came */
    size_t pack_len;
    uint64_t count;    /* how often the client counted it for us */
    uint64_t answered; /* the thread of the client's that it went back to in an answer, or 0 */
    PyObject *weakrefs;
};

/* The type, for the module's state. A new reference. */
PyTypeObject *ps_netref_make_type(PyObject *module);

/* The names that a netref has of its own (rpyc.core.netref.LOCAL_ATTRS), as a frozenset. */
PyObject *ps_netref_local_names(void);

/* obj as a netref to an object of this session's client, borrowed; NULL, without an exception, if
 * it is anything else. */
struct ps_netref *ps_netref_of(struct ps_session *s, PyObject *obj);

/* The netref for an id pack that came in: the one that there is, counted once more, or a new one,
 * for which the client may be asked about the class. A new reference, or NULL with an exception. */
PyObject *ps_netref_get(struct ps_session *s, const struct id_pack *pack);

/* Whether obj is a netref of any session of this module. */
bool ps_is_netref(PyObject *obj);

#endif
