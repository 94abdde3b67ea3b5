/* SPDX-License-Identifier: BSD-3-Clause
 *
 * syscall_words: sentences about the system call in which a thread waits: "in the system call
 * recvfrom on descriptor 5: TCP 127.0.0.1:40000 -> 127.0.0.1:5432, ESTABLISHED".
 */
#ifndef REPORT_DIAGNOSIS_SYSCALL_WORDS_H
#define REPORT_DIAGNOSIS_SYSCALL_WORDS_H

#include "buffer.h"
#include "report.h"

/* Appends the name of the system call, the file, socket or process that it is on, and how long it
 * will still last, as far as these facts are known. Appends nothing if the name of the call is not
 * known. process: the process of the thread. */
void syscall_words_put(struct buffer *out, const struct report_syscall *call,
                       const struct report_process *process);

/* True if the thread sleeps in the system call, until a certain time or a signal. */
bool syscall_is_sleep(const struct report_syscall *call);

#endif
