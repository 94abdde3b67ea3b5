/* SPDX-License-Identifier: BSD-3-Clause
 *
 * _pystuck.run_server(): finds the address, and starts a server there.
 */
#ifndef PS_RUN_SERVER_H
#define PS_RUN_SERVER_H

#include "ext.h"

extern const char ps_run_server_doc[];

/* The function of the module: takes a dict of settings and returns a Server. */
PyObject *ps_run_server(PyObject *module, PyObject *settings);

#endif
