/* SPDX-License-Identifier: BSD-3-Clause */
#include "text.h"

#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEFAULT_WIDTH  80
#define DEFAULT_HEIGHT 24

static bool is_escape_forced;

void text_escape_always(bool always)
{
    is_escape_forced = always;
}

/* A character, or a single byte that is not part of valid UTF-8. */
struct character {
    size_t len;    /* length in bytes */
    uint32_t code; /* the code point of the character, or the value of the byte */
    bool is_whole; /* true: a character; false: a byte that is not UTF-8 */
};

/* Decodes the first character of a text of len > 0 bytes. Characters that are encoded in more bytes
 * than necessary count as invalid, because different terminals show such characters differently. */
static struct character character_at(const char *text, size_t len)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *bytes = (const unsigned char *)text;
    unsigned char c = bytes[0];
    size_t more = c < 0xc0 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3, i;
    const struct character none = {1, c, false};
    uint32_t code = more ? c & (0x3fu >> more) : c;

    if (c >= 0xf8 || (c >= 0x80 && c < 0xc0) || len <= more)
        return none;
    for (i = 1; i <= more; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return none;
        code = code << 6 | (bytes[i] & 0x3f);
    }
    if (code < least[more + 1] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return none;
    return (struct character){more + 1, code, true};
}

/* True if the character must not be sent to a terminal. This is true for control characters, for
 * line separators, for bytes that are not UTF-8, and for characters that change the direction of
 * text. These characters can make a text look like a different text (see
 * https://trojansource.codes). */
static bool is_harmful(struct character c)
{
    static const struct {
        uint32_t first, last;
    } harmful[] = {
        {0x7f, 0x9f},     {0x61c, 0x61c},   {0x200e, 0x200f},
        {0x2028, 0x202e}, {0x2066, 0x206f}, {0xfff9, 0xfffb},
    };
    size_t i;

    if (!c.is_whole)
        return true;
    if (c.code < 0x20)
        return c.code != '\n' && c.code != '\t';
    for (i = 0; i < sizeof(harmful) / sizeof(*harmful); i++)
        if (c.code >= harmful[i].first && c.code <= harmful[i].last)
            return true;
    return false;
}

static const char *escape_of(struct character c)
{
    if (c.code == '\n')
        return "\\n";
    return c.code < 0x100 ? "\\x%02x" : "\\u%04x";
}

/* Returns how many bytes at the start of the text need no escape. in_line: newlines and tabs also
 * need an escape. */
static size_t harmless(const char *text, size_t len, bool in_line)
{
    struct character c;
    size_t i;

    for (i = 0; i < len; i += c.len) {
        for (; i < len && text[i] >= ' ' && text[i] <= '~'; i++) {
        } /* most characters are printable ASCII, and need no decoding */
        if (i == len)
            break;
        c = character_at(text + i, len - i);
        if (is_harmful(c) || (in_line && c.code < ' '))
            break;
    }
    return i;
}

bool text_is_harmless(const char *text)
{
    size_t len = strlen(text);

    return harmless(text, len, false) == len;
}

static void print_escaped(FILE *stream, const char *text, size_t len, bool in_line)
{
    struct character c;
    size_t n;

    while (len > 0) {
        n = harmless(text, len, in_line);
        fwrite(text, 1, n, stream);
        text += n;
        len -= n;
        if (len == 0)
            return;
        c = character_at(text, len);
        fprintf(stream, escape_of(c), c.code);
        text += c.len;
        len -= c.len;
    }
}

void text_print(FILE *stream, const char *text, size_t len)
{
    if (is_escape_forced || isatty(fileno(stream)))
        print_escaped(stream, text, len, false);
    else
        fwrite(text, 1, len, stream);
}

void text_print_name(FILE *stream, const char *text, size_t len)
{
    print_escaped(stream, text, len, true);
}

size_t text_fitting(const char *text, size_t len, size_t columns)
{
    size_t used = 0, i;
    struct character c;

    for (i = 0; i < len; i += c.len) {
        c = character_at(text + i, len - i);
        used += is_harmful(c) || c.code < ' ' ? (size_t)snprintf(NULL, 0, escape_of(c), c.code) : 1;
        if (used > columns)
            break;
    }
    return i;
}

int text_height(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0)
        return size.ws_row;
    return DEFAULT_HEIGHT;
}

int text_width(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return DEFAULT_WIDTH;
}
