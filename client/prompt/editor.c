/* SPDX-License-Identifier: BSD-3-Clause */
#include "prompt/editor.h"

#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "file.h"
#include "prompt/history_file.h"
#include "interrupt.h"
#include "prompt/keyboard.h"
#include "prompt/libedit.h"
#include "prompt/terminal.h"
#include "text.h"

struct editor {
    EditLine *el;
    History *memory;
    char *path; /* the path of the history file, or NULL */
    struct editor_watch watch;
    editor_complete_fn complete; /* or NULL */
    void *complete_arg;
    const char *prompt;
    int columns; /* width of the terminal when the line was last shown */
    /* What the terminal does with long rows when the window is resized. MAY_WRAP: not known yet;
     * WRAPS: wraps long rows anew; LEAVES: leaves them unchanged. */
    enum { MAY_WRAP, WRAPS, LEAVES } rows;
    bool typing;    /* a line is on the screen */
    bool left_line; /* text was printed in place of the line, so the line must be shown again */
    mbstate_t decoder;
};

static struct editor *editor_of(EditLine *el)
{
    struct editor *e;

    libedit.el_get(el, EL_CLIENTDATA, &e);
    return e;
}

static char *prompt_of(EditLine *el)
{
    return (char *)editor_of(el)->prompt;
}

/* ---- The line on the screen ------------------------------------------------------------------ */

/* A position of the cursor: the row, counted from the row where the prompt begins, and the column.
 */
struct position {
    int row, column;
};

/* Moves `at` past a character, as libedit shows the character on a terminal with `width` columns.
 */
static void pass_character(struct position *at, wchar_t c, int width)
{
    int columns = wcwidth(c);

    if (c == L'\n') {
        *at = (struct position){at->row + 1, 0};
        return;
    }
    if (c == L'\t')
        columns = 8 - at->column % 8;
    else if (columns < 0)
        columns = 2; /* is shown as ^X */
    if (at->column + columns > width)
        *at = (struct position){at->row + 1, 0};
    at->column += columns;
    if (at->column >= width)
        *at = (struct position){at->row + 1, 0};
}

/* Returns the width of a prompt in columns, without its hidden parts. The visible parts must be
 * ASCII. */
static int prompt_width(const char *prompt)
{
    bool is_hidden = false;
    int width = 0;

    for (; *prompt; prompt++) {
        if (*prompt == EDITOR_HIDDEN[0])
            is_hidden = !is_hidden;
        else
            width += !is_hidden;
    }
    return width;
}

/* The positions of the cursor and of the end of the typed line. */
struct extent {
    struct position cursor, end;
};

/* Returns the extent of the line on a terminal with `width` columns. */
static struct extent extent_of_line(const struct editor *e, int width)
{
    const LineInfoW *line = libedit.el_wline(e->el);
    struct position at = {0, 0};
    struct extent found;
    const wchar_t *c;

    at.column = prompt_width(e->prompt) % width;
    at.row = prompt_width(e->prompt) / width;
    found.cursor = at;
    for (c = line->buffer; c < line->lastchar; c++) {
        if (c == line->cursor)
            found.cursor = at;
        pass_character(&at, *c, width);
    }
    if (line->cursor == line->lastchar)
        found.cursor = at;
    found.end = at;
    return found;
}

/* Moves the cursor `rows` rows up, to the start of the prompt, and clears the screen from there on.
 * On a dumb terminal, only begins a new row. */
static void clear_from_prompt(int rows)
{
    if (terminal_is_dumb()) {
        fputs("\r\n", stdout);
        return;
    }
    if (rows > 0)
        printf("\033[%dA", rows);
    fputs("\r\033[J", stdout);
}

void editor_leave_line(struct editor *e)
{
    if (!e->typing || e->left_line)
        return;
    clear_from_prompt(extent_of_line(e, e->columns).cursor.row);
    e->left_line = true;
    fflush(stdout);
}

/* Shows the line, beginning in the row of the cursor. */
static void show_line(struct editor *e)
{
    e->left_line = false;
    libedit.el_set(e->el, EL_REFRESH);
}

/* Shows the line again if text was printed in its place. */
static void return_to_line(struct editor *e)
{
    if (e->left_line)
        show_line(e);
}

/* Moves the cursor to the end of the line. Returns the number of characters by which the cursor
 * moved. */
static int go_to_end(struct editor *e)
{
    const LineInfoW *line = libedit.el_wline(e->el);
    const int count = (int)(line->lastchar - line->cursor);

    if (!e->typing || count == 0)
        return 0;
    editor_leave_line(e);
    libedit.el_cursor(e->el, count);
    show_line(e);
    return count;
}

/* ---- The window ------------------------------------------------------------------------------ */

