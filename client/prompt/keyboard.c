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

#include "interrupt.h"
#include "procfs/clock.h"
#include "prompt/terminal.h"
#include "text.h"

/* keyboard_drain() reads no more input while this many bytes are stored. */
#define STORED_MAX (1 << 20)

/* The most bytes that one read(2) returns. */
#define READ_MAX 4096

/* A burst that is longer than this number of bytes and has a line end was pasted, not typed. */
#define TYPED_AT_ONCE 64

/* A burst of up to this many bytes may be keys that were pressed quickly, even if one of them is
 * Enter. */
#define KEYS_AT_ONCE 3

/* The longest pause between two parts of one burst, in ms. */
#define BURST_PAUSE_MS 30

/* The time after a read of pasted text in which the rest of the paste may arrive, in ms. */
#define PASTE_RECENT_MS 100

/* The time after Ctrl-C, and after each dropped burst, in which the rest of the paste may arrive,
 * in ms. REST_LINE_MS is for a burst of one line. It is shorter, because a program that simulates
 * typing may also send a line as one burst. */
#define REST_MS      500
#define REST_LINE_MS 100

/* How long the terminal may take to report the cursor's position, in ms. */
#define REPORT_MS 250

/* The request for a report of the cursor's position. The report is ESC [ row ; column R. */
#define REPORT_REQUEST "\033[6n"

/* The byte that the terminal sends for Ctrl-D when it passes on each key, see terminal.h. */
#define END_KEY '\004'

static struct {
    char *bytes; /* or NULL; bytes[at] to bytes[end - 1] were read and are not used yet */
    size_t at, end, size;
    size_t silent;     /* the terminal has not echoed the bytes before this index */
    int64_t pasted_ms; /* when pasted text was last read, as clock_ms; 0: no paste */
    bool is_marked;    /* the terminal marks the end of this paste */
    int64_t rest_ms;   /* time of the Ctrl-C in a paste, or of the last dropped burst; 0: none */
    int reports_due;   /* number of reports that were requested and have not arrived */
    int column;        /* the column in the latest report; -1: none since the request */
    bool has_reported, does_not_report;
} keys = {.column = -1};

/* ---- Reading --------------------------------------------------------------------------------- */

/* Makes room for `count` more bytes. Returns false if there is no memory. */
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

/* Returns the length of the report at the start of text, and the column in it. 0: the text does not
 * start with a report. */
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

/* Removes reports of the cursor's position from the bytes that were read, at most as many as were
 * requested. Stores the column of the latest report. */
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

