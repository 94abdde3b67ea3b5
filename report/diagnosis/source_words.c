/* SPDX-License-Identifier: BSD-3-Clause */
#include "diagnosis/source_words.h"

#include <stdbool.h>
#include <string.h>

#define WORDS_MAX 80
#define UNKNOWN   ((struct report_text){NULL, 0})

/* The methods that wait for each kind of object. with: true if the statement `with` also waits for
 * an object of this kind. */
static const struct {
    const char *kind;
    bool with;
    const char *methods[3];
} waiting[] = {
    {"lock", true, {"acquire"}},
    {"rlock", true, {"acquire"}},
    {"semlock", true, {"acquire"}},
    {"semaphore", true, {"acquire"}},
    {"event", false, {"wait"}},
    {"condition", false, {"wait", "wait_for"}},
    {"barrier", false, {"wait"}},
    {"queue-get", false, {"get"}},
    {"queue-put", false, {"put"}},
    {"queue-join", false, {"join"}},
    {"future", false, {"result", "exception"}},
};

static bool is_name(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c & 0x80);
}

static struct report_text after(struct report_text text, size_t count)
{
    return (struct report_text){text.data + count, text.len - count};
}

static struct report_text skip_blanks(struct report_text text)
{
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = after(text, 1);
    return text;
}

/* text must begin with an opening bracket. Returns the length up to and including the closing
 * bracket. The content of the brackets must be names, dots and numbers, or a simple string, or
 * nothing. Returns 0 if the content is something else, or if the closing bracket is missing. */
static size_t bracket_length(struct report_text text)
{
    const char close = text.data[0] == '[' ? ']' : ')';
    size_t i;

    for (i = 1; i < text.len && text.data[i] != close; i++) {
        if (!is_name(text.data[i]) && !strchr(".'\"-", text.data[i]))
            return 0;
    }
    return i < text.len ? i + 1 : 0;
}

/* Returns the length of the names, dots and brackets with which a text begins, as in
 * "self.locks[3]". */
static size_t words_length(struct report_text text)
{
    size_t i = 0, more;

    while (i < text.len) {
        if (is_name(text.data[i]) || text.data[i] == '.') {
            i++;
        } else if (text.data[i] == '[' || text.data[i] == '(') {
            more = bracket_length(after(text, i));
            if (more == 0)
                return i;
            i += more;
        } else {
            return i;
        }
    }
    return i;
}

/* rest: the part of a `with` line after the words that name the object. True if this part contains
 * the colon, but no call. It may also contain "as" and a name, and code after the colon. */
static bool ends_with(struct report_text rest)
{
    rest = skip_blanks(rest);
    if (text_begins(rest, "as ")) {
        rest = skip_blanks(after(rest, 3));
        rest = skip_blanks(after(rest, words_length(rest)));
    }
    if (!text_begins(rest, ":"))
        return false;
    rest = skip_blanks(after(rest, 1));
    return rest.len == 0 || rest.data[0] == '#' ||
           (!memchr(rest.data, '(', rest.len) && !text_begins(rest, "with "));
}

static struct report_text words_of_with(struct report_text line)
{
    size_t len;

    if (text_begins(line, "async "))
        line = skip_blanks(after(line, 6));
    if (!text_begins(line, "with "))
        return UNKNOWN;
    line = skip_blanks(after(line, 5));
    len = words_length(line);
    return len > 0 && is_name(line.data[0]) && ends_with(after(line, len))
               ? (struct report_text){line.data, len}
               : UNKNOWN;
}

/* Returns the index of the next ".METHOD(" in a line from `from` on. Returns the length of the line
 * if there is no such text. */
static size_t find_call(struct report_text line, size_t from, const char *method)
{
    size_t len = strlen(method), i;

    for (i = from; i + len + 2 <= line.len; i++) {
        if (line.data[i] == '.' && line.data[i + len + 1] == '(' &&
            memcmp(line.data + i + 1, method, len) == 0)
            return i;
    }
    return line.len;
}

/* True if the words make a new object: "threading.Event()". By convention, the names of classes
 * begin with a capital letter. */
static bool is_constructor(struct report_text words)
{
    const char *bracket = words.data ? memchr(words.data, '(', words.len) : NULL;
    const char *name = bracket;

    if (!bracket || words.data[words.len - 1] != ')')
        return false;
    while (name > words.data && is_name(name[-1]))
        name--;
    return *name >= 'A' && *name <= 'Z';
}

/* Returns the names, dots and brackets that end at the index `end` of a line. Tries all possible
 * starts from left to right. */
static struct report_text words_before(struct report_text line, size_t end)
{
    size_t start = end > WORDS_MAX ? end - WORDS_MAX : 0;

    for (; start < end; start++) {
        struct report_text rest = {line.data + start, end - start};

        if (start > 0 && (is_name(line.data[start - 1]) || strchr(".)]", line.data[start - 1])))
            continue; /* in the middle of words */
        if (is_name(rest.data[0]) && words_length(rest) == rest.len)
            return rest;
    }
    return UNKNOWN;
}

static struct report_text words_of_call(struct report_text line, const char *const *methods)
{
    size_t found = line.len, i, at;

    if (line.len > 0 && (memchr(line.data, ';', line.len) || memchr(line.data, '#', line.len)))
        return UNKNOWN;
    for (i = 0; i < 3 && methods[i]; i++) {
        at = find_call(line, 0, methods[i]);
        if (at == line.len)
            continue;
        if (found < line.len || find_call(line, at + 1, methods[i]) < line.len)
            return UNKNOWN; /* the line has several calls */
        found = at;
    }
    return found < line.len ? words_before(line, found) : UNKNOWN;
}

struct report_text source_words_find(struct report_text line, struct report_text kind)
{
    struct report_text words = UNKNOWN;
    size_t i;

    if (!line.data || !kind.data)
        return UNKNOWN;
    for (i = 0; i < sizeof(waiting) / sizeof(*waiting); i++) {
        if (!text_is(kind, waiting[i].kind))
            continue;
        words = waiting[i].with ? words_of_with(line) : UNKNOWN;
        if (!words.data && !text_begins(line, "with ") && !text_begins(line, "async with "))
            words = words_of_call(line, waiting[i].methods);
        break;
    }
    return words.len <= WORDS_MAX && !is_constructor(words) ? words : UNKNOWN;
}
