/* SPDX-License-Identifier: BSD-3-Clause
 *
 * why(): tells the program itself why it is stuck. The facts are those of request STACKS, and the
 * conclusions are drawn by report/diagnosis, as in pystuck(1).
 */
#ifndef PS_WHY_H
#define PS_WHY_H

#include "ext.h"

extern const char ps_why_doc[];

/* The function why() of the module. May be called on any thread of the program, also in a handler
 * of a signal, and with or without a server. */
PyObject *ps_why(PyObject *module, PyObject *args, PyObject *kwargs);

#endif
