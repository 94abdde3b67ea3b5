/* SPDX-License-Identifier: BSD-3-Clause */
#include "editor.h"

#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "file.h"
#include "history.h"
#include "interrupt.h"
#include "text.h"

/* What terminals with bracketed paste send around what is pasted, and how that is turned on. */
#define PASTE_BEGIN "\033[200~"
#define PASTE_END   "\033[201~"
#define PASTE_ON    "\033[?2004h"
#define PASTE_OFF   "\033[?2004l"

struct editor {
    EditLine *el;
    History *memory;
    char *path; /* of the history's file, or NULL */
    struct editor_watch watch;
    editor_complete_fn complete; /* or NULL */
    void *complete_arg;
    const char *prompt;
    bool typing;    /* a line is on the screen */
    bool left_line; /* ... and has to be shown anew */
    mbstate_t decoder;
};

static struct editor *editor_of(EditLine *el)
{
    struct editor *e;

    el_get(el, EL_CLIENTDATA, &e);
    return e;
}

static char *prompt_of(EditLine *el)
{
    return (char *)editor_of(el)->prompt;
}

/* ---- The line on the screen ------------------------------------------------------------------ */

/* Where the cursor is: rows down from where the prompt begins, and columns. */
struct place {
    int row, column;
};

/* Goes on by what libedit shows of a character. */
static void pass_character(struct place *at, wchar_t c, int width)
{
    int columns = wcwidth(c);

    if (c == L'\n') {
        *at = (struct place){at->row + 1, 0};
        return;
    }
    if (c == L'\t')
        columns = 8 - at->column % 8;
    else if (columns < 0)
        columns = 2; /* ^X */
    if (at->column + columns > width)
        *at = (struct place){at->row + 1, 0};
    at->column += columns;
    if (at->column >= width)
        *at = (struct place){at->row + 1, 0};
}

/* The columns of a prompt, which is ASCII but for what is hidden in it. */
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

/* The rows of the line that is being typed, from the prompt's on. */
struct extent {
    int cursor_row, last_row;
};

static struct extent extent_of_line(const struct editor *e)
{
    const LineInfoW *line = el_wline(e->el);
    struct place at = {0, 0};
    struct extent found = {0, 0};
    const wchar_t *c;
    int width = text_width();

    at.column = prompt_width(e->prompt) % width;
    at.row = prompt_width(e->prompt) / width;
    for (c = line->buffer; c < line->lastchar; c++) {
        if (c == line->cursor)
            found.cursor_row = at.row;
        pass_character(&at, *c, width);
    }
    if (line->cursor == line->lastchar)
        found.cursor_row = at.row;
    found.last_row = at.row;
    return found;
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static volatile sig_atomic_t resized;

static void note_resize(int number)
{
    (void)number;
    resized = 1;
}

void editor_leave_line(struct editor *e)
{
    struct extent shown;

    if (!e->typing || e->left_line)
        return;
    shown = extent_of_line(e);
    e->left_line = true;
    if (shown.cursor_row > 0)
        printf("\033[%dA", shown.cursor_row);
    fputs("\r\033[J", stdout);
    fflush(stdout);
}

/* Shows the line anew after something was printed in its place. */
static void return_to_line(struct editor *e)
{
    if (!e->left_line)
        return;
    e->left_line = false;
    el_set(e->el, EL_REFRESH);
}

/* Polls, unless there is a signal to be seen to, which is not missed if it comes right before
 * that: -1 then. */
static int poll_unless_signalled(struct pollfd *fds, nfds_t count, bool at_once)
{
    static const struct timespec none = {0};
    sigset_t ours, before;
    int status = -1;

    sigemptyset(&ours);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGWINCH);
    sigprocmask(SIG_BLOCK, &ours, &before);
    if (!interrupt_is_pending() && !resized)
        status = ppoll(fds, count, at_once ? &none : NULL, &before);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return status;
}

/* Waits for a byte on standard input, and sees to what is watched meanwhile. False: Ctrl-C. */
static bool wait_for_byte(struct editor *e)
{
    struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
    bool is_more = false;

    for (;;) {
        if (interrupt_is_pending())
            return false;
        if (resized) {
            resized = 0;
            el_resize(e->el);
            el_set(e->el, EL_REFRESH);
        }
        fds[1].fd = e->watch.fd(e->watch.arg);
        if (poll_unless_signalled(fds, 2, is_more) < 0)
            continue;
        if (fds[1].revents || (is_more && fds[1].fd >= 0)) {
            is_more = e->watch.ready(e->watch.arg);
            return_to_line(e);
        }
        if (fds[0].revents)
            return true;
    }
}

/* libedit's way of asking for a character: 1, 0 at the end, -1 on an error. */
static int get_char(EditLine *el, wchar_t *c)
{
    struct editor *e = editor_of(el);
    char byte;
    size_t n;

    for (;;) {
        if (!wait_for_byte(e))
            return -1;
        if (read(STDIN_FILENO, &byte, 1) != 1)
            return 0;
        n = mbrtowc(c, &byte, 1, &e->decoder);
        if (n == (size_t)-2) /* the beginning of a character */
            continue;
        if (n != (size_t)-1)
            return 1;
        memset(&e->decoder, 0, sizeof(e->decoder)); /* no character at all: pass it over */
    }
}

