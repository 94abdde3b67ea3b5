/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reports as Python objects: the dicts and lists that json.loads() makes of the JSON that
 * report/json.h writes.
 */
#ifndef PS_REPORT_OBJECT_H
#define PS_REPORT_OBJECT_H

#include "ext.h"
#include "report.h"

/* Returns a process as a dict: a new reference, or NULL with an exception. Structs and maps are
 * dicts, lists are lists, and an unknown value is None. Calls ps_gil_share. */
PyObject *ps_report_object(const struct report_process *process);

#endif
