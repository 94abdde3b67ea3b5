/* SPDX-License-Identifier: BSD-3-Clause
 *
 * magic_files: the magics that run cells from elsewhere, and keep those that were typed.
 */
#ifndef CLIENT_PROMPT_MAGIC_FILES_H
#define CLIENT_PROMPT_MAGIC_FILES_H

struct repl;

void magic_files_edit(struct repl *repl, const char *argument);
void magic_files_run(struct repl *repl, const char *argument);
void magic_files_save(struct repl *repl, const char *argument);
void magic_files_history(struct repl *repl, const char *argument);

#endif
