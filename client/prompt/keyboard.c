/* SPDX-License-Identifier: BSD-3-Clause */
#include "prompt/keyboard.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "clock.h"
#include "interrupt.h"
#include "prompt/terminal.h"
#include "text.h"

/* How much is kept at the most of what was typed and not asked for yet. */
#define MOST (1 << 20)

/* More bytes than this at once, with a line's end among them, are pasted, and not typed. */
#define TYPED_AT_ONCE 64

/* The longest pause within what is pasted, in ms: a person types the next key later. The same where
 * the terminal marks the end, and so it is known that there is more to come. */
#define PASTE_PAUSE_MS  30
#define MARKED_PAUSE_MS 300

/* For so long after it was seen, in ms, a paste may go on. */
#define PASTE_RECENT_MS 100

/* How long the terminal may take to tell where the cursor is, in ms. */
#define REPORT_MS 250

/* What the terminal tells then: ESC [ row ; column R. */
#define REPORT_WANTED "\033[6n"

/* Ctrl-D, as it is when the terminal passes on each key. */
#define END_KEY '\004'

static struct {
    char *bytes; /* or NULL */
    size_t at, end, size;
    size_t silent;     /* where those end that the terminal has not echoed */
    int64_t pasted_ms; /* when text was last seen to be pasted, by clock_ms; 0: it was not */
    int pause_ms;      /* the longest pause within that */
    int reports_due;   /* of the terminal, which were asked for */
    int column;        /* of the last report; -1: none came since it was asked for */
    bool has_reported, does_not_report;
} keys = {.column = -1};

/* ---- Reading --------------------------------------------------------------------------------- */

/* Makes room for so many bytes more. */
static bool make_room(size_t count)
{
    char *longer;
    size_t size;

    if (keys.at > 0) {
        memmove(keys.bytes, keys.bytes + keys.at, keys.end - keys.at);
        keys.end -= keys.at;
        keys.silent -= keys.silent < keys.at ? keys.silent : keys.at;
        keys.at = 0;
    }
    if (keys.size - keys.end >= count)
        return true;
    size = keys.end + count;
    longer = realloc(keys.bytes, size);
    if (!longer)
        return false;
    keys.bytes = longer;
    keys.size = size;
    return true;
}

/* The length of the report that text begins with; 0: it does not begin with one. */
static size_t report_length(const char *text, size_t len, int *column)
{
    int row, n = 0;
    char copy[32];

    if (len < 2 || text[0] != '\033' || text[1] != '[')
        return 0;
    len = len < sizeof(copy) ? len : sizeof(copy) - 1;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return sscanf(copy, "\033[%4d;%4dR%n", &row, column, &n) == 2 ? (size_t)n : 0;
}

/* Takes a report that was asked for out of what was typed. */
static void take_report(void)
{
    size_t i, n;
    int column;

    for (i = keys.at; keys.reports_due > 0 && i < keys.end; i++) {
        n = report_length(keys.bytes + i, keys.end - i, &column);
        if (n == 0)
            continue;
        memmove(keys.bytes + i, keys.bytes + i + n, keys.end - i - n);
        keys.end -= n;
        keys.reports_due--;
        keys.column = column - 1;
        keys.has_reported = true;
    }
}

static bool has_line_end(const char *text, size_t len)
{
    return memchr(text, '\r', len) || memchr(text, '\n', len);
}

static bool is_paste_recent(void)
{
    return keys.pasted_ms > 0 && clock_ms() < keys.pasted_ms + PASTE_RECENT_MS;
}

static void note_paste(int pause_ms)
{
    keys.pasted_ms = clock_ms();
    keys.pause_ms = pause_ms;
}

/* Reads what is there, or waits for it: how much that was; 0 at the end, -1 with errno. */
static ssize_t fill(void)
{
    const bool was_empty = !keyboard_has_byte();
    ssize_t n;

    if (!make_room(4096)) {
        errno = ENOMEM;
        return -1;
    }
    n = read(STDIN_FILENO, keys.bytes + keys.end, 4096);
    if (n <= 0)
        return n;
    keys.end += (size_t)n;
    if (n > TYPED_AT_ONCE && has_line_end(keys.bytes + keys.end - n, (size_t)n))
        note_paste(PASTE_PAUSE_MS);
    else if (was_empty && !is_paste_recent())
        keys.pasted_ms = 0;
    take_report();
    if (!terminal_is_running())
        keys.silent = keys.end;
    return n;
}

static bool is_readable(int ms)
{
    struct pollfd readable = {.fd = STDIN_FILENO, .events = POLLIN};

    return poll(&readable, 1, ms) > 0;
}

