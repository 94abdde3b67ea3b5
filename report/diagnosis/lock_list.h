/* SPDX-License-Identifier: BSD-3-Clause
 *
 * lock_list: all known objects that threads wait for or hold, which threads hold them since which
 * line, and which threads wait. The prompt prints this list for %locks:
 *
 *     Lock src.lock at 0x7f0101fb8680
 *       held by transfer-0 since bank.py:7
 *       transfer-1 (bank.py:9) waits for it (dst.lock)
 */
#ifndef REPORT_DIAGNOSIS_LOCK_LIST_H
#define REPORT_DIAGNOSIS_LOCK_LIST_H

#include "report.h"

/* The most waiters of one object that have a line of their own. */
#define LOCK_WAITERS_SHOWN 10

struct lock_entry {
    struct report_text title; /* "Lock src.lock at 0x7f0101fb8680" */
    report_texts lines;       /* the holders, if the object has a holder or may have one; then the
                               * waiters; then how many other waiters there are */
};
typedef REPORT_LIST(struct lock_entry) lock_list;

/* Lists the objects of a process. The objects for which the most threads wait come first. r: the
 * list is allocated in the memory of this report, and is valid until report_free. Returns false if
 * there is no memory. */
bool lock_list_make(struct report *r, const struct report_process *process, lock_list *list);

#endif
