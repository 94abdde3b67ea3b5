/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Makes one object of several descriptions of the same object. The stack reader describes the
 * objects that threads wait for or hold, and the collector those of tasks. Both may describe the
 * same Lock or Future.
 */
#ifndef REPORT_UNITE_OBJECTS_H
#define REPORT_UNITE_OBJECTS_H

#include "report.h"

/* Of all objects of a process that have the same id, keeps only the first object. If this object
 * has no holders, it gets the holders of a later object with the same id. Its unknown members get
 * the values of a later object. Returns false if there is no memory. Time: n log n for n objects.
 */
bool unite_objects(struct report_process *process);

#endif
