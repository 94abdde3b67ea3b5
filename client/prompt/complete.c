/* SPDX-License-Identifier: BSD-3-Clause */
#include "prompt/complete.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <wchar.h>

#include "clean.h"
#include "clock.h"
#include "interrupt.h"
#include "prompt/magic.h"
#include "text.h"
#include "prompt/words.h"

/* How many candidates are kept, and how many bytes one may have: more than anybody reads. */
#define KEPT         500
#define LONGEST_NAME 1000

/* How long Tab waits for the debuggee, in ms; and for each of the requests before the first time.
 */
#define PATIENCE_MS      1000
#define PATIENCE_EACH_MS 400

/* How often Ctrl-C is looked for meanwhile. */
#define LOOK_EVERY_MS 50

/* Columns between two candidates. */
#define GAP 2

/* How many columns an indentation is. */
#define INDENTATION 4

/* ---- Candidates ------------------------------------------------------------------------------ */

/* Whether a text may be typed for the user, in the middle of what is on the screen. */
static bool can_be_typed(const char *text)
{
    return strnlen(text, LONGEST_NAME + 1) <= LONGEST_NAME && text_is_harmless(text) &&
           !strpbrk(text, "\n\t");
}

/* Its characters, for free(); NULL if it is not UTF-8, or has control characters. */
static wchar_t *printable(const char *text)
{
    size_t len = can_be_typed(text) ? mbstowcs(NULL, text, 0) : (size_t)-1;
    wchar_t *wide = len == (size_t)-1 ? NULL : calloc(len + 1, sizeof(*wide));

    if (!wide)
        return NULL;
    mbstowcs(wide, text, len + 1);
    if (wcswidth(wide, len) >= 0)
        return wide;
    free(wide);
    return NULL;
}

static size_t characters_in(const char *text)
{
    size_t len = mbstowcs(NULL, text, 0);

    return len == (size_t)-1 ? 0 : len;
}

/* How many columns a text takes that is printable. */
static int columns_of(const char *text)
{
    wchar_t *wide = printable(text);
    int columns = wide ? wcswidth(wide, wcslen(wide)) : 0;

    free(wide);
    return columns;
}

/* Cuts common off where other differs, between two characters. */
static void cut_to_common(char *common, const char *other)
{
    size_t i = 0;

    while (common[i] && common[i] == other[i])
        i++;
    while (i > 0 && ((unsigned char)common[i] & 0xc0) == 0x80)
        i--;
    common[i] = '\0';
}

static void keep(struct completions *c, const char *text)
{
    char **longer = reallocarray(c->shown, c->count + 1, sizeof(*longer));

    if (!longer)
        return;
    c->shown = longer;
    longer[c->count] = strdup(text);
    if (longer[c->count])
        c->count++;
}

void completions_add(struct completions *c, const char *text)
{
    wchar_t *wide = printable(text);

    if (!wide)
        return;
    free(wide);
    if (c->common)
        cut_to_common(c->common, text);
    else
        c->common = strdup(text);
    c->total++;
    if (c->count < KEPT)
        keep(c, text);
}

void completions_clear(struct completions *c)
{
    size_t i;

    for (i = 0; i < c->count; i++)
        free(c->shown[i]);
    free(c->shown);
    free(c->common);
    free(c->ending);
    *c = (struct completions){0};
}

char *completions_insertion(const struct completions *c)
{
    const char *ending = c->total == 1 && c->ending ? c->ending : "";
    const char *more = c->common;
    mbstate_t state = {0};
    char *insertion = NULL;
    size_t i;

    for (i = 0; more && i < c->typed; i++) {
        size_t n = mbrlen(more, MB_CUR_MAX, &state);

        if (n == 0 || n >= (size_t)-2)
            return NULL;
        more += n;
    }
    if (!more || asprintf(&insertion, "%s%s", more, ending) < 0)
        return NULL;
    return insertion;
}

/* ---- The screen ------------------------------------------------------------------------------ */

/* How many bytes of a printable text fit into so many columns; those that they take in *columns. */
static size_t fitting(const char *text, int width, int *columns)
{
    mbstate_t state = {0};
    size_t at = 0, n;
    wchar_t c;

    *columns = 0;
    while ((n = mbrtowc(&c, text + at, MB_CUR_MAX, &state)) > 0 && n < (size_t)-2) {
        if (*columns + wcwidth(c) > width)
            break;
        *columns += wcwidth(c);
        at += n;
    }
    return at;
}

