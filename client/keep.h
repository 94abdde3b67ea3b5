/* SPDX-License-Identifier: BSD-3-Clause
 *
 * keep: the magics that run cells from elsewhere, and keep those that were typed.
 */
#ifndef CLIENT_KEEP_H
#define CLIENT_KEEP_H

struct repl;

void keep_edit(struct repl *repl, const char *argument);
void keep_run(struct repl *repl, const char *argument);
void keep_save(struct repl *repl, const char *argument);
void keep_history(struct repl *repl, const char *argument);

#endif
