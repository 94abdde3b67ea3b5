/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Makes one object of several descriptions of the same object. The stack reader describes the
 * objects that threads wait for or hold, and the collector those of tasks. Both may describe the
 * same Lock or Future.
 */
#ifndef REPORT_UNITE_OBJECTS_H
#define REPORT_UNITE_OBJECTS_H

#include "report.h"

/* Keeps only the first of the objects of a process that have the same id. If it has no holders, it
 * gets those of a later one; members that are unknown become those of a later one. Returns false if
 * there is no memory. Time: n log n for n objects. */
bool unite_objects(struct report_process *process);

#endif