/* Returns the cursor's row, counted from the start of the prompt, after the window was resized.
 * Some terminals wrap long rows anew, others leave them unchanged. If the row would be the same on
 * both kinds of terminal, returns it. Otherwise the cursor's column usually shows the kind, so asks
 * the terminal for the column. Does not ask if the column, too, would be the same on both kinds and
 * e->rows is known. */
static int cursor_row_after_resize(struct editor *e, int width)
{
    const struct position left = extent_of_line(e, e->columns).cursor;
    const struct position wrapped = extent_of_line(e, width).cursor;
    int column;

    if (left.row == wrapped.row)
        return left.row;
    if (left.column != wrapped.column || e->rows == MAY_WRAP) {
        column = keyboard_cursor_column();
        e->rows = column == wrapped.column ? WRAPS : LEAVES;
    }
    return e->rows == WRAPS ? wrapped.row : left.row;
}

static void show_resized(struct editor *e)
{
    const int width = text_width(), height = text_height();
    int row;

    if (!e->left_line) {
        row = cursor_row_after_resize(e, width);
        clear_from_prompt(row < height ? row : height - 1);
        fflush(stdout);
    }
    e->columns = width;
    libedit.el_resize(e->el);
    show_line(e);
}

/* For Ctrl-Z: stops the client until SIGCONT. */
static void stop(struct editor *e)
{
    const int moved = go_to_end(e);

    fputs("^Z", stdout);
    fflush(stdout);
    terminal_stop();
    libedit.el_cursor(e->el, -moved);
}

/* Shows the line again after the client was stopped and other programs have used the terminal. */
static void show_continued(struct editor *e)
{
    terminal_restore();
    fputs(terminal_is_dumb() ? "\r" : "\r\033[J", stdout);
    fflush(stdout);
    e->columns = text_width();
    libedit.el_resize(e->el);
    show_line(e);
}

/* Handles Ctrl-Z, SIGCONT and SIGWINCH. Returns false if Ctrl-C was pressed. */
static bool handle_signals(struct editor *e)
{
    while (terminal_is_signalled()) {
        if (interrupt_is_pending())
            return false;
        if (terminal_is_stop_wanted())
            stop(e);
        else if (terminal_take_continued())
            show_continued(e);
        else if (terminal_take_resized())
            show_resized(e);
    }
    return true;
}

/* ---- Keys ------------------------------------------------------------------------------------ */

/* Calls ppoll(). Returns -1 instead if a signal waits to be handled. The signals are blocked before
 * ppoll(), so a signal that arrives directly before ppoll() is not missed. */
static int poll_unless_signalled(struct pollfd *fds, nfds_t count, bool at_once)
{
    static const struct timespec none = {0};
    sigset_t mask;
    int status = -1;

    terminal_block_signals(&mask);
    if (!terminal_is_signalled())
        status = ppoll(fds, count, at_once ? &none : NULL, &mask);
    terminal_unblock_signals(&mask);
    return status;
}

/* Waits for a key. Calls the functions of the editor's watch meanwhile. Returns false if Ctrl-C was
 * pressed. */
static bool wait_for_key(struct editor *e)
{
    struct pollfd fds[2] = {{.events = POLLIN}, {.events = POLLIN}};
    bool is_more = false;

    while (handle_signals(e)) {
        fds[0].fd = keyboard_has_byte() ? -1 : STDIN_FILENO;
        fds[1].fd = e->watch.fd(e->watch.arg);
        fds[0].revents = fds[1].revents = 0;
        if (poll_unless_signalled(fds, 2, is_more || keyboard_has_byte()) < 0)
            continue;
        if (fds[1].revents || (is_more && fds[1].fd >= 0)) {
            is_more = e->watch.ready(e->watch.arg);
            return_to_line(e);
        }
        /* Handles signals before keys, because keys that were typed after a Ctrl-C belong to the
         * next line. */
        if ((keyboard_has_byte() || fds[0].revents) && !terminal_is_signalled())
            return true;
    }
    return false;
}

/* Returns the next byte; -1 at the end of the input or if Ctrl-C was pressed. */
static int next_byte(struct editor *e)
{
    while (wait_for_key(e)) {
        if (!keyboard_has_byte() && !keyboard_read() && !terminal_is_signalled())
            break;
        if (interrupt_is_pending()) /* the kernel drops the bytes typed before Ctrl-C */
            break;
        if (keyboard_has_byte())
            return keyboard_byte();
    }
    return -1;
}

/* Called by libedit to read a character. Returns 1 with *c, 0 at the end of the input, -1 on an
 * error. */
