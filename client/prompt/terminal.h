/* SPDX-License-Identifier: BSD-3-Clause
 *
 * terminal: the modes of the terminal on standard input, and stopping the client with Ctrl-Z.
 *
 * At the prompt, the terminal passes on each key and does not echo it; libedit shows the line.
 * While a cell runs, the terminal has the modes that the client found: it echoes keys and passes on
 * lines.
 */
#ifndef CLIENT_PROMPT_TERMINAL_H
#define CLIENT_PROMPT_TERMINAL_H

#include <signal.h>
#include <stdbool.h>

/* Saves the modes of the terminal, and catches SIGTSTP, SIGCONT and SIGWINCH. */
void terminal_open(void);

/* Sets the modes that terminal_open found. */
void terminal_close(void);

/* Before a cell runs: sets the modes that terminal_open found. */
void terminal_run(void);
bool terminal_is_running(void);

/* Before keys are read: restores the modes that terminal_run has replaced. */
void terminal_type(void);

/* Call when libedit has set its modes and waits for the first key of a line. */
void terminal_begin(void);

/* While another program, such as the user's editor, runs in the foreground: SIGTSTP stops the
 * client and leaves the modes to that program. */
void terminal_lend(bool is_lent);

/* Turns bracketed paste on or off. If it is on, the terminal marks pasted text. */
void terminal_bracket_pastes(bool on);

/* True if the terminal has no escape sequences that move the cursor and clear lines. */
bool terminal_is_dumb(void);

/* At the prompt, SIGTSTP only sets a flag: true if it was sent. Then call terminal_stop, which
 * stops the client with the modes that terminal_open found, and returns after SIGCONT. */
bool terminal_is_stop_wanted(void);
void terminal_stop(void);

/* True if the client was stopped and continued since the last call or terminal_begin. Another
 * process may have printed text and changed the modes. Then call terminal_restore, which sets the
 * modes of terminal_begin. */
bool terminal_take_continued(void);
void terminal_restore(void);

/* True if the size of the window may have changed since the last call. */
bool terminal_take_resized(void);

/* Block and unblock SIGINT, SIGTSTP, SIGCONT and SIGWINCH. mask is the signal mask for ppoll, with
 * which they are not blocked. */
void terminal_block_signals(sigset_t *mask);
void terminal_unblock_signals(const sigset_t *mask);

/* True if one of these signals was sent and is not handled yet. */
bool terminal_is_signalled(void);

#endif