/* Prints a candidate, cut off if it is wider than that; the columns that it took. */
static int print_candidate(const char *text, int width)
{
    static const char cut[] = "...";
    int columns;
    size_t len = fitting(text, width, &columns);

    if (!text[len]) {
        text_print(stdout, text, len);
        return columns;
    }
    len = fitting(text, width - (int)strlen(cut), &columns);
    text_print(stdout, text, len);
    fputs(cut, stdout);
    return columns + (int)strlen(cut);
}

static int widest(const struct completions *c)
{
    int width = 1, columns;
    size_t i;

    for (i = 0; i < c->count; i++) {
        columns = columns_of(c->shown[i]);
        if (columns > width)
            width = columns;
    }
    return width;
}

/* One row: of each column, which are so long, the candidate there. */
static void print_row(const struct completions *c, size_t row, size_t rows, size_t shown, int width,
                      int column_width)
{
    size_t i;
    int columns;

    for (i = row; i < shown; i += rows) {
        columns = print_candidate(c->shown[i], width);
        if (i + rows < shown)
            printf("%*s", column_width - columns, "");
    }
    putchar('\n');
}

void completions_show(const struct completions *c, int width, int height)
{
    /* The last column of the screen stays free: a terminal may go on to the next line there. */
    int candidate_width = widest(c) < width ? widest(c) : width - 1;
    int column_width = candidate_width + GAP;
    size_t columns = width + 1 > column_width ? (size_t)((width - 1 + GAP) / column_width) : 1;
    size_t rows = (c->count + columns - 1) / columns;
    size_t shown = c->count;
    size_t most_rows = height > 4 ? (size_t)height - 3 : 1;
    size_t row;

    if (rows > most_rows) {
        rows = most_rows;
        shown = rows * columns;
    }
    for (row = 0; row < rows; row++)
        print_row(c, row, rows, shown, candidate_width, column_width);
    if (shown < c->total)
        printf("... and %zu more\n", c->total - shown);
    fflush(stdout);
}

/* ---- What is known here ---------------------------------------------------------------------- */

/* Adds a file, as it is typed within quotes or without. */
static void add_file(struct completions *out, const char *name, char quote)
{
    CLEAN_TEXT char *escaped = quote ? NULL : words_escape(name);

    if (escaped)
        completions_add(out, escaped);
    else if (quote && !strchr(name, quote) && !strchr(name, '\\'))
        completions_add(out, name);
}

/* Adds the files whose names begin so; directories have a slash. */
static void add_files(struct completions *out, const char *directory, const char *prefix,
                      char quote)
{
    struct dirent **entries = NULL;
    int n = scandir(directory, &entries, NULL, alphasort);
    int i;

    for (i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        CLEAN_TEXT char *path = NULL;
        struct stat status;

        if (strncmp(name, prefix, strlen(prefix)) == 0 && (*prefix || *name != '.') &&
            strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
            asprintf(&path, "%s/%s/", directory, name) >= 0) {
            bool is_directory = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
            path[strlen(path) - (is_directory ? 0 : 1)] = '\0';
            add_file(out, path + strlen(directory) + 1, quote);
        }
        free(entries[i]);
    }
    free(entries);
}

/* Unquotes what is typed of a word. NULL: it cannot be gone on with as it was begun. */
static char *unquote(const char *typed, char quote)
{
    CLEAN_WORDS struct words words = {0};
    CLEAN_TEXT char *escaped = NULL;

    if (quote)
        return strchr(typed + 1, '\\') || typed[0] != quote ? NULL : strdup(typed + 1);
    if (words_split(&words, typed) < 0 || words.count > 1)
        return NULL;
    escaped = words_escape(words.count ? words.list[0] : "");
    return escaped && strcmp(escaped, typed) == 0 ? strdup(words.count ? words.list[0] : "") : NULL;
}

/* The last of the words that are typed is a file's name. */
static void find_files(struct completions *out, const char *argument)
{
    char quote;
    const char *word = words_last(argument, &quote);
    CLEAN_TEXT char *typed = unquote(word, quote);
    CLEAN_TEXT char *directory = NULL;
    CLEAN_TEXT char *escaped = NULL;
    const char *slash = typed ? strrchr(typed, '/') : NULL;
    const char *prefix = slash ? slash + 1 : typed;
    const char *home = typed && strncmp(typed, "~/", 2) == 0 ? getenv("HOME") : NULL;
    int len;

    if (!typed)
        return;
    len = (int)(prefix - typed);
    if (home)
        len = asprintf(&directory, "%s%.*s", home, len - 1, typed + 1);
    else
        len = asprintf(&directory, "%s%.*s", len > 0 ? "" : ".", len, typed);
    escaped = quote ? strdup(prefix) : words_escape(prefix);
    if (len < 0)
        directory = NULL;
    if (!directory || !escaped)
        return;
    out->typed = characters_in(escaped);
    add_files(out, directory, prefix, quote);
}