static int get_char(EditLine *el, wchar_t *c)
{
    struct editor *e = editor_of(el);
    char byte;
    int next;
    size_t n;

    if (!e->typing) {
        e->typing = true;
        terminal_begin();
    }
    for (;;) {
        next = next_byte(e);
        if (interrupt_is_pending()) {
            go_to_end(e);
            errno = 0; /* with EINTR, libedit would fail on the next line as well */
            return -1;
        }
        if (next < 0)
            return 0;
        byte = (char)next;
        n = mbrtowc(c, &byte, 1, &e->decoder);
        if (n == (size_t)-2) /* the first bytes of a character */
            continue;
        if (n != (size_t)-1)
            return 1;
        memset(&e->decoder, 0, sizeof(e->decoder)); /* ignore an invalid byte */
    }
}

/* Called by libedit at the start of a paste. Inserts the pasted text, with its newlines, into the
 * line. */
static unsigned char paste(EditLine *el, int unused)
{
    struct editor *e = editor_of(el);
    char *text = NULL;
    size_t len = 0;
    FILE *copy = open_memstream(&text, &len);
    int byte;

    (void)unused;
    if (!copy)
        return CC_ERROR;
    do {
        keyboard_note_paste();
        byte = next_byte(e);
        if (byte < 0)
            break;
        fputc(byte == '\r' ? '\n' : byte, copy);
        fflush(copy);
    } while (len < strlen(PASTE_END) || strcmp(text + len - strlen(PASTE_END), PASTE_END) != 0);
    fclose(copy);
    if (len >= strlen(PASTE_END) && strcmp(text + len - strlen(PASTE_END), PASTE_END) == 0)
        len -= strlen(PASTE_END);
    while (len > 0 && text[len - 1] == '\n') /* the user presses Enter to run the text */
        len--;
    text[len] = '\0';
    if (len > 0)
        libedit.el_insertstr(el, text);
    free(text);
    return CC_REFRESH;
}

/* Like paste(), for the keys of vi. With these keys, the escape character at the start of a paste
 * has switched to command mode and moved the cursor back. After the paste, this function switches
 * to insert mode again with `i`, or with `a` at the end of the line, because in command mode the
 * cursor cannot be after the last character. */
static unsigned char paste_in_vi(EditLine *el, int unused)
{
    const LineInfoW *line;
    unsigned char result;

    libedit.el_cursor(el, 1);
    result = paste(el, unused);
    line = libedit.el_wline(el);
    libedit.el_push(el, line->cursor == line->lastchar ? "a" : "i");
    return result;
}

/* ---- Completion ------------------------------------------------------------------------------ */

void editor_complete_by(struct editor *e, editor_complete_fn complete, void *arg)
{
    e->complete = complete;
    e->complete_arg = arg;
}

void editor_go_below(struct editor *e)
{
    struct extent shown;

    if (!e->typing || e->left_line)
        return;
    shown = extent_of_line(e, e->columns);
    e->left_line = true;
    for (; shown.cursor.row <= shown.end.row; shown.cursor.row++)
        fputc('\n', stdout);
    fputc('\r', stdout);
}

/* Called by libedit for Tab. */
static unsigned char complete(EditLine *el, int unused)
{
    struct editor *e = editor_of(el);
    const LineInfo *line = libedit.el_line(el);
    char *before = strndup(line->buffer, (size_t)(line->cursor - line->buffer));
    char *after = strndup(line->cursor, (size_t)(line->lastchar - line->cursor));
    char *more = NULL;

    (void)unused;
    if (e->complete && before && after)
        more = e->complete(e->complete_arg, before, after);
    if (more && *more)
        libedit.el_insertstr(el, more);
    return_to_line(e);
    free(before);
    free(after);
    free(more);
    return CC_REFRESH;
}

/* ---- Opening and closing --------------------------------------------------------------------- */

/* Sets the locale, because libedit shows only characters of the locale. Uses UTF-8 if the locale's
 * characters are single bytes. */
static void set_locale(void)
{
    setlocale(LC_CTYPE, "");
    if (MB_CUR_MAX == 1)
        setlocale(LC_CTYPE, "C.UTF-8");
}

/* Binds pystuck's keys again if ~/.editrc has selected the keys of vi. libedit removes all other
 * key bindings when the keys of vi are selected. */
static void bind_in_vi(EditLine *el)
{
    const char *keys;

    if (libedit.el_get(el, EL_EDITOR, &keys) < 0 || strcmp(keys, "vi") != 0)
        return;
    libedit.el_set(el, EL_BIND, "^I", "complete", NULL);
    libedit.el_set(el, EL_BIND, "-a", &PASTE_BEGIN[1], "paste-in-vi", NULL);
}

/* Reads the key bindings of editrc(5), but only if the file belongs to the user or root. With sudo,
 * HOME may be the directory of another user, who could make one key type whole lines. */
