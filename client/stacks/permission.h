/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/permission: finds out why the kernel does not let pystuck read the memory of a process.
 */
#ifndef CLIENT_STACKS_PERMISSION_H
#define CLIENT_STACKS_PERMISSION_H

#include <sys/types.h>

#define PERMISSION_TEXT_SIZE 1024

/* Writes a sentence that says why the kernel does not let pystuck use process_vm_readv(2) or a file
 * of /proc for a process, and which command would work. Checks the setting of Yama; the capability
 * CAP_SYS_PTRACE of pystuck; the user, group, capabilities and dumpable flag of the process; the
 * seccomp filter of pystuck. out has PERMISSION_TEXT_SIZE bytes. */
void permission_explain(pid_t pid, char *out);

/* Writes why /proc does not show a process that exists, as a sentence that names the command that
 * works. out: PERMISSION_TEXT_SIZE bytes. */
void permission_explain_hidden(pid_t pid, char *out);

#endif