static void find_magics(struct completions *out, const char *typed)
{
    const char *name;
    size_t i;

    out->typed = characters_in(typed);
    for (i = 0; (name = magic_name(i)); i++)
        if (strncmp(name, typed, strlen(typed)) == 0)
            completions_add(out, name);
}

/* Whether the argument of a magic is a file's name. */
static bool takes_file(const char *name, size_t len)
{
    static const char *const names[] = {"run", "save"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strlen(names[i]) == len && strncmp(names[i], name, len) == 0)
            return true;
    return false;
}

/* Spaces up to the next step of indentation. */
static void indent(struct completions *out, size_t column)
{
    out->common = strndup("    ", INDENTATION - column % INDENTATION);
    out->total = 1;
}

int complete_find(const struct complete_source *source, const char *text, const char *rest,
                  struct completions *out, struct rpyc_error *err)
{
    const char *newline = strrchr(text, '\n');
    const char *line = newline ? newline + 1 : text;
    const char *argument;

    if (line[strspn(line, " \t")] == '\0') {
        indent(out, strlen(line));
        return 0;
    }
    if (!magic_is(text))
        return source->find(source->arg, text, rest, out, err);
    find_magics(out, text + 1);
    argument = text + strcspn(text, " ");
    if (out->total > 0 || *argument == '\0')
        return 0;
    argument += strspn(argument, " ");
    if (!takes_file(text + 1, strcspn(text + 1, " ")))
        return source->find(source->arg, argument, rest, out, err);
    find_files(out, argument);
    return 0;
}

/* ---- Cells ----------------------------------------------------------------------------------- */

/* Whether to wait on may help. */
static bool is_passing(const struct rpyc_error *err)
{
    return err->code == RPYC_ETIMEOUT || err->code == RPYC_EINTERRUPT;
}

/* Asks for candidates. What comes too late is dropped. */
static int ask(const struct complete_cells *c, const char *text, const char *rest,
               rpyc_value **answer, struct rpyc_error *err)
{
    rpyc_value *complete = cells_helper(c->cells, CELLS_COMPLETION, err);
    int64_t deadline = clock_ms() + PATIENCE_MS;
    rpyc_pending *pending;
    int status;

    if (!complete || rpyc_start_call(complete, &pending, err, "ss", text, rest) < 0)
        return -1;
    while ((status = rpyc_pending_wait(pending, LOOK_EVERY_MS, answer, err)) < 0 &&
           is_passing(err) && !interrupt_is_pending() && clock_ms() < deadline)
        rpyc_error_clear(err);
    rpyc_pending_free(pending);
    return status;
}

/* Reads (characters typed, what all have in common, what comes after one, how many, the first). */
static void read_answer(struct completions *out, rpyc_value *answer)
{
    rpyc_value *names = rpyc_item(answer, 4);
    const char *common = rpyc_str(rpyc_item(answer, 1), NULL);
    const char *ending = rpyc_str(rpyc_item(answer, 2), NULL);
    int64_t typed, total;
    size_t i;

    if (!common || !ending || !can_be_typed(ending) ||
        rpyc_int64(rpyc_item(answer, 0), &typed, NULL) < 0 || typed < 0 ||
        rpyc_int64(rpyc_item(answer, 3), &total, NULL) < 0 || total < 0)
        return;
    for (i = 0; i < rpyc_length(names); i++)
        if (rpyc_str(rpyc_item(names, i), NULL))
            completions_add(out, rpyc_str(rpyc_item(names, i), NULL));
    if (out->total == 0)
        return;
    out->typed = (size_t)typed;
    out->ending = strdup(ending);
    if ((size_t)total > rpyc_length(names)) {
        out->total += (size_t)total - rpyc_length(names);
        cut_to_common(out->common, common);
    }
}

int complete_in_cells(const void *arg, const char *text, const char *rest, struct completions *out,
                      struct rpyc_error *err)
{
    const struct complete_cells *c = arg;
    struct rpyc_error why = RPYC_ERROR_INIT;
    CLEAN_VALUE rpyc_value *answer = NULL;
    int timeout, status;

    if (!c->cells)
        return 0;
    timeout = rpyc_timeout(c->conn);
    rpyc_set_timeout(c->conn, PATIENCE_EACH_MS);
    status = ask(c, text, rest, &answer, &why);
    rpyc_set_timeout(c->conn, timeout);
    if (status == 0) {
        read_answer(out, answer);
        return 0;
    }
    interrupt_take();
    if (rpyc_error_is_fatal(&why)) {
        *err = why;
        return -1;
    }
    rpyc_error_clear(&why);
    return 0;
}