static void read_editrc(EditLine *el)
{
    const char *named = getenv("EDITRC"), *home = getenv("HOME");
    struct file_error why;
    char *path = NULL;

    if (named && *named)
        path = strdup(named);
    else if (home && asprintf(&path, "%s/.editrc", home) < 0)
        path = NULL;
    if (path && file_is_trusted(path, &why))
        libedit.el_source(el, path);
    else if (path && *why.text)
        fprintf(stderr, "pystuck: ignored key bindings: %s\n", why.text);
    free(path);
}

/* Called by libedit for the end of a paste whose beginning was dropped by Ctrl-C. Does nothing. */
static unsigned char pass_over(EditLine *el, int unused)
{
    (void)el;
    (void)unused;
    return CC_NORM;
}

/* Makes libedit keep its terminal modes between two lines. Otherwise, the terminal would echo keys
 * that are typed between two lines, and libedit would show these keys a second time. */
static void keep_modes(EditLine *el)
{
    int edits = 1;

    libedit.el_get(el, EL_EDITMODE, &edits);
    if (edits)
        libedit.el_set(el, EL_SETTY, "-x", "-icanon", "-echo", NULL);
}

static void set_up(struct editor *e)
{
    HistEvent event;

    libedit.el_set(e->el, EL_CLIENTDATA, e);
    libedit.el_set(e->el, EL_PROMPT_ESC, prompt_of, EDITOR_HIDDEN[0]);
    libedit.el_set(e->el, EL_SIGNAL, 0);
    libedit.el_set(e->el, EL_EDITOR, "emacs");
    libedit.el_set(e->el, EL_GETCFN, get_char);
    libedit.el_wset(e->el, EL_ADDFN, L"paste", L"Insert pasted text",
                    paste); /* strings are not copied */
    libedit.el_set(e->el, EL_BIND, PASTE_BEGIN, "paste", NULL);
    libedit.el_wset(e->el, EL_ADDFN, L"paste-in-vi", L"Insert pasted text in vi mode", paste_in_vi);
    libedit.el_wset(e->el, EL_ADDFN, L"pass-over", L"Do nothing", pass_over);
    libedit.el_set(e->el, EL_BIND, PASTE_END, "pass-over", NULL);
    libedit.el_wset(e->el, EL_ADDFN, L"complete", L"Complete what is typed", complete);
    libedit.el_set(e->el, EL_BIND, "^I", "complete", NULL);
    libedit.el_set(e->el, EL_BIND, "^R", "em-inc-search-prev", NULL);
    libedit.el_set(e->el, EL_BIND, "\\e[1;5C", "em-next-word", NULL);
    libedit.el_set(e->el, EL_BIND, "\\e[1;5D", "ed-prev-word", NULL);
    if (e->memory) {
        libedit.history(e->memory, &event, H_SETSIZE, HISTORY_FILE_MAX);
        libedit.el_set(e->el, EL_HIST, libedit.history, e->memory);
        history_file_load(e->memory, &e->path);
    }
    read_editrc(e->el);
    bind_in_vi(e->el);
    keep_modes(e->el);
}

struct editor *editor_open(const struct editor_watch *watch, const char **why)
{
    struct editor *e;

    *why = libedit_load();
    if (*why)
        return NULL;
    *why = "libedit cannot use this terminal";
    e = calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    set_locale();
    e->watch = *watch;
    e->prompt = "";
    terminal_open();
    e->el = libedit.el_init("pystuck", stdin, stdout, stderr);
    if (!e->el) {
        free(e);
        return NULL;
    }
    e->memory = libedit.history_init();
    e->path = history_file_path();
    set_up(e);
    return e;
}

void editor_close(struct editor *e)
{
    if (!e)
        return;
    libedit.el_end(e->el);
    terminal_close();
    if (e->memory)
        libedit.history_end(e->memory);
    free(e->path);
    free(e);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static const char *get_line(struct editor *e, const char *prompt, int *len)
{
    const char *line;

    e->prompt = prompt;
    e->columns = text_width();
    memset(&e->decoder, 0, sizeof(e->decoder));
    terminal_type();
    terminal_bracket_pastes(true);
    line = libedit.el_gets(e->el, len);
    terminal_bracket_pastes(false);
    e->typing = false;
    return line;
}

enum editor_result editor_read(struct editor *e, const char *prompt, char **line)
{
    int len = 0;
    const char *typed = get_line(e, prompt, &len);

    if (interrupt_take()) {
        keyboard_interrupt();
        libedit.el_reset(e->el);
        fputs("^C\n", stdout);
        return EDITOR_INTERRUPTED;
    }
    if (!typed || len <= 0)
        return EDITOR_END;
    if (typed[len - 1] == '\n')
        len--;
    *line = strndup(typed, (size_t)len);
    return *line ? EDITOR_LINE : EDITOR_END;
}

void editor_remember(struct editor *e, const char *cell)
{
    if (e->memory)
        history_file_add(e->memory, &e->path, cell);
}
