/* SPDX-License-Identifier: BSD-3-Clause
 *
 * external_editor: runs the user's editor on a text.
 */
#ifndef CLIENT_PROMPT_EXTERNAL_EDITOR_H
#define CLIENT_PROMPT_EXTERNAL_EDITOR_H

/* Writes the text to a temporary file that only the user can read, and runs an editor on this file:
 * $VISUAL, else $EDITOR, else vi. Returns the text that the editor has saved, for free(). If the
 * editor has saved no text, prints an error and returns NULL. */
char *external_editor_run(const char *text);

#endif
