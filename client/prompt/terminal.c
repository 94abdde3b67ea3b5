/* SPDX-License-Identifier: BSD-3-Clause */
#include "prompt/terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "interrupt.h"

/* The sequences that turn bracketed paste on and off. */
#define BRACKETS_ON  "\033[?2004h"
#define BRACKETS_OFF "\033[?2004l"

static struct {
    struct termios found;         /* the modes when terminal_open was called */
    struct termios typing;        /* the modes that terminal_run has replaced */
    struct termios editing;       /* the modes when terminal_begin was called */
    bool is_known;                /* found is valid */
    struct sigaction before_lent; /* the action of SIGTSTP before terminal_lend */
    volatile sig_atomic_t is_running, brackets;
    volatile sig_atomic_t stop_wanted, continued, resized;
} terminal;

/* ---- Modes ----------------------------------------------------------------------------------- */

/* Sets modes. Tries again if a signal interrupts the call. If the client is in the background,
 * SIGTTOU stops the client here until it is in the foreground. Safe in a signal handler. */
static void set_modes(const struct termios *modes)
{
    while (tcsetattr(STDIN_FILENO, TCSADRAIN, modes) < 0 && errno == EINTR)
        ;
}

/* Sends an escape sequence to the terminal. Safe in a signal handler. */
static void send(const char *sequence)
{
    ssize_t n = write(STDOUT_FILENO, sequence, strlen(sequence));

    (void)n; /* if the terminal is gone, the next read fails */
}

bool terminal_is_dumb(void)
{
    const char *name = getenv("TERM");

    return !name || name[0] == '\0' || strcmp(name, "dumb") == 0;
}

void terminal_bracket_pastes(bool on)
{
    if (terminal_is_dumb() || terminal.brackets == on)
        return;
    terminal.brackets = on;
    send(on ? BRACKETS_ON : BRACKETS_OFF);
}

void terminal_run(void)
{
    if (terminal.is_running || !terminal.is_known || tcgetattr(STDIN_FILENO, &terminal.typing) < 0)
        return;
    set_modes(&terminal.found);
    terminal.is_running = true;
}

bool terminal_is_running(void)
{
    return terminal.is_running;
}

void terminal_type(void)
{
    if (!terminal.is_running)
        return;
    terminal.is_running = false;
    set_modes(&terminal.typing);
}

void terminal_begin(void)
{
    tcgetattr(STDIN_FILENO, &terminal.editing);
    terminal.continued = false;
}

void terminal_restore(void)
{
    if (terminal.is_known)
        set_modes(&terminal.editing);
    if (terminal.brackets)
        send(BRACKETS_ON);
}

/* ---- Signals --------------------------------------------------------------------------------- */

/* Sets the modes that terminal_open found, and stops the client. After SIGCONT, restores the modes
 * from before the call, unless a cell runs and the client is in the background. Safe in a signal
 * handler. */
static void stop(void)
{
    const struct sigaction standard = {.sa_handler = SIG_DFL};
    struct sigaction ours;
    struct termios modes;
    sigset_t stopping, before;

    if (tcgetattr(STDIN_FILENO, &modes) < 0)
        modes = terminal.found;
    if (terminal.brackets)
        send(BRACKETS_OFF);
    set_modes(&terminal.found);
    sigemptyset(&stopping);
    sigaddset(&stopping, SIGTSTP);
    sigaction(SIGTSTP, &standard, &ours);
    raise(SIGTSTP);
    sigprocmask(SIG_UNBLOCK, &stopping, &before); /* the process is stopped in this call */
    sigprocmask(SIG_SETMASK, &before, NULL);
    sigaction(SIGTSTP, &ours, NULL);
    /* While a cell runs, the client may continue in the background. In the background, it must not
     * set the modes, because SIGTTOU would stop it, and it does not need the modes for typing. */
    if (!terminal.is_running || tcgetpgrp(STDIN_FILENO) == getpgrp())
        set_modes(&modes);
    if (terminal.brackets)
        send(BRACKETS_ON);
    terminal.continued = true;
}

static void catch_stop(int number)
{
    const int before = errno;

    (void)number;
    if (terminal.is_running)
        stop();
    else
        terminal.stop_wanted = true;
    errno = before;
}

static void note(int number)
{
    if (number == SIGWINCH)
        terminal.resized = true;
    else
        terminal.continued = true;
}

/* Catches a signal, unless the client was started with this signal ignored. For example, a shell
 * without job control may start the client with SIGTSTP ignored. */
static void catch_signal(int number, void (*handler)(int))
{
    const struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    struct sigaction before;

    if (sigaction(number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(number, &action, NULL);
}

void terminal_block_signals(sigset_t *mask)
{
    sigset_t ours;

    sigemptyset(&ours);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGTSTP);
    sigaddset(&ours, SIGCONT);
    sigaddset(&ours, SIGWINCH);
    sigprocmask(SIG_BLOCK, &ours, mask);
}

void terminal_unblock_signals(const sigset_t *mask)
{
    sigprocmask(SIG_SETMASK, mask, NULL);
}

bool terminal_is_signalled(void)
{
    return interrupt_is_pending() || terminal.stop_wanted || terminal.continued || terminal.resized;
}

/* Returns a flag and clears it. */
static bool take(volatile sig_atomic_t *flag)
{
    const bool was = *flag;

    *flag = false;
    return was;
}

bool terminal_is_stop_wanted(void)
{
    return terminal.stop_wanted;
}

void terminal_stop(void)
{
    terminal.stop_wanted = false;
    stop();
}

bool terminal_take_continued(void)
{
    return take(&terminal.continued);
}

bool terminal_take_resized(void)
{
    return take(&terminal.resized);
}

void terminal_lend(bool is_lent)
{
    const struct sigaction standard = {.sa_handler = SIG_DFL};

    if (is_lent)
        sigaction(SIGTSTP, &standard, &terminal.before_lent);
    else
        sigaction(SIGTSTP, &terminal.before_lent, NULL);
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

void terminal_open(void)
{
    terminal.is_known = tcgetattr(STDIN_FILENO, &terminal.found) == 0;
    terminal.editing = terminal.found;
    catch_signal(SIGTSTP, catch_stop);
    catch_signal(SIGCONT, note);
    catch_signal(SIGWINCH, note);
}

void terminal_close(void)
{
    terminal_bracket_pastes(false);
    if (terminal.is_known)
        set_modes(&terminal.found);
}
