/* SPDX-License-Identifier: BSD-3-Clause
 *
 * terminal: the modes of the terminal on standard input, and stopping the client with Ctrl-Z.
 *
 * While keys are typed at the prompt, the terminal passes on each key and echoes none; libedit does
 * that. While a cell runs, the terminal is as the client found it: it echoes, and passes on lines.
 */
#ifndef CLIENT_PROMPT_TERMINAL_H
#define CLIENT_PROMPT_TERMINAL_H

#include <signal.h>
#include <stdbool.h>

/* Keeps the modes of the terminal, and catches SIGTSTP, SIGCONT and SIGWINCH. */
void terminal_open(void);

/* Sets the modes that terminal_open found. */
void terminal_close(void);

/* For what runs: sets the modes that terminal_open found. The next key that is typed is echoed. */
void terminal_run(void);
bool terminal_is_running(void);

/* For keys that are typed: sets the modes again that terminal_run has replaced. */
void terminal_type(void);

/* Tells that libedit has set its modes, and waits for the first key of a line. */
void terminal_begin(void);

/* For another program, which runs in the foreground and sets modes itself: SIGTSTP stops the client
 * without touching the terminal. */
void terminal_lend(bool is_lent);

/* Turns bracketed paste on or off: the terminal marks what is pasted. */
void terminal_bracket_pastes(bool on);

/* True if the terminal does not know the escape sequences that move the cursor and clear lines. */
bool terminal_is_dumb(void);

/* While keys are typed, SIGTSTP is only noted: true if it has come. terminal_stop then stops the
 * client with the modes that terminal_open found, and returns when it is continued. */
bool terminal_is_stop_wanted(void);
void terminal_stop(void);

/* True if the client was stopped and continued since the last call, or terminal_begin. Another
 * process may have printed something, and changed the modes: terminal_restore sets those of
 * terminal_begin. */
bool terminal_take_continued(void);
void terminal_restore(void);

/* True if the size of the window may have changed since the last call. */
bool terminal_take_resized(void);

/* The signals that the above tell of are blocked between these two; mask is for ppoll, which lets
 * them through. The second one lets them through again. */
void terminal_block_signals(sigset_t *mask);
void terminal_unblock_signals(const sigset_t *mask);

/* True if one of these signals, or SIGINT, has come and nothing was done about it yet. */
bool terminal_is_signalled(void);

#endif
