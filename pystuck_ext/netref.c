/* SPDX-License-Identifier: BSD-3-Clause */
#include "netref.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

static int compare_packs(const void *a, const void *b)
{
    const struct ps_netref *x = a, *y = b;

    if (x->pack_len != y->pack_len)
        return x->pack_len < y->pack_len ? -1 : 1;
    return memcmp(x->pack, y->pack, x->pack_len);
}

static struct ps_netref *find_netref(struct ps_session *s, const struct id_pack *pack)
{
    struct ps_netref key = {.pack = (uint8_t *)pack->raw, .pack_len = pack->raw_len};
    struct ps_netref **found = tfind(&key, &s->netrefs, compare_packs);

    return found ? *found : NULL;
}

PyObject *ps_netref_known(struct ps_session *s, const struct id_pack *pack)
{
    struct ps_netref *ref = find_netref(s, pack);

    if (!ref)
        return NULL;
    ref->count++;
    Py_INCREF(ref);
    return (PyObject *)ref;
}

PyObject *ps_netref_new(struct ps_session *s, PyTypeObject *cls, const struct id_pack *pack)
{
    struct ps_netref *ref = (struct ps_netref *)cls->tp_alloc(cls, 0);

    if (!ref)
        return NULL;
    ref->pack = malloc(pack->raw_len);
    if (ref->pack) {
        memcpy(ref->pack, pack->raw, pack->raw_len);
        ref->pack_len = pack->raw_len;
    }
    if (!ref->pack || !tsearch(ref, &s->netrefs, compare_packs)) {
        Py_DECREF(ref);
        return PyErr_NoMemory();
    }
    ps_session_ref(s);
    ref->session = s;
    ref->count = 1;
    return (PyObject *)ref;
}

void ps_netref_dealloc(PyObject *self)
{
    struct ps_netref *ref = (struct ps_netref *)self;
    struct ps_session *s = ref->session;
    PyTypeObject *type = Py_TYPE(self);

    if (s) { /* before the callbacks of weakrefs, which may receive the same id pack again */
        tdelete(ref, &s->netrefs, compare_packs);
        releases_add(&s->releases, ref->pack, ref->pack_len, ref->count, ref->answered);
        ps_session_release_soon(s);
    }
    if (ref->weakrefs)
        PyObject_ClearWeakRefs(self);
    if (s)
        ps_session_unref(s);
    free(ref->pack);
    type->tp_free(self);
    Py_DECREF(type);
}

struct ps_netref *ps_netref_of(struct ps_session *s, PyObject *obj)
{
    struct ps_netref *ref = (struct ps_netref *)obj;

    if (!PyObject_TypeCheck(obj, s->state->netref_type) || ref->session != s)
        return NULL;
    return ref;
}

/* Looks for the netref type among the bases of the object's class, and recognizes it by its
 * tp_dealloc. The object's class itself has another tp_dealloc, which Python has set. */
bool ps_is_netref(PyObject *obj)
{
    const PyTypeObject *type = Py_TYPE(obj);

    while (type && type->tp_dealloc != ps_netref_dealloc)
        type = type->tp_base;
    return type != NULL;
}