static bool is_recent(int64_t event_ms, int64_t within_ms)
{
    return event_ms > 0 && clock_ms() < event_ms + within_ms;
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

/* Reads the bytes that the terminal has. If the terminal has no bytes, waits for some. Returns the
 * number of bytes, 0 at the end of the input, -1 with errno. */
static ssize_t read_terminal(void)
{
    const bool was_empty = !keyboard_has_byte();
    ssize_t n;

    if (!make_room(READ_MAX)) {
        errno = ENOMEM;
        return -1;
    }
    n = read(STDIN_FILENO, keys.bytes + keys.end, READ_MAX);
    if (n <= 0)
        return n;
    keys.end += (size_t)n;
    if (n > TYPED_AT_ONCE && has_line_end(keys.bytes + keys.end - n, (size_t)n)) {
        keys.pasted_ms = clock_ms();
        keys.is_marked = false;
    } else if (was_empty && !is_recent(keys.pasted_ms, PASTE_RECENT_MS)) {
        keys.pasted_ms = 0;
    }
    take_report();
    if (!terminal_is_running())
        keys.silent = keys.end;
    return n;
}

/* ---- The rest of a paste after Ctrl-C -------------------------------------------------------- */

/* True if a burst (`len` bytes of text) belongs to the paste in which Ctrl-C was pressed; false if
 * the burst counts as keys. age_ms: the time since the Ctrl-C or, if bursts were dropped after the
 * Ctrl-C, since the last of these bursts. */
static bool is_rest_of_paste(const char *text, size_t len, int64_t age_ms)
{
    const bool has_end = has_line_end(text, len);

    if (len <= KEYS_AT_ONCE || age_ms >= REST_MS)
        return false;
    if (len > TYPED_AT_ONCE)
        return true;
    if (has_end && (keys.is_marked || has_line_end(text, len - 1)))
        return true;
    return has_end && age_ms < REST_LINE_MS;
}

/* Returns the number of bytes up to the end of a marked paste whose beginning was dropped. 0: there
 * is no such end in the text. */
static size_t length_to_paste_end(const char *text, size_t len)
{
    const char *end = memmem(text, len, PASTE_END, strlen(PASTE_END));
    const char *begin = memmem(text, len, PASTE_BEGIN, strlen(PASTE_BEGIN));

    return end && (!begin || begin > end) ? (size_t)(end - text) + strlen(PASTE_END) : 0;
}

/* Removes `count` bytes from the stored bytes, beginning with keys.bytes[from]. */
static void remove_bytes(size_t from, size_t count)
{
    memmove(keys.bytes + from, keys.bytes + from + count, keys.end - from - count);
    keys.end -= count;
    if (keys.silent > keys.end)
        keys.silent = keys.end;
}

/* Reads the rest of the burst that begins at keys.bytes[keys.at + used], and removes the burst if
 * the burst belongs to the paste in which Ctrl-C was pressed. Removes a long burst piece by piece.
 * age_ms: see is_rest_of_paste(). */
static void drop_burst(size_t used, int64_t age_ms)
{
    bool is_dropped = false;
    size_t len, ended;

    do {
        len = keys.end - keys.at - used;
        if (memmem(keys.bytes + keys.at + used, len, PASTE_BEGIN, strlen(PASTE_BEGIN))) {
            keys.rest_ms = 0; /* a new paste begins */
            return;
        }
        ended = length_to_paste_end(keys.bytes + keys.at + used, len);
        if (ended == 0 && len > TYPED_AT_ONCE) {
            remove_bytes(keys.at + used, len);
            is_dropped = true;
        }
    } while (is_readable(BURST_PAUSE_MS) && !interrupt_is_pending() && read_terminal() > 0);

    len = keys.end - keys.at - used;
    if (ended > 0) {
        remove_bytes(keys.at + used, ended);
        keys.rest_ms = 0;
    } else if (is_dropped || is_rest_of_paste(keys.bytes + keys.at + used, len, age_ms)) {
        remove_bytes(keys.at + used, len);
        keys.rest_ms = clock_ms();
    }
}

/* Like read_terminal(), but drops the bytes that belong to a paste in which Ctrl-C was pressed. So
 * all new bytes may have been dropped even if the result is positive. */
static ssize_t fill(void)
{
    const size_t used = keys.end - keys.at;
    const ssize_t n = read_terminal();

    if (n <= 0)
        return n;
    if (is_recent(keys.rest_ms, REST_MS))
        drop_burst(used, clock_ms() - keys.rest_ms);
    else
        keys.rest_ms = 0;
    return n;
}

/* If the terminal sends the end of a marked paste whose beginning was dropped by Ctrl-C, also drops
 * this end. */
static void drop_end_of_paste(void)
{
    if (is_readable(0) && fill() > 0)
        keys.at += length_to_paste_end(keys.bytes + keys.at, keys.end - keys.at);
}

void keyboard_interrupt(void)
{
    const bool is_pasted = is_recent(keys.pasted_ms, PASTE_RECENT_MS) ||
                           (keyboard_has_byte() && keys.pasted_ms > 0) ||
                           is_recent(keys.rest_ms, REST_MS);

    keys.at = keys.end = keys.silent = 0;
    keys.pasted_ms = 0;
    if (!is_pasted) {
        drop_end_of_paste();
        return;
    }
    /* The kernel has dropped the bytes that it had when Ctrl-C was pressed. More of the paste may
     * arrive. */
    keys.rest_ms = clock_ms();
    terminal_type();
    if (is_readable(BURST_PAUSE_MS))
        fill();
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

bool keyboard_read(void)
{
    ssize_t n;

    do
        n = fill();
    while (n < 0 && errno == EINTR && !terminal_is_signalled());
    return n > 0;
}

int keyboard_byte(void)
{
    return keyboard_has_byte() ? (unsigned char)keys.bytes[keys.at++] : -1;
}

void keyboard_note_paste(void)
{
    keys.pasted_ms = clock_ms();
    keys.is_marked = true;
}

void keyboard_drain(void)
{
    ssize_t n;

    while (keys.end - keys.at < STORED_MAX && is_readable(0)) {
        n = fill();
        if (n == 0 &&
            make_room(1)) /* Ctrl-D, or the terminal is gone; then the next read shows it */
            keys.bytes[keys.end++] = END_KEY;
        if (n <= 0)
            return;
    }
}

/* ---- Lines ----------------------------------------------------------------------------------- */

/* Returns the length of the first stored line, including the byte that ends the line. 0: no stored
 * line is complete. */
static size_t line_length(void)
{
    size_t i;

    for (i = keys.at; i < keys.end; i++)
        if (keys.bytes[i] == '\n' || keys.bytes[i] == '\r' || keys.bytes[i] == END_KEY)
            return i + 1 - keys.at;
    return 0;
}

/* Returns the next `len` bytes as a line, as keyboard_line() does. Prints the line if the terminal
 * has not echoed it. */
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

/* Waits until the terminal has input. Returns 0, or -1 with EINTR if Ctrl-C was pressed. */
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
        write(STDOUT_FILENO, REPORT_REQUEST, strlen(REPORT_REQUEST)) < 0)
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
