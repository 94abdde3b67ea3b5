/* SPDX-License-Identifier: BSD-3-Clause
 *
 * edit: the user's own editor, for a text.
 */
#ifndef CLIENT_PROMPT_EDIT_H
#define CLIENT_PROMPT_EDIT_H

/* Has a text edited with $VISUAL, else $EDITOR, else vi, in a file that nobody else can read and
 * that is gone afterwards. What was saved, for free(); NULL if nothing was, having said why. */
char *edit_text(const char *text);

#endif
