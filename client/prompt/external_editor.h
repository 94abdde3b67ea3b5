/* SPDX-License-Identifier: BSD-3-Clause
 *
 * external_editor: runs the user's editor on a text.
 */
#ifndef CLIENT_PROMPT_EXTERNAL_EDITOR_H
#define CLIENT_PROMPT_EXTERNAL_EDITOR_H

/* Runs $VISUAL, else $EDITOR, else vi, on a temporary file with this text that only the user can
 * read. Returns the saved text, for free(). Prints an error and returns NULL if there is none. */
char *external_editor_run(const char *text);

#endif
