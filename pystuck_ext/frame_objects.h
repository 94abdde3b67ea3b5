/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The objects that suspended frames and greenlets refer to, which the module gc does not show.
 */
#ifndef PS_FRAME_OBJECTS_H
#define PS_FRAME_OBJECTS_H

#include "ext.h"

/* _pystuck.frame_objects(frames): see ps_frame_objects_doc. */
PyObject *ps_frame_objects(PyObject *module, PyObject *frames);
extern const char ps_frame_objects_doc[];

/* _pystuck.referents(objects): see ps_referents_doc. */
PyObject *ps_referents(PyObject *module, PyObject *objects);
extern const char ps_referents_doc[];

/* _pystuck.instances(classes): see ps_instances_doc. */
PyObject *ps_instances(PyObject *module, PyObject *classes);
extern const char ps_instances_doc[];

#endif