bool keyboard_has_byte(void)
{
    return keys.at < keys.end;
}

int keyboard_byte(void)
{
    ssize_t n;

    while (!keyboard_has_byte()) {
        n = fill();
        if (n < 0 && errno == EINTR && !terminal_is_signalled())
            continue;
        if (n <= 0)
            return -1;
    }
    return (unsigned char)keys.bytes[keys.at++];
}

void keyboard_note_paste(void)
{
    note_paste(MARKED_PAUSE_MS);
}

/* Drops the end of a paste whose beginning was dropped: Ctrl-C was within it. */
static void drop_end_of_paste(void)
{
    const char *end, *begin;

    if (!is_readable(0) || fill() <= 0)
        return;
    end = memmem(keys.bytes, keys.end, PASTE_END, strlen(PASTE_END));
    begin = memmem(keys.bytes, keys.end, PASTE_BEGIN, strlen(PASTE_BEGIN));
    if (end && (!begin || begin > end))
        keys.at = (size_t)(end + strlen(PASTE_END) - keys.bytes);
}

void keyboard_interrupt(void)
{
    const bool is_pasted = is_paste_recent() || (keyboard_has_byte() && keys.pasted_ms > 0);

    keys.at = keys.end = keys.silent = 0;
    if (!is_pasted) {
        drop_end_of_paste();
        return;
    }
    /* The kernel has dropped what it had when Ctrl-C was pressed; more may be on its way. */
    terminal_type();
    do {
        tcflush(STDIN_FILENO, TCIFLUSH);
    } while (is_readable(keys.pause_ms));
    keys.pasted_ms = 0;
}

void keyboard_drain(void)
{
    ssize_t n;

    while (keys.end - keys.at < MOST && is_readable(0)) {
        n = fill();
        if (n == 0 && make_room(1)) /* Ctrl-D, or the terminal is gone, which is seen again */
            keys.bytes[keys.end++] = END_KEY;
        if (n <= 0)
            return;
    }
}

/* ---- Lines ----------------------------------------------------------------------------------- */

/* The length of the first line, with its end; 0: it has none yet. */
static size_t line_length(void)
{
    size_t i;

    for (i = keys.at; i < keys.end; i++)
        if (keys.bytes[i] == '\n' || keys.bytes[i] == '\r' || keys.bytes[i] == END_KEY)
            return i + 1 - keys.at;
    return 0;
}

/* Takes so many bytes as a line, and shows it if the terminal has not echoed it. */
static ssize_t take_line(char **line, size_t len)
{
    const bool is_silent = keys.at < keys.silent;
    char *text = malloc(len + 1);

    if (!text) {
        errno = ENOMEM;
        return -1;
    }
    if (len > 0)
        memcpy(text, keys.bytes + keys.at, len);
    keys.at += len;
    if (len > 0 && text[len - 1] == '\r')
        text[len - 1] = '\n';
    if (len > 0 && text[len - 1] == END_KEY)
        len--;
    text[len] = '\0';
    free(*line);
    *line = text;
    if (is_silent)
        text_print(stdout, text, len);
    fflush(stdout);
    return (ssize_t)len;
}

/* Waits until there is something to be read. -1 with EINTR: Ctrl-C was pressed. */
static int wait_for_line(void)
{
    struct pollfd readable = {.fd = STDIN_FILENO, .events = POLLIN};
    sigset_t mask;
    int status = 0;

    terminal_block_signals(&mask);
    while (status <= 0 && !interrupt_is_pending())
        status = ppoll(&readable, 1, NULL, &mask);
    terminal_unblock_signals(&mask);
    if (status > 0)
        return 0;
    errno = EINTR;
    return -1;
}

ssize_t keyboard_line(char **line)
{
    size_t len;
    ssize_t n;

    keyboard_drain();
    terminal_run();
    while ((len = line_length()) == 0) {
        if (wait_for_line() < 0)
            return -1;
        n = fill();
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            return take_line(line, keys.end - keys.at);
    }
    return take_line(line, len);
}

/* ---- The cursor ------------------------------------------------------------------------------ */

int keyboard_cursor_column(void)
{
    const int64_t end = clock_ms() + REPORT_MS;

    if (keys.does_not_report || terminal_is_dumb() ||
        write(STDOUT_FILENO, REPORT_WANTED, strlen(REPORT_WANTED)) < 0)
        return -1;
    keys.reports_due++;
    keys.column = -1;
    while (keys.column < 0 && clock_ms() < end && !interrupt_is_pending()) {
        if (is_readable((int)(end - clock_ms())) && fill() <= 0)
            break;
    }
    if (!keys.has_reported)
        keys.does_not_report = true;
    return keys.column;
}