/* Takes what is pasted, newlines and all, as if it had been typed in one line. */
static unsigned char paste(EditLine *el, int unused)
{
    struct editor *e = editor_of(el);
    char *text = NULL;
    size_t len = 0;
    FILE *copy = open_memstream(&text, &len);
    char byte;

    (void)unused;
    if (!copy)
        return CC_ERROR;
    do {
        if (!wait_for_byte(e) || read(STDIN_FILENO, &byte, 1) != 1)
            break;
        fputc(byte == '\r' ? '\n' : byte, copy);
        fflush(copy);
    } while (len < strlen(PASTE_END) || strcmp(text + len - strlen(PASTE_END), PASTE_END) != 0);
    fclose(copy);
    if (len >= strlen(PASTE_END) && strcmp(text + len - strlen(PASTE_END), PASTE_END) == 0)
        len -= strlen(PASTE_END);
    while (len > 0 && text[len - 1] == '\n') /* Enter is for the user to press */
        len--;
    text[len] = '\0';
    if (len > 0)
        el_insertstr(el, text);
    free(text);
    return CC_REFRESH;
}

/* The same with vi's keys, where the escape has led to the command mode, and a character back. In
 * that mode the cursor does not stay behind the last one. */
static unsigned char paste_in_vi(EditLine *el, int unused)
{
    const LineInfoW *line;
    unsigned char result;

    el_cursor(el, 1);
    result = paste(el, unused);
    line = el_wline(el);
    el_push(el, line->cursor == line->lastchar ? "a" : "i");
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
    shown = extent_of_line(e);
    e->left_line = true;
    for (; shown.cursor_row <= shown.last_row; shown.cursor_row++)
        fputc('\n', stdout);
    fputc('\r', stdout);
}

/* What Tab is bound to. */
static unsigned char complete(EditLine *el, int unused)
{
    struct editor *e = editor_of(el);
    const LineInfo *line = el_line(el);
    char *before = strndup(line->buffer, (size_t)(line->cursor - line->buffer));
    char *after = strndup(line->cursor, (size_t)(line->lastchar - line->cursor));
    char *more = NULL;

    (void)unused;
    if (e->complete && before && after)
        more = e->complete(e->complete_arg, before, after);
    if (more && *more)
        el_insertstr(el, more);
    return_to_line(e);
    free(before);
    free(after);
    free(more);
    return CC_REFRESH;
}

/* ---- Opening and closing --------------------------------------------------------------------- */

/* libedit shows what the locale can: one that knows no more than ASCII gives way to UTF-8. */
static void set_locale(void)
{
    setlocale(LC_CTYPE, "");
    if (MB_CUR_MAX == 1)
        setlocale(LC_CTYPE, "C.UTF-8");
}

/* A ~/.editrc that says `bind -v` has all keys bound anew. */
static void bind_in_vi(EditLine *el)
{
    const char *keys;

    if (el_get(el, EL_EDITOR, &keys) < 0 || strcmp(keys, "vi") != 0)
        return;
    el_set(el, EL_BIND, "^I", "complete", NULL);
    el_set(el, EL_BIND, "-a", &PASTE_BEGIN[1], "paste-in-vi", NULL);
}

/* Reads what editrc(5) says of keys, if it is the user's or root's: a key may stand for whole
 * lines, and sudo may leave HOME that of another user. */
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
        el_source(el, path);
    else if (path && *why.text)
        fprintf(stderr, "pystuck: keys are not set: %s\n", why.text);
    free(path);
}

static void set_up(struct editor *e)
{
    HistEvent event;

    el_set(e->el, EL_CLIENTDATA, e);
    el_set(e->el, EL_PROMPT_ESC, prompt_of, EDITOR_HIDDEN[0]);
    el_set(e->el, EL_SIGNAL, 0);
    el_set(e->el, EL_EDITOR, "emacs");
    el_set(e->el, EL_GETCFN, get_char);
    el_wset(e->el, EL_ADDFN, L"paste", L"Take what is pasted as it is", paste); /* no copies */
    el_set(e->el, EL_BIND, PASTE_BEGIN, "paste", NULL);
    el_wset(e->el, EL_ADDFN, L"paste-in-vi", L"The same with vi's keys", paste_in_vi);
    el_wset(e->el, EL_ADDFN, L"complete", L"Complete what is typed", complete);
    el_set(e->el, EL_BIND, "^I", "complete", NULL);
    el_set(e->el, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_set(e->el, EL_BIND, "\\e[1;5C", "em-next-word", NULL);
    el_set(e->el, EL_BIND, "\\e[1;5D", "ed-prev-word", NULL);
    if (e->memory) {
        history(e->memory, &event, H_SETSIZE, HISTORY_MAX);
        el_set(e->el, EL_HIST, history, e->memory);
        history_load(e->memory, &e->path);
    }
    read_editrc(e->el);
    bind_in_vi(e->el);
}

struct editor *editor_open(const struct editor_watch *watch)
{
    struct sigaction action = {.sa_handler = note_resize};
    struct editor *e = calloc(1, sizeof(*e));

    if (!e)
        return NULL;
    set_locale();
    e->watch = *watch;
    e->prompt = "";
    e->el = el_init("pystuck", stdin, stdout, stderr);
    if (!e->el) {
        free(e);
        return NULL;
    }
    e->memory = history_init();
    e->path = history_path();
    set_up(e);
    sigaction(SIGWINCH, &action, NULL);
    return e;
}

void editor_close(struct editor *e)
{
    if (!e)
        return;
    el_end(e->el);
    if (e->memory)
        history_end(e->memory);
    free(e->path);
    free(e);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static const char *get_line(struct editor *e, const char *prompt, int *len)
{
    const char *line;

    e->prompt = prompt;
    e->typing = true;
    fputs(PASTE_ON, stdout);
    fflush(stdout);
    line = el_gets(e->el, len);
    fputs(PASTE_OFF, stdout);
    fflush(stdout);
    e->typing = false;
    return line;
}

enum editor_result editor_read(struct editor *e, const char *prompt, char **line)
{
    int len = 0;
    const char *typed = get_line(e, prompt, &len);

    if (interrupt_take()) {
        el_reset(e->el);
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
        history_add(e->memory, &e->path, cell);
}
