/* SPDX-License-Identifier: BSD-3-Clause
 *
 * terminal: the modes of the terminal on standard input, and stopping the client with Ctrl-Z.
 *
 * At the prompt, the terminal passes on each key and does not echo it; libedit shows the line.
 * While a cell runs, the terminal has the modes that terminal_open found. In these modes, the
 * terminal echoes keys and passes on lines.
 */
#ifndef CLIENT_PROMPT_TERMINAL_H
#define CLIENT_PROMPT_TERMINAL_H

#include <signal.h>
#include <stdbool.h>

/* Saves the modes of the terminal, and catches SIGTSTP, SIGCONT and SIGWINCH if they are not
 * ignored. */
void terminal_open(void);

/* Sets the modes that terminal_open found. */
void terminal_close(void);

/* Call before a cell runs: sets the modes that terminal_open found. terminal_is_running returns
 * true from this call until terminal_type. */
void terminal_run(void);
bool terminal_is_running(void);

/* Call before keys are read at the prompt: restores the modes that terminal_run has replaced. */
void terminal_type(void);

/* Saves the present modes for terminal_restore. Call when libedit has set its modes and waits for
 * the first key of a line. */
void terminal_begin(void);

/* Call with true before another program, such as the user's editor, runs in the foreground, and
 * with false after that program has ended. Between these calls, SIGTSTP stops the client and does
 * not change the modes, which belong to that program. */
void terminal_lend(bool is_lent);

/* Turns bracketed paste on or off. If bracketed paste is on, the terminal marks pasted text. */
void terminal_bracket_pastes(bool on);

/* True if the terminal has no escape sequences for moving the cursor and clearing lines. */
bool terminal_is_dumb(void);

/* At the prompt, SIGTSTP only sets a flag. terminal_is_stop_wanted returns this flag. If the flag
 * is true, call terminal_stop. terminal_stop sets the modes that terminal_open found, stops the
 * client, and returns after SIGCONT. */
bool terminal_is_stop_wanted(void);
void terminal_stop(void);

/* terminal_take_continued returns true if the client was stopped and continued since the last call
 * of this function or of terminal_begin. While the client was stopped, another process may have
 * printed text and changed the modes. Therefore, call terminal_restore, which sets the modes that
 * terminal_begin found. */
bool terminal_take_continued(void);
void terminal_restore(void);

/* True if the size of the window may have changed since the last call. */
bool terminal_take_resized(void);

/* Block and unblock SIGINT, SIGTSTP, SIGCONT and SIGWINCH. *mask: the signal mask before the call,
 * in which these signals are not blocked; pass *mask to ppoll(). */
void terminal_block_signals(sigset_t *mask);
void terminal_unblock_signals(const sigset_t *mask);

/* True if SIGINT, SIGTSTP, SIGCONT or SIGWINCH has arrived and is not handled yet. */
bool terminal_is_signalled(void);

#endif
